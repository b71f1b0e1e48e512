package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"countersign"
)

// This file keeps what the guard blocks, so that every node knows it and a restart forgets nothing.

// blockKept is how long a block that has ended is remembered: the next one of the same thing is longer.
const blockKept = 7 * 24 * time.Hour

// SaveBlock stores a block in the place of an earlier one of the same thing, and forgets those that ended long ago.
func (d *DB) SaveBlock(ctx context.Context, b countersign.Block) error {
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM guard_blocks WHERE until_at < $1`, instant(d.opts.Now().Add(-blockKept))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO guard_blocks (id, key, app, rule, subject, reason, since, until_at, level)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
 ON CONFLICT (id) DO UPDATE SET since = excluded.since, until_at = excluded.until_at, level = excluded.level, reason = excluded.reason`,
			b.ID, b.Key[:], b.App, b.Rule, b.Subject, b.Reason, instant(b.Since), instant(b.Until), b.Level)
		return err
	})
}

// EndBlock ends one now. false when there is none that lasts.
func (d *DB) EndBlock(ctx context.Context, id string, now time.Time) (ended bool, err error) {
	err = d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE guard_blocks SET until_at = $2 WHERE id = $1 AND until_at > $2`, id, instant(now))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		ended = n > 0
		return err
	})
	return ended, err
}

// Blocks lists all that are remembered.
func (d *DB) Blocks(ctx context.Context) ([]countersign.Block, error) {
	type row struct {
		countersign.Block
		key          []byte
		since, until int64
	}
	var list []row
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
		rows, err := d.read.QueryContext(ctx, `SELECT id, key, app, rule, subject, reason, since, until_at, level FROM guard_blocks ORDER BY id`)
		if err != nil {
			return err
		}
		list, err = gather(rows, func(r *row) []any {
			return []any{&r.ID, &r.key, &r.App, &r.Rule, &r.Subject, &r.Reason, &r.since, &r.until, &r.Level}
		})
		return err
	})
	blocks := make([]countersign.Block, len(list))
	for i, r := range list {
		blocks[i] = r.Block
		blocks[i].Key, blocks[i].Since, blocks[i].Until = hashFrom(r.key), from(r.since), from(r.until)
	}
	return blocks, err
}

// ForgetBlocks forgets every block: the sandbox.
func (d *DB) ForgetBlocks(ctx context.Context) error {
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM guard_blocks`)
		return err
	})
}
