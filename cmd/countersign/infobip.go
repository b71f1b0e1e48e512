package main

import (
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/infobip"
)

// addInfobip adds an account of Infobip. Its reports come to /hooks/NAME/sms/TOKEN.
func (v *vendors) addInfobip(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, []countersign.Channel{countersign.ChannelSMS})
	if err != nil {
		return err
	}
	callback := ""
	if p.CallbackToken != "" {
		callback = v.publicURL + "/hooks/" + name + "/sms"
	}
	made, err := infobip.New(infobip.Config{
		Name: name, BaseURL: p.BaseURL, APIKey: hidden.Text(p.Token), From: p.Sender, CallbackURL: callback,
		CallbackToken: hidden.Text(p.CallbackToken), Timeout: p.Carriage.Timeout,
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	if made.TakesReceipts() {
		v.hook(made.Callback, "/hooks/"+name+"/sms", "/hooks/"+name+"/sms/", "/hooks/infobip/sms", "/hooks/infobip/sms/")
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender})
	return nil
}
