package sinch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"countersign"
	"countersign/provider/callback"
	"countersign/provider/outbound"
	"countersign/sinchauth"
)

// SMS is the vendor's SMS API: a plain provider.
type SMS struct {
	cfg     SMSConfig
	client  *outbound.Client
	batches string // the address of batches
	token   *tokens
	nonces  *sinchauth.Memory // of signed callbacks
	replies callback.Memory
}

var (
	_ countersign.Provider = (*SMS)(nil)
	_ countersign.Finder   = (*SMS)(nil)
)

// NewSMS makes a provider.
func NewSMS(cfg SMSConfig) (*SMS, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("provider %s: %w", cfg.Name, err)
	}
	if cfg.Region == "" {
		cfg.Region = "us"
	}
	host, plan := cfg.Region, cfg.ServicePlan
	if cfg.Project != "" {
		host, plan = "zt."+cfg.Region, cfg.Project
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://" + host + ".sms.api.sinch.com"
	}
	if cfg.AuthURL == "" {
		cfg.AuthURL = AuthURL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CallbackURL != "" && cfg.CallbackToken != "" {
		cfg.CallbackURL = strings.TrimRight(cfg.CallbackURL, "/") + "/" + string(cfg.CallbackToken)
	}
	s := &SMS{
		cfg: cfg, client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport), nonces: sinchauth.NewMemory(0),
		batches: strings.TrimRight(cfg.BaseURL, "/") + "/xms/v1/" + url.PathEscape(plan) + "/batches",
	}
	s.token = &tokens{cfg: cfg, client: s.client}
	return s, nil
}

// CloseIdleConnections ends connections that are not in use.
func (s *SMS) CloseIdleConnections() { s.client.CloseIdleConnections() }

type batch struct {
	To              []string `json:"to"`
	From            string   `json:"from"`
	Body            string   `json:"body"`
	ClientReference string   `json:"client_reference"`
	DeliveryReport  string   `json:"delivery_report,omitempty"`
	CallbackURL     string   `json:"callback_url,omitempty"`
	ExpireAt        string   `json:"expire_at,omitempty"`
}

// referenceOf names a message at the vendor: our verification and our message, so that a receipt finds both.
func referenceOf(m *countersign.Message) string { return m.Verification + "." + m.ID }

// parseReference reverses referenceOf.
func parseReference(text string) (verification, message string, ok bool) {
	verification, message, ok = strings.Cut(text, ".")
	return verification, message, ok && countersign.ValidVerificationID(verification) && message != ""
}

// Send implements countersign.Provider.
func (s *SMS) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	if m.Channel != countersign.ChannelSMS {
		return countersign.Handed{}, s.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	if m.Attempt > 1 {
		// The vendor has no idempotency keys. A message whose answer was lost keeps its id, and so is found; a wanted
		// second one has an id of its own.
		if ref, f := s.find(ctx, m); f != nil || ref != "" {
			return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, asError(f)
		}
	}
	b := batch{
		To: []string{strings.TrimPrefix(m.To.Dial(), "+")}, From: cmp.Or(m.Sender, s.cfg.From), Body: m.Text, ClientReference: referenceOf(m),
	}
	if m.Lifetime > 0 {
		// The machine's clock, not the engine's: the vendor compares it with its own.
		b.ExpireAt = time.Now().Add(m.Lifetime).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if s.cfg.CallbackURL != "" {
		b.DeliveryReport, b.CallbackURL = "per_recipient", s.cfg.CallbackURL
	}
	body, err := json.Marshal(b)
	if err != nil {
		return countersign.Handed{}, s.client.Fail(countersign.FailOperator, "the request cannot be encoded", nil)
	}
	got, f := s.ask(ctx, http.MethodPost, s.batches, body)
	if f != nil {
		return countersign.Handed{}, f
	}
	if !got.OK() {
		return countersign.Handed{}, smsFailure(s.client, got)
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := got.Into(&made); err != nil || made.ID == "" {
		return countersign.Handed{}, s.client.Fail(countersign.FailUnknown, "the answer has no id", nil)
	}
	return countersign.Handed{Ref: made.ID, Status: countersign.DeliveryAccepted}, nil
}

// Find implements countersign.Finder.
func (s *SMS) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	ref, f := s.find(ctx, m)
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, ref != "", asError(f)
}

// find looks a message up by our reference; "" when the vendor has none.
func (s *SMS) find(ctx context.Context, m *countersign.Message) (string, *countersign.Failure) {
	query := url.Values{"page": {"0"}, "page_size": {"1"}, "client_reference": {referenceOf(m)}}
	got, f := s.ask(ctx, http.MethodGet, s.batches+"?"+query.Encode(), nil)
	if f == nil && !got.OK() {
		f = smsFailure(s.client, got)
	}
	if f != nil {
		f.Class = countersign.FailUnknown // whether it was sent stays open, whatever kept us from asking
		return "", f
	}
	var list struct {
		Batches []struct {
			ID        string `json:"id"`
			Reference string `json:"client_reference"`
		} `json:"batches"`
	}
	if err := got.Into(&list); err != nil {
		return "", s.client.Fail(countersign.FailUnknown, "the answer is not JSON of the expected shape", nil)
	}
	for _, b := range list.Batches {
		// A vendor that ignores the filter must not make us adopt somebody else's message.
		if b.Reference == "" || b.Reference == referenceOf(m) {
			return b.ID, nil
		}
	}
	return "", nil
}

// Probe reads one of the plan's batches: the door opens to this plan and its token.
func (s *SMS) Probe(ctx context.Context) error {
	got, f := s.ask(ctx, http.MethodGet, s.batches+"?page=0&page_size=1", nil)
	if f == nil && !got.OK() {
		f = smsFailure(s.client, got)
	}
	return asError(f)
}

// ask makes one authorised request. A token that the vendor calls expired was not acted upon: a new one, once more.
func (s *SMS) ask(ctx context.Context, method, to string, body []byte) (*outbound.Answer, *countersign.Failure) {
	for again := false; ; again = true {
		token, f := s.token.get(ctx)
		if f != nil {
			return nil, f
		}
		q := &outbound.Question{Method: method, URL: to, Body: body, Header: http.Header{
			"Accept": {"application/json"}, "Authorization": {"Bearer " + token},
		}}
		if len(body) > 0 {
			q.Header.Set("Content-Type", "application/json")
		}
		got, f := s.client.Do(ctx, q)
		if f != nil || got.Status != http.StatusUnauthorized || again || !s.token.expired(got, token) {
			return got, f
		}
	}
}
