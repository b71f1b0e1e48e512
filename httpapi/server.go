package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"countersign"
	"countersign/web"
)

// Engine is what the face speaks to; *countersign.Verifier is it.
type Engine interface {
	Start(ctx context.Context, q *countersign.StartRequest) (*countersign.Verification, error)
	Send(ctx context.Context, q *countersign.SendRequest) (*countersign.Verification, error)
	Check(ctx context.Context, q *countersign.CheckRequest) (*countersign.Verification, error)
	Cancel(ctx context.Context, q *countersign.CancelRequest) (*countersign.Verification, error)
	Get(ctx context.Context, app *countersign.App, id string) (*countersign.Verification, error)
	List(ctx context.Context, q *countersign.ListRequest) ([]*countersign.Verification, countersign.Cursor, error)
	// FormToken is what the hosted page's first form brings back, to tell how long it was open.
	FormToken(app *countersign.App, browser string) string
}

var _ Engine = (*countersign.Verifier)(nil)

// Keys finds API keys. It must take the same time for every text that is no key, and must know a revoked key as
// none within a second.
type Keys interface {
	FindKey(text string) (Key, bool)
}

// Key is an API key without its secret.
type Key struct {
	ID     string // for logs and for telling callers apart; not the key's text
	App    string
	Secret bool // sk_: a server's; else pk_: a browser's or a phone's
}

// App is a tenant as far as HTTP is concerned.
type App struct {
	*countersign.App

	Origins    []string // exact origins from which a publishable key may be used, as browsers write them
	Native     bool     // a publishable key may come without an Origin: apps on phones
	ReturnURLs []string // where the hosted page may post a proof; compared whole
	HostedPage bool     // GET /verify exists for this app
	Countries  []string // offered on the hosted page; nil offers all
	// Channels are what the hosted page offers when a message does not arrive; the order is the page's.
	Channels []countersign.Channel
	// PasskeyLogin is the return address that takes a passkey in place of a proof, and PasskeyURL where the page gets what
	// devices are asked for; "" where the page cannot use passkeys.
	PasskeyLogin, PasskeyURL string
}

// Part is a part of the instance that readiness depends on.
type Part struct {
	Name string
	Err  error // nil while it works
}

// Config is what New needs. Fields are required unless they say otherwise.
type Config struct {
	Engine    Engine
	Keys      Keys
	Apps      []App
	Pages     *web.Pages
	PublicURL string        // scheme and host, without a trailing slash: "https://verify.example.com"
	JWKS      func() []byte // the public signing keys, a JWK set
	Logger    *slog.Logger

	Guard          Guard                      // explains decisions and lists blocks; nil: there are no such routes
	Accounts       Accounts                   // users and sessions; nil: there are no such routes
	Version        string                     // of the program, for the OpenAPI document; optional
	TrustedProxies []netip.Prefix             // peers whose X-Forwarded-For is believed; none by default
	Sandbox        *Sandbox                   // nil outside of sandbox mode: then /dev/* and / do not exist
	Routes         func(app string) RouteList // the app's routes; nil where nobody can tell: then /v1/routes does not exist
	Readiness      func(ctx context.Context) []Part
	Draining       func() bool             // true once the process is on its way out; optional
	Metrics        http.Handler            // serves /metrics here; nil when that is on another listener
	Mounts         map[string]http.Handler // ServeMux pattern → the other faces and the vendors' callbacks; optional

	// Observe hears of every request after its answer: the route's pattern (a closed set), the status and the
	// time taken. Optional; it must be quick.
	Observe func(route string, status int, took time.Duration)
}

// Server is the handler of the public listener.
type Server struct {
	cfg     Config
	log     *slog.Logger
	apps    map[string]*App
	origins map[string]bool // of all apps
	origin  string          // the instance's own
	hsts    bool
	proxies proxies
	cross   *http.CrossOriginProtection

	mux   *http.ServeMux // by method and path
	paths *http.ServeMux // by path only, to tell a wrong method from a wrong path

	subtrees []subtree // of the mounts, for paths that no ServeMux takes

	openapi []byte
	docs    []byte
}

// New makes the handler. It reports every mistake in its configuration at once.
func New(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, log: cfg.Logger, apps: map[string]*App{}, origins: map[string]bool{}, proxies: cfg.TrustedProxies,
		mux: http.NewServeMux(), paths: http.NewServeMux(), cross: http.NewCrossOriginProtection(),
	}
	if err := s.configure(); err != nil {
		return nil, fmt.Errorf("building the HTTP face: %w", err)
	}
	routes := s.routes()
	var err error
	if s.openapi, err = document(cfg.PublicURL, cfg.Version, routes); err != nil {
		return nil, fmt.Errorf("building the HTTP face: %w", err)
	}
	if s.docs, err = renderDocs(cfg.Pages, s.openapi); err != nil {
		return nil, fmt.Errorf("building the HTTP face: %w", err)
	}
	if err := s.mount(routes); err != nil {
		return nil, fmt.Errorf("building the HTTP face: %w", err)
	}
	return s, nil
}

func (s *Server) configure() error {
	cfg := s.cfg
	var errs []error
	if cfg.Engine == nil || cfg.Keys == nil || cfg.Pages == nil || cfg.JWKS == nil || cfg.Logger == nil || cfg.Readiness == nil {
		errs = append(errs, errors.New("a required part is missing"))
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.Join(append(errs, errors.New("public_url must be a scheme and a host, as in https://verify.example.com"))...)
	}
	s.cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	s.origin = s.cfg.PublicURL
	s.hsts = u.Scheme == "https"
	if err := s.cross.AddTrustedOrigin(s.origin); err != nil {
		errs = append(errs, fmt.Errorf("public_url: %w", err))
	}
	for _, app := range cfg.Apps {
		s.apps[app.ID] = &app
		for _, o := range app.Origins {
			if !exactOrigin(o) {
				errs = append(errs, fmt.Errorf("apps.%s.origins: %q is not an origin as browsers write it, such as https://www.example.com", app.ID, o))
			}
			s.origins[o] = true
		}
		for _, r := range app.ReturnURLs {
			if !returnable(r) {
				errs = append(errs, fmt.Errorf("apps.%s.return_urls: %q is not an absolute address", app.ID, r))
			}
		}
	}
	return errors.Join(errs...)
}

// returnable says whether a form may be posted to an address of the operator's.
func returnable(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Fragment != "" {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "javascript", "data", "blob", "file":
		return false
	}
	return true
}

// Limits of a connection: slow and oversized requests must not hold anything.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second // above the longest answer: send_timeout, the store and a failover
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 16 << 10
)

// NewServer wraps a handler in an http.Server with this package's limits on time and size.
func NewServer(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// "OPTIONS *" gets the same headers and log line as everything else.
		DisableGeneralOptionsHandler: true,
	}
	announceClosing(server)
	return server
}
