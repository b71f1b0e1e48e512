package countersign

import (
	"errors"
	"fmt"
	"time"
)

// App is a tenant: who asks, and by which rules its verifications live.
type App struct {
	ID     string
	Name   string // the name in messages
	Region string // default region of typed numbers, ISO 3166-1 alpha-2; "" for none
	Policy Policy
	Texts  Texts

	Sessions SessionPolicy
	Passkeys RelyingParty
	Risk     RiskPolicy

	TestNumbers map[string]TestNumber // by E.164
}

// Texts renders what a phone shows.
type Texts interface {
	// Render makes the message for a code. The locale is any BCP 47 tag; the nearest there is serves.
	Render(in Text) (Rendered, error)
	// Notice says what happened to an account. The locale as in Render; "" is the app's own.
	Notice(n Notice, locale string) Rendered
}

// Text is what a message is made of.
type Text struct {
	Channel     Channel
	Purpose     Purpose
	Locale      string
	Code        string
	Lifetime    time.Duration
	Transaction *Transaction
}

// Rendered is a message.
type Rendered struct {
	Subject string // e-mail only
	Body    string
	Locale  string // the one that was used
}

// Policy is the bounds of one app's verifications. The bounds over all apps are constants (MaxPhoneChecks …).
type Policy struct {
	CodeLength int           // 6 to 10; default 6
	Alphabet   Alphabet      // default Digits
	Lifetime   time.Duration // of a code; default 300 s, at most 600 s (NIST SP 800-63B-4, 3.1.3.2)
	MaxSends   int           // sends of one verification; default 3
	NewCodes   bool          // resend: new_code
	SQLApprove bool          // approvals: sql
}

// Bounds of a code's lifetime.
const (
	DefaultLifetime = 300 * time.Second
	MaxLifetime     = 600 * time.Second
	MinLifetime     = 30 * time.Second
)

// MinResendLife is how much life a code must have left to be sent again.
const MinResendLife = 60 * time.Second

// WithDefaults fills what is zero.
func (p Policy) WithDefaults() Policy {
	if p.CodeLength == 0 {
		p.CodeLength = MinCodeLength
	}
	if p.Alphabet == 0 {
		p.Alphabet = Digits
	}
	if p.Lifetime == 0 {
		p.Lifetime = DefaultLifetime
	}
	if p.MaxSends == 0 {
		p.MaxSends = MaxSendsBurst
	}
	return p
}

// Validate reports everything that is out of bounds.
func (p Policy) Validate() error {
	var errs []error
	if p.CodeLength < MinCodeLength || p.CodeLength > MaxCodeLength {
		errs = append(errs, fmt.Errorf("code_length is %d; %d to %d are allowed", p.CodeLength, MinCodeLength, MaxCodeLength))
	}
	if p.Alphabet < Digits || p.Alphabet > Alphanumeric {
		errs = append(errs, errors.New("code_alphabet must be digits, letters or alphanumeric"))
	}
	if p.Lifetime < MinLifetime || p.Lifetime > MaxLifetime {
		errs = append(errs, fmt.Errorf("lifetime is %s; %s to %s are allowed", p.Lifetime, MinLifetime, MaxLifetime))
	}
	if p.MaxSends < 1 || p.MaxSends > MaxSendsDay {
		errs = append(errs, fmt.Errorf("max_sends is %d; 1 to %d are allowed", p.MaxSends, MaxSendsDay))
	}
	return errors.Join(errs...)
}
