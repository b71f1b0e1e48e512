package guard

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
)

// Policy is what an operator allows one app. The zero value allows nothing but the app's own region.
type Policy struct {
	// Countries are ISO 3166-1 alpha-2 regions that may be sent to, by the number and not by its dialling prefix.
	// "*" alone allows all but the global networks. Empty means the app's own region only.
	Countries []string
	// Types are line types allowed beyond mobile and fixed-or-mobile. Fixed lines may be called without being listed.
	Types []phone.LineType
	// Allow and Deny are numbers in E.164, or the beginnings of numbers with a * behind. The longest that fits decides. An
	// allowed number needs no allowed country and line type; every limit still holds.
	Allow, Deny []string
	Channels    []countersign.Channel // that may be used; empty means all
	// Purposes narrow what is allowed for one purpose.
	Purposes map[countersign.Purpose]PurposePolicy

	ClientStarts  int // starts and resends a minute from one client address before a challenge; default 10
	ClientCeiling int // the same, challenge solved or not; default 300, and never less than ClientStarts
	ClientChecks  int // checks a minute from one client address; default 60

	// Budgets by the name of their rule, instead of the defaults.
	Budgets map[string]countersign.Budget
	// Shadow names rules that only record what they would have done.
	Shadow []string
}

// PurposePolicy is what one purpose allows; empty lists narrow nothing.
type PurposePolicy struct {
	Countries []string
	Channels  []countersign.Channel
}

// Instance is what an operator allows all apps together.
type Instance struct {
	Budgets map[string]countersign.Budget
	Shadow  []string
}

// Defaults of the client rates. Behind one address may be a campus or a carrier's NAT, so there is a challenge first.
const (
	DefaultClientStarts  = 10
	DefaultClientCeiling = 300
	DefaultClientChecks  = 60
)

// Difficulties of challenges that hang on no budget.
const (
	rateDifficulty     = 1
	networkDifficulty  = 2
	sequenceDifficulty = 3
)

// rules is one app's policy, prepared.
type rules struct {
	countries countrySet
	types     []phone.LineType
	lists     []listed // the longest first
	channels  []countersign.Channel
	purposes  map[countersign.Purpose]purposeRules
	starts    int
	ceiling   int
	checks    int
	budgets   []prepared
	shadow    map[string]bool
}

type purposeRules struct {
	countries *countrySet // nil: as the app
	channels  []countersign.Channel
}

type countrySet struct {
	everywhere bool
	list       map[string]bool
}

// listed is a beginning of numbers.
type listed struct {
	digits string
	whole  bool // the number itself
	allow  bool
}

func newCountrySet(where string, list []string, errs *[]error) countrySet {
	s := countrySet{list: make(map[string]bool, len(list))}
	for _, c := range list {
		switch {
		case c == "*":
			s.everywhere = true
		case c != globalNetworks && !phone.ValidRegion(c):
			*errs = append(*errs, fmt.Errorf("%s.countries: %q is not an ISO 3166-1 alpha-2 country that has phone numbers", where, c))
		default:
			s.list[c] = true
		}
	}
	return s
}

// globalNetworks is the region of numbers that belong to no country (+870, +881, +882, +883, +979): satellite and
// premium networks, the classic prey of pumping. They are allowed only by name.
const globalNetworks = "001"

func (s *countrySet) has(region string) bool {
	return s.list[region] || s.everywhere && region != globalNetworks
}

func (s *countrySet) empty() bool { return len(s.list) == 0 && !s.everywhere }

// prepare checks a policy and adds every mistake to errs.
func (p Policy) prepare(where string, instance *Instance, errs *[]error) rules {
	r := rules{
		countries: newCountrySet(where, p.Countries, errs), types: p.Types, channels: p.Channels,
		starts: p.ClientStarts, ceiling: p.ClientCeiling, checks: p.ClientChecks,
		purposes: map[countersign.Purpose]purposeRules{}, shadow: map[string]bool{},
	}
	if r.starts == 0 {
		r.starts = DefaultClientStarts
	}
	if r.checks == 0 {
		r.checks = DefaultClientChecks
	}
	if r.ceiling == 0 {
		r.ceiling = max(DefaultClientCeiling, r.starts)
	}
	if r.starts < 0 || r.checks < 0 || r.ceiling < r.starts {
		*errs = append(*errs, fmt.Errorf("%s.rates: a rate must be above 0, and a ceiling not below its rate", where))
	}
	for purpose, pp := range p.Purposes {
		pr := purposeRules{channels: pp.Channels}
		if len(pp.Countries) > 0 {
			set := newCountrySet(where+".purposes."+string(purpose), pp.Countries, errs)
			pr.countries = &set
		}
		r.purposes[purpose] = pr
	}
	r.lists = append(prepareList(where+".allow", p.Allow, true, errs), prepareList(where+".deny", p.Deny, false, errs)...)
	slices.SortStableFunc(r.lists, func(a, b listed) int { return len(b.digits) - len(a.digits) })
	r.prepareBudgets(where, p, instance, errs)
	return r
}

func prepareList(where string, list []string, allow bool, errs *[]error) []listed {
	var out []listed
	for _, text := range list {
		digits, open := strings.CutSuffix(text, "*")
		digits, plus := strings.CutPrefix(digits, "+")
		if !plus || digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			*errs = append(*errs, fmt.Errorf("%s: %q is neither a number such as +46701740605 nor a beginning such as +4670*", where, text))
			continue
		}
		out = append(out, listed{digits, !open, allow})
	}
	return out
}

func (r *rules) prepareBudgets(where string, p Policy, instance *Instance, errs *[]error) {
	known := meanings()
	for _, name := range slices.Concat(p.Shadow, instance.Shadow) {
		if known[name] == "" {
			*errs = append(*errs, fmt.Errorf("%s.shadow: there is no rule %q; expected one of %s", where, name, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
		}
		r.shadow[name] = true
	}
	own, shared := maps.Clone(p.Budgets), maps.Clone(instance.Budgets)
	for _, b := range budgetRules() {
		set := own
		if b.instance {
			set = shared
		}
		if given, ok := set[b.name]; ok {
			b.budget = given
			delete(set, b.name)
		}
		if b.budget.Capacity < 1 || b.budget.Refill < 1 || b.budget.Capacity > maxBudget || b.budget.Refill > maxBudget {
			*errs = append(*errs, fmt.Errorf("%s.budgets.%s: capacity and refill must be from 1 to %d", where, b.name, maxBudget))
			continue
		}
		r.budgets = append(r.budgets, prepared{b, r.shadow[b.name], time.Hour / time.Duration(b.budget.Refill)})
	}
	for name := range own {
		*errs = append(*errs, fmt.Errorf("%s.budgets: there is no budget %q of an app; expected one of %s", where, name, budgetNames(false)))
	}
	for name := range shared {
		*errs = append(*errs, fmt.Errorf("instance.budgets: there is no budget %q of the instance; expected one of %s", name, budgetNames(true)))
	}
}

// budgetNames lists the budgets of an app, or of the instance.
func budgetNames(instance bool) string {
	var names []string
	for _, b := range budgetRules() {
		if b.instance == instance {
			names = append(names, b.name)
		}
	}
	return strings.Join(names, ", ")
}

// alone leaves out the budgets of all apps where the only app there is has a tighter one: both see the same messages, so
// the wider one never decides, and what is not counted costs nothing.
func (r *rules) alone() {
	at := map[scope]*prepared{}
	for i := range r.budgets {
		at[r.budgets[i].of] = &r.budgets[i]
	}
	tighter := func(a, b *prepared) bool {
		return a != nil && !a.shadow && !b.shadow && a.soft <= b.soft && a.difficulty >= b.difficulty &&
			a.budget.Capacity <= b.budget.Capacity && a.budget.Refill <= b.budget.Refill
	}
	r.budgets = slices.DeleteFunc(slices.Clone(r.budgets), func(b prepared) bool {
		switch b.of {
		case ofCountry:
			return tighter(at[ofAppCountry], &b)
		case ofInstance:
			return tighter(at[ofApp], &b)
		}
		return false
	})
}

// maxBudget keeps a budget's arithmetic in milliseconds exact.
const maxBudget = 1_000_000

var errNoApps = errors.New("a guard needs an app")
