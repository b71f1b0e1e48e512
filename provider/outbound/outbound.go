// Package outbound makes single requests to vendors, and says of each whether the vendor may have acted on it.
//
// Its rules: one request is one request, nothing is repeated and no redirect is followed; an answer is read up to 64 KiB;
// no error holds what a URL, a header or an answer said, because a number or a code may stand there.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"

	"countersign"
)

// MaxAnswer bounds what is read of an answer, in bytes.
const MaxAnswer = 64 << 10

// DefaultTimeout bounds a request whose context has no earlier deadline.
const DefaultTimeout = 5 * time.Second

// Client asks one vendor. It is safe for concurrent use.
type Client struct {
	name      string
	timeout   time.Duration
	transport http.RoundTripper // and no http.Client: a redirect would carry the code to where somebody points
	own       *http.Transport   // nil when the transport was given
}

// New makes a client. The name is the route's: failures carry it. A timeout of zero means DefaultTimeout; a nil transport,
// one of its own.
func New(name string, timeout time.Duration, given http.RoundTripper) *Client {
	c := &Client{name: name, timeout: timeout, transport: given}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if given == nil {
		c.own = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64,
			TLSHandshakeTimeout: c.timeout, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: MaxAnswer,
		}
		c.transport = c.own
	}
	return c
}

// CloseIdleConnections closes what waits for another request.
func (c *Client) CloseIdleConnections() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Question is one request.
type Question struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	Sign   func(r *http.Request, body []byte) // adds what authenticates it; optional
}

// Answer is what came back, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // nil where it was longer than MaxAnswer
}

// OK says whether the vendor did what it was asked.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Into reads the answer's JSON.
func (a *Answer) Into(v any) error { return json.Unmarshal(a.Body, v) }

// Class is what the answer's status means for the next step, where the vendor says no more.
func (a *Answer) Class() countersign.FailureClass {
	switch {
	case a.OK(), a.Status == http.StatusGatewayTimeout, a.Status == http.StatusConflict:
		return countersign.FailUnknown // somebody may have acted
	case a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly, a.Status == http.StatusTooManyRequests, a.Status >= 500:
		return countersign.FailTemporary
	}
	return countersign.FailOperator
}

// Do asks once. Its failure is of class FailTemporary when the request never left, and FailUnknown when it may have
// arrived. An answer of any status is no failure yet.
func (c *Client) Do(ctx context.Context, q *Question) (*Answer, *countersign.Failure) {
	if ctx.Err() != nil {
		return nil, c.Fail(countersign.FailTemporary, "not asked: no time left", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Set before anything of the request can be on the wire.
		GotConn: func(httptrace.GotConnInfo) { left.Store(true) },
	})
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return nil, c.Fail(countersign.FailOperator, "the address is wrong", nil)
	}
	for name, values := range q.Header {
		r.Header[name] = values
	}
	if q.Sign != nil {
		q.Sign(r, q.Body)
	}
	got, err := c.transport.RoundTrip(r)
	if err != nil {
		if certificate := (*tls.CertificateVerificationError)(nil); errors.As(err, &certificate) {
			return nil, c.Fail(countersign.FailOperator, "certificate not trusted", nil)
		}
		if !left.Load() {
			return nil, c.Fail(countersign.FailTemporary, "no connection", cause(err))
		}
		return nil, c.Fail(countersign.FailUnknown, "no answer", cause(err))
	}
	defer func() { _ = got.Body.Close() }()
	a := &Answer{Status: got.StatusCode, Header: got.Header}
	a.Body, err = io.ReadAll(io.LimitReader(got.Body, MaxAnswer+1))
	if err == nil && len(a.Body) <= MaxAnswer {
		return a, nil
	}
	if a.OK() {
		return nil, c.Fail(countersign.FailUnknown, "the answer was cut", cause(err))
	}
	a.Body = nil // a refusal is known by its status
	return a, nil
}

// cause keeps of a transport's error what cannot quote a number or a code: an address is in its URL, and a garbled
// answer is quoted as it is.
func cause(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return nil
}

// Fail is a failure of this vendor. The detail holds no address and no code.
func (c *Client) Fail(class countersign.FailureClass, detail string, err error) *countersign.Failure {
	return &countersign.Failure{Provider: c.name, Class: class, Detail: detail, Err: err}
}
