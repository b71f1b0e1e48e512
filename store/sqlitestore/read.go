package sqlitestore

import (
	"context"
	"database/sql/driver"
	"time"

	"countersign"
)

// reader is a connection for reads. One statement is one snapshot of the file.
type reader struct {
	c             *conn
	lookup, phone *stmt
}

func newReader(path string, timeout time.Duration) (*reader, error) {
	c, err := dial(path, timeout, "query_only(1)")
	if err != nil {
		return nil, err
	}
	r := &reader{c: c}
	r.lookup, err = c.prepare("SELECT "+recordColumns+", p.packed, m.cutoff FROM hot_records r "+
		"LEFT JOIN hot_phones p ON p.phone = r.phone CROSS JOIN hot_meta m WHERE r.id = ?", 12)
	if err == nil {
		r.phone, err = c.prepare("SELECT packed FROM hot_phones WHERE phone = ?", 1)
	}
	if err != nil {
		_ = c.close() // the first error tells
		return nil, explain(err)
	}
	return r, nil
}

// read lends a reader.
func (s *Store) read(ctx context.Context, use func(r *reader) error) error {
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-s.closing:
		return unavailable(ErrClosed)
	default:
	}
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return unavailable(use(r))
	case <-s.closing:
		return unavailable(ErrClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-timer.C:
		return unavailable(errSlow)
	}
}

// seen is a record as a reader sees it: what ended by time is shown as ended, and nothing is written.
func seen(e *entry, cutoff, now instant) *entry {
	switch {
	case e.Status.Final():
	case instantOf(e.Created) <= cutoff:
		e.Status, e.Ended = countersign.StatusCanceled, now.time()
	case now >= instantOf(e.Expires):
		e.Status, e.Ended = countersign.StatusExpired, e.Expires
	}
	return e
}

// Lookup implements countersign.Moves.
func (s *Store) Lookup(ctx context.Context, id string) (*countersign.Outcome, bool, error) {
	var o *countersign.Outcome
	err := s.read(ctx, func(r *reader) (err error) {
		o, err = r.outcome(id, s.clock)
		return err
	})
	return o, o != nil && err == nil, err
}

// outcome gives nil when there is no such record.
func (r *reader) outcome(id string, clock *clock) (o *countersign.Outcome, err error) {
	_, err = r.lookup.one(func(row []driver.Value) error {
		e, err := scanRecord(row)
		if err != nil {
			return err
		}
		p := &phone{hash: e.Phone}
		if packed := asBytes(row[10]); packed != nil {
			if err := p.unpack(packed); err != nil {
				return err
			}
		}
		now := clock.now()
		p.age(now)
		e = seen(e, instant(asInt(row[11])), now)
		o = &countersign.Outcome{Record: e.answer(), Phone: p.state(now), Now: now.time(), ChecksLeft: left(e, p)}
		return nil
	}, id)
	return o, err
}

// Pending implements countersign.Moves.
func (s *Store) Pending(ctx context.Context, app string, hash countersign.Hash, purpose countersign.Purpose) ([]*countersign.Record, error) {
	var records []*countersign.Record
	err := s.read(ctx, func(r *reader) error {
		p := &phone{hash: hash}
		if _, err := r.phone.one(func(row []driver.Value) error { return p.unpack(asBytes(row[0])) }, hash[:]); err != nil {
			return err
		}
		for i := len(p.pending) - 1; i >= 0; i-- {
			l := &p.pending[i]
			if l.app != app || purpose != "" && l.purpose != purpose {
				continue
			}
			o, err := r.outcome(l.id, s.clock)
			if err != nil {
				return err
			}
			// It may have ended since the list was read.
			if o != nil && o.Record.Status == countersign.StatusPending {
				records = append(records, o.Record)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}
