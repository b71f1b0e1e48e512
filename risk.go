package countersign

import (
	"context"
	"errors"
	"time"
)

// Risk says whether a message should go to a number now. Whoever runs an app asks their operator's or a vendor's interface
// for it: was the SIM of the number changed a short while ago, was the number ported, is the call forwarded (NIST SP
// 800-63B-4, 3.1.3.3, wants such signs considered before a code is sent).
type Risk interface {
	// Assess answers before anything is sent, once for each verification. An error is no answer.
	Assess(ctx context.Context, q *RiskQuestion) (*RiskVerdict, error)
}

// RiskQuestion is a message that is about to go out.
type RiskQuestion struct {
	Verification string
	App          string
	To           Address // a phone number
	Channel      Channel
	Purpose      Purpose
	User         string // for whom a step-up was begun; "" where nobody said
	Client       Client
}

// RiskVerdict is the answer.
type RiskVerdict struct {
	Deny   bool
	Reason string // for the log: a word, nothing of a person; "" for none
}

// RiskPolicy is what an app does about risk. The zero value asks nobody.
type RiskPolicy struct {
	Check Risk
	// SendAnyway says that a message goes out although there was no answer. Otherwise it does not.
	SendAnyway bool
}

// asksRisk says whether somebody is to be asked before this start sends: mailboxes have no SIM, and to a test number
// nothing is sent.
func (s *starting) asksRisk() bool {
	_, mail := s.q.To.Email()
	return s.q.App.Risk.Check != nil && !mail && !s.asked.Test
}

// assess asks whether the message should go.
func (s *starting) assess(ctx context.Context, o *Outcome) error {
	if !s.asksRisk() {
		return nil
	}
	policy := s.q.App.Risk
	verdict, err := policy.Check.Assess(ctx, &RiskQuestion{
		Verification: o.Record.ID, App: s.q.App.ID, To: s.q.To, Channel: s.record.Channel, Purpose: s.q.Purpose, User: s.q.User,
		Client: s.q.Client,
	})
	e := Event{
		Name: EventAssessed, App: s.q.App.ID, Verification: shortID(o.Record.ID), Channel: s.record.Channel, Country: s.q.To.Country(),
		Purpose: s.q.Purpose, Face: s.q.Face, Result: "allow", Err: err,
	}
	switch {
	case err != nil && policy.SendAnyway:
		e.Result, err = "sent_anyway", nil
	case err != nil:
		e.Result = "unanswered"
		err = &Error{
			Kind: ErrUnavailable, RetryAfter: max(time.Second, o.Phone.NextSend.Sub(o.Now)), VerificationID: o.Record.ID, Err: err,
			Detail: "The check of the number gave no answer, so nothing was sent. Start anew when the number's pause is over.",
		}
	case verdict.Deny:
		e.Result, e.Err = "deny", errors.New("denied: "+verdict.Reason)
		err = &Error{
			Kind: ErrNumberNotAllowed, VerificationID: o.Record.ID,
			Detail: "No message goes to this number now: the app's check of the number refused it. Use another factor.",
		}
	}
	s.v.cfg.Observer.Observe(e)
	return err
}
