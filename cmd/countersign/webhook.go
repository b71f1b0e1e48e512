package main

import (
	"fmt"
	"net/http"
	"slices"

	"countersign"
	"countersign/config"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/provider/webhook"
)

// This file makes the vendors that configuration alone describes.

// hostedWebhookChannels are those of a vendor who makes the code: the code may be a caller's number then.
func hostedWebhookChannels() []countersign.Channel {
	return slices.Concat(sandbox.Carried(), []countersign.Channel{countersign.ChannelFlashCall})
}

// addWebhook adds a vendor by HTTP. Its receipts come to /hooks/NAME/status.
func (v *vendors) addWebhook(name string, p *config.Provider) error {
	hosted := p.Hosted.Configured()
	all := sandbox.Carried()
	if hosted {
		all = hostedWebhookChannels()
	}
	channels, err := channelsOf(name, p, all)
	if err != nil {
		return err
	}
	route := provider.Route{Name: name, Channels: channels, Countries: p.Countries, Sender: p.Sender, Hosted: hosted}
	var callback func(countersign.ReceiptSink) http.Handler
	if hosted {
		made, err := webhook.NewHosted(webhookConfig(name, p))
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		route.Provider, callback = made, made.Callback
	} else {
		made, err := webhook.New(webhookConfig(name, p))
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		route.Provider, callback = made, made.Callback
	}
	if len(p.ReceiptSecrets) > 0 {
		v.hook(callback, "/hooks/"+name+"/status")
	}
	v.routes = append(v.routes, route)
	return nil
}

func webhookConfig(name string, p *config.Provider) webhook.Config {
	cfg := webhook.Config{
		Name: name, URL: p.URL, Sender: p.Sender, Secrets: p.Secrets, AllowHTTP: p.AllowHTTP, ContentType: p.ContentType, Body: p.Body,
		Headers: p.Headers,
		Answer: webhook.Answer{
			RefPath: p.RefPath, AcceptedPath: p.AcceptedPath, Accepted: p.Accepted, ErrorPath: p.ErrorPath,
			ErrorClasses: p.ErrorClasses, StatusClasses: p.StatusClasses,
		},
	}
	if len(p.ReceiptSecrets) > 0 {
		cfg.Receipts = &webhook.Receipts{
			Secrets: p.ReceiptSecrets, VerificationPath: p.ReceiptPaths.Verification, IDPath: p.ReceiptPaths.ID,
			RefPath: p.ReceiptPaths.Ref, StatusPath: p.ReceiptPaths.Status, DetailPath: p.ReceiptPaths.Detail, Statuses: p.ReceiptStatuses,
			CostPath: p.ReceiptPaths.Cost, CurrencyPath: p.ReceiptPaths.CurrencyPath, Currency: p.ReceiptPaths.Currency,
		}
	}
	if p.Hosted.Configured() {
		cfg.Hosted = &webhook.HostedConfig{Report: webhookQuestion(&p.Hosted.Report), Status: webhookQuestion(&p.Hosted.Status)}
	}
	return cfg
}

func webhookQuestion(q *config.HostedQuestion) webhook.Question {
	return webhook.Question{
		Method: q.Method, URL: q.URL, ContentType: q.ContentType, Body: q.Body, StatusPath: q.StatusPath, ToPath: q.ToPath, RefPath: q.RefPath,
		Statuses: q.Statuses, HTTPStatuses: q.HTTPStatuses,
	}
}
