package main

import (
	"cmp"
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/twilio"
)

// This file makes the providers that speak to Twilio.

func twilioAccount(p *config.Provider) twilio.Account {
	return twilio.Account{SID: p.Twilio.AccountSID, Token: hidden.Text(p.Twilio.AuthToken), KeySID: p.KeyID, KeySecret: hidden.Text(p.KeySecret)}
}

// addTwilio adds a route over the Messaging API. The vendor's callbacks come to /hooks/NAME/status, and for a message to
// /hooks/NAME/status/REFERENCE.
func (v *vendors) addTwilio(name string, p *config.Provider) error {
	all := []countersign.Channel{countersign.ChannelSMS}
	if p.Twilio.Template != "" {
		all = append(all, countersign.ChannelWhatsApp)
	}
	channels, err := channelsOf(name, p, all)
	if err != nil {
		return err
	}
	made, err := twilio.NewMessaging(twilio.MessagingConfig{
		Name: name, Account: twilioAccount(p), From: p.Sender, Pool: p.Twilio.Pool, Template: p.Twilio.Template, BaseURL: p.BaseURL,
		Timeout:     p.Carriage.Timeout,
		CallbackURL: v.publicURL + "/hooks/" + name + "/status",
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.hook(made.Callback, "/hooks/"+name+"/status", "/hooks/"+name+"/status/", "/hooks/twilio/status", "/hooks/twilio/status/")
	v.routes = append(v.routes, provider.Route{
		Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: cmp.Or(p.Sender, p.Twilio.Pool),
	})
	return nil
}

// addTwilioVerify adds a route over Verify v2.
func (v *vendors) addTwilioVerify(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, []countersign.Channel{countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelWhatsApp})
	if err != nil {
		return err
	}
	made, err := twilio.NewVerify(twilio.VerifyConfig{
		Name: name, Account: twilioAccount(p), Service: p.Twilio.Service, BaseURL: p.BaseURL, Timeout: p.Carriage.Timeout,
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Hosted: true})
	return nil
}
