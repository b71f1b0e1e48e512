package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"countersign"
)

// This file keeps the engine's key ring. The first node that starts makes it; the row lock of the ring's counter
// makes the others wait and find it. A rotated key activates a little later, when every node has read it; a phone key a
// day later, when every node has counted under it for that long.

const (
	// RotationDelay is how long a new key of the ring is known before it is used.
	RotationDelay = 10 * time.Second
	// rotationRest is the least time between two rotations of one use: a check tries the keys of two generations,
	// so a third may come only when every code of the first has run out.
	rotationRest = countersign.MaxLifetime + time.Minute
)

// ErrTooSoon is what a rotation fails with while codes of the key before the last may still be on phones.
var ErrTooSoon = errors.New("this key was rotated less than eleven minutes ago: codes of the one before are still valid; try again later")

// ErrStillRotating is what a rotation of the phone key fails with while the one before it goes on: counts are kept under
// two keys, not under three.
var ErrStillRotating = errors.New("the phone key is being rotated: counts are kept under two keys for 48 hours; try again after that")

type ringState struct {
	keys []countersign.Key
	ring *countersign.Keyring
	next time.Time // when the ring must be built anew, because a key comes into use or goes out of it; zero for never
}

func keyName(use countersign.KeyUse, id uint16) string { return fmt.Sprintf("ring key %s/%d", use, id) }

// EnsureRing opens the key ring with the master key, of MasterKeySize bytes, and makes it where there is none. When
// two nodes start at once, one makes it and both use that one. A wrong master key is ErrMasterKey.
func (d *DB) EnsureRing(ctx context.Context, master []byte) error {
	w, err := newWrapper(master)
	if err != nil {
		return err
	}
	err = d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ring_keys`).Scan(&n); err != nil || n > 0 {
			return err
		}
		if _, err := raise(ctx, tx, topicRing); err != nil {
			return err
		}
		// Asked again now that nobody else can be making one.
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ring_keys`).Scan(&n); err != nil || n > 0 {
			return err
		}
		for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
			// The first keys are active since ever, so that a node whose clock is behind can use them too.
			k, err := countersign.NewKey(use, 1, time.Time{})
			if err != nil {
				return refusal{err}
			}
			if err := insertRingKey(ctx, tx, w, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.unlock(ctx, w)
}

// unlock takes a master key into use, if it opens everything.
func (d *DB) unlock(ctx context.Context, w *wrapper) error {
	d.refreshing.Lock()
	before := d.wrap.Swap(w)
	delete(d.seen, topicRing)
	delete(d.seen, topicSigning)
	d.refreshing.Unlock()
	if err := d.refresh(ctx); err != nil {
		d.wrap.Store(before)
		return err
	}
	return nil
}

func insertRingKey(ctx context.Context, tx *sql.Tx, w *wrapper, k countersign.Key) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO ring_keys (use_name, id, wrapped, activates) VALUES ($1, $2, $3, $4)`,
		string(k.Use), int64(k.ID), w.wrap(keyName(k.Use, k.ID), k.Secret), instant(k.Activates))
	return err
}

// Ring is the key ring as it is now; nil before EnsureRing. It may serve as countersign.Config.Keys.
func (d *DB) Ring() *countersign.Keyring {
	s := d.ring.Load()
	if s == nil {
		return nil
	}
	return s.ring
}

// RotateRing adds a key of a use, which every node uses from RotationDelay on (a phone key from countersign.PhoneSwitch on),
// and says which. now is by the clock that the nodes go by. Older keys stay: what
// they made must be read. The key in the answer has no secret.
func (d *DB) RotateRing(ctx context.Context, use countersign.KeyUse, now time.Time) (countersign.Key, error) {
	w := d.wrap.Load()
	if w == nil {
		return countersign.Key{}, errNoMaster
	}
	var made countersign.Key
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := raise(ctx, tx, topicRing); err != nil {
			return err
		}
		var last, activated int64
		err := tx.QueryRowContext(ctx, `SELECT id, activates FROM ring_keys WHERE use_name = $1 ORDER BY id DESC LIMIT 1`, string(use)).Scan(&last, &activated)
		if errors.Is(err, sql.ErrNoRows) {
			return refusal{fmt.Errorf("there is no %q key to rotate", use)}
		}
		if err != nil {
			return err
		}
		if err := rested(use, activated, now); err != nil {
			return refusal{err}
		}
		if last >= 1<<16-1 {
			return refusal{fmt.Errorf("the %s key has been rotated as often as its number allows", use)}
		}
		delay := RotationDelay
		if use == countersign.KeyPhone {
			delay = countersign.PhoneSwitch
		}
		k, err := countersign.NewKey(use, uint16(last)+1, now.Add(delay))
		if err != nil {
			return refusal{err}
		}
		made = countersign.Key{Use: k.Use, ID: k.ID, Activates: k.Activates}
		return insertRingKey(ctx, tx, w, k)
	})
	if err != nil {
		return countersign.Key{}, err
	}
	d.changed(ctx)
	return made, nil
}

// rested says whether a use may be rotated again, by when its newest key activates; 0 is since ever.
func rested(use countersign.KeyUse, activated int64, now time.Time) error {
	switch {
	case activated == 0:
	case use == countersign.KeyPhone && now.Before(countersign.PhoneRotated(from(activated))):
		return ErrStillRotating
	case use != countersign.KeyPhone && now.Sub(from(activated)) < rotationRest:
		return ErrTooSoon
	}
	return nil
}

func (d *DB) loadRing(ctx context.Context, _ int64) error {
	w := d.wrap.Load()
	if w == nil {
		return nil
	}
	rows, err := d.read.QueryContext(ctx, `SELECT use_name, id, wrapped, activates FROM ring_keys ORDER BY use_name, id`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var keys []countersign.Key
	for rows.Next() {
		var (
			k         countersign.Key
			wrapped   []byte
			activates int64
		)
		if err := rows.Scan(&k.Use, &k.ID, &wrapped, &activates); err != nil {
			return err
		}
		k.Activates = from(activates)
		if k.Secret, err = w.unwrap(keyName(k.Use, k.ID), wrapped); err != nil {
			return refusal{err}
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := d.setRing(keys); err != nil {
		return refusal{err}
	}
	return nil
}

// setRing builds the ring for the present moment.
func (d *DB) setRing(keys []countersign.Key) error {
	now := d.opts.Now()
	ring, err := countersign.NewKeyring(keys, now)
	if err != nil {
		return fmt.Errorf("building the key ring: %w", err)
	}
	s := &ringState{keys: keys, ring: ring}
	for _, k := range keys {
		if k.Activates.IsZero() {
			continue // since ever
		}
		s.turn(now, k.Activates)
		if k.Use == countersign.KeyPhone {
			s.turn(now, countersign.PhoneRotated(k.Activates))
		}
	}
	d.ring.Store(s)
	return nil
}

// turn notes an instant at which the ring must be built anew.
func (s *ringState) turn(now, at time.Time) {
	if at.After(now) && (s.next.IsZero() || at.Before(s.next)) {
		s.next = at
	}
}

// passTime puts keys into and out of use whose time has come.
func (d *DB) passTime() error {
	now := d.opts.Now()
	if s := d.ring.Load(); s != nil && !s.next.IsZero() && !s.next.After(now) {
		if err := d.setRing(s.keys); err != nil {
			return err
		}
	}
	if s := d.signing.Load(); s != nil && !s.next.IsZero() && !s.next.After(now) {
		d.setSigning(s.all)
	}
	return nil
}

// Reseal wraps everything with a new master key, in one transaction. Nodes that run go on with what they have in
// memory and must be started again with the new one.
func (d *DB) Reseal(ctx context.Context, old, fresh []byte) error {
	was, err := newWrapper(old)
	if err != nil {
		return fmt.Errorf("old: %w", err)
	}
	will, err := newWrapper(fresh)
	if err != nil {
		return fmt.Errorf("new: %w", err)
	}
	err = d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		for _, t := range []topic{topicRing, topicSigning} { // always in this order, so that two cannot lock each other out
			if _, err := raise(ctx, tx, t); err != nil {
				return err
			}
		}
		if err := rewrapRing(ctx, tx, was, will); err != nil {
			return err
		}
		return rewrapSigning(ctx, tx, was, will)
	})
	if err != nil {
		return err
	}
	return d.unlock(ctx, will)
}

func rewrapRing(ctx context.Context, tx *sql.Tx, was, will *wrapper) error {
	type row struct {
		use     countersign.KeyUse
		id      uint16
		wrapped []byte
	}
	rows, err := tx.QueryContext(ctx, `SELECT use_name, id, wrapped FROM ring_keys ORDER BY use_name, id`)
	if err != nil {
		return err
	}
	list, err := gather(rows, func(r *row) []any { return []any{&r.use, &r.id, &r.wrapped} })
	if err != nil {
		return err
	}
	for _, r := range list {
		name := keyName(r.use, r.id)
		secret, err := was.unwrap(name, r.wrapped)
		if err != nil {
			return refusal{err}
		}
		_, err = tx.ExecContext(ctx, `UPDATE ring_keys SET wrapped = $3 WHERE use_name = $1 AND id = $2`,
			string(r.use), int64(r.id), will.wrap(name, secret))
		if err != nil {
			return err
		}
	}
	return nil
}

// gather reads all rows into structs; fields lists where the columns go.
func gather[T any](rows *sql.Rows, fields func(*T) []any) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var list []T
	for rows.Next() {
		var t T
		if err := rows.Scan(fields(&t)...); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
