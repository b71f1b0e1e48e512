package sinchapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"countersign"
)

// start serves POST /verifications.
func (f *Face) start(w http.ResponseWriter, c *call) (any, error) {
	var body startBody
	if err := decode(c, &body); err != nil {
		return nil, err
	}
	m, q, err := f.startRequest(c, &body)
	if err != nil {
		return nil, err
	}
	v, err := f.cfg.Engine.Start(c.r.Context(), q)
	f.events.started(c.tenant, v, err)
	if err != nil {
		return nil, startError(m, err)
	}
	return f.describeStart(w, c, m, v), nil
}

func (f *Face) startRequest(c *call, body *startBody) (method, *countersign.StartRequest, error) {
	m, err := parseMethod(body.Method)
	if err != nil {
		return m, nil, err
	}
	if !strings.EqualFold(body.Identity.Type, "number") {
		return m, nil, vendorError{code: 40001, message: "The identity.type must be number."}
	}
	to, err := parseEndpoint(body.Identity.Endpoint)
	if err != nil {
		return m, nil, err
	}
	if utf8.RuneCountInString(body.Custom) > 4096 {
		return m, nil, vendorError{code: 40001, message: "At most 4096 characters in custom."}
	}
	q := &countersign.StartRequest{
		App: c.App.App, To: to, Channel: m.channel, Purpose: countersign.PurposeLogin, Face: countersign.FaceSinch,
		Reference: body.Reference, Custom: body.Custom, Client: f.client(c), Wait: true, Signed: c.signed(),
		// To end a number's earlier verification is the app's own wish, and needs its secret.
		Supersede: c.signed(),
	}
	if m.channel == countersign.ChannelSMS {
		q.Locale = languageOf(c.r.Header.Get("Accept-Language"))
	}
	if c.signed() {
		err = options(q, body)
	}
	if c.CallbackURL != "" && m.channel != countersign.ChannelSeamless {
		q.Confirm = func(ctx context.Context, v *countersign.Verification) (bool, error) {
			return f.events.ask(ctx, c.tenant, v)
		}
	}
	return m, q, err
}

// options reads what only a caller with a secret may ask for.
func options(q *countersign.StartRequest, body *startBody) (err error) {
	switch q.Channel {
	case countersign.ChannelSMS:
		if q.Alphabet, err = parseCodeType(body.SMSOptions.CodeType); err != nil {
			return err
		}
		q.Lifetime, err = parseExpiry(body.SMSOptions.Expiry)
	case countersign.ChannelWhatsApp:
		q.Alphabet, err = parseCodeType(body.WhatsAppOptions.CodeType)
	case countersign.ChannelVoice:
		q.Alphabet = countersign.Digits // what a voice can say and a keypad can type
		q.Locale = languageOf(body.CalloutOptions.Speech.Locale)
	case countersign.ChannelFlashCall:
		o := body.FlashCallOptions
		for _, t := range []*int{o.DialTimeout, o.InterceptionTimeout} {
			if t != nil && (*t < 5 || *t > 120) {
				return vendorError{code: 40001, message: "A timeout of flashCallOptions is 5 to 120 seconds."}
			}
		}
	}
	return err
}

// startError gives a start's failure the words that its method has.
func startError(m method, err error) error {
	e := (*countersign.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	f := (*countersign.Failure)(nil)
	unreachable := errors.As(err, &f) && f.Class == countersign.FailDestination
	noRoute := e.Kind == countersign.ErrInvalidRequest && e.Pointer == "/channel"
	switch {
	case noRoute, m.channel == countersign.ChannelSeamless && e.Kind == countersign.ErrInvalidRequest,
		e.Kind == countersign.ErrDeliveryFailed && unreachable:
		return notAvailable(m.name)
	}
	return err
}

func (f *Face) describeStart(w http.ResponseWriter, c *call, m method, v *countersign.Verification) startAnswer {
	self := f.cfg.BaseURL + Prefix + "verifications/id/" + v.ID
	a := startAnswer{ID: v.ID, Method: m.name, Links: []link{
		{Rel: "status", Href: self, Method: http.MethodGet},
		{Rel: "report", Href: self, Method: http.MethodPut},
	}}
	switch m.channel {
	case countersign.ChannelSMS:
		left := max(0, int(v.Expires.Sub(v.Now)/time.Second))
		a.SMS = &smsAnswer{InterceptionTimeout: left, CodeType: codeTypeOf(v.Alphabet)}
		a.SMS.Template = template(w, c, v)
	case countersign.ChannelFlashCall:
		a.FlashCall = &flashAnswer{InterceptionTimeout: 45, ReportTimeout: 75}
		if c.signed() {
			// The filter holds part of the code: a stranger with the app's key must not get it.
			a.FlashCall.CLIFilter = v.Hosted.Scheme
		}
	case countersign.ChannelWhatsApp:
		a.WhatsApp = &whatsAppAnswer{CodeType: codeTypeOf(v.Alphabet)}
	case countersign.ChannelSeamless:
		a.Seamless = &seamlessAnswer{TargetURI: v.Hosted.Scheme}
		if strings.HasPrefix(v.Hosted.Scheme, "/") {
			a.Seamless.TargetURI = f.cfg.BaseURL + v.Hosted.Scheme
		}
	}
	return a
}

// placeholder stands for the code in a template.
const placeholder = "{{CODE}}"

// template is the text with the code left out, by which a phone recognises the message.
func template(w http.ResponseWriter, c *call, v *countersign.Verification) string {
	if c.App.App.Texts == nil {
		return ""
	}
	t, err := c.App.App.Texts.Render(countersign.Text{
		Channel: v.Channel, Purpose: v.Purpose, Code: placeholder, Lifetime: v.Expires.Sub(v.Created),
		Locale: languageOf(c.r.Header.Get("Accept-Language")),
	})
	if err != nil || !strings.Contains(t.Body, placeholder) {
		return "" // optional: a client without it asks its user
	}
	if t.Locale != "" {
		w.Header().Set("Content-Language", t.Locale)
	}
	return t.Body
}
