package guard

import (
	"errors"
	"time"

	"countersign"
)

// Decision is one decision on a start or a send, as it is recorded: one line of JSON each. Nothing in it names a person.
// Keys are hashes with the instance's key, so a replay can count what belongs together and nobody can tell whose it was.
type Decision struct {
	At       time.Time `json:"at"`
	Event    string    `json:"event"` // "start", "send" or "approved"
	App      string    `json:"app"`
	Country  string    `json:"country,omitempty"`
	Type     string    `json:"line_type,omitempty"`
	Channel  string    `json:"channel,omitempty"`
	Purpose  string    `json:"purpose,omitempty"`
	Face     string    `json:"face,omitempty"`
	Decision string    `json:"decision,omitempty"` // allow, challenge, deny
	Rule     string    `json:"rule,omitempty"`     // that decided, when it was not allow
	Code     string    `json:"code,omitempty"`     // of the answer, when nothing was sent
	Shadow   []string  `json:"shadow,omitempty"`   // rules in shadow that would have refused
	Solved   int       `json:"solved,omitempty"`   // difficulty of the challenge that was solved
	Home     string    `json:"home,omitempty"`     // the app's own region
	Listed   string    `json:"listed,omitempty"`   // allow or deny: the number was on that list of the policy
	Proved   bool      `json:"proved,omitempty"`   // the device has proved this phone before
	Test     bool      `json:"test,omitempty"`     // a test number: nothing was sent or counted
	Sequence bool      `json:"sequence,omitempty"` // numbers in sequence were being asked for
	Quick    bool      `json:"quick,omitempty"`    // the hosted form came back too soon for a person
	// Keys by scope: phone, thousand, prefix6, prefix4, device, client, network, asn. They stay the same for the
	// life of the instance.
	Keys map[string]string `json:"keys,omitempty"`
	// Created is, of an approval, when its verification was started.
	Created time.Time `json:"created,omitzero"`
}

// isDecision says whether a word is one of the answers of a decision.
func isDecision(word string) bool {
	return word == countersign.DecisionAllow || word == countersign.DecisionChallenge || word == countersign.DecisionDeny
}

var scopeNames = [scopes]string{
	ofThousand: "thousand", ofPrefix6: "prefix6", ofPrefix4: "prefix4", ofDevice: "device", ofClient: "client", ofNetwork: "network", ofASN: "asn",
}

func (k *keys) names() map[string]string {
	m := make(map[string]string, 8)
	for s, name := range scopeNames {
		if name != "" && k.has[s] {
			m[name] = k.list[s].Hex()
		}
	}
	return m
}

// answer is what became of an attempt: the decision, the rule that made it, and the code of the refusal.
func (n *note) answer(t *countersign.Taken, err error) (decision, rule, code string) {
	if err == nil {
		return countersign.DecisionAllow, "", ""
	}
	decision, code = countersign.DecisionDeny, string(countersign.KindOf(err))
	if errors.Is(err, countersign.ErrChallengeRequired) {
		decision = countersign.DecisionChallenge
	}
	switch {
	case t != nil && t.Refused != nil:
		rule = t.Refused.Limit.Name
	case n.rule != "":
		rule = n.rule
	default:
		rule = code // the phone's own bounds, or an opt-out
	}
	return decision, rule, code
}

// shadowed are the rules in shadow that would have refused.
func (n *note) shadowed(t *countersign.Taken) []string {
	list := n.shadows
	if t == nil {
		return list
	}
	for i := range t.Rates {
		if r := &t.Rates[i]; r.Over && r.Limit.Shadow {
			list = append(list, r.Limit.Name)
		}
	}
	return list
}

func (g *Guard) decisionOf(a *countersign.Attempt, n *note, t *countersign.Taken, err error) *Decision {
	if !n.keys.has[ofApp] {
		g.identify(n, a) // a rule that needs no keys refused; another policy may want them
	}
	d := &Decision{
		At: a.Now.UTC(), Event: "start", App: a.App.ID, Country: a.To.Country(), Channel: string(a.Channel), Purpose: string(a.Purpose),
		Face: string(a.Face), Shadow: a.Verdict.Shadow, Solved: a.Solved, Keys: n.keys.names(),
		Home: a.App.Region, Proved: a.Proved, Test: a.Test, Sequence: n.target.sequence,
		Quick: a.FilledIn != 0 && a.FilledIn < quickest,
	}
	if n.target.listed {
		d.Listed = countersign.DecisionDeny
		if n.target.allow {
			d.Listed = countersign.DecisionAllow
		}
	}
	if a.Action == countersign.ActionSend {
		d.Event = "send"
	}
	d.Decision, d.Rule, d.Code = n.answer(t, err)
	if n.target.phone {
		d.Type = n.target.kind.String()
	}
	d.Keys["phone"] = a.Hash(decisionPhone, a.To.Dial()).Hex()
	return d
}

func approvalOf(c *countersign.Conversion, k *keys) *Decision {
	d := &Decision{
		At: c.Now.UTC(), Event: "approved", App: c.App.ID, Country: c.To.Country(), Channel: string(c.Channel), Purpose: string(c.Purpose),
		Keys: k.names(), Created: c.Created.UTC(),
	}
	if number, ok := c.To.Phone(); ok {
		d.Type = number.Type().String()
	}
	d.Keys["phone"] = c.Hash(decisionPhone, c.To.Dial()).Hex()
	return d
}

// decisionPhone labels the hash of a phone in recorded decisions: it is another one than the store's.
const decisionPhone = "decision_phone"
