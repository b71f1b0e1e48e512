package providertest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
)

// Carrier is a vendor on a loopback address whose answers a test writes.
type Carrier struct {
	server *httptest.Server
	conns  atomic.Int64

	mu       sync.Mutex
	answer   Answer
	requests []Request
}

// Answer writes the carrier's answer to one request, whose body was read already.
type Answer func(w http.ResponseWriter, r *http.Request, body []byte)

// Request is what the carrier received.
type Request struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte
}

// NewCarrier starts a carrier that answers like this. Close must be called.
func NewCarrier(answer Answer) *Carrier {
	c := &Carrier{answer: answer}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.conns.Add(1)
		}
	}
	c.server.Start()
	return c
}

// URL is the carrier's address, without a trailing slash.
func (c *Carrier) URL() string { return c.server.URL }

// Close hangs up on everybody and stops listening.
func (c *Carrier) Close() {
	c.server.CloseClientConnections()
	c.server.Close()
}

// Requests lists what was received, oldest first.
func (c *Carrier) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Request(nil), c.requests...)
}

// Conns is how many connections were opened to the carrier.
func (c *Carrier) Conns() int { return int(c.conns.Load()) }

func (c *Carrier) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.requests = append(c.requests, Request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body})
	answer := c.answer
	c.mu.Unlock()
	answer(w, r, body)
}

// hangUp closes the connection under an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

// silence keeps the client waiting until it gives up.
func silence(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }

func status(code int, body string) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}
