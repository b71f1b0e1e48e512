package vonage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"countersign"
)

// Messages is the vendor's Messages API: a plain provider of SMS.
type Messages struct {
	api  *api
	seen memory // replies
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
	a, err := newAPI(cfg, errs)
	if err != nil {
		return nil, err
	}
	return &Messages{api: a}, nil
}

// CloseIdleConnections ends connections that are not in use.
func (p *Messages) CloseIdleConnections() { p.api.client.CloseIdleConnections() }

type message struct {
	Type           string `json:"message_type"`
	Channel        string `json:"channel"`
	To             string `json:"to"`
	From           string `json:"from"`
	Text           string `json:"text"`
	ClientRef      string `json:"client_ref"`
	TTL            int    `json:"ttl,omitempty"`
	WebhookURL     string `json:"webhook_url,omitempty"`
	WebhookVersion string `json:"webhook_version,omitempty"`
}

// minTTL is the least that the vendor takes, in seconds.
const minTTL = 20

// Send implements countersign.Provider. A message whose answer was lost is not sent again: the vendor cannot be asked.
func (p *Messages) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	if m.Channel != countersign.ChannelSMS {
		return countersign.Handed{}, p.api.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	if m.Attempt > 1 && p.api.lost.has(m.ID) {
		return countersign.Handed{}, p.api.client.Fail(countersign.FailUnknown, "the answer was lost and cannot be asked for", nil)
	}
	b := message{
		Type: "text", Channel: "sms", To: strings.TrimPrefix(m.To.Dial(), "+"), From: strings.TrimPrefix(cmp.Or(m.Sender, p.api.cfg.From), "+"),
		Text: m.Text, ClientRef: m.Verification + "." + m.ID,
	}
	if m.Lifetime > 0 {
		b.TTL = max(int(m.Lifetime/time.Second), minTTL)
	}
	if p.api.cfg.CallbackURL != "" {
		b.WebhookURL, b.WebhookVersion = p.api.cfg.CallbackURL, "v1"
	}
	ref, f := p.send(ctx, &b)
	if f != nil {
		if f.Class == countersign.FailUnknown {
			p.api.lost.add(m.ID)
		}
		return countersign.Handed{}, f
	}
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
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
