package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"countersign"
)

// topic is something that nodes keep in memory, and the name of its counter.
type topic string

const (
	topicKeys    topic = "api_keys"
	topicOptOuts topic = "opt_outs"
	topicRing    topic = "ring"
	topicSigning topic = "signing"
)

// raise counts a change of a topic. It must come first in a transaction: the row's lock is what puts the changes of
// all nodes in one order.
func raise(ctx context.Context, tx *sql.Tx, t topic) (revision int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE revisions SET n = n + 1 WHERE topic = $1 RETURNING n`, string(t)).Scan(&revision)
	return revision, err
}

// Age is how long ago memory was known to be what the database says. It grows while the database cannot be reached:
// who must be sure of a key's revocation refuses to go by memory that is too old.
func (d *DB) Age() time.Duration {
	return time.Since(d.started) - time.Duration(d.refreshed.Load())
}

// Run keeps memory fresh and prunes once a day, until ctx ends. Failures are reported and tried again.
func (d *DB) Run(ctx context.Context) error {
	refresh, sweep, prune := time.NewTicker(d.opts.Refresh), time.NewTicker(sweepEvery), time.NewTicker(pruneEvery)
	defer refresh.Stop()
	defer sweep.Stop()
	defer prune.Stop()
	var last string
	report := func(doing string, err error) {
		// The same failure several times a second would fill the log and say nothing new.
		if err != nil && ctx.Err() == nil && err.Error() != last {
			d.opts.Report(fmt.Errorf("%s: %w", doing, err))
		}
		if err == nil {
			last = ""
		} else {
			last = err.Error()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-refresh.C:
			report("refreshing what is kept in memory", d.refresh(ctx))
		case <-sweep.C:
			report("sweeping users and sessions", d.SweepAccounts(ctx, d.opts.Now()))
		case <-prune.C:
			_, err := d.Prune(ctx, d.opts.Now().Add(-d.opts.Retention))
			report("pruning", err)
		}
	}
}

// refresh reloads what has changed since the last one. A counter is read before the rows that it counts, so a change
// in between is loaded twice and never missed.
func (d *DB) refresh(ctx context.Context) error {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	asked := time.Since(d.started)
	var now map[topic]int64
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) (err error) {
		now, err = d.revisions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	load := func(t topic, f func(context.Context, int64) error) bool {
		if seen, ok := d.seen[t]; ok && seen == now[t] {
			return true
		}
		if err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error { return f(ctx, now[t]) }); err != nil {
			failed = append(failed, fmt.Errorf("loading %s: %w", t, err))
			return false
		}
		d.seen[t] = now[t]
		return true
	}
	keys, outs := load(topicKeys, d.loadKeys), load(topicOptOuts, d.loadOptOuts)
	if keys && outs {
		d.refreshed.Store(int64(asked))
	}
	// A master key that was changed under a running node fails these two; the ring in memory still serves.
	load(topicRing, d.loadRing)
	load(topicSigning, d.loadSigning)
	return errors.Join(append(failed, d.passTime())...)
}

func (d *DB) revisions(ctx context.Context) (map[topic]int64, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT topic, n FROM revisions`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[topic]int64, 4)
	for rows.Next() {
		var (
			t topic
			n int64
		)
		if err := rows.Scan(&t, &n); err != nil {
			return nil, err
		}
		found[t] = n
	}
	return found, rows.Err()
}

// changed brings this node's memory up to date after a change of its own. The change is made whatever comes of it,
// so a failure is only reported; Run tries again.
func (d *DB) changed(ctx context.Context) {
	if err := d.refresh(ctx); err != nil {
		d.opts.Report(fmt.Errorf("refreshing after a change: %w", err))
	}
}

const (
	pruneEvery = 24 * time.Hour
	sweepEvery = 5 * time.Minute
	pruneBatch = 1000
)

// Prune deletes rows of the log and approvals that are older than before, a thousand at a time so that nobody waits
// long, and signing keys and phone locks that have run out. It says how many rows of the log went.
func (d *DB) Prune(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for _, table := range []string{
		`DELETE FROM verifications WHERE id IN (SELECT id FROM verifications WHERE created < $1 LIMIT $2)`,
		`DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE at < $1 LIMIT $2)`,
	} {
		for deleted := int64(pruneBatch); deleted == pruneBatch; {
			err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
				done, err := tx.ExecContext(ctx, table, instant(before), pruneBatch)
				if err != nil {
					return err
				}
				deleted, err = done.RowsAffected()
				return err
			})
			if err != nil {
				return total, err
			}
			if table[12] == 'v' {
				total += int(deleted)
			}
		}
	}
	now := d.opts.Now()
	return total, d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM phone_locks WHERE saved < $1 AND until_at < $2`,
			instant(now.Add(-countersign.StreakLifetime)), instant(now))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM signing_keys WHERE retired > 0 AND retired < $1`, instant(now.Add(-SigningGrace)))
		return err
	})
}
