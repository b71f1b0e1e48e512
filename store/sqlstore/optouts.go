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
func (d *DB) OptedOut(ctx context.Context, sender string, phone countersign.Hash, former ...countersign.Hash) (bool, error) {
	if stopped, err := d.optedOut(ctx, optOut{sender, phone}); stopped || err != nil {
		return stopped, err
	}
	for _, f := range former {
		if stopped, err := d.optedOut(ctx, optOut{sender, f}); stopped || err != nil {
			return stopped, err
		}
	}
	return false, nil
}

func (d *DB) optedOut(ctx context.Context, k optOut) (bool, error) {
	if d.Age() <= time.Second {
		return d.outs.has(k), nil
	}
	var stopped int
	err := d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		err := d.read.QueryRowContext(ctx, `SELECT stopped FROM opt_outs WHERE sender = $1 AND phone = $2`, k.sender, k.phone[:]).Scan(&stopped)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return stopped != 0, err
}

// OptOut implements countersign.Log.
func (d *DB) OptOut(ctx context.Context, o *countersign.OptOut) (bool, error) {
	var changed bool
	err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		revision, err := raise(ctx, tx, topicOptOuts)
		if err != nil {
			return err
		}
		if o.Out {
			changed, err = affects(tx.ExecContext(ctx, `INSERT INTO opt_outs (sender, phone, stopped, at, revision, sealed) VALUES ($1, $2, 1, $3, $4, $5)
 ON CONFLICT (sender, phone) DO UPDATE SET stopped = excluded.stopped, at = excluded.at, revision = excluded.revision, sealed = excluded.sealed
 WHERE opt_outs.stopped <> excluded.stopped`, o.Sender, o.Phone[:], instant(o.At), revision, o.Sealed))
			return err
		}
		// Nothing is written for a lift of what never was. A person who is served again is not remembered by number.
		changed = false
		for _, phone := range append([]countersign.Hash{o.Phone}, o.Former...) {
			lifted, err := affects(tx.ExecContext(ctx, `UPDATE opt_outs SET stopped = 0, at = $3, revision = $4, sealed = NULL
 WHERE sender = $1 AND phone = $2 AND stopped <> 0`, o.Sender, phone[:], instant(o.At), revision))
			if err != nil {
				return err
			}
			changed = changed || lifted
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	d.changed(ctx)
	return changed, nil
}

// affects says whether a statement has changed a row.
func affects(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// OptOuts implements countersign.Log.
func (d *DB) OptOuts(ctx context.Context) ([]countersign.OptOut, error) {
	type row struct {
		countersign.OptOut
		phone []byte
		at    int64
	}
	var list []row
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
		rows, err := d.read.QueryContext(ctx, `SELECT sender, phone, at, sealed FROM opt_outs WHERE stopped <> 0 ORDER BY sender, phone`)
		if err != nil {
			return err
		}
		list, err = gather(rows, func(r *row) []any { return []any{&r.Sender, &r.phone, &r.at, &r.Sealed} })
		return err
	})
	if err != nil {
		return nil, err
	}
	outs := make([]countersign.OptOut, len(list))
	for i, r := range list {
		outs[i] = r.OptOut
		outs[i].Phone, outs[i].At, outs[i].Out = hashFrom(r.phone), from(r.at), true
	}
	return outs, nil
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
