package main

import (
	"fmt"
	"os"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/aws"
	"countersign/provider/hidden"
)

// addAWS adds an account of AWS End User Messaging. Its receipts come to /hooks/NAME/status, by SNS.
func (v *vendors) addAWS(name string, p *config.Provider) error {
	channels, err := channelsOf(name, p, []countersign.Channel{countersign.ChannelSMS})
	if err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then only the variables name shared files
	}
	made, err := aws.New(aws.Config{
		Name: name, Region: p.Region, Origination: p.Sender, ConfigurationSet: p.AWS.ConfigurationSet, TopicARN: p.AWS.TopicARN,
		KeyID: p.KeyID, KeySecret: hidden.Text(p.KeySecret), Profile: p.AWS.Profile, BaseURL: p.BaseURL, Timeout: p.Carriage.Timeout,
		Getenv: os.Getenv, Home: home,
	})
	if err != nil {
		return fmt.Errorf("providers.%s: %w", name, err)
	}
	if made.TakesReceipts() {
		v.hook(made.Callback, "/hooks/"+name+"/status", "/hooks/aws/status")
	}
	v.routes = append(v.routes, provider.Route{Name: name, Provider: made, Channels: channels, Countries: p.Countries, Sender: p.Sender})
	return nil
}
