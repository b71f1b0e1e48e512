package config

import "time"

// RiskCheck is what the file says of an app's check of numbers.
type RiskCheck struct {
	URL       string
	Secret    string
	Timeout   time.Duration
	OnFailure string // "refuse" or "send"
}

func riskSettings() []Setting {
	return []Setting{
		{Path: "apps.*.risk.url", Doc: "Whom to ask before a message goes to a number, e.g. whether its SIM was changed (docs/risk.md). By default nobody.", set: ofApp(func(a *App) *string { return &a.Risk.URL }, webURL)},
		{Path: "apps.*.risk.secret", Secret: true, Doc: "Signs the question: `whsec_` and base64 of 24 to 64 bytes. Required with the address.", set: ofApp(func(a *App) *string { return &a.Risk.Secret }, anyText)},
		{Path: "apps.*.risk.timeout", Doc: "How long a start waits for the answer. By default 1s.", set: ofApp(func(a *App) *time.Duration { return &a.Risk.Timeout }, between(100*time.Millisecond, 5*time.Second))},
		{Path: "apps.*.risk.on_failure", Doc: "Without an answer: `refuse` (default, 503) or `send`.", set: ofApp(func(a *App) *string { return &a.Risk.OnFailure }, oneOf[string]("refuse", "send"))},
	}
}
