package guard_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

// logged writes decisions down and reads them again, as a file would.
func logged(t testing.TB, list []*guard.Decision) []*guard.Decision {
	t.Helper()
	var out []*guard.Decision
	for _, d := range list {
		line, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		read, err := guard.ParseDecision(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, read)
	}
	return out
}

func replay(t testing.TB, p guard.Policy, log []*guard.Decision) *guard.Replay {
	t.Helper()
	r, err := guard.NewReplay(guard.Config{Apps: map[string]guard.Policy{"demo": p}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range log {
		if err := r.Play(d); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// traffic is starts to one range, of which one in so many is confirmed.
func traffic(b *bed, confirmed int) {
	for i := range 200 {
		b.now = morning.Add(time.Duration(i) * 30 * time.Second)
		a, answer, _ := b.start(swedish(b, "467012", i*7919%100000), from(fmt.Sprintf("10.0.%d.1", i%50)))
		if answer == countersign.DecisionChallenge {
			a, answer, _ = b.start(a.To, from(fmt.Sprintf("10.0.%d.1", i%50)), solved(4))
		}
		if answer == countersign.DecisionAllow && confirmed > 0 && i%confirmed == 0 {
			b.approve(a, 20*time.Second)
			b.now = b.now.Add(20 * time.Second)
		}
	}
}

var strict = guard.Policy{Countries: []string{"*"}, Budgets: map[string]countersign.Budget{"budget_prefix6": {Capacity: 20, Refill: 1}}}

// A log that was recorded under one policy and is replayed with another says what that one would have done: what a guard
// with it did on the same traffic.
func TestReplayDoesWhatTheGuardDoes(t *testing.T) {
	loose := guard.Policy{Countries: []string{"*"}}
	live := map[string]*bed{"loose": newBed(t, loose), "strict": newBed(t, strict)}
	policies := map[string]guard.Policy{"loose": loose, "strict": strict}
	for _, b := range live {
		traffic(b, 0)
	}
	sent := func(b *bed) (n int) {
		for _, d := range b.said {
			if d.Decision == countersign.DecisionAllow {
				n++
			}
		}
		return n
	}
	if sent(live["loose"]) == sent(live["strict"]) {
		t.Fatal("control: both policies do the same")
	}
	for recorded, b := range live {
		for name, p := range policies {
			r := replay(t, p, logged(t, b.said)).Result
			if r.Recorded.Sent != sent(b) || r.Replayed.Sent != sent(live[name]) || r.Recorded.Sent-r.Stopped+r.Added != r.Replayed.Sent {
				t.Errorf("%s replayed with %s: %+v, want %d sent then and %d now", recorded, name, r, sent(b), sent(live[name]))
			}
			if recorded == name && (r.Stopped != 0 || r.Added != 0) {
				t.Errorf("%s with itself: %+v", name, r)
			}
			if saved := r.Recorded.Money - r.Replayed.Money; saved != guard.Micros(r.Recorded.Sent-r.Replayed.Sent)*guard.DefaultPrices().Reserve("SE", countersign.ChannelSMS) {
				t.Errorf("%s with %s saves %s", recorded, name, saved)
			}
		}
	}
}

// People who confirmed and would be refused are told of, and their approvals give nothing back then.
func TestReplayCountsPeople(t *testing.T) {
	b := newBed(t, guard.Policy{})
	traffic(b, 2)
	log := logged(t, b.said)
	same := replay(t, guard.Policy{Countries: []string{"*"}}, log).Result
	if same.Confirmed < 90 || same.TurnedAway != 0 || same.Stopped != 0 || same.Added != 0 {
		t.Errorf("the same policy: %+v", same)
	}
	none := replay(t, guard.Policy{Countries: []string{"NO"}}, log).Result
	if none.TurnedAway != none.Confirmed || none.Confirmed != same.Confirmed || none.Replayed.Sent != 0 || none.Rules[guard.RuleCountry] == 0 {
		t.Errorf("a policy without the country: %+v", none)
	}
	// What was refused by a rule that needs no keys can be let through by another policy.
	closed := newBed(t, guard.Policy{Countries: []string{"NO"}})
	traffic(closed, 0)
	if r := replay(t, guard.Policy{Countries: []string{"*"}}, logged(t, closed.said)).Result; r.Added < 20 || r.Rules["budget_prefix6"] == 0 {
		t.Errorf("a country that opens: %+v", r)
	}
}

// A challenge that was solved, where the other policy asks for none, was one start and not two.
func TestReplayKnowsASolvedChallenge(t *testing.T) {
	b := newBed(t, guard.Policy{ClientStarts: 1, ClientCeiling: 300})
	for i := range 5 {
		b.now = morning.Add(time.Duration(i) * time.Second)
		to := swedish(t, []string{"467012", "467212", "467312", "467612", "467912"}[i], 345)
		if _, answer, _ := b.start(to, from("10.0.0.1")); answer == countersign.DecisionChallenge {
			b.start(to, from("10.0.0.1"), solved(1))
		}
	}
	r := replay(t, guard.Policy{Countries: []string{"*"}}, logged(t, b.said)).Result
	if r.Recorded.Sent != 5 || r.Replayed.Sent != 5 || r.Stopped != 0 || r.Added != 0 || r.Replayed.Challenged != 0 {
		t.Errorf("%+v", r)
	}
}

func TestBadDecisions(t *testing.T) {
	good := `{"at":"2026-03-02T08:00:00Z","event":"start","app":"demo","decision":"allow","keys":{"phone":"00112233445566778899aabbccddeeff"}}`
	if _, err := guard.ParseDecision([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range [][2]string{
		{`"at":"2026-03-02T08:00:00Z",`, "at: "},
		{`"app":"demo",`, "app: "},
		{`"decision":"allow",`, "decision: "},
		{`"event":"start",`, "event: "},
		{`"phone":"00112233445566778899aabbccddeeff"`, "keys.phone: "},
	} {
		if _, err := guard.ParseDecision([]byte(strings.Replace(good, tt[0], "", 1))); err == nil || !strings.HasPrefix(err.Error(), tt[1]) {
			t.Errorf("without %s: %v", tt[0], err)
		}
	}
	for _, line := range []string{"", "{", "null", `[1]`, strings.Replace(good, "0011", "zz11", 1), strings.Replace(good, "0011", "", 1), strings.Replace(good, `"app"`, `"line_type":"fax","app"`, 1)} {
		if d, err := guard.ParseDecision([]byte(line)); err == nil {
			t.Errorf("%s is %+v", line, d)
		}
	}
	r, err := guard.NewReplay(guard.Config{Apps: map[string]guard.Policy{"demo": {}}})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := guard.ParseDecision([]byte(good))
	early, other := *d, *d
	early.At, other.App = d.At.Add(-time.Hour), "shop"
	if err := r.Play(d); err != nil {
		t.Error(err)
	}
	if err := r.Play(&early); err == nil {
		t.Error("an hour back in time")
	}
	if err := r.Play(&other); err == nil {
		t.Error("an app without a policy")
	}
}

func FuzzParseDecision(f *testing.F) {
	f.Add([]byte(`{"at":"2026-03-02T08:00:00Z","event":"start","app":"demo","country":"SE","decision":"allow","keys":{"phone":"00112233445566778899aabbccddeeff","network":"00112233445566778899aabbccddeeff"}}`))
	f.Add([]byte(`{"at":"2026-03-02T08:00:00Z","created":"2026-03-02T08:00:00Z","event":"approved","app":"demo","keys":{"phone":"00112233445566778899aabbccddeeff"}}`))
	r, err := guard.NewReplay(guard.Config{Apps: map[string]guard.Policy{"demo": {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, line []byte) {
		if d, err := guard.ParseDecision(line); err == nil {
			_ = r.Play(d)
		}
	})
}
