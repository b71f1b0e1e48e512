package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// This file is about what people log in with beside their phone. Showing a factor, adding and removing one gives the session
// new tokens, and the old ones are dead: whatever answers a Session must be kept. Nothing of it is repeated where no answer came.

// FactorType is a kind of factor.
type FactorType string

// The kinds.
const (
	FactorTOTP     FactorType = "totp" // an authenticator app
	FactorPasskey  FactorType = "passkey"
	FactorRecovery FactorType = "recovery_codes"
)

// Factor is something that a user confirms a login with beside the phone.
type Factor struct {
	ID        string     `json:"id"`
	Type      FactorType `json:"type"`
	Name      string     `json:"name"` // the person's own word for it
	Created   time.Time  `json:"created_at"`
	LastUsed  time.Time  `json:"last_used_at"` // zero before the first time
	Remaining int        `json:"remaining"`    // of recovery codes: how many are not used
}

// TOTP is what an authenticator app is told, once.
type TOTP struct {
	ID      string    `json:"id"`     // to be confirmed with ConfirmFactor
	Secret  string    `json:"secret"` // base32, for typing
	URI     string    `json:"uri"`    // otpauth://
	QR      string    `json:"qr"`     // the same as a picture: an SVG document
	Expires time.Time `json:"expires_at"`
}

// RecoveryCodes are codes for paper, shown once, and the new tokens of the session that made them.
type RecoveryCodes struct {
	Session
	ID    string   `json:"id"`
	Codes []string `json:"codes"`
}

// Renewed is a factor that was added, and the new tokens of the session that added it.
type Renewed struct {
	Session
	Factor *Factor `json:"factor"`
}

// Ceremony is what a browser is asked for about a passkey.
type Ceremony struct {
	Ceremony  string          `json:"ceremony"`   // comes back with the browser's answer, within five minutes
	PublicKey json.RawMessage `json:"public_key"` // for PublicKeyCredential.parse…OptionsFromJSON
}

// PasskeyAnswer is what the browser answered.
type PasskeyAnswer struct {
	Ceremony   string          `json:"ceremony"`
	Credential json.RawMessage `json:"credential"` // as PublicKeyCredential.toJSON() gives it
}

// NewPasskeyRequest is what a browser answered that was asked to make a passkey.
type NewPasskeyRequest struct {
	PasskeyAnswer
	Name string `json:"name,omitempty"` // the person's own word for it
}

// FactorAnswer is a further factor beside a proof. One of them is given.
type FactorAnswer struct {
	TOTP         string         `json:"totp,omitempty"`
	RecoveryCode string         `json:"recovery_code,omitempty"`
	Passkey      *PasskeyAnswer `json:"passkey,omitempty"`
	None         bool           `json:"none,omitempty"` // they have none of the number's former user: a new user gets it
}

// StepUpRequest shows a factor again. One of them is given.
type StepUpRequest struct {
	TOTP         string         `json:"totp,omitempty"`
	RecoveryCode string         `json:"recovery_code,omitempty"`
	Passkey      *PasskeyAnswer `json:"passkey,omitempty"` // after AskPasskeyAgain
	Proof        string         `json:"proof,omitempty"`   // of purpose stepup and the person's own number; it raises no level
}

// Factors lists the further factors of an access token's user, oldest first.
func (c *Client) Factors(ctx context.Context, accessToken string) ([]*Factor, error) {
	var list struct{ Factors []*Factor }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/me/factors", as: accessToken, repeat: repeatSafely}, &list)
	return list.Factors, err
}

// AddTOTP begins an authenticator app, which is good for nothing until ConfirmFactor. ErrStepUpRequired: show a factor first.
func (c *Client) AddTOTP(ctx context.Context, accessToken, name string) (*TOTP, error) {
	t := &TOTP{}
	if _, err := c.call(ctx, enrol("/v1/me/factors/totp", accessToken, name), t); err != nil {
		return nil, err
	}
	if t.ID == "" || t.Secret == "" {
		return nil, errors.New("the server's answer is not what was expected: it has no secret")
	}
	return t, nil
}

// ConfirmFactor takes an authenticator app into use once it has shown a right code. That is a step-up.
func (c *Client) ConfirmFactor(ctx context.Context, accessToken, id, code string) (*Renewed, error) {
	path, err := under("/v1/me/factors/", id)
	if err != nil {
		return nil, err
	}
	body := map[string]string{"code": code}
	return c.renewed(ctx, request{method: http.MethodPost, path: path + "/confirm", body: body, as: accessToken})
}

// NewRecoveryCodes makes ten codes for paper in the place of those that there were.
func (c *Client) NewRecoveryCodes(ctx context.Context, accessToken, name string) (*RecoveryCodes, error) {
	r := &RecoveryCodes{}
	answer, err := c.call(ctx, enrol("/v1/me/factors/recovery-codes", accessToken, name), r)
	if err != nil {
		return nil, err
	}
	if len(r.Codes) == 0 {
		return nil, errors.New("the server's answer is not what was expected: it has no codes")
	}
	return r, r.take(answer)
}

// RemoveFactor removes a factor of an access token's user, whose session must have shown one within five minutes.
func (c *Client) RemoveFactor(ctx context.Context, accessToken, id string) (*Session, error) {
	path, err := under("/v1/me/factors/", id)
	if err != nil {
		return nil, err
	}
	return c.session(ctx, request{method: http.MethodDelete, path: path, as: accessToken})
}

// ResetFactors takes all factors off a user, for support that has found out in another way who asks.
func (c *Client) ResetFactors(ctx context.Context, userID string) error {
	path, err := under("/v1/users/", userID)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, request{method: http.MethodDelete, path: path + "/factors"}, nil)
	return err
}

// StepUp shows a factor again, before something that matters.
func (c *Client) StepUp(ctx context.Context, accessToken string, q *StepUpRequest) (*Session, error) {
	return c.session(ctx, request{method: http.MethodPost, path: "/v1/sessions/step-up", body: q, as: accessToken})
}

// AskPasskey says what a browser is asked for when somebody logs in by passkey; Redeem takes the answer. The person is
// the one for whom a server acts, and may be nil.
func (c *Client) AskPasskey(ctx context.Context, person *Person) (*Ceremony, error) {
	body := struct {
		Client *Person `json:"client,omitempty"`
	}{person}
	return c.ceremony(ctx, request{method: http.MethodPost, path: "/v1/passkeys/options", body: body, repeat: repeatSafely})
}

// AskPasskeyAgain says what a browser is asked for in a step-up: one of the passkeys of an access token's user.
func (c *Client) AskPasskeyAgain(ctx context.Context, accessToken string) (*Ceremony, error) {
	return c.ceremony(ctx, request{method: http.MethodPost, path: "/v1/sessions/step-up/options", body: struct{}{}, as: accessToken, repeat: repeatSafely})
}

// NewPasskey says what a browser is asked for to make a passkey; AddPasskey takes the answer.
func (c *Client) NewPasskey(ctx context.Context, accessToken string) (*Ceremony, error) {
	return c.ceremony(ctx, request{method: http.MethodPost, path: "/v1/me/factors/passkeys/options", body: struct{}{}, as: accessToken, repeat: repeatSafely})
}

// AddPasskey adds the passkey that a browser has made. That is a step-up.
func (c *Client) AddPasskey(ctx context.Context, accessToken string, q *NewPasskeyRequest) (*Renewed, error) {
	return c.renewed(ctx, request{method: http.MethodPost, path: "/v1/me/factors/passkeys", body: q, as: accessToken})
}

func enrol(path, accessToken, name string) request {
	body := struct {
		Name string `json:"name,omitempty"`
	}{name}
	return request{method: http.MethodPost, path: path, body: body, as: accessToken}
}

func (c *Client) renewed(ctx context.Context, r request) (*Renewed, error) {
	n := &Renewed{}
	answer, err := c.call(ctx, r, n)
	if err != nil {
		return nil, err
	}
	if err := n.take(answer); err != nil {
		return nil, err
	}
	if n.Factor == nil {
		return nil, errors.New("the server's answer is not what was expected: it is no factor")
	}
	return n, nil
}

func (c *Client) ceremony(ctx context.Context, r request) (*Ceremony, error) {
	x := &Ceremony{}
	if _, err := c.call(ctx, r, x); err != nil {
		return nil, err
	}
	if x.Ceremony == "" || len(x.PublicKey) == 0 {
		return nil, errors.New("the server's answer is not what was expected: it asks for no passkey")
	}
	return x, nil
}
