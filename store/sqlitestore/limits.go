package sqlitestore

import (
	"context"
	"database/sql/driver"
	"math"
	"time"

	"countersign"
)

// rateKey is whom and what a rate counts.
type rateKey struct {
	key  countersign.Hash
	name string
}

func (k rateKey) bytes() []byte { return append(append([]byte(nil), k.key[:]...), k.name...) }

// idemKey is an idempotency key's row.
type idemKey struct {
	body  countersign.Hash
	id    string
	done  bool
	lease instant // until then the first request runs
	until instant // then it is forgotten
}

// count is a limit's row: of a rate when it is full again (GCRA's theoretical arrival time), of a sum when it ends and
// how much it is.
type count struct {
	until instant
	sum   int64
}

// rateChange and keyChange are what a move wants written.
type rateChange struct {
	key rateKey
	to  count
}

type keyChange struct {
	key countersign.Hash
	to  *idemKey // nil: none
}

// limit gives a limit's row as this move has left it.
func (m *move) limit(k rateKey) (count, error) {
	for i := len(m.rates) - 1; i >= 0; i-- {
		if m.rates[i].key == k {
			return m.rates[i].to, nil
		}
	}
	if c, ok := m.b.rates[k]; ok {
		return c, nil
	}
	c, err := m.b.t.rate(k)
	if err == nil {
		m.b.rates[k] = c
	}
	return c, err
}

func (m *move) key(h countersign.Hash) (*idemKey, error) {
	k, ok := m.b.keys[h]
	if !ok {
		var err error
		if k, err = m.b.t.key(h); err != nil {
			return nil, err
		}
		m.b.keys[h] = k
	}
	if k != nil && m.now >= k.until {
		return nil, nil
	}
	return k, nil
}

// Take implements countersign.Limits.
func (s *Store) Take(ctx context.Context, t *countersign.Take) (*countersign.Taken, error) {
	var taken *countersign.Taken
	err := s.do(ctx, func(m *move) (err error) {
		taken, err = m.take(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// Start implements countersign.Store: both are one transaction.
func (s *Store) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	var taken *countersign.Taken
	var o *countersign.Outcome
	err := s.do(ctx, func(m *move) (err error) {
		taken, o = nil, nil
		if taken, err = m.take(t); err != nil || taken.Refused != nil || taken.Seen != countersign.SeenNever {
			return err
		}
		o, err = m.begin(b)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return taken, o, nil
}

func (m *move) take(t *countersign.Take) (*countersign.Taken, error) {
	taken := &countersign.Taken{Now: m.now.time()}
	if t.Peek {
		return taken, m.takeRates(t.Limits, taken, true)
	}
	var key idemKey
	if !t.Key.IsZero() {
		k, err := m.key(t.Key)
		if err != nil {
			return nil, err
		}
		key = idemKey{body: t.Body, id: t.ID, lease: m.now.add(t.Lease), until: m.now.add(t.Lifetime)}
		if k != nil {
			taken.SeenID = k.id
			switch {
			case k.body != t.Body:
				taken.Seen = countersign.SeenMismatch
				return taken, nil
			case k.done:
				taken.Seen = countersign.SeenDone
				return taken, nil
			case m.now < k.lease:
				taken.Seen = countersign.SeenRunning
				return taken, nil
			}
			taken.Seen = countersign.SeenAbandoned
			key.id, key.until = k.id, k.until
		}
	}
	if err := m.takeRates(t.Limits, taken, false); err != nil {
		return nil, err
	}
	if taken.Refused != nil {
		taken.Seen, taken.SeenID = countersign.SeenNever, "" // a refusal is not carried on with
		return taken, nil
	}
	if !t.Key.IsZero() {
		m.keys = append(m.keys, keyChange{t.Key, &key})
	}
	return taken, nil
}

// takeRates counts a request on every limit. Refused is the first that has no room; then, and for a peek, the rates are as
// they were.
func (m *move) takeRates(limits []countersign.Limit, taken *countersign.Taken, peek bool) error {
	taken.Rates = make([]countersign.Rate, len(limits))
	before := make([]countersign.Rate, len(limits))
	refused := -1
	for i, l := range limits {
		k := rateKey{l.Key, l.Name}
		c, err := m.limit(k)
		if err != nil {
			return err
		}
		before[i] = rate(l, c, m.now)
		next, ok := admit(l, c, m.now)
		before[i].Over = !ok
		if ok {
			c = next
			m.rates = append(m.rates, rateChange{k, c})
		} else if refused < 0 && !l.Shadow {
			refused = i
		}
		taken.Rates[i] = rate(l, c, m.now)
		taken.Rates[i].Over = !ok
	}
	if refused >= 0 {
		taken.Refused = &before[refused]
	}
	if peek || refused >= 0 {
		taken.Rates, m.rates = before, m.rates[:0]
	}
	return nil
}

// interval is the time in which a rate wins one back.
func interval(l countersign.Limit) time.Duration {
	return max(time.Millisecond, (l.Period / time.Duration(max(1, l.Burst))).Truncate(time.Millisecond))
}

// add gives a limit's row after n more, which may be below zero. There is never less than nothing used.
func (c count) add(l countersign.Limit, n int, now instant) count {
	if l.Until.IsZero() {
		return count{until: max(c.until, now).add(interval(l) * time.Duration(n))}
	}
	ends := instantOf(l.Until)
	if c.until != ends {
		c = count{until: ends}
	}
	c.sum = max(0, c.sum+int64(n))
	return c
}

// admit says whether the request fits, and how the limit's row is then.
func admit(l countersign.Limit, c count, now instant) (count, bool) {
	next := c.add(l, l.Spends(), now)
	if l.Until.IsZero() {
		return next, l.Burst > 0 && next.until <= now.add(interval(l)*time.Duration(l.Burst))
	}
	return next, next.sum <= int64(l.Burst)
}

// rate describes where a limit stands.
func rate(l countersign.Limit, c count, now instant) countersign.Rate {
	if !l.Until.IsZero() {
		return sumRate(l, c, now)
	}
	r := countersign.Rate{Limit: l, Reset: c.until.until(now)}
	if l.Burst <= 0 {
		r.RetryIn = l.Period
		return r
	}
	step := interval(l)
	r.Remaining = max(0, int((step*time.Duration(l.Burst)-r.Reset)/step))
	if r.Remaining < l.Spends() {
		r.RetryIn = max(0, r.Reset-step*time.Duration(l.Burst-l.Spends()))
	}
	return r
}

func sumRate(l countersign.Limit, c count, now instant) countersign.Rate {
	used, left := 0, instantOf(l.Until).until(now)
	if c.until == instantOf(l.Until) {
		used = int(c.sum)
	}
	r := countersign.Rate{Limit: l, Remaining: max(0, l.Burst-used)}
	if used > 0 {
		r.Reset = left
	}
	if r.Remaining < l.Spends() {
		r.RetryIn = left
	}
	return r
}

// Release implements countersign.Limits.
func (s *Store) Release(ctx context.Context, t *countersign.Take) error {
	return s.do(ctx, func(m *move) error { return m.release(t) })
}

func (m *move) release(t *countersign.Take) error {
	for _, l := range t.Limits {
		if err := m.giveBack(l, l.Spends()); err != nil {
			return err
		}
	}
	if t.Key.IsZero() {
		return nil
	}
	k, err := m.key(t.Key)
	if err == nil && k != nil && !k.done && k.id == t.ID {
		m.keys = append(m.keys, keyChange{t.Key, nil})
	}
	return err
}

// giveBack gives back n of a limit; below zero it takes more.
func (m *move) giveBack(l countersign.Limit, n int) error {
	k := rateKey{l.Key, l.Name}
	c, err := m.limit(k)
	if err == nil && (c.until > m.now || n < 0) {
		m.rates = append(m.rates, rateChange{k, c.add(l, -n, m.now)})
	}
	return err
}

// Refund implements countersign.Limits.
func (s *Store) Refund(ctx context.Context, refunds []countersign.Refund) error {
	return s.do(ctx, func(m *move) error {
		for i := range refunds {
			if err := m.refund(&refunds[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *move) refund(r *countersign.Refund) error {
	most := math.MaxInt
	if r.Once.Burst > 0 {
		k := rateKey{r.Once.Key, r.Once.Name}
		c, err := m.limit(k)
		if err != nil {
			return err
		}
		if next, ok := admit(r.Once, c, m.now); ok {
			m.rates = append(m.rates, rateChange{k, next})
		} else {
			most = 1
		}
	}
	for _, l := range r.Limits {
		if l.Back == 0 {
			continue
		}
		if err := m.giveBack(l, min(l.Back, most)); err != nil {
			return err
		}
	}
	return nil
}

// Finish implements countersign.Limits.
func (s *Store) Finish(ctx context.Context, key countersign.Hash) error {
	return s.do(ctx, func(m *move) error {
		k, err := m.key(key)
		if err != nil || k == nil || k.done {
			return err
		}
		done := *k
		done.done = true
		m.keys = append(m.keys, keyChange{key, &done})
		return nil
	})
}

func (t *tables) rate(k rateKey) (c count, err error) {
	_, err = t.loadRate.one(func(row []driver.Value) error {
		c = count{instant(asInt(row[0])), asInt(row[1])}
		return nil
	}, k.bytes())
	return c, err
}

func (t *tables) key(h countersign.Hash) (k *idemKey, err error) {
	_, err = t.loadKey.one(func(row []driver.Value) error {
		k = &idemKey{id: asText(row[1]), done: asInt(row[2]) != 0, lease: instant(asInt(row[3])), until: instant(asInt(row[4]))}
		copy(k.body[:], asBytes(row[0]))
		return nil
	}, h[:])
	return k, err
}

// flushLimits writes the rates and keys that moves changed.
func (b *batch) flushLimits(now instant) error {
	for _, k := range b.writeRates {
		c, ok := b.rates[k]
		if !ok {
			continue // written already
		}
		delete(b.rates, k)
		var err error
		if c.until <= now {
			err = b.t.deleteRate.run(k.bytes())
		} else {
			err = b.t.saveRate.run(k.bytes(), int64(c.until), c.sum)
		}
		if err != nil {
			return err
		}
	}
	for _, h := range b.writeKeys {
		k, ok := b.keys[h]
		if !ok {
			continue // written already
		}
		delete(b.keys, h)
		var err error
		if k == nil {
			err = b.t.deleteKey.run(h[:])
		} else {
			done := int64(0)
			if k.done {
				done = 1
			}
			err = b.t.saveKey.run(h[:], k.body[:], k.id, done, int64(k.lease), int64(k.until))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
