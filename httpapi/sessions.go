package httpapi

// This file serves sessions: it turns proofs into them, renews them and ends them. Tokens travel in bodies, or in cookies
// of the instance's own site that no script can read; a request by cookie that changes anything must come from that site.

import (
	"context"
	"net/http"
	"slices"
	"time"

	"countersign"
)

// Accounts is what the face asks about people; *countersign.Accounts is it.
type Accounts interface {
	Redeem(ctx context.Context, q *countersign.RedeemRequest) (*countersign.Login, error)
	Refresh(ctx context.Context, token string) (*countersign.Login, error)
	Authenticate(ctx context.Context, token string) (*countersign.Session, error)
	Devices(ctx context.Context, app *countersign.App, user string) ([]*countersign.Session, error)
	End(ctx context.Context, app, user, session string) error

	User(ctx context.Context, app *countersign.App, id string) (*countersign.User, error)
	UserByPhone(ctx context.Context, app *countersign.App, to countersign.Address) (*countersign.User, bool, error)
	ChangeNumber(ctx context.Context, q *countersign.ChangeNumberRequest) (*countersign.Login, error)
	Erase(ctx context.Context, app *countersign.App, id string) error

	Now() time.Time

	Factors
	Passkeys
}

var _ Accounts = (*countersign.Accounts)(nil)

// sessionBody is what POST /v1/sessions takes.
type sessionBody struct {
	Proof   *string      `json:"proof,omitempty" nullable:"false" doc:"The proof of an approved verification, of purpose signup or login. Required without passkey."`
	Passkey *passkeyBody `json:"passkey,omitempty" doc:"A passkey that was used, in place of a proof: POST /v1/passkeys/options says what the browser is asked for."`
	Nonce   string       `json:"nonce,omitempty" maxLength:"128" doc:"The nonce that the verification was started with. Required where it had one, and with cookie."`
	Cookie  bool         `json:"cookie,omitempty" doc:"Set the tokens as cookies instead of answering with them. Only from the instance's own site."`
	Factor  *factorBody  `json:"factor,omitempty" doc:"A further factor, beside the phone. It makes the session one of urn:countersign:aal2 at once, and is wanted after an answer factor_required."`
	Client  *clientBody  `json:"client,omitempty" doc:"For whom a server asks, for the list of devices. Secret keys only."`
}

// loginAnswer is a user with the tokens of a session.
type loginAnswer struct {
	_ struct{} `additionalProperties:"true"`

	User         *user  `json:"user"`
	AccessToken  string `json:"access_token,omitempty" doc:"A JWT (typ at+jwt). Not in the body where it was set as a cookie."`
	TokenType    string `json:"token_type" enum:"Bearer,Cookie"`
	ExpiresIn    int    `json:"expires_in" example:"900" doc:"Seconds until the access token must be refreshed."`
	RefreshToken string `json:"refresh_token,omitempty" doc:"Good once. Not in the body where it was set as a cookie."`
}

// createSession serves POST /v1/sessions.
func createSession(c *call) error {
	in, err := decode[sessionBody](c)
	if err != nil {
		return err
	}
	if err := in.oneMeans(); err != nil {
		return err
	}
	kind, former := countersign.SessionBearer, (*countersign.Session)(nil)
	client, err := c.clientOf(in.Client)
	if err != nil {
		return err
	}
	if in.Cookie {
		if err := c.ownSite(); err != nil {
			return err
		}
		kind, former = countersign.SessionCookie, c.formerSession()
		client = countersign.Client{Addr: c.client, UserAgent: cut(c.r.UserAgent(), 512)}
	}
	if in.Passkey != nil {
		return c.loginByPasskey(in.Passkey, kind, client, former)
	}
	q := &countersign.RedeemRequest{App: c.app.App, Proof: *in.Proof, Nonce: in.Nonce, Kind: kind, Client: client, Renews: former}
	if err := in.Factor.into(c, q); err != nil {
		return err
	}
	login, err := c.s.cfg.Accounts.Redeem(c.r.Context(), q)
	if err != nil {
		return placed(err, "/factor/passkey")
	}
	return c.answerLogin(http.StatusCreated, login)
}

// oneMeans says whether a person is to be known by a proof or by a passkey.
func (in *sessionBody) oneMeans() error {
	switch {
	case in.Proof == nil && in.Passkey == nil:
		return invalid("/proof", "Send the proof of an approved verification, or a passkey.")
	case in.Passkey == nil:
		return nil
	case in.Proof != nil:
		return invalid("/passkey", "Send a proof or a passkey, not both. A passkey beside a proof stands in factor.")
	case in.Nonce != "":
		return invalid("/nonce", "A passkey has no nonce: its ceremony is good for one login.")
	case in.Factor != nil:
		return invalid("/factor", "A passkey needs no further factor.")
	}
	return nil
}

// formerSession is the live session of this browser, which a new login ends: a token of before a login is worth
// nothing after it (ASVS 7.2.4).
func (c *call) formerSession() *countersign.Session {
	token, ok := c.sessionCookie()
	if !ok {
		return nil
	}
	s, err := c.s.cfg.Accounts.Authenticate(c.r.Context(), token)
	if err != nil {
		return nil
	}
	return s
}

// answerLogin gives the tokens in the way of the session's kind.
func (c *call) answerLogin(status int, l *countersign.Login) error {
	return c.answer(status, c.describeLogin(l))
}

// describeLogin is a login's answer. Tokens of cookies are set as such and are not in it.
func (c *call) describeLogin(l *countersign.Login) *loginAnswer {
	a := &loginAnswer{User: describeUser(l.User), TokenType: "Bearer", ExpiresIn: wholeSeconds(l.Tokens.Expires)}
	if l.Session.Kind == countersign.SessionCookie {
		a.TokenType = "Cookie"
		c.setTokens(l)
		return a
	}
	a.AccessToken, a.RefreshToken = l.Tokens.Access, l.Tokens.Refresh
	return a
}

// refreshBody is what POST /v1/sessions/refresh takes.
type refreshBody struct {
	RefreshToken *string `json:"refresh_token,omitempty" nullable:"false" doc:"The newest one. Leave it out where it is in the cookie."`
}

// refreshSession serves POST /v1/sessions/refresh.
func refreshSession(c *call) error {
	c.Header()["Vary"] = varyOrigin
	c.allowOrigin()
	in, err := decode[refreshBody](c)
	if err != nil {
		return err
	}
	token, byCookie := "", in.RefreshToken == nil
	if byCookie {
		cookie, err := c.r.Cookie(refreshCookie)
		if err != nil {
			return invalid("/refresh_token", "Send the refresh token, or its cookie.")
		}
		if err := c.ownSite(); err != nil {
			return err
		}
		token = cookie.Value
	} else {
		token = *in.RefreshToken
	}
	login, err := c.s.cfg.Accounts.Refresh(c.r.Context(), token)
	if err == nil && byCookie != (login.Session.Kind == countersign.SessionCookie) {
		// Tokens of cookies never come into a body, where a script could read them, nor the other way round.
		if err := c.s.cfg.Accounts.End(c.r.Context(), login.Session.App, login.Session.User, login.Session.ID); err != nil {
			return err
		}
		err = countersign.Fail(countersign.ErrSessionRevoked, "This session's tokens travel in another way. It was ended; log in again.")
	}
	if err != nil {
		if byCookie && countersign.KindOf(err) != countersign.ErrUnavailable {
			c.dropTokens()
		}
		return err
	}
	return c.answerLogin(http.StatusOK, login)
}

// endCurrentSession serves DELETE /v1/sessions/current.
func endCurrentSession(c *call) error {
	if err := c.s.cfg.Accounts.End(c.r.Context(), c.session.App, c.session.User, c.session.ID); err != nil && countersign.KindOf(err) != countersign.ErrNotFound {
		return err
	}
	if c.session.Kind == countersign.SessionCookie {
		c.dropTokens()
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// The cookies. The prefix __Host- makes browsers take them over https (or from loopback) only, for this host and no
// other, so that a sibling host can neither read nor plant one. Lax: a link from another site must find a person who is
// logged in; whatever changes something is checked by ownSite.
const (
	accessCookie  = "__Host-session"
	refreshCookie = "__Host-refresh"
)

func (c *call) setTokens(l *countersign.Login) {
	left := l.Session.Expires.Sub(c.s.cfg.Accounts.Now())
	c.setCookie(accessCookie, l.Tokens.Access, l.Tokens.Expires)
	c.setCookie(refreshCookie, l.Tokens.Refresh, left)
}

func (c *call) dropTokens() {
	c.setCookie(accessCookie, "", 0)
	c.setCookie(refreshCookie, "", 0)
}

func (c *call) setCookie(name, value string, lives time.Duration) {
	age := wholeSeconds(lives)
	if value == "" {
		age = -1
	}
	http.SetCookie(c, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// sessionCookie is the access token of the cookie. Two cookies of the name are none: one of them was planted.
func (c *call) sessionCookie() (string, bool) {
	list := c.r.CookiesNamed(accessCookie)
	if len(list) != 1 {
		return "", false
	}
	return list[0].Value, true
}

// ownSite refuses a request that a page of the instance's own site did not make. Browsers say so themselves; a request
// that says nothing is none of a browser's, and may not use or set its cookies.
func (c *call) ownSite() error {
	if err := c.sameSite(); err != nil {
		return err
	}
	if _, given := c.requestOrigin(); !given && c.r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return countersign.Fail(countersign.ErrForbidden, "Cookies are used from the instance's own pages only.")
	}
	return nil
}

// authenticateSession finds the person who calls, by access token or cookie. A header, where there is one, decides alone.
func (c *call) authenticateSession() error {
	h := c.Header()
	h["Vary"] = varyOrigin
	token, byHeader := bearer(c.r.Header)
	if !byHeader {
		cookie, ok := c.sessionCookie()
		if ok && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
			if err := c.ownSite(); err != nil {
				return err
			}
		}
		token = cookie
	}
	session, err := c.s.cfg.Accounts.Authenticate(c.r.Context(), token)
	if err != nil {
		c.allowOrigin()
		return challenge(h, err)
	}
	app, ok := c.s.apps[session.App]
	if !ok || byHeader == (session.Kind == countersign.SessionCookie) {
		c.allowOrigin()
		return challenge(h, countersign.Fail(countersign.ErrUnauthorized, "This token is not valid here: one of a cookie is sent as a cookie, another one in the header Authorization."))
	}
	c.app, c.session = app, session
	if origin, given := c.requestOrigin(); byHeader && given && slices.Contains(app.Origins, origin) {
		c.exposeTo(origin)
	}
	return nil
}

// challenge says how to authenticate (RFC 6750, section 3).
func challenge(h http.Header, err error) error {
	switch countersign.KindOf(err) {
	case countersign.ErrUnauthorized, countersign.ErrSessionRevoked:
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	return err
}
