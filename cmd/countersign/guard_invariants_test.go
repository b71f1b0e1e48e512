package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// This file asks the guard's promises of the whole program, over HTTP. Each is asked of the tutorial's way too, a limit of
// requests by address, which must break it.

// perAddress is that limit: five in any minute from one address.
type perAddress struct {
	seen map[string][]time.Time
	sent int
}

func (l *perAddress) ask(addr string, at time.Time) {
	if l.seen == nil {
		l.seen = map[string][]time.Time{}
	}
	var recent []time.Time
	for _, t := range l.seen[addr] {
		if at.Sub(t) < time.Minute {
			recent = append(recent, t)
		}
	}
	if len(recent) < 5 {
		recent, l.sent = append(recent, at), l.sent+1
	}
	l.seen[addr] = recent
}

// tight is a sandbox in which a range of six digits has a budget of its own.
func tight(t *testing.T, capacity, refill int) string {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	text := fmt.Sprintf("defaults:\n  budgets:\n    budget_prefix6: {capacity: %d, refill: %d}\n", capacity, refill)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return quiet + "guard: {policy: " + policy + "}\n"
}

// INV-7: in a day a range gets its capacity, a day's refill and two for each confirmation, however many addresses ask.
func TestARangeIsBoundedOverADay(t *testing.T) {
	const capacity, refill, each = 10, 1, 8
	i := newPlace(t, tight(t, capacity, refill)).node(t)
	naive, clock := perAddress{}, time.Time{}
	sent, confirmed, asked := 0, 0, 0
	for hour := range 24 {
		for range each {
			to := fmt.Sprintf("+1202555%04d", asked*7%10000)
			from := fmt.Sprintf("198.%d.%d.%d", 18+asked%2, asked%250, asked*31%250) // residential, of 500 networks
			asked++
			naive.ask(from, clock)
			r := i.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q,"client":{"ip":%q}}`, to, from))
			switch {
			case r.status == http.StatusCreated:
				sent++
				if hour%8 == 1 { // he holds some of the numbers
					if c := i.mustPost("/v1/verifications/"+r.text("id")+"/checks", `{"code":"`+i.code(to)+`"}`); c.status != http.StatusOK {
						t.Fatalf("his own code: %d %v", c.status, c.body)
					}
					confirmed++
				}
			case r.status != http.StatusTooManyRequests || r.text("code") != "rate_limited" || r.header.Get("Retry-After") == "":
				t.Fatalf("a refusal is %d %v", r.status, r.body)
			}
		}
		i.call("POST", "/dev/clock", `{"advance":"1h"}`)
		clock = clock.Add(time.Hour)
	}
	most := capacity + 24*refill + 2*confirmed
	if sent > most || sent < capacity/2 || confirmed == 0 {
		t.Errorf("%d messages of %d asked for, with %d confirmed; at most %d", sent, asked, confirmed, most)
	}
	if n := i.messages(""); n != sent {
		t.Errorf("%d messages arrived, %d were admitted", n, sent)
	}
	if naive.sent <= most {
		t.Errorf("control: a limit by address lets %d through", naive.sent)
	}
}

// The same in one moment over two nodes; nodes that share nothing let twice as much through.
func TestARangeIsBoundedOverTwoNodes(t *testing.T) {
	const capacity = 10
	var counts [2]int
	for k, shared := range []bool{true, false} {
		p := &pair{apart: !shared}
		configuration := tight(t, capacity, 1)
		if shared {
			place := newPlace(t, configuration, newRedis(t).start().env())
			p.nodes = [2]*instanceUnderTest{place.node(t), place.node(t)}
		} else {
			p.nodes = [2]*instanceUnderTest{newPlace(t, configuration).node(t), newPlace(t, configuration).node(t)}
		}
		var sent atomic.Int32
		var all sync.WaitGroup
		for n := range 60 {
			all.Go(func() {
				body := fmt.Sprintf(`{"to":"+1202555%04d","client":{"ip":"198.18.%d.9"}}`, n*131, n)
				r, err := p.at(n).post("/v1/verifications", body)
				switch {
				case err != nil:
					t.Error(err)
				case r.status == http.StatusCreated:
					sent.Add(1)
				case r.status != http.StatusTooManyRequests:
					t.Errorf("%d %v", r.status, r.body)
				}
			})
		}
		all.Wait()
		counts[k] = int(sent.Load())
	}
	if counts[0] > capacity || counts[0] == 0 {
		t.Errorf("%d messages to a range of %d", counts[0], capacity)
	}
	if counts[1] <= capacity {
		t.Errorf("control: two stores let only %d through", counts[1])
	}
}

// INV-8: whoever is bombed, from 10,000 addresses, over every face and channel, with starts and resends, gets at most
// three messages in ten minutes and ten in 24 hours; and gets in himself, with his device.
func TestABombedPhone(t *testing.T) {
	const victim = "+12025550123"
	i := newPlace(t, quiet).node(t)
	first := i.mustPost("/v1/verifications", `{"to":"`+victim+`"}`)
	approved := i.mustPost("/v1/verifications/"+first.text("id")+"/checks", `{"code":"`+i.code(victim)+`"}`)
	device := approved.text("device_token")
	if device == "" {
		t.Fatalf("%d %v", approved.status, approved.body)
	}
	i.call("POST", "/dev/clock", `{"advance":"25h"}`)
	before := i.messages(victim)

	var now time.Duration // as the store counts it: the machine's own time goes by as well
	var arrived []time.Duration
	began := i.clock(t)
	naive, open := perAddress{}, ""
	for n := 0; now < 24*time.Hour; n++ {
		from := fmt.Sprintf("10.%d.%d.7", n/250, n%250)
		var r *reply
		switch n % 5 {
		case 0:
			r = i.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q,"client":{"ip":%q}}`, victim, from))
		case 1:
			r = i.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q,"channel":"voice","purpose":"signup","client":{"ip":%q}}`, victim, from))
		case 2:
			_, r = faceClients["Twilio face"].start(i, victim)
		case 3:
			_, r = faceClients["Sinch face"].start(i, victim)
		case 4:
			if open != "" {
				r = i.mustPost("/v1/verifications/"+open+"/sends", fmt.Sprintf(`{"client":{"ip":%q}}`, from))
			}
		}
		if r != nil && r.status == http.StatusCreated && n%5 < 2 {
			open = r.text("id")
		}
		naive.ask(from, time.Time{}.Add(now))
		for len(arrived) < i.messages(victim)-before {
			arrived = append(arrived, now)
		}
		step := 20 * time.Second
		if now >= 30*time.Minute {
			step = 15 * time.Minute
		}
		i.call("POST", "/dev/clock", fmt.Sprintf(`{"advance":%q}`, step))
		now = i.clock(t).Sub(began)
	}
	const slack = 15 * time.Second // a message is seen a request later than it was sent
	if within(arrived, 10*time.Minute-slack) > 3 || len(arrived) > 10 {
		t.Errorf("%d messages in a day, at %v", len(arrived), arrived)
	}
	if len(arrived) < 6 {
		t.Errorf("only %d messages: the siege was none", len(arrived))
	}
	if naive.sent <= 10 {
		t.Errorf("control: a limit by address lets %d through", naive.sent)
	}
	mine := i.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q,"device_token":%q}`, victim, device))
	if mine.status != http.StatusCreated {
		t.Fatalf("the owner, with his device: %d %v", mine.status, mine.body)
	}
	if got := i.mustPost("/v1/verifications/"+mine.text("id")+"/checks", fmt.Sprintf(`{"code":%q,"device_token":%q}`, i.code(victim), device)); got.status != http.StatusOK {
		t.Errorf("the owner's code: %d %v", got.status, got.body)
	}
}

// within is the most of some instants that lie in one window.
func within(at []time.Duration, window time.Duration) (most int) {
	for i, first := range at {
		n := 0
		for _, t := range at[i:] {
			if t-first < window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// A block that one node makes the other one has within seconds, and what is lifted at one is lifted at the other.
func TestBlocksOnTwoNodes(t *testing.T) {
	for name, environ := range map[string]func() []string{
		"sqlite": func() []string { return nil },
		"redis":  func() []string { return []string{newRedis(t).start().env()} },
	} {
		t.Run(name, func(t *testing.T) {
			place := newPlace(t, quiet, environ()...)
			nodes := [2]*instanceUnderTest{place.node(t), place.node(t)}
			start := func(n int) {
				t.Helper()
				if r := nodes[0].mustPost("/v1/verifications", fmt.Sprintf(`{"to":"+1202555%04d"}`, n*131)); r.status != http.StatusCreated {
					t.Fatalf("%d %v", r.status, r.body)
				}
			}
			blocks := func(n int) (ids []string) {
				_, a := nodes[n].call("GET", "/v1/guard/blocks", "")
				list, _ := a["data"].([]any)
				for _, b := range list {
					if m, _ := b.(map[string]any); m["rule"] == "prefix_blocked" {
						ids = append(ids, fmt.Sprint(m["id"]))
					}
				}
				return ids
			}
			for n := range 26 { // in a row, and nobody enters a code
				start(n)
			}
			if ids := blocks(0); len(ids) != 0 {
				t.Fatalf("blocked at once: %v", ids)
			}
			nodes[0].call("POST", "/dev/clock", `{"advance":"5m"}`)
			start(26)
			ids := blocks(0)
			if len(ids) == 0 {
				t.Fatal("nothing is blocked")
			}
			eventually(t, 30*time.Second, "the other node has the block", func() bool { return len(blocks(1)) == len(ids) })
			nodes[0].call("POST", "/dev/clock", `{"advance":"1m"}`)
			for _, id := range ids {
				if status, body := nodes[1].raw("DELETE", "/v1/guard/blocks/"+id, ""); status != http.StatusNoContent {
					t.Errorf("lifting elsewhere: %d %s", status, body)
				}
			}
			eventually(t, 30*time.Second, "the first node has it lifted", func() bool { return len(blocks(0)) == 0 })
		})
	}
}
