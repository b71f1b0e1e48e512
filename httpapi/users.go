package httpapi

// This file serves people: what they may see of themselves, and what their app's server may see and erase.

import (
	"net/http"
	"net/url"
	"strings"

	"countersign"
)

// user is what the API shows of a person.
type user struct {
	_ struct{} `additionalProperties:"true"`

	ID                  string  `json:"id" example:"usr_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	PhoneNumber         *string `json:"phone_number" example:"+46701740615" doc:"E.164; null once somebody else has proved the number."`
	PhoneNumberVerified bool    `json:"phone_number_verified"`
	CreatedAt           string  `json:"created_at" format:"date-time"`
	VerifiedAt          string  `json:"verified_at" format:"date-time" doc:"When the number was proved last."`
}

func describeUser(u *countersign.User) *user {
	return &user{
		ID: u.ID, PhoneNumber: orNull(u.Phone.Dial()), PhoneNumberVerified: !u.Phone.IsZero(),
		CreatedAt: instant(u.Created), VerifiedAt: instant(u.Proved),
	}
}

// usersPage is what GET /v1/users answers.
type usersPage struct {
	_ struct{} `additionalProperties:"true"`

	Data       []*user `json:"data" doc:"At most one: a number has one holder in an app."`
	NextCursor *string `json:"next_cursor" doc:"Always null."`
}

// device is a session in the list of a person's own.
type device struct {
	_ struct{} `additionalProperties:"true"`

	ID         string   `json:"id" example:"ses_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	Current    bool     `json:"current" doc:"Whether this is the session that asks."`
	Kind       string   `json:"kind" enum:"bearer,cookie,browser" doc:"How its tokens travel; browser is a login at the hosted page for OpenID Connect clients."`
	CreatedAt  string   `json:"created_at" format:"date-time"`
	LastSeenAt string   `json:"last_seen_at" format:"date-time" doc:"The last refresh."`
	ExpiresAt  string   `json:"expires_at" format:"date-time"`
	AuthTime   string   `json:"auth_time" format:"date-time" doc:"When the person last showed who they are."`
	AMR        []string `json:"amr" doc:"By what means (RFC 8176)."`
	ACR        string   `json:"acr" enum:"urn:countersign:aal1,urn:countersign:aal2" doc:"The level that they reached: the second with a further factor, for a day."`
	IP         *string  `json:"ip" doc:"Where it began."`
	UserAgent  *string  `json:"user_agent"`
	Device     *string  `json:"device"`
}

type devices struct {
	_ struct{} `additionalProperties:"true"`

	Data []*device `json:"data" doc:"Newest first."`
}

// me is the person who calls, with the session that they call by.
type me struct {
	_ struct{} `additionalProperties:"true"`

	ID                  string  `json:"id" example:"usr_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	PhoneNumber         *string `json:"phone_number" example:"+46701740615" doc:"E.164; null once somebody else has proved the number."`
	PhoneNumberVerified bool    `json:"phone_number_verified"`
	CreatedAt           string  `json:"created_at" format:"date-time"`
	VerifiedAt          string  `json:"verified_at" format:"date-time" doc:"When the number was proved last."`
	Session             *device `json:"session"`
}

func (c *call) describeMe(u *countersign.User) *me {
	d := describeUser(u)
	return &me{
		ID: d.ID, PhoneNumber: d.PhoneNumber, PhoneNumberVerified: d.PhoneNumberVerified, CreatedAt: d.CreatedAt, VerifiedAt: d.VerifiedAt,
		Session: c.describeDevice(c.session),
	}
}

func (c *call) describeDevice(s *countersign.Session) *device {
	return &device{
		ID: s.ID, Current: s.ID == c.session.ID, Kind: string(s.Kind),
		CreatedAt: instant(s.Created), LastSeenAt: instant(s.Seen), ExpiresAt: instant(s.Expires), AuthTime: instant(s.AuthTime),
		AMR: s.AMR, ACR: s.ACR(), IP: orNull(s.Client.IP), UserAgent: orNull(s.Client.UserAgent), Device: orNull(s.Client.Device),
	}
}

// getMe serves GET /v1/me.
func getMe(c *call) error {
	u, err := c.s.cfg.Accounts.User(c.r.Context(), c.app.App, c.session.User)
	if err != nil {
		return c.erasedMeanwhile(err)
	}
	return c.answer(http.StatusOK, c.describeMe(u))
}

// erasedMeanwhile tells a person who was erased this moment that their session is over.
func (c *call) erasedMeanwhile(err error) error {
	if countersign.KindOf(err) == countersign.ErrNotFound {
		return countersign.Fail(countersign.ErrSessionRevoked, "This session has ended. Log in again.")
	}
	return err
}

// listDevices serves GET /v1/me/sessions.
func listDevices(c *call) error {
	list, err := c.s.cfg.Accounts.Devices(c.r.Context(), c.app.App, c.session.User)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, devices{Data: describeAll(list, c.describeDevice)})
}

// endDevice serves DELETE /v1/me/sessions/{id}.
func endDevice(c *call) error {
	id := c.r.PathValue("id")
	if err := c.s.cfg.Accounts.End(c.r.Context(), c.session.App, c.session.User, id); err != nil {
		return err
	}
	if id == c.session.ID && c.session.Kind == countersign.SessionCookie {
		c.dropTokens()
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// numberBody is what POST /v1/me/phone_number takes.
type numberBody struct {
	Proof        *string `json:"proof" required:"true" nullable:"false" doc:"Of the new number, purpose stepup."`
	CurrentProof string  `json:"current_proof,omitempty" doc:"Of the present number, purpose stepup. Whoever has a further factor shows that instead, at POST /v1/sessions/step-up."`
}

// changeNumber serves POST /v1/me/phone_number.
func changeNumber(c *call) error {
	in, err := decode[numberBody](c)
	if err != nil {
		return err
	}
	if in.Proof == nil {
		return invalid("/proof", "Send a proof of the new number.")
	}
	login, err := c.s.cfg.Accounts.ChangeNumber(c.r.Context(), &countersign.ChangeNumberRequest{
		App: c.app.App, Session: c.session, Proof: *in.Proof, Current: in.CurrentProof,
	})
	if err != nil {
		return err
	}
	return c.answerLogin(http.StatusOK, login)
}

// findUsers serves GET /v1/users?phone_number=.
func findUsers(c *call) error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return invalid("", "The query is not well-formed.")
	}
	for name, values := range query {
		if name != "phone_number" || len(values) != 1 {
			return invalid(queryPointer(name), "There is one parameter here, phone_number, once.")
		}
	}
	number := query.Get("phone_number")
	if number == "" {
		return invalid("/phone_number", "Say which number.")
	}
	if strings.HasPrefix(number, " ") {
		number = "+" + number[1:] // a plus that nobody escaped
	}
	to, err := c.parseTo(&number, "", false)
	if err != nil {
		return err
	}
	found := usersPage{Data: []*user{}}
	u, ok, err := c.s.cfg.Accounts.UserByPhone(c.r.Context(), c.app.App, to)
	if err != nil {
		return err
	}
	if ok {
		found.Data = append(found.Data, describeUser(u))
	}
	return c.answer(http.StatusOK, found)
}

// getUser serves GET /v1/users/{id}.
func getUser(c *call) error {
	u, err := c.s.cfg.Accounts.User(c.r.Context(), c.app.App, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, describeUser(u))
}

// eraseUser serves DELETE /v1/users/{id}.
func eraseUser(c *call) error {
	if err := c.s.cfg.Accounts.Erase(c.r.Context(), c.app.App, c.r.PathValue("id")); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}
