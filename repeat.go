package countersign

import (
	"context"
	"errors"
	"time"
)

// This file answers requests that were made before: by the same Idempotency-Key, and about what the store has
// forgotten already.

func inProgress() error {
	return &Error{Kind: ErrIdempotencyInProgress, RetryAfter: idempotencyPause, Detail: "The first request with this Idempotency-Key still runs. Repeat it in a moment."}
}

// Pauses in which a repeat looks whether the first request is through. Its answer may be out already: that a key's
// request is done is written down behind the answer, a few milliseconds later, perhaps by another process.
const (
	firstLook = 4 * time.Millisecond
	lastLook  = 64 * time.Millisecond
)

// takeOnce takes what a request counts outside of the phone's slot. Where the first request with its key still runs, it
// waits a moment for it.
func (v *Verifier) takeOnce(ctx context.Context, t *Take) (taken *Taken, err error) {
	err = once(ctx, func() (bool, error) {
		taken, err = v.cfg.Store.Take(ctx, t)
		return err == nil && taken.Seen == SeenRunning, err
	})
	return taken, err
}

// startOnce is takeOnce for a start, and begins.
func (v *Verifier) startOnce(ctx context.Context, t *Take, b *Begin) (taken *Taken, o *Outcome, err error) {
	err = once(ctx, func() (bool, error) {
		taken, o, err = v.moves.Start(ctx, t, b)
		return err == nil && taken.Seen == SeenRunning, err
	})
	return taken, o, err
}

// once makes a step again, for a moment, while what it has to wait for still runs: of that, too, the end is written down
// behind an answer.
func once(ctx context.Context, step func() (running bool, err error)) error {
	for pause := firstLook; ; pause *= 2 {
		running, err := step()
		if err != nil || !running || pause > lastLook {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

func mismatch() error {
	return Fail(ErrIdempotencyMismatch, "This Idempotency-Key was used for another request. Take a new key for a new request.")
}

// again answers a repeated start from what the first one made.
func (v *Verifier) again(ctx context.Context, id string) (*Verification, error) {
	o, err := v.find(ctx, id)
	if err != nil {
		return nil, err
	}
	o.Replayed = true
	d, err := v.describe(o)
	if err != nil {
		return nil, err
	}
	switch d.Status {
	case StatusUndeliverable:
		return d, undeliverable(d.ID)
	case StatusDenied:
		return d, deniedByProvider(d.ID, nil)
	}
	return d, nil
}

// sentBefore answers a repeat whose first request is not known to be through. What it began may be sent all the same: its
// process died after the answer, and before the key was written down as done.
func (v *Verifier) sentBefore(ctx context.Context, id string) (*Verification, error) {
	o, ok, err := v.cfg.Store.Lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	if ok && (o.Record.Status.Final() || reached(o.Record)) {
		return v.again(ctx, id)
	}
	return nil, inProgress()
}

// carryOn takes over a start whose first request died after its verification was begun. The record that is there
// decides: its code may be out already, so no other may be sent. A result or an error is the answer; neither means
// that this request is to send.
func (s *starting) carryOn(ctx context.Context, o *Outcome) (*Verification, error) {
	r := o.Record
	switch {
	case r.Status.Final(), !o.Now.Before(r.Expires), len(r.Deliveries) > 0:
		s.finish(ctx)
		return s.v.again(ctx, r.ID)
	case r.Lease.Before(o.Now.Add(s.lease())):
		return nil, inProgress() // the store gave us no lease: another one is sending
	}
	sealed, to, err := s.v.open(r)
	if err != nil {
		return nil, err
	}
	code, err := s.v.cfg.Keys().CodeFor(r.CodeKey, subject(r, to), r.Alphabet, r.Length)
	if err != nil {
		return nil, err
	}
	left := r.Expires.Sub(o.Now)
	if s.text, err = render(s.q.App, r, sealed, code, left); err != nil {
		return nil, err
	}
	s.sealed, s.code, s.left, s.attempt = sealed, code, left, 2
	return nil, nil
}

// countSend takes what a resend counts outside of the phone's slot. A verification in the result, or an error, is the
// answer.
func (v *Verifier) countSend(ctx context.Context, asked *Attempt, take *Take, w *work) (*Taken, *Verification, error) {
	if len(take.Limits) == 0 && take.Key.IsZero() {
		return nil, nil, nil
	}
	taken, err := v.takeOnce(ctx, take)
	if err != nil {
		return nil, nil, err
	}
	if taken.SeenID != "" && taken.SeenID != take.ID {
		return nil, nil, mismatch() // the key was for another verification
	}
	switch taken.Seen {
	case SeenRunning:
		return nil, nil, inProgress()
	case SeenMismatch:
		return nil, nil, mismatch()
	case SeenDone:
		d, err := v.again(ctx, take.ID)
		if n := lastDelivery(d); err == nil && n != nil && n.Status == DeliveryFailed {
			return nil, nil, undeliverable(d.ID)
		}
		return nil, d, err
	}
	take.Limits = counted(take.Limits, taken)
	if taken.Refused != nil {
		err := w.refused(taken.Refused)
		v.decided(ctx, asked, taken, err)
		return taken, nil, err
	}
	return taken, nil, nil
}

func lastDelivery(d *Verification) *Delivery {
	if d == nil || len(d.Deliveries) == 0 {
		return nil
	}
	return &d.Deliveries[len(d.Deliveries)-1]
}

// release gives back what a request took that came to nothing, behind the answer.
func (v *Verifier) release(ctx context.Context, take *Take) {
	if len(take.Limits) == 0 && take.Key.IsZero() {
		return
	}
	v.later(ctx, func(ctx context.Context) {
		if err := v.cfg.Store.Release(ctx, take); err != nil {
			v.fault("giving back limits", nil, err)
		}
	})
}

// finishKey marks an idempotency key's request as done.
func (v *Verifier) finishKey(ctx context.Context, take *Take, r *Record) {
	if take.Key.IsZero() {
		return
	}
	if err := v.cfg.Store.Finish(ctx, take.Key); err != nil {
		// The key's lease ends by itself, and a repeat carries on with the same id.
		v.fault("finishing an idempotency key", r, err)
	}
}

// forgotten answers a move on a verification that the store does not have any more: it has ended, and the log knows
// how. What the log does not know either, or is another app's, is not found.
func (v *Verifier) forgotten(ctx context.Context, app *App, id string, err error) (*Outcome, error) {
	if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	r, logErr := v.cfg.Log.Get(ctx, id)
	switch {
	case errors.Is(logErr, ErrNotFound):
		return nil, notFound()
	case logErr != nil:
		return nil, logErr
	case r.App != app.ID:
		return nil, notFound()
	}
	o := v.fromLog(r)
	o.Result = OutcomeClosed
	switch o.Record.Status {
	case StatusExpired:
		o.Result = OutcomeExpired
	case StatusPending:
		// The store lost what has not ended by its clock. Nothing can be decided without it.
		return nil, notFound()
	}
	return o, nil
}
