package countersign

import (
	"context"
	"fmt"
	"time"
)

// CheckRequest asks whether a guess is the code.
type CheckRequest struct {
	App         *App
	ID          string  // the verification; or, where it is "":
	To          Address // the phone, against everything pending for it and Purpose
	Purpose     Purpose
	Code        string // as typed
	Client      Client
	Face        Face
	Caller      string // the key, or what else names the caller: a correct check may be repeated by the same one
	DeviceToken string // of an earlier approval on this device; "" without one
	Idempotency Idempotency
}

// Check counts a guess, compares it and, when it is right, approves the verification, once. The answer to a right
// guess carries a proof. A wrong one is an *Error of kind ErrIncorrectCode with the guesses left.
func (v *Verifier) Check(ctx context.Context, q *CheckRequest) (*Verification, error) {
	began := time.Now()
	d, o, err := v.check(ctx, q)
	e := Event{Name: EventChecked, App: q.App.ID, Purpose: q.Purpose, Face: q.Face, Result: "approved", Duration: time.Since(began), Err: err}
	if o != nil && o.Record != nil {
		r := o.Record
		e.Verification, e.Channel, e.Country, e.Purpose = shortID(r.ID), r.Channel, r.Country, r.Purpose
	}
	if err != nil {
		e.Result = string(KindOf(err))
	}
	v.cfg.Observer.Observe(e)
	return d, err
}

// reportTimeout bounds what a hosted vendor may take for a check, and is the lease of its reservation.
const reportTimeout = 5 * time.Second

func (v *Verifier) check(ctx context.Context, q *CheckRequest) (*Verification, *Outcome, error) {
	if q.To.IsZero() && !ValidVerificationID(q.ID) {
		return nil, nil, notFound()
	}
	guess, err := ParseGuess(q.Code)
	if err != nil {
		return nil, nil, err
	}
	ring := v.cfg.Keys()
	device, err := v.device(ring, q.App.ID, q.DeviceToken)
	if err != nil {
		return nil, nil, err
	}
	limits, err := v.cfg.Guard.Judge(&Attempt{
		Action: ActionCheck, App: q.App, To: q.To, Purpose: q.Purpose, Client: q.Client, Face: q.Face, Now: v.Now(), Hash: ring.LookupHash,
	})
	if err != nil {
		return nil, nil, err
	}
	ctx = detached(ctx)
	if err := v.takeLimits(ctx, limits); err != nil {
		return nil, nil, err
	}
	o, err := v.compare(ctx, ring, q, guess, device)
	if err != nil && q.To.IsZero() {
		o, err = v.forgotten(ctx, q.App, q.ID, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if o.Result == OutcomeReserved {
		if o, err = v.report(ctx, q, o, guess, ring); err != nil {
			return nil, o, err
		}
	}
	d, err := v.answer(ctx, q, o, device)
	return d, o, err
}

// compare makes the one step: count, compare, consume.
func (v *Verifier) compare(ctx context.Context, ring *Keyring, q *CheckRequest, g Guess, d *Device) (*Outcome, error) {
	if !q.To.IsZero() {
		return v.compareByPhone(ctx, ring, q, g, d)
	}
	return v.moves.Check(ctx, &Check{
		App: q.App.ID, ID: q.ID, Tags: ring.TagsFor(q.App.ID, q.ID, g), Shape: g.Shape(), Length: g.Len(),
		JTI: newID(proofPrefix), Caller: caller(ring, q), Lease: reportTimeout, Device: d,
		Request: request(ring, q.Idempotency),
	})
}

// caller is who may repeat a correct check: the same key from the same client address. Without an address only
// the same Idempotency-Key repeats, which the store's request memory does.
func caller(ring *Keyring, q *CheckRequest) Hash {
	if !q.Client.Addr.IsValid() || q.Caller == "" {
		return Hash{}
	}
	return ring.LookupHash("caller", q.Caller, q.Client.Addr.String())
}

// compareByPhone first reads what is pending, because a tag is bound to its verification's id. Whatever begins
// between the two steps cannot have reached anybody yet.
func (v *Verifier) compareByPhone(ctx context.Context, ring *Keyring, q *CheckRequest, g Guess, d *Device) (*Outcome, error) {
	pending, err := v.moves.pending(ctx, ring, q.App.ID, q.To, q.Purpose)
	if err != nil {
		return nil, err
	}
	tags := make(map[string][]Tag, len(pending))
	for _, r := range pending {
		tags[r.ID] = ring.TagsFor(r.App, r.ID, g)
	}
	return v.moves.checkPhone(ctx, ring, q.To, &CheckPhone{
		App: q.App.ID, Purpose: q.Purpose, Tags: tags, Shape: g.Shape(), Length: g.Len(),
		JTI: newID(proofPrefix), Lease: reportTimeout, Device: d, Request: request(ring, q.Idempotency),
	}, pending)
}

// report asks a hosted vendor about a counted guess. A lost answer is resolved by reading the vendor's status,
// never by a second report: that could use up a right guess.
func (v *Verifier) report(ctx context.Context, q *CheckRequest, o *Outcome, g Guess, ring *Keyring) (*Outcome, error) {
	r := o.Record
	_, to, err := v.open(r)
	if err != nil {
		return o, err
	}
	provider, ok := v.cfg.Dispatcher.Hosted(r.Hosted)
	if !ok {
		return o, Unavailable(fmt.Errorf("the route %q of a pending verification is not configured any more", r.Hosted))
	}
	question := HostedQuestion{Verification: r.ID, Ref: r.HostedRef, To: to, Channel: r.Channel}
	asking, cancel := context.WithTimeout(ctx, reportTimeout-time.Second)
	answer, err := provider.Report(asking, question, g)
	cancel()
	if err != nil {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		answer, err = provider.Status(asking, question)
		cancel()
	}
	if err != nil {
		// Still unknown. The reservation's lease ends; the guess stays counted; nothing was approved.
		return o, Unavailable(fmt.Errorf("asking the vendor about a guess: %w", err))
	}
	s := &Settle{
		App: r.App, ID: r.ID, Approved: answer.Status == StatusApproved, JTI: newID(proofPrefix),
		Caller: caller(ring, q), Request: request(ring, q.Idempotency),
	}
	if answer.Status.Final() && answer.Status != StatusApproved {
		s.End = answer.Status
	}
	return v.moves.Settle(ctx, s)
}

// answer turns an outcome into what the caller hears.
func (v *Verifier) answer(ctx context.Context, q *CheckRequest, o *Outcome, known *Device) (*Verification, error) {
	for _, r := range o.Ended {
		v.ended(r)
	}
	switch o.Result {
	case OutcomeApproved, OutcomeRepeated:
	case OutcomeIncorrect:
		if o.Record != nil && o.Record.Status.Final() && !o.Replayed {
			v.ended(o.Record)
		}
		left, phone := o.ChecksLeft, o.Phone.ChecksLeft
		e := &Error{Kind: ErrIncorrectCode, ChecksLeft: &left, PhoneLeft: &phone, Detail: fmt.Sprintf("The code is not right. Guesses left: %d.", left)}
		if o.Record != nil {
			e.VerificationID = o.Record.ID
		}
		return nil, e
	default:
		if o.Record != nil && o.Record.Status == StatusExpired {
			v.log.add(o.Record)
		}
		return nil, refusal(o)
	}

	r := o.Record
	if q.App.Policy.SQLApprove {
		ours, err := v.cfg.Log.Approve(ctx, r.ID, r.JTI, r.IssuedAt)
		if err != nil {
			return nil, err
		}
		if !ours {
			// The store forgot an approval that was answered before (a failover); the log did not.
			return nil, closed()
		}
	}
	sealed, to, err := v.open(r)
	if err != nil {
		return nil, err
	}
	known = recognised(v.cfg.Keys(), known, to, r.Phone)
	d := describe(o, sealed, to)
	if d.Proof, err = v.signProof(r, sealed, to, known); err != nil {
		return nil, err
	}
	if q.Face == FaceREST || q.Face == FacePage { // the vendors' faces have no place for it
		if d.DeviceToken, err = newDeviceToken(v.cfg.Keys(), r, known); err != nil {
			return nil, err
		}
	}
	if o.Result == OutcomeApproved && !o.Replayed {
		v.ended(r)
		v.complete(ctx, r, to)
		if !r.Test { // it cost nothing and gives nothing back
			v.refunds.add(v.cfg.Guard.Approved(&Conversion{
				App: q.App, To: to, Channel: r.Channel, Purpose: r.Purpose, Marks: sealed.Marks, Created: r.Created, Now: o.Now,
				Hash: v.cfg.Keys().LookupHash,
			}))
		}
	}
	return d, nil
}

// complete tells the vendor who carried our code that it was right, where it wants to know.
func (v *Verifier) complete(ctx context.Context, r *Record, to Address) {
	n := len(r.Deliveries)
	if n == 0 || r.Hosted != "" {
		return
	}
	last := r.Deliveries[n-1]
	completer, ok := v.cfg.Dispatcher.Completer(last.Provider)
	if !ok {
		return
	}
	v.later(ctx, func(ctx context.Context) {
		code, err := v.cfg.Keys().CodeFor(r.CodeKey, subject(r, to), r.Alphabet, r.Length)
		if err == nil {
			err = completer.Complete(ctx, HostedQuestion{Verification: r.ID, Ref: last.Ref, To: to, Channel: r.Channel}, code)
		}
		if err != nil {
			v.fault("telling the vendor of an approval", r, err)
		}
	})
}

func notFound() error { return Fail(ErrNotFound, "There is no such verification for this app.") }

const endedDetail = "This verification has ended. Start a new one."

func closed() error { return Fail(ErrVerificationClosed, endedDetail) }

// refusal turns a store's refusal into an error for the caller.
func refusal(o *Outcome) error {
	e := &Error{RetryAfter: o.RetryAfter}
	if o.Record != nil {
		e.VerificationID = o.Record.ID
	}
	switch o.Result {
	case OutcomeShape:
		e.Kind, e.Pointer, e.Detail = ErrInvalidCode, "/code", "This is not of the code's shape. Look at the message again; nothing was counted."
	case OutcomeClosed:
		e.Kind, e.Detail = ErrVerificationClosed, endedDetail
	case OutcomeExpired:
		e.Kind, e.Detail = ErrVerificationExpired, "The code's time ran out. Start a new verification."
	case OutcomeLocked:
		e.Kind, e.Detail = ErrTooManyChecks, "Too many wrong codes for this phone. It is locked for now; use another factor, or wait."
		if o.RetryAfter == 0 {
			e.Detail = "Too many wrong codes for this phone in a row. It stays locked until the operator lifts it."
		}
	case OutcomeTooSoon:
		e.Kind, e.Detail = ErrResendTooSoon, "A message went to this phone a moment ago. Wait before sending another."
	case OutcomeTooManySends:
		e.Kind, e.Detail = ErrTooManySends, "Too many messages went to this phone. Wait before sending another."
		if o.RetryAfter == 0 {
			// The verification's own sends are used up. Waiting helps a new one, where the phone's are used up as well.
			e.Detail = "This verification's sends are used up. Start a new one."
			if o.Phone.SendsLeft == 0 && o.Phone.NextSend.After(o.Now) {
				e.RetryAfter = o.Phone.NextSend.Sub(o.Now)
			}
		}
	case OutcomePending:
		e.Kind, e.Limit, e.Detail = ErrRateLimited, "pending", "This phone has too many open verifications. Finish or cancel one, or wait."
	case OutcomeHostedTaken:
		e.Kind, e.Limit, e.Detail = ErrRateLimited, "hosted", "The provider allows one open verification a phone, and there is one. Finish it, or wait."
	case OutcomeMismatch:
		return mismatch()
	case OutcomeBusy:
		e.Kind, e.RetryAfter = ErrIdempotencyInProgress, idempotencyPause
		e.Detail = "Another request about this verification still runs. Repeat this one in a moment."
	case OutcomeNone, OutcomeUnknown:
		return notFound()
	default:
		return fmt.Errorf("the store gave an outcome that nobody expects here: %d", o.Result)
	}
	return e
}

// CancelRequest ends a verification.
type CancelRequest struct {
	App         *App
	ID          string
	Idempotency Idempotency
}

// Cancel ends a pending verification. To cancel twice is verification_closed, unless it is the same request again.
func (v *Verifier) Cancel(ctx context.Context, q *CancelRequest) (*Verification, error) {
	if !ValidVerificationID(q.ID) {
		return nil, notFound()
	}
	ctx = detached(ctx)
	o, err := v.cfg.Store.Cancel(ctx, &Cancel{App: q.App.ID, ID: q.ID, Status: StatusCanceled, Request: request(v.cfg.Keys(), q.Idempotency)})
	if err != nil {
		if o, err = v.forgotten(ctx, q.App, q.ID, err); err != nil {
			return nil, err
		}
		if o.Record.Status == StatusCanceled && q.Idempotency.Key != "" {
			return v.describe(o) // the key is forgotten with the record: this may be its repetition, and changes nothing
		}
	}
	if o.Result != OutcomeOK {
		return nil, refusal(o)
	}
	if !o.Replayed {
		v.ended(o.Record)
	}
	return v.describe(o)
}

// end moves a pending record to a final status on the engine's own account.
func (v *Verifier) end(ctx context.Context, id string, to Status) (*Outcome, error) {
	o, err := v.cfg.Store.Cancel(ctx, &Cancel{ID: id, Status: to})
	if err != nil {
		return nil, err
	}
	if o.Result == OutcomeOK && !o.Replayed {
		v.ended(o.Record)
	}
	return o, nil
}
