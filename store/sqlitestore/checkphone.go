package sqlitestore

import (
	"context"

	"countersign"
)

// CheckPhone implements countersign.Moves.
func (s *Store) CheckPhone(ctx context.Context, c *countersign.CheckPhone) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.checkPhone(c) })
}

func (m *move) checkPhone(c *countersign.CheckPhone) (*countersign.Outcome, error) {
	p, err := m.phone(c.Phone)
	if err != nil {
		return nil, err
	}
	p.ask(c.Device, c.App)
	if o, err := m.recallPhone(p, c.Request); o != nil || err != nil {
		return o, err
	}
	open, ended, err := m.candidates(c, p)
	if err != nil {
		return nil, err
	}
	var fit []*entry
	for _, e := range open {
		if e.fits(c.Shape, c.Length) {
			fit = append(fit, e)
		}
	}
	var o *countersign.Outcome
	switch {
	case len(open) == 0:
		o = m.outcome(countersign.OutcomeNone, nil, p)
	case len(fit) == 0:
		o = m.outcome(countersign.OutcomeShape, nil, p)
	case p.locked():
		o = m.later(countersign.OutcomeLocked, nil, p, p.lockedFor(m.now))
	default:
		o = m.compareAll(c, fit, p)
	}
	o.Ended = append(ended, o.Ended...)
	return o, nil
}

// recallPhone answers a repeated request from the phone's memory.
func (m *move) recallPhone(p *phone, q countersign.Request) (*countersign.Outcome, error) {
	r := p.memory.find(q, m.now)
	if r == nil {
		return nil, nil
	}
	e, err := m.record(r.id)
	if err != nil {
		return nil, err
	}
	if o := m.recall(e, p, r, q); o != nil {
		return o, nil
	}
	p.memory = p.memory.forget(q.Key)
	p.unwritten = true
	return nil, nil
}

// candidates gives the pending records that the guess is for, newest first, and ends those whose time ran out.
func (m *move) candidates(c *countersign.CheckPhone, p *phone) (open []*entry, ended []*countersign.Record, err error) {
	var ids []string
	for i := len(p.pending) - 1; i >= 0; i-- {
		l := &p.pending[i]
		if _, named := c.Tags[l.id]; named && l.app == c.App && l.purpose == c.Purpose {
			ids = append(ids, l.id)
		}
	}
	for _, id := range ids {
		e, err := m.record(id)
		switch {
		case err != nil:
			return nil, nil, err
		case e == nil:
		case m.lapse(e, p):
			ended = append(ended, e.answer())
		case m.now < instantOf(e.Expires):
			open = append(open, e)
		}
	}
	return open, ended, nil
}

// compareAll makes one guess of the phone and of each record with a code of ours. Only where there is none is a
// vendor asked, about one.
func (m *move) compareAll(c *countersign.CheckPhone, fit []*entry, p *phone) *countersign.Outcome {
	var own []*entry
	var free *entry
	for _, e := range fit {
		switch {
		case e.Hosted == "":
			own = append(own, e)
		case free == nil && m.now >= e.checkLease:
			free = e
		}
	}
	switch {
	case len(own) > 0:
		return m.compareOwn(c, own, p)
	case free == nil:
		return m.outcome(countersign.OutcomeBusy, nil, p)
	}
	m.count(free, p)
	return m.rememberPhone(p, c.Request, m.reserve(free, p, c.Lease))
}

func (m *move) compareOwn(c *countersign.CheckPhone, own []*entry, p *phone) *countersign.Outcome {
	p.guess(m.now)
	p.unwritten = true
	answer, result := own[0], countersign.OutcomeIncorrect
	for _, e := range own {
		e.Checks++
		if result == countersign.OutcomeIncorrect && matches(e.Tag, c.Tags[e.ID]) {
			answer, result = e, countersign.OutcomeApproved
		}
	}
	var ended []*countersign.Record
	most := 0
	for _, e := range own {
		if e == answer && result == countersign.OutcomeApproved {
			m.approve(e, p, c.JTI, countersign.Hash{})
			continue
		}
		m.wrong(e, p)
		if e.Status.Final() && e != answer {
			ended = append(ended, e.answer())
		}
	}
	for _, e := range own {
		most = max(most, left(e, p))
	}
	o := m.outcome(result, answer, p)
	o.Ended = ended
	if result == countersign.OutcomeIncorrect {
		o.ChecksLeft = most
	}
	return m.rememberPhone(p, c.Request, o)
}

// rememberPhone keeps an answer in the phone's memory.
func (m *move) rememberPhone(p *phone, q countersign.Request, o *countersign.Outcome) *countersign.Outcome {
	if !q.Key.IsZero() {
		p.memory = p.memory.keep(q, remembered{result: o.Result, checksLeft: o.ChecksLeft, id: o.Record.ID}, m.now)
		p.unwritten = true
	}
	return o
}
