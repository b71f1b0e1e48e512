package guard

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
)

// This file plays recorded decisions against another policy. The rules, the memory and the arithmetic of budgets are those of
// a running instance; what stands in for numbers and addresses are the recorded keys.

// Replay is one policy being tried on a decision log. It is for one goroutine.
type Replay struct {
	guard  *Guard
	counts *Counts
	prices *Prices
	last   time.Time
	open   map[string][]*attempted // of the last quarter of an hour, by app and phone
	swept  time.Time

	Result ReplayResult
	// Differs hears of every start and resend that is answered otherwise than it was. Optional.
	Differs func(recorded *Decision, decision, rule string)
}

// ReplayResult is what a policy would have done with recorded traffic.
type ReplayResult struct {
	From     time.Time
	To       time.Time
	Recorded Tally
	Replayed Tally

	Stopped      int // messages that went out and would not
	Added        int // messages that did not go out and would
	Confirmed    int // starts that a person confirmed
	TurnedAway   int // of these, refused outright
	AskedForWork int // of these, asked for a challenge that they were not asked for then
	Rules        map[string]int
}

// Tally is starts and resends by what became of them.
type Tally struct {
	Attempts   int
	Sent       int
	Challenged int // and not solved
	Refused    int
	Money      Micros
}

// attempted is a start or resend that may still be confirmed.
type attempted struct {
	at         time.Time
	start      bool
	challenged bool // recorded: whoever solves it comes again
	sent       bool // in the replay
	worked     bool // a challenge had to be solved in the replay and not then
	confirmed  bool
}

// Bounds of a log's order, and of how long a start may be confirmed.
const (
	replayDisorder = time.Minute
	replayOpen     = 15 * time.Minute
	replayRetry    = 10 * time.Minute // a solved challenge comes within
)

// NewReplay prepares one. The policies of cfg must be those of every app in the log. Messages are priced by cfg.Money, else by
// the default prices.
func NewReplay(cfg Config) (*Replay, error) {
	cfg.Record, cfg.Count, cfg.Shadowed, cfg.Spent, cfg.Blocked, cfg.Lifted = nil, nil, nil, nil, nil, nil
	g, err := New(cfg)
	if err != nil {
		return nil, err
	}
	p := &Replay{guard: g, counts: NewCounts(), open: map[string][]*attempted{}, Result: ReplayResult{Rules: map[string]int{}}}
	if cfg.Money != nil {
		p.prices = cfg.Money.Prices
	}
	if p.prices == nil {
		p.prices = DefaultPrices()
	}
	return p, nil
}

// ParseDecision reads one line of a decision log, and says what is wrong with a bad one.
func ParseDecision(line []byte) (*Decision, error) {
	d := &Decision{}
	if err := json.Unmarshal(line, d); err != nil {
		return nil, errors.New("not a recorded decision: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	switch {
	case d.At.IsZero():
		return nil, errors.New("at: when it happened is missing")
	case d.App == "":
		return nil, errors.New("app: it is missing")
	case d.Event != "start" && d.Event != "send" && d.Event != "approved":
		return nil, fmt.Errorf("event: %q is not start, send or approved", d.Event)
	case d.Event == "approved" && d.Created.IsZero():
		return nil, errors.New("created: when its verification was started is missing")
	case d.Event != "approved" && !isDecision(d.Decision):
		return nil, fmt.Errorf("decision: %q is not allow, challenge or deny", d.Decision)
	case d.Solved < 0 || d.Solved > countersign.MaxDifficulty:
		return nil, fmt.Errorf("solved: %d is no difficulty", d.Solved)
	}
	if _, ok := phone.ParseLineType(d.Type); d.Type != "" && d.Type != phone.Unknown.String() && !ok {
		return nil, fmt.Errorf("line_type: there is no %q", d.Type)
	}
	for name, text := range d.Keys {
		if _, err := parseKey(text); err != nil {
			return nil, fmt.Errorf("keys.%s: expected %d hexadecimal digits", name, 2*countersign.HashSize)
		}
	}
	if d.Keys["phone"] == "" {
		return nil, errors.New("keys.phone: it is missing")
	}
	return d, nil
}

func parseKey(text string) (h countersign.Hash, err error) {
	if hex.DecodedLen(len(text)) != len(h) {
		return h, hex.ErrLength
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}

// Play plays one decision. An error says why it cannot be played; the next one can.
func (p *Replay) Play(d *Decision) error {
	if d.At.Before(p.last.Add(-replayDisorder)) {
		return fmt.Errorf("at: more than a minute before the line before it (%s): sort the log", p.last.Format(time.RFC3339))
	}
	if _, ok := p.guard.apps[d.App]; !ok {
		return fmt.Errorf("app: %q has no policy here", d.App)
	}
	if d.At.After(p.last) {
		p.last = d.At
	}
	if p.Result.From.IsZero() {
		p.Result.From = d.At
	}
	p.Result.To = p.last
	p.sweep()
	if d.Event == "approved" {
		p.approved(d)
		return nil
	}
	return p.attempt(d)
}

// sweep forgets what nobody can confirm any more.
func (p *Replay) sweep() {
	if p.last.Sub(p.swept) < time.Minute {
		return
	}
	p.swept = p.last
	for who, list := range p.open {
		if p.last.Sub(list[len(list)-1].at) > replayOpen {
			delete(p.open, who)
		}
	}
}

func (d *Decision) who() string { return d.App + " " + d.Keys["phone"] }

func (p *Replay) attempt(d *Decision) error {
	if p.repeats(d) {
		return nil
	}
	price := p.prices.Reserve(d.Country, countersign.Channel(d.Channel))
	if d.Test {
		price = 0
	}
	p.Result.Recorded.add(d.Decision, price)
	a := d.attempt()
	decision, rule, err := p.ask(d, a)
	if err != nil {
		return err
	}
	one := &attempted{at: d.At, start: d.Event == "start", challenged: d.Decision == countersign.DecisionChallenge}
	if decision == countersign.DecisionChallenge && d.Decision != countersign.DecisionChallenge {
		// It was not asked for work then. Pages and SDKs do it by themselves, and so do attackers.
		a.Solved, one.worked = countersign.MaxDifficulty, true
		if decision, rule, err = p.ask(d, a); err != nil {
			return err
		}
	}
	one.sent = decision == countersign.DecisionAllow
	p.Result.Replayed.add(decision, price)
	if decision != countersign.DecisionAllow {
		p.Result.Rules[rule]++
	}
	if d.Decision != decision && p.Differs != nil {
		p.Differs(d, decision, rule)
	}
	switch was := d.Decision == countersign.DecisionAllow; {
	case was && !one.sent:
		p.Result.Stopped++
	case !was && one.sent:
		p.Result.Added++
	}
	p.open[d.who()] = append(p.open[d.who()], one)
	return nil
}

func (t *Tally) add(decision string, price Micros) {
	t.Attempts++
	switch decision {
	case countersign.DecisionAllow:
		t.Sent++
		t.Money += price
	case countersign.DecisionChallenge:
		t.Challenged++
	default:
		t.Refused++
	}
}

// repeats says whether this is the solved challenge of a start that was let through in the replay, and so would never have
// been asked for.
func (p *Replay) repeats(d *Decision) bool {
	list := p.open[d.who()]
	if d.Solved == 0 || len(list) == 0 {
		return false
	}
	before := list[len(list)-1]
	if !before.challenged || !before.sent || d.At.Sub(before.at) > replayRetry {
		return false
	}
	before.challenged = false
	if d.Decision == countersign.DecisionAllow { // then it did cost a message, which is not an additional one now
		price := p.prices.Reserve(d.Country, countersign.Channel(d.Channel))
		p.Result.Recorded.Sent++
		p.Result.Recorded.Challenged--
		p.Result.Recorded.Money += price
		p.Result.Added--
	}
	before.at = d.At
	return true
}

// ask judges, counts and tells the guard. What the phone itself refused, or an opt-out, is no matter of policy and stays.
func (p *Replay) ask(d *Decision, a *countersign.Attempt) (decision, rule string, err error) {
	r := p.guard.apps[d.App]
	n, err := d.note(p.guard)
	if err != nil {
		return "", "", err
	}
	a.Note = n
	var limits []countersign.Limit
	var taken *countersign.Taken
	refusal := r.static(&n.target, a, n)
	if refusal == nil && !a.Test {
		limits, refusal = p.guard.counted(r, a, n)
	}
	var demand *countersign.Demand
	if errors.As(refusal, &demand) {
		refusal = countersign.ErrChallengeRequired
	}
	if refusal == nil {
		if taken = p.counts.TakeAt(a.Now, limits); taken.Refused != nil {
			refusal = countersign.ErrRateLimited
			if taken.Refused.Limit.Challenge > 0 {
				refusal = countersign.ErrChallengeRequired
			}
		} else if d.Decision == countersign.DecisionDeny && d.Rule == d.Code {
			p.counts.ReleaseAt(a.Now, admitted(limits, taken))
			refusal = countersign.Kind(d.Code)
		}
	}
	p.guard.Decided(a, taken, refusal)
	decision, rule, _ = n.answer(taken, refusal)
	return decision, rule, nil
}

// admitted are the limits that were counted.
func admitted(limits []countersign.Limit, t *countersign.Taken) []countersign.Limit {
	list := make([]countersign.Limit, 0, len(limits))
	for i := range limits {
		if !t.Rates[i].Over {
			list = append(list, limits[i])
		}
	}
	return list
}

func (d *Decision) attempt() *countersign.Attempt {
	a := &countersign.Attempt{
		Action: countersign.ActionStart, App: &countersign.App{ID: d.App, Region: d.Home}, Channel: countersign.Channel(d.Channel),
		Purpose: countersign.Purpose(d.Purpose), Face: countersign.Face(d.Face), Now: d.At, Test: d.Test, Solved: d.Solved, Proved: d.Proved,
		Hash: PlainHash,
	}
	if d.Event == "send" {
		a.Action = countersign.ActionSend
	}
	if d.Quick {
		a.FilledIn = -1
	}
	return a
}

// note is what Judge would have noted: whom it goes to, and the keys.
func (d *Decision) note(g *Guard) (*note, error) {
	n := &note{target: target{
		phone: d.Country != "", region: d.Country, listed: d.Listed != "", allow: d.Listed == countersign.DecisionAllow, replayed: true, sequence: d.Sequence,
	}}
	n.target.kind, _ = phone.ParseLineType(d.Type)
	k, err := d.keys(g)
	n.keys = k
	return n, err
}

func (d *Decision) keys(g *Guard) (k keys, err error) {
	k = g.keysOf(PlainHash, d.App, phone.Number{})
	if d.Country != "" {
		k.list[ofAppCountry], k.has[ofAppCountry] = PlainHash("budget_app_country", d.App, d.Country), true
		k.list[ofCountry], k.has[ofCountry] = PlainHash("budget_country", d.Country), true
	}
	for of, name := range scopeNames {
		text := d.Keys[name]
		if name == "" || text == "" {
			continue
		}
		if k.list[of], err = parseKey(text); err != nil {
			return k, fmt.Errorf("keys.%s: %w", name, err)
		}
		k.has[of] = true
	}
	if k.has[ofClient] {
		k.list[startsKey], k.list[ceilingKey] = other(k.list[ofClient], 1), other(k.list[ofClient], 2)
	}
	return k, nil
}

// approved plays a confirmation, if the message that was confirmed would have gone out.
func (p *Replay) approved(d *Decision) {
	one := p.confirms(d)
	if one != nil && !one.confirmed {
		one.confirmed = true
		p.Result.Confirmed++
		switch {
		case !one.sent:
			p.Result.TurnedAway++
		case one.worked:
			p.Result.AskedForWork++
		}
	}
	if one != nil && !one.sent {
		return
	}
	// A message from before the log began is taken for sent.
	k, err := d.keys(p.guard)
	if err != nil {
		return
	}
	whose, _ := parseKey(d.Keys["phone"])
	c := &countersign.Conversion{
		App: &countersign.App{ID: d.App, Region: d.Home}, Channel: countersign.Channel(d.Channel), Purpose: countersign.Purpose(d.Purpose),
		Created: d.Created, Now: d.At, Hash: PlainHash,
	}
	p.counts.RefundAt(d.At, p.guard.approved(p.guard.apps[d.App], c, &k, other(whose, 1)))
}

// confirms finds the start whose verification was approved: the last that began before it was created.
func (p *Replay) confirms(d *Decision) *attempted {
	var found *attempted
	for _, one := range p.open[d.who()] {
		if one.start && !one.at.After(d.Created.Add(time.Second)) {
			found = one
		}
	}
	return found
}
