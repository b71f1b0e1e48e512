package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// This file runs two nodes: on one Redis and one database, where every rule must hold over both; and, as the control,
// on a store each, where the same questions must find that it does not.

// pair is two nodes, and whether they share what they keep.
type pair struct {
	nodes [2]*instanceUnderTest
	place *place
	apart bool
}

func onePlace(t *testing.T) *pair {
	t.Helper()
	place := newPlace(t, quiet, newRedis(t).start().env())
	return &pair{nodes: [2]*instanceUnderTest{place.node(t), place.node(t)}, place: place}
}

func twoPlaces(t *testing.T) *pair {
	t.Helper()
	p := &pair{apart: true}
	for n := range p.nodes {
		p.nodes[n] = newPlace(t, quiet).node(t)
	}
	return p
}

// at is the node whose turn it is.
func (p *pair) at(n int) *instanceUnderTest { return p.nodes[n%2] }

// onBoth runs a test on nodes that share and then, as its control, on nodes that do not.
func onBoth(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Run("sharing", func(t *testing.T) { test(t, onePlace(t)) })
	t.Run("control", func(t *testing.T) { test(t, twoPlaces(t)) })
}

// holds compares what was counted: sharing nodes give want, the others must not.
func (p *pair) holds(t *testing.T, what string, got, want int) {
	t.Helper()
	switch {
	case !p.apart && got != want:
		t.Errorf("%s: %d, want %d", what, got, want)
	case p.apart && got == want:
		t.Errorf("control: %s is %d on nodes that share nothing", what, got)
	}
}

// INV-13: a hundred equal starts at once over two nodes send one message, and all are answered with one verification.
func TestOneIdempotencyKeyOnTwoNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		var mu sync.Mutex
		ids := map[string]int{}
		var all sync.WaitGroup
		barrier := make(chan struct{})
		for n := range 100 {
			all.Go(func() {
				<-barrier
				r := untilDone(t, p.at(n), "/v1/verifications", `{"to":"+14155550123"}`, "Idempotency-Key", "order-17")
				if r == nil {
					return
				}
				if r.status != http.StatusCreated {
					t.Errorf("an answer is %d %v", r.status, r.body)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[r.text("id")]++
			})
		}
		close(barrier)
		all.Wait()
		p.holds(t, "verifications", len(ids), 1)
		p.holds(t, "messages", p.at(0).messages("")+p.at(1).messages(""), 1)
		for n := range 2 {
			r := p.at(n).mustPost("/v1/verifications", `{"to":"+14155550124"}`, "Idempotency-Key", "order-17")
			if r.status != http.StatusUnprocessableEntity || r.text("code") != "idempotency_mismatch" {
				t.Errorf("the same key with another body: %d %v", r.status, r.body)
			}
		}
	})
}

// untilDone repeats a request, as a client does, while the first one with its key still runs.
func untilDone(t *testing.T, i *instanceUnderTest, path, body string, headers ...string) *reply {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		r, err := i.post(path, body, headers...)
		if err != nil {
			t.Error(err)
			return nil
		}
		if r.text("code") != "idempotency_in_progress" {
			return r
		}
		if r.header.Get("Retry-After") == "" {
			t.Error("a request that runs elsewhere has no Retry-After")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the first request never ended")
	return nil
}

// Ten starts a minute from one client address, over both nodes.
func TestClientLimitOverTwoNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		start := func(n int, ip string) *reply {
			return p.at(n).mustPost("/v1/verifications", fmt.Sprintf(`{"to":"+141555501%02d","client":{"ip":%q}}`, n, ip))
		}
		began, admitted := time.Now(), 0
		for n := range 24 {
			switch r := start(n, "203.0.113.7"); r.status {
			case http.StatusCreated:
				admitted++
			case http.StatusPreconditionRequired:
				if r.text("code") != "challenge_required" || r.header.Get("Retry-After") == "" {
					t.Errorf("a refusal is %v", r.body)
				}
			default:
				t.Fatalf("%d %v", r.status, r.body)
			}
		}
		refilled := int(time.Since(began) / (6 * time.Second)) // one every six seconds
		p.holds(t, "starts of one client", max(10, admitted-refilled), 10)
		if admitted < 10 {
			t.Errorf("only %d starts were admitted", admitted)
		}
		for n := 24; n < 26; n++ {
			if r := start(n, "203.0.113.8"); r.status != http.StatusCreated {
				t.Errorf("another client: %d %v", r.status, r.body)
			}
		}
	})
}

// A phone's cooldown, and the five guesses of a verification in parallel from both sides.
func TestPhoneLimitsOverTwoNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) {
		const to = "+14155550123"
		v := p.at(0).mustPost("/v1/verifications", `{"to":"`+to+`"}`)
		if v.status != http.StatusCreated {
			t.Fatalf("%d %v", v.status, v.body)
		}
		code := p.at(0).code(to)
		sent := 1
		if r := p.at(1).mustPost("/v1/verifications", `{"to":"`+to+`","purpose":"signup"}`); r.status == http.StatusCreated {
			sent++
		} else if r.text("code") != "resend_too_soon" || r.header.Get("Retry-After") == "" {
			t.Errorf("within the cooldown: %d %v", r.status, r.body)
		}
		p.holds(t, "messages to one phone at once", sent, 1)
		if r := p.at(1).mustPost("/v1/verifications", `{"to":"+14155550124"}`); r.status != http.StatusCreated {
			t.Errorf("another phone: %d %v", r.status, r.body)
		}

		if p.apart {
			if n := guesses(t, perProcess(5)); n <= 5 {
				t.Errorf("control: counts of one process each let only %d guesses through", n)
			}
			return
		}
		path := "/v1/verifications/" + v.text("id") + "/checks"
		compared := guesses(t, func(n int) string {
			r, err := p.at(n).post(path, `{"code":"`+other(code)+`"}`)
			if err != nil {
				return err.Error()
			}
			return r.text("code")
		})
		if compared != 5 {
			t.Errorf("%d guesses were compared, want 5", compared)
		}
		for n := range 2 {
			if r := p.at(n).mustPost(path, `{"code":"`+code+`"}`); r.status != http.StatusConflict || r.text("code") != "verification_closed" {
				t.Errorf("the right code after five wrong ones: %d %v", r.status, r.body)
			}
		}
	})
}

// guesses makes forty wrong guesses at once, half of them at either node, and counts those that were compared.
func guesses(t *testing.T, check func(n int) (kind string)) int {
	t.Helper()
	var compared atomic.Int32
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			switch kind := check(n); kind {
			case "incorrect_code":
				compared.Add(1)
			case "verification_closed":
			default:
				t.Errorf("a wrong guess is answered with %q", kind)
			}
		})
	}
	all.Wait()
	return int(compared.Load())
}

// perProcess is the naive way: every node counts by itself.
func perProcess(limit int32) func(n int) string {
	var counts [2]atomic.Int32
	return func(n int) string {
		if counts[n%2].Add(1) > limit {
			return "verification_closed"
		}
		return "incorrect_code"
	}
}

// What one node does the other one knows at once: an end, and an approval, which is given once over both.
func TestTwoNodesSeeOneVerification(t *testing.T) {
	p := onePlace(t)
	start := func(to string) (path, code string) {
		r := p.at(0).mustPost("/v1/verifications", `{"to":"`+to+`"}`)
		if r.status != http.StatusCreated {
			t.Fatalf("%d %v", r.status, r.body)
		}
		return "/v1/verifications/" + r.text("id"), p.at(0).code(to)
	}
	path, code := start("+14155550123")
	if r := p.at(0).mustPost(path+"/cancel", ""); r.status != http.StatusOK {
		t.Fatalf("cancel: %d %v", r.status, r.body)
	}
	if r := p.at(1).mustPost(path+"/checks", `{"code":"`+code+`"}`); r.status != http.StatusConflict {
		t.Errorf("a check elsewhere of what was canceled: %d %v", r.status, r.body)
	}
	if status, a := p.at(1).call("GET", path, ""); status != http.StatusOK || a["status"] != "canceled" {
		t.Errorf("reading elsewhere what was canceled: %d %v", status, a)
	}

	path, code = start("+14155550124")
	var approved atomic.Int32
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			r, err := p.at(n).post(path+"/checks", `{"code":"`+code+`"}`)
			switch {
			case err != nil:
				t.Error(err)
			case r.status == http.StatusOK && r.text("proof") != "":
				approved.Add(1)
			case r.status != http.StatusConflict:
				t.Errorf("a check: %d %v", r.status, r.body)
			}
		})
	}
	all.Wait()
	if n := approved.Load(); n != 1 {
		t.Errorf("%d approvals, want 1", n)
	}
}

// A key that is revoked is dead on every node within about a second; another key of the app, the control, is not.
func TestARevokedKeyIsDeadOnBothNodes(t *testing.T) {
	p := onePlace(t)
	type made struct{ ID, Key string }
	var keys [2]made
	for n := range keys {
		if err := json.Unmarshal([]byte(p.place.must(t, "keys", "new", "--app", "demo", "--json")), &keys[n]); err != nil {
			t.Fatal(err)
		}
	}
	use := func(n int, key string) int {
		r, err := p.at(n).do("GET", "/v1/verifications", "", "Authorization", "Bearer "+key)
		if err != nil {
			t.Fatal(err)
		}
		return r.status
	}
	for n := range p.nodes {
		eventually(t, 5*time.Second, "both keys work", func() bool {
			return use(n, keys[0].Key) == http.StatusOK && use(n, keys[1].Key) == http.StatusOK
		})
	}
	p.place.must(t, "keys", "revoke", keys[0].ID)
	dead := eventually(t, 5*time.Second, "the key is dead on both nodes", func() bool {
		seen := []int{use(0, keys[0].Key), use(1, keys[0].Key)}
		return slices.Equal(seen, []int{http.StatusUnauthorized, http.StatusUnauthorized})
	})
	if dead > 2*time.Second { // a second, and what a loaded machine adds
		t.Errorf("the key was dead only after %s", dead)
	}
	for n := range p.nodes {
		if status := use(n, keys[1].Key); status != http.StatusOK {
			t.Errorf("the key that was not revoked: %d", status)
		}
	}
}
