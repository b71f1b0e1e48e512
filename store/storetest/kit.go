package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"countersign"
)

// kit is what a scenario works with: a store, a key ring, and moves that stop the test when the store fails.
type kit struct {
	*testing.T
	ctx   context.Context
	store countersign.Store
	ring  *countersign.Keyring
}

func newKit(t *testing.T, store countersign.Store) *kit {
	ring, err := NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	return &kit{T: t, ctx: t.Context(), store: store, ring: ring}
}

// must stops the test on an error of a move.
func must[A any](k *kit, answer A, err error) A {
	k.Helper()
	if err != nil {
		k.Fatalf("the move failed: %v", err)
	}
	return answer
}

// want stops the test unless the move ended as told.
func (k *kit) want(o *countersign.Outcome, r countersign.Result) *countersign.Outcome {
	k.Helper()
	if o.Result != r {
		k.Fatalf("the result is %s, want %s", resultName(o.Result), resultName(r))
	}
	if o.Now.IsZero() {
		k.Errorf("the outcome carries no instant")
	}
	return o
}

func (k *kit) wantNotFound(err error) {
	k.Helper()
	if !errors.Is(err, countersign.ErrNotFound) {
		k.Errorf("the error is %v, want one of kind not_found", err)
	}
	var e *countersign.Error
	if !errors.As(err, &e) {
		k.Errorf("the error is a %T, want a *countersign.Error", err)
	}
}

func (k *kit) advance(d time.Duration) {
	k.Helper()
	if err := k.store.Advance(k.ctx, d); err != nil {
		k.Fatalf("advancing the clock: %v", err)
	}
}

// option changes a start before it is made.
type option func(*countersign.Begin)

func inApp(app string) option { return func(b *countersign.Begin) { b.Record.App = app } }

func onFace(f countersign.Face) option { return func(b *countersign.Begin) { b.Record.Face = f } }

func forPurpose(p countersign.Purpose) option {
	return func(b *countersign.Begin) { b.Record.Purpose = p }
}

func supersede(b *countersign.Begin) { b.Supersede = true }
func counted(b *countersign.Begin)   { b.Exempt = false }

// hosted makes the start one of a vendor's own code. Such a record has no tag.
func hosted(route, scope string) option {
	return func(b *countersign.Begin) {
		b.Record.Hosted, b.Record.HostedScope, b.Record.Tag = route, hash(scope), countersign.Tag{}
	}
}

// draft makes a start and does not send it to the store.
func (k *kit) draft(phone countersign.Hash, code string, options ...option) *countersign.Begin {
	b := NewBegin(k.ring, testApp, phone, code)
	for _, o := range options {
		o(b)
	}
	if b.Record.Hosted == "" {
		b.Record.Tag = k.ring.NewTag(b.Record.App, b.Record.ID, countersign.NewCode(code))
	}
	return b
}

// tryBegin starts a verification of the usual code and gives whatever the store says.
func (k *kit) tryBegin(phone countersign.Hash, options ...option) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Begin(k.ctx, k.draft(phone, rightCode, options...))
	return must(k, o, err)
}

// begin starts a verification of the usual code, which must go well.
func (k *kit) begin(phone countersign.Hash, options ...option) *countersign.Record {
	k.Helper()
	return k.want(k.tryBegin(phone, options...), countersign.OutcomeOK).Record
}

// checkOf makes the check of a typed code.
func (k *kit) checkOf(r *countersign.Record, typed string) *countersign.Check {
	k.Helper()
	c, err := NewCheck(k.ring, r.App, r.ID, typed)
	return must(k, c, err)
}

// check checks a typed code.
func (k *kit) check(r *countersign.Record, typed string) *countersign.Outcome {
	k.Helper()
	return k.move(k.checkOf(r, typed))
}

func (k *kit) move(c *countersign.Check) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Check(k.ctx, c)
	return must(k, o, err)
}

// checkPhoneOf makes the check of a typed code against the given records.
func (k *kit) checkPhoneOf(typed string, records ...*countersign.Record) *countersign.CheckPhone {
	k.Helper()
	guess, err := countersign.ParseGuess(typed)
	must(k, guess, err)
	c := &countersign.CheckPhone{
		App: records[0].App, Phone: records[0].Phone, Purpose: records[0].Purpose, Tags: map[string][]countersign.Tag{},
		Shape: guess.Shape(), Length: guess.Len(), JTI: "prf_by_phone", Lease: 5 * time.Second,
	}
	for _, r := range records {
		c.Tags[r.ID] = k.ring.TagsFor(r.App, r.ID, guess)
	}
	return c
}

func (k *kit) checkPhone(c *countersign.CheckPhone) *countersign.Outcome {
	k.Helper()
	o, err := k.store.CheckPhone(k.ctx, c)
	return must(k, o, err)
}

func (k *kit) settle(s *countersign.Settle) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Settle(k.ctx, s)
	return must(k, o, err)
}

func (k *kit) cancel(r *countersign.Record) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Cancel(k.ctx, &countersign.Cancel{App: r.App, ID: r.ID, Status: countersign.StatusCanceled})
	return must(k, o, err)
}

func (k *kit) resend(m *countersign.Resend) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Resend(k.ctx, m)
	return must(k, o, err)
}

func (k *kit) sent(s *countersign.Sent) *countersign.Outcome {
	k.Helper()
	o, err := k.store.Sent(k.ctx, s)
	return must(k, o, err)
}

func (k *kit) take(t *countersign.Take) *countersign.Taken {
	k.Helper()
	o, err := k.store.Take(k.ctx, t)
	return must(k, o, err)
}

// lookup reads a record that must be there.
func (k *kit) lookup(id string) *countersign.Outcome {
	k.Helper()
	o, ok, err := k.store.Lookup(k.ctx, id)
	must(k, o, err)
	if !ok {
		k.Fatalf("the verification is not in the store")
	}
	return o
}

// spendGuesses compares n wrong guesses of a phone, over as many verifications as that takes.
func (k *kit) spendGuesses(phone countersign.Hash, n int) {
	k.Helper()
	for n > 0 {
		r := k.begin(phone, supersede)
		for range min(n, r.MaxChecks) {
			k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
			n--
		}
	}
}

// sameInstant says whether two instants are one to the millisecond.
func sameInstant(a, b time.Time) bool {
	return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}

func resultName(r countersign.Result) string {
	names := [...]string{
		"OK", "Approved", "Repeated", "Incorrect", "Reserved", "Shape", "Closed", "Expired", "Locked", "TooSoon",
		"TooManySends", "Pending", "HostedTaken", "Mismatch", "Busy", "Unknown", "None",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return "an unknown result"
}
