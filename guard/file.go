package guard

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"countersign"
	"countersign/phone"
	"countersign/yamlfile"
)

// File is a policy file. docs/guard.md has its form.
type File struct {
	name     string
	places   map[string]string
	defaults Policy
	apps     map[string]Policy
	Instance Instance
	Money    *Money // nil when the file says nothing of it
}

// ParseFile reads a policy file. Everything that is wrong is told at once, each with its line, column and path.
func ParseFile(name string, text []byte) (*File, error) {
	r := &reader{name: name, places: map[string]string{}}
	f := &File{name: name, places: r.places, apps: map[string]Policy{}}
	r.document(text, func(key, path string, v ast.Node) {
		switch key {
		case "defaults":
			f.defaults = r.policy(v, path)
		case "apps":
			r.each(v, path, func(app, path string, v ast.Node) { f.apps[app] = r.policy(v, path) })
		case "instance":
			r.each(v, path, func(key, path string, v ast.Node) {
				switch key {
				case "budgets":
					f.Instance.Budgets = r.budgets(v, path)
				case "shadow":
					f.Instance.Shadow = r.texts(v, path)
				default:
					r.unknown(path, "budgets, shadow")
				}
			})
		case "money":
			f.Money = r.money(v, path)
		default:
			r.unknown(path, "defaults, apps, instance, money")
		}
	})
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	return f, f.check()
}

// check tries the policies, so that a mistake in one is told with its line.
func (f *File) check() error {
	apps := map[string]Policy{"*": f.For("*", Policy{})}
	for app := range f.apps {
		apps[app] = f.For(app, Policy{})
	}
	_, err := New(Config{Apps: apps, Instance: f.Instance})
	return f.Place(err)
}

// For is an app's policy: what the file says of it, else of all, else what it was before.
func (f *File) For(app string, p Policy) Policy {
	for _, over := range []Policy{f.defaults, f.apps[app]} {
		p = p.with(over)
	}
	return p
}

// Apps names those that the file speaks of.
func (f *File) Apps() []string {
	list := make([]string, 0, len(f.apps))
	for app := range f.apps {
		list = append(list, app)
	}
	slices.Sort(list)
	return list
}

// Place adds to each mistake that New reported where in the file it is.
func (f *File) Place(err error) error {
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	var placed []error
	seen := map[string]bool{}
	for _, err := range list {
		path, what, _ := strings.Cut(err.Error(), ": ")
		place, found := "", path
		for p := path; p != "" && place == ""; {
			if place = f.places[p]; place == "" && strings.HasPrefix(p, "apps.") {
				if _, rest, ok := strings.Cut(p[len("apps."):], "."); ok {
					place, found = f.places["defaults."+rest], "defaults"+strings.TrimPrefix(path, p[:len(p)-len(rest)-1])
				}
			}
			cut := strings.LastIndexByte(p, '.')
			p = p[:max(0, cut)]
		}
		text := fmt.Sprintf("%s: %s: %s", cmp.Or(place, f.name), found, what)
		if !seen[text] {
			seen[text] = true
			placed = append(placed, errors.New(text))
		}
	}
	return errors.Join(placed...)
}

// with is a policy with what another one says in its place.
func (p Policy) with(over Policy) Policy {
	if len(over.Countries) > 0 {
		p.Countries = over.Countries
	}
	if len(over.Types) > 0 {
		p.Types = over.Types
	}
	p.Allow, p.Deny = append(slices.Clone(p.Allow), over.Allow...), append(slices.Clone(p.Deny), over.Deny...)
	if len(over.Channels) > 0 {
		p.Channels = over.Channels
	}
	for purpose, pp := range over.Purposes {
		if p.Purposes == nil {
			p.Purposes = map[countersign.Purpose]PurposePolicy{}
		}
		p.Purposes[purpose] = pp
	}
	for _, n := range []struct{ to, from *int }{
		{&p.ClientStarts, &over.ClientStarts}, {&p.ClientCeiling, &over.ClientCeiling}, {&p.ClientChecks, &over.ClientChecks},
	} {
		if *n.from != 0 {
			*n.to = *n.from
		}
	}
	budgets := map[string]countersign.Budget{}
	for _, set := range []map[string]countersign.Budget{p.Budgets, over.Budgets} {
		for name, b := range set {
			budgets[name] = b
		}
	}
	p.Budgets = budgets
	p.Shadow = append(slices.Clone(p.Shadow), over.Shadow...)
	return p
}

// reader reads YAML by its nodes, so that every mistake has its place.
type reader struct {
	name   string
	places map[string]string // of each path: see at
	errs   []error
}

func (r *reader) document(text []byte, visit func(key, path string, v ast.Node)) {
	body, err := yamlfile.Parse(r.name, text)
	if err != nil {
		r.errs = append(r.errs, err)
	} else if body != nil {
		r.each(body, "", visit)
	}
}

// at is where a node is, as in "policy.yaml:3:5".
func (r *reader) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d:%d", r.name, yamlfile.Line(n), yamlfile.Column(n))
}

func (r *reader) bad(n ast.Node, path, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s: %s", r.at(n), path, fmt.Sprintf(format, args...)))
}

// unknown refuses a name where it stands. path is one that each visited.
func (r *reader) unknown(path, known string) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s: this is not known here; expected one of %s", r.places[path], path, known))
}

// each visits the members of a mapping, none of which may come twice.
func (r *reader) each(n ast.Node, path string, visit func(key, path string, v ast.Node)) {
	var members []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		members = n.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return
	default:
		r.bad(n, path, "expected names with values")
		return
	}
	seen := map[string]bool{}
	for _, m := range members {
		key := m.Key.GetToken().Value
		at := key
		if path != "" {
			at = path + "." + key
		}
		if seen[key] {
			r.bad(m.Key, at, "it is here twice")
			continue
		}
		seen[key] = true
		r.places[at] = r.at(m.Key)
		visit(key, at, m.Value)
	}
}

func (r *reader) text(n ast.Node, path string) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	r.bad(n, path, "expected a plain value")
	return ""
}

func (r *reader) texts(n ast.Node, path string) []string {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.bad(n, path, "expected a list, such as [a, b]")
		return nil
	}
	list := make([]string, 0, len(s.Values))
	for _, v := range s.Values {
		list = append(list, r.text(v, path))
	}
	return list
}

func (r *reader) number(n ast.Node, path string, low, high int) int {
	v, err := strconv.Atoi(r.text(n, path))
	if err != nil || v < low || v > high {
		r.bad(n, path, "expected a whole number from %d to %d", low, high)
	}
	return v
}

// lineTypes lists the line types that a policy may name.
func lineTypes() string {
	var names []string
	for t := phone.Mobile; t <= phone.Voicemail; t++ {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}

func (r *reader) policy(n ast.Node, path string) (p Policy) {
	r.each(n, path, func(key, path string, v ast.Node) {
		switch key {
		case "countries":
			if p.Countries = r.texts(v, path); len(p.Countries) == 0 {
				r.bad(v, path, "expected at least one country; leave it out for the app's own region")
			}
		case "line_types":
			for _, name := range r.texts(v, path) {
				kind, ok := phone.ParseLineType(name)
				if !ok {
					r.bad(v, path, "%q: expected one of %s", name, lineTypes())
				}
				p.Types = append(p.Types, kind)
			}
		case "allow":
			p.Allow = r.texts(v, path)
		case "deny":
			p.Deny = r.texts(v, path)
		case "channels":
			p.Channels = r.channels(v, path)
		case "purposes":
			p.Purposes = r.purposes(v, path)
		case "rates":
			r.rates(v, path, &p)
		case "budgets":
			p.Budgets = r.budgets(v, path)
		case "shadow":
			p.Shadow = r.texts(v, path)
		default:
			r.unknown(path, "countries, line_types, allow, deny, channels, purposes, rates, budgets, shadow")
		}
	})
	return p
}

func (r *reader) rates(n ast.Node, path string, p *Policy) {
	r.each(n, path, func(key, path string, v ast.Node) {
		to := map[string]*int{RuleClientStarts: &p.ClientStarts, RuleClientCeiling: &p.ClientCeiling, RuleClientChecks: &p.ClientChecks}[key]
		if to == nil {
			r.unknown(path, "client_starts, client_ceiling, client_checks")
			return
		}
		*to = r.number(v, path, 1, maxBudget)
	})
}

func (r *reader) budgets(n ast.Node, path string) map[string]countersign.Budget {
	m := map[string]countersign.Budget{}
	r.each(n, path, func(name, path string, v ast.Node) {
		var b countersign.Budget
		r.each(v, path, func(key, path string, v ast.Node) {
			switch key {
			case "capacity":
				b.Capacity = r.number(v, path, 1, maxBudget)
			case "refill":
				b.Refill = r.number(v, path, 1, maxBudget)
			default:
				r.unknown(path, "capacity, refill")
			}
		})
		m[name] = b
	})
	return m
}

func (r *reader) channels(n ast.Node, path string) (list []countersign.Channel) {
	for _, name := range r.texts(n, path) {
		list = append(list, r.channel(n, path, name))
	}
	return list
}

func (r *reader) channel(n ast.Node, path, name string) countersign.Channel {
	ch, ok := countersign.ParseChannel(name)
	if !ok || ch == countersign.ChannelAuto {
		r.bad(n, path, "%q: expected one of sms, voice, flashcall, whatsapp, email", name)
	}
	return ch
}

func (r *reader) purpose(n ast.Node, path, name string) countersign.Purpose {
	purpose, ok := countersign.ParsePurpose(name)
	if !ok {
		r.bad(n, path, "%q: expected one of signup, login, stepup, transaction", name)
	}
	return purpose
}

func (r *reader) purposes(n ast.Node, path string) map[countersign.Purpose]PurposePolicy {
	m := map[countersign.Purpose]PurposePolicy{}
	r.each(n, path, func(name, path string, v ast.Node) {
		purpose := r.purpose(v, path, name)
		var p PurposePolicy
		r.each(v, path, func(key, path string, v ast.Node) {
			switch key {
			case "countries":
				p.Countries = r.texts(v, path)
			case "channels":
				p.Channels = r.channels(v, path)
			default:
				r.unknown(path, "countries, channels")
			}
		})
		m[purpose] = p
	})
	return m
}
