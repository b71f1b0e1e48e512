package guard_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

func wideBed(t testing.TB, shadow ...string) *bed {
	wide, shared := guard.WideBudgets()
	return newBed(t, guard.Policy{Budgets: wide, Shadow: shadow}, func(c *guard.Config) { c.Instance.Budgets = shared })
}

// A range that nobody confirms is blocked, two an hour get through, and two confirmations among them lift it.
func TestARangeThatDoesNotConvertIsBlocked(t *testing.T) {
	b := wideBed(t, guard.RuleSequence)
	blocked := 0
	for i := range 120 {
		b.now = b.now.Add(10 * time.Second)
		if _, answer, rule := b.start(swedish(t, "467012", i*7919%100000)); answer == countersign.DecisionDeny {
			if rule != guard.RulePrefixBlock {
				t.Fatalf("refused by %s", rule)
			}
			blocked++
		}
	}
	if blocked < 60 {
		t.Errorf("of 120 starts without a confirmation %d were refused", blocked)
	}
	if _, answer, _ := b.start(swedish(t, "467612", 1)); answer != countersign.DecisionAllow {
		t.Error("another range is blocked as well")
	}
	b.now = b.now.Add(30 * time.Minute) // one probe more
	won := 0
	for i := 0; won < 2 && i < 200; i++ {
		if a, answer, _ := b.start(swedish(t, "467012", 50000+i*7919%40000)); answer == countersign.DecisionAllow {
			b.approve(a, 20*time.Second)
			won++
		}
		b.now = b.now.Add(time.Minute)
	}
	for i := range 5 {
		if _, answer, rule := b.start(swedish(t, "467012", 91000+i*700)); answer != countersign.DecisionAllow {
			t.Errorf("after two confirmations: %s by %s", answer, rule)
		}
	}
}

// Ranges of which six in ten confirm, after a while, are not blocked; those of one in twenty are.
func TestHonestRangesAreNotBlocked(t *testing.T) {
	for name, tt := range map[string]struct {
		conversion float64
		blocked    bool
	}{"honest": {0.6, false}, "just so": {0.5, false}, "pumped": {0.05, true}} {
		t.Run(name, func(t *testing.T) {
			b, r, denied := wideBed(t, guard.RuleSequence), rand.New(rand.NewPCG(1, 2)), 0
			type due struct {
				a  *countersign.Attempt
				at time.Time
			}
			var waiting []due
			for i := range 6000 {
				b.now = b.now.Add(3 * time.Second)
				for len(waiting) > 0 && !waiting[0].at.After(b.now) {
					b.approve(waiting[0].a, 0)
					waiting = waiting[1:]
				}
				a, answer, _ := b.start(swedish(t, "467012", i*7919%100000))
				if answer == countersign.DecisionDeny {
					denied++
				} else if r.Float64() < tt.conversion {
					waiting = append(waiting, due{a, b.now.Add(25 * time.Second)})
				}
			}
			if (denied > 0) != tt.blocked {
				t.Errorf("%d of 6000 were refused", denied)
			}
		})
	}
}

func TestSequencesAreAskedForWork(t *testing.T) {
	b := wideBed(t)
	challenged := 0
	for i := range 20 {
		if _, answer, rule := b.start(swedish(t, "46701234", 100+i)); answer == countersign.DecisionChallenge && rule == guard.RuleSequence {
			challenged++
		}
	}
	if challenged != 13 { // from the eighth on
		t.Errorf("%d of 20 in sequence were challenged", challenged)
	}
	if _, answer, _ := b.start(swedish(t, "46701234", 120), solved(3)); answer != countersign.DecisionAllow {
		t.Error("the work is worth nothing")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		if _, answer, rule := b.start(swedish(t, "467612", r.IntN(100000))); answer != countersign.DecisionAllow {
			t.Fatalf("random numbers: %s by %s", answer, rule)
		}
	}
}

// Who sends the hosted form sooner than a person does is asked for work, and so is who cannot say when he got it.
func TestQuickFormsAreAskedForWork(t *testing.T) {
	b := newBed(t, guard.Policy{})
	filled := func(d time.Duration) func(*countersign.Attempt) {
		return func(a *countersign.Attempt) { a.FilledIn = d }
	}
	for n, tt := range []struct {
		open   time.Duration
		solved int
		want   string
	}{
		{0, 0, countersign.DecisionAllow},
		{time.Second, 0, countersign.DecisionAllow},
		{time.Hour, 0, countersign.DecisionAllow},
		{999 * time.Millisecond, 0, countersign.DecisionChallenge},
		{-1, 0, countersign.DecisionChallenge},
		{time.Millisecond, 1, countersign.DecisionAllow},
		{-1, 1, countersign.DecisionAllow},
	} {
		_, answer, rule := b.start(swedish(t, "4670", n*1234567), filled(tt.open), solved(tt.solved))
		if answer != tt.want || answer == countersign.DecisionChallenge && rule != guard.RuleFormTime {
			t.Errorf("open for %s, difficulty %d solved: %s by %s, want %s", tt.open, tt.solved, answer, rule, tt.want)
		}
		if d := b.said[len(b.said)-1]; d.Quick != (tt.open != 0 && tt.open < time.Second) {
			t.Errorf("open for %s: recorded as quick: %v", tt.open, d.Quick)
		}
	}
	shadowed := newBed(t, guard.Policy{Shadow: []string{guard.RuleFormTime}})
	if _, answer, _ := shadowed.start(swedish(t, "4670", 1), filled(-1)); answer != countersign.DecisionAllow || len(shadowed.said[0].Shadow) != 1 {
		t.Errorf("in shadow: %s, %v", answer, shadowed.said[0].Shadow)
	}
}

// Behind one address is a lecture hall: when a few have confirmed, nobody is asked for work any more.
func TestACampusIsNotLockedOut(t *testing.T) {
	b := newBed(t, guard.Policy{})
	challenged, denied := 0, 0
	var waiting []*countersign.Attempt
	for i := range 600 { // in ten minutes
		b.now = b.now.Add(time.Second)
		if len(waiting) > 0 && b.now.Sub(waiting[0].Now) >= 25*time.Second {
			if i%5 != 0 { // four of five confirm
				b.approve(waiting[0], 0)
			}
			waiting = waiting[1:]
		}
		a, answer, _ := b.start(swedish(t, "4670", i*7368787%10000000), from("198.51.100.9"))
		switch answer {
		case countersign.DecisionChallenge:
			challenged++
		case countersign.DecisionDeny:
			denied++
		default:
			waiting = append(waiting, a)
		}
	}
	t.Logf("%d challenged, %d refused of 600", challenged, denied)
	if challenged > 30 || denied > 0 {
		t.Errorf("%d challenged, %d refused of 600", challenged, denied)
	}
}
