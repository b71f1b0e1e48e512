package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
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

// Age is how long ago memory was known to be what the database says. It grows while the database cannot be reached.
func (d *DB) Age() time.Duration {
	return time.Since(d.started) - time.Duration(d.refreshed.Load())
}

// Run keeps memory fresh and deletes what need not be kept any more, until ctx ends. Failures are reported and tried again.
func (d *DB) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { d.every(ctx, d.opts.Refresh, "refreshing what is kept in memory", d.refresh) })
	// Beside it: a revoked key is dead here within a second, however long a deletion takes.
	work.Go(func() { d.every(ctx, d.opts.Sweep, "deleting what is over", d.sweep) })
	work.Wait()
	return nil
}

// every takes a step again and again until ctx ends.
func (d *DB) every(ctx context.Context, pause time.Duration, doing string, step func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := step(ctx)
		if err == nil {
			last = ""
			continue
		}
		// The same failure several times a second would fill the log and say nothing new.
		if ctx.Err() == nil && err.Error() != last {
			d.opts.Report(fmt.Errorf("%s: %w", doing, err))
		}
		last = err.Error()
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
