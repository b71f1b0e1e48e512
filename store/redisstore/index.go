package redisstore

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// index is what this process knows of the shards without asking: when something is due, when the oldest entry for
// the log was made, where phones were noted. It is a hint. A slice of all shards is read each time as well, so that
// what a dead process left is found within one round.
type index struct {
	due, out, notes tracker
}

// How many shards are read beyond the known ones. The engine sweeps four times a second and so goes round in two seconds,
// because what a dead process left is to be taken over within five; it asks for the outbox and the mirror once a second,
// and goes round in eight. To a server whose every shard has something in it this is most of what an idle process asks.
const (
	slice      = shards / 8
	sweepSlice = slice
)

// tracker holds the earliest instant known of each shard, in ms; 0: none.
type tracker struct {
	at   [shards]atomic.Int64
	next atomic.Uint32 // where the round goes on
	met  atomic.Bool   // the first round, over all at once, is done
}

// lower notes that something in a shard is there from an instant on.
func (t *tracker) lower(shard int, at int64) {
	for {
		now := t.at[shard].Load()
		if now != 0 && now <= at || t.at[shard].CompareAndSwap(now, at) {
			return
		}
	}
}

// take lists the shards whose instant is not after the given one, forgets them, and lists the next n of the round
// beside them. Who reads a shard notes again what is left in it. The first call lists all: whoever starts takes over
// from the dead.
func (t *tracker) take(until int64, n int) (known, round []int) {
	if !t.met.Swap(true) {
		n = shards
	}
	round = make([]int, 0, n)
	start := int(t.next.Add(uint32(n))) - n
	for i := range shards {
		at := t.at[i].Load()
		switch {
		case at != 0 && at <= until && t.at[i].CompareAndSwap(at, 0):
			known = append(known, i)
		case (i-start)&(shards-1) < n:
			round = append(round, i)
		}
	}
	return known, round
}

// together is how many shards of a round are asked about in one command: an idle round must cost next to nothing. On
// a cluster their keys are on different nodes.
const together = 64

// look lists the shards that this process knows of and those of the next n of the round that have an index of this name at all, or
// may have.
func (s *Store) look(ctx context.Context, t *tracker, name string, until int64, n int) ([]int, error) {
	list, round := t.take(until, n)
	size := together
	if s.target.topology == cluster {
		size = 1
	}
	groups := slices.Collect(slices.Chunk(round, size))
	for part := range slices.Chunk(groups, slice) {
		answers, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
			commands := make([]rueidis.Completed, len(part))
			for i, group := range part {
				exists := c.B().Exists().Key(shardKey(group[0], name))
				for _, shard := range group[1:] {
					exists = exists.Key(shardKey(shard, name))
				}
				commands[i] = exists.Build()
			}
			return commands
		})
		if err != nil {
			return nil, err
		}
		for i, answer := range answers {
			if n, err := answer.AsInt64(); err != nil || n > 0 {
				list = append(list, part[i]...)
			}
		}
	}
	return list, nil
}
