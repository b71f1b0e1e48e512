package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"countersign"
)

// This file keeps who told which sender STOP. All of them are in memory, so that a start asks no database; every
// change carries a revision, and a refresh reads only what is newer.

type optOut struct {
	sender string
	phone  countersign.Hash
}

type optOuts struct {
	mu       sync.RWMutex
	set      map[optOut]struct{}
	revision int64 // everything up to here is in set
}

func (o *optOuts) put(k optOut, stopped bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.set == nil {
		o.set = make(map[optOut]struct{})
	}
	if stopped {
		o.set[k] = struct{}{}
	} else {
		delete(o.set, k)
	}
}

func (o *optOuts) has(k optOut) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, ok := o.set[k]
	return ok
}

// OptedOut implements countersign.Log. It answers from memory while Run keeps that no older than a second, and asks
// the database otherwise.
func (d *DB) OptedOut(ctx context.Context, sender string, phone countersign.Hash) (bool, error) {
	k := optOut{sender, phone}
	if d.Age() <= time.Second {
		return d.outs.has(k), nil
	}
	var stopped int
	err := d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		err := d.read.QueryRowContext(ctx, `SELECT stopped FROM opt_outs WHERE sender = $1 AND phone = $2`, sender, phone[:]).Scan(&stopped)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return stopped != 0, err
}

// OptOut implements countersign.Log.
func (d *DB) OptOut(ctx context.Context, sender string, phone countersign.Hash, out bool, at time.Time) (bool, error) {
	want := 0
	if out {
		want = 1
	}
	var changed bool
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		revision, err := raise(ctx, tx, topicOptOuts)
		if err != nil {
			return err
		}
		// Nothing is written for a lift of what never was.
		statement := `UPDATE opt_outs SET stopped = $3, at = $4, revision = $5 WHERE sender = $1 AND phone = $2 AND stopped <> $3`
		if out {
			statement = `INSERT INTO opt_outs (sender, phone, stopped, at, revision) VALUES ($1, $2, $3, $4, $5)
 ON CONFLICT (sender, phone) DO UPDATE SET stopped = excluded.stopped, at = excluded.at, revision = excluded.revision
 WHERE opt_outs.stopped <> excluded.stopped`
		}
		done, err := tx.ExecContext(ctx, statement, sender, phone[:], want, instant(at), revision)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		changed = n > 0
		return err
	})
	if err != nil {
		return false, err
	}
	d.changed(ctx)
	return changed, nil
}

func (d *DB) loadOptOuts(ctx context.Context, revision int64) error {
	rows, err := d.read.QueryContext(ctx, `SELECT sender, phone, stopped FROM opt_outs WHERE revision > $1 ORDER BY revision`, d.outs.revision)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			k       optOut
			phone   []byte
			stopped int
		)
		if err := rows.Scan(&k.sender, &phone, &stopped); err != nil {
			return err
		}
		k.phone = hashFrom(phone)
		d.outs.put(k, stopped != 0)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	d.outs.revision = revision
	return nil
}
