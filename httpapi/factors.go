package httpapi

// This file serves further factors: what a person has of them, adds and removes, and how they show one in a session that
// they have already.

import (
	"context"
	"net/http"
	"strings"

	"countersign"
)

// Factors is what the face asks about further factors; *countersign.Accounts is it.
type Factors interface {
	Factors(ctx context.Context, app *countersign.App, user string) ([]*countersign.Factor, error)
	AddTOTP(ctx context.Context, q *countersign.EnrolRequest) (*countersign.TOTPEnrolment, error)
	ConfirmTOTP(ctx context.Context, q *countersign.ConfirmRequest) (*countersign.Factor, *countersign.Login, error)
	NewRecoveryCodes(ctx context.Context, q *countersign.EnrolRequest) (*countersign.RecoverySet, *countersign.Login, error)
	RemoveFactor(ctx context.Context, app *countersign.App, s *countersign.Session, id string) (*countersign.Factor, *countersign.Login, error)
	ResetFactors(ctx context.Context, app *countersign.App, user string) error
	StepUp(ctx context.Context, q *countersign.StepUpRequest) (*countersign.Login, error)
	EndOthers(ctx context.Context, app, user, except string, why countersign.EndReason) error
}

// factor is what the API shows of one.
type factor struct {
	_ struct{} `additionalProperties:"true"`

	ID         string  `json:"id" example:"fac_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	Type       string  `json:"type" enum:"totp,passkey,recovery_codes"`
	Name       string  `json:"name" example:"My phone" doc:"The person's own word for it; empty where they gave none."`
	CreatedAt  string  `json:"created_at" format:"date-time"`
	LastUsedAt *string `json:"last_used_at" format:"date-time" doc:"Null before the first time."`
	Remaining  *int    `json:"remaining,omitempty" minimum:"0" example:"10" doc:"Of recovery codes: how many are not used."`
}

func describeFactor(f *countersign.Factor) *factor {
	d := &factor{ID: f.ID, Type: string(f.Type), Name: f.Name, CreatedAt: instant(f.Created)}
	if !f.Used.IsZero() {
		used := instant(f.Used)
		d.LastUsedAt = &used
	}
	if f.Type == countersign.FactorRecovery {
		d.Remaining = &f.Left
	}
	return d
}

type factorList struct {
	_ struct{} `additionalProperties:"true"`

	Factors []*factor `json:"factors" doc:"Oldest first. One that was not confirmed is none."`
}

// listFactors serves GET /v1/me/factors.
func listFactors(c *call) error {
	list, err := c.s.cfg.Accounts.Factors(c.r.Context(), c.app.App, c.session.User)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, factorList{Factors: describeAll(list, describeFactor)})
}

// maxFactorName is how long a person's word for a factor may be, in characters.
const maxFactorName = 64

// enrolBody is what begins a factor.
type enrolBody struct {
	Name string `json:"name,omitempty" maxLength:"64" example:"My phone" doc:"The person's own word for it."`
}

func (c *call) enrolRequest() (*countersign.EnrolRequest, error) {
	in, err := decode[enrolBody](c)
	if err != nil {
		return nil, err
	}
	if in.Name != "" && !printable(in.Name, maxFactorName) {
		return nil, invalid("/name", "A name has 1 to 64 printable characters.")
	}
	return &countersign.EnrolRequest{App: c.app.App, Session: c.session, Name: strings.TrimSpace(in.Name)}, nil
}

// totpAnswer is what an authenticator app is told.
type totpAnswer struct {
	_ struct{} `additionalProperties:"true"`

	ID        string `json:"id" example:"fac_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	Secret    string `json:"secret" doc:"Base32, for typing where there is no camera. Shown once."`
	URI       string `json:"uri" format:"uri" doc:"otpauth://, as a link on the same device."`
	QR        string `json:"qr" doc:"The same as a QR code: an SVG document."`
	ExpiresAt string `json:"expires_at" format:"date-time" doc:"Until when it must be confirmed."`
}

// addTOTP serves POST /v1/me/factors/totp.
func addTOTP(c *call) error {
	c.factor = string(countersign.FactorTOTP)
	q, err := c.enrolRequest()
	if err != nil {
		return err
	}
	e, err := c.s.cfg.Accounts.AddTOTP(c.r.Context(), q)
	if err != nil {
		return err
	}
	picture, err := qrCode(e.URI)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, totpAnswer{ID: e.Factor.ID, Secret: e.Secret, URI: e.URI, QR: picture, ExpiresAt: instant(e.Expires)})
}

// confirmBody is what confirms a factor.
type confirmBody struct {
	Code *string `json:"code" required:"true" nullable:"false" example:"123456" doc:"What the authenticator app shows now."`
}

// confirmAnswer is a factor, and the session's new tokens.
type confirmAnswer struct {
	_ struct{} `additionalProperties:"true"`

	Factor *factor `json:"factor"`

	User         *user  `json:"user"`
	AccessToken  string `json:"access_token,omitempty" doc:"The session's new one; the old one is dead. Not in the body where it was set as a cookie."`
	TokenType    string `json:"token_type" enum:"Bearer,Cookie"`
	ExpiresIn    int    `json:"expires_in" example:"900"`
	RefreshToken string `json:"refresh_token,omitempty" doc:"The session's new one. Not in the body where it was set as a cookie."`
}

// confirmFactor serves POST /v1/me/factors/{id}/confirm.
func confirmFactor(c *call) error {
	c.factor = string(countersign.FactorTOTP)
	in, err := decode[confirmBody](c)
	if err != nil {
		return err
	}
	if in.Code == nil {
		return invalid("/code", "Send the code that the authenticator app shows now.")
	}
	f, login, err := c.s.cfg.Accounts.ConfirmTOTP(c.r.Context(), &countersign.ConfirmRequest{
		App: c.app.App, Session: c.session, ID: c.r.PathValue("id"), Code: *in.Code,
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.describeConfirmed(f, login))
}

// describeConfirmed gives a factor with the tokens that its session has from now on.
func (c *call) describeConfirmed(f *countersign.Factor, l *countersign.Login) *confirmAnswer {
	a := c.describeLogin(l)
	return &confirmAnswer{
		Factor: describeFactor(f), User: a.User, AccessToken: a.AccessToken, TokenType: a.TokenType, ExpiresIn: a.ExpiresIn, RefreshToken: a.RefreshToken,
	}
}

// recoveryAnswer is a new set of codes, and the session's new tokens.
type recoveryAnswer struct {
	_ struct{} `additionalProperties:"true"`

	ID    string   `json:"id" example:"fac_y2xk4w2nfy6vbm7x5hdo2ecatg"`
	Codes []string `json:"codes" minItems:"10" maxItems:"10" example:"[\"a2bc-defg-hi34-jklm\"]" doc:"Shown once. Each is good once, in either case, with or without the hyphens."`

	User         *user  `json:"user"`
	AccessToken  string `json:"access_token,omitempty" doc:"The session's new one; the old one is dead. Not in the body where it was set as a cookie."`
	TokenType    string `json:"token_type" enum:"Bearer,Cookie"`
	ExpiresIn    int    `json:"expires_in" example:"900"`
	RefreshToken string `json:"refresh_token,omitempty" doc:"The session's new one. Not in the body where it was set as a cookie."`
}

// newRecoveryCodes serves POST /v1/me/factors/recovery-codes.
func newRecoveryCodes(c *call) error {
	c.factor = string(countersign.FactorRecovery)
	q, err := c.enrolRequest()
	if err != nil {
		return err
	}
	set, login, err := c.s.cfg.Accounts.NewRecoveryCodes(c.r.Context(), q)
	if err != nil {
		return err
	}
	a := c.describeLogin(login)
	return c.answer(http.StatusCreated, recoveryAnswer{
		ID: set.Factor.ID, Codes: set.Codes, User: a.User, AccessToken: a.AccessToken, TokenType: a.TokenType, ExpiresIn: a.ExpiresIn, RefreshToken: a.RefreshToken,
	})
}

// removeFactor serves DELETE /v1/me/factors/{id}.
func removeFactor(c *call) error {
	f, login, err := c.s.cfg.Accounts.RemoveFactor(c.r.Context(), c.app.App, c.session, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	c.factor = string(f.Type)
	return c.answerLogin(http.StatusOK, login)
}

// resetFactors serves DELETE /v1/users/{id}/factors.
func resetFactors(c *call) error {
	c.factor = "all"
	if err := c.s.cfg.Accounts.ResetFactors(c.r.Context(), c.app.App, c.r.PathValue("id")); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// endOtherDevices serves DELETE /v1/me/sessions.
func endOtherDevices(c *call) error {
	err := c.s.cfg.Accounts.EndOthers(c.r.Context(), c.session.App, c.session.User, c.session.ID, countersign.EndedByUser)
	if err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// stepUpBody is what POST /v1/sessions/step-up takes.
type stepUpBody struct {
	TOTP         *string      `json:"totp,omitempty" nullable:"false" example:"123456" doc:"What the authenticator app shows now."`
	RecoveryCode *string      `json:"recovery_code,omitempty" nullable:"false" example:"a2bc-defg-hi34-jklm"`
	Passkey      *passkeyBody `json:"passkey,omitempty" doc:"One of the person's passkeys: POST /v1/sessions/step-up/options says what the browser is asked for."`
	Proof        *string      `json:"proof,omitempty" nullable:"false" doc:"Of purpose stepup and the person's own number. It says that the phone is still there; it does not raise the level, nor allow to change factors."`
}

// stepUp serves POST /v1/sessions/step-up.
func stepUp(c *call) error {
	in, err := decode[stepUpBody](c)
	if err != nil {
		return err
	}
	q := &countersign.StepUpRequest{App: c.app.App, Session: c.session}
	given := c.shown(in.TOTP, in.RecoveryCode, in.Passkey, &q.Code)
	if q.Proof = optional(in.Proof); q.Proof != "" {
		c.factor = "phone"
		given++
	}
	if given != 1 {
		return invalid("", "Send one of totp, recovery_code, passkey and proof.")
	}
	if in.Passkey != nil {
		return c.stepUpByPasskey(in.Passkey)
	}
	login, err := c.s.cfg.Accounts.StepUp(c.r.Context(), q)
	if err != nil {
		return err
	}
	return c.answerLogin(http.StatusOK, login)
}

// shown takes what a person shows of a further factor, and says how many there are.
func (c *call) shown(totp, recovery *string, passkey *passkeyBody, code *countersign.FactorCode) (given int) {
	if code.TOTP = optional(totp); code.TOTP != "" {
		c.factor = string(countersign.FactorTOTP)
		given++
	}
	if code.RecoveryCode = optional(recovery); code.RecoveryCode != "" {
		c.factor = string(countersign.FactorRecovery)
		given++
	}
	if passkey != nil {
		c.factor = string(countersign.FactorPasskey)
		given++
	}
	return given
}

// factorBody is a further factor that a person shows when they log in.
type factorBody struct {
	TOTP         *string      `json:"totp,omitempty" nullable:"false" example:"123456" doc:"What the authenticator app shows now."`
	RecoveryCode *string      `json:"recovery_code,omitempty" nullable:"false" example:"a2bc-defg-hi34-jklm"`
	Passkey      *passkeyBody `json:"passkey,omitempty" doc:"A passkey of the number's user: POST /v1/passkeys/options says what the browser is asked for."`
	None         bool         `json:"none,omitempty" doc:"Who proved the number has no factor of its user: a number that was not proved for 90 days then goes to a new user."`
}

// into puts a factor into a redemption.
func (b *factorBody) into(c *call, q *countersign.RedeemRequest) error {
	if b == nil {
		return nil
	}
	code := &countersign.FactorCode{Pointer: "/factor"}
	given := c.shown(b.TOTP, b.RecoveryCode, b.Passkey, code)
	if b.None {
		given++
	}
	if given != 1 {
		return invalid("/factor", "Send one of totp, recovery_code, passkey and none.")
	}
	q.NoFactor = b.None
	if b.Passkey != nil {
		answer, err := b.Passkey.answer("/factor/passkey")
		q.Passkey = answer
		return err
	}
	if !b.None {
		q.Factor = code
	}
	return nil
}
