package countersign

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"
)

// This file counts under both hashes of a phone while the phone key is rotated (PhoneRotation). A verification stays where
// it began; what a move on it counts is counted under the phone's other hash first. Either side may refuse, so the larger
// count holds, and no order of moves on any nodes finds a count under neither. What the move itself refuses is given back,
// like every count that lives outside its slot: a crash in between leaves one too many for a day, never one too few.
//
// It costs a read and one or two more round trips a move, and nothing while no rotation is under way.

// twice makes the counting moves of a store.
type twice struct {
	Store
	keys func() *Keyring
}

// Begin implements Moves.
func (t *twice) Begin(ctx context.Context, b *Begin) (*Outcome, error) {
	ring := t.keys()
	if !ring.Rotating() {
		return t.Store.Begin(ctx, b)
	}
	twin, ok, err := twinOf(ring, b.Record)
	if err != nil {
		return nil, err
	}
	if _, again, err := t.Lookup(ctx, b.Record.ID); err != nil || again || !ok {
		if err != nil {
			return nil, err
		}
		return t.Store.Begin(ctx, b) // it was counted then
	}
	moved := *b
	moved.Device = asking(b.Device, twin, b.Record.Phone)
	count := &Count{Phone: twin, What: CountSend, App: b.Record.App, Device: asking(b.Device, b.Record.Phone, twin), Exempt: b.Exempt}
	return t.around(ctx, count, nil, func() (*Outcome, error) { return t.beginBeside(ctx, &moved, twin) })
}

// Start implements Store.
func (t *twice) Start(ctx context.Context, take *Take, b *Begin) (*Taken, *Outcome, error) {
	if !t.keys().Rotating() {
		return t.Store.Start(ctx, take, b)
	}
	return TakeThenBegin(ctx, t, take, b)
}

// beginBeside begins with an eye on what is pending under the phone's other hash: for some minutes, when the new key has
// taken the old one's place.
func (t *twice) beginBeside(ctx context.Context, b *Begin, twin Hash) (*Outcome, error) {
	r := b.Record
	there, err := t.Pending(ctx, r.App, twin, "")
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		return t.Store.Begin(ctx, b)
	}
	here, err := t.Pending(ctx, r.App, r.Phone, "")
	if err != nil {
		return nil, err
	}
	superseded := func(p *Record) bool { return b.Supersede && p.Face == r.Face }
	open := slices.DeleteFunc(slices.Concat(there, here), superseded)
	if len(open) >= MaxPending {
		return refusedBeside(t.Now(), OutcomePending, open, func(*Record) bool { return true }), nil
	}
	var ending []*Record
	for _, p := range there {
		taken := r.Hosted != "" && p.Hosted == r.Hosted
		switch {
		case taken && p.HostedScope != r.HostedScope && b.OwnCode:
			r.Hosted, r.HostedScope = "", Hash{}
		case taken && p.HostedScope != r.HostedScope:
			return refusedBeside(t.Now(), OutcomeHostedTaken, there, func(o *Record) bool { return o == p }), nil
		case taken, superseded(p):
			ending = append(ending, p)
		}
	}
	o, err := t.Store.Begin(ctx, b)
	if err != nil || o.Result != OutcomeOK {
		return o, err
	}
	for _, p := range ending {
		c, err := t.Cancel(ctx, &Cancel{App: p.App, ID: p.ID, Status: StatusCanceled})
		if err != nil {
			return nil, err
		}
		if c.Result == OutcomeOK && !c.Replayed {
			o.Ended = append(o.Ended, c.Record)
		}
	}
	return o, nil
}

// Resend implements Moves.
func (t *twice) Resend(ctx context.Context, r *Resend) (*Outcome, error) {
	record, twin, err := t.pendingTwin(ctx, r.App, r.ID)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return t.Store.Resend(ctx, r)
	}
	moved := *r
	moved.Device = asking(r.Device, twin, record.Phone)
	count := &Count{Phone: twin, What: CountSend, App: record.App, Device: asking(r.Device, record.Phone, twin), Exempt: r.Exempt}
	return t.around(ctx, count, record, func() (*Outcome, error) { return t.Store.Resend(ctx, &moved) })
}

// Check implements Moves.
func (t *twice) Check(ctx context.Context, c *Check) (*Outcome, error) {
	record, twin, err := t.pendingTwin(ctx, c.App, c.ID)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return t.Store.Check(ctx, c)
	}
	moved := *c
	moved.Device = asking(c.Device, twin, record.Phone)
	count := &Count{Phone: twin, What: CountGuess, App: record.App, Device: asking(c.Device, record.Phone, twin)}
	return t.around(ctx, count, record, func() (*Outcome, error) { return t.Store.Check(ctx, &moved) })
}

// checkPhone is CheckPhone for an address. Where both of its hashes have verifications pending, it is made under the one
// whose verification has the code; the store compares again, and decides.
func (t *twice) checkPhone(ctx context.Context, ring *Keyring, to Address, c *CheckPhone, pending []*Record) (*Outcome, error) {
	c.Phone = ring.PhoneHash(to)
	for n, r := range pending {
		if n == 0 || matches(r.Tag, c.Tags[r.ID]) {
			c.Phone = r.Phone
		}
	}
	twin, ok := ring.Twin(to, c.Phone)
	if !ok {
		return t.CheckPhone(ctx, c)
	}
	count := &Count{Phone: twin, What: CountGuess, App: c.App, Device: asking(c.Device, c.Phone, twin)}
	c.Device = asking(c.Device, twin, c.Phone)
	return t.around(ctx, count, nil, func() (*Outcome, error) { return t.CheckPhone(ctx, c) })
}

func matches(tag Tag, candidates []Tag) bool {
	return slices.ContainsFunc(candidates, func(c Tag) bool {
		return c.Key == tag.Key && subtle.ConstantTimeCompare(c.Sum[:], tag.Sum[:]) == 1
	})
}

// Settle implements Moves. The guess was counted when it was reserved.
func (t *twice) Settle(ctx context.Context, s *Settle) (*Outcome, error) {
	o, err := t.Store.Settle(ctx, s)
	ring := t.keys()
	if err != nil || !ring.Rotating() || o.Result != OutcomeApproved || o.Replayed {
		return o, err
	}
	if twin, ok, err := twinOf(ring, o.Record); ok && err == nil {
		t.approved(ctx, twin)
	}
	return o, nil
}

// around counts under the twin, makes the move, and gives back what the move refused. record is what the move is on, where
// it is known.
func (t *twice) around(ctx context.Context, c *Count, record *Record, move func() (*Outcome, error)) (*Outcome, error) {
	counted, err := t.Count(ctx, c)
	if err != nil {
		return nil, err
	}
	if counted.Result != OutcomeOK {
		counted.Record = record
		return counted, nil
	}
	o, err := move()
	if err != nil {
		return nil, err // nobody knows what was counted: it stays
	}
	switch {
	case o.Replayed, !counts(o.Result):
		back := *c
		back.At = counted.Now
		if back.What = CountGuessBack; c.What == CountSend {
			back.What = CountSendBack
		}
		if !c.Exempt {
			if _, err := t.Count(ctx, &back); err != nil {
				return nil, err
			}
		}
		return o, nil
	case o.Result == OutcomeApproved:
		t.approved(ctx, c.Phone)
	}
	larger(&o.Phone, &counted.Phone)
	if o.Record != nil && o.Record.Status == StatusPending {
		o.ChecksLeft = min(o.ChecksLeft, counted.Phone.ChecksLeft)
	}
	return o, nil
}

// counts says whether a move with this result has counted a guess or a send.
func counts(r Result) bool {
	switch r {
	case OutcomeOK, OutcomeApproved, OutcomeIncorrect, OutcomeReserved:
		return true
	}
	return false
}

// approved ends the wrong guesses in a row under the twin as well. The approval stands whatever comes of this: at worst a
// row goes on that has ended.
func (t *twice) approved(ctx context.Context, twin Hash) {
	_, _ = t.Count(ctx, &Count{Phone: twin, What: CountApproved})
}

// pendingTwin finds a record on which a move may count, and its phone's other hash. No record means that nothing is to be
// counted twice: no rotation, or a record on which the move will count nothing.
func (t *twice) pendingTwin(ctx context.Context, app, id string) (*Record, Hash, error) {
	ring := t.keys()
	if !ring.Rotating() {
		return nil, Hash{}, nil
	}
	o, found, err := t.Lookup(ctx, id)
	if err != nil || !found || app != "" && o.Record.App != app || o.Record.Status != StatusPending {
		return nil, Hash{}, err
	}
	twin, ok, err := twinOf(ring, o.Record)
	if err != nil || !ok {
		return nil, Hash{}, err
	}
	return o.Record, twin, nil
}

// twinOf is the other hash of a record's phone.
func twinOf(ring *Keyring, r *Record) (Hash, bool, error) {
	_, to, err := openRecord(ring, r)
	if err != nil {
		return Hash{}, false, err
	}
	twin, ok := ring.Twin(to, r.Phone)
	return twin, ok, nil
}

// asking is a device as it asks under a hash of its phone, when its token was made under the other.
func asking(d *Device, of, as Hash) *Device {
	if d == nil || d.Phone != of {
		return d
	}
	moved := *d
	moved.Phone = as
	return &moved
}

// refusedBeside is a refusal that waits for the first of some records to end.
func refusedBeside(now time.Time, r Result, open []*Record, which func(*Record) bool) *Outcome {
	o := &Outcome{Result: r, Now: now}
	for _, p := range open {
		if left := p.Expires.Sub(now); which(p) && (o.RetryAfter == 0 || left < o.RetryAfter) {
			o.RetryAfter = max(left, time.Second)
		}
	}
	return o
}

// larger makes of how a phone stands under its two hashes how it stands.
func larger(p, other *PhoneState) {
	p.ChecksLeft, p.SendsLeft = min(p.ChecksLeft, other.ChecksLeft), min(p.SendsLeft, other.SendsLeft)
	p.Locked, p.Hard = p.Locked || other.Locked, p.Hard || other.Hard
	p.SendsReset = max(p.SendsReset, other.SendsReset)
	if other.NextSend.After(p.NextSend) {
		p.NextSend = other.NextSend
	}
	if other.LockedUntil.After(p.LockedUntil) {
		p.LockedUntil = other.LockedUntil
	}
}

// hashes are those under which something of an address may be counted or pending: one, or two while the key is rotated.
func hashes(ring *Keyring, to Address) []Hash {
	current := ring.PhoneHash(to)
	if twin, ok := ring.Twin(to, current); ok {
		return []Hash{current, twin}
	}
	return []Hash{current}
}

// pending lists what is pending for an address, newest first.
func (t *twice) pending(ctx context.Context, ring *Keyring, app string, to Address, purpose Purpose) ([]*Record, error) {
	var all []*Record
	for _, phone := range hashes(ring, to) {
		list, err := t.Pending(ctx, app, phone, purpose)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	if ring.Rotating() {
		slices.SortStableFunc(all, func(a, b *Record) int { return b.Created.Compare(a.Created) })
	}
	return all, nil
}

// Unlock lifts the lock-out and the hard stop of an address, under every hash that counts. It says whether there was one.
func Unlock(ctx context.Context, store Moves, ring *Keyring, to Address) (bool, error) {
	lifted := false
	for _, phone := range hashes(ring, to) {
		had, err := store.Unlock(ctx, phone)
		if err != nil {
			return false, err
		}
		lifted = lifted || had
	}
	return lifted, nil
}
