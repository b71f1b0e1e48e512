package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"countersign"
)

// This file makes moves: one script each, on one key's slot.

// client is the connected client, or why there is none.
func (s *Store) client() (rueidis.Client, error) {
	if c := s.connected.Load(); c != nil {
		return *c, nil
	}
	return nil, countersign.Unavailable(s.reason())
}

// ready is client for a move: it refuses at once while the server is known to be away, and first reads the clock's
// setting when a server was seen that this process did not know.
func (s *Store) ready(ctx context.Context) (rueidis.Client, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	if !s.breaker.allow(s.clock.mono()) {
		return nil, countersign.Unavailable(errOpen)
	}
	if s.clock.stale.Load() {
		if err := s.readClock(ctx, 0, 0); err != nil {
			return nil, err
		}
	}
	return c, nil
}

var errChanged = errors.New("redis was replaced or restarted during the move")

// call makes one move on a shard. The first two arguments are left to it. When the script finds that this process'
// clock or epoch is out of date, nothing was done: both are read again and the move is made once more.
func (s *Store) call(ctx context.Context, sc *script, shard int, key string, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if _, err := s.ready(ctx); err != nil {
		return nil, err
	}
	keys := [1]string{key}
	for attempt := 0; ; attempt++ {
		set, generation := s.clock.set.Load(), s.generation.Load()
		args[0], args[1] = set.offsetText, set.epochText
		before := s.clock.mono()
		list, err := s.eval(ctx, sc, keys[:], args)
		if err != nil {
			return nil, err
		}
		if generation != s.generation.Load() {
			// The connection was made anew, to a server that has lost data: nothing it says counts for this move.
			return nil, countersign.Unavailable(errChanged)
		}
		result := number(list[0])
		if result == resultMissing {
			return list, nil
		}
		if len(list) < ansEnded || number(list[ansFlags])&flagAhead == 0 {
			s.heard(set, shard, number(list[1]), before, s.clock.mono())
		}
		if result != resultBehind || len(list) < 3 {
			return list, nil
		}
		if err := s.catchUp(ctx, set, number(list[2]), attempt); err != nil {
			return nil, err
		}
	}
}

var errBehind = errors.New("the clock of redis is behind its own records")

// catchUp takes over another process' clock setting. When there is nothing new, the server's clock was set back: a
// new epoch ends what is pending.
func (s *Store) catchUp(ctx context.Context, had *setting, recordEpoch int64, attempt int) error {
	if attempt >= 3 {
		return countersign.Unavailable(errBehind)
	}
	least := recordEpoch
	if attempt > 0 {
		least = had.epoch + 1
	}
	return s.readClock(ctx, 0, least)
}

// eval runs a script and returns its answer, a list. It runs it a second time only where the server said that it
// does not know the script.
func (s *Store) eval(ctx context.Context, sc *script, keys, args []string) ([]rueidis.RedisMessage, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	answer := c.Do(ctx, c.B().Evalsha().Sha1(sc.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	err = answer.Error()
	if err != nil && noScript(err) {
		answer = c.Do(ctx, c.B().Eval().Script(sc.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
		err = answer.Error()
	}
	if err != nil {
		return nil, s.failed(ctx, sc.name, err)
	}
	s.breaker.succeeded()
	list, err := answer.ToArray()
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("the script %s: %w", sc.name, errPacked)
	}
	return list, nil
}

// job is one command of many in a flush.
type job struct {
	sc   *script // nil: the command is a plain one
	keys []string
	args []string
}

// flush runs scripts in one flush and returns their answers in order. Those that a server did not know are run again.
// The first failure is returned with what was answered.
func (s *Store) flush(ctx context.Context, jobs []job) ([][]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	commands := make([]rueidis.Completed, len(jobs))
	for i, j := range jobs {
		commands[i] = c.B().Evalsha().Sha1(j.sc.sha).Numkeys(int64(len(j.keys))).Key(j.keys...).Arg(j.args...).Build()
	}
	answers := c.DoMulti(ctx, commands...)
	lists := make([][]rueidis.RedisMessage, len(jobs))
	var failure error
	var unknown []int
	for i, answer := range answers {
		err := answer.Error()
		if err != nil && noScript(err) {
			unknown = append(unknown, i)
			continue
		}
		if err == nil {
			lists[i], err = answer.ToArray()
		}
		if err != nil && failure == nil {
			failure = s.failed(ctx, jobs[i].sc.name, err)
		}
	}
	if len(unknown) > 0 {
		failure = errors.Join(failure, s.teach(ctx, jobs, unknown, lists))
	}
	if failure == nil {
		s.breaker.succeeded()
	}
	return lists, failure
}

// teach runs jobs whose script a server did not know: the first with its text, then the others in one flush. Where
// jobs are of several scripts or servers, it goes round again.
func (s *Store) teach(ctx context.Context, jobs []job, unknown []int, lists [][]rueidis.RedisMessage) error {
	first := unknown[0]
	list, err := s.eval(ctx, jobs[first].sc, jobs[first].keys, jobs[first].args)
	if err != nil {
		return err
	}
	lists[first] = list
	if len(unknown) == 1 {
		return nil
	}
	rest := make([]job, 0, len(unknown)-1)
	for _, i := range unknown[1:] {
		rest = append(rest, jobs[i])
	}
	taught, err := s.flush(ctx, rest)
	for n := range taught {
		lists[unknown[1+n]] = taught[n]
	}
	return err
}

// read flushes plain commands.
func (s *Store) read(ctx context.Context, commands func(rueidis.Client) []rueidis.Completed) ([]rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	answers := c.DoMulti(ctx, commands(c)...)
	for _, answer := range answers {
		if err := answer.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, s.failed(ctx, "read", err)
		}
	}
	s.breaker.succeeded()
	return answers, nil
}

func noScript(err error) bool {
	answered, ok := rueidis.IsRedisErr(err)
	return ok && answered.IsNoScript()
}

// away lists the answers of a server that cannot serve now. It did nothing when it gave one of them.
func away(answer string) bool {
	word, _, _ := strings.Cut(answer, " ")
	switch word {
	case "OOM", "READONLY", "LOADING", "CLUSTERDOWN", "MISCONF", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "BUSY",
		"NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "ASK", "UNKILLABLE":
		return true
	}
	return strings.HasPrefix(answer, "ERR max number of clients")
}

// failed tells what a failure means: whether the server cannot serve, or whether we made a mistake.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	if answered, ok := rueidis.IsRedisErr(err); ok {
		s.breaker.succeeded()
		cause := fmt.Errorf("redis refused the move %s: %w", what, err)
		if away(answered.Error()) {
			s.remember(cause)
			return countersign.Unavailable(cause)
		}
		return cause
	}
	cause := fmt.Errorf("asking redis for the move %s: %w", what, s.target.explain(err))
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		s.breaker.failed(s.clock.mono())
		s.remember(cause)
	}
	return countersign.Unavailable(cause)
}

// number reads a whole number; the scripts give nothing else in its place.
func number(m rueidis.RedisMessage) int64 {
	v, err := m.AsInt64()
	if err != nil {
		return 0
	}
	return v
}
