package redisstore

import (
	"context"
	"slices"

	"countersign"
)

// A start counts limits and begins: on one server that is one script, and one round trip.

// takeArgs is how many arguments the script take has. Those of begin follow them in the script start.
const takeArgs = 7

// Start implements countersign.Store. On a cluster the limits are in other slots than the phone, so it is two round trips there.
func (s *Store) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	if s.target.topology == cluster || takesNothing(t) {
		return countersign.TakeThenBegin(ctx, s, t, b)
	}
	if err := admitting(t); err != nil {
		return nil, nil, err
	}
	begin, err := beginArgs(b)
	if err != nil {
		return nil, nil, err
	}
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if _, err := s.ready(within); err != nil {
		return nil, nil, err
	}
	set, generation, before := s.clock.set.Load(), s.generation.Load(), s.clock.mono()
	begin[0], begin[1] = set.offsetText, set.epochText
	part := s.portions(t)[0]
	take := s.portionJob(s.scripts.start, t, part, packHash(t.Body))
	list, err := s.eval(within, take.sc, append(take.keys, recordKey(b.Record.ID)), slices.Concat(take.args, begin))
	if err != nil {
		return nil, nil, err
	}
	after := s.clock.mono()
	if generation != s.generation.Load() {
		return nil, nil, countersign.Unavailable(errChanged) // see call
	}
	taken := &countersign.Taken{Rates: make([]countersign.Rate, len(t.Limits))}
	refused, err := readPortion(taken, t, part, list)
	if err != nil {
		return nil, nil, err
	}
	s.heard(set, 0, taken.Now.UnixMilli(), before, after)
	if refused {
		taken.Seen, taken.SeenID = countersign.SeenNever, ""
	}
	if len(list) == 1 {
		return taken, nil, nil
	}
	answer, err := list[1].ToArray()
	if err != nil || len(answer) == 0 {
		return nil, nil, errPacked
	}
	var o *countersign.Outcome
	if number(answer[0]) == resultBehind {
		o, err = s.Begin(ctx, b) // once more, by the clock's setting of now: the limits are taken
	} else {
		shard := shardNumber(b.Record.ID)
		s.hear(set, shard, answer, before, after)
		o, err = s.beginOutcome(shard, b, answer)
	}
	return taken, o, err
}
