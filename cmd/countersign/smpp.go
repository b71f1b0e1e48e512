package main

import (
	"context"
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/hidden"
	"countersign/provider/smpp"
)

// addSMPP adds an SMSC. Its receipts come over the session that sessions keeps.
func (v *vendors) addSMPP(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, []countersign.Channel{countersign.ChannelSMS})
	if err != nil {
		return err
	}
	s := &p.Server
	if s.Security == "starttls" {
		return fmt.Errorf("providers.%s.security: SMPP has no STARTTLS: tls or none", name)
	}
	made, err := smpp.New(smpp.Config{
		Name: name, Host: s.Host, Port: s.Port, TLS: s.Security != "none", AllowPlain: p.AllowHTTP, SystemID: s.Username,
		Password: hidden.Text(s.Password), SystemType: s.SystemType, From: p.Sender, TON: s.SourceTON - 1, NPI: s.SourceNPI - 1,
		Latin1: s.Alphabet == "latin1", Window: s.Window, Enquire: s.Enquire, Timeout: p.Carriage.Timeout, Classes: p.ErrorClasses,
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	v.routes = append(v.routes, provider.Route{
		Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender, Receipts: true, // over the session
	})
	return nil
}

// sessions are the vendors with whom something goes on behind the messages: a connection that is kept, or prices that are
// asked for.
func (v *vendors) sessions(sink countersign.ReceiptSink) (list []runner) {
	for _, r := range v.routes {
		if s, ok := r.Provider.(interface {
			Attach(sink countersign.ReceiptSink)
			Run(ctx context.Context) error
		}); ok {
			s.Attach(sink)
			list = append(list, s.Run)
		}
	}
	return list
}
