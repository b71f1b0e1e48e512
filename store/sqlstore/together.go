package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
)

// This file commits what comes at the same time together. An SQLite commit waits for the disk, whatever is in it: one
// login after the other would be as many as the disk has turns. Each piece keeps its own outcome, behind a savepoint.
// Postgres does the same by itself, on many connections.

// maxTogether bounds how much one commit carries, so that the first does not wait for the last.
const maxTogether = 64

// piece is one move on its way into a shared transaction.
type piece struct {
	do    func(ctx context.Context, tx *sql.Tx) error
	taken atomic.Bool // into a transaction, or back by a caller who gave up waiting
	err   error
	done  chan struct{}
}

// gathering is what waits for the next transaction.
type gathering struct {
	mu      sync.Mutex
	waiting []*piece
	busy    bool
	running sync.WaitGroup
}

var errCrowded = errors.New("more is to be written to the SQLite file than its disk takes")

// together runs f in a transaction, maybe with others'. It answers when that is committed. Like change, f may run several
// times. A client who hangs up does not undo it; what has not begun within
// Options.Timeout never will: a crowd on one disk waits longer than one who is alone.
func (d *DB) together(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	if !d.engine.prepares {
		return d.change(ctx, d.opts.AnswerTimeout, f)
	}
	p := &piece{do: f, done: make(chan struct{})}
	g := &d.gathering
	g.mu.Lock()
	g.waiting = append(g.waiting, p)
	if !g.busy {
		g.busy = true
		g.running.Go(d.gather)
	}
	g.mu.Unlock()
	timer := time.NewTimer(d.opts.Timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		if !p.taken.Swap(true) {
			return countersign.Unavailable(errCrowded)
		}
		<-p.done // its transaction has an end
	}
	return p.err
}

// gather commits what waits until nothing does.
func (d *DB) gather() {
	g := &d.gathering
	for {
		g.mu.Lock()
		n := min(len(g.waiting), maxTogether)
		batch := slices.DeleteFunc(g.waiting[:n:n], func(p *piece) bool { return p.taken.Swap(true) })
		g.waiting = g.waiting[n:]
		if n == 0 {
			g.waiting, g.busy = nil, false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		if len(batch) == 0 {
			continue // nobody waits for it any more
		}
		err := d.change(context.Background(), d.opts.AnswerTimeout, func(ctx context.Context, tx *sql.Tx) error {
			for _, p := range batch {
				if err := d.behindSavepoint(ctx, tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		for _, p := range batch {
			if err != nil {
				p.err = err
			}
			close(p.done)
		}
	}
}

// behindSavepoint runs one piece. An outcome that rolls back is the piece's own; a failure of the engine is everybody's.
// A statement waits for nobody here, so only between pieces does it look whether the time is up: a context that can end
// costs SQLite's driver a goroutine a statement.
func (d *DB) behindSavepoint(ctx context.Context, tx *sql.Tx, p *piece) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	endless := context.WithoutCancel(ctx)
	if _, err := tx.ExecContext(endless, `SAVEPOINT piece`); err != nil {
		return err
	}
	p.err = p.do(endless, tx)
	if p.err != nil {
		var no refusal
		if !errors.As(p.err, &no) {
			return p.err
		}
		p.err = no.err
		if _, err := tx.ExecContext(endless, `ROLLBACK TO piece`); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(endless, `RELEASE piece`)
	return err
}
