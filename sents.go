package countersign

import "context"

// This file writes down sends that nobody waits for, many at once where the store can take them.

// SentMany is what a Store may have besides: it makes moves as Sent does, all in one flush.
type SentMany interface {
	// SentMany returns an outcome for each move, nil for those that failed, and the first failure.
	SentMany(ctx context.Context, moves []*Sent) ([]*Outcome, error)
}

// sents are the sends that are to be written down.
type sents struct {
	batch[sentStep]
	store SentMany // nil when the store takes one at a time
}

// sentStep is a send to write down, and what follows.
type sentStep struct {
	record *Record
	move   *Sent
	after  func(context.Context) // nil for nothing
}

func newSents(v *Verifier) *sents {
	many, _ := v.cfg.Store.(SentMany)
	s := &sents{store: many}
	s.batch = batch[sentStep]{v: v, flush: s.many}
	return s
}

// add writes a send down soon, behind the answer.
func (s *sents) add(ctx context.Context, step sentStep) {
	if s.store == nil {
		s.v.later(ctx, func(ctx context.Context) { s.one(ctx, step) })
		return
	}
	s.batch.add(step)
}

// one writes a send down by itself.
func (s *sents) one(ctx context.Context, step sentStep) {
	if err := s.v.sent(ctx, step.record, step.move); err != nil {
		s.v.fault("writing down a send", step.record, err)
	}
	if step.after != nil {
		step.after(ctx)
	}
}

// many writes sends down. What fails keeps its lease, as a send does whose process died: the sweep finds out.
func (s *sents) many(steps []sentStep) {
	ctx := context.Background()
	moves := make([]*Sent, len(steps))
	for i := range steps {
		moves[i] = steps[i].move
	}
	defer func() { // also where the store panics
		for _, m := range moves {
			s.v.sending.written(m.ID)
		}
	}()
	outcomes, err := s.store.SentMany(ctx, moves)
	if err != nil {
		s.v.fault("writing down sends", nil, err)
	}
	for i, o := range outcomes {
		if o != nil {
			s.v.wrote(moves[i], o)
		}
	}
	for i := range steps {
		if after := steps[i].after; after != nil {
			s.v.later(ctx, after)
		}
	}
}
