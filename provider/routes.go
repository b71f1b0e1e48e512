package provider

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"countersign"
)

// Routes is the countersign.Dispatcher: it plans how a message goes and carries it. It is safe for concurrent use.
type Routes struct {
	routes  []*route
	byName  map[string]*route
	general table
	apps    map[string]table
	auto    []countersign.Channel
	ladders map[string][]countersign.Channel
	now     func() time.Time
	observe func(Leg)
}

var _ countersign.Dispatcher = (*Routes)(nil)

// route is a Route at work.
type route struct {
	Route
	countries map[string]bool // nil: all
	hosted    countersign.HostedProvider
	completer countersign.Completer
	finder    countersign.Finder
	breaker   breaker
	inFlight  atomic.Int64
	health    health
}

func (r *route) serves(country string) bool { return r.countries == nil || r.countries[country] }

// sender is what people of a country see.
func (r *route) sender(country string) string {
	if s, ok := r.Senders[country]; ok {
		return s
	}
	return r.Sender
}

// template finds the id of a text. It is false where the country has templates and none of them is for this text.
func (r *route) template(m *countersign.Message, country string) (id string, ok bool) {
	ok, best := true, -1
	for i := range r.Templates {
		t := &r.Templates[i]
		if t.Country != "" && t.Country != country {
			continue
		}
		if best < 0 {
			ok = false
		}
		if fits := t.fits(m); fits > best {
			id, ok, best = t.ID, true, fits
		}
	}
	return id, ok
}

// fits says how exactly a template is for a message; below zero it is not.
func (t *Template) fits(m *countersign.Message) int {
	fits := 0
	switch {
	case t.Purpose != "" && t.Purpose != m.Purpose:
		return -1
	case t.Purpose != "":
		fits += 2
	}
	language, _, _ := strings.Cut(m.Locale, "-")
	switch {
	case t.Locale == "":
	case strings.EqualFold(t.Locale, m.Locale), strings.EqualFold(t.Locale, language):
		fits++
	default:
		return -1
	}
	if t.Country != "" {
		fits += 4
	}
	return fits
}

// table is what serves each channel, rule by rule.
type table map[countersign.Channel][]legs

// legs is one rule, ready for use.
type legs struct {
	countries map[string]bool // nil: all
	prefixes  []string        // nil: all
	order     []*route
	names     []string // of the order
	weights   []int    // of the order; nil: none has one
	anywhere  bool     // every route of the order serves every country
}

func (l *legs) add(made *route) {
	l.order, l.names = append(l.order, made), append(l.names, made.Name)
	l.anywhere = l.anywhere && made.countries == nil
}

func (l *legs) match(country, number string) bool {
	if l.countries != nil && !l.countries[country] {
		return false
	}
	if l.prefixes == nil {
		return true
	}
	for _, p := range l.prefixes {
		if strings.HasPrefix(number, p) {
			return true
		}
	}
	return false
}

// New makes Routes, or reports every mistake in the configuration at once.
func New(cfg Config) (*Routes, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Routes{
		byName: make(map[string]*route, len(cfg.Routes)), apps: make(map[string]table, len(cfg.Apps)),
		auto: slices.Clone(cfg.Auto), ladders: cfg.Ladders, now: cfg.Now, observe: cfg.Observe,
	}
	if len(r.auto) == 0 {
		r.auto = DefaultAuto()
	}
	if r.now == nil {
		r.now = time.Now
	}
	for i := range cfg.Routes {
		made := newRoute(cfg.Routes[i], r.now)
		r.routes = append(r.routes, made)
		r.byName[made.Name] = made
	}
	r.general = r.declared()
	r.general.replace(r.tableOf(cfg.Rules))
	for app, rules := range cfg.Apps {
		own := make(table, len(r.general))
		own.replace(r.general)
		own.replace(r.tableOf(rules))
		r.apps[app] = own
	}
	return r, nil
}

func newRoute(cfg Route, now func() time.Time) *route {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	cfg.Channels = slices.Clone(cfg.Channels)
	r := &route{Route: cfg, countries: set(cfg.Countries), breaker: breaker{now: now}}
	if cfg.Hosted {
		r.hosted, _ = cfg.Provider.(countersign.HostedProvider)
	}
	r.completer, _ = cfg.Provider.(countersign.Completer)
	r.finder, _ = cfg.Provider.(countersign.Finder)
	r.health.now = now
	return r
}

// declared is what serves each channel where no rule says so: all that can, in the order of the file.
func (r *Routes) declared() table {
	t := make(table)
	for _, made := range r.routes {
		for _, ch := range made.Channels {
			if len(t[ch]) == 0 {
				t[ch] = []legs{{anywhere: true}}
			}
			first := &t[ch][0]
			if !slices.Contains(first.order, made) {
				first.add(made)
			}
		}
	}
	return t
}

func (r *Routes) tableOf(rules []Rule) table {
	t := make(table)
	for _, rule := range rules {
		l := legs{countries: set(rule.Countries), prefixes: slices.Clone(rule.Prefixes), anywhere: true}
		for _, name := range rule.Routes {
			l.add(r.byName[name])
			if len(rule.Weights) > 0 {
				l.weights = append(l.weights, rule.Weights[name])
			}
		}
		t[rule.Channel] = append(t[rule.Channel], l)
	}
	return t
}

func (t table) replace(by table) {
	for ch, rules := range by {
		t[ch] = rules
	}
}

func set(list []string) map[string]bool {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]bool, len(list))
	for _, x := range list {
		m[x] = true
	}
	return m
}

// rule finds what serves a channel to a number for an app; nil when nothing does.
func (r *Routes) rule(app string, ch countersign.Channel, country, number string) *legs {
	t, ok := r.apps[app]
	if !ok {
		t = r.general
	}
	for i := range t[ch] {
		if rule := &t[ch][i]; rule.match(country, number) {
			return rule
		}
	}
	return nil
}

// reaches says whether an app has a route of a channel to a country, by some number.
func (r *Routes) reaches(app string, ch countersign.Channel, country string) bool {
	t, ok := r.apps[app]
	if !ok {
		t = r.general
	}
	for i := range t[ch] {
		rule := &t[ch][i]
		if rule.countries != nil && !rule.countries[country] {
			continue
		}
		for _, made := range rule.order {
			if made.serves(country) {
				return true
			}
		}
	}
	return false
}

func (r *Routes) noRoute(app, country string) error {
	var there []string
	for _, ch := range r.Channels(app, country) {
		there = append(there, string(ch))
	}
	detail := "No route serves this channel to this number's country."
	if len(there) == 0 {
		detail += " None is configured for any other channel either."
	} else {
		detail += fmt.Sprintf(" Channels with one: %s.", strings.Join(there, ", "))
	}
	return &countersign.Error{Kind: countersign.ErrInvalidRequest, Pointer: "/channel", Detail: detail}
}

// Channels lists the channels that an app's messages can take to a country, in a fixed order.
func (r *Routes) Channels(app, country string) []countersign.Channel {
	var there []countersign.Channel
	for _, ch := range []countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelFlashCall,
		countersign.ChannelWhatsApp, countersign.ChannelEmail, countersign.ChannelSeamless,
	} {
		if r.reaches(app, ch, country) {
			there = append(there, ch)
		}
	}
	return there
}

// Hosted implements countersign.Dispatcher.
func (r *Routes) Hosted(name string) (countersign.HostedProvider, bool) {
	made := r.byName[name]
	if made == nil || made.hosted == nil {
		return nil, false
	}
	return made.hosted, true
}

// Completer implements countersign.Dispatcher.
func (r *Routes) Completer(name string) (countersign.Completer, bool) {
	made := r.byName[name]
	if made == nil || made.completer == nil {
		return nil, false
	}
	return made.completer, true
}
