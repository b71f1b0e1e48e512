package guard

import (
	"crypto/sha256"
	"strings"
	"time"

	"countersign"
)

// Counts counts limits in memory, for traffic that is only simulated. It is quick, keeps what is not full, and is for one
// goroutine. A server counts in its store.
type Counts struct {
	full map[countersign.Hash]entry
	next int // how many there may be before those that are full again are dropped
}

type entry struct {
	until time.Duration // since the epoch
	sum   int
}

// NewCounts makes an empty one.
func NewCounts() *Counts { return &Counts{full: map[countersign.Hash]entry{}, next: 4096} }

func sinceEpoch(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }

// TakeAt counts a request at an instant, on all limits or on none.
func (c *Counts) TakeAt(now time.Time, limits []countersign.Limit) *countersign.Taken {
	t := &countersign.Taken{Now: now, Rates: make([]countersign.Rate, len(limits))}
	at := sinceEpoch(now)
	for i := range limits {
		l := &limits[i]
		t.Rates[i] = c.rate(l, at)
		if t.Rates[i].Over && !l.Shadow && t.Refused == nil {
			t.Refused = &t.Rates[i]
		}
	}
	if t.Refused != nil {
		return t
	}
	for i := range limits {
		if !t.Rates[i].Over {
			c.add(&limits[i], limits[i].Spends(), at)
			over := t.Rates[i].Over
			t.Rates[i] = c.rate(&limits[i], at)
			t.Rates[i].Over = over
		}
	}
	c.trim(at)
	return t
}

// RefundAt gives back for a success.
func (c *Counts) RefundAt(now time.Time, r countersign.Refund) {
	at, most := sinceEpoch(now), int(^uint(0)>>1)
	if r.Once.Burst > 0 {
		if c.rate(&r.Once, at).Over {
			most = 1
		} else {
			c.add(&r.Once, r.Once.Spends(), at)
		}
	}
	for i := range r.Limits {
		c.add(&r.Limits[i], -min(r.Limits[i].Back, most), at)
	}
}

// ReleaseAt gives back what a request took that came to nothing.
func (c *Counts) ReleaseAt(now time.Time, limits []countersign.Limit) {
	for i := range limits {
		c.add(&limits[i], -limits[i].Spends(), sinceEpoch(now))
	}
}

func (c *Counts) add(l *countersign.Limit, n int, at time.Duration) {
	e := c.full[l.Key]
	if l.Until.IsZero() {
		e.until = max(e.until, at) + time.Duration(n)*(l.Period/time.Duration(l.Burst))
	} else {
		ends := sinceEpoch(l.Until)
		if e.until != ends {
			e = entry{until: ends}
		}
		e.sum = max(0, e.sum+n)
	}
	if e.until <= at {
		delete(c.full, l.Key)
		return
	}
	c.full[l.Key] = e
}

func (c *Counts) rate(l *countersign.Limit, at time.Duration) countersign.Rate {
	e, r := c.full[l.Key], countersign.Rate{Limit: *l}
	if !l.Until.IsZero() {
		used := 0
		if e.until == sinceEpoch(l.Until) {
			used = e.sum
		}
		r.Remaining, r.Over = max(0, l.Burst-used), used+l.Spends() > l.Burst
		if left := sinceEpoch(l.Until) - at; r.Over {
			r.RetryIn, r.Reset = left, left
		}
		return r
	}
	step := l.Period / time.Duration(l.Burst)
	r.Reset = max(0, e.until-at)
	span := step * time.Duration(l.Burst)
	r.Remaining = max(0, int((span-r.Reset)/step))
	over := r.Reset + step*time.Duration(l.Spends()) - span
	r.Over, r.RetryIn = over > 0, max(0, over)
	return r
}

// trim drops what is full again, now and then.
func (c *Counts) trim(at time.Duration) {
	if len(c.full) < c.next {
		return
	}
	for key, e := range c.full {
		if e.until <= at {
			delete(c.full, key)
		}
	}
	c.next = max(4096, 2*len(c.full))
}

// PlainHash makes keys without a secret, for traffic that is only simulated.
func PlainHash(label string, parts ...string) countersign.Hash {
	sum := sha256.Sum256([]byte(label + "\x00" + strings.Join(parts, "\x00")))
	return countersign.Hash(sum[:countersign.HashSize])
}
