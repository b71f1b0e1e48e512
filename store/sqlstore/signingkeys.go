package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file keeps the keys that sign proofs, as PKCS #8 in wrapped form. A new one is published for a while before it
// signs, and an old one for a while after, so that whoever caches the public set can check every signature.

const (
	// SigningDelay is how long a new signing key is published before it signs.
	SigningDelay = 15 * time.Minute
	// SigningGrace is how long a retired signing key is still published: the longest life of anything it signed
	// (a proof 10 minutes, an access token 15) and a wide margin for clocks and caches. Afterwards it is deleted.
	SigningGrace = time.Hour
)

// SigningKey is one key that signs. It prints without its private half.
type SigningKey struct {
	ID        string // the `kid`
	PKCS8     []byte // the private key in DER
	Activates time.Time
	Retired   time.Time // zero while it is the newest
}

// String names the key and hides the private half.
func (k SigningKey) String() string { return "signing key " + k.ID }

// GoString hides the private half from %#v.
func (k SigningKey) GoString() string { return k.String() }

type signingState struct {
	all       []SigningKey
	published []SigningKey
	next      time.Time // when the first of them is not published any more; zero for never
}

// EnsureSigning stores the first signing key. When there is one already, maybe another node's of a moment ago, the
// candidate is dropped. EnsureRing comes first.
func (d *DB) EnsureSigning(ctx context.Context, candidate SigningKey) error {
	candidate.Activates, candidate.Retired = time.Time{}, time.Time{}
	return d.changeSigning(ctx, func(ctx context.Context, tx *sql.Tx, w *wrapper) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM signing_keys`).Scan(&n); err != nil || n > 0 {
			return err
		}
		return insertSigning(ctx, tx, w, candidate)
	})
}

// RotateSigning adds a key that signs from SigningDelay on, and retires the others at that moment. It says when.
func (d *DB) RotateSigning(ctx context.Context, fresh SigningKey) (activates time.Time, err error) {
	err = d.changeSigning(ctx, func(ctx context.Context, tx *sql.Tx, w *wrapper) error {
		now := d.opts.Now()
		var waiting int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM signing_keys WHERE activates > $1`, instant(now)).Scan(&waiting); err != nil {
			return err
		}
		if waiting > 0 {
			return refusal{errors.New("the last rotation is still under way: its key signs in at most a quarter of an hour")}
		}
		fresh.Activates, fresh.Retired = from(instant(now.Add(SigningDelay))), time.Time{}
		activates = fresh.Activates
		if _, err := tx.ExecContext(ctx, `UPDATE signing_keys SET retired = $1 WHERE retired = 0`, instant(activates)); err != nil {
			return err
		}
		return insertSigning(ctx, tx, w, fresh)
	})
	return activates, err
}

func (d *DB) changeSigning(ctx context.Context, f func(ctx context.Context, tx *sql.Tx, w *wrapper) error) error {
	w := d.wrap.Load()
	if w == nil {
		return errNoMaster
	}
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := raise(ctx, tx, topicSigning); err != nil {
			return err
		}
		return f(ctx, tx, w)
	})
	if err != nil {
		return err
	}
	return d.refresh(ctx)
}

func signingName(id string) string { return "signing key " + id }

func insertSigning(ctx context.Context, tx *sql.Tx, w *wrapper, k SigningKey) error {
	if k.ID == "" || len(k.PKCS8) == 0 {
		return refusal{errors.New("a signing key needs an id and a private key")}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO signing_keys (id, wrapped, activates, retired) VALUES ($1, $2, $3, 0)`,
		k.ID, w.wrap(signingName(k.ID), k.PKCS8), instant(k.Activates))
	return err
}

// SigningKeys are the keys to publish, oldest first: the one in use, one that will be, and those whose signatures may
// still be checked. The caller must not change them.
func (d *DB) SigningKeys() []SigningKey {
	if s := d.signing.Load(); s != nil {
		return s.published
	}
	return nil
}

func (d *DB) loadSigning(ctx context.Context, _ int64) error {
	w := d.wrap.Load()
	if w == nil {
		return nil
	}
	rows, err := d.read.QueryContext(ctx, `SELECT id, wrapped, activates, retired FROM signing_keys ORDER BY activates, id`)
	if err != nil {
		return err
	}
	type row struct {
		SigningKey
		activates, retired int64
	}
	list, err := gather(rows, func(r *row) []any { return []any{&r.ID, &r.PKCS8, &r.activates, &r.retired} })
	if err != nil {
		return err
	}
	keys := make([]SigningKey, len(list))
	for i, r := range list {
		plain, err := w.unwrap(signingName(r.ID), r.PKCS8)
		if err != nil {
			return refusal{err}
		}
		keys[i] = SigningKey{ID: r.ID, PKCS8: plain, Activates: from(r.activates), Retired: from(r.retired)}
	}
	d.setSigning(keys)
	return nil
}

// setSigning leaves out what has been retired for long enough.
func (d *DB) setSigning(all []SigningKey) {
	now := d.opts.Now()
	s := &signingState{all: all}
	for _, k := range all {
		gone := k.Retired.Add(SigningGrace)
		if k.Retired.IsZero() {
			s.published = append(s.published, k)
			continue
		}
		if !gone.After(now) {
			continue
		}
		s.published = append(s.published, k)
		if s.next.IsZero() || gone.Before(s.next) {
			s.next = gone
		}
	}
	before := d.signing.Swap(s)
	if before == nil || !slices.EqualFunc(before.published, s.published, sameSigning) {
		d.opts.SigningChanged(s.published)
	}
}

func sameSigning(a, b SigningKey) bool {
	return a.ID == b.ID && a.Activates.Equal(b.Activates) && a.Retired.Equal(b.Retired)
}

func rewrapSigning(ctx context.Context, tx *sql.Tx, was, will *wrapper) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, wrapped FROM signing_keys ORDER BY id`)
	if err != nil {
		return err
	}
	list, err := gather(rows, func(k *SigningKey) []any { return []any{&k.ID, &k.PKCS8} })
	if err != nil {
		return err
	}
	for _, k := range list {
		plain, err := was.unwrap(signingName(k.ID), k.PKCS8)
		if err != nil {
			return refusal{err}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE signing_keys SET wrapped = $2 WHERE id = $1`, k.ID, will.wrap(signingName(k.ID), plain)); err != nil {
			return fmt.Errorf("wrapping a signing key: %w", err)
		}
	}
	return nil
}
