package countersign

import (
	"context"
	"time"
)

// The answers of a decision.
const (
	DecisionAllow     = "allow"
	DecisionChallenge = "challenge"
	DecisionDeny      = "deny"
)

// Explanation says whether the rules let a start through, and why not.
type Explanation struct {
	Decision string
	Rules    []RuleState
}

// RuleState is what one rule says of a start.
type RuleState struct {
	Rule     string
	Meaning  string // in words
	Limit    int    // what there is of it; zero for rules that count nothing
	Used     int
	ResetsIn time.Duration
	Would    string // allow, challenge or deny
	Shadow   bool   // it only records
}

// Explainer is what a Guard may have besides: it tells of every rule, and changes nothing.
type Explainer interface {
	// Explain says what each rule that needs no store would do, and which limits would be counted.
	Explain(a *Attempt) ([]RuleState, []Limit)
	// Meaning says of a limit what it is about.
	Meaning(limit string) string
}

// PhoneStater is what a Store may have besides: how a phone stands, without a verification.
type PhoneStater interface {
	PhoneState(ctx context.Context, phone Hash) (PhoneState, time.Time, error)
}

// Explain says what the guard's rules and the phone's own bounds are to this start now. It counts and changes nothing. It
// does not look at what else can stop a start (an opt-out, no route, the app's check of the number), nor at what a test
// number, a device token or a solved challenge would let through.
func (v *Verifier) Explain(ctx context.Context, q *StartRequest) (*Explanation, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	guard, ok := v.cfg.Guard.(Explainer)
	if !ok {
		return nil, Fail(ErrNotFound, "This guard does not explain itself.")
	}
	ring := v.cfg.Keys()
	a := &Attempt{
		Action: ActionStart, App: q.App, To: q.To, Channel: q.Channel, Purpose: q.Purpose, Client: q.Client, Face: q.Face,
		Now: v.Now(), Hash: ring.LookupHash,
	}
	if a.Channel == ChannelAuto {
		a.Channel = ChannelSMS
	}
	rules, limits := guard.Explain(a)
	e := &Explanation{Rules: rules}
	if err := v.explainPhone(ctx, e, hashes(ring, q.To)); err != nil {
		return nil, err
	}
	if len(limits) > 0 {
		taken, err := v.cfg.Store.Take(ctx, &Take{Limits: limits, Peek: true})
		if err != nil {
			return nil, err
		}
		for i := range taken.Rates {
			r := &taken.Rates[i]
			s := RuleState{
				Rule: r.Limit.Name, Meaning: guard.Meaning(r.Limit.Name), Limit: r.Limit.Burst, Used: max(0, r.Limit.Burst-r.Remaining),
				ResetsIn: r.Reset, Would: DecisionAllow, Shadow: r.Limit.Shadow,
			}
			if r.Over {
				s.Would = DecisionDeny
				if r.Limit.Challenge > 0 {
					s.Would = DecisionChallenge
				}
			}
			e.Rules = append(e.Rules, s)
		}
	}
	e.conclude()
	return e, nil
}

// explainPhone tells of the phone's own bounds, which the store counts.
func (v *Verifier) explainPhone(ctx context.Context, e *Explanation, phones []Hash) error {
	stater, ok := v.cfg.Store.(PhoneStater)
	if !ok {
		return nil
	}
	p, now, err := stater.PhoneState(ctx, phones[0])
	if err != nil {
		return err
	}
	for _, phone := range phones[1:] {
		other, _, err := stater.PhoneState(ctx, phone)
		if err != nil {
			return err
		}
		larger(&p, &other)
	}
	sends := RuleState{
		Rule: "phone_sends", Meaning: "messages to this phone: the pause between them, three in 10 minutes, ten in 24 hours, over all apps",
		Limit: MaxSendsDay, Used: MaxSendsDay - p.SendsLeft, ResetsIn: p.SendsReset, Would: DecisionAllow,
	}
	if p.NextSend.After(now) {
		sends.Would, sends.ResetsIn = DecisionDeny, p.NextSend.Sub(now)
	}
	checks := RuleState{
		Rule: "phone_checks", Meaning: "wrong codes for this phone: twenty in 24 hours, a hundred in a row, over all apps",
		Limit: MaxPhoneChecks, Used: MaxPhoneChecks - p.ChecksLeft, Would: DecisionAllow,
	}
	if p.Locked {
		checks.Would = DecisionDeny
		if p.LockedUntil.After(now) {
			checks.ResetsIn = p.LockedUntil.Sub(now)
		}
	}
	e.Rules = append(e.Rules, sends, checks)
	return nil
}

func (e *Explanation) conclude() {
	e.Decision = DecisionAllow
	for i := range e.Rules {
		switch r := &e.Rules[i]; {
		case r.Shadow:
		case r.Would == DecisionDeny:
			e.Decision = DecisionDeny
			return
		case r.Would == DecisionChallenge:
			e.Decision = DecisionChallenge
		}
	}
}
