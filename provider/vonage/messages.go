package vonage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"countersign"
	"countersign/provider/callback"
)

// Messages is the vendor's Messages API: a plain provider of SMS, and of WhatsApp where there is a template.
type Messages struct {
	api  *api
	seen callback.Memory // replies
}

var _ countersign.Provider = (*Messages)(nil)

// NewMessages makes a provider, or reports everything that is wrong with its configuration.
func NewMessages(cfg Config) (*Messages, error) {
	errs := cfg.validate()
	if cfg.From == "" {
		errs = append(errs, errors.New("sender: is missing"))
	}
	if cfg.CallbackURL != "" && cfg.SignatureSecret == "" {
		errs = append(errs, errors.New("signature_secret: callbacks need it, or anybody could send them"))
	}
	if cfg.Template != "" && !templateForm.MatchString(cfg.Template) {
		errs = append(errs, errors.New("whatsapp_template: expected is a template's name, or NAME/LANGUAGE as in login_code/pt_BR"))
	}
	a, err := newAPI(cfg, errs)
	if err != nil {
		return nil, err
	}
	return &Messages{api: a}, nil
}

// CloseIdleConnections ends connections that are not in use.
func (p *Messages) CloseIdleConnections() { p.api.client.CloseIdleConnections() }

type message struct {
	Type           string  `json:"message_type"`
	Channel        string  `json:"channel"`
	To             string  `json:"to"`
	From           string  `json:"from"`
	Text           string  `json:"text,omitempty"`
	Custom         *custom `json:"custom,omitempty"`
	ClientRef      string  `json:"client_ref"`
	TTL            int     `json:"ttl,omitempty"`
	WebhookURL     string  `json:"webhook_url,omitempty"`
	WebhookVersion string  `json:"webhook_version,omitempty"`
}

// minTTL is the least that the vendor takes, in seconds.
const minTTL = 20

// Send implements countersign.Provider. A message whose answer was lost is not sent again: the vendor cannot be asked.
func (p *Messages) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	b, f := p.message(m)
	if f != nil {
		return countersign.Handed{}, f
	}
	if m.Attempt > 1 && p.api.lost.Has(m.ID) {
		return countersign.Handed{}, p.api.client.Fail(countersign.FailUnknown, "the answer was lost and cannot be asked for", nil)
	}
	if m.Lifetime > 0 {
		b.TTL = max(int(m.Lifetime/time.Second), minTTL)
	}
	if p.api.cfg.CallbackURL != "" {
		b.WebhookURL, b.WebhookVersion = p.api.cfg.CallbackURL, "v1"
	}
	ref, f := p.send(ctx, b)
	if f != nil {
		if f.Class == countersign.FailUnknown {
			p.api.lost.Add(m.ID)
		}
		return countersign.Handed{}, f
	}
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
}

// Probe reads one of the account's applications, the least that the vendor tells to none but an account's own.
func (p *Messages) Probe(ctx context.Context) error { return p.api.probe(ctx) }

// message is what the vendor is given, but for what is the same on all channels.
func (p *Messages) message(m *countersign.Message) (*message, *countersign.Failure) {
	b := &message{
		To: strings.TrimPrefix(m.To.Dial(), "+"), From: strings.TrimPrefix(cmp.Or(m.Sender, p.api.cfg.From), "+"), ClientRef: m.Verification + "." + m.ID,
	}
	switch m.Channel {
	case countersign.ChannelSMS:
		b.Type, b.Channel, b.Text = "text", "sms", m.Text
	case countersign.ChannelWhatsApp:
		template := cmp.Or(m.Template, p.api.cfg.Template)
		if !templateForm.MatchString(template) {
			return nil, p.api.client.Fail(countersign.FailOperator, "no template for whatsapp", nil)
		}
		b.Type, b.Channel, b.Custom = "custom", "whatsapp", authentication(template, m)
	default:
		return nil, p.api.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	return b, nil
}

func (p *Messages) send(ctx context.Context, b *message) (string, *countersign.Failure) {
	got, f := p.api.client.Do(ctx, p.api.ask(http.MethodPost, "/v1/messages", b))
	if f != nil {
		return "", f
	}
	if !got.OK() {
		return "", p.api.failure(got)
	}
	var made struct {
		UUID string `json:"message_uuid"`
	}
	if err := got.Into(&made); err != nil || made.UUID == "" {
		return "", p.api.client.Fail(countersign.FailUnknown, "the answer has no message_uuid", nil)
	}
	return made.UUID, nil
}
