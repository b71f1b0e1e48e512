package config

// Twilio is what the file says of an account at Twilio.
type Twilio struct {
	AccountSID string
	AuthToken  string
	Service    string // twilio-verify
	Pool       string // twilio
	Template   string // twilio, whatsapp
}

func ofTwilio(field func(*Twilio) *string) func(*Config, []string, value) error {
	return ofProvider(func(p *Provider) *string { return field(&p.Twilio) }, anyText)
}

func twilioSettings() []Setting {
	return []Setting{
		{Path: "providers.*.account_sid", Doc: "twilio, twilio-verify: the account, AC…", set: ofTwilio(func(t *Twilio) *string { return &t.AccountSID })},
		{Path: "providers.*.auth_token", Secret: true, Doc: "twilio, twilio-verify: the account's token. It signs in unless `key_id` and `key_secret` do, and verifies the vendor's callbacks.", set: ofTwilio(func(t *Twilio) *string { return &t.AuthToken })},
		{Path: "providers.*.service_sid", Doc: "twilio-verify: the Verify service, VA…", set: ofTwilio(func(t *Twilio) *string { return &t.Service })},
		{Path: "providers.*.messaging_service_sid", Doc: "twilio: a messaging service, MG…, instead of a `sender`.", set: ofTwilio(func(t *Twilio) *string { return &t.Pool })},
		{Path: "providers.*.content_sid", Doc: "twilio: the registered content, HX…, of WhatsApp messages. Its variable 1 is the code.", set: ofTwilio(func(t *Twilio) *string { return &t.Template })},
	}
}
