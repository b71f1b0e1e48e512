package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/phone"
)

// This file has the settings of routes: which providers carry what, and what they are told for a country.

// Routing is what an app, or the file for all apps, says of routes.
type Routing struct {
	Routes []Route  // the more exact before the less: prefixes, countries, everything
	Ladder []string // channels for auto, and for what did not arrive
}

// Route is one line of routes: the providers of a channel, maybe for some countries or numbers only.
type Route struct {
	Channel   string
	Countries []string
	Prefixes  []string
	Providers []string
	Weights   map[string]int // of those providers that share messages out
	Path      string         // the setting
}

// Carriage is what the file says of how a provider is used.
type Carriage struct {
	Senders     map[string]string      // by country
	Templates   map[TemplateKey]string // "*" for all in its places
	Timeout     time.Duration
	MaxInFlight int
}

// TemplateKey names a registered text.
type TemplateKey struct{ Country, Purpose, Locale string }

func routeSettings() []Setting {
	const lines = "`sms: [a, b]` tries a, then b. `sms: [a=70, b=30, c]` shares messages out, 70 to 30, with c behind both. `sms/SE,NO` and `sms/+4670` are for numbers of these countries, or that begin so; the most exact line decides."
	return []Setting{
		{List: true, Path: "apps.*.routes.*", Doc: "Providers of a channel. " + lines + " By default the general `routes`.", set: setAppRoute},
		{List: true, Path: "apps.*.ladder", Doc: "Channels for `auto`, and for every message that has not arrived when it is sent again, e.g. `[whatsapp, sms, voice]`. By default the general `ladder`.", set: func(c *Config, names []string, v value) error {
			a, err := c.app(names[0])
			if err == nil {
				a.Routing.Ladder, err = ladder(v)
			}
			return err
		}},
		{List: true, Path: "routes.*", Doc: "Providers of a channel, for every app that has no line of its own. By default every provider that serves it, by name. " + lines, set: func(c *Config, names []string, v value) error {
			return c.Routing.add("routes."+names[0], names[0], v)
		}},
		{List: true, Path: "ladder", Doc: "Channels for `auto`. By default `[sms, whatsapp, voice]`.", set: func(c *Config, _ []string, v value) (err error) {
			c.Routing.Ladder, err = ladder(v)
			return err
		}},
		{Path: "providers.*.senders.*", NoEnv: true, Doc: "Sender for one country, e.g. `senders: {US: \"+12025550100\", IN: ACMEIN}`.", set: setSender},
		{Path: "providers.*.templates.*.*.*", NoEnv: true, Doc: "Id under which a text is registered, by country, purpose and language (`*` for all): `templates: {IN: {login: {en: \"1107…\"}}}`. Where a country has any, a text without one does not go by this provider.", set: setTemplate},
		{Path: "providers.*.timeout", Doc: "How long its vendor may take to answer. By default 3s, at most 10s.", set: ofProvider(func(p *Provider) *time.Duration { return &p.Carriage.Timeout }, between(100*time.Millisecond, 10*time.Second))},
		{Path: "providers.*.max_in_flight", Doc: "Messages that are with the vendor at one time; more go to the next provider. By default 256.", set: ofProvider(func(p *Provider) *int { return &p.Carriage.MaxInFlight }, number(1, 100000))},
	}
}

func setAppRoute(c *Config, names []string, v value) error {
	a, err := c.app(names[0])
	if err != nil {
		return err
	}
	return a.Routing.add("apps."+names[0]+".routes."+names[1], names[1], v)
}

// add reads one line, and puts it where it is looked at in its turn.
func (r *Routing) add(path, key string, v value) error {
	line, err := parseRoute(key, v)
	if err != nil {
		return err
	}
	line.Path = path
	r.Routes = append(r.Routes, line)
	slices.SortStableFunc(r.Routes, func(a, b Route) int { return b.exactness() - a.exactness() })
	return nil
}

// exactness is larger for longer prefixes, then for countries, then for everything.
func (r *Route) exactness() int {
	longest := 0
	for _, p := range r.Prefixes {
		longest = max(longest, len(p))
	}
	switch {
	case longest > 0:
		return 1 + longest
	case len(r.Countries) > 0:
		return 1
	}
	return 0
}

func parseRoute(key string, v value) (Route, error) {
	channel, scope, scoped := strings.Cut(key, "/")
	r := Route{Channel: channel}
	if scoped {
		for _, s := range strings.Split(scope, ",") {
			switch s = strings.TrimSpace(s); {
			case strings.HasPrefix(s, "+"):
				r.Prefixes = append(r.Prefixes, s)
			case phone.ValidRegion(s):
				r.Countries = append(r.Countries, s)
			default:
				return r, fmt.Errorf("%q is neither a country such as SE nor the beginning of a number such as +4670", s)
			}
		}
	}
	if len(r.Prefixes) > 0 && len(r.Countries) > 0 {
		return r, fmt.Errorf("countries and beginnings of numbers need a line each")
	}
	list, err := anyList(v.text())
	if err != nil {
		return r, err
	}
	for _, text := range list {
		name, share, shared := strings.Cut(text, "=")
		if shared {
			weight, err := strconv.Atoi(share)
			if err != nil || weight < 1 || weight > 1000 {
				return r, fmt.Errorf("%q: expected a weight from 1 to 1000 behind the name, as in %s=70", text, name)
			}
			if r.Weights == nil {
				r.Weights = map[string]int{}
			}
			r.Weights[name] = weight
		}
		r.Providers = append(r.Providers, name)
	}
	return r, nil
}

func ladder(v value) ([]string, error) {
	list, err := anyList(v.text())
	for _, ch := range list {
		if ch != "sms" && ch != "whatsapp" && ch != "voice" {
			return nil, fmt.Errorf("%q: expected sms, whatsapp and voice, in some order", ch)
		}
	}
	return list, err
}

func setSender(c *Config, names []string, v value) error {
	p, err := c.provider(names[0])
	if err != nil {
		return err
	}
	if !phone.ValidRegion(names[1]) {
		return fmt.Errorf("%q is not an ISO 3166-1 alpha-2 country such as US", names[1])
	}
	if p.Carriage.Senders == nil {
		p.Carriage.Senders = map[string]string{}
	}
	p.Carriage.Senders[names[1]] = v.text()
	return nil
}

func setTemplate(c *Config, names []string, v value) error {
	p, err := c.provider(names[0])
	if err != nil {
		return err
	}
	k := TemplateKey{Country: names[1], Purpose: names[2], Locale: names[3]}
	if k.Country != "*" && !phone.ValidRegion(k.Country) {
		return fmt.Errorf("%q is not an ISO 3166-1 alpha-2 country such as IN", k.Country)
	}
	if !slices.Contains([]string{"*", "signup", "login", "stepup", "transaction"}, k.Purpose) {
		return fmt.Errorf("%q is not a purpose: expected signup, login, stepup, transaction or *", k.Purpose)
	}
	if p.Carriage.Templates == nil {
		p.Carriage.Templates = map[TemplateKey]string{}
	}
	p.Carriage.Templates[k] = v.text()
	return nil
}

// sandboxRoutes are those that the sandbox has by itself.
var sandboxRoutes = []string{"sandbox", "sandbox-2", "sandbox-hosted"}

// checkRoutes looks for providers that do not exist. In the sandbox its own routes may be named too.
func (c *Config) checkRoutes(bad func(format string, args ...any)) {
	look := func(list []Route) {
		for _, line := range list {
			for _, name := range line.Providers {
				if c.Providers[name] == nil && (c.Mode == Production || !slices.Contains(sandboxRoutes, name)) {
					bad("%s: there is no provider %q", line.Path, name)
				}
			}
		}
	}
	look(c.Routing.Routes)
	for _, id := range slices.Sorted(maps.Keys(c.Apps)) {
		look(c.Apps[id].Routing.Routes)
	}
}
