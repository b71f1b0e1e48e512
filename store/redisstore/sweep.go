package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// Sweep implements countersign.Moves. It reads the nearest entry of every shard that this process knows to be due,
// and of the next few of all shards, so that what a dead process left is found within seconds.
func (s *Store) Sweep(ctx context.Context, lease time.Duration, limit int) ([]*countersign.Record, error) {
	now := s.Now().UnixMilli()
	list, err := s.look(ctx, &s.index.due, "due", now, sweepSlice)
	if err != nil {
		return nil, err
	}
	due, err := s.dueShards(ctx, list, now)
	if err != nil {
		return nil, err
	}
	var records []*countersign.Record
	for len(due) > 0 && len(records) < limit {
		n := min(len(due), limit-len(records))
		more, still, err := s.sweepShards(ctx, due[:n], lease, (limit-len(records))/n, now)
		records = append(records, more...)
		if err != nil {
			return records, err
		}
		due = append(due[n:], still...)
	}
	for _, shard := range due {
		s.index.due.lower(shard, now)
	}
	return records, nil
}

// dueShards reads when something is due in each shard and returns those where it is.
func (s *Store) dueShards(ctx context.Context, list []int, now int64) (due []int, err error) {
	for part := range slices.Chunk(list, slice) {
		answers, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
			commands := make([]rueidis.Completed, len(part))
			for i, shard := range part {
				commands[i] = c.B().Zrange().Key(shardKey(shard, "due")).Min("0").Max("0").Withscores().Build()
			}
			return commands
		})
		if err != nil {
			return nil, err
		}
		for i, answer := range answers {
			nearest, err := answer.AsZScores()
			if err != nil {
				return nil, fmt.Errorf("reading what is due: %w", err)
			}
			if len(nearest) == 0 {
				continue
			}
			if at := int64(nearest[0].Score); at <= now {
				due = append(due, part[i])
			} else {
				s.index.due.lower(part[i], at)
			}
		}
	}
	return due, nil
}

// sweepShards ends and claims in shards, at most each in one of them. It returns the records, and the shards where
// more is due.
func (s *Store) sweepShards(ctx context.Context, list []int, lease time.Duration, each int, now int64) (records []*countersign.Record, still []int, err error) {
	set := s.clock.set.Load()
	args := []string{set.offsetText, set.epochText, ms(lease), strconv.Itoa(each)}
	jobs := make([]job, len(list))
	for i, shard := range list {
		jobs[i] = job{s.scripts.sweep, []string{shardKey(shard, "due")}, args}
	}
	before := s.clock.mono()
	answers, failure := s.flush(ctx, jobs)
	after := s.clock.mono()
	for i, answer := range answers {
		if len(answer) < 3 {
			continue
		}
		s.heard(set, list[i], number(answer[1]), before, after)
		if number(answer[0]) == resultBehind {
			s.clock.stale.Store(true)
			s.index.due.lower(list[i], now)
			continue
		}
		for _, m := range answer[3:] {
			r, err := s.record(list[i], m, number(answer[1]))
			if err != nil {
				return records, still, err
			}
			records = append(records, r)
		}
		switch at := number(answer[2]); {
		case at != 0 && at <= now:
			still = append(still, list[i])
		case at != 0:
			s.index.due.lower(list[i], at)
		}
	}
	return records, still, failure
}

// entry is one of the outbox.
type entry struct {
	at    int64
	shard int
	tail  string
}

// Outbox implements countersign.Moves. Like Sweep it reads the shards that this process knows of and a slice of all.
func (s *Store) Outbox(ctx context.Context, age time.Duration, limit int) ([]*countersign.Record, error) {
	until := s.Now().Add(-age).UnixMilli()
	list, err := s.look(ctx, &s.index.out, "out", until, slice)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for part := range slices.Chunk(list, slice) {
		more, err := s.entries(ctx, part, until, limit)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	return s.recordsOf(ctx, entries[:min(len(entries), limit)])
}

func (s *Store) entries(ctx context.Context, list []int, until int64, limit int) ([]entry, error) {
	answers, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
		commands := make([]rueidis.Completed, len(list))
		for i, shard := range list {
			commands[i] = c.B().Zrange().Key(shardKey(shard, "out")).Min("0").Max(strconv.Itoa(limit - 1)).Withscores().Build()
		}
		return commands
	})
	if err != nil {
		return nil, err
	}
	var entries []entry
	for i, answer := range answers {
		scores, err := answer.AsZScores()
		if err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		for n, e := range scores {
			at := int64(e.Score)
			if n == 0 {
				s.index.out.lower(list[i], at) // until it is acknowledged
			}
			if at <= until && len(e.Member) == tailSize {
				entries = append(entries, entry{at, list[i], e.Member})
			}
		}
	}
	return entries, nil
}

// recordsOf reads the records that entries point to. An entry whose record is gone is dropped.
func (s *Store) recordsOf(ctx context.Context, entries []entry) ([]*countersign.Record, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	answers, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
		commands := make([]rueidis.Completed, len(entries))
		for i, e := range entries {
			commands[i] = c.B().Get().Key(recordKey(idOf(e.shard, e.tail))).Build()
		}
		return commands
	})
	if err != nil {
		return nil, err
	}
	records := make([]*countersign.Record, 0, len(entries))
	for i, answer := range answers {
		e := entries[i]
		raw, err := answer.ToString()
		if rueidis.IsRedisNil(err) {
			if err := s.acknowledge(ctx, []*countersign.Record{{ID: idOf(e.shard, e.tail)}}); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		r, err := s.unpack(e.shard, raw, e.at)
		if err != nil {
			return nil, err
		}
		records = append(records, &r.Record)
	}
	return records, nil
}

// acknowledgeRun is how many records one script acknowledges: it holds the server up for well under a millisecond.
const acknowledgeRun = 64

// Acknowledge implements countersign.Moves.
func (s *Store) Acknowledge(ctx context.Context, done []*countersign.Record) error {
	for part := range slices.Chunk(done, slice) {
		if err := s.acknowledge(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// acknowledge needs no phone's slot to itself, so that where all slots are on one server a script serves many records.
func (s *Store) acknowledge(ctx context.Context, done []*countersign.Record) error {
	run := acknowledgeRun
	if s.target.topology == cluster {
		run = 1
	}
	set := s.clock.set.Load()
	jobs, known, where := make([]job, 0, len(done)/run+1), make([]int64, 0, len(done)), make([]int, 0, len(done))
	for _, r := range done {
		if !countersign.ValidVerificationID(r.ID) {
			continue
		}
		if len(where)%run == 0 {
			jobs = append(jobs, job{s.scripts.acknowledge, make([]string, 0, run), append(make([]string, 0, run+2), set.offsetText, set.epochText)})
		}
		last := &jobs[len(jobs)-1]
		last.keys, last.args = append(last.keys, recordKey(r.ID)), append(last.args, strconv.Itoa(r.Seq))
		shard := shardNumber(r.ID)
		where, known = append(where, shard), append(known, s.index.out.at[shard].Load())
	}
	if len(jobs) == 0 {
		return nil
	}
	answers, err := s.flush(ctx, jobs)
	for i, answer := range answers {
		if len(answer) != len(jobs[i].keys)+2 {
			continue // it failed
		}
		for n, oldest := range answer[2:] {
			// What the process knew is out of date, unless something came in meanwhile.
			s.index.out.at[where[i*run+n]].CompareAndSwap(known[i*run+n], number(oldest))
		}
	}
	return err
}
