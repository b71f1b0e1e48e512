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

	// Cookies carry the tokens of a session that goes by cookie, where both tokens above are empty.
	Cookies []*http.Cookie `json:"-"`
}

// RedeemRequest turns a proof of purpose signup or login, or a passkey, into a session.
type RedeemRequest struct {
	Proof   string         `json:"proof,omitempty"`
	Passkey *PasskeyAnswer `json:"passkey,omitempty"` // in place of a proof, after AskPasskey
	Nonce   string         `json:"nonce,omitempty"`   // the one of the person's session; needed where the proof has one
	Factor  *FactorAnswer  `json:"factor,omitempty"`  // a further factor beside the proof; needed after ErrFactorRequired
	Client  *Person        `json:"client,omitempty"`

	// Cookie asks for a session by cookie, for a server behind the instance's own name: see Client.WithCookies.
	Cookie bool `json:"cookie,omitempty"`
}

// Me is the person who calls, with the session that they call by.
type Me struct {
	User
	Session *Device `json:"session"`
}

// ChangeNumberRequest gives a person another number.
type ChangeNumberRequest struct {
	Proof        string `json:"proof"`                   // of the new number, purpose stepup
	CurrentProof string `json:"current_proof,omitempty"` // of the present one, likewise; not needed after a further factor
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
	ACR       string    `json:"acr"` // urn:countersign:aal1, or aal2 for a day after a further factor
	IP        string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	Device    string    `json:"device"`
}

// Redeem finds or creates the user of a proof and starts a session. A proof is good once: this is not repeated where no
// answer came. After ErrFactorRequired the same proof is sent again with a factor.
func (c *Client) Redeem(ctx context.Context, q *RedeemRequest) (*Session, error) {
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/sessions", body: q, own: q.Cookie})
}

// Refresh trades a refresh token for new ones. Never do it twice with the same: that ends the session, because it looks
// like theft. So it is not repeated where no answer came. A client with cookies takes "".
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	body := struct {
		RefreshToken string `json:"refresh_token,omitempty"`
	}{refreshToken}
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/sessions/refresh", body: body, as: nobody})
}

// EndSession logs out the session of an access token.
func (c *Client) EndSession(ctx context.Context, accessToken string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/sessions/current", as: accessToken, repeat: repeatSafely}, nil)
	return err
}

// Me is the user of an access token.
func (c *Client) Me(ctx context.Context, accessToken string) (*Me, error) {
	m := &Me{}
	if _, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/me", as: accessToken, repeat: repeatSafely}, m); err != nil {
		return nil, err
	}
	if m.ID == "" {
		return nil, errNoUser
	}
	return m, nil
}

// ChangeNumber gives the user of an access token another number. The old one is told, and all their other sessions end; this
// one goes on with new tokens.
func (c *Client) ChangeNumber(ctx context.Context, accessToken string, q *ChangeNumberRequest) (*Session, error) {
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/me/phone_number", body: q, as: accessToken})
}

// Devices lists the sessions of an access token's user.
func (c *Client) Devices(ctx context.Context, accessToken string) ([]*Device, error) {
	var list struct{ Data []*Device }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/me/sessions", as: accessToken, repeat: repeatSafely}, &list)
	return list.Data, err
}

// EndOtherDevices ends all other sessions of an access token's user. Offer it after a change of factors.
func (c *Client) EndOtherDevices(ctx context.Context, accessToken string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/me/sessions", as: accessToken, repeat: repeatSafely}, nil)
	return err
}

// EndDevice ends a session of an access token's user.
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

// EraseUser erases a person everywhere, as they may ask of you. There is no way back.
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
	answer, err := c.call(ctx, r, s)
	if err != nil {
		return nil, err
	}
	if err := s.take(answer); err != nil {
		return nil, err
	}
	return s, nil
}

// take completes a session with the cookies that came with it. One without any token is none.
func (s *Session) take(answer *reply) error {
	s.Cookies = answer.cookies
	if s.User == nil || s.AccessToken == "" && len(s.Cookies) == 0 {
		return errors.New("the server's answer is not what was expected: it is no session")
	}
	return nil
}

var errNoUser = errors.New("the server's answer is not what was expected: it is no user")

func (c *Client) user(ctx context.Context, r request) (*User, error) {
	u := &User{}
	if _, err := c.call(ctx, r, u); err != nil {
		return nil, err
	}
	if u.ID == "" {
		return nil, errNoUser
	}
	return u, nil
}
