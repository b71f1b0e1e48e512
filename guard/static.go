package guard

import (
	"slices"
	"strings"

	"countersign"
	"countersign/phone"
)

// This file has the rules that need no counting.

// target is whom a message goes to, as far as rules look at it. Live it is made of the number; in a replay of what was
// recorded, where there is no number.
type target struct {
	number   phone.Number // zero in a replay
	phone    bool         // false: an e-mail address
	region   string
	kind     phone.LineType
	listed   bool // on one of the policy's lists,
	allow    bool // and on which
	replayed bool
	sequence bool // in a replay: numbers in sequence were being asked for
}

func (r *rules) targetOf(to countersign.Address) target {
	n, _ := to.Phone()
	if n.IsZero() {
		return target{}
	}
	l, ok := r.list(n)
	return target{number: n, phone: true, region: n.Region(), kind: n.Type(), listed: ok, allow: ok && l.allow}
}

// verdict is what one static rule says against an attempt.
type verdict struct {
	rule string
	err  error
}

// static asks the rules about a number, a channel and a purpose. The first that refuses and is not in shadow decides.
func (r *rules) static(t *target, a *countersign.Attempt, note *note) error {
	check := func(v *verdict) error {
		if v == nil {
			return nil
		}
		if r.shadow[v.rule] {
			note.shadows = append(note.shadows, v.rule)
			return nil
		}
		note.rule = v.rule
		return v.err
	}
	if err := check(r.channel(a)); err != nil || !t.phone {
		return err
	}
	if t.listed && t.allow {
		return nil
	}
	if t.listed {
		if err := check(&verdict{RuleDenied, notAllowed("This number is not served here.")}); err != nil {
			return err
		}
	}
	if err := check(r.country(t, a)); err != nil {
		return err
	}
	return check(r.lineType(t, a))
}

func notAllowed(detail string) error {
	return &countersign.Error{Kind: countersign.ErrNumberNotAllowed, Pointer: "/to", Detail: detail}
}

func (r *rules) channel(a *countersign.Attempt) *verdict {
	p := r.purposes[a.Purpose]
	for _, list := range [][]countersign.Channel{r.channels, p.channels} {
		if len(list) > 0 && !slices.Contains(list, a.Channel) {
			return &verdict{RuleChannel, &countersign.Error{
				Kind: countersign.ErrNumberNotAllowed, Pointer: "/channel", Detail: "This channel is not used for this purpose here.",
			}}
		}
	}
	return nil
}

// list finds the longest entry that fits.
func (r *rules) list(n phone.Number) (listed, bool) {
	if len(r.lists) == 0 {
		return listed{}, false
	}
	digits := n.E164()[1:]
	for _, l := range r.lists {
		if l.whole && digits == l.digits || !l.whole && strings.HasPrefix(digits, l.digits) {
			return l, true
		}
	}
	return listed{}, false
}

func (r *rules) country(t *target, a *countersign.Attempt) *verdict {
	region := t.region
	allowed := r.countries.has(region) || r.countries.empty() && region == a.App.Region
	if p := r.purposes[a.Purpose].countries; p != nil {
		allowed = allowed && p.has(region)
	}
	if allowed {
		return nil
	}
	return &verdict{RuleCountry, notAllowed("Numbers of this country are not served here.")}
}

func (r *rules) lineType(t *target, a *countersign.Attempt) *verdict {
	fixedByVoice := t.kind == phone.FixedLine && a.Channel == countersign.ChannelVoice
	if t.kind == phone.Mobile || t.kind == phone.FixedOrMobile || fixedByVoice || slices.Contains(r.types, t.kind) {
		return nil
	}
	detail := "Numbers of this kind (" + t.kind.String() + ") are not served here."
	if t.kind == phone.FixedLine {
		detail = "This is a fixed line. It can be called: use the channel voice."
	}
	return &verdict{RuleLineType, notAllowed(detail)}
}
