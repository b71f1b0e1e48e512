package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider/sandbox"
)

// travel is a clock that a test moves.
type travel struct {
	mu sync.Mutex
	at time.Time
}

func (c *travel) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *travel) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func ruled(t *testing.T, rules ...sandbox.Rule) (*sandbox.Sandbox, *sink, *travel) {
	t.Helper()
	c := &travel{at: time.Unix(1_800_000_000, 0)}
	s, to := running(t, sandbox.Config{Now: c.now, After: now})
	if err := s.SetRules(rules); err != nil {
		t.Fatal(err)
	}
	return s, to, c
}

// TestEveryFate: what each fate does to a message: the failure, what is in the inbox, and the receipts.
func TestEveryFate(t *testing.T) {
	type statuses = []countersign.DeliveryStatus
	both := statuses{"sent", "delivered"}
	for name, want := range map[string]struct {
		fails    bool
		class    countersign.FailureClass
		arrived  int
		receipts statuses
		late     bool // the receipts, and what is in the inbox, only after the delay
	}{
		"delivered":             {arrived: 1, receipts: both},
		"server_error":          {fails: true, class: countersign.FailTemporary},
		"timeout":               {fails: true, class: countersign.FailUnknown},
		"answer_lost":           {fails: true, class: countersign.FailUnknown, arrived: 1, receipts: both},
		"undelivered":           {arrived: 1, receipts: statuses{"sent", "undelivered"}},
		"slow":                  {arrived: 1, receipts: both},
		"rejected":              {fails: true, class: countersign.FailDestination},
		"landline":              {fails: true, class: countersign.FailDestination},
		"lost":                  {},
		"late":                  {arrived: 1, receipts: both, late: true},
		"duplicate":             {arrived: 2, receipts: statuses{"sent", "delivered", "delivered"}},
		"receipt_twice":         {arrived: 1, receipts: statuses{"sent", "delivered", "delivered"}},
		"receipt_never":         {arrived: 1},
		"receipt_first":         {arrived: 1, receipts: statuses{"delivered"}},
		"receipt_late":          {arrived: 1, receipts: both, late: true},
		"receipts_out_of_order": {arrived: 1, receipts: statuses{"delivered", "sent"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, to, clock := ruled(t, sandbox.Rule{Fate: name, Delay: time.Hour})
			ctx := t.Context()
			if name == "timeout" {
				ended, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				ctx = ended
			}
			m := message(t, "0123")
			_, err := s.First().Send(ctx, m)
			var f *countersign.Failure
			if errors.As(err, &f); (err != nil) != want.fails || f != nil && f.Class != want.class {
				t.Fatalf("Send: %v", err)
			}
			_, found, err := s.First().(countersign.Finder).Find(t.Context(), m)
			if name == "answer_lost" && (!found || err != nil) || name == "timeout" && found {
				t.Errorf("Find says %v, %v", found, err)
			}
			if want.late {
				time.Sleep(120 * time.Millisecond) // two looks into the agenda
				select {
				case r := <-to.got:
					t.Fatalf("%s came before its time", r.Status)
				default:
				}
				clock.advance(time.Hour)
			}
			for _, status := range want.receipts {
				if r := <-to.got; r.Status != status || r.DeliveryID != m.ID {
					t.Errorf("receipt %+v, want %s", r, status)
				}
			}
			if n := len(s.Inbox().List("")); n != want.arrived {
				t.Errorf("%d messages arrived, want %d", n, want.arrived)
			}
		})
	}
	if n := len(sandbox.Fates()); n != 16 {
		t.Errorf("%d fates, of which 16 are tried here", n)
	}
}

// TestRulesChooseMessages: by number, channel, route, count and time; the first rule that matches decides.
func TestRulesChooseMessages(t *testing.T) {
	fails := func(s *sandbox.Sandbox, last string) bool {
		_, err := s.First().Send(t.Context(), message(t, last))
		return err != nil
	}
	pattern := func(s *sandbox.Sandbox, n int) (p string) {
		for i := range n {
			_, err := s.First().Send(t.Context(), message(t, fmt.Sprintf("1%03d", i)))
			p += map[bool]string{true: "x", false: "."}[err != nil]
		}
		return p
	}
	for _, c := range []struct {
		rule sandbox.Rule
		want string
	}{
		{sandbox.Rule{}, "xxxxxxxx"},
		{sandbox.Rule{Times: 3}, "xxx....."},
		{sandbox.Rule{Skip: 2, Times: 2}, "..xx...."},
		{sandbox.Rule{Every: 3}, "..x..x.."},
		{sandbox.Rule{To: "+14155551003"}, "...x...."},
		{sandbox.Rule{To: "+46"}, "........"},
		{sandbox.Rule{Channel: countersign.ChannelVoice}, "........"},
		{sandbox.Rule{Route: sandbox.SecondName}, "........"},
		{sandbox.Rule{Route: sandbox.FirstName}, "xxxxxxxx"},
	} {
		c.rule.Fate = "server_error"
		s, _, _ := ruled(t, c.rule)
		if got := pattern(s, 8); got != c.want {
			t.Errorf("%+v: %s, want %s", c.rule, got, c.want)
		}
	}

	s, _, clock := ruled(t, sandbox.Rule{Fate: "server_error", After: time.Minute, For: time.Minute})
	var got []bool
	for range 3 {
		got = append(got, fails(s, "0123"))
		clock.advance(61 * time.Second)
	}
	if !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("an outage from one minute to two: %v", got)
	}

	s, _, _ = ruled(t, sandbox.Rule{To: "+14155550500", Fate: "delivered"}, sandbox.Rule{Fate: "server_error"})
	if fails(s, "0500") || !fails(s, "0123") {
		t.Error("the first rule that matches does not decide")
	}
	if r := s.Rules(); len(r) != 2 || r[0].Seen != 1 || r[1].Seen != 1 {
		t.Errorf("%+v", r)
	}
	for _, wrong := range []sandbox.Rule{{Fate: "vanish"}, {}, {Fate: "late", Delay: -1}, {Fate: "late", Skip: -1}, {Fate: "late", Route: "x"}} {
		if err := s.SetRules([]sandbox.Rule{wrong}); err == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
	if err := s.SetRules(make([]sandbox.Rule, sandbox.MaxRules+1)); err == nil {
		t.Error("any number of rules is accepted")
	}
	if len(s.Rules()) != 2 {
		t.Error("a wrong rule took the right ones away")
	}
}
