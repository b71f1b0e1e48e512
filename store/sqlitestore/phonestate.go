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

// HardStops lists the phones that a hundred wrong guesses in a row have stopped, and until when. It visits every phone.
func (s *Store) HardStops(ctx context.Context) (map[countersign.Hash]time.Time, error) {
	stops := map[countersign.Hash]time.Time{}
	err := s.do(ctx, func(m *move) error {
		return m.eachPhone(func(p *phone) error {
			if p.age(m.now); p.hard() {
				stops[p.hash] = p.streakAt.add(countersign.StreakLifetime).time()
			}
			return nil
		})
	})
	return stops, err
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
