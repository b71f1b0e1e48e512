package config

// Vonage is what the file says of an account at Vonage.
type Vonage struct {
	Key             string
	Secret          string
	SignatureSecret string // vonage
	Brand           string // vonage-verify
	Template        string // vonage, whatsapp
}

func ofVonage(field func(*Vonage) *string) func(*Config, []string, value) error {
	return ofProvider(func(p *Provider) *string { return field(&p.Vonage) }, anyText)
}

func vonageSettings() []Setting {
	return []Setting{
		{Path: "providers.*.vonage_key", Doc: "vonage, vonage-verify: the account's API key.", set: ofVonage(func(v *Vonage) *string { return &v.Key })},
		{Path: "providers.*.vonage_secret", Secret: true, Doc: "vonage, vonage-verify: the API secret.", set: ofVonage(func(v *Vonage) *string { return &v.Secret })},
		{Path: "providers.*.signature_secret", Secret: true, Doc: "vonage: the account's signature secret, which verifies the vendor's webhooks. Without it no delivery reports are asked for.", set: ofVonage(func(v *Vonage) *string { return &v.SignatureSecret })},
		{Path: "providers.*.brand", Doc: "vonage-verify: the name in the vendor's texts, at most 16 characters.", set: ofVonage(func(v *Vonage) *string { return &v.Brand })},
		{Path: "providers.*.whatsapp_template", Doc: "vonage: the approved authentication template of WhatsApp messages: its name, or `NAME/LANGUAGE` (`login_code/pt_BR`) where its language is not the message's.", set: ofVonage(func(v *Vonage) *string { return &v.Template })},
	}
}
