// Package sqlitestore is the embedded store: everything in flight in one SQLite file, for one machine.
//
// One goroutine writes. It gathers the moves that wait for it into one transaction, applies them one after the
// other to the rows in memory, writes the changed rows, and answers when the transaction is on the disk
// (synchronous=FULL): what was answered is not lost, whatever is killed. A move that fails leaves nothing behind
// and does not disturb the others of its transaction. Reads go beside, on connections of their own.
//
// The file may be shared with other tables and with other processes: every transaction reads afresh, and SQLite's
// lock makes them wait for each other.
package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"countersign"
)

// Options tune a store. The zero value is good.
type Options struct {
	// Timeout bounds every call, the wait for other writers of the file included. Zero means one second.
	Timeout time.Duration
	// Readers is how many reads run at once. Zero means four.
	Readers int
	// Turn is held for every transaction that writes. Whoever else in this process writes to the same file should hold
	// the same one: SQLite's own lock is waited for by sleeping, and that is a waste between neighbours. Optional.
	Turn sync.Locker

	wall func() time.Time // tests set the machine's clock
}

// Store is a countersign.Store in a file. Open starts its writer, Close stops it.
type Store struct {
	timeout time.Duration
	turn    sync.Locker
	clock   *clock
	setBack bool
	writer  *conn
	batch   *batch
	purge   purge // used by the writer only
	queue   chan *op
	readers chan *reader
	all     []*reader

	closing chan struct{}
	stopped chan struct{}
	once    sync.Once
	closed  error
}

var (
	_ countersign.Store    = (*Store)(nil)
	_ countersign.SentMany = (*Store)(nil)
)

// Open opens the file, making it if there is none, and checks it through. The error says what to do: it is one of
// this package's Err values, or holds SQLite's own words. The context bounds nothing but its own end: a large file
// takes a while to check.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if options.Timeout <= 0 {
		options.Timeout = time.Second
	}
	if options.Readers <= 0 {
		options.Readers = 4
	}
	if options.Turn == nil {
		options.Turn = &sync.Mutex{}
	}
	if options.wall == nil {
		options.wall = time.Now
	}
	s := &Store{
		timeout: options.Timeout, turn: options.Turn, queue: make(chan *op, queueLength), readers: make(chan *reader, options.Readers),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.open(path, options); err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, errors.Join(err, s.closeConns()))
	}
	go s.write()
	return s, nil
}

func (s *Store) open(path string, options Options) (err error) {
	if err = touch(path); err != nil {
		return err
	}
	if s.writer, err = dial(path, options.Timeout, "wal_autocheckpoint(8000)"); err != nil {
		return err
	}
	if err = prepareFile(s.writer); err != nil {
		return err
	}
	t, err := prepareTables(s.writer)
	if err != nil {
		return err
	}
	if err = s.startClock(t, options.wall); err != nil {
		return err
	}
	s.batch = newBatch(t, s.clock)
	for range options.Readers {
		r, err := newReader(path, options.Timeout)
		if err != nil {
			return err
		}
		s.all = append(s.all, r)
		s.readers <- r
	}
	return nil
}

// touch makes the file if there is none, for its owner alone; SQLite gives its other files the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w (%w)", ErrReadOnly, err)
	}
	return fmt.Errorf("%w (%w)", ErrCannotOpen, err)
}

// startClock continues the stored time. If the machine's clock was set back meanwhile, what is pending ends: its
// remaining life is not known any more.
func (s *Store) startClock(t *tables, wall func() time.Time) error {
	return inTransaction(s.writer, func() error {
		m, err := t.meta()
		if err != nil {
			return explain(err)
		}
		s.clock, s.setBack = newClock(wall, m)
		if s.setBack {
			m.cutoff = m.last
			if err := t.dueAllRecord.run(); err != nil {
				return explain(err)
			}
		}
		m.last, m.wall = s.clock.now(), instantOf(wall())
		return explain(t.writeMeta(m))
	})
}

// ClockWasSetBack says whether Open found the machine's clock more than countersign.MaxClockSetback behind what it
// had shown before. What was pending then is ended as canceled, at its next move or by Sweep.
func (s *Store) ClockWasSetBack() bool { return s.setBack }

// Now implements countersign.Clock.
func (s *Store) Now() time.Time { return s.clock.now().time() }

// Advance implements countersign.Clock.
func (s *Store) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return countersign.Fail(countersign.ErrInvalidRequest, "The clock moves forward only.")
	}
	return s.do(ctx, func(m *move) error {
		step := instant(d.Milliseconds())
		m.b.meta.advance += step
		m.b.meta.last = max(m.b.meta.last, m.now+step)
		m.b.dirty = true
		return nil
	})
}

// Ping implements countersign.Store: it writes, so that it also finds a full disk or a file that became read-only.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, func(m *move) error {
		m.b.dirty = true
		return nil
	})
}

// Close lets the moves that are being written finish, refuses the others, and closes the file.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.stopped
		for range s.all {
			<-s.readers // wait for the reads that run
		}
		s.closed = s.closeConns()
	})
	return s.closed
}

func (s *Store) closeConns() error {
	var errs []error
	for _, r := range s.all {
		errs = append(errs, r.c.close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(errs...)
}
