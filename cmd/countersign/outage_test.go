package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// This file takes Redis away from a running program (F-01, F-02, F-03): whoever asks is told at once, nothing is
// approved meanwhile, and everything works again soon after Redis is back.

const (
	toldWithin = 100 * time.Millisecond // a connection that is refused
	backWithin = 2 * time.Second        // after Redis answers again
	busy       = time.Second            // what a loaded machine may add to that
)

// unavailable wants a 503 that says when to come back.
func unavailable(t *testing.T, what string, r *reply) {
	t.Helper()
	if r.status != http.StatusServiceUnavailable || r.text("code") != "unavailable" || r.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d %v, Retry-After %q", what, r.status, r.body, r.header.Get("Retry-After"))
	}
}

// notReady wants a readiness that names the store and nothing else.
func notReady(t *testing.T, i *instanceUnderTest) {
	t.Helper()
	r, err := i.do("GET", "/readyz", "")
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := r.body["parts"].([]any)
	if unavailable(t, "readyz", r); !slices.Equal(parts, []any{"store"}) {
		t.Errorf("readyz names %v, want the store", parts)
	}
	if status, a := i.call("GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("healthz while the store is away: %d %v", status, a)
	}
}

// awaitReady waits until the program is ready, which must be soon.
func awaitReady(t *testing.T, i *instanceUnderTest) {
	t.Helper()
	took := eventually(t, 20*time.Second, "the program is ready", func() bool {
		r, err := i.do("GET", "/readyz", "")
		return err == nil && r.status == http.StatusOK
	})
	if took > backWithin+busy {
		t.Errorf("the program was ready %s after Redis, want at most %s", took, backWithin)
	}
}

// F-01: Redis is away when the program starts.
func TestRedisIsAwayAtTheStart(t *testing.T) {
	redis := newRedis(t)
	i := newPlace(t, "mode: sandbox\n", redis.env()).node(t)
	notReady(t, i)
	eventually(t, 30*time.Second, "readiness says what cannot be reached", func() bool {
		r, err := i.do("GET", "/readyz", "")
		return err == nil && r.status == http.StatusServiceUnavailable && strings.Contains(r.text("detail"), redis.socket())
	})
	for range 8 { // enough to open the breaker: the answer stays the same
		unavailable(t, "a start", i.mustPost("/v1/verifications", `{"to":"+14155550123"}`))
	}
	if n := i.messages(""); n != 0 {
		t.Errorf("%d messages were sent without a store", n)
	}
	if text := i.err.String(); !strings.Contains(text, redis.socket()) {
		t.Error("the log does not say what cannot be reached")
	}
	redis.start()
	awaitReady(t, i)
	// The refused starts have left nothing behind: not even the phone's cooldown.
	if err := begin(t, i, i, "+14155550123").finish(); err != nil {
		t.Error(err)
	}
}

// F-02: Redis is killed in traffic, with what it wrote on the disk. Every answer is a success or a 503; what is asked
// while it is away is told within 100 ms; when it is back, what was approved stays used and what was not goes on.
func TestRedisIsKilledInTraffic(t *testing.T) {
	redis := newRedis(t, "--appendonly", "yes", "--appendfsync", "always").start()
	i := newPlace(t, "mode: sandbox\nlog: {level: error}\nstore_timeout: 1s\n", redis.env()).node(t)
	held := begin(t, i, i, "+14155550123")
	journeys := throughAKill(t, i, redis)

	var took []time.Duration
	for range 20 {
		r := i.mustPost("/v1/verifications/"+held.id+"/checks", `{"code":"`+held.code+`"}`)
		unavailable(t, "a check while Redis is away", r)
		took = append(took, r.took)
	}
	notReady(t, i)
	slices.Sort(took)
	if typical := took[len(took)/2]; typical > toldWithin {
		t.Errorf("a refusal takes %s, want at most %s", typical, toldWithin)
	}

	redis.start()
	awaitReady(t, i)
	if err := held.finish(); err != nil {
		t.Errorf("a code that was refused meanwhile: %v", err)
	}
	approved := 0
	for _, j := range journeys {
		if j.id == "" {
			continue
		}
		again := i.mustPost("/v1/verifications/"+j.id+"/checks", `{"code":"`+j.code+`"}`)
		switch {
		case j.proof != "" && again.status != http.StatusConflict:
			t.Errorf("a code that was approved before is answered with %d %v", again.status, again.body)
		case j.proof != "":
			approved++
		case again.status != http.StatusOK && again.status != http.StatusConflict: // used, where only the answer was lost
			t.Errorf("a code that was not approved before: %d %v", again.status, again.body)
		}
	}
	if approved == 0 || approved == len(journeys) {
		t.Errorf("%d of %d journeys were approved before the kill: the test shows nothing", approved, len(journeys))
	}
}

// throughAKill makes journeys from many sides and kills Redis in their midst.
func throughAKill(t *testing.T, i *instanceUnderTest, redis *awayRedis) []*journey {
	t.Helper()
	journeys := make([]*journey, 120)
	var approved, refused atomic.Int32
	var all sync.WaitGroup
	work := make(chan int)
	for range 8 {
		all.Go(func() {
			for n := range work {
				j := &journey{begun: i, checked: i, number: fmt.Sprintf("+1415555%04d", 2000+n)}
				journeys[n] = j
				err := j.begin()
				if err == nil {
					err = j.finish()
				}
				var no refused503
				switch {
				case err == nil:
					if approved.Add(1) == 40 {
						redis.kill()
					}
				case errors.As(err, &no):
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	for n := range journeys {
		work <- n
	}
	close(work)
	all.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was refused: Redis was killed too late")
	}
	return journeys
}

// F-03: a Redis that is there and says nothing costs at most store_timeout, and nothing once that is known. It is the
// control of the times above: they can be longer.
func TestRedisSaysNothing(t *testing.T) {
	redis := newRedis(t).start()
	i := newPlace(t, "mode: sandbox\nlog: {level: error}\nstore_timeout: 400ms\n", redis.env()).node(t)
	held := begin(t, i, i, "+14155550123")
	if err := redis.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	quick, slow := 0, 0
	for range 15 {
		r := i.mustPost("/v1/verifications/"+held.id+"/checks", `{"code":"`+held.code+`"}`)
		unavailable(t, "a check while Redis says nothing", r)
		switch {
		case r.took < toldWithin:
			quick++
		case r.took >= 350*time.Millisecond && r.took < 400*time.Millisecond+busy:
			slow++
		}
	}
	if slow == 0 || quick < 5 {
		t.Errorf("%d refusals came after the timeout and %d at once", slow, quick)
	}
	if err := redis.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, i)
	// A check may have been done after all when Redis went on; nothing of it was answered, so at most one is approved now.
	r := i.mustPost("/v1/verifications/"+held.id+"/checks", `{"code":"`+held.code+`"}`)
	if r.status != http.StatusOK && r.text("code") != "verification_closed" {
		t.Errorf("a check after that: %d %v", r.status, r.body)
	}
}
