package countersign

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
)

// This file makes and reads the codes of authenticator apps (RFC 6238), with the parameters that every app knows: SHA-1,
// six digits, half a minute. A code is good in its own half minute and the one before and after it (RFC 6238, 5.2), once:
// the store takes no step that is not later than the last one it took.

const (
	totpPeriod = 30 * time.Second
	totpDigits = 6
	totpDrift  = 1  // steps before and after the present one
	totpSize   = 20 // of a secret, in bytes (RFC 4226, 4)
)

var base32Upper = base32.StdEncoding.WithPadding(base32.NoPadding)

// TOTPEnrolment is what a person's authenticator app is told, once. It prints without the secret.
type TOTPEnrolment struct {
	Factor  *Factor
	Secret  string // base32
	URI     string // otpauth://, for a QR code
	Expires time.Time
}

// String hides the secret.
func (e TOTPEnrolment) String() string { return "(enrolment of an authenticator app)" }

// GoString hides the secret from %#v.
func (e TOTPEnrolment) GoString() string { return e.String() }

// LogValue hides the secret from slog.
func (e TOTPEnrolment) LogValue() slog.Value { return slog.StringValue(e.String()) }

func totpStep(now time.Time) int64 { return now.Unix() / int64(totpPeriod/time.Second) }

// totpCode is the code of a step.
func totpCode(secret []byte, step int64) (string, error) {
	code, err := hotp.GenerateCode(base32Upper.EncodeToString(secret), uint64(step))
	if err != nil {
		return "", fmt.Errorf("making a code of an authenticator app: %w", err)
	}
	return code, nil
}

// matchTOTP finds the step that a guess is the code of; false where there is none. All steps are compared, whichever
// fits.
func matchTOTP(secret []byte, g Guess, now time.Time) (step int64, ok bool, err error) {
	present := totpStep(now)
	for s := present - totpDrift; s <= present+totpDrift; s++ {
		code, err := totpCode(secret, s)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(g.text)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// parseTOTP reads a typed code. What is not of its shape is neither compared nor counted.
func parseTOTP(text, pointer string) (Guess, error) {
	g, err := ParseGuess(text)
	if err != nil || !g.Fits(Digits, totpDigits) {
		return Guess{}, &Error{Kind: ErrInvalidCode, Pointer: pointer, Detail: "A code of an authenticator app has six digits. Send those, nothing else."}
	}
	return g, nil
}

// totpURI is what a QR code says to an authenticator app (the key URI format that all of them read). The account is told
// by the end of its number, as on a receipt.
func totpURI(app *App, u *User, secret string) string {
	account := u.ID[len(u.ID)-4:]
	if number := u.Phone.Dial(); len(number) > 4 {
		account = "*" + number[len(number)-4:]
	}
	issuer := strings.ReplaceAll(app.Name, ":", " ") // which would end it
	q := url.Values{"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	// Apps take a plus for itself, so a blank is written in the other way.
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// EnrolRequest asks for a new factor of the person who is logged in.
type EnrolRequest struct {
	App     *App
	Session *Session
	Name    string // the person's word for it; optional
}

// AddTOTP begins to enrol an authenticator app. It is good for nothing until ConfirmTOTP. Where the person has a factor
// already, the session must have shown one a moment ago.
func (a *Accounts) AddTOTP(ctx context.Context, q *EnrolRequest) (*TOTPEnrolment, error) {
	u, err := a.User(ctx, q.App, q.Session.User)
	if err != nil {
		return nil, err
	}
	if err := mayEnrol(u, q.Session, a.cfg.Now()); err != nil {
		return nil, err
	}
	secret := make([]byte, totpSize)
	rand.Read(secret) // never fails (crypto/rand, since Go 1.24)
	r, err := a.newFactor(q, FactorTOTP, &factorSecret{TOTP: secret})
	if err != nil {
		return nil, err
	}
	if err := a.addFactor(ctx, q, r, nil); err != nil {
		return nil, err
	}
	e := &TOTPEnrolment{Factor: describeFactor(r, q.Name), Secret: base32Upper.EncodeToString(secret), Expires: r.Created.Add(FactorPending)}
	e.URI = totpURI(q.App, u, e.Secret)
	return e, nil
}

// ConfirmRequest shows that a factor works.
type ConfirmRequest struct {
	App     *App
	Session *Session
	ID      string
	Code    string
}

// ConfirmTOTP takes an authenticator app into use once it has shown a right code. That shows a factor, so the session
// goes on with new tokens and nothing of before is good any more.
func (a *Accounts) ConfirmTOTP(ctx context.Context, q *ConfirmRequest) (*Factor, *Login, error) {
	g, err := parseTOTP(q.Code, "/code")
	if err != nil {
		return nil, nil, err
	}
	r, secret, err := a.pendingTOTP(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	now := a.cfg.Now()
	step, ok, err := matchTOTP(secret.TOTP, g, now)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		// Not counted: who enrols knows the secret.
		return nil, nil, Fail(ErrIncorrectCode, "This is not the app's code of this moment. Check the clock of the device, and type the code that it shows now.")
	}
	renewed, token, err := a.renewed(q.Session, typedMeans(), now)
	if err != nil {
		return nil, nil, err
	}
	result, err := a.cfg.Factors.ConfirmFactor(ctx, &ConfirmFactor{
		App: q.App.ID, User: q.Session.User, ID: r.ID, Counter: step, First: !q.Session.SteppedUp(now), At: now,
		Renewal: &Renewal{Ends: q.Session.ID, Session: renewed},
	})
	if err == nil {
		err = factorRefusal(result)
	}
	if err != nil {
		return nil, nil, err
	}
	a.factorEvent(ctx, EventFactorAdded, q.App, q.Session.User, FactorTOTP)
	r.Confirmed, r.Used = now, now
	l, err := a.login(ctx, renewed, token)
	return describeFactor(r, secret.Name), l, err
}

func (a *Accounts) pendingTOTP(ctx context.Context, q *ConfirmRequest) (*FactorRecord, *factorSecret, error) {
	list, err := a.cfg.Factors.Factors(ctx, q.App.ID, q.Session.User)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range list {
		if r.ID == q.ID && r.Type == FactorTOTP && r.Confirmed.IsZero() && a.cfg.Now().Before(r.Created.Add(FactorPending)) {
			secret, err := a.openFactor(r)
			return r, secret, err
		}
	}
	return nil, nil, Fail(ErrNotFound, "There is no authenticator app of yours that waits for this: it was confirmed, or more than ten minutes passed. Begin again.")
}
