package sqlitestore

import (
	"time"

	"countersign"
)

// move is one indivisible step. It works on copies of rows, so that a step that fails leaves nothing behind; the
// copies become the batch's rows when the step is done.
type move struct {
	b       *batch
	now     instant
	records []*entry
	phones  []*phone
	rates   []rateChange
	keys    []keyChange
}

// done hands the move's copies to the batch.
func (m *move) done() {
	b := m.b
	for _, e := range m.records {
		if e.unwritten {
			b.records[e.ID] = e
			b.writeRecords = append(b.writeRecords, e.ID)
		}
	}
	for _, p := range m.phones {
		if p.unwritten {
			b.phones[p.hash] = p
			b.writePhones = append(b.writePhones, p.hash)
		}
	}
	for _, c := range m.rates {
		b.rates[c.key] = c.to
		b.writeRates = append(b.writeRates, c.key)
	}
	for _, c := range m.keys {
		b.keys[c.key] = c.to
		b.writeKeys = append(b.writeKeys, c.key)
	}
}

// record gives the move's copy; nil when there is none.
func (m *move) record(id string) (*entry, error) {
	for _, e := range m.records {
		if e.ID == id {
			return e, nil
		}
	}
	e, err := m.b.record(id)
	if err != nil || e == nil {
		return nil, err
	}
	e = e.copy()
	m.records = append(m.records, e)
	return e, nil
}

// phone gives the move's copy, without what is over.
func (m *move) phone(hash countersign.Hash) (*phone, error) {
	for _, p := range m.phones {
		if p.hash == hash {
			return p, nil
		}
	}
	p, err := m.b.phone(hash)
	if err != nil {
		return nil, err
	}
	p = p.copy()
	p.age(m.now)
	m.phones = append(m.phones, p)
	return p, nil
}

// both finds a record and its phone. An app that is given must be the record's.
func (m *move) both(app, id string) (*entry, *phone, error) {
	if err := m.b.read(id); err != nil {
		return nil, nil, err
	}
	e, err := m.record(id)
	if err != nil {
		return nil, nil, err
	}
	if e == nil || app != "" && app != e.App {
		return nil, nil, notFound()
	}
	p, err := m.phone(e.Phone)
	return e, p, err
}

// changed marks a change of a record: it gets the next Seq, and an outbox entry if it is final.
func (m *move) changed(e *entry) {
	e.Seq++
	e.unwritten = true
	if e.Status.Final() {
		e.outSeq, e.outAt = e.Seq, m.now
	}
	e.schedule()
}

// end moves a pending record to a final status.
func (m *move) end(e *entry, p *phone, to countersign.Status) {
	e.Status = to
	e.Ended = m.now.time()
	e.Lease = time.Time{}
	e.checkLease = 0
	p.drop(e.ID)
	p.unwritten = true
	m.changed(e)
}

// approve ends a record as approved, once.
func (m *move) approve(e *entry, p *phone, jti string, caller countersign.Hash) {
	e.JTI, e.ApprovedBy, e.IssuedAt = jti, caller, m.now.time()
	p.streak = 0
	m.end(e, p, countersign.StatusApproved)
}

// lapse ends a pending record whose time ran out, or that began before the machine's clock was set back. It says
// whether it did. A guess that a vendor is being asked about was in time, so it holds the end up.
func (m *move) lapse(e *entry, p *phone) bool {
	switch {
	case e.Status.Final():
		return false
	case instantOf(e.Created) <= m.b.meta.cutoff:
		m.end(e, p, countersign.StatusCanceled)
	case m.now >= instantOf(e.Expires) && m.now >= e.checkLease:
		m.end(e, p, countersign.StatusExpired)
	default:
		return false
	}
	return true
}

// left is the guesses that the record and its phone both have.
func left(e *entry, p *phone) int {
	if e.Status.Final() {
		return 0
	}
	return max(0, min(e.MaxChecks-e.Checks, p.checksLeft()))
}

// outcome answers with the record and the phone as they are.
func (m *move) outcome(r countersign.Result, e *entry, p *phone) *countersign.Outcome {
	o := &countersign.Outcome{Result: r, Now: m.now.time()}
	if p != nil {
		o.Phone = p.state(m.now)
	}
	if e != nil {
		o.Record = e.answer()
		o.ChecksLeft = left(e, p)
	}
	return o
}

// later answers with a refusal that waiting helps.
func (m *move) later(r countersign.Result, e *entry, p *phone, d time.Duration) *countersign.Outcome {
	o := m.outcome(r, e, p)
	o.RetryAfter = d
	return o
}

// over answers for a record that has ended.
func (m *move) over(e *entry, p *phone) *countersign.Outcome {
	if e.Status == countersign.StatusExpired {
		return m.outcome(countersign.OutcomeExpired, e, p)
	}
	return m.outcome(countersign.OutcomeClosed, e, p)
}

// open does what every move on a record does first: it finds the record, answers from the request's memory, and
// ends the record if its time ran out. An outcome in the result is the move's answer.
func (m *move) open(app, id string, d *countersign.Device, q countersign.Request) (*entry, *phone, *countersign.Outcome, error) {
	e, p, err := m.both(app, id)
	if err != nil {
		return nil, nil, nil, err
	}
	p.ask(d, app)
	if r := e.memory.find(q, m.now); r != nil {
		if o := m.recall(e, p, r, q); o != nil {
			return e, p, o, nil
		}
		e.memory = e.memory.forget(q.Key)
	}
	if m.lapse(e, p) {
		return e, p, m.over(e, p), nil
	}
	return e, p, nil, nil
}

// recall answers again. It gives nil for a reservation that nobody settled in time: the move starts over.
func (m *move) recall(e *entry, p *phone, r *remembered, q countersign.Request) *countersign.Outcome {
	switch {
	case r.body != q.Body:
		return m.outcome(countersign.OutcomeMismatch, e, p)
	case r.result != countersign.OutcomeReserved:
		o := m.outcome(r.result, e, p)
		o.Replayed, o.ChecksLeft = true, r.checksLeft
		return o
	case e != nil && m.now < e.checkLease:
		return m.outcome(countersign.OutcomeBusy, e, p)
	}
	return nil
}

// remember keeps an answer for the request's repeat.
func (m *move) remember(e *entry, q countersign.Request, o *countersign.Outcome) *countersign.Outcome {
	if !q.Key.IsZero() {
		e.memory = e.memory.keep(q, remembered{result: o.Result, checksLeft: o.ChecksLeft}, m.now)
		e.unwritten = true
	}
	return o
}
