package guard

import "countersign"

// Explain implements countersign.Explainer: what Judge would say, of every rule, without a trace.
func (g *Guard) Explain(a *countersign.Attempt) ([]countersign.RuleState, []countersign.Limit) {
	r, ok := g.apps[a.App.ID]
	if !ok {
		return []countersign.RuleState{{Rule: "app", Meaning: "the app has no policy", Would: countersign.DecisionDeny}}, nil
	}
	t := r.targetOf(a.To)
	states := r.explainStatic(&t, a)
	n := &note{}
	n.keys = g.keysOf(a.Hash, a.App.ID, t.number)
	g.keysOfClient(&n.keys, a)
	s := g.seen.look(&n.keys, &t, a, g, true)
	for _, signal := range [...]struct {
		rule string
		on   bool
	}{{RuleSequence, s.sequence}, {RuleNetworkBlock, s.networkBlocked}, {RuleFormTime, a.FilledIn != 0 && a.FilledIn < quickest}} {
		would := countersign.DecisionAllow
		if signal.on {
			would = countersign.DecisionChallenge
		}
		states = append(states, r.state(signal.rule, would))
	}
	return states, g.money(r.limits(a, n, s), a, a.To.Country(), &n.keys)
}

// Meaning implements countersign.Explainer.
func (g *Guard) Meaning(rule string) string { return meanings()[rule] }

func (r *rules) state(rule, would string) countersign.RuleState {
	return countersign.RuleState{Rule: rule, Meaning: meanings()[rule], Would: would, Shadow: r.shadow[rule]}
}

func (r *rules) explainStatic(t *target, a *countersign.Attempt) []countersign.RuleState {
	verdicts := map[string]*verdict{RuleChannel: r.channel(a)}
	order := []string{RuleChannel}
	if t.phone {
		order = append(order, RuleDenied, RuleCountry, RuleLineType)
		if !t.listed || !t.allow {
			if t.listed {
				verdicts[RuleDenied] = &verdict{rule: RuleDenied}
			}
			verdicts[RuleCountry], verdicts[RuleLineType] = r.country(t, a), r.lineType(t, a)
		}
	}
	states := make([]countersign.RuleState, 0, len(order))
	for _, rule := range order {
		would := countersign.DecisionAllow
		if verdicts[rule] != nil {
			would = countersign.DecisionDeny
		}
		states = append(states, r.state(rule, would))
	}
	return states
}
