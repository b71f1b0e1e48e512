package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
)

// Options are what an opened database may be told. The zero value works.
type Options struct {
	// Now is the clock that retention and activations go by; default time.Now.
	Now func() time.Time
	// Timeout bounds one operation behind the answers: writing, listing, administration; default 5 s.
	Timeout time.Duration
	// AnswerTimeout bounds one operation that an answer waits for: Get, Approve, OptedOut; default 250 ms.
	AnswerTimeout time.Duration
	// Refresh is how often Run asks for changes; default 300 ms, so that a change is known everywhere well within 1 s.
	Refresh time.Duration
	// Sweep is how often Run deletes what need not be kept any more; default 5 minutes.
	Sweep time.Duration
	// Retention is how long rows of the log stay; default 30 days.
	Retention time.Duration
	// SessionRetention is how long ended sessions stay; default countersign.SessionRetention.
	SessionRetention time.Duration
	// MaxConns bounds the connections to Postgres, or the readers of an SQLite file; default 10.
	MaxConns int
	// Turn is held for every transaction that writes to an SQLite file. Whoever else in this process writes to the same
	// file should hold the same one: SQLite's own lock is waited for by sleeping. Optional.
	Turn sync.Locker
	// Report is told of failures in the background, for the log. Optional.
	Report func(error)
	// SigningChanged is told of a new set of signing keys, from Run. Optional.
	SigningChanged func([]SigningKey)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.AnswerTimeout <= 0 {
		o.AnswerTimeout = 250 * time.Millisecond
	}
	if o.Refresh <= 0 {
		o.Refresh = 300 * time.Millisecond
	}
	if o.Sweep <= 0 {
		o.Sweep = 5 * time.Minute
	}
	if o.Retention <= 0 {
		o.Retention = 30 * 24 * time.Hour
	}
	if o.SessionRetention <= 0 {
		o.SessionRetention = countersign.SessionRetention
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 10
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	if o.SigningChanged == nil {
		o.SigningChanged = func([]SigningKey) {}
	}
	return o
}

// DB is an open database. All methods may be called from many goroutines, and many processes may have the same
// database open.
type DB struct {
	opts   Options
	engine *engine
	write  *sql.DB // SQLite: the one connection that writes
	read   *sql.DB // Postgres: the same as write

	inserting sync.Mutex
	insertOne *sql.Stmt // nil until the first Write, and where the engine prepares by itself

	refreshing sync.Mutex // one refresh at a time
	seen       map[topic]int64
	refreshed  atomic.Int64 // when memory was last known to be right: nanoseconds since started
	started    time.Time

	gathering gathering // moves that wait for the next transaction

	keys    atomic.Pointer[keySet]
	outs    optOuts
	wrap    atomic.Pointer[wrapper]
	ring    atomic.Pointer[ringState]
	signing atomic.Pointer[signingState]
}

var _ countersign.Log = (*DB)(nil)

// Open connects, checks that the database can be used, brings its tables up to date and loads what is kept in memory.
// The data source is a path, or sqlite: and a path, or a postgres:// URL.
func Open(ctx context.Context, source string, opts Options) (*DB, error) {
	d := &DB{opts: opts.withDefaults(), seen: make(map[topic]int64), started: time.Now()}
	if err := d.connect(ctx, source); err != nil {
		return nil, err
	}
	if err := d.prepare(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) prepare(ctx context.Context) error {
	for _, step := range []func() error{
		func() error { return d.engine.inspect(ctx, d.write) },
		func() error { return d.migrate(ctx) },
		func() error { return d.engine.writable(ctx, d.write) },
	} {
		if err := d.patiently(ctx, step); err != nil {
			return fmt.Errorf("opening the database: %w", d.engine.explain(err))
		}
	}
	if err := d.refresh(ctx); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	return nil
}

// patiently runs a step of the opening again while another process keeps the database locked.
func (d *DB) patiently(ctx context.Context, step func() error) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	for {
		err := step()
		if err == nil || d.engine.judge(err) != verdictBusy || !pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

// Close ends all connections. Run must have returned.
func (d *DB) Close() error {
	d.gathering.running.Wait()
	var err error
	if d.insertOne != nil {
		err = d.insertOne.Close()
	}
	err = errors.Join(err, d.write.Close())
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	return err
}

// Ping says whether the database answers and would take a write.
func (d *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.AnswerTimeout)
	defer cancel()
	if err := d.engine.ping(ctx, d.read); err != nil {
		return countersign.Unavailable(err)
	}
	return nil
}

// LogValue keeps a DB that strays into a log from printing its insides.
func (d *DB) LogValue() slog.Value { return slog.StringValue(d.engine.name) }

// refusal is an answer from inside a transaction: it rolls back, is not the engine's failure and is told as it is.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }

// change runs f in a transaction, again where the engine asks for that, and turns the engine's failures into
// ErrUnavailable. f may run several times and must only depend on what it reads.
func (d *DB) change(ctx context.Context, limit time.Duration, f func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return d.engine.again(ctx, d.write, func() error {
		if turn := d.turn(); turn != nil {
			turn.Lock()
			defer turn.Unlock()
		}
		tx, err := d.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := f(ctx, tx); err != nil {
			_ = tx.Rollback() // the first error is the one to tell
			return err
		}
		return tx.Commit()
	})
}

// turn is what a write to a file waits for; nil where others may write at the same time.
func (d *DB) turn() sync.Locker {
	if !d.engine.prepares {
		return nil
	}
	return d.opts.Turn
}

// query runs f outside a transaction, under the same rules.
func (d *DB) query(ctx context.Context, limit time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return d.engine.again(ctx, d.write, func() error { return f(ctx) })
}

// instant and from store times as nanoseconds; the zero time is 0.
func instant(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func from(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
