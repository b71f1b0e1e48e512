package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"

	"countersign"
)

// call is one request on its way: what the steps before the handler found out, and what the log line will say. It is
// the ResponseWriter of its request too, so that the status is known and no second object is needed.
type call struct {
	http.ResponseWriter
	s *Server
	r *http.Request

	id    string // X-Request-Id
	began time.Time

	app     *App                 // of the key; nil before it is known
	key     Key                  // zero without one
	session *countersign.Session // of the person who calls; nil without one
	client  netip.Addr           // the connection's client, through trusted proxies; invalid when unknown
	body    []byte               // as read by decode

	status       int
	kind         countersign.Kind // of a refusal
	err          error            // its cause, for the log
	verification string           // the id concerned, cut in the log
	factor       string           // what a person showed or changed
	verdict      countersign.Verdict
}

func newCall(s *Server, w http.ResponseWriter, r *http.Request) *call {
	// The client's own X-Request-Id is not taken over: it would be text of a stranger's in our log and answers.
	return &call{ResponseWriter: w, s: s, r: r, id: "req_" + strings.ToLower(rand.Text()), began: time.Now()}
}

// WriteHeader implements http.ResponseWriter.
func (c *call) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// judged is the request's context, for what asks the guard: the log line says what that decided.
func (c *call) judged() context.Context { return countersign.WithVerdict(c.r.Context(), &c.verdict) }

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(s, w, r)
	defer c.finish()
	c.commonHeaders()
	if err := c.admit(); err != nil {
		c.fail(err)
		return
	}
	switch {
	case r.RequestURI == "*":
		s.unrouted(c, r) // ServeMux would refuse it
	case plainPath(r.URL.Path):
		s.mux.ServeHTTP(c, r)
	default:
		s.oddPath(c, r)
	}
}

// commonHeaders are on every answer; pages and assets replace some of them.
func (c *call) commonHeaders() {
	h := c.Header()
	h["X-Request-Id"] = []string{c.id}
	h["X-Content-Type-Options"] = nosniff
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = noReferrer
	if c.s.hsts {
		h["Strict-Transport-Security"] = hsts
	}
	if c.draining() {
		// Clients that keep connections must come back through the balancer.
		h.Set("Connection", "close")
	}
}

func (c *call) draining() bool { return c.s.cfg.Draining != nil && c.s.cfg.Draining() }

// The values are shared by all answers: net/http only reads them. Set would allocate one slice each.
var (
	nosniff    = []string{"nosniff"}
	noStore    = []string{"no-store"}
	noReferrer = []string{"no-referrer"}
	hsts       = []string{"max-age=31536000; includeSubDomains"}
)

// admit refuses what must not reach any route.
func (c *call) admit() error {
	if sb := c.s.cfg.Sandbox; sb != nil && !sb.DangerouslyAnyHost && !addressedToLoopback(c.r) {
		return countersign.Fail(countersign.ErrMisdirected, "The sandbox answers to localhost, 127.0.0.1 and [::1] only.")
	}
	if c.r.Method == http.MethodTrace || c.r.Method == http.MethodConnect {
		c.Header().Set("Allow", "GET, HEAD, POST, DELETE, OPTIONS")
		return countersign.Fail(countersign.ErrMethodNotAllowed, "This method is not served here.")
	}
	return nil
}

// oddPath refuses a path with a NUL, or one that ServeMux would redirect to its cleaned form: no client of ours writes one
// by honest mistake. Another face, which takes the path apart by itself, says so in its own words.
func (s *Server) oddPath(c *call, r *http.Request) {
	for _, m := range s.subtrees {
		if strings.HasPrefix(r.URL.Path, m.prefix) {
			r.Pattern = m.prefix
			serveMount(m.handler, c, r)
			return
		}
	}
	if strings.IndexByte(r.URL.Path, 0) >= 0 {
		c.fail(countersign.Fail(countersign.ErrInvalidRequest, "An address has no NUL in it."))
		return
	}
	c.fail(noSuchPath())
}

func noSuchPath() error {
	return countersign.Fail(countersign.ErrNotFound, "There is nothing at this address. The API is described at /docs.")
}

// plainPath says whether a path is as it would be after cleaning, and free of NULs.
func plainPath(p string) bool {
	if p == "" || p[0] != '/' || strings.IndexByte(p, 0) >= 0 {
		return false
	}
	if p == "/" || !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return true
	}
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}
