package main

import (
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/smtp"
)

// addSMTP adds a mail relay.
func (v *vendors) addSMTP(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, []countersign.Channel{countersign.ChannelEmail})
	if err != nil {
		return err
	}
	s := &p.Server
	made, err := smtp.New(smtp.Config{
		Name: name, Host: s.Host, Port: s.Port, Security: smtp.Security(s.Security), AllowPlain: p.AllowHTTP, Username: s.Username,
		Password: hidden.Text(s.Password), From: p.Sender, ReplyTo: s.ReplyTo, Hello: s.Hello, Timeout: p.Carriage.Timeout,
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender})
	return nil
}
