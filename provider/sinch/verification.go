package sinch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"countersign"
	"countersign/provider/outbound"
	"countersign/sinchauth"
)

// Verification is the vendor's Verification API as a hosted provider.
type Verification struct{ api *api }

var _ countersign.HostedProvider = (*Verification)(nil)

// NewVerification makes a hosted provider.
func NewVerification(cfg VerificationConfig) (*Verification, error) {
	a, err := newAPI(cfg)
	if err != nil {
		return nil, err
	}
	return &Verification{a}, nil
}

// Send implements countersign.Provider: it starts the vendor's verification.
func (v *Verification) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	return v.api.send(ctx, m, hostedMethods)
}

// Find implements countersign.Finder.
func (v *Verification) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	return v.api.find(ctx, m, hostedMethods)
}

// Callback takes the vendor's events for this application.
func (v *Verification) Callback(sink countersign.ReceiptSink) http.Handler {
	return &events{api: v.api, sink: sink}
}

// Probe asks after a verification that nobody has: the vendor says so to whom it knows.
func (v *Verification) Probe(ctx context.Context) error { return v.api.probe(ctx) }

// CloseIdleConnections ends connections that are not in use.
func (v *Verification) CloseIdleConnections() { v.api.client.CloseIdleConnections() }

// OwnCode is the Verification API with our own codes: a plain provider.
type OwnCode struct{ api *api }

var (
	_ countersign.Provider  = (*OwnCode)(nil)
	_ countersign.Completer = (*OwnCode)(nil)
)

// NewOwnCode makes a provider whose vendor asks Callback for each code. The application's callback address at the
// vendor must lead to it, or the vendor sends codes of its own that nobody can check.
func NewOwnCode(cfg VerificationConfig) (*OwnCode, error) {
	a, err := newAPI(cfg)
	if err != nil {
		return nil, err
	}
	return &OwnCode{a}, nil
}

// Send implements countersign.Provider.
func (o *OwnCode) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	return o.api.send(ctx, m, ownMethods)
}

// Find implements countersign.Finder.
func (o *OwnCode) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	return o.api.find(ctx, m, ownMethods)
}

// Complete implements countersign.Completer: it reports the right code, so that the vendor's verification ends as
// successful too.
func (o *OwnCode) Complete(ctx context.Context, q countersign.HostedQuestion, c countersign.Code) error {
	a, err := o.api.report(ctx, q, c.Reveal())
	if err != nil {
		return err
	}
	if a.Status != countersign.StatusApproved {
		return &countersign.Failure{Provider: o.api.cfg.Name, Class: countersign.FailOperator, Detail: "not completed: " + string(a.Status)}
	}
	return nil
}

// Callback takes the vendor's events for this application and gives it our codes.
func (o *OwnCode) Callback(sink countersign.ReceiptSink) http.Handler {
	return &events{api: o.api, sink: sink, ownCode: true}
}

// Probe asks after a verification that nobody has: the vendor says so to whom it knows.
func (o *OwnCode) Probe(ctx context.Context) error { return o.api.probe(ctx) }

// CloseIdleConnections ends connections that are not in use.
func (o *OwnCode) CloseIdleConnections() { o.api.client.CloseIdleConnections() }

// api is one application at the vendor.
type api struct {
	cfg    VerificationConfig
	client *outbound.Client
	hooks  *sinchauth.Verifier
}

func newAPI(cfg VerificationConfig) (*api, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("provider %s: %w", cfg.Name, err)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = VerificationURL
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/") + "/verification/v1/verifications"
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &api{cfg: cfg, client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport)}
	a.hooks = &sinchauth.Verifier{
		Lookup: a.secret, Now: cfg.Now, Replays: sinchauth.NewMemory(0), Prefix: cfg.CallbackPrefix,
	}
	return a, nil
}

func (a *api) secret(key string) (sinchauth.Secret, bool) {
	if key != a.cfg.Credentials.Key {
		return sinchauth.Secret{}, false
	}
	return a.cfg.Credentials.Secret, true
}

// methods pairs our channels with the vendor's words.
type methods map[countersign.Channel]string

var (
	ownMethods = methods{countersign.ChannelSMS: "sms", countersign.ChannelVoice: "callout"}

	hostedMethods = methods{
		countersign.ChannelSMS: "sms", countersign.ChannelVoice: "callout", countersign.ChannelFlashCall: "flashcall",
		countersign.ChannelWhatsApp: "whatsapp", countersign.ChannelSeamless: "seamless",
	}
)

type identity struct {
	Type     string `json:"type"`
	Endpoint string `json:"endpoint"`
}

type startBody struct {
	Identity  identity    `json:"identity"`
	Method    string      `json:"method"`
	Reference string      `json:"reference"`
	Custom    string      `json:"custom,omitempty"`
	SMS       *smsOptions `json:"smsOptions,omitempty"`
	WhatsApp  *smsOptions `json:"whatsappOptions,omitempty"`
	Callout   *callout    `json:"calloutOptions,omitempty"`
}

type smsOptions struct {
	CodeType string `json:"codeType"`
	Expiry   string `json:"expiry,omitempty"`
}

type callout struct {
	Speech struct {
		Locale string `json:"locale"`
	} `json:"speech"`
}

type started struct {
	ID        string `json:"id"`
	FlashCall struct {
		CLIFilter string `json:"cliFilter"`
	} `json:"flashCall"`
	Seamless struct {
		TargetURI string `json:"targetUri"`
	} `json:"seamless"`
}

// send starts a verification at the vendor; from the second attempt on it first asks whether one was started.
func (a *api) send(ctx context.Context, m *countersign.Message, serves methods) (countersign.Handed, error) {
	name, ok := serves[m.Channel]
	if !ok {
		return countersign.Handed{}, a.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	if m.Attempt > 1 {
		if h, done, f := a.recover(ctx, m, name); f != nil || done {
			return h, asError(f)
		}
	}
	body, err := json.Marshal(startOf(m, name))
	if err != nil {
		return countersign.Handed{}, a.client.Fail(countersign.FailOperator, "the request cannot be encoded", nil)
	}
	q := a.question(http.MethodPost, "", body)
	if m.Locale != "" && name == "sms" {
		q.Header.Set("Accept-Language", m.Locale)
	}
	got, f := a.client.Do(ctx, q)
	if f != nil {
		return countersign.Handed{}, f
	}
	if !got.OK() {
		return countersign.Handed{}, verificationFailure(a.client, got)
	}
	var s started
	if err := got.Into(&s); err != nil || s.ID == "" {
		return countersign.Handed{}, a.client.Fail(countersign.FailUnknown, "the answer has no id", nil)
	}
	return countersign.Handed{Ref: s.ID, Status: countersign.DeliveryAccepted, Scheme: s.scheme(m)}, nil
}

// asError keeps a nil failure a nil error.
func asError(f *countersign.Failure) error {
	if f == nil {
		return nil
	}
	return f
}

func startOf(m *countersign.Message, name string) startBody {
	b := startBody{
		Identity: identity{Type: "number", Endpoint: m.To.Dial()}, Method: name, Reference: m.Verification, Custom: m.Custom,
	}
	switch name {
	case "sms":
		b.SMS = &smsOptions{CodeType: codeType(m.Alphabet), Expiry: clockText(m.Lifetime)}
	case "whatsapp":
		b.WhatsApp = &smsOptions{CodeType: codeType(m.Alphabet)}
	case "callout":
		if m.Locale != "" {
			b.Callout = &callout{}
			b.Callout.Speech.Locale = m.Locale
		}
	}
	return b
}

// scheme is what the client is told to expect. A flash call's filter holds part of the code, so only a caller with a
// secret may learn it.
func (s *started) scheme(m *countersign.Message) string {
	switch {
	case m.Channel == countersign.ChannelSeamless:
		return s.Seamless.TargetURI
	case m.Channel == countersign.ChannelFlashCall && m.Signed:
		return s.FlashCall.CLIFilter
	}
	return ""
}

func codeType(a countersign.Alphabet) string {
	switch a {
	case countersign.Letters:
		return "Alpha"
	case countersign.Alphanumeric:
		return "Alphanumeric"
	}
	return "Numeric"
}

// clockText writes a lifetime as HH:MM:SS; "" for none.
func clockText(d time.Duration) string {
	s := int(d / time.Second)
	if s <= 0 {
		return ""
	}
	return fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
}

// recent is how young a verification must be to be the one whose answer was lost. Sends to one phone are at least the
// first cooldown apart, counted from before the start; ten seconds are left for the start itself. An older one was
// answered for: this is a wanted second message, and the vendor sends one only by a new start.
const recent = 20 * time.Second

// find asks the vendor about a start whose answer was lost.
func (a *api) find(ctx context.Context, m *countersign.Message, serves methods) (countersign.Handed, bool, error) {
	h, found, f := a.recover(ctx, m, serves[m.Channel])
	return h, found, asError(f)
}

// recover looks for a start whose answer was lost.
func (a *api) recover(ctx context.Context, m *countersign.Message, name string) (countersign.Handed, bool, *countersign.Failure) {
	v, found, f := a.lookup(ctx, "/reference/"+url.PathEscape(m.Verification), m.To)
	switch {
	case f != nil:
		f.Class = countersign.FailUnknown // whether it was started stays open, whatever kept us from asking
		return countersign.Handed{}, false, f
	case !found || !strings.EqualFold(v.Method, name) || v.age() >= recent:
		return countersign.Handed{}, false, nil
	}
	switch v.Status {
	case "PENDING", "SUCCESSFUL":
		return countersign.Handed{Ref: v.ID, Status: countersign.DeliveryAccepted}, true, nil
	case "DENIED":
		return countersign.Handed{}, false, a.client.Fail(countersign.FailDenied, "DENIED "+knownReason(v.Reason), nil)
	}
	return countersign.Handed{}, false, nil
}

// probe is signed like everything else, so a wrong key, a wrong secret and a wrong clock are told apart from a closed door.
func (a *api) probe(ctx context.Context) error {
	got, f := a.client.Do(ctx, a.question(http.MethodGet, "/reference/probe", nil))
	if f == nil && !got.OK() && (got.Status != http.StatusNotFound || refusalOf(got).Code != 40400) {
		f = verificationFailure(a.client, got)
	}
	return asError(f)
}

// question builds a signed request.
func (a *api) question(method, path string, body []byte) *outbound.Question {
	q := &outbound.Question{Method: method, URL: a.cfg.BaseURL + path, Header: http.Header{"Accept": {"application/json"}}, Body: body}
	if len(body) > 0 {
		q.Header.Set("Content-Type", "application/json")
	}
	q.Sign = func(r *http.Request, body []byte) { sinchauth.SignRequest(r, body, a.cfg.Credentials, a.cfg.Now()) }
	return q
}
