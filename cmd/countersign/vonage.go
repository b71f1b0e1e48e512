package main

import (
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/vonage"
)

func vonageConfig(name string, p *config.Provider) vonage.Config {
	return vonage.Config{
		Name: name, Key: p.Vonage.Key, APISecret: hidden.Text(p.Vonage.Secret), From: p.Sender, Brand: p.Vonage.Brand, BaseURL: p.BaseURL,
		Template: p.Vonage.Template, Timeout: p.Carriage.Timeout, SignatureSecret: hidden.Text(p.Vonage.SignatureSecret),
	}
}

// addVonage adds a route over the Messages API. The vendor's webhooks come to /hooks/NAME/status and /hooks/NAME/inbound.
func (v *vendors) addVonage(name string, p *config.Provider) error {
	all := smsChannels
	if p.Vonage.Template != "" {
		all = []countersign.Channel{countersign.ChannelSMS, countersign.ChannelWhatsApp}
	}
	channels, err := channelsOf(name, p, all)
	if err != nil {
		return err
	}
	cfg := vonageConfig(name, p)
	if cfg.SignatureSecret != "" && v.publicURL != "" {
		cfg.CallbackURL = v.publicURL + "/hooks/" + name + "/status"
	}
	made, err := vonage.NewMessages(cfg)
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	if cfg.CallbackURL != "" {
		v.hook(made.Callback, "/hooks/"+name+"/status", "/hooks/"+name+"/inbound", "/hooks/vonage/status", "/hooks/vonage/inbound")
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender})
	return nil
}

// addVonageVerify adds a route over Verify v2, whose codes are the vendor's. WhatsApp needs a sender of one's own there, and is
// served where the file asks for it.
func (v *vendors) addVonageVerify(name string, p *config.Provider) error {
	all := []countersign.Channel{countersign.ChannelSMS, countersign.ChannelVoice}
	if p.Sender != "" && len(p.Channels) > 0 {
		all = append(all, countersign.ChannelWhatsApp)
	}
	channels, err := channelsOf(name, p, all)
	if err != nil {
		return err
	}
	made, err := vonage.NewVerify(vonageConfig(name, p))
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Hosted: true})
	return nil
}
