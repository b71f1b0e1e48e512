package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goccy/go-yaml/ast"

	"countersign"
	"countersign/phone"
)

// Case is one expectation of a policy: the answer to the last of so many starts.
type Case struct {
	Name   string
	At     string // file, line and column
	App    string
	Region string // the app's, when the policy says no countries
	To     string // number; # stands for a digit that changes from one start to the next
	Want   string // allow, challenge or deny
	Rule   string // that decides; "" when any may

	Channel countersign.Channel
	Purpose countersign.Purpose
	Client  netip.Addr
	Repeat  int
	Every   time.Duration
	Solved  int
}

// ParseCases reads a file of cases: a list under `cases`.
func ParseCases(name string, text []byte) ([]Case, error) {
	r := &reader{name: name, places: map[string]string{}}
	var cases []Case
	r.document(text, func(key, path string, v ast.Node) {
		list, ok := v.(*ast.SequenceNode)
		if key != "cases" || !ok {
			r.bad(v, path, "expected a list named cases")
			return
		}
		for i, v := range list.Values {
			cases = append(cases, r.oneCase(v, fmt.Sprintf("cases[%d]", i+1)))
		}
	})
	return cases, errors.Join(r.errs...)
}

func (r *reader) oneCase(n ast.Node, path string) Case {
	c := Case{
		At: r.at(n), App: "demo", Name: path,
		Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Repeat: 1, Every: time.Second,
	}
	r.each(n, path, func(key, path string, v ast.Node) {
		switch key {
		case "name":
			c.Name = r.text(v, path)
		case "app":
			c.App = r.text(v, path)
		case "region":
			c.Region = r.text(v, path)
		case "to":
			c.To = r.text(v, path)
		case "want":
			c.Want = r.text(v, path)
		case "rule":
			c.Rule = r.text(v, path)
		case "channel":
			c.Channel = r.channel(v, path, r.text(v, path))
		case "purpose":
			c.Purpose = r.purpose(v, path, r.text(v, path))
		case "client":
			var err error
			if c.Client, err = netip.ParseAddr(r.text(v, path)); err != nil {
				r.bad(v, path, "expected an address, such as 203.0.113.7")
			}
		case "repeat":
			c.Repeat = r.number(v, path, 1, 1_000_000)
		case "every":
			var err error
			if c.Every, err = time.ParseDuration(r.text(v, path)); err != nil || c.Every < 0 {
				r.bad(v, path, "expected a duration, such as 1s")
			}
		case "solved":
			c.Solved = r.number(v, path, 0, countersign.MaxDifficulty)
		default:
			r.unknown(path, "name, app, region, to, want, rule, channel, purpose, client, repeat, every, solved")
		}
	})
	switch {
	case !isDecision(c.Want):
		r.bad(n, path+".want", "expected allow, challenge or deny")
	case c.To == "":
		r.bad(n, path+".to", "expected a number such as +46701740605; # stands for a digit that changes")
	}
	return c
}

// Run asks the guard, from nothing, and says how the last answer differs from what was expected; "" when it does not.
func (c *Case) Run(cfg Config) (difference string, err error) {
	var last *Decision
	cfg.Record = func(d *Decision) { last = d }
	g, err := New(cfg)
	if err != nil {
		return "", err
	}
	counts, now := NewCounts(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	app := &countersign.App{ID: c.App, Region: c.Region}
	for i := range c.Repeat {
		number, err := phone.Parse(numbered(c.To, i), c.Region)
		if err != nil {
			return "", fmt.Errorf("%s: %s: the number cannot be dialled", c.At, c.Name)
		}
		a := &countersign.Attempt{
			Action: countersign.ActionStart, App: app, To: countersign.PhoneAddress(number), Channel: c.Channel, Purpose: c.Purpose,
			Client: countersign.Client{Addr: c.Client}, Now: now, Solved: c.Solved, Hash: PlainHash,
		}
		if err := g.Ask(a, counts); err != nil && countersign.KindOf(err) == countersign.ErrInternal {
			return "", err
		}
		now = now.Add(c.Every)
	}
	if last.Decision == c.Want && (c.Rule == "" || last.Rule == c.Rule) {
		return "", nil
	}
	got := last.Decision
	if last.Rule != "" {
		got += " by " + last.Rule
	}
	want := c.Want
	if c.Rule != "" {
		want += " by " + c.Rule
	}
	return fmt.Sprintf("%s: %s: got %s, want %s", c.At, c.Name, got, want), nil
}

// numbered puts digits in the place of each #, others for each i.
func numbered(text string, i int) string {
	b := []byte(text)
	i *= 7368787 // prime, so no two are alike; neighbours are another rule's business
	for n := len(b) - 1; n >= 0; n-- {
		if b[n] == '#' {
			b[n] = byte('0' + i%10)
			i /= 10
		}
	}
	return string(b)
}

// Ask judges an attempt, counts it and tells the guard, all at the attempt's instant. The error is why nothing goes out; of
// kind ErrChallengeRequired when a challenge would help.
func (g *Guard) Ask(a *countersign.Attempt, counts *Counts) error {
	limits, err := g.Judge(a)
	var demand *countersign.Demand
	var taken *countersign.Taken
	switch {
	case errors.As(err, &demand):
		err = &countersign.Error{Kind: countersign.ErrChallengeRequired, RetryAfter: demand.RetryIn}
	case err == nil:
		if taken = counts.TakeAt(a.Now, limits); taken.Refused != nil {
			e := &countersign.Error{Kind: countersign.ErrRateLimited, RetryAfter: taken.Refused.RetryIn}
			if taken.Refused.Limit.Challenge > 0 {
				e.Kind = countersign.ErrChallengeRequired
			}
			err = e
		}
	}
	g.Decided(a, taken, err)
	return err
}
