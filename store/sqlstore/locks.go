package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"countersign"
)

// This file mirrors the phones whose guesses are used up, or nearly, so that a hot store that has forgotten them can
// be told again before it answers a check.

// PhoneLock is what a phone's guesses have come to.
type PhoneLock struct {
	Phone   countersign.Hash
	Streak  int         // wrong guesses in a row
	Guesses []time.Time // compared ones of the last 24 hours
	Until   time.Time   // the end of the lock-out; zero without one
}

// SaveLocks stores the state of phones, the last one given for each. One without a streak, guesses and lock-out is
// forgotten.
func (d *DB) SaveLocks(ctx context.Context, locks []PhoneLock) error {
	list := slices.Clone(locks)
	slices.Reverse(list) // so that the stable sort puts the last one given first
	slices.SortStableFunc(list, func(a, b PhoneLock) int { return bytes.Compare(a.Phone[:], b.Phone[:]) })
	list = slices.CompactFunc(list, func(a, b PhoneLock) bool { return a.Phone == b.Phone })
	now := instant(d.opts.Now())
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		for _, l := range list {
			if err := saveLock(ctx, tx, l, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveLock(ctx context.Context, tx *sql.Tx, l PhoneLock, now int64) error {
	if l.Streak == 0 && len(l.Guesses) == 0 && l.Until.IsZero() {
		_, err := tx.ExecContext(ctx, `DELETE FROM phone_locks WHERE phone = $1`, l.Phone[:])
		return err
	}
	guesses := make([]int64, len(l.Guesses))
	for i, g := range l.Guesses {
		guesses[i] = instant(g)
	}
	text, err := json.Marshal(guesses)
	if err != nil {
		return refusal{fmt.Errorf("encoding a phone's guesses: %w", err)}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO phone_locks (phone, streak, guesses, until_at, saved) VALUES ($1, $2, $3, $4, $5)
 ON CONFLICT (phone) DO UPDATE SET streak = excluded.streak, guesses = excluded.guesses, until_at = excluded.until_at, saved = excluded.saved`,
		l.Phone[:], l.Streak, string(text), instant(l.Until), now)
	return err
}

// Locks are all phones that SaveLocks knows.
func (d *DB) Locks(ctx context.Context) ([]PhoneLock, error) {
	type row struct {
		PhoneLock
		phone, guesses []byte
		until          int64
	}
	var list []row
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
		rows, err := d.read.QueryContext(ctx, `SELECT phone, streak, guesses, until_at FROM phone_locks ORDER BY phone`)
		if err != nil {
			return err
		}
		list, err = gather(rows, func(r *row) []any { return []any{&r.phone, &r.Streak, &r.guesses, &r.until} })
		return err
	})
	if err != nil {
		return nil, err
	}
	locks := make([]PhoneLock, len(list))
	for i, r := range list {
		var guesses []int64
		if err := json.Unmarshal(r.guesses, &guesses); err != nil {
			return nil, fmt.Errorf("decoding a phone's guesses: %w", err)
		}
		l := &locks[i]
		l.Phone, l.Streak, l.Until = hashFrom(r.phone), r.Streak, from(r.until)
		for _, g := range guesses {
			l.Guesses = append(l.Guesses, from(g))
		}
	}
	return locks, nil
}
