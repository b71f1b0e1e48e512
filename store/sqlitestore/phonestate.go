package sqlitestore

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"countersign"
)

// PhoneState implements countersign.PhoneStater.
func (s *Store) PhoneState(ctx context.Context, hash countersign.Hash) (state countersign.PhoneState, now time.Time, err error) {
	err = s.do(ctx, func(m *move) error {
		p, err := m.phone(hash)
		if err == nil {
			state, now = p.state(m.now), m.now.time()
		}
		return err
	})
	return state, now, err
}

// Streaks lists the phones that have had at least so many wrong guesses in a row. It visits every phone.
func (s *Store) Streaks(ctx context.Context, least int) ([]countersign.Streak, error) {
	var list []countersign.Streak
	err := s.do(ctx, func(m *move) error {
		return m.eachPhone(func(p *phone) error {
			if p.age(m.now); p.streak >= least {
				list = append(list, countersign.Streak{Phone: p.hash, Count: p.streak, Last: p.streakAt.time()})
			}
			return nil
		})
	})
	return list, err
}

// eachPhone visits every phone that the file knows, a slice at a time.
func (m *move) eachPhone(visit func(*phone) error) error {
	if err := m.b.flush(); err != nil {
		return err
	}
	for after := []byte{}; after != nil; {
		var hashes []countersign.Hash
		err := m.b.t.walkPhones.each(func(row []driver.Value) error {
			var h countersign.Hash
			copy(h[:], asBytes(row[0]))
			hashes = append(hashes, h)
			return nil
		}, after, int64(purgeSlice))
		if err != nil {
			return err
		}
		after = nil
		for _, h := range hashes {
			p, err := m.b.t.phone(h)
			if err == nil {
				err = visit(p)
			}
			if err != nil {
				return err
			}
			after = slices.Clone(h[:])
		}
	}
	return nil
}
