package config

import (
	"strings"
)

// What everybody knows: the credentials of the faces in the sandbox. They are refused in any other mode.
const (
	SandboxSinchKey    = "dec0de00-0000-4000-8000-000000000001"
	SandboxSinchSecret = "c2FuZGJveC1kZW1vLXNlY3JldA=="
)

// SandboxTwilio is the Twilio face of the sandbox.
var SandboxTwilio = TwilioFace{
	Account: "ACdec0de00000000000000000000000001", Token: "sandboxdemo", Service: "VAdec0de00000000000000000000000001",
}

// TwilioFace opens the Twilio face for an app.
type TwilioFace struct {
	Account   string
	Token     string
	Service   string
	HideEnded bool
}

func twilioFaceSettings() []Setting {
	return []Setting{
		{Path: "apps.*.faces.twilio.account_sid", Doc: "Opens the Twilio face (docs/twilio.md): the account that clients name, `AC` and 32 hexadecimal digits of your choice.", set: ofApp(func(a *App) *string { return &a.Twilio.Account }, anyText)},
		{Path: "apps.*.faces.twilio.auth_token", Secret: true, Doc: "Its token: letters and digits only, as the vendor's libraries want it.", set: ofApp(func(a *App) *string { return &a.Twilio.Token }, anyText)},
		{Path: "apps.*.faces.twilio.service_sid", Doc: "The service that is this app: `VA` and 32 hexadecimal digits.", set: ofApp(func(a *App) *string { return &a.Twilio.Service }, anyText)},
		{Path: "apps.*.faces.twilio.hide_ended", Doc: "Answer a fetch of an approved or expired verification with 404, as the vendor does. By default its final state is told.", set: ofApp(func(a *App) *bool { return &a.Twilio.HideEnded }, yesOrNo)},
	}
}

// checkFaces looks at an app's faces.
func (a *App) checkFaces(id string, mode Mode, bad func(format string, args ...any)) {
	t := &a.Twilio
	if (a.SinchKey == "") != (a.SinchSecret == "") {
		bad("apps.%s.faces.sinch: key and secret belong together", id)
	}
	if all := t.Account != "" && t.Token != "" && t.Service != ""; !all && *t != (TwilioFace{}) {
		bad("apps.%s.faces.twilio: account_sid, auth_token and service_sid belong together", id)
	}
	if mode == Sandbox {
		return
	}
	for _, known := range []struct{ path, value, public, make string }{
		{"sinch.key", a.SinchKey, SandboxSinchKey, "uuidgen"},
		{"sinch.secret", a.SinchSecret, SandboxSinchSecret, "openssl rand -base64 32"},
		{"twilio.account_sid", t.Account, SandboxTwilio.Account, "echo AC$(openssl rand -hex 16)"},
		{"twilio.auth_token", t.Token, SandboxTwilio.Token, "openssl rand -hex 24"},
		{"twilio.service_sid", t.Service, SandboxTwilio.Service, "echo VA$(openssl rand -hex 16)"},
	} {
		if strings.EqualFold(known.value, known.public) {
			bad("apps.%s.faces.%s: this is the sandbox's, which everybody knows; make your own with: %s", id, known.path, known.make)
		}
	}
}
