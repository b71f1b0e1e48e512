package redisstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// Limits and idempotency keys live in slots of their own. On one server a Take is a single script over all of them;
// on a cluster it is one script for each, in one flush, and what was taken is given back when another one refuses:
// for a moment that admits too few, never too many.

// rateKey is short: there are many of them, and most hold one number.
func rateKey(h countersign.Hash) string { return string(appendRateKey(nil, h)) }

const ratePrefix = "cs:r:"

// rateKeySize is the length of every rate's key.
const rateKeySize = len(ratePrefix) + (countersign.HashSize*8+5)/6

func appendRateKey(b []byte, h countersign.Hash) []byte {
	return base64.RawURLEncoding.AppendEncode(append(b, ratePrefix...), h[:])
}

func idempotencyKey(h countersign.Hash) string { return "cs:i:" + h.Hex() }

// portion is the part of a Take that one script does: the limits from a number on, and perhaps the idempotency key.
type portion struct {
	first, limits int
	keyed         bool
}

func (s *Store) portions(t *countersign.Take) []portion {
	keyed := !t.Key.IsZero()
	if s.target.topology != cluster {
		return []portion{{0, len(t.Limits), keyed}}
	}
	list := make([]portion, 0, len(t.Limits)+1)
	for i := range t.Limits {
		list = append(list, portion{i, 1, false})
	}
	if keyed {
		list = append(list, portion{len(t.Limits), 0, true})
	}
	return list
}

// portionJob makes a portion's script call; third is the argument in which Take and Release differ.
func (s *Store) portionJob(sc *script, t *countersign.Take, p portion, third string) job {
	keys := make([]string, 0, p.limits+1)
	lease := ms(t.Lease)
	if t.Peek {
		lease = ""
	}
	packed := make([]byte, 0, limitSize*p.limits)
	names := make([]byte, 0, rateKeySize*p.limits) // of all keys, which are then cut out of one string
	for i := range t.Limits[p.first : p.first+p.limits] {
		l := &t.Limits[p.first+i]
		names = appendRateKey(names, l.Key)
		packed = appendLimit(packed, l, l.Spends())
	}
	for rest := string(names); rest != ""; rest = rest[rateKeySize:] {
		keys = append(keys, rest[:rateKeySize])
	}
	if p.keyed {
		keys = append(keys, idempotencyKey(t.Key))
	}
	args := [takeArgs]string{s.clock.set.Load().offsetText, flag(p.keyed), third, t.ID, lease, ms(t.Lifetime), string(packed)}
	return job{sc, keys, args[:]}
}

// limitSize is what a limit takes packed, with room for numbers of any size.
const limitSize = 4 * 9

// appendLimit packs a limit as limits.lua has it.
func appendLimit(b []byte, l *countersign.Limit, cost int) []byte {
	period, shadow := l.Period.Milliseconds(), int64(0)
	if !l.Until.IsZero() {
		period = -l.Until.UnixMilli()
	}
	if l.Shadow {
		shadow = 1
	}
	return appendInt(appendInt(appendInt(appendInt(b, int64(l.Burst)), period), int64(cost)), shadow)
}

// takesNothing says whether there is nothing to ask a server about.
func takesNothing(t *countersign.Take) bool { return len(t.Limits) == 0 && t.Key.IsZero() }

// admitting refuses limits that no request would ever fit.
func admitting(t *countersign.Take) error {
	for i := range t.Limits {
		if l := &t.Limits[i]; l.Burst <= 0 || l.Period <= 0 && l.Until.IsZero() {
			return fmt.Errorf("the limit %q admits nothing", l.Name)
		}
	}
	return nil
}

// Take implements countersign.Limits.
func (s *Store) Take(ctx context.Context, t *countersign.Take) (*countersign.Taken, error) {
	if err := admitting(t); err != nil {
		return nil, err
	}
	parts := s.portions(t)
	if len(parts) == 0 || takesNothing(t) {
		return &countersign.Taken{Now: s.Now()}, nil
	}
	taken := &countersign.Taken{Rates: make([]countersign.Rate, len(t.Limits))}
	set, before := s.clock.set.Load(), s.clock.mono()
	admitted, err := s.takePortions(ctx, t, taken, parts)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		if s.target.topology != cluster {
			s.heard(set, 0, taken.Now.UnixMilli(), before, s.clock.mono())
		}
	} else if t.Peek {
		return taken, nil
	} else if err := s.settleTake(ctx, t, taken, parts, admitted); err != nil {
		return nil, err
	}
	if taken.Refused != nil {
		taken.Seen, taken.SeenID = countersign.SeenNever, ""
	}
	return taken, nil
}

// takePortions runs the scripts of a Take in one flush. It returns the portions of limits that were admitted.
func (s *Store) takePortions(ctx context.Context, t *countersign.Take, taken *countersign.Taken, parts []portion) (admitted []portion, err error) {
	jobs := make([]job, len(parts))
	for i, p := range parts {
		jobs[i] = s.portionJob(s.scripts.take, t, p, packHash(t.Body))
	}
	answers, err := s.flush(ctx, jobs)
	if err != nil {
		return nil, err
	}
	taken.Refused = nil
	for i, p := range parts {
		refused, err := readPortion(taken, t, p, answers[i])
		if err != nil {
			return nil, err
		}
		if !refused && p.limits > 0 && !taken.Rates[p.first].Over {
			admitted = append(admitted, p)
		}
	}
	return admitted, nil
}

// readPortion reads what one script took. It says whether one of its limits refused.
func readPortion(taken *countersign.Taken, t *countersign.Take, p portion, list []rueidis.RedisMessage) (refused bool, err error) {
	packed, err := list[0].ToString()
	if err != nil {
		return false, fmt.Errorf("counting limits: %w", err)
	}
	u := &unpacker{rest: packed}
	if u.array() != 4+4*p.limits {
		return false, fmt.Errorf("counting limits: %w", errPacked)
	}
	if now := instant(u.number()); now.After(taken.Now) {
		taken.Now = now
	}
	seen, id, at := countersign.Seen(u.number()), u.text(), int(u.number())
	for i := range p.limits {
		taken.Rates[p.first+i] = countersign.Rate{
			Limit: t.Limits[p.first+i], Remaining: int(u.number()), Reset: u.milliseconds(), RetryIn: u.milliseconds(), Over: u.number() != 0,
		}
	}
	if err := u.finish(); err != nil || at > p.limits {
		return false, fmt.Errorf("counting limits: %w", errPacked)
	}
	if p.keyed {
		taken.Seen, taken.SeenID = seen, strings.Clone(id)
	}
	if at > 0 && taken.Refused == nil {
		taken.Refused = &taken.Rates[p.first+at-1]
	}
	return at > 0, nil
}

// retakeAfter is how long a first request waits for its own repeats to give back what they took.
func retakeAfter() []time.Duration {
	return []time.Duration{4 * time.Millisecond, 12 * time.Millisecond}
}

// settleTake makes many scripts' answers one: what some took is given back when another refused, or when the
// idempotency key had been used.
func (s *Store) settleTake(ctx context.Context, t *countersign.Take, taken *countersign.Taken, parts, admitted []portion) error {
	keyed := !t.Key.IsZero()
	if taken.Seen != countersign.SeenNever && taken.Seen != countersign.SeenAbandoned {
		taken.Refused = nil
		return s.giveLimitsBack(ctx, t, admitted)
	}
	waits := retakeAfter()
	for taken.Refused != nil {
		if err := s.giveLimitsBack(ctx, t, admitted); err != nil {
			return err
		}
		if !keyed || len(waits) == 0 {
			break
		}
		// The key is ours, so what refused may have been taken by repeats of this very request.
		select {
		case <-time.After(waits[0]):
		case <-ctx.Done():
			return countersign.Unavailable(ctx.Err())
		}
		var err error
		if admitted, err = s.takePortions(ctx, t, taken, parts[:len(parts)-1]); err != nil {
			return err
		}
		waits = waits[1:]
	}
	if taken.Refused == nil || !keyed {
		return nil
	}
	// A key of our own is freed; one of a request that died keeps its id, and its lease is over again.
	own, abandoned := *t, taken.Seen == countersign.SeenAbandoned
	if abandoned {
		own.ID = taken.SeenID
	}
	_, err := s.flush(ctx, []job{s.portionJob(s.scripts.release, &own, parts[len(parts)-1], flag(abandoned))})
	return err
}

func (s *Store) giveLimitsBack(ctx context.Context, t *countersign.Take, parts []portion) error {
	if len(parts) == 0 {
		return nil
	}
	jobs := make([]job, len(parts))
	for i, p := range parts {
		jobs[i] = s.portionJob(s.scripts.release, t, p, "0")
	}
	_, err := s.flush(ctx, jobs)
	return err
}

// Release implements countersign.Limits.
func (s *Store) Release(ctx context.Context, t *countersign.Take) error {
	parts := s.portions(t)
	if len(parts) == 0 || takesNothing(t) {
		return nil
	}
	return s.giveLimitsBack(ctx, t, parts)
}

// Finish implements countersign.Limits.
func (s *Store) Finish(ctx context.Context, key countersign.Hash) error {
	if key.IsZero() {
		return nil
	}
	_, err := s.flush(ctx, []job{{s.scripts.finish, []string{idempotencyKey(key)}, []string{s.clock.set.Load().offsetText}}})
	return err
}

// ForgetLimits implements countersign.Moves: it goes over all keys, so it takes as long as there are many.
func (s *Store) ForgetLimits(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	for _, node := range c.Nodes() {
		if err := s.forgetOn(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) forgetOn(ctx context.Context, node rueidis.Client) error {
	for cursor := uint64(0); ; {
		step, cancel := context.WithTimeout(ctx, s.timeout)
		page, err := node.Do(step, node.B().Scan().Cursor(cursor).Match("cs:*").Count(500).Build()).AsScanEntry()
		cancel()
		if errors.Is(err, errReplica) {
			return nil // its master has the keys
		}
		if err != nil {
			return s.failed(ctx, "forget", err)
		}
		if err := s.forgetKeys(ctx, page.Elements); err != nil {
			return err
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// forgetKeys deletes the limits among some keys and forgets the counts of the phones among them.
func (s *Store) forgetKeys(ctx context.Context, keys []string) error {
	set := s.clock.set.Load()
	var rates []string
	var jobs []job
	for _, key := range keys {
		switch {
		case strings.HasPrefix(key, "cs:r:"):
			rates = append(rates, key)
		case len(key) == len("cs:{abc}:p:")+2*countersign.HashSize && key[8:11] == ":p:":
			jobs = append(jobs, job{s.scripts.unlock, []string{key}, []string{set.offsetText, set.epochText, "1"}})
		}
	}
	if len(rates) > 0 {
		if _, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
			commands := make([]rueidis.Completed, len(rates))
			for i, key := range rates {
				commands[i] = c.B().Del().Key(key).Build()
			}
			return commands
		}); err != nil {
			return err
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	_, err := s.flush(ctx, jobs)
	return err
}
