package httpapi

// This file serves passkeys: what a browser is asked for, and what it answers. Both are WebAuthn's own JSON, so that a page
// gives the one to PublicKeyCredential.parse…OptionsFromJSON and sends the other as toJSON() makes it.

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"countersign"
)

// Passkeys is what the face asks about passkeys; *countersign.Accounts is it.
type Passkeys interface {
	NewPasskey(ctx context.Context, app *countersign.App, s *countersign.Session) (*countersign.Ceremony, error)
	AddPasskey(ctx context.Context, q *countersign.EnrolRequest, answer *countersign.PasskeyAnswer) (*countersign.Factor, *countersign.Login, error)
	AskPasskey(ctx context.Context, app *countersign.App, client countersign.Client, to string) (*countersign.Ceremony, error)
	AskPasskeyAgain(ctx context.Context, app *countersign.App, s *countersign.Session) (*countersign.Ceremony, error)
	LoginByPasskey(ctx context.Context, q *countersign.PasskeyLogin) (*countersign.Login, error)
	StepUpByPasskey(ctx context.Context, app *countersign.App, s *countersign.Session, answer *countersign.PasskeyAnswer) (*countersign.Login, error)
}

// ceremonyAnswer is what a browser is asked for.
type ceremonyAnswer struct {
	_ struct{} `additionalProperties:"true"`

	Ceremony  string    `json:"ceremony" example:"cer_AAEX…" doc:"Send it back with the browser's answer, once, within five minutes."`
	PublicKey publicKey `json:"public_key" doc:"For PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON (WebAuthn Level 3)."`
}

// publicKey is WebAuthn's JSON of options.
type publicKey jsontext.Value

// Schema implements huma.SchemaProvider.
func (publicKey) Schema(huma.Registry) *huma.Schema { return anyObject() }

// anyObject describes WebAuthn's own JSON.
func anyObject() *huma.Schema { return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true} }

// MarshalJSON implements json.Marshaler.
func (p publicKey) MarshalJSON() ([]byte, error) { return p, nil }

// credential is WebAuthn's JSON of an answer.
type credential jsontext.Value

// Schema implements huma.SchemaProvider.
func (credential) Schema(huma.Registry) *huma.Schema { return anyObject() }

// UnmarshalJSON implements json.Unmarshaler.
func (c *credential) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return errors.New("not an object")
	}
	*c = append((*c)[:0], b...)
	return nil
}

// passkeyBody is a browser's answer.
type passkeyBody struct {
	Ceremony   string     `json:"ceremony" required:"true" doc:"As the options came with it."`
	Credential credential `json:"credential" required:"true" doc:"As PublicKeyCredential.toJSON() gives it."`
}

// newPasskeyBody is a browser's answer with a new passkey.
type newPasskeyBody struct {
	Ceremony   string     `json:"ceremony" required:"true" doc:"As the options came with it."`
	Credential credential `json:"credential" required:"true" doc:"As PublicKeyCredential.toJSON() gives it."`
	Name       string     `json:"name,omitempty" maxLength:"64" doc:"The person's own word for it."`
}

// answer reads one that stands at a place in a body.
func (b *passkeyBody) answer(at string) (*countersign.PasskeyAnswer, error) {
	switch {
	case b.Ceremony == "":
		return nil, invalid(at+"/ceremony", "Send the ceremony as it came with the options.")
	case len(b.Credential) == 0:
		return nil, invalid(at+"/credential", "Send the browser's answer as PublicKeyCredential.toJSON() gives it.")
	}
	return &countersign.PasskeyAnswer{Ceremony: b.Ceremony, Credential: b.Credential}, nil
}

// placed makes the pointer of a refusal whole.
func placed(err error, at string) error {
	var e *countersign.Error
	if at != "" && errors.As(err, &e) && e.Pointer == "/credential" {
		moved := *e
		moved.Pointer = at + e.Pointer
		return &moved
	}
	return err
}

func (c *call) answerCeremony(ceremony *countersign.Ceremony, err error) error {
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, ceremonyAnswer{Ceremony: ceremony.Token, PublicKey: ceremony.Options})
}

// nothing is the body of a request that has none.
type nothing struct{}

// askBody is what POST /v1/passkeys/options takes.
type askBody struct {
	Client *clientBody `json:"client,omitempty" doc:"For whom a server asks: the address is counted. Secret keys only."`
}

// newPasskeyOptions serves POST /v1/me/factors/passkeys/options.
func newPasskeyOptions(c *call) error {
	if _, err := decode[nothing](c); err != nil {
		return err
	}
	return c.answerCeremony(c.s.cfg.Accounts.NewPasskey(c.r.Context(), c.app.App, c.session))
}

// addPasskey serves POST /v1/me/factors/passkeys.
func addPasskey(c *call) error {
	c.factor = string(countersign.FactorPasskey)
	in, err := decode[newPasskeyBody](c)
	if err != nil {
		return err
	}
	if in.Name != "" && !printable(in.Name, maxFactorName) {
		return invalid("/name", "A name has 1 to 64 printable characters.")
	}
	answer, err := (&passkeyBody{in.Ceremony, in.Credential}).answer("")
	if err != nil {
		return err
	}
	f, login, err := c.s.cfg.Accounts.AddPasskey(c.r.Context(), &countersign.EnrolRequest{
		App: c.app.App, Session: c.session, Name: strings.TrimSpace(in.Name),
	}, answer)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, c.describeConfirmed(f, login))
}

// passkeyOptions serves POST /v1/passkeys/options.
func passkeyOptions(c *call) error {
	in, err := decode[askBody](c)
	if err != nil {
		return err
	}
	client, err := c.clientOf(in.Client)
	if err != nil {
		return err
	}
	return c.answerCeremony(c.s.cfg.Accounts.AskPasskey(c.r.Context(), c.app.App, client, ""))
}

// stepUpOptions serves POST /v1/sessions/step-up/options.
func stepUpOptions(c *call) error {
	if _, err := decode[nothing](c); err != nil {
		return err
	}
	return c.answerCeremony(c.s.cfg.Accounts.AskPasskeyAgain(c.r.Context(), c.app.App, c.session))
}

// stepUpByPasskey gives a session new tokens for a passkey that was used in it.
func (c *call) stepUpByPasskey(in *passkeyBody) error {
	answer, err := in.answer("/passkey")
	if err != nil {
		return err
	}
	login, err := c.s.cfg.Accounts.StepUpByPasskey(c.r.Context(), c.app.App, c.session, answer)
	if err != nil {
		return placed(err, "/passkey")
	}
	return c.answerLogin(http.StatusOK, login)
}

// loginByPasskey makes a session of a passkey that was used.
func (c *call) loginByPasskey(in *passkeyBody, kind countersign.SessionKind, client countersign.Client, renews *countersign.Session) error {
	c.factor = string(countersign.FactorPasskey)
	answer, err := in.answer("/passkey")
	if err != nil {
		return err
	}
	login, err := c.s.cfg.Accounts.LoginByPasskey(c.r.Context(), &countersign.PasskeyLogin{
		App: c.app.App, Answer: *answer, Kind: kind, Client: client, Renews: renews,
	})
	if err != nil {
		return placed(err, "/passkey")
	}
	return c.answerLogin(http.StatusCreated, login)
}
