package guard_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/phone"
)

var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// bed is a guard with its counts, on a clock of its own.
type bed struct {
	testing.TB
	*guard.Guard
	counts *guard.Counts
	now    time.Time
	app    *countersign.App
	said   []*guard.Decision
}

func newBed(t testing.TB, p guard.Policy, options ...func(*guard.Config)) *bed {
	t.Helper()
	b := &bed{TB: t, counts: guard.NewCounts(), now: morning, app: &countersign.App{ID: "demo", Region: "SE"}}
	if len(p.Countries) == 0 {
		p.Countries = []string{"*"}
	}
	cfg := guard.Config{Apps: map[string]guard.Policy{"demo": p}, Record: func(d *guard.Decision) { b.said = append(b.said, d) }}
	for _, o := range options {
		o(&cfg)
	}
	var err error
	if b.Guard, err = guard.New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func address(t testing.TB, e164 string) countersign.Address {
	t.Helper()
	n, err := phone.Parse(e164, "")
	if err != nil {
		t.Fatalf("%s: %v", e164, err)
	}
	return countersign.PhoneAddress(n)
}

func from(addr string) func(*countersign.Attempt) {
	return func(a *countersign.Attempt) { a.Client.Addr = netip.MustParseAddr(addr) }
}

func solved(difficulty int) func(*countersign.Attempt) {
	return func(a *countersign.Attempt) { a.Solved = difficulty }
}

// start asks for a start and says what became of it: allow, challenge or deny, and by which rule.
func (b *bed) start(to countersign.Address, options ...func(*countersign.Attempt)) (*countersign.Attempt, string, string) {
	b.Helper()
	a := &countersign.Attempt{
		Action: countersign.ActionStart, App: b.app, To: to, Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
		Now: b.now, Hash: guard.PlainHash,
	}
	for _, o := range options {
		o(a)
	}
	limits, err := b.Judge(a)
	var taken *countersign.Taken
	if err == nil {
		taken = b.counts.TakeAt(b.now, limits)
		if taken.Refused != nil {
			err = countersign.ErrRateLimited
			if taken.Refused.Limit.Challenge > 0 {
				err = countersign.ErrChallengeRequired
			}
		}
	}
	var demand *countersign.Demand
	if errors.As(err, &demand) {
		err = countersign.ErrChallengeRequired
	}
	b.Decided(a, taken, err)
	d := b.said[len(b.said)-1]
	return a, d.Decision, d.Rule
}

func (b *bed) approve(a *countersign.Attempt, after time.Duration) {
	b.counts.RefundAt(b.now.Add(after), b.Approved(&countersign.Conversion{
		App: b.app, To: a.To, Marks: a.Marks, Created: a.Now, Now: b.now.Add(after), Hash: guard.PlainHash,
	}))
}

// swedish is the n-th mobile number of a range.
func swedish(t testing.TB, prefix string, n int) countersign.Address {
	return address(t, fmt.Sprintf("+%s%0*d", prefix, 11-len(prefix), n))
}

// INV-7, on paper and here: without a confirmation a range gets its capacity and 24 hours' refill, however it is asked.
func TestNoRangeGetsMoreThanItsBudget(t *testing.T) {
	for _, tt := range []struct {
		name   string
		number func(i int) countersign.Address
		most   int
	}{
		{"one after the other in a thousand", func(i int) countersign.Address { return swedish(t, "46701234", i*7%1000) }, 20 + 24*2},
		{"random in six digits", func(i int) countersign.Address { return swedish(t, "467012", i*7919%100000) }, 60 + 24*5},
		{"random in four digits", func(i int) countersign.Address { return swedish(t, "4670", i*7368787%10000000) }, 100 + 24*10},
		{"a country", func(i int) countersign.Address {
			return swedish(t, []string{"4670", "4672", "4673", "4676", "4679"}[i%5], i*7368787%10000000)
		}, 300 + 24*12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, guard.Policy{})
			sent := 0
			const attempts = 4320 // one each 20 s
			for i := range attempts {
				b.now = morning.Add(time.Duration(i) * 24 * time.Hour / attempts)
				if _, answer, _ := b.start(tt.number(i), from(fmt.Sprintf("10.%d.%d.1", i%200, i/200)), solved(4)); answer == countersign.DecisionAllow {
					sent++
				}
			}
			t.Logf("%d of %d sent", sent, attempts)
			if sent > tt.most || tt.most > 600 {
				t.Errorf("%d sent, at most %d may be", sent, tt.most)
			}
			if sent == 0 {
				t.Error("nothing is let through at all")
			}
		})
	}
}

// Of one app alone the wider budgets are not counted; of two, or where they are the tighter ones, they are.
func TestBudgetsThatCannotDecideAreNotCounted(t *testing.T) {
	tight := map[string]countersign.Budget{"budget_instance": {Capacity: 500, Refill: 10}}
	for name, tt := range map[string]struct {
		apps map[string]guard.Policy
		of   guard.Instance
		want bool
	}{
		"one app":            {map[string]guard.Policy{"demo": {Countries: []string{"*"}}}, guard.Instance{}, false},
		"two apps":           {map[string]guard.Policy{"demo": {Countries: []string{"*"}}, "shop": {}}, guard.Instance{}, true},
		"a tighter instance": {map[string]guard.Policy{"demo": {Countries: []string{"*"}}}, guard.Instance{Budgets: tight}, true},
	} {
		b := newBed(t, guard.Policy{}, func(c *guard.Config) { c.Apps, c.Instance = tt.apps, tt.of })
		a, _, _ := b.start(swedish(t, "4670", 1))
		found := false
		for _, l := range b.limitsOf(a) {
			found = found || l.Name == "budget_instance"
		}
		if found != tt.want {
			t.Errorf("%s: the instance's budget is counted: %v", name, found)
		}
	}
}

// limitsOf judges an attempt again for what it counts.
func (b *bed) limitsOf(a *countersign.Attempt) []countersign.Limit {
	b.Helper()
	again := *a
	limits, err := b.Judge(&again)
	if err != nil {
		b.Fatal(err)
	}
	return limits
}
