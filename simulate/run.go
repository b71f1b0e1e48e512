package simulate

import (
	"math/rand/v2"
	"time"

	"countersign"
	"countersign/guard"
	numbers "countersign/phone"
)

// Options say what is tried, and on what.
type Options struct {
	// Guard makes the guard that is tried: a fresh one for every scenario.
	Guard func(app *countersign.App) (countersign.Guard, error)
	// Policy is its name, for tables; "" for the default.
	Policy string
	// Price is what one message to a number costs, in millionths of a currency; by the guard's default table when nil.
	Price func(numbers.Number) int64
	Seed  uint64
	// Tell hears how far a scenario has come, from 0 to 1; false stops it. Optional.
	Tell func(scenario string, done float64) bool
}

// Run plays one scenario.
func Run(s Scenario, o Options) (*Result, error) {
	if o.Price == nil {
		prices := guard.DefaultPrices()
		o.Price = func(n numbers.Number) int64 { return int64(prices.Reserve(n.Region(), countersign.ChannelSMS)) }
	}
	app := &countersign.App{ID: "demo", Name: "Demo", Region: "US", Policy: countersign.Policy{}.WithDefaults()}
	judge, err := o.Guard(app)
	if err != nil {
		return nil, err
	}
	w := &world{
		now: epoch, end: epoch.Add(s.span), rng: rand.New(rand.NewPCG(o.Seed, stream(s.Name))),
		app: app, judge: judge, counts: guard.NewCounts(), phones: map[string]*phone{}, price: o.Price,
		chart: &chart{began: epoch},
	}
	w.result = Result{Name: s.Name, Seed: o.Seed, Policy: o.Policy, chart: w.chart}
	w.crowd(perDay)
	s.play(w)
	w.run(func(done float64) bool { return o.Tell == nil || o.Tell(s.Name, done) })
	return &w.result, nil
}

// stream makes the draws of every scenario its own.
func stream(name string) uint64 {
	h := guard.PlainHash("scenario", name)
	var n uint64
	for _, b := range h[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

// Limited is the tutorial's guard: so many requests a minute from one address, and nothing else.
type Limited struct{ PerMinute int }

var _ countersign.Guard = Limited{}

// Judge implements countersign.Guard.
func (g Limited) Judge(a *countersign.Attempt) ([]countersign.Limit, error) {
	if !a.Client.Addr.IsValid() {
		return nil, nil
	}
	return []countersign.Limit{{Name: "address", Key: a.Hash("address", a.Client.Addr.String()), Burst: g.PerMinute, Period: time.Minute}}, nil
}

// Decided implements countersign.Guard.
func (Limited) Decided(*countersign.Attempt, *countersign.Taken, error) {}

// Approved implements countersign.Guard.
func (Limited) Approved(*countersign.Conversion) countersign.Refund { return countersign.Refund{} }

// Alarmed blocks a prefix for an hour when too few of its messages of the last full ten minutes were answered: an alarm
// on conversion, which must wait until an answer can have come.
type Alarmed struct {
	cohorts map[string]*cohort
}

type cohort struct {
	began                time.Time
	sent, answered       int
	judgedSent, judgedOK int
	blocked              time.Time
}

// NewAlarmed makes one.
func NewAlarmed() *Alarmed { return &Alarmed{cohorts: map[string]*cohort{}} }

var _ countersign.Guard = (*Alarmed)(nil)

// The alarm: a cohort of ten minutes, judged when the next one ends, with at least twenty messages and under a fifth
// answered.
const (
	cohortSpan  = 10 * time.Minute
	cohortLeast = 20
	cohortShare = 5
	blockSpan   = time.Hour
)

func (g *Alarmed) cohort(to countersign.Address, now time.Time) *cohort {
	text := to.Dial()
	key := text[:min(len(text), 7)]
	c := g.cohorts[key]
	if c == nil {
		c = &cohort{began: now}
		g.cohorts[key] = c
	}
	if now.Sub(c.began) >= cohortSpan {
		if c.judgedSent >= cohortLeast && c.judgedOK*cohortShare < c.judgedSent {
			c.blocked = now.Add(blockSpan)
		}
		c.judgedSent, c.judgedOK, c.sent, c.answered, c.began = c.sent, c.answered, 0, 0, now
	}
	return c
}

// Judge implements countersign.Guard.
func (g *Alarmed) Judge(a *countersign.Attempt) ([]countersign.Limit, error) {
	if c := g.cohort(a.To, a.Now); a.Now.Before(c.blocked) {
		return nil, &countersign.Error{Kind: countersign.ErrRateLimited, Limit: "conversion", RetryAfter: c.blocked.Sub(a.Now)}
	}
	return nil, nil
}

// Decided implements countersign.Guard.
func (g *Alarmed) Decided(a *countersign.Attempt, _ *countersign.Taken, err error) {
	if err == nil {
		g.cohort(a.To, a.Now).sent++
	}
}

// Approved implements countersign.Guard.
func (g *Alarmed) Approved(c *countersign.Conversion) countersign.Refund {
	g.cohort(c.To, c.Now).answered++
	return countersign.Refund{}
}
