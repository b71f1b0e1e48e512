package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"countersign"
)

// access says who may call a route.
type access uint8

const (
	public      access = iota
	anyKey             // a secret or a publishable key
	secretKey          // a secret key only
	person             // an access token or the cookie of a session
	keyOrPerson        // any of them
)

// route is one method and path.
type route struct {
	method, path string
	access       access
	limits       string // the RateLimit-Policy of a limited route; "" for others
	handle       func(c *call) error
	doc          *operation // nil keeps it out of the OpenAPI document
}

// routes is the whole API at a glance.
func (s *Server) routes() []route {
	list := []route{
		{"POST", "/v1/verifications", keyOrPerson, sendPolicy, startVerification, startDoc()},
		{"GET", "/v1/verifications", secretKey, "", listVerifications, listDoc()},
		{"GET", "/v1/verifications/{id}", keyOrPerson, "", getVerification, getDoc()},
		{"POST", "/v1/verifications/{id}/checks", keyOrPerson, checkPolicy, checkVerification, checkDoc()},
		{"POST", "/v1/verifications/{id}/sends", keyOrPerson, sendPolicy, sendVerification, sendDoc()},
		{"POST", "/v1/verifications/{id}/cancel", secretKey, "", cancelVerification, cancelDoc()},
		{"POST", "/v1/checks", secretKey, checkPolicy, checkByPhone, checkByPhoneDoc()},

		{"GET", "/verify", public, "", showPage, nil},
		{"POST", "/verify", public, "", submitPage, nil},
		{"GET", "/verify/{rest...}", public, "", refusePage, nil},

		{"GET", "/.well-known/jwks.json", public, "", serveJWKS, jwksDoc()},
		{"GET", "/healthz", public, "", healthy, healthDoc()},
		{"GET", "/readyz", public, "", ready, readyDoc()},
		{"GET", "/openapi.json", public, "", serveOpenAPI, nil},
		{"GET", "/docs", public, "", serveDocs, nil},
		{"GET", "/problems/{code}", public, "", explainProblem, nil},
		{"GET", "/static/", public, "", serveStatic, nil},
	}
	if s.cfg.Accounts != nil {
		list = append(list, accountRoutes()...)
		list = append(list, factorRoutes()...)
		list = append(list, passkeyRoutes()...)
	}
	if s.cfg.Routes != nil {
		list = append(list, route{"GET", "/v1/routes", secretKey, "", listRoutes, listRoutesDoc()})
	}
	if s.cfg.Guard != nil {
		list = append(list, guardRoutes()...)
	}
	if s.cfg.Metrics != nil {
		list = append(list, route{"GET", "/metrics", public, "", serveMetrics, nil})
	}
	if s.cfg.Sandbox != nil {
		list = append(list, sandboxRoutes(s.cfg.Sandbox)...)
	}
	return list
}

// mount registers the routes. ServeMux panics on patterns that clash; the operator's mounts can, so that is an error.
func (s *Server) mount(routes []route) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("mounting: %v", p)
		}
	}()
	methods := map[string][]string{}
	for _, rt := range routes {
		s.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { serve(rt, w, r) })
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for path, list := range methods {
		s.paths.Handle(path, allowed(list))
	}
	for pattern, h := range s.cfg.Mounts {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { serveMount(h, w, r) })
		if strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/") {
			s.subtrees = append(s.subtrees, subtree{pattern, h})
		}
	}
	s.mux.HandleFunc("/", s.unrouted)
	return nil
}

// serve runs one route. The writer is the call itself, because Server.ServeHTTP handed it to the mux.
func serve(rt route, w http.ResponseWriter, r *http.Request) {
	c := w.(*call)
	c.r = r
	if err := c.enter(rt); err != nil {
		c.fail(err)
		return
	}
	if err := rt.handle(c); err != nil {
		c.fail(err)
	}
}

// serveMount runs another face, which has routes of its own and no log line: what the guard decides comes into ours.
func serveMount(h http.Handler, w http.ResponseWriter, r *http.Request) {
	c := w.(*call)
	inner := r.WithContext(c.judged())
	defer func() { r.Pattern = inner.Pattern }() // also when it panics: the line names the route
	h.ServeHTTP(w, inner)
}

// subtree is a face that has everything under a path.
type subtree struct {
	prefix  string
	handler http.Handler
}

// enter finds out who calls and refuses who may not.
func (c *call) enter(rt route) error {
	c.client = c.s.proxies.client(c.r)
	if rt.limits != "" {
		c.Header()["Ratelimit-Policy"] = []string{rt.limits}
	}
	if rt.access == public {
		return nil
	}
	if err := c.identify(rt.access); err != nil {
		return err
	}
	if c.r.URL.RawQuery != "" && rt.doc != nil && len(rt.doc.query) == 0 {
		return invalid("", "This address takes no query. What a request says stands in its body.")
	}
	return nil
}

func (c *call) identify(need access) error {
	if need == person || need == keyOrPerson && c.s.cfg.Accounts != nil && c.byPerson() {
		return c.authenticateSession()
	}
	return c.authenticate(need)
}

// allowed is the methods of a path, sorted, with those that come by themselves.
func allowed(methods []string) allowHandler {
	list := append([]string{http.MethodOptions}, methods...)
	if slices.Contains(methods, http.MethodGet) {
		list = append(list, http.MethodHead)
	}
	slices.Sort(list)
	return allowHandler(strings.Join(list, ", "))
}

// allowHandler is the value of Allow; as a handler it exists only to be found by Server.paths.
type allowHandler string

// ServeHTTP implements http.Handler and is never called.
func (allowHandler) ServeHTTP(http.ResponseWriter, *http.Request) {}

// unrouted answers what no route matched: preflights, OPTIONS, wrong methods and wrong paths.
func (s *Server) unrouted(w http.ResponseWriter, r *http.Request) {
	c := w.(*call)
	h, pattern := s.paths.Handler(r)
	allow, known := h.(allowHandler)
	switch {
	case r.Method == http.MethodOptions && r.URL.Path == "*":
		c.WriteHeader(http.StatusNoContent)
	case pattern == "" || !known:
		c.fail(noSuchPath())
	case r.Method == http.MethodOptions:
		c.preflight(string(allow))
	default:
		c.Header().Set("Allow", string(allow))
		c.fail(countersign.Fail(countersign.ErrMethodNotAllowed, "This address does not take this method. The header Allow lists those that it takes."))
	}
}
