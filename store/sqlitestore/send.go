package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"countersign"
)

// Resend implements countersign.Moves.
func (s *Store) Resend(ctx context.Context, r *countersign.Resend) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.resend(r) })
}

func (m *move) resend(r *countersign.Resend) (*countersign.Outcome, error) {
	e, p, o, err := m.open(r.App, r.ID, r.Device, r.Request)
	if err != nil || o != nil {
		return o, err
	}
	if o = m.refuseResend(r, e, p); o != nil {
		return o, nil
	}
	if r.Hosted != e.Hosted {
		m.rehost(e, p, r.Hosted, "")
	}
	if r.Channel != "" {
		e.Channel = r.Channel
	}
	if c := r.NewCode; c != nil {
		e.CodeKey, e.Nonce, e.Tag = c.CodeKey, append([]byte(nil), c.Nonce...), c.Tag
	}
	e.Sends++
	if !r.Exempt {
		p.send(m.now)
	}
	e.Lease = time.Time{}
	if r.Lease > 0 {
		e.Lease = m.now.add(r.Lease).time()
	}
	m.changed(e)
	return m.remember(e, r.Request, m.outcome(countersign.OutcomeOK, e, p)), nil
}

// refuseResend gives nil when nothing refuses.
func (m *move) refuseResend(r *countersign.Resend, e *entry, p *phone) *countersign.Outcome {
	life := instantOf(e.Expires).until(m.now)
	switch {
	case e.Status.Final():
		return m.over(e, p)
	case p.locked():
		return m.later(countersign.OutcomeLocked, e, p, p.lockedFor(m.now))
	case e.Sends >= e.MaxSends:
		return m.outcome(countersign.OutcomeTooManySends, e, p)
	case r.NewCode == nil && life < r.MinLife:
		return m.outcome(countersign.OutcomeExpired, e, p)
	}
	if !r.Exempt {
		if refusal, wait := p.refuseSend(m.now); refusal != countersign.OutcomeOK {
			return m.later(refusal, e, p, wait)
		}
	}
	if m.now < instantOf(e.Lease) {
		return m.later(countersign.OutcomeBusy, e, p, instantOf(e.Lease).until(m.now))
	}
	return nil
}

// rehost writes whose code it is now, in the record and in the phone's list.
func (m *move) rehost(e *entry, p *phone, route, ref string) {
	e.Hosted, e.HostedRef = route, ref
	if route == "" {
		e.HostedScope = countersign.Hash{}
	}
	if i := p.find(e.ID); i >= 0 && (p.pending[i].hosted != route || p.pending[i].scope != e.HostedScope) {
		p.pending[i].hosted, p.pending[i].scope = route, e.HostedScope
		p.unwritten = true
	}
}

// Sent implements countersign.Moves.
func (s *Store) Sent(ctx context.Context, r *countersign.Sent) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.sent(r) })
}

// SentMany implements countersign.SentMany.
func (s *Store) SentMany(ctx context.Context, moves []*countersign.Sent) ([]*countersign.Outcome, error) {
	made, steps := make([]*countersign.Outcome, len(moves)), make([]func(*move) error, len(moves))
	for i, sent := range moves {
		steps[i] = func(m *move) (err error) {
			made[i], err = m.sent(sent)
			return err
		}
	}
	outcomes, failure := make([]*countersign.Outcome, len(moves)), error(nil)
	for i, err := range s.doAll(ctx, steps) {
		if err == nil {
			outcomes[i] = made[i] // of the others the writer may still be making some
		}
		failure = cmp.Or(failure, err)
	}
	return outcomes, failure
}

// keptDeliveries is how many deliveries a record keeps: the last ones.
const keptDeliveries = 10

func (m *move) sent(s *countersign.Sent) (*countersign.Outcome, error) {
	e, p, err := m.both("", s.ID)
	if errors.Is(err, countersign.ErrNotFound) {
		return m.outcome(countersign.OutcomeUnknown, nil, nil), nil
	}
	if err != nil {
		return nil, err
	}
	// What a vendor took is written down however late it is.
	m.lapse(e, p)
	e.deliver(s.Delivery)
	if e.Status.Final() {
		m.changed(e)
		return m.outcome(countersign.OutcomeOK, e, p), nil
	}
	if s.Channel != "" {
		e.Channel = s.Channel
	}
	m.rehost(e, p, s.Hosted, s.HostedRef)
	switch {
	case s.End != "":
		m.end(e, p, s.End)
	case s.KeepLease:
		if s.Lease > 0 && !e.Lease.IsZero() {
			e.Lease = m.now.add(s.Lease).time()
		}
		m.changed(e)
	default:
		e.Lease = time.Time{}
		m.changed(e)
	}
	return m.outcome(countersign.OutcomeOK, e, p), nil
}

// deliver merges a delivery: a receipt may have come before.
func (e *entry) deliver(d countersign.Delivery) {
	d.At = instantOf(d.At).time()
	i := e.delivery(d.ID, "")
	if i < 0 {
		if len(e.Deliveries) >= keptDeliveries {
			e.Deliveries = append(e.Deliveries[:0], e.Deliveries[len(e.Deliveries)-keptDeliveries+1:]...)
		}
		e.Deliveries = append(e.Deliveries, d)
		return
	}
	old := &e.Deliveries[i]
	old.Provider, old.Ref, old.Channel = d.Provider, d.Ref, d.Channel
	if d.Status.Rank() > old.Status.Rank() {
		old.Status, old.At = d.Status, d.At
		old.Detail = d.Detail
	} else if old.Detail == "" {
		old.Detail = d.Detail
	}
}

// delivery finds one by our id, else by the vendor's; -1 when there is none.
func (e *entry) delivery(id, ref string) int {
	for i := range e.Deliveries {
		if id != "" && e.Deliveries[i].ID == id {
			return i
		}
	}
	for i := range e.Deliveries {
		if ref != "" && e.Deliveries[i].Ref == ref {
			return i
		}
	}
	return -1
}

// Receipt implements countersign.Moves.
func (s *Store) Receipt(ctx context.Context, r *countersign.Receipt) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.receipt(r) })
}

func (m *move) receipt(r *countersign.Receipt) (*countersign.Outcome, error) {
	e, p, err := m.both("", r.ID)
	if errors.Is(err, countersign.ErrNotFound) {
		return m.outcome(countersign.OutcomeUnknown, nil, nil), nil
	}
	if err != nil {
		return nil, err
	}
	m.lapse(e, p)
	at := instantOf(r.At).time()
	if at.IsZero() {
		at = m.now.time()
	}
	i := e.delivery(r.DeliveryID, r.Ref)
	switch {
	case i < 0 && r.DeliveryID == "":
		return m.outcome(countersign.OutcomeUnknown, e, p), nil
	case i < 0:
		// The receipt overtook the answer to the send, which fills in the rest.
		e.deliver(countersign.Delivery{ID: r.DeliveryID, Channel: e.Channel, Ref: r.Ref, Status: r.Status, At: at, Detail: r.Detail})
		m.changed(e)
	case r.Status.Rank() > e.Deliveries[i].Status.Rank():
		d := &e.Deliveries[i]
		d.Status, d.Detail, d.At = r.Status, r.Detail, at
		m.changed(e)
	}
	return m.outcome(countersign.OutcomeOK, e, p), nil
}
