package sqlitestore

import (
	"context"
	"errors"
	"sync/atomic"

	"countersign"
)

// Bounds of a group commit.
const (
	queueLength = 256
	batchLength = 256
)

// op is a move on its way to the writer.
type op struct {
	step  func(m *move) error
	taken atomic.Bool // by the writer, or by a caller who gave up waiting
	done  chan error
}

func newOp(step func(m *move) error) *op { return &op{step: step, done: make(chan error, 1)} }

// do has the writer make a step, and waits until it is on the disk. A step that did not start in time never will;
// one that did may still be written although its caller gave up.
func (s *Store) do(ctx context.Context, step func(m *move) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errSlow)
	defer cancel()
	o := newOp(step)
	err := s.enqueue(ctx, o)
	if err == nil {
		err = s.await(ctx, o)
	}
	return unavailable(err)
}

// doAll is do for many steps, each with an outcome of its own, in as few transactions as there is room for. The errors
// are in the order of the steps.
func (s *Store) doAll(ctx context.Context, steps []func(m *move) error) []error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errSlow)
	defer cancel()
	ops, errs := make([]*op, len(steps)), make([]error, len(steps))
	for i, step := range steps {
		ops[i] = newOp(step)
		errs[i] = s.enqueue(ctx, ops[i])
	}
	for i, o := range ops {
		if errs[i] == nil {
			errs[i] = s.await(ctx, o)
		}
		errs[i] = unavailable(errs[i])
	}
	return errs
}

func (s *Store) enqueue(ctx context.Context, o *op) error {
	select {
	case s.queue <- o:
		return nil
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Store) await(ctx context.Context, o *op) error {
	var cause error
	select {
	case err := <-o.done:
		return err
	case <-s.stopped:
		cause = ErrClosed
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	o.taken.Store(true)
	select {
	case err := <-o.done: // both came at once
		return err
	default:
		return cause
	}
}

var errSlow = errors.New("the database file did not answer in time")

// move is do for the moves that give an outcome.
func (s *Store) move(ctx context.Context, step func(m *move) (*countersign.Outcome, error)) (*countersign.Outcome, error) {
	var o *countersign.Outcome
	err := s.do(ctx, func(m *move) (err error) {
		o, err = step(m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// write is the writer's goroutine.
func (s *Store) write() {
	defer close(s.stopped)
	var ops []*op
	var results []error
	for {
		select {
		case first := <-s.queue:
			ops, results = s.group(first, ops[:0], results[:0])
		case <-s.closing:
			return
		}
		for i, o := range ops {
			o.done <- results[i]
		}
		clear(ops)
	}
}

// group makes one transaction of the first move and of those that wait behind it. Either all that went well are on
// the disk when it returns, or none is and all have the error.
func (s *Store) group(first *op, ops []*op, results []error) ([]*op, []error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	broken := s.batch.begin()
	for o := first; o != nil; o = s.next(len(ops)) {
		if o.taken.Swap(true) {
			continue // nobody waits for it any more
		}
		ops = append(ops, o)
		if broken != nil {
			results = append(results, nil)
			continue
		}
		m := move{b: s.batch, now: s.clock.now()}
		err := o.step(&m)
		var answer *countersign.Error
		switch {
		case err == nil:
			m.done()
		case !errors.As(err, &answer):
			broken = err
		}
		results = append(results, err)
	}
	if broken == nil {
		broken = s.commit()
	}
	if broken != nil {
		s.takeBack()
		for i := range results {
			results[i] = broken
		}
	}
	return ops, results
}

// next gives a move that is waiting already, if the group has room.
func (s *Store) next(n int) *op {
	if n >= batchLength {
		return nil
	}
	select {
	case o := <-s.queue:
		return o
	default:
		return nil
	}
}

func (s *Store) commit() error {
	if err := s.batch.flush(); err != nil {
		return err
	}
	if err := s.batch.t.commit.run(); err != nil {
		return err
	}
	s.clock.follow(s.batch.meta)
	return nil
}

func (s *Store) takeBack() {
	s.batch.forget()
	rollback(s.writer)
}
