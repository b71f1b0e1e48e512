package redisstore

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// breaker answers at once while the server is known to be away, and lets one move through now and then to see.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // no move before, in monotonic ms; 0: closed
}

const (
	breakAfter = 5 // failures in a row
	breakFor   = 200 * time.Millisecond
)

var errOpen = errors.New("redis did not answer a moment ago; it is asked again shortly")

// allow says whether a move may go to the server now.
func (b *breaker) allow(now time.Duration) bool {
	until := b.until.Load()
	if until == 0 {
		return true
	}
	if now.Milliseconds() < until {
		return false
	}
	return b.until.CompareAndSwap(until, b.later(now)) // one of many is let through
}

// later is when the next move may try, with jitter so that processes do not come back all at once.
func (b *breaker) later(now time.Duration) int64 {
	return (now + breakFor + rand.N(breakFor)).Milliseconds()
}

func (b *breaker) failed(now time.Duration) {
	if b.failures.Add(1) >= breakAfter {
		b.until.Store(b.later(now))
	}
}

func (b *breaker) succeeded() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
		b.until.Store(0)
	}
}
