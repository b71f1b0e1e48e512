package main

import (
	"errors"
	"fmt"

	"countersign"
	"countersign/config"
	"countersign/provider/webhook"
	"countersign/risk"
)

// riskOf makes an app's check of numbers.
func riskOf(c config.RiskCheck) (countersign.RiskPolicy, error) {
	none := countersign.RiskPolicy{}
	if c.URL == "" {
		if c != (config.RiskCheck{}) {
			return none, errors.New("risk.url: say whom to ask, or leave out what belongs to it")
		}
		return none, nil
	}
	secret, err := webhook.ParseSecret(c.Secret)
	if err != nil {
		return none, fmt.Errorf("risk.secret: %w", err)
	}
	hook, err := risk.New(risk.Config{URL: c.URL, Secret: secret, Timeout: c.Timeout})
	if err != nil {
		return none, fmt.Errorf("risk.%w", err)
	}
	return countersign.RiskPolicy{Check: hook, SendAnyway: c.OnFailure == "send"}, nil
}
