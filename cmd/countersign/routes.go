package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"countersign"
	"countersign/config"
	"countersign/httpapi"
	"countersign/metrics"
	"countersign/provider"
	"countersign/provider/sandbox"
)

// This file turns what the configuration says of routes into the dispatcher's rules, and shows how they fare.

// carriage gives a route what its provider's settings say of how it is used.
func (v *vendors) carriage(r *provider.Route, p *config.Provider) {
	r.Senders = p.Carriage.Senders
	r.MaxInFlight = p.Carriage.MaxInFlight
	if p.Carriage.Timeout > 0 {
		r.Timeout = p.Carriage.Timeout
	}
	for k, id := range p.Carriage.Templates {
		t := provider.Template{Country: k.Country, Purpose: countersign.Purpose(k.Purpose), Locale: k.Locale, ID: id}
		if t.Country == "*" {
			t.Country = ""
		}
		if t.Purpose == "*" {
			t.Purpose = ""
		}
		if t.Locale == "*" {
			t.Locale = ""
		}
		r.Templates = append(r.Templates, t)
	}
	for _, h := range v.hooks {
		for _, pattern := range h.patterns {
			r.Receipts = r.Receipts || (!r.Hosted && strings.HasPrefix(pattern, "/hooks/"+r.Name+"/"))
		}
	}
}

// routing is the dispatcher's configuration.
func routing(cfg *config.Config, routes []provider.Route) (provider.Config, error) {
	out := provider.Config{Routes: routes, Apps: map[string][]provider.Rule{}, Ladders: map[string][]countersign.Channel{}}
	var mistakes []error
	lines := func(r *config.Routing) []provider.Rule {
		list, err := rules(cfg, r.Routes, routes)
		mistakes = append(mistakes, err)
		return list
	}
	out.Rules, out.Auto = lines(&cfg.Routing), ladder(cfg.Routing.Ladder)
	if cfg.IsSandbox() {
		out.Rules = append(sandboxRules(out.Rules), out.Rules...)
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Apps)) {
		app := cfg.Apps[id]
		if list := lines(&app.Routing); len(list) > 0 {
			out.Apps[id] = list
		}
		if l := ladder(app.Routing.Ladder); len(l) > 0 {
			out.Ladders[id] = l
		}
	}
	return out, errors.Join(mistakes...)
}

func rules(cfg *config.Config, lines []config.Route, routes []provider.Route) ([]provider.Rule, error) {
	var list []provider.Rule
	var mistakes []error
	for _, l := range lines {
		ch, ok := countersign.ParseChannel(l.Channel)
		if l.Channel == string(countersign.ChannelSeamless) {
			ch, ok = countersign.ChannelSeamless, true
		}
		if !ok || ch == countersign.ChannelAuto {
			mistakes = append(mistakes, fmt.Errorf("%s%s: %q is not a channel", cfg.Place(l.Path), l.Path, l.Channel))
			continue
		}
		for _, r := range routes {
			if slices.Contains(l.Providers, r.Name) && !slices.Contains(r.Channels, ch) {
				mistakes = append(mistakes, fmt.Errorf("%s%s: the provider %s does not serve %s; its channels are %s", cfg.Place(l.Path), l.Path, r.Name, ch, spelled(r.Channels)))
			}
		}
		list = append(list, provider.Rule{Channel: ch, Countries: l.Countries, Prefixes: l.Prefixes, Routes: l.Providers, Weights: l.Weights})
	}
	return list, errors.Join(mistakes...)
}

func spelled(channels []countersign.Channel) string {
	names := make([]string, len(channels))
	for i, ch := range channels {
		names[i] = string(ch)
	}
	return strings.Join(names, ", ")
}

func ladder(names []string) []countersign.Channel {
	var list []countersign.Channel
	for _, name := range names {
		list = append(list, countersign.Channel(name))
	}
	return list
}

// sandboxRules keep the sandbox's own routes to themselves: a number that fails there on purpose must not fall through to
// a provider that a file adds. Routes that the file names for a channel come first.
func sandboxRules(named []provider.Rule) []provider.Rule {
	said := map[countersign.Channel]bool{}
	for _, r := range named {
		said[r.Channel] = true
	}
	var list []provider.Rule
	for _, ch := range sandbox.Carried() {
		if !said[ch] {
			list = append(list, provider.Rule{Channel: ch, Routes: []string{sandbox.FirstName, sandbox.SecondName}})
		}
	}
	for _, ch := range sandbox.HostedChannels() {
		if !said[ch] {
			list = append(list, provider.Rule{Channel: ch, Routes: []string{sandbox.HostedName}})
		}
	}
	return list
}

// routeStates shows an app's routes to its operator.
func (g *generation) routeStates(app string) httpapi.RouteList {
	var list httpapi.RouteList
	used := map[string]bool{}
	for _, w := range g.routes.Ways(app) {
		rule := httpapi.RouteRule{Channel: string(w.Channel), Countries: w.Countries, Prefixes: w.Prefixes}
		for i, name := range w.Routes {
			used[name] = true
			choice := httpapi.RouteChoice{Route: name}
			if w.Weights != nil {
				choice.Weight = w.Weights[i]
			}
			rule.Routes = append(rule.Routes, choice)
		}
		list.Rules = append(list.Rules, rule)
	}
	for _, s := range g.routes.States() {
		if !used[s.Name] {
			continue
		}
		one := httpapi.RouteState{
			Name: s.Name, Countries: s.Countries, Hosted: s.Hosted, Sender: s.Sender, Senders: s.Senders,
			Breaker: string(s.Breaker), InFlight: s.InFlight, Receipts: string(s.Receipts),
		}
		for _, ch := range s.Channels {
			one.Channels = append(one.Channels, string(ch))
		}
		for _, h := range s.Health {
			one.Health = append(one.Health, httpapi.RouteHealth{
				Country: h.Country, Channel: string(h.Channel), Breaker: string(h.Breaker), TriedLast: h.Last, Tried: h.Tried,
				AcceptRate: known(h.AcceptRate()), ReceiptRate: known(h.ReceiptRate()), DeliveryRate: known(h.DeliveryRate()),
				VerifiedRate: known(h.VerifiedRate()), VerifySeconds: known(h.VerifySeconds()),
			})
		}
		list.Routes = append(list.Routes, one)
	}
	return list
}

// known is nil where there was nothing to divide.
func known(rate float64) *float64 {
	if rate < 0 {
		return nil
	}
	return &rate
}

// routeGauges is the same for the metrics, of all routes.
func (i *instance) routeGauges() []metrics.Route {
	g := i.switchable.current()
	if g == nil {
		return nil
	}
	var list []metrics.Route
	for _, s := range g.routes.States() {
		one := metrics.Route{Name: s.Name, Open: s.Resting, InFlight: s.InFlight, Silent: s.Receipts == provider.ReceiptsSilent}
		for _, h := range s.Health {
			one.Places = append(one.Places, metrics.RoutePlace{
				Country: h.Country, Channel: string(h.Channel), Open: h.Breaker == provider.BreakerOpen, AcceptRate: h.AcceptRate(),
				ReceiptRate: h.ReceiptRate(), DeliveryRate: h.DeliveryRate(), VerifiedRate: h.VerifiedRate(), Verify: h.VerifySeconds(),
			})
		}
		list = append(list, one)
	}
	return list
}
