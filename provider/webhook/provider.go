package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"countersign"
)

// maxAnswer is how much of a vendor's answer is read.
const maxAnswer = 64 << 10

// Provider sends messages to one vendor's endpoint. It is safe for concurrent use.
type Provider struct {
	c         *compiled
	transport *http.Transport // and no http.Client: a redirect would carry the code to wherever an answer points
	now       func() time.Time
}

var _ countersign.Provider = (*Provider)(nil)

// Option changes how a Provider works.
type Option func(*Provider)

// WithClock sets the clock of signatures; time.Now otherwise.
func WithClock(now func() time.Time) Option { return func(p *Provider) { p.now = now } }

// WithRootCAs sets how the vendor's certificate is checked, where the system's authorities do not do.
func WithRootCAs(cfg *tls.Config) Option {
	return func(p *Provider) { p.transport.TLSClientConfig = cfg }
}

// New makes a provider, or reports every mistake in the configuration at once.
func New(cfg Config, options ...Option) (*Provider, error) {
	if cfg.Hosted != nil {
		return nil, &countersign.Mistake{Path: "hosted", Problem: "is for vendors that make the code themselves (NewHosted)"}
	}
	return newProvider(&cfg, options)
}

func newProvider(cfg *Config, options []Option) (*Provider, error) {
	c, err := compile(cfg)
	if err != nil {
		return nil, err
	}
	p := &Provider{c: c, now: time.Now, transport: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    2 * time.Second,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
		ForceAttemptHTTP2:      true,
	}}
	for _, o := range options {
		o(p)
	}
	return p, nil
}

// CloseIdleConnections hangs up on the vendor where nothing is on its way.
func (p *Provider) CloseIdleConnections() { p.transport.CloseIdleConnections() }

// Send implements countersign.Provider: one signed POST.
func (p *Provider) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	r, failure := p.exchange(ctx, p.c.answer.needsBody(), func(ctx context.Context) (*http.Request, error) {
		return p.request(ctx, m)
	})
	if failure != nil {
		return countersign.Handed{}, failure
	}
	v, ref, detail := p.c.answer.judge(r)
	if v.accepted {
		return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
	}
	if strings.Contains(strings.ToUpper(detail), m.Code.Reveal()) {
		detail = fmt.Sprintf("HTTP %d", r.status) // the vendor gave the code back as its reason
	}
	return countersign.Handed{}, p.failure(v.class, detail, cause(r.err))
}

// exchange makes one request and reads its answer. A failure says whether the vendor may have acted on it.
func (p *Provider) exchange(ctx context.Context, needsBody bool, build func(context.Context) (*http.Request, error)) (*reading, error) {
	if d, ok := ctx.Deadline(); !ok || time.Until(d) > p.c.timeout { // as a rule the route's time ends earlier
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.c.timeout)
		defer cancel()
	}
	t := &trace{}
	request, err := build(httptrace.WithClientTrace(ctx, t.hooks()))
	if err != nil {
		return nil, p.failure(countersign.FailOperator, "the request cannot be made", err)
	}
	response, err := p.transport.RoundTrip(request)
	if err != nil {
		return nil, p.lost(t, err)
	}
	defer response.Body.Close()
	return read(response, needsBody), nil
}

// drainTime is how long an answer that nobody needs may take to end. Until then its connection can be used again.
const drainTime = 100 * time.Millisecond

// read takes what matters of an answer. What does not matter is read too, for a moment and up to the same bound, so
// that the connection can be used again.
func read(response *http.Response, needed bool) *reading {
	r := &reading{status: response.StatusCode}
	if !needed {
		defer time.AfterFunc(drainTime, func() { _ = response.Body.Close() }).Stop()
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case !needed:
	case err != nil:
		r.err = err
	case len(body) > maxAnswer:
		r.err = errLong
	default:
		r.body = body
	}
	return r
}

var errLong = errors.New("the answer is longer than 64 KiB")

func (p *Provider) failure(class countersign.FailureClass, detail string, err error) error {
	return &countersign.Failure{Provider: p.c.name, Class: class, Detail: detail, Err: err}
}

// lost says what it means that there is no answer: nothing, as long as the request was not out.
func (p *Provider) lost(t *trace, err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return p.failure(countersign.FailOperator, "certificate not trusted", cause(err))
	case !t.mayBeOut():
		return p.failure(countersign.FailTemporary, "not connected", cause(err))
	case errors.Is(err, context.DeadlineExceeded):
		return p.failure(countersign.FailUnknown, "no answer in time", cause(err))
	}
	return p.failure(countersign.FailUnknown, "answer lost", cause(err))
}

// cause is as much of an error as a log may hold. Errors of net/http quote our address and the vendor's bytes, and
// those may be a secret, a number or the code.
func cause(err error) error {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil, errors.Is(err, errLong):
		return err
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &dial):
		return dial
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the connection failed")
}

// trace follows how far a request got.
type trace struct{ connected, broken atomic.Bool }

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { t.connected.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			// A request that was not wholly written cannot have been understood.
			t.broken.Store(info.Err != nil)
		},
	}
}

// mayBeOut says whether the vendor may have the whole request.
func (t *trace) mayBeOut() bool { return t.connected.Load() && !t.broken.Load() }

// request makes the signed request of a message.
func (p *Provider) request(ctx context.Context, m *countersign.Message) (*http.Request, error) {
	f := &fields{m: m, sender: cmp.Or(m.Sender, p.c.sender), at: p.now()}
	body, err := p.body(f)
	if err != nil {
		return nil, err
	}
	return p.signed(ctx, f, http.MethodPost, p.c.url, p.c.contentType, body)
}

// signed makes a request with the configured headers, signed under the id of its message.
func (p *Provider) signed(ctx context.Context, f *fields, method, address, contentType string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address cannot be used") // the error would hold it
	}
	// Without it net/http never posts a body twice, whatever the headers say.
	r.GetBody = nil
	r.Header = make(http.Header, len(p.c.headers)+5)
	if len(body) > 0 {
		r.Header["Content-Type"] = []string{contentType}
	}
	r.Header["User-Agent"] = []string{"Countersign"}
	for _, h := range p.c.headers {
		value := string(h.value.render(nil, f))
		if !headerValue(value) {
			return nil, fmt.Errorf("the header %s would not be one line of ASCII", h.name)
		}
		r.Header[h.name] = []string{value}
	}
	Sign(r.Header, f.m.ID, f.at, body, p.c.secrets...)
	return r, nil
}

// Event is the built-in body: the payload that Standard Webhooks recommends.
type Event struct {
	Type      string    `json:"type"` // "message.send"
	Timestamp time.Time `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData is the message in an Event.
type EventData struct {
	ID           string `json:"id"`           // the same for every attempt at one message
	Verification string `json:"verification"` // to be given back in receipts
	App          string `json:"app"`
	To           string `json:"to"` // E.164, or a mailbox on the channel email
	Channel      string `json:"channel"`
	Purpose      string `json:"purpose"`
	Sender       string `json:"sender,omitempty"`
	Subject      string `json:"subject,omitempty"`
	Text         string `json:"text"`
	Code         string `json:"code"`
	Locale       string `json:"locale"`
	Template     string `json:"template,omitempty"` // under which the text is registered, where the country has such
	Custom       string `json:"custom,omitempty"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Attempt      int    `json:"attempt"`    // above 1 the message may have been sent before
}

func (p *Provider) body(f *fields) ([]byte, error) {
	if p.c.body != nil {
		return p.c.body.render(make([]byte, 0, 512), f), nil
	}
	m := f.m
	if p.c.hosted != nil {
		return builtIn("verification.start", f)
	}
	return json.Marshal(&Event{Type: "message.send", Timestamp: f.at.UTC(), Data: EventData{
		ID: m.ID, Verification: m.Verification, App: m.App, To: m.To.Dial(), Channel: string(m.Channel),
		Purpose: string(m.Purpose), Sender: f.sender, Subject: m.Subject, Text: m.Text, Code: m.Code.Reveal(),
		Locale: m.Locale, Template: m.Template, Custom: m.Custom, ExpiresIn: int(m.Lifetime / time.Second), Attempt: m.Attempt,
	}})
}
