package sqlitestore

import (
	"context"
	"errors"
	"slices"
	"time"

	"countersign"
)

// Begin implements countersign.Moves.
func (s *Store) Begin(ctx context.Context, b *countersign.Begin) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.begin(b) })
}

func (m *move) begin(b *countersign.Begin) (*countersign.Outcome, error) {
	p, err := m.phone(b.Record.Phone)
	if err != nil {
		return nil, err
	}
	before, err := m.record(b.Record.ID)
	if err != nil {
		return nil, err
	}
	p.ask(b.Device, b.Record.App)
	if before != nil {
		return m.beginAgain(b, before, p)
	}
	if p.locked() {
		return m.later(countersign.OutcomeLocked, nil, p, p.lockedFor(m.now)), nil
	}
	if !b.Exempt {
		if r, wait := p.refuseSend(m.now); r != countersign.OutcomeOK {
			return m.later(r, nil, p, wait), nil
		}
	}
	if wait, full := m.tooManyPending(b, p); full {
		return m.later(countersign.OutcomePending, nil, p, wait), nil
	}
	r := *b.Record
	ending, wait := m.takeOver(b, &r, p)
	if wait > 0 {
		return m.later(countersign.OutcomeHostedTaken, nil, p, wait), nil
	}
	ended, err := m.endAll(ending, p)
	if err != nil {
		return nil, err
	}
	o := m.outcome(countersign.OutcomeOK, m.insert(b, r, p), p)
	o.Ended = ended
	return o, nil
}

// beginAgain answers for an id that is known: the same start once more. When the first one died before it sent
// anything, this one may send.
func (m *move) beginAgain(b *countersign.Begin, e *entry, p *phone) (*countersign.Outcome, error) {
	if e.App != b.Record.App || e.Phone != b.Record.Phone {
		return nil, &countersign.Error{Kind: countersign.ErrInternal, Err: errors.New("a verification's id is in use for another app or phone")}
	}
	idle := e.Status == countersign.StatusPending && len(e.Deliveries) == 0 && m.now >= instantOf(e.Lease)
	if idle && b.Lease > 0 {
		e.Lease = m.now.add(b.Lease).time()
		m.changed(e)
	}
	o := m.outcome(countersign.OutcomeOK, e, p)
	o.Replayed = true
	return o, nil
}

// open says whether a listed record has time left.
func (e *pending) open(now instant) bool { return now < e.expires }

// superseded says whether the start ends this one.
func superseded(b *countersign.Begin, e *pending) bool {
	return b.Supersede && e.app == b.Record.App && e.face == b.Record.Face
}

// tooManyPending counts what stays open beside the new one.
func (m *move) tooManyPending(b *countersign.Begin, p *phone) (wait time.Duration, full bool) {
	n, first := 0, forever
	for i := range p.pending {
		e := &p.pending[i]
		if e.app == b.Record.App && e.open(m.now) && !superseded(b, e) {
			n++
			first = min(first, e.expires)
		}
	}
	if n < countersign.MaxPending {
		return 0, false
	}
	return first.until(m.now), true
}

// takeOver lists what the new record ends: what it supersedes, and the holder of the vendor's verification, of
// which there is one a phone. A holder of another scope keeps it: then the new record uses its own code, or waits.
func (m *move) takeOver(b *countersign.Begin, r *countersign.Record, p *phone) (ending []string, wait time.Duration) {
	for i := range p.pending {
		e := &p.pending[i]
		if !e.open(m.now) {
			continue
		}
		if r.Hosted != "" && e.hosted == r.Hosted {
			switch {
			case e.scope == r.HostedScope:
				ending = append(ending, e.id)
				continue
			case !b.OwnCode:
				return nil, e.expires.until(m.now)
			}
			r.Hosted, r.HostedScope = "", countersign.Hash{}
		}
		if superseded(b, e) {
			ending = append(ending, e.id)
		}
	}
	return ending, 0
}

func (m *move) endAll(ids []string, p *phone) ([]*countersign.Record, error) {
	var ended []*countersign.Record
	for _, id := range ids {
		e, err := m.record(id)
		if err != nil {
			return nil, err
		}
		if e == nil {
			p.drop(id)
			continue
		}
		if m.lapse(e, p) {
			ended = append(ended, e.answer())
			continue
		}
		m.end(e, p, countersign.StatusCanceled)
		ended = append(ended, e.answer())
	}
	return ended, nil
}

// insert saves a new record and counts its send.
func (m *move) insert(b *countersign.Begin, r countersign.Record, p *phone) *entry {
	r.Status = countersign.StatusPending
	r.Created = m.now.time()
	r.Expires = m.now.add(b.Lifetime).time()
	r.Sends, r.Seq = 1, 1
	r.Lease = time.Time{}
	if b.Lease > 0 {
		r.Lease = m.now.add(b.Lease).time()
	}
	r.Nonce, r.TxnHash, r.Sealed = slices.Clone(r.Nonce), slices.Clone(r.TxnHash), slices.Clone(r.Sealed)
	e := &entry{Record: r, outSeq: 1, outAt: m.now, unwritten: true}
	e.schedule()
	m.records = append(m.records, e)
	p.pending = append(p.pending, pending{
		id: r.ID, app: r.App, hosted: r.Hosted, face: r.Face, purpose: r.Purpose, scope: r.HostedScope, expires: instantOf(r.Expires),
	})
	if !b.Exempt {
		p.send(m.now)
	}
	p.unwritten = true
	return e
}
