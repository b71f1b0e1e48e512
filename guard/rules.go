package guard

import (
	"time"

	"countersign"
)

// The names of the rules, as they are in policies, decisions, logs and metrics.
const (
	RuleDenied        = "number_denied"
	RuleCountry       = "number_country"
	RuleLineType      = "line_type"
	RuleChannel       = "channel"
	RulePrefixBlock   = "prefix_blocked"
	RuleNetworkBlock  = "network_blocked"
	RuleSequence      = "sequence"
	RuleFormTime      = "form_time"
	RuleClientStarts  = "client_starts"
	RuleClientCeiling = "client_ceiling"
	RuleClientChecks  = "client_checks"
	RuleClientLogins  = "client_logins"
)

// scope is what a budget counts together.
type scope uint8

const (
	ofThousand scope = iota // an app and all but the last three digits of the number
	ofPrefix6               // an app and the number's first six digits
	ofPrefix4               // an app and its first four
	ofAppCountry
	ofCountry // over all apps
	ofDevice
	ofClient // /32 or /64
	ofNetwork
	ofASN
	ofApp
	ofInstance
	scopes
)

// budgetRule is one budget that every send takes from.
type budgetRule struct {
	name     string
	meaning  string // for operators
	instance bool   // set for the whole instance, not by app
	of       scope
	budget   countersign.Budget
	// soft is the part of the capacity, in percent, that a stranger may use without a challenge. What is above it is kept for
	// those who prove work, and for ranges and networks that have converted before. 100: there is no challenge.
	soft       int
	difficulty int
}

// budgetRules is the table of budgets, from the narrowest to the widest, with their defaults. docs/guard.md has the
// reasons: no app can lose more to any range of numbers, however wide up to a country, than Capacity + 24 × Refill ≤ 600
// unconfirmed messages a day.
func budgetRules() []budgetRule {
	b := func(capacity, refill int) countersign.Budget {
		return countersign.Budget{Capacity: capacity, Refill: refill}
	}
	return []budgetRule{
		{"budget_thousand", "unconfirmed messages to one thousand numbers (all but the last three digits)", false, ofThousand, b(20, 2), 100, 0},
		{"budget_prefix6", "unconfirmed messages to numbers with the same first six digits", false, ofPrefix6, b(60, 5), 100, 0},
		{"budget_prefix4", "unconfirmed messages to numbers with the same first four digits", false, ofPrefix4, b(100, 10), 100, 0},
		{"budget_app_country", "unconfirmed messages of one app to one country", false, ofAppCountry, b(300, 12), 50, 1},
		{"budget_country", "unconfirmed messages of all apps to one country", true, ofCountry, b(600, 50), 50, 1},
		{"budget_device", "unconfirmed messages asked for by one device", true, ofDevice, b(20, 1), 25, 2},
		{"budget_client", "unconfirmed messages asked for from one address", true, ofClient, b(300, 6), 10, 2},
		{"budget_network", "unconfirmed messages asked for from one network (/24, /48)", true, ofNetwork, b(400, 12), 20, 2},
		{"budget_asn", "unconfirmed messages asked for from one operator's networks (AS number)", true, ofASN, b(1000, 60), 50, 2},
		{"budget_app", "unconfirmed messages of one app", false, ofApp, b(1000, 60), 50, 1},
		{"budget_instance", "unconfirmed messages of the whole instance", true, ofInstance, b(3000, 250), 50, 1},
	}
}

// prepared is a budget rule as Judge uses it.
type prepared struct {
	budgetRule
	shadow bool
	step   time.Duration // in which it wins one back
}

// The parts of a budget, in percent of its capacity, that are open to those who are not known: whoever drains a budget
// leaves the rest of it to the others. It never comes to more than the whole, so the bound stays as it is.
const (
	whole         = 100
	suspectPart   = 50 // of a range of four digits, for a stranger where the last ones with the same six were not confirmed
	strangersPart = 80 // of a range of numbers, for a network that nobody was confirmed from
	workedPart    = 60 // of a wide budget, with a challenge solved
	attackedPart  = 75 // likewise, for a range of numbers that was confirmed before, where its last ones were not
	knownPart     = 88 // likewise, where nothing speaks against its six digits: somebody attacks another part of it
	rangePart     = 92 // of a wide budget, for a range of numbers that was confirmed before and goes on
)

// part is how much of the budget an attempt may use, and the difficulty of the challenge that would give it more; 0 where
// none would.
func (p *prepared) part(a *countersign.Attempt, s *sight) (percent, difficulty int) {
	switch {
	case a.Proved:
		return whole, 0 // the device has proved this very phone
	case p.ofNumbers():
		if s.networkFamiliar {
			return whole, 0
		}
		switch {
		case p.of == ofPrefix4 && s.prefixFamiliar:
			return rangePart, 0
		case p.of == ofPrefix4 && s.prefixSuspect:
			return suspectPart, 0
		}
		return strangersPart, 0
	case p.ofClients():
		if s.networkFamiliar || a.Solved >= p.difficulty {
			return whole, 0
		}
		return p.soft, p.difficulty
	case s.networkFamiliar:
		return whole, 0
	case s.rangeFamiliar:
		return rangePart, 0
	case a.Solved >= p.difficulty && s.rangeKnown && !s.prefixSuspect:
		return knownPart, 0
	case a.Solved >= p.difficulty && s.rangeKnown:
		return attackedPart, 0
	case a.Solved >= p.difficulty:
		return workedPart, 0
	}
	return p.soft, p.difficulty
}

// ofNumbers says whether it counts a range of numbers, ofClients whether it counts who asks; else it is a wide one.
func (p *prepared) ofNumbers() bool {
	return p.of == ofThousand || p.of == ofPrefix6 || p.of == ofPrefix4
}

func (p *prepared) ofClients() bool {
	return p.of == ofDevice || p.of == ofClient || p.of == ofNetwork || p.of == ofASN
}

// limit is the budget with a part of its capacity.
func (p *prepared) limit(key countersign.Hash, percent, challenge int) countersign.Limit {
	l := countersign.Limit{
		Name: p.name, Key: key, Burst: (p.budget.Capacity*percent + 99) / 100, Back: countersign.BudgetBack, Shadow: p.shadow, Challenge: challenge,
	}
	l.Period = p.step * time.Duration(l.Burst)
	return l
}

// meanings says of every rule that is not a budget what it is about, for operators.
func meanings() map[string]string {
	m := map[string]string{
		RuleDenied:        "the number is on the policy's list of denied numbers",
		RuleCountry:       "the number's country is not allowed",
		RuleLineType:      "the number's kind of line is not allowed on this channel",
		RuleChannel:       "the channel is not allowed for this purpose",
		RulePrefixBlock:   "numbers of this range were not confirmed; only a few are let through to see whether that changes",
		RuleNetworkBlock:  "what this network asked for was not confirmed; a challenge is asked for",
		RuleSequence:      "numbers in sequence are being asked for",
		RuleFormTime:      "the hosted form came back sooner than a person fills it in, or does not say when it was handed out",
		RuleClientStarts:  "starts and resends of one address in a minute, before a challenge",
		RuleClientCeiling: "starts and resends of one address in a minute",
		RuleClientChecks:  "checks of one address in a minute",
		RuleClientLogins:  "logins of OpenID Connect clients that one address begins in a minute",
	}
	for _, b := range budgetRules() {
		m[b.name] = b.meaning
	}
	for name, of := range map[string]string{"app_": "one app", "country_": "one country", "": "the whole instance"} {
		m["money_"+name+"day"] = "money of " + of + " today (UTC), in millionths"
		m["money_"+name+"month"] = "money of " + of + " this month (UTC), in millionths"
	}
	return m
}

// WideBudgets are budgets so wide that they refuse nothing, for load tests: of an app, and of the instance.
func WideBudgets() (app, instance map[string]countersign.Budget) {
	app, instance = map[string]countersign.Budget{}, map[string]countersign.Budget{}
	for _, b := range budgetRules() {
		if b.instance {
			instance[b.name] = countersign.Budget{Capacity: maxBudget, Refill: maxBudget}
		} else {
			app[b.name] = countersign.Budget{Capacity: maxBudget, Refill: maxBudget}
		}
	}
	return app, instance
}
