// Package infobip sends text messages through Infobip's SMS API, version 3 (POST /sms/3/messages).
//
// The message's id is given to the vendor, so a message that is offered again after a lost answer is recognised there and
// not sent twice. Reports come to an address with a secret in it, or with that secret as the password of Basic
// authentication: the vendor's public pages describe no signature that could be checked instead.
package infobip

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// Bounds of a send's deadline.
const (
	DefaultTimeout = 3 * time.Second
	MaxTimeout     = 10 * time.Second
)

// Config is one account.
type Config struct {
	Name    string // the route's
	BaseURL string // the account's own, https://xxxxx.api.infobip.com
	APIKey  hidden.Text
	From    string // a number or a name

	CallbackURL   string      // where reports come to, without the secret; "" for none
	CallbackToken hidden.Text // at least 22 characters of A–Z, a–z, 0–9, - and _

	Timeout   time.Duration
	Transport http.RoundTripper // http.Transport when nil
}

// Validate reports every mistake, joined; each is a *countersign.Mistake.
func (c *Config) Validate() error {
	var mistakes []error
	wrong := func(path, problem string) {
		mistakes = append(mistakes, &countersign.Mistake{Path: path, Problem: problem})
	}
	if c.Name == "" {
		wrong("name", "is missing")
	}
	if c.BaseURL == "" || outbound.CheckAddress("base_url", c.BaseURL) != nil {
		wrong("base_url", "must be the account's own, as in https://xxxxx.api.infobip.com (http:// is for loopback addresses)")
	}
	if c.APIKey == "" || strings.ContainsAny(string(c.APIKey), " \r\n\t") {
		wrong("api_token", "must be the API key")
	}
	if c.From == "" || len(c.From) > 64 {
		wrong("sender", "must be a number or a name")
	}
	if c.CallbackURL != "" && !token(string(c.CallbackToken)) {
		wrong("callback_token", "must be at least 22 characters of A–Z, a–z, 0–9, - and _")
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		wrong("timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	return errors.Join(mistakes...)
}

func token(s string) bool {
	return len(s) >= 22 && len(s) <= 128 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// Provider sends text messages from one account. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	base   string // address of the SMS API
	client *outbound.Client
}

var (
	_ countersign.Provider = (*Provider)(nil)
	_ countersign.Finder   = (*Provider)(nil)
)

// New makes a provider, or reports every mistake in the configuration at once.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &Provider{cfg: cfg, base: strings.TrimRight(cfg.BaseURL, "/") + "/sms/3", client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport)}, nil
}

// CloseIdleConnections closes what waits for another request.
func (p *Provider) CloseIdleConnections() { p.client.CloseIdleConnections() }

type request struct {
	Messages []message `json:"messages"`
}

type message struct {
	Sender       string        `json:"sender"`
	Destinations []destination `json:"destinations"`
	Content      struct {
		Text string `json:"text"`
	} `json:"content"`
	Options  options   `json:"options"`
	Webhooks *webhooks `json:"webhooks,omitempty"`
}

type destination struct {
	To        string `json:"to"`
	MessageID string `json:"messageId"`
}

type options struct {
	Validity *validity `json:"validityPeriod,omitempty"`
}

type validity struct {
	Amount int    `json:"amount"`
	Unit   string `json:"timeUnit"`
}

type webhooks struct {
	Delivery struct {
		URL string `json:"url"`
	} `json:"delivery"`
	ContentType string `json:"contentType"`
	Data        string `json:"callbackData"`
}

// status is where the vendor says that a message stands.
type status struct {
	Group int    `json:"groupId"`
	Name  string `json:"name"`
}

// Send implements countersign.Provider: one message to one destination.
func (p *Provider) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	number, ok := m.To.Phone()
	if !ok || m.Channel != countersign.ChannelSMS {
		return countersign.Handed{}, p.client.Fail(countersign.FailOperator, "this route sends text messages only", nil)
	}
	what := message{Sender: cmp.Or(m.Sender, p.cfg.From), Destinations: []destination{{strings.TrimPrefix(number.E164(), "+"), m.ID}}}
	what.Content.Text = m.Text
	if m.Lifetime > 0 {
		what.Options.Validity = &validity{int((m.Lifetime + time.Minute - 1) / time.Minute), "MINUTES"}
	}
	if p.cfg.CallbackURL != "" {
		what.Webhooks = &webhooks{ContentType: "application/json", Data: m.Verification}
		what.Webhooks.Delivery.URL = p.cfg.CallbackURL + "/" + string(p.cfg.CallbackToken)
	}
	body, err := json.Marshal(request{[]message{what}})
	if err != nil {
		return countersign.Handed{}, p.client.Fail(countersign.FailOperator, "the request cannot be encoded", nil)
	}
	got, f := p.client.Do(ctx, &outbound.Question{
		Method: http.MethodPost, URL: p.base + "/messages", Body: body,
		Header: http.Header{"Authorization": {"App " + string(p.cfg.APIKey)}, "Content-Type": {"application/json"}, "Accept": {"application/json"}},
	})
	if f != nil {
		return countersign.Handed{}, f
	}
	return p.judge(got, m)
}

// Find implements countersign.Finder: the vendor's log of 48 hours is asked for the message's id, which is ours. A message that
// the vendor could not deliver is not there: another vendor may.
func (p *Provider) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	list, f := p.logs(ctx, url.Values{"messageId": {m.ID}, "limit": {"1"}})
	if f != nil {
		f.Class = countersign.FailUnknown // whether it was sent stays open
		return countersign.Handed{}, false, f
	}
	for _, one := range list {
		if one.ID == m.ID && (one.Status.Group == groupPending || one.Status.Group == groupDelivered) {
			return countersign.Handed{Ref: m.ID, Status: countersign.DeliveryAccepted}, true, nil
		}
	}
	return countersign.Handed{}, false, nil
}

// Probe reads one line of the vendor's log, for the doctor: the door opens to this key, and it may look a lost answer up.
func (p *Provider) Probe(ctx context.Context) error {
	if _, f := p.logs(ctx, url.Values{"limit": {"1"}}); f != nil {
		return f
	}
	return nil
}

// logged is a line of the vendor's log.
type logged struct {
	ID     string `json:"messageId"`
	Status status `json:"status"`
}

func (p *Provider) logs(ctx context.Context, query url.Values) ([]logged, *countersign.Failure) {
	got, f := p.client.Do(ctx, &outbound.Question{
		Method: http.MethodGet, URL: p.base + "/logs?" + query.Encode(),
		Header: http.Header{"Authorization": {"App " + string(p.cfg.APIKey)}, "Accept": {"application/json"}},
	})
	if f == nil && !got.OK() {
		f = p.refused(got)
	}
	if f != nil {
		return nil, f
	}
	var a struct {
		Results []logged `json:"results"`
	}
	if err := got.Into(&a); err != nil || a.Results == nil {
		return nil, p.client.Fail(countersign.FailUnknown, "the answer has no log", nil)
	}
	return a.Results, nil
}

func (p *Provider) judge(got *outbound.Answer, m *countersign.Message) (countersign.Handed, error) {
	if !got.OK() {
		return countersign.Handed{}, p.refused(got)
	}
	var a struct {
		Messages []struct {
			ID     string `json:"messageId"`
			Status status `json:"status"`
		} `json:"messages"`
	}
	if err := got.Into(&a); err != nil || len(a.Messages) != 1 {
		return countersign.Handed{}, p.client.Fail(countersign.FailUnknown, "the answer names no message", nil)
	}
	switch one := a.Messages[0]; {
	case one.Status.Name == duplicate && m.Attempt > 1:
		return countersign.Handed{Ref: m.ID, Status: countersign.DeliveryAccepted}, nil // the answer that was lost said yes
	case one.Status.Group == groupPending || one.Status.Group == groupDelivered:
		if one.ID == "" || len(one.ID) > 128 {
			return countersign.Handed{}, p.client.Fail(countersign.FailUnknown, "the answer has no id", nil)
		}
		return countersign.Handed{Ref: one.ID, Status: countersign.DeliveryAccepted}, nil
	case one.Status.Group == groupUndeliverable, one.Status.Group == groupExpired, one.Status.Group == groupRejected:
		return countersign.Handed{}, p.client.Fail(classOf(one.Status), detail(one.Status), nil)
	}
	return countersign.Handed{}, p.client.Fail(countersign.FailUnknown, "a status that is not known", nil)
}

// refused classifies an answer that is no success.
func (p *Provider) refused(got *outbound.Answer) *countersign.Failure {
	class := got.Class()
	text := "HTTP " + strconv.Itoa(got.Status)
	var e struct {
		Code       string `json:"errorCode"`
		Violations []struct {
			Property string `json:"property"`
		} `json:"violations"`
	}
	if got.Into(&e) != nil {
		return p.client.Fail(class, text, nil)
	}
	if got.Status == http.StatusBadRequest {
		for _, v := range e.Violations {
			if strings.HasSuffix(v.Property, ".to") {
				class = countersign.FailDestination
			}
		}
	}
	if constant(e.Code) {
		text += " " + e.Code
	}
	return p.client.Fail(class, text, nil)
}
