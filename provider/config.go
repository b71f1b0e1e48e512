package provider

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
)

// Bounds and defaults of a route.
const (
	DefaultTimeout     = 3 * time.Second
	MaxTimeout         = 10 * time.Second
	DefaultMaxInFlight = 256
)

// Route is one provider under a name.
type Route struct {
	Name      string // lower-case letters, digits and hyphens, at most 32; deliveries and metrics show it
	Provider  countersign.Provider
	Channels  []countersign.Channel // never ChannelAuto
	Countries []string              // ISO 3166-1 alpha-2; empty means every country
	Hosted    bool                  // the vendor makes and checks the code; Provider must be a countersign.HostedProvider
	Sender    string                // what the person sees as the sender, for the opt-out list; "" when there is none
	Senders   map[string]string     // other senders by country
	Templates []Template            // the ids under which texts are registered, where a country demands them
	Receipts  bool                  // its vendor reports deliveries: silence is a fault

	Timeout     time.Duration // of one send; DefaultTimeout when zero, at most MaxTimeout
	MaxInFlight int           // sends at one time; more go to the next leg. DefaultMaxInFlight when zero

	// NoBreaker keeps a route in use however often it fails. It is for the sandbox, which fails by number and on
	// purpose: what one number does must say nothing about the next.
	NoBreaker bool
}

// Template is the id under which a text is registered with a carrier or regulator. A route that has templates for a country
// sends nothing there that has none: carriers drop such messages without a word.
type Template struct {
	Country string              // ISO 3166-1 alpha-2; "" means every country
	Purpose countersign.Purpose // "" means every purpose
	Locale  string              // a language, as "hi"; "" means every one
	ID      string
}

// Rule says which routes serve a channel, in their order. Of an app's rules for a channel the first that matches decides:
// one whose Prefixes hold the beginning of the number and whose Countries hold its country.
type Rule struct {
	Channel   countersign.Channel
	Countries []string // ISO 3166-1 alpha-2; empty means every country
	Prefixes  []string // E.164, as "+4670"; empty means every number
	Routes    []string
	// Weights share messages out: of the routes that have one, each comes first in proportion to its weight. Routes without
	// one come behind them, in their order.
	Weights map[string]int
}

// Config is what Routes are made of.
type Config struct {
	Routes []Route
	// Rules are the general ones. A channel without any is served by every route that can, as declared.
	Rules []Rule
	// Apps are the rules of single apps. An app's rules for a channel take the place of the general ones.
	Apps map[string][]Rule
	// Auto is the ladder of channels for ChannelAuto and for what is sent again; DefaultAuto when empty.
	Auto []countersign.Channel
	// Ladders are those of single apps. One that is set is climbed for every message that has not arrived, unless the
	// request names a channel.
	Ladders map[string][]countersign.Channel
	// Now is the clock of the breakers; time.Now when nil.
	Now func() time.Time
	// Observe hears of every leg. Optional; it must not block.
	Observe func(Leg)
}

// DefaultAuto is the order in which ChannelAuto looks for a route. A flash call, data verification and e-mail are
// never chosen for somebody: they are checked in other ways, or need another address.
func DefaultAuto() []countersign.Channel {
	return []countersign.Channel{countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice}
}

// Validate reports every mistake, joined; each is a *countersign.Mistake.
func (c *Config) Validate() error {
	v := validation{names: make(map[string]*Route, len(c.Routes))}
	if len(c.Routes) == 0 {
		v.wrong("routes", "at least one route is needed")
	}
	for i := range c.Routes {
		v.route("routes."+strconv.Itoa(i), &c.Routes[i])
	}
	v.rules("rules", c.Rules)
	for app, rules := range c.Apps {
		v.rules("apps."+app+".rules", rules)
	}
	v.ladder("auto", c.Auto)
	for app, ladder := range c.Ladders {
		v.ladder("apps."+app+".ladder", ladder)
	}
	return errors.Join(v.mistakes...)
}

func (v *validation) ladder(path string, list []countersign.Channel) {
	for i, ch := range list {
		if ch != countersign.ChannelSMS && ch != countersign.ChannelWhatsApp && ch != countersign.ChannelVoice {
			v.wrong(fmt.Sprintf("%s.%d", path, i), "must be sms, whatsapp or voice: channels whose code is typed")
		}
	}
}

type validation struct {
	names    map[string]*Route
	mistakes []error
}

func (v *validation) wrong(path, problem string) {
	v.mistakes = append(v.mistakes, &countersign.Mistake{Path: path, Problem: problem})
}

func (v *validation) route(path string, r *Route) {
	if !validName(r.Name) {
		v.wrong(path+".name", "must be 1 to 32 lower-case letters, digits and hyphens, and begin with a letter")
	} else if v.names[r.Name] != nil {
		v.wrong(path+".name", "another route has this name")
	} else {
		v.names[r.Name] = r
	}
	if r.Provider == nil {
		v.wrong(path+".provider", "is missing")
	}
	if _, ok := r.Provider.(countersign.HostedProvider); r.Hosted && r.Provider != nil && !ok {
		v.wrong(path+".hosted", "this provider does not check codes itself")
	}
	if len(r.Channels) == 0 {
		v.wrong(path+".channels", "at least one channel is needed")
	}
	for i, ch := range r.Channels {
		switch at := fmt.Sprintf("%s.channels.%d", path, i); {
		case !exact(ch):
			v.wrong(at, "must be sms, voice, flashcall, whatsapp, email or seamless")
		case !r.Hosted && (ch == countersign.ChannelFlashCall || ch == countersign.ChannelSeamless):
			v.wrong(at, "carries no code of ours: only a hosted route can serve it")
		}
	}
	v.countries(path, r.Countries)
	for country := range r.Senders {
		v.countries(path+".senders", []string{country})
	}
	for i, t := range r.Templates {
		if t.Country != "" {
			v.countries(fmt.Sprintf("%s.templates.%d", path, i), []string{t.Country})
		}
		if t.ID == "" {
			v.wrong(fmt.Sprintf("%s.templates.%d", path, i), "has no id")
		}
	}
	if r.Timeout < 0 || r.Timeout > MaxTimeout {
		v.wrong(path+".timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	if r.MaxInFlight < 0 {
		v.wrong(path+".max_in_flight", "must not be negative")
	}
}

func (v *validation) rules(path string, rules []Rule) {
	for i := range rules {
		r, at := &rules[i], path+"."+strconv.Itoa(i)
		if !exact(r.Channel) {
			v.wrong(at+".channel", "must be sms, voice, flashcall, whatsapp, email or seamless")
			continue
		}
		v.countries(at, r.Countries)
		v.prefixes(at, r.Prefixes)
		for name, weight := range r.Weights {
			if !slices.Contains(r.Routes, name) || weight < 1 || weight > maxWeight {
				v.wrong(at+".weights."+name, fmt.Sprintf("must be a route of this rule, with a weight from 1 to %d", maxWeight))
			}
		}
		if len(r.Routes) == 0 {
			v.wrong(at+".routes", "at least one route is needed")
		}
		for j, name := range r.Routes {
			route, to := v.names[name], fmt.Sprintf("%s.routes.%d", at, j)
			switch {
			case route == nil:
				v.wrong(to, "there is no route of this name")
			case !slices.Contains(route.Channels, r.Channel):
				v.wrong(to, "this route does not serve the rule's channel")
			case slices.Contains(r.Routes[:j], name):
				v.wrong(to, "is named twice")
			}
		}
	}
}

func (v *validation) countries(path string, list []string) {
	for i, c := range list {
		if !phone.ValidRegion(c) {
			v.wrong(fmt.Sprintf("%s.countries.%d", path, i), "must be an ISO 3166-1 alpha-2 code, in capitals")
		}
	}
}

// maxWeight is the largest share that a route can have beside others.
const maxWeight = 1000

func (v *validation) prefixes(path string, list []string) {
	for i, p := range list {
		digits, plus := strings.CutPrefix(p, "+")
		if !plus || digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
			v.wrong(fmt.Sprintf("%s.prefixes.%d", path, i), "must be a + and the first digits of numbers in E.164")
		}
	}
}

// exact says whether a channel is one, and not the wish for any.
func exact(ch countersign.Channel) bool {
	if ch == countersign.ChannelSeamless {
		return true
	}
	parsed, ok := countersign.ParseChannel(string(ch))
	return ok && parsed == ch && ch != countersign.ChannelAuto
}

func validName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c != '-' && (c < '0' || c > '9'))) {
			return false
		}
	}
	return true
}
