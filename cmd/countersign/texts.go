package main

import (
	"countersign"
	"countersign/config"
	"countersign/message"
)

// purposes are those that texts are written for.
var purposes = []countersign.Purpose{countersign.PurposeSignup, countersign.PurposeLogin, countersign.PurposeStepUp, countersign.PurposeTransaction}

// textsOf makes an app's messages: the built-in ones, and the file's own in their place. A text for the purpose * goes
// for every purpose but a transaction, whose message must say what is approved.
func textsOf(name string, a *config.App) (*message.Catalog, error) {
	opts := message.Options{
		Name: name, Locale: a.Locale, Origin: a.OriginBound, AndroidHash: a.AndroidHash,
		CodeLength: a.CodeLength, AllowSegments: a.AllowSegments,
	}
	for key, body := range a.Texts {
		wanted := []countersign.Purpose{countersign.Purpose(key.Purpose)}
		if key.Purpose == "*" {
			wanted = purposes[:3]
		}
		for _, p := range wanted {
			if _, own := a.Texts[config.TextKey{Channel: key.Channel, Purpose: string(p), Locale: key.Locale}]; own && key.Purpose == "*" {
				continue
			}
			opts.Overrides = append(opts.Overrides, message.Override{
				Purpose: p, Channel: countersign.Channel(key.Channel), Locale: key.Locale, Subject: a.Subjects[key], Body: body,
				Where: "texts." + key.Channel + "." + key.Purpose + "." + key.Locale,
			})
		}
	}
	return message.New(opts)
}
