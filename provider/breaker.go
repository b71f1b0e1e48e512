package provider

import (
	"math/bits"
	"sync"
	"time"
)

// This file rests a route whose vendor fails, so that a start does not wait three seconds for it each time.
//
// The breaker looks at the last window outcomes. When at least half of them, and no fewer than minFailures, failed,
// the route rests for restFor; then a single send tries it, and its outcome opens or closes the route again.

const (
	window      = 20
	minFailures = 5
	restFor     = 10 * time.Second
)

// breaker is one route's memory of how its sends went.
type breaker struct {
	now func() time.Time

	mu     sync.Mutex
	failed uint32 // one bit an outcome, the newest lowest; 1 is a failure
	seen   int    // how many of the bits count
	open   bool
	until  time.Time // while it is open: when the next send may try the route
	tries  int       // sends that tried it so far
	out    bool      // the last of them is on its way
}

// allow says whether a send may go out, and which try of a resting route it is; 0 is none. Whoever was allowed calls
// record, or drop when nothing was learnt. One who does neither, because it panicked, holds nobody up for longer than the
// route rests.
func (b *breaker) allow() (try int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return 0, true
	}
	if b.now().Before(b.until) {
		return 0, false
	}
	b.tries++
	b.until, b.out = b.now().Add(restFor), true
	return b.tries, true
}

// record takes the outcome of a send that was allowed.
func (b *breaker) record(try int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		if !b.decides(try) {
			return // sent before the route was rested
		}
		b.out = false
		if !ok {
			b.until = b.now().Add(restFor)
			return
		}
		b.open, b.failed, b.seen = false, 0, 0
	}
	b.failed = b.failed << 1 & (1<<window - 1)
	if !ok {
		b.failed |= 1
	}
	b.seen = min(b.seen+1, window)
	if n := bits.OnesCount32(b.failed); n >= minFailures && 2*n >= b.seen {
		b.open, b.until = true, b.now().Add(restFor)
	}
}

// decides says whether a send is the one that tries the route now.
func (b *breaker) decides(try int) bool { return b.out && try == b.tries }

// drop gives back an allowance that taught nothing.
func (b *breaker) drop(try int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open && b.decides(try) {
		b.out, b.until = false, b.now()
	}
}

// BreakerState is how a breaker stands.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed   BreakerState = "closed"    // sends go out
	BreakerOpen     BreakerState = "open"      // none do
	BreakerHalfOpen BreakerState = "half_open" // the next one, or one that is out, decides
)

func (b *breaker) state() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return BreakerClosed
	case b.out || !b.now().Before(b.until):
		return BreakerHalfOpen
	}
	return BreakerOpen
}

// resting says whether sends are kept away from the route now.
func (b *breaker) resting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open && b.now().Before(b.until)
}
