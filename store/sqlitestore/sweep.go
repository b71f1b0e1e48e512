package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"time"

	"countersign"
)

// purgeSlice is how many rows of each of phones, rates and keys one Sweep looks at for what nobody needs any more.
const purgeSlice = 500

// Sweep implements countersign.Moves. It also removes what ended long enough ago, and what has been forgotten.
func (s *Store) Sweep(ctx context.Context, lease time.Duration, most int) ([]*countersign.Record, error) {
	var swept []*countersign.Record
	err := s.do(ctx, func(m *move) (err error) {
		swept, err = m.sweep(lease, most)
		if err == nil {
			err = s.purge.run(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return swept, nil
}

func (m *move) sweep(lease time.Duration, most int) ([]*countersign.Record, error) {
	ids, err := m.list(m.b.t.dueRecords, int64(m.now), int64(2*most))
	if err != nil {
		return nil, err
	}
	var swept []*countersign.Record
	for _, id := range ids {
		if len(swept) >= most {
			break
		}
		e, p, err := m.both("", id)
		if errors.Is(err, errPacked) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch {
		case e.Status.Final() && e.outSeq != 0 && m.now < instantOf(e.Ended).add(unacknowledgedRetention):
			e.due = instantOf(e.Ended).add(unacknowledgedRetention)
			e.unwritten = true
		case e.Status.Final():
			// What is due of an ended record is its removal.
			delete(m.b.records, id)
			if err := m.b.t.deleteRecord.run(e.place); err != nil {
				return nil, err
			}
		case m.lapse(e, p):
			swept = append(swept, e.answer())
		case !e.Lease.IsZero() && m.now >= e.claimable():
			e.Lease = m.now.add(lease).time()
			m.changed(e)
			swept = append(swept, e.answer())
		default:
			e.schedule() // it was due by a rule that no longer holds
			e.unwritten = true
		}
	}
	return swept, nil
}

// list writes what the batch has changed so far and asks SQL for ids.
func (m *move) list(s *stmt, args ...driver.Value) (ids []string, err error) {
	if err = m.b.flush(); err != nil {
		return nil, err
	}
	err = s.each(func(row []driver.Value) error { ids = append(ids, asText(row[0])); return nil }, args...)
	return ids, err
}

// purge walks over phones, rates and keys, a slice at a time, and removes those whose time is over. An index would
// cost every move a write; this costs a sweep a little reading.
type purge struct{ phones, rates, keys []byte }

func (p *purge) run(m *move) (err error) {
	t := m.b.t
	for _, w := range []struct {
		at           *[]byte
		walk, remove *stmt
	}{{&p.phones, t.walkPhones, t.deletePhone}, {&p.rates, t.walkRates, t.deleteRate}, {&p.keys, t.walkKeys, t.deleteKey}} {
		if *w.at, err = m.purge(*w.at, w.walk, w.remove); err != nil {
			return err
		}
	}
	return nil
}

// purge looks at the rows after a place and gives the place where the next one goes on.
func (m *move) purge(after []byte, walk, remove *stmt) ([]byte, error) {
	if after == nil {
		after = []byte{}
	}
	var over [][]byte
	var last []byte
	n := 0
	err := walk.each(func(row []driver.Value) error {
		n++
		last = append(last[:0], asBytes(row[0])...)
		if instant(asInt(row[1])) <= m.now {
			over = append(over, slices.Clone(last))
		}
		return nil
	}, after, int64(purgeSlice))
	if err != nil {
		return nil, err
	}
	for _, key := range over {
		if err := remove.run(key); err != nil {
			return nil, err
		}
	}
	if n < purgeSlice {
		return nil, nil
	}
	return last, nil
}

// Outbox implements countersign.Moves.
func (s *Store) Outbox(ctx context.Context, age time.Duration, most int) ([]*countersign.Record, error) {
	var records []*countersign.Record
	err := s.do(ctx, func(m *move) error {
		ids, err := m.list(m.b.t.outRecords, int64(m.now.add(-age)), int64(most))
		if err != nil {
			return err
		}
		for _, id := range ids {
			e, err := m.record(id)
			if errors.Is(err, errPacked) {
				continue
			}
			if err != nil {
				return err
			}
			records = append(records, e.answer())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Acknowledge implements countersign.Moves.
func (s *Store) Acknowledge(ctx context.Context, done []*countersign.Record) error {
	if len(done) == 0 {
		return nil
	}
	return s.do(ctx, func(m *move) error {
		for _, r := range done {
			if err := m.acknowledge(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// acknowledge forgets an outbox entry. A record that no move of this transaction has touched is changed where it lies: most
// of them are in the log long after, and reading one costs more than that.
func (m *move) acknowledge(r *countersign.Record) error {
	if _, touched := m.b.records[r.ID]; !touched {
		return m.b.t.logged.run(r.ID, int64(r.Seq))
	}
	e, err := m.record(r.ID)
	if err != nil {
		return err
	}
	if e != nil && e.outSeq != 0 && e.outSeq <= r.Seq {
		e.outSeq, e.outAt = 0, 0
		e.unwritten = true
	}
	return nil
}

// Unlock implements countersign.Moves.
func (s *Store) Unlock(ctx context.Context, hash countersign.Hash) (bool, error) {
	was := false
	err := s.do(ctx, func(m *move) error {
		p, err := m.phone(hash)
		if err != nil {
			return err
		}
		was = p.locked()
		p.guesses, p.streak = nil, 0
		for _, d := range p.devices {
			d.guesses = nil
		}
		p.unwritten = true
		return nil
	})
	if err != nil {
		return false, err
	}
	return was, nil
}

// ForgetLimits implements countersign.Moves. It visits every phone.
func (s *Store) ForgetLimits(ctx context.Context) error {
	return s.do(ctx, func(m *move) error {
		err := m.eachPhone(func(p *phone) error {
			p.sends, p.guesses, p.streak, p.devices = nil, nil, 0, nil
			return m.b.t.writePhone(p, m.now)
		})
		if err != nil {
			return err
		}
		m.b.dirty = true
		return m.b.t.noRates.run()
	})
}
