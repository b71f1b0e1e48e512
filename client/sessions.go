package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// User is whoever proved a phone in this app.
type User struct {
	ID                  string    `json:"id"`
	PhoneNumber         string    `json:"phone_number"` // E.164; "" once somebody else has proved the number
	PhoneNumberVerified bool      `json:"phone_number_verified"`
	Created             time.Time `json:"created_at"`
	Verified            time.Time `json:"verified_at"` // when the number was proved last
}

// Session is a login. Keep both tokens away from scripts of a page.
type Session struct {
	User         *User   `json:"user"`
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    Seconds `json:"expires_in"`    // of the access token
	RefreshToken string  `json:"refresh_token"` // good once
}

// RedeemRequest turns a proof of purpose signup or login into a session.
type RedeemRequest struct {
	Proof  string  `json:"proof"`
	Nonce  string  `json:"nonce,omitempty"` // the one of the person's session; needed where the proof has one
	Client *Person `json:"client,omitempty"`
}

// Device is one of a user's sessions, as the list of devices shows it.
type Device struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current"` // the one that asks
	Kind      string    `json:"kind"`    // bearer, cookie or browser
	Created   time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen_at"`
	Expires   time.Time `json:"expires_at"`
	AuthTime  time.Time `json:"auth_time"`
	AMR       []string  `json:"amr"` // RFC 8176
	IP        string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	Device    string    `json:"device"`
}

// Redeem finds or creates the user of a proof and starts a session. A proof is good once: this is not repeated where no
// answer came.
func (c *Client) Redeem(ctx context.Context, q *RedeemRequest) (*Session, error) {
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/sessions", body: q})
}

// Refresh trades a refresh token for new ones. Never do it twice with the same: that ends the session, because it looks
// like theft. So it is not repeated where no answer came.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	body := map[string]string{"refresh_token": refreshToken}
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/sessions/refresh", body: body, as: nobody})
}

// EndSession logs out the session of an access token.
func (c *Client) EndSession(ctx context.Context, accessToken string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/sessions/current", as: accessToken, repeat: repeatSafely}, nil)
	return err
}

// Me is the user of an access token.
func (c *Client) Me(ctx context.Context, accessToken string) (*User, error) {
	return c.user(ctx, request{method: http.MethodGet, path: "/v1/me", as: accessToken, repeat: repeatSafely})
}

// Devices lists the sessions of an access token's user.
func (c *Client) Devices(ctx context.Context, accessToken string) ([]*Device, error) {
	var list struct{ Data []*Device }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/me/sessions", as: accessToken, repeat: repeatSafely}, &list)
	return list.Data, err
}

// EndDevice ends another session of an access token's user.
func (c *Client) EndDevice(ctx context.Context, accessToken, id string) error {
	path, err := under("/v1/me/sessions/", id)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, request{method: http.MethodDelete, path: path, as: accessToken, repeat: repeatSafely}, nil)
	return err
}

// User reads a user.
func (c *Client) User(ctx context.Context, id string) (*User, error) {
	path, err := under("/v1/users/", id)
	if err != nil {
		return nil, err
	}
	return c.user(ctx, request{method: http.MethodGet, path: path, repeat: repeatSafely})
}

// LookupUser finds the user of a phone number; nil where there is none.
func (c *Client) LookupUser(ctx context.Context, phone string) (*User, error) {
	var list struct{ Data []*User }
	path := "/v1/users?" + url.Values{"phone_number": {phone}}.Encode()
	if _, err := c.call(ctx, request{method: http.MethodGet, path: path, repeat: repeatSafely}, &list); err != nil || len(list.Data) == 0 {
		return nil, err
	}
	return list.Data[0], nil
}

// EraseUser erases a person everywhere. There is no way back.
func (c *Client) EraseUser(ctx context.Context, id string) error {
	path, err := under("/v1/users/", id)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, request{method: http.MethodDelete, path: path}, nil)
	return err
}

func (c *Client) session(ctx context.Context, r request) (*Session, error) {
	s := &Session{}
	if _, err := c.call(ctx, r, s); err != nil {
		return nil, err
	}
	if s.User == nil || s.AccessToken == "" {
		return nil, errors.New("the server's answer is not what was expected: it is no session")
	}
	return s, nil
}

func (c *Client) user(ctx context.Context, r request) (*User, error) {
	u := &User{}
	if _, err := c.call(ctx, r, u); err != nil {
		return nil, err
	}
	if u.ID == "" {
		return nil, errors.New("the server's answer is not what was expected: it is no user")
	}
	return u, nil
}
