package httpapi

import (
	"net/http"
	"strings"
	"time"

	"countersign"
)

// verification is what the API shows of one.
type verification struct {
	_ struct{} `additionalProperties:"true"`

	ID          string            `json:"id" example:"ver_0a3qzk4w2nfy6vbm7x5hdo2ecatgi4"`
	App         string            `json:"app" example:"demo"`
	Status      string            `json:"status" enum:"pending,approved,expired,failed,canceled,denied,undeliverable" doc:"All but pending are final."`
	To          string            `json:"to" example:"+46701740615" doc:"E.164, or the e-mail address."`
	Channel     string            `json:"channel" enum:"sms,voice,flashcall,whatsapp,email"`
	Purpose     string            `json:"purpose" enum:"signup,login,stepup,transaction"`
	Reference   *string           `json:"reference" example:"order-17"`
	Metadata    map[string]string `json:"metadata,omitempty" doc:"Secret keys only."`
	CreatedAt   string            `json:"created_at" format:"date-time"`
	ExpiresAt   string            `json:"expires_at" format:"date-time"`
	ExpiresIn   int               `json:"expires_in" minimum:"0" example:"300" doc:"Seconds until then; 0 once it has ended."`
	CodeLength  int               `json:"code_length" example:"6"`
	ChecksLeft  int               `json:"checks_left" minimum:"0" example:"5" doc:"Guesses that the verification and its phone both still have."`
	Sends       int               `json:"sends" minimum:"0" example:"1"`
	SendsLeft   int               `json:"sends_left" minimum:"0" example:"2"`
	ResendIn    int               `json:"resend_in" minimum:"0" example:"30" doc:"Seconds until the code may be sent again; 0 where that is now, or never."`
	Transaction *transactionBody  `json:"transaction,omitempty"`
	Deliveries  []delivery        `json:"deliveries,omitzero" doc:"What became of each message. Secret keys only."`
	Proof       string            `json:"proof,omitempty" doc:"A signed statement of the approval (JWT, typ proof+jwt). In the answer to an approved check only."`
	DeviceToken string            `json:"device_token,omitempty" doc:"For the person's device to keep for 180 days and send along with what comes later. In the answer to an approved check only."`
}

type delivery struct {
	_ struct{} `additionalProperties:"true"`

	ID       string  `json:"id" example:"msg_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	Channel  string  `json:"channel" enum:"sms,voice,flashcall,whatsapp,email,seamless"`
	Provider *string `json:"provider" example:"sinch" doc:"The route that took it; null until one did."`
	Status   string  `json:"status" enum:"queued,accepted,sent,delivered,undelivered,failed"`
	At       string  `json:"at" format:"date-time"`
	Detail   *string `json:"detail" doc:"The provider's reason, where it gave one."`
}

// describe makes what the caller may see. A publishable key learns nothing of providers, deliveries and metadata.
func (c *call) describe(v *countersign.Verification) *verification {
	d := &verification{
		ID: v.ID, App: v.App, Status: string(v.Status), To: v.To.Dial(), Channel: string(v.Channel), Purpose: string(v.Purpose),
		Reference: orNull(v.Reference), CreatedAt: instant(v.Created), ExpiresAt: instant(v.Expires),
		CodeLength: v.CodeLength, ChecksLeft: v.ChecksLeft, Sends: v.Sends, SendsLeft: v.SendsLeft, Proof: v.Proof, DeviceToken: v.DeviceToken,
	}
	if v.Status == countersign.StatusPending {
		d.ExpiresIn, d.ResendIn = wholeSeconds(v.Expires.Sub(v.Now)), resendIn(v)
	}
	if t := v.Transaction; t != nil {
		d.Transaction = &transactionBody{Payee: t.Payee, Amount: t.Amount, Currency: t.Currency}
	}
	if !c.key.Secret {
		return d
	}
	d.Metadata = v.Metadata
	d.Deliveries = make([]delivery, len(v.Deliveries))
	for i := range v.Deliveries {
		m := &v.Deliveries[i]
		d.Deliveries[i] = delivery{
			ID: m.ID, Channel: string(m.Channel), Provider: orNull(m.Provider), Status: string(m.Status), At: instant(m.At), Detail: orNull(m.Detail),
		}
	}
	return d
}

// resendIn is zero where nothing will be sent again, too: a limit may let the next message through only when the code
// is too old for one.
func resendIn(v *countersign.Verification) int {
	if v.NextSend.IsZero() || v.SendsLeft == 0 && v.NextSend.After(v.Expires) {
		return 0
	}
	return wholeSeconds(v.NextSend.Sub(v.Now))
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instant(t time.Time) string { return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }

func isMail(s string) bool { return strings.IndexByte(s, '@') >= 0 }

// pathID is the id in the path. What is not of an id's form goes no further.
func (c *call) pathID() (string, error) {
	id := c.r.PathValue("id")
	if !countersign.ValidVerificationID(id) {
		return "", countersign.Fail(countersign.ErrNotFound, "There is no such verification for this app.")
	}
	c.verification = id
	return id, nil
}

// getVerification serves GET /v1/verifications/{id}.
func getVerification(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	v, err := c.s.cfg.Engine.Get(c.r.Context(), c.app.App, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.describe(v))
}

// sendBody is what POST /v1/verifications/{id}/sends takes.
type sendBody struct {
	Channel string      `json:"channel,omitempty" enum:"sms,voice,flashcall,whatsapp,email,auto" doc:"Another way; the one before by default."`
	Client  *clientBody `json:"client,omitempty" doc:"For whom a server asks. Secret keys only."`

	DeviceToken       string `json:"device_token,omitempty" maxLength:"128" doc:"As on a start."`
	ChallengeResponse string `json:"challenge_response,omitempty" maxLength:"1024" doc:"The solution of the challenge in an answer challenge_required, in ALTCHA's form: base64 of a JSON object with algorithm, challenge, number, salt and signature."`
}

// sendVerification serves POST /v1/verifications/{id}/sends.
func sendVerification(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	in, err := decode[sendBody](c)
	if err != nil {
		return err
	}
	q := &countersign.SendRequest{
		App: c.app.App, ID: id, Face: countersign.FaceREST, Wait: c.key.Secret, Signed: c.key.Secret, ChallengeResponse: in.ChallengeResponse, DeviceToken: in.DeviceToken,
	}
	if in.Channel != "" {
		var ok bool
		if q.Channel, ok = countersign.ParseChannel(in.Channel); !ok {
			return invalid("/channel", "A channel is sms, voice, flashcall, whatsapp, email or auto.")
		}
	}
	if q.Client, err = c.clientOf(in.Client); err != nil {
		return err
	}
	if q.Idempotency, err = c.idempotency("POST /v1/verifications/" + id + "/sends"); err != nil {
		return err
	}
	v, err := c.s.cfg.Engine.Send(c.judged(), q)
	if err != nil {
		return err
	}
	c.sendsLeft(v)
	c.replayed(v)
	return c.answer(http.StatusOK, c.describe(v))
}

// cancelVerification serves POST /v1/verifications/{id}/cancel.
func cancelVerification(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if _, err := decode[struct{}](c); err != nil {
		return err
	}
	once, err := c.idempotency("POST /v1/verifications/" + id + "/cancel")
	if err != nil {
		return err
	}
	v, err := c.s.cfg.Engine.Cancel(c.r.Context(), &countersign.CancelRequest{App: c.app.App, ID: id, Idempotency: once})
	if err != nil {
		return err
	}
	c.replayed(v)
	return c.answer(http.StatusOK, c.describe(v))
}
