package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/provider/sinch"
	"countersign/provider/twilio"
	"countersign/provider/vonage"
)

// This file makes the providers and routes that the configuration names.

// vendors is every provider, by route, and the handlers of their callbacks.
type vendors struct {
	routes []provider.Route
	hooks  []hook

	publicURL string
}

// hook is where a vendor's callbacks come in. All patterns share one handler, because it remembers what came before.
type hook struct {
	patterns []string // of ServeMux
	handler  func(countersign.ReceiptSink) http.Handler
}

// channelsOf reads a provider's channels; all that the type can do when the file names none.
func channelsOf(name string, p *config.Provider, all []countersign.Channel) ([]countersign.Channel, error) {
	if len(p.Channels) == 0 {
		return all, nil
	}
	var list []countersign.Channel
	for _, text := range p.Channels {
		ch := countersign.Channel(text)
		if !slices.Contains(all, ch) {
			names := make([]string, len(all))
			for i, c := range all {
				names[i] = string(c)
			}
			return nil, fmt.Errorf("providers.%s.channels: %q is not served by this type; it serves %s", name, text, strings.Join(names, ", "))
		}
		list = append(list, ch)
	}
	return list, nil
}

// newVendors reports all mistakes of all providers at once.
func newVendors(cfg *config.Config, box *sandbox.Sandbox) (*vendors, error) {
	v := &vendors{publicURL: cfg.PublicURL}
	if box != nil {
		v.routes = append(v.routes, sandboxRoutes(box)...)
	}
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		p := cfg.Providers[name]
		var err error
		switch p.Type {
		case "webhook":
			err = v.addWebhook(name, p)
		case "sinch":
			err = v.addSinch(name, p)
		case "sinch-sms":
			err = v.addSinchSMS(name, p)
		case "twilio":
			err = v.addTwilio(name, p)
		case "vonage":
			err = v.addVonage(name, p)
		case "vonage-verify":
			err = v.addVonageVerify(name, p)
		case "twilio-verify":
			err = v.addTwilioVerify(name, p)
		case "smtp":
			err = v.addSMTP(name, p)
		case "smpp":
			err = v.addSMPP(name, p)
		case "aws":
			err = v.addAWS(name, p)
		case "infobip":
			err = v.addInfobip(name, p)
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s%w", cfg.Place("providers."+name), err))
		}
	}
	for i := range v.routes {
		if p := cfg.Providers[v.routes[i].Name]; p != nil {
			v.carriage(&v.routes[i], p)
		}
	}
	return v, errors.Join(mistakes...)
}

// sandboxRoutes are the sandbox's: two that carry our codes, so that failover can be seen, and one that has codes of
// its own, as a flash call needs.
func sandboxRoutes(box *sandbox.Sandbox) []provider.Route {
	return []provider.Route{
		{Name: sandbox.FirstName, Provider: box.First(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
		{Name: sandbox.SecondName, Provider: box.Second(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
		{Name: sandbox.HostedName, Provider: box.Hosted(), Channels: sandbox.HostedChannels(), Timeout: sandbox.RouteTimeout, NoBreaker: true, Hosted: true},
	}
}

// vendorAddress is where a provider's vendor is reached; "" where the doctor need not look.
func vendorAddress(p *config.Provider) string {
	switch {
	case p.Type == "webhook":
		return p.URL
	case p.BaseURL != "":
		return p.BaseURL
	case p.Type == "sinch":
		return sinch.VerificationURL
	case p.Type == "twilio":
		return twilio.MessagingURL
	case p.Type == "twilio-verify":
		return twilio.VerifyURL
	case p.Type == "vonage", p.Type == "vonage-verify":
		return vonage.BaseURL
	}
	return ""
}
