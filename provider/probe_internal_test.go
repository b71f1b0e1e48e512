package provider

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd lets 50 callers ask at one time and counts who may send.
func crowd(allow func() bool) int64 {
	var allowed atomic.Int64
	var all sync.WaitGroup
	start := make(chan bool)
	for range 50 {
		all.Go(func() {
			<-start
			if allow() {
				allowed.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	return allowed.Load()
}

// TestOneSendTriesARestedRoute, 100 times over. The control is a breaker that only looks at the time: it lets the whole
// crowd through, onto a vendor that is perhaps just getting up.
func TestOneSendTriesARestedRoute(t *testing.T) {
	for range 100 {
		instant := time.Unix(1_800_000_000, 0)
		b := breaker{now: func() time.Time { return instant }}
		for range minFailures {
			if _, ok := b.allow(); !ok {
				t.Fatal("rested too early")
			}
			b.record(0, false)
		}
		tries := make(chan int, 50)
		allow := func() bool {
			try, ok := b.allow()
			if ok {
				tries <- try
			}
			return ok
		}
		if n := crowd(allow); n != 0 {
			t.Fatalf("%d sends to a resting route", n)
		}
		until := instant.Add(restFor)
		instant = until
		if n := crowd(allow); n != 1 {
			t.Fatalf("%d sends try the route", n)
		}
		if n := crowd(func() bool { return !instant.Before(until) }); n != 50 {
			t.Fatal("the control lets fewer through: the crowd is no crowd")
		}
		b.drop(0) // a send from before the route rested, whose answer was lost: it is not the one that tries
		b.record(0, false)
		if n := crowd(allow); n != 0 {
			t.Fatalf("%d more sends try the route beside the one that does", n)
		}
		b.drop(<-tries) // nothing was learnt: the next one tries
		if n := crowd(allow); n != 1 {
			t.Fatalf("%d sends try the route after one that taught nothing", n)
		}
		lost := <-tries // it panics, and nobody hears of it again
		instant = instant.Add(restFor)
		if n := crowd(allow); n != 1 {
			t.Fatalf("%d sends try the route after one that was never heard of again", n)
		}
		b.record(lost, false)
		b.record(<-tries, true)
		if n := crowd(allow); n != 50 {
			t.Fatalf("%d of 50 sends over a route that is well again", n)
		}
	}
}

// TestHalfOfTheSendsMustFail: a vendor that fails now and then is not rested, one that fails every other time is.
func TestHalfOfTheSendsMustFail(t *testing.T) {
	for name, c := range map[string]struct {
		good  int // successes for each failure
		rests bool
	}{"every second": {1, true}, "every third": {2, false}, "every tenth": {9, false}, "all": {0, true}} {
		b := breaker{now: time.Now}
		// A route that has served for a while.
		for range window {
			b.record(0, true)
		}
		for range 10 * window {
			for range c.good {
				b.record(0, true)
			}
			b.record(0, false)
		}
		if b.resting() != c.rests {
			t.Errorf("failing %s: rests %v, want %v", name, b.resting(), c.rests)
		}
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	for in, want := range map[string]string{
		"short": "short",
		"0123456789012345678901234567890123456789012345678901234567890123456789": "0123456789012345678901234567890123456789012345678901234567890123",
		"012345678901234567890123456789012345678901234567890123456789012é":       "012345678901234567890123456789012345678901234567890123456789012",
	} {
		if got := cut(in); got != want {
			t.Errorf("cut(%q) = %q, want %q", in, got, want)
		}
	}
}
