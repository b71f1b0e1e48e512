package redisstore

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"countersign"
)

// clock knows the servers' time. Answers tell it; between them it goes on with the process' own monotonic clock.
type clock struct {
	start time.Time        // of the process' monotonic clock
	ahead atomic.Int64     // the servers' time minus the monotonic one, in µs; 0: nothing heard yet
	seen  [shards + 1]lane // the same at the last answer, by shard on a cluster, whose nodes have clocks of their own
	set   atomic.Pointer[setting]
	stale atomic.Bool // the setting must be read again before the next move
	renew atomic.Bool // and a new epoch begun
}

type lane = atomic.Int64

// setting is what is kept in Redis for all processes.
type setting struct {
	offset, epoch         int64
	offsetText, epochText string
}

func newSetting(offset, epoch int64) *setting {
	return &setting{offset, epoch, strconv.FormatInt(offset, 10), strconv.FormatInt(epoch, 10)}
}

func (c *clock) mono() time.Duration { return time.Since(c.start) }

// observe takes the time of an answer to a question asked before and answered after. It says whether the server's
// clock was set back: beyond what a late answer can explain.
func (c *clock) observe(shard int, now int64, before, after time.Duration) (back bool) {
	low, high := now*1000-after.Microseconds(), now*1000+999-before.Microseconds()
	if ahead := c.ahead.Load(); ahead == 0 || ahead < low {
		c.ahead.Store(low)
	} else if ahead > high {
		c.ahead.Store(high)
	}
	last := c.seen[shard].Swap(low)
	return last != 0 && high < last-countersign.MaxClockSetback.Microseconds()
}

// heard takes the time of a script's answer to a question asked under a setting. When the server's clock was set back,
// the next move begins a new epoch. An answer that crossed a change of the setting says nothing: its time has another
// offset, and beside an advance it would look like a clock that was set back.
func (s *Store) heard(set *setting, shard int, now int64, before, after time.Duration) {
	if s.clock.set.Load() != set {
		return
	}
	// The setting changes before the time by it is remembered, so the second look finds whatever came between.
	if s.clock.observe(s.lane(shard), now, before, after) && s.clock.set.Load() == set {
		s.clock.renew.Store(true)
		s.clock.stale.Store(true)
	}
}

// Now implements countersign.Clock. Until the first answer it is the machine's clock.
func (s *Store) Now() time.Time {
	ahead := s.clock.ahead.Load()
	if ahead == 0 {
		return time.Now()
	}
	return time.UnixMilli((ahead + s.clock.mono().Microseconds()) / 1000).UTC()
}

// Advance implements countersign.Clock. The offset is kept in Redis, for every process and across restarts; other
// processes take it over within a second, or when they meet a record that is ahead of them.
func (s *Store) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return errors.New("the store's clock does not go back")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if _, err := s.client(); err != nil {
		return err
	}
	return s.readClock(ctx, d.Milliseconds(), 0)
}

const clockKey = "cs:clock"

// readClock reads the setting, after adding to the offset and raising the epoch to the least wanted.
func (s *Store) readClock(ctx context.Context, add, least int64) error {
	s.clock.stale.Store(false)
	if s.clock.renew.Swap(false) {
		least = max(least, s.clock.set.Load().epoch+1)
	}
	keys, args := []string{clockKey}, []string{"0", strconv.FormatInt(add, 10), strconv.FormatInt(least, 10)}
	before := s.clock.mono()
	list, err := s.eval(ctx, s.scripts.clock, keys, args)
	if err != nil && add == 0 {
		// The connection may have been one to a server that is gone. Without an advance, twice is as good as once.
		before = s.clock.mono()
		list, err = s.eval(ctx, s.scripts.clock, keys, args)
	}
	if err == nil && len(list) != 3 {
		err = errPacked
	}
	if err != nil {
		s.clock.stale.Store(true)
		if least > 0 {
			s.clock.renew.Store(true)
		}
		return err
	}
	now, offset, epoch := number(list[0]), number(list[1]), number(list[2])
	if had := s.clock.set.Swap(newSetting(offset, epoch)); s.clock.ahead.Load() != 0 {
		s.clock.ahead.Add((offset - had.offset) * 1000)
	}
	s.clock.observe(s.lane(shards), now, before, s.clock.mono())
	return nil
}

// lane is where the clock of a shard's node is remembered. The setting's key counts as one more shard.
func (s *Store) lane(shard int) int {
	if s.target.topology == cluster {
		return shard
	}
	return 0
}
