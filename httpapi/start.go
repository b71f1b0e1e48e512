package httpapi

import (
	"net/http"
	"strings"

	"countersign"
	"countersign/phone"
)

// startBody is what POST /v1/verifications takes.
type startBody struct {
	To          *string           `json:"to,omitempty" nullable:"false" example:"+46701740615" doc:"Where the code goes: a phone number in any form a person types, or an e-mail address on that channel. Required without user."`
	User        *string           `json:"user,omitempty" nullable:"false" example:"usr_y2xk4w2nfy6vbm7x5hdo2ecatg" doc:"With purpose stepup, in the place of to: the code goes to the number of this user. With a secret key any of the app's; with an access token \"me\"."`
	Channel     string            `json:"channel,omitempty" enum:"sms,voice,flashcall,whatsapp,email,auto" default:"sms" doc:"How it gets there. With \"auto\" the routes choose."`
	Purpose     string            `json:"purpose,omitempty" enum:"signup,login,stepup,transaction" default:"login" doc:"What an approval is meant for. A proof of one purpose is worth nothing for another."`
	Region      string            `json:"region,omitempty" example:"US" doc:"The country of a number without country code, ISO 3166-1 alpha-2; the app's own by default."`
	Locale      string            `json:"locale,omitempty" maxLength:"35" example:"en-US" doc:"The language of the message, a BCP 47 tag."`
	Reference   string            `json:"reference,omitempty" maxLength:"128" example:"order-17" doc:"Yours; comes back everywhere."`
	Metadata    map[string]string `json:"metadata,omitempty" maxProperties:"16" doc:"Yours; at most 16 pairs and 1024 bytes in all."`
	Nonce       string            `json:"nonce,omitempty" maxLength:"128" doc:"Yours; comes back in the proof, so that a proof is bound to the one who asked."`
	Wait        *bool             `json:"wait,omitempty" doc:"Whether the answer waits until a provider took the message, at most 5 s. True by default with a secret key; always false with a publishable one."`
	Transaction *transactionBody  `json:"transaction,omitempty" doc:"What is approved. Required with purpose transaction and refused otherwise; the message shows it and the proof binds it."`
	Client      *clientBody       `json:"client,omitempty" doc:"For whom a server asks. Limits of clients count this address. Secret keys only."`

	DeviceToken       string `json:"device_token,omitempty" maxLength:"128" doc:"What an earlier approved check answered on this device: it has guesses and sends of its own where those of the phone are used up."`
	ChallengeResponse string `json:"challenge_response,omitempty" maxLength:"1024" doc:"The solution of the challenge in an answer challenge_required, in ALTCHA's form: base64 of a JSON object with algorithm, challenge, number, salt and signature."`
}

type transactionBody struct {
	Payee    string `json:"payee" required:"true" maxLength:"32" example:"ACME AB" doc:"Letters, digits, single spaces and . - & '; no more than 4 digits in a row, and no amount."`
	Amount   string `json:"amount" required:"true" maxLength:"17" pattern:"^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,4})?$" example:"49.90" doc:"A decimal, shown exactly as given."`
	Currency string `json:"currency" required:"true" pattern:"^[A-Z]{3}$" example:"EUR" doc:"ISO 4217."`
}

// startVerification serves POST /v1/verifications.
func startVerification(c *call) error {
	in, err := decode[startBody](c)
	if err != nil {
		return err
	}
	q, err := c.startRequest(in)
	if err != nil {
		return err
	}
	if q.Idempotency, err = c.idempotency("POST /v1/verifications"); err != nil {
		return err
	}
	v, err := c.s.cfg.Engine.Start(c.judged(), q)
	if v != nil {
		c.verification = v.ID
		c.sendsLeft(v)
		c.replayed(v)
	}
	if err != nil {
		return err
	}
	c.Header()["Location"] = []string{"/v1/verifications/" + v.ID}
	return c.answer(http.StatusCreated, c.describe(v))
}

// startRequest parses a body into the engine's types. The engine checks what belongs together.
func (c *call) startRequest(in *startBody) (*countersign.StartRequest, error) {
	channel, ok := countersign.ParseChannel(in.Channel)
	if !ok {
		return nil, invalid("/channel", "A channel is sms, voice, flashcall, whatsapp, email or auto.")
	}
	purpose, ok := countersign.ParsePurpose(in.Purpose)
	if !ok {
		return nil, invalid("/purpose", "A purpose is signup, login, stepup or transaction.")
	}
	if !plainLocale(in.Locale) {
		return nil, invalid("/locale", "A locale is a language tag such as en-US.")
	}
	client, err := c.clientOf(in.Client)
	if err != nil {
		return nil, err
	}
	to, user, err := c.whither(in, channel, purpose)
	if err != nil {
		return nil, err
	}
	return &countersign.StartRequest{
		App: c.app.App, To: to, Channel: channel, Purpose: purpose, Face: countersign.FaceREST,
		Locale: in.Locale, Reference: in.Reference, Metadata: in.Metadata, Nonce: in.Nonce, Transaction: in.Transaction.transaction(), User: user,
		Client: client, Wait: c.key.Secret && (in.Wait == nil || *in.Wait), Signed: c.key.Secret,
		ChallengeResponse: in.ChallengeResponse, DeviceToken: in.DeviceToken,
	}, nil
}

// whither is where a code goes: an address, or a user's number. With an access token it is the person's own, for a step-up
// and nothing else.
func (c *call) whither(in *startBody, channel countersign.Channel, purpose countersign.Purpose) (to countersign.Address, user string, err error) {
	if in.User == nil && c.session == nil {
		to, err = c.parseTo(in.To, in.Region, channel == countersign.ChannelEmail)
		return to, "", err
	}
	switch {
	case in.To != nil:
		return to, "", invalid("/to", "With `user`, or an access token, the code goes to the user's number. Leave this out.")
	case purpose != countersign.PurposeStepUp || channel == countersign.ChannelEmail:
		return to, "", invalid("/purpose", "With `user`, or an access token, the purpose is stepup and the channel one of a phone.")
	case c.session != nil && in.User != nil && *in.User != "me" && *in.User != c.session.User:
		return to, "", countersign.Fail(countersign.ErrForbidden, "With an access token `user` is \"me\".")
	case c.session == nil && (!c.key.Secret || c.s.cfg.Accounts == nil):
		return to, "", countersign.Fail(countersign.ErrForbidden, "`user` needs a secret key, or the user's own access token.")
	}
	if c.session != nil {
		user = c.session.User
	} else {
		user = *in.User
	}
	u, err := c.s.cfg.Accounts.User(c.r.Context(), c.app.App, user)
	switch {
	case err != nil:
		return to, "", err
	case u.Phone.IsZero():
		return to, "", invalid("/user", "This user has no number any more: somebody else has proved it.")
	}
	return u.Phone, u.ID, nil
}

// parseTo reads an address. The region is that of a number without country code; the app's is the fallback.
func (c *call) parseTo(text *string, region string, mail bool) (countersign.Address, error) {
	if text == nil {
		return countersign.Address{}, invalid("/to", "Say where the code goes.")
	}
	if mail {
		return countersign.ParseEmail(*text)
	}
	if region == "" {
		region = c.app.Region
	} else if region = strings.ToUpper(region); !phone.ValidRegion(region) {
		return countersign.Address{}, invalid("/region", "A region is an ISO 3166-1 alpha-2 country code such as US.")
	}
	n, err := phone.Parse(*text, region)
	if err != nil {
		return countersign.Address{}, &countersign.Error{
			Kind: countersign.ErrInvalidPhoneNumber, Pointer: "/to", Err: err,
			Detail: "This is not a number that can be dialled. Send it with its country code, as in +46701740615, or say the region.",
		}
	}
	return countersign.PhoneAddress(n), nil
}

// plainLocale accepts what has the form of a language tag: parts of 1 to 8 letters and digits with a hyphen between them,
// the first of letters only (RFC 5646, 2.1). The nearest language there is serves any.
func plainLocale(s string) bool {
	if s == "" {
		return true
	}
	first := true
	for part := range strings.SplitSeq(s, "-") {
		if part == "" || len(part) > 8 || first && strings.ContainsAny(part, "0123456789") {
			return false
		}
		for i := range len(part) {
			if c := part[i] | 0x20; (c < 'a' || c > 'z') && (part[i] < '0' || part[i] > '9') {
				return false
			}
		}
		first = false
	}
	return len(s) <= 35 // RFC 5646, 4.4.1
}

// transaction is what the message shows and the proof binds: the texts check its parts, and nothing is trimmed or rewritten.
func (t *transactionBody) transaction() *countersign.Transaction {
	if t == nil {
		return nil
	}
	return &countersign.Transaction{Payee: t.Payee, Amount: t.Amount, Currency: t.Currency}
}
