package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"countersign"
	"countersign/phone"
)

// Config is what a Guard works with.
type Config struct {
	Apps     map[string]Policy // by app
	Instance Instance
	Money    *Money // caps on what messages cost; optional, with its Prices
	// Spent hears when 50, 80 and 100 percent of a cap are used: of an app's, a country's or of all. Optional; it must not
	// block.
	Spent func(limit, app, country string, percent int)
	// ASN says which operator (AS number) announces an address. Optional.
	ASN func(netip.Addr) (number uint32, ok bool)
	// Count hears of every decision on a start or a send: the answer and the rule, as in Decision. Optional; it must not block.
	Count func(app, country, decision, rule string)
	// Shadowed hears of every rule in shadow that would have refused. Optional; it must not block.
	Shadowed func(app, rule string)
	// Record hears of every decision and every approval, in full. Optional; it must not block.
	Record func(*Decision)
	// Blocked hears of every block that this guard makes or lengthens, and Lifted of every one that ended before its time
	// because what was let through was confirmed. Optional; they must not block.
	Blocked func(countersign.Block)
	Lifted  func(id string)
}

// Guard judges by one Policy for each app. Its methods may be called from many goroutines.
type Guard struct {
	cfg  Config
	apps map[string]*rules
	seen *Memory
	wide wideKeys
}

// New prepares policies. It reports every mistake at once.
func New(cfg Config) (*Guard, error) {
	return NewWithMemory(cfg, NewMemory())
}

// NewWithMemory is New for policies that replace others: what was seen and is blocked stays.
func NewWithMemory(cfg Config, m *Memory) (*Guard, error) {
	g := &Guard{cfg: cfg, apps: make(map[string]*rules, len(cfg.Apps)), seen: m}
	var errs []error
	for app, p := range cfg.Apps {
		r := p.prepare("apps."+app, &cfg.Instance, &errs)
		if len(cfg.Apps) == 1 {
			r.alone()
		}
		g.apps[app] = &r
	}
	if len(cfg.Apps) == 0 {
		errs = append(errs, errNoApps)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

// note is what Judge tells Decided.
type note struct {
	target  target
	keys    keys
	rule    string   // that refused or asked for a challenge, without the store
	shadows []string // rules in shadow that would have
	limits  []countersign.Limit
}

// Judge implements countersign.Guard.
func (g *Guard) Judge(a *countersign.Attempt) ([]countersign.Limit, error) {
	r, ok := g.apps[a.App.ID]
	if !ok {
		return nil, fmt.Errorf("app %q has no policy", a.App.ID)
	}
	if a.Action == countersign.ActionLogin {
		return r.loginLimits(a), nil
	}
	if a.Action == countersign.ActionCheck {
		return r.checkLimits(a), nil
	}
	n := &note{target: r.targetOf(a.To)}
	a.Note = n
	if err := r.static(&n.target, a, n); err != nil || a.Test {
		return nil, err
	}
	g.identify(n, a)
	a.Marks = n.keys.marks()
	return g.counted(r, a, n)
}

// identify makes the keys of an attempt.
func (g *Guard) identify(n *note, a *countersign.Attempt) {
	n.keys = g.keysOf(a.Hash, a.App.ID, n.target.number)
	g.keysOfClient(&n.keys, a)
}

// counted asks the rules about what was seen, and names what is to be counted.
func (g *Guard) counted(r *rules, a *countersign.Attempt, n *note) ([]countersign.Limit, error) {
	s := g.seen.look(&n.keys, &n.target, a, g, false)
	n.target.sequence = s.sequence
	if err := r.signals(s, a, n); err != nil {
		return nil, err
	}
	n.limits = g.money(r.limits(a, n, s), a, n.target.region, &n.keys)
	return n.limits, nil
}

func (r *rules) checkLimits(a *countersign.Attempt) []countersign.Limit {
	if !a.Client.Addr.IsValid() {
		return nil
	}
	return []countersign.Limit{{
		Name: RuleClientChecks, Key: a.Hash(RuleClientChecks, Bucket(a.Client.Addr)), Burst: r.checks, Period: time.Minute,
		Shadow: r.shadow[RuleClientChecks],
	}}
}

// loginLimits bound what an address makes us keep before anybody has shown who they are. The ceiling is that of starts: many
// people may be behind it.
func (r *rules) loginLimits(a *countersign.Attempt) []countersign.Limit {
	if !a.Client.Addr.IsValid() {
		return nil
	}
	return []countersign.Limit{{
		Name: RuleClientLogins, Key: a.Hash(RuleClientLogins, Bucket(a.Client.Addr)), Burst: r.ceiling, Period: time.Minute,
		Shadow: r.shadow[RuleClientLogins],
	}}
}

// quickest is how soon a person may send the hosted form: to read it and press a button, with the number filled in by the
// browser, takes longer.
const (
	quickest   = time.Second
	signalWait = 10 * time.Minute
)

// signals asks the rules about what this process has seen and how the form was filled in. A network that does not convert is asked for work and never
// shut out: many people may be behind it.
func (r *rules) signals(s sight, a *countersign.Attempt, n *note) error {
	for _, demand := range [...]struct {
		rule       string
		on         bool
		difficulty int
		wait       time.Duration // after which it may not be asked for any more
	}{
		{RuleSequence, s.sequence, sequenceDifficulty, signalWait},
		{RuleNetworkBlock, s.networkBlocked, networkDifficulty, signalWait},
		{RuleFormTime, a.FilledIn != 0 && a.FilledIn < quickest, rateDifficulty, quickest},
	} {
		switch {
		case !demand.on || a.Solved >= demand.difficulty:
		case r.shadow[demand.rule]:
			n.shadows = append(n.shadows, demand.rule)
		default:
			n.rule = demand.rule
			return &countersign.Demand{Rule: demand.rule, Difficulty: demand.difficulty, RetryIn: demand.wait}
		}
	}
	return nil
}

// Probes of a blocked range: so many starts are let through, to see whether they are confirmed.
const (
	probeBurst  = 2
	probePeriod = time.Hour
)

// limits names what is to be counted, first what refuses, then what a challenge passes.
func (r *rules) limits(a *countersign.Attempt, n *note, s sight) []countersign.Limit {
	list := make([]countersign.Limit, 0, len(r.budgets)+3)
	if s.prefixBlocked {
		list = append(list, countersign.Limit{
			Name: RulePrefixBlock, Key: n.keys.block(s.blockedBy), Burst: probeBurst, Period: probePeriod, Shadow: r.shadow[RulePrefixBlock],
		})
	}
	if n.keys.has[ofClient] {
		list = append(list, countersign.Limit{
			Name: RuleClientCeiling, Key: n.keys.list[ceilingKey], Burst: r.ceiling, Period: time.Minute, Shadow: r.shadow[RuleClientCeiling],
		})
	}
	for i := range r.budgets {
		b := &r.budgets[i]
		if part, work := b.part(a, &s); n.keys.has[b.of] && work == 0 {
			list = append(list, b.limit(n.keys.list[b.of], part, 0))
		}
	}
	if n.keys.has[ofClient] && a.Solved < rateDifficulty && !s.networkFamiliar {
		list = append(list, countersign.Limit{
			Name: RuleClientStarts, Key: n.keys.list[startsKey], Burst: r.starts, Period: time.Minute, Challenge: rateDifficulty,
			Shadow: r.shadow[RuleClientStarts],
		})
	}
	for i := range r.budgets {
		b := &r.budgets[i]
		if part, work := b.part(a, &s); n.keys.has[b.of] && work > 0 {
			list = append(list, b.limit(n.keys.list[b.of], part, work))
		}
	}
	return list
}

// Decided implements countersign.Guard.
func (g *Guard) Decided(a *countersign.Attempt, t *countersign.Taken, err error) {
	n, ok := a.Note.(*note)
	if !ok {
		return
	}
	if err == nil {
		g.spent(a.App.ID, a.To.Country(), t)
		if a.Action == countersign.ActionStart {
			g.seen.started(&n.keys, a.Now)
		}
	}
	decision, rule, _ := n.answer(t, err)
	a.Verdict = countersign.Verdict{Decision: decision, Rule: rule, Shadow: n.shadowed(t)}
	if g.cfg.Count != nil {
		g.cfg.Count(a.App.ID, a.To.Country(), decision, rule)
	}
	if g.cfg.Shadowed != nil {
		for _, rule := range a.Verdict.Shadow {
			g.cfg.Shadowed(a.App.ID, rule)
		}
	}
	if g.cfg.Record != nil {
		g.cfg.Record(g.decisionOf(a, n, t, err))
	}
}

// refundOnce is how often one phone gives back more than it took.
const refundOnce = 24 * time.Hour

// Approved implements countersign.Guard.
func (g *Guard) Approved(c *countersign.Conversion) countersign.Refund {
	r, ok := g.apps[c.App.ID]
	if !ok {
		return countersign.Refund{}
	}
	number, _ := c.To.Phone()
	k := g.keysOf(c.Hash, c.App.ID, number)
	k.unmark(c.Marks)
	if g.cfg.Record != nil {
		g.cfg.Record(approvalOf(c, &k))
	}
	return g.approved(r, c, &k, c.Hash("phone_refunds", c.To.Dial()))
}

// approved remembers an approval and names what it gives back; phone is whose it is.
func (g *Guard) approved(r *rules, c *countersign.Conversion, k *keys, phone countersign.Hash) countersign.Refund {
	g.seen.won(k, c, g)
	refund := countersign.Refund{
		Once:   countersign.Limit{Name: "phone_refunds", Key: phone, Burst: 1, Period: refundOnce},
		Limits: make([]countersign.Limit, 0, len(r.budgets)),
	}
	for i := range r.budgets {
		if b := &r.budgets[i]; k.has[b.of] {
			refund.Limits = append(refund.Limits, b.limit(k.list[b.of], whole, 0))
		}
	}
	return refund
}

// keys are the keyed hashes under which one attempt is counted.
type keys struct {
	list [scopes + 2]countersign.Hash
	has  [scopes]bool
}

// Beside the budgets' keys: those of the rates.
const (
	startsKey  = scopes
	ceilingKey = scopes + 1
)

// keysOf makes the keys that an app and a number have.
func (g *Guard) keysOf(hash func(string, ...string) countersign.Hash, app string, n phone.Number) (k keys) {
	w := g.wide.of(hash, app, n)
	k.list[ofApp], k.has[ofApp] = w[ofApp], true
	k.list[ofInstance], k.has[ofInstance] = w[ofInstance], true
	if n.IsZero() {
		return k
	}
	for _, s := range [...]scope{ofPrefix4, ofAppCountry, ofCountry} {
		k.list[s], k.has[s] = w[s], true
	}
	digits := n.E164()[1:]
	k.list[ofThousand], k.has[ofThousand] = hash("budget_thousand", app, digits[:max(0, len(digits)-3)]), true
	k.list[ofPrefix6], k.has[ofPrefix6] = hash("budget_prefix6", app, digits[:min(6, len(digits))]), true
	return k
}

// keysOfClient adds those that the client has.
func (g *Guard) keysOfClient(k *keys, a *countersign.Attempt) {
	if a.Client.Device != "" {
		k.list[ofDevice], k.has[ofDevice] = a.Hash("budget_device", a.App.ID, a.Client.Device), true
	}
	if !a.Client.Addr.IsValid() {
		return
	}
	h := a.Hash("budget_client", Bucket(a.Client.Addr))
	k.list[ofClient], k.has[ofClient] = h, true
	k.list[startsKey], k.list[ceilingKey] = other(h, 1), other(h, 2)
	k.list[ofNetwork], k.has[ofNetwork] = a.Hash("budget_network", Network(a.Client.Addr)), true
	if g.cfg.ASN != nil {
		if asn, ok := g.cfg.ASN(a.Client.Addr); ok {
			k.list[ofASN], k.has[ofASN] = a.Hash("budget_asn", asnText(asn)), true
		}
	}
}

// other is another key of the same thing.
func other(h countersign.Hash, n byte) countersign.Hash {
	h[countersign.HashSize-1] ^= n
	return h
}

// wideKeys remembers the keys that many attempts share, so that they are not hashed each time.
type wideKeys struct {
	mu   sync.RWMutex
	made countersign.Hash // tells which key of the instance they are made with
	by   map[wideOf]*[scopes]countersign.Hash
}

type wideOf struct{ app, region, prefix string }

const keptWide = 1 << 14

func (w *wideKeys) of(hash func(string, ...string) countersign.Hash, app string, n phone.Number) *[scopes]countersign.Hash {
	what, digits := wideOf{app: app}, ""
	if !n.IsZero() {
		digits = n.E164()[1:]
		what.region, what.prefix = n.Region(), digits[:min(4, len(digits))]
	}
	made := hash("guard")
	w.mu.RLock()
	k := w.by[what]
	same := w.made == made
	w.mu.RUnlock()
	if k != nil && same {
		return k
	}
	k = &[scopes]countersign.Hash{
		ofApp: hash("budget_app", app), ofInstance: hash("budget_instance"), ofPrefix4: hash("budget_prefix4", app, what.prefix),
		ofAppCountry: hash("budget_app_country", app, what.region), ofCountry: hash("budget_country", what.region),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made != made || len(w.by) >= keptWide {
		w.made, w.by = made, map[wideOf]*[scopes]countersign.Hash{}
	}
	w.by[what] = k
	return k
}

// block is the key of a blocked range's probes.
func (k *keys) block(of scope) countersign.Hash {
	return other(k.list[of], 1)
}

// marked are the keys that cannot be made again from the verification.
var marked = [...]scope{ofDevice, ofClient, ofNetwork, ofASN}

// marks writes them: which there are, and each.
func (k *keys) marks() []byte {
	b := make([]byte, 1, 1+len(marked)*countersign.HashSize)
	for i, s := range marked {
		if k.has[s] {
			b[0] |= 1 << i
			b = append(b, k.list[s][:]...)
		}
	}
	if b[0] == 0 {
		return nil
	}
	return b
}

// unmark reads what marks wrote. Anything else is nothing.
func (k *keys) unmark(b []byte) {
	if len(b) == 0 {
		return
	}
	rest := b[1:]
	for i, s := range marked {
		if b[0]>>i&1 == 0 {
			continue
		}
		if len(rest) < countersign.HashSize {
			return
		}
		k.list[s], k.has[s] = countersign.Hash(rest[:countersign.HashSize]), true
		rest = rest[countersign.HashSize:]
	}
}
