package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"countersign"
	"countersign/config"
	"countersign/httpapi"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/sinch"
	"countersign/sinchapi"
	"countersign/sinchauth"
)

// This file makes both ends of the Sinch protocol: the provider that speaks to the vendor, and the face that is spoken
// to as if it were the vendor.

// Channels of the two APIs.
var (
	verificationChannels = []countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelFlashCall, countersign.ChannelWhatsApp, countersign.ChannelSeamless,
	}
	ownCodeChannels = []countersign.Channel{countersign.ChannelSMS, countersign.ChannelVoice}
	smsChannels     = []countersign.Channel{countersign.ChannelSMS}
)

func credentials(key, secret string) (sinchauth.Credentials, error) {
	s, err := sinchauth.ParseSecret(secret)
	if err != nil {
		return sinchauth.Credentials{}, fmt.Errorf("the application secret: %w", err)
	}
	return sinchauth.Credentials{Key: key, Secret: s}, nil
}

// addSinch adds a route over the Verification API. The vendor's callbacks come to /hooks/NAME/verification.
func (v *vendors) addSinch(name string, p *config.Provider) error {
	own := p.CodeOwner == "countersign"
	all := verificationChannels
	if own {
		all = ownCodeChannels
	}
	channels, err := channelsOf(name, p, all)
	if err != nil {
		return err
	}
	c, err := credentials(p.ApplicationKey, p.ApplicationSecret)
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	cfg := sinch.VerificationConfig{Name: name, Credentials: c, BaseURL: p.BaseURL, Timeout: p.Carriage.Timeout}
	route := provider.Route{Name: name, Channels: channels, Countries: p.Countries, Sender: p.Sender, Hosted: !own}
	var callback func(countersign.ReceiptSink) http.Handler
	if own {
		made, err := sinch.NewOwnCode(cfg)
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		route.Provider, callback = made, made.Callback
	} else {
		made, err := sinch.NewVerification(cfg)
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		route.Provider, callback = made, made.Callback
	}
	v.hook(callback, "/hooks/"+name+"/verification", "/hooks/sinch/verification")
	v.routes = append(v.routes, route)
	return nil
}

// addSinchSMS adds a route over the SMS API. The vendor's webhooks come to /hooks/NAME/sms, and with a token to
// /hooks/NAME/sms/TOKEN.
func (v *vendors) addSinchSMS(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, smsChannels)
	if err != nil {
		return err
	}
	callback := ""
	if p.CallbackToken != "" || p.CallbackSecret != "" {
		callback = v.publicURL + "/hooks/" + name + "/sms"
	}
	made, err := sinch.NewSMS(sinch.SMSConfig{
		Name: name, From: p.Sender, Region: p.Region, ServicePlan: p.ServicePlan, Token: hidden.Text(p.Token),
		Project: p.Project, KeyID: p.KeyID, KeySecret: hidden.Text(p.KeySecret), BaseURL: p.BaseURL, Timeout: p.Carriage.Timeout,
		CallbackURL: callback, CallbackToken: hidden.Text(p.CallbackToken), CallbackSecret: hidden.Text(p.CallbackSecret),
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.hook(made.Callback, "/hooks/"+name+"/sms", "/hooks/"+name+"/sms/", "/hooks/sinch/sms", "/hooks/sinch/sms/")
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender})
	return nil
}

// hook adds a callback under every pattern that is still free: the contract's short path is the first route's.
func (v *vendors) hook(handler func(countersign.ReceiptSink) http.Handler, patterns ...string) {
	h := hook{handler: handler}
	for _, p := range patterns {
		taken := slices.Contains(h.patterns, p)
		for _, other := range v.hooks {
			taken = taken || slices.Contains(other.patterns, p)
		}
		if !taken {
			h.patterns = append(h.patterns, p)
		}
	}
	v.hooks = append(v.hooks, h)
}

// makeSinchFace opens the Sinch face for the apps that have credentials; nil when none has.
func (g *generation) makeSinchFace() (*sinchapi.Face, error) {
	levels := map[string]sinchauth.Level{
		"": sinchauth.LevelBasic, "public": sinchauth.LevelPublic, "basic": sinchauth.LevelBasic, "application": sinchauth.LevelApplication,
	}
	var apps []sinchapi.App
	var mistakes []error
	for _, id := range slices.Sorted(maps.Keys(g.cfg.Apps)) {
		a := g.cfg.Apps[id]
		if a.SinchKey == "" {
			continue
		}
		c, err := credentials(a.SinchKey, a.SinchSecret)
		if err != nil {
			path := "apps." + id + ".faces.sinch"
			mistakes = append(mistakes, fmt.Errorf("%s%s.secret: %w", g.cfg.Place(path+".secret"), path, err))
			continue
		}
		apps = append(apps, sinchapi.App{App: g.apps.byID[id], Credentials: c, MinLevel: levels[a.SinchAuth], CallbackURL: a.SinchCallback})
	}
	if err := errors.Join(mistakes...); err != nil || len(apps) == 0 {
		return nil, err
	}
	cfg := sinchapi.Config{
		Engine: g.verifier, Apps: apps, BaseURL: g.cfg.PublicURL, Now: g.i.store.Now, Log: g.i.log, Hosted: g.routes.Hosted,
		ClientAddr: httpapi.ClientAddress(g.cfg.TrustedProxies),
	}
	if g.cfg.IsSandbox() {
		cfg.Wall = time.Now // time travel moves the store's clock, and no client's
	}
	face, err := sinchapi.New(cfg)
	if err != nil {
		return nil, placed(g.cfg, err)
	}
	return face, nil
}
