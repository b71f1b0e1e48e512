package sqlitestore

import (
	"context"
	"crypto/subtle"
	"time"

	"countersign"
)

// Check implements countersign.Moves.
func (s *Store) Check(ctx context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.check(c) })
}

func (m *move) check(c *countersign.Check) (*countersign.Outcome, error) {
	e, p, o, err := m.open(c.App, c.ID, c.Device, c.Request)
	if err != nil || o != nil {
		return o, err
	}
	switch {
	case m.repeats(e, c):
		return m.remember(e, c.Request, m.outcome(countersign.OutcomeRepeated, e, p)), nil
	case e.Status.Final():
		return m.over(e, p), nil
	case !e.fits(c.Shape, c.Length):
		return m.outcome(countersign.OutcomeShape, e, p), nil
	case p.locked():
		return m.later(countersign.OutcomeLocked, e, p, p.lockedFor(m.now)), nil
	case e.Hosted != "" && m.now < e.checkLease:
		return m.outcome(countersign.OutcomeBusy, e, p), nil
	}
	m.count(e, p)
	switch {
	case e.Hosted != "":
		o = m.reserve(e, p, c.Lease)
	case matches(e.Tag, c.Tags):
		m.approve(e, p, c.JTI, c.Caller)
		o = m.outcome(countersign.OutcomeApproved, e, p)
	default:
		m.wrong(e, p)
		o = m.outcome(countersign.OutcomeIncorrect, e, p)
	}
	return m.remember(e, c.Request, o), nil
}

// repeats says whether this is the answered correct check again: by the same caller, within RepeatWindow.
func (m *move) repeats(e *entry, c *countersign.Check) bool {
	return e.Status == countersign.StatusApproved && !c.Caller.IsZero() && c.Caller == e.ApprovedBy &&
		e.Purpose != countersign.PurposeTransaction && m.now <= instantOf(e.Ended).add(countersign.RepeatWindow) && matches(e.Tag, c.Tags)
}

// fits says whether a guess has the shape of the record's code. Of a vendor's code only the channel is known.
func (e *entry) fits(s countersign.Shape, length int) bool {
	switch {
	case e.Hosted == "":
		return countersign.FitsShape(s, length, e.Alphabet, e.Length)
	case e.Channel == countersign.ChannelFlashCall:
		return s == countersign.ShapeCaller || s == countersign.ShapeDigits && length >= 4 && length <= 15
	}
	return s != countersign.ShapeCaller && length >= 4 && length <= 10
}

// matches compares the candidate of the key that made the code, in constant time.
func matches(tag countersign.Tag, candidates []countersign.Tag) bool {
	for i := range candidates {
		if candidates[i].Key == tag.Key {
			return subtle.ConstantTimeCompare(candidates[i].Sum[:], tag.Sum[:]) == 1
		}
	}
	return false
}

// count counts a guess on the record and its phone, before anything is compared.
func (m *move) count(e *entry, p *phone) {
	e.Checks++
	p.guess(m.now)
	p.unwritten = true
}

// wrong writes a wrong guess down; the last one ends the record.
func (m *move) wrong(e *entry, p *phone) {
	if e.Checks >= e.MaxChecks {
		m.end(e, p, countersign.StatusFailed)
		return
	}
	m.changed(e)
}

// reserve holds a counted guess until the vendor has answered, or until the lease is over.
func (m *move) reserve(e *entry, p *phone, lease time.Duration) *countersign.Outcome {
	e.checkLease = m.now.add(lease)
	m.changed(e)
	return m.outcome(countersign.OutcomeReserved, e, p)
}

// Settle implements countersign.Moves.
func (s *Store) Settle(ctx context.Context, r *countersign.Settle) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.settle(r) })
}

func (m *move) settle(s *countersign.Settle) (*countersign.Outcome, error) {
	e, p, err := m.both(s.App, s.ID)
	if err != nil {
		return nil, err
	}
	if r := e.memory.find(s.Request, m.now); r != nil && (r.result != countersign.OutcomeReserved || r.body != s.Request.Body) {
		return m.recall(e, p, r, s.Request), nil
	}
	if e.checkLease == 0 {
		switch {
		case m.lapse(e, p) || e.Status.Final():
			return m.over(e, p), nil
		default:
			return m.outcome(countersign.OutcomeBusy, e, p), nil
		}
	}
	var o *countersign.Outcome
	switch {
	case s.Approved:
		m.approve(e, p, s.JTI, s.Caller)
		o = m.outcome(countersign.OutcomeApproved, e, p)
	case s.End != "":
		m.end(e, p, s.End)
		o = m.outcome(countersign.OutcomeIncorrect, e, p)
	default:
		e.checkLease = 0
		m.wrong(e, p)
		o = m.outcome(countersign.OutcomeIncorrect, e, p)
	}
	m.settleMemory(p, s.Request, o)
	return m.remember(e, s.Request, o), nil
}

// settleMemory writes the result where CheckPhone remembered the reservation.
func (m *move) settleMemory(p *phone, q countersign.Request, o *countersign.Outcome) {
	if r := p.memory.find(q, m.now); r != nil && r.id == o.Record.ID && r.result == countersign.OutcomeReserved {
		r.result, r.checksLeft = o.Result, o.ChecksLeft
		p.unwritten = true
	}
}

// Cancel implements countersign.Moves.
func (s *Store) Cancel(ctx context.Context, c *countersign.Cancel) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.cancel(c) })
}

func (m *move) cancel(c *countersign.Cancel) (*countersign.Outcome, error) {
	e, p, o, err := m.open(c.App, c.ID, nil, c.Request)
	if err != nil || o != nil {
		return o, err
	}
	switch {
	case e.Status == c.Status && c.Status != countersign.StatusCanceled:
		o = m.outcome(countersign.OutcomeOK, e, p)
		o.Replayed = true
		return o, nil
	case e.Status.Final():
		return m.over(e, p), nil
	}
	m.end(e, p, c.Status)
	return m.remember(e, c.Request, m.outcome(countersign.OutcomeOK, e, p)), nil
}
