package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"

	"countersign"
)

// Store keeps requests and grants. Each method is one indivisible step; what cannot be reached is ErrUnavailable.
type Store interface {
	Requests
	Grants
}

// Requests keeps authorization requests.
type Requests interface {
	SaveRequest(ctx context.Context, r *countersign.AuthorizationRequest) error
	// Request reads one; false where there is none.
	Request(ctx context.Context, id string) (*countersign.AuthorizationRequest, bool, error)
	// AnswerRequest gives a request its person and its code, once.
	AnswerRequest(ctx context.Context, r *countersign.AuthorizationRequest, at time.Time) (bool, error)
	// TakeCode consumes a code. One that was taken before revokes all that came of it.
	TakeCode(ctx context.Context, code []byte, at time.Time) (*countersign.AuthorizationRequest, bool, error)
}

// Grants keeps what clients were given.
type Grants interface {
	// SaveGrant keeps one, where its session lives.
	SaveGrant(ctx context.Context, g *countersign.Grant) (bool, error)
	// Grant and GrantByRefresh read one that is not revoked and whose session lives.
	Grant(ctx context.Context, id string, at time.Time) (*countersign.Grant, bool, error)
	GrantByRefresh(ctx context.Context, refresh []byte, at time.Time) (*countersign.Grant, bool, error)
	// RotateGrant replaces one, once. A refresh token that was used before revokes all of its authorization.
	RotateGrant(ctx context.Context, refresh []byte, next *countersign.Grant) (bool, error)
	RevokeGrants(ctx context.Context, request string, at time.Time) error
}

// People is what the face asks about users and sessions; *countersign.Accounts is it.
type People interface {
	Redeem(ctx context.Context, q *countersign.RedeemRequest) (*countersign.Login, error)
	Browser(ctx context.Context, token string) (*countersign.Session, error)
	AskPasskey(ctx context.Context, app *countersign.App, client countersign.Client, to string) (*countersign.Ceremony, error)
	LoginByPasskey(ctx context.Context, q *countersign.PasskeyLogin) (*countersign.Login, error)
	NewPasskey(ctx context.Context, app *countersign.App, s *countersign.Session) (*countersign.Ceremony, error)
	AddPasskey(ctx context.Context, q *countersign.EnrolRequest, answer *countersign.PasskeyAnswer) (*countersign.Factor, *countersign.Login, error)
	User(ctx context.Context, app *countersign.App, id string) (*countersign.User, error)
	End(ctx context.Context, app, user, session string) error
	Factors(ctx context.Context, app *countersign.App, user string) ([]*countersign.Factor, error)
	StepUp(ctx context.Context, q *countersign.StepUpRequest) (*countersign.Login, error)
	Now() time.Time
}

var _ People = (*countersign.Accounts)(nil)

// Config is what New needs. Every field is required.
type Config struct {
	Issuer     string // the instance's public address
	Clients    []Client
	Store      Store
	People     People
	Keys       func() *countersign.Keyring
	SigningKey func() (id string, private any, err error) // the key of the moment
	JWKS       func() []byte
	App        func(id string) (*countersign.App, bool)
	ClientOf   func(*http.Request) countersign.Client // who a browser is, through trusted proxies
	// CountLogin counts that a browser begins a login, which is kept for half an hour: a stranger must not fill the database.
	CountLogin func(ctx context.Context, app *countersign.App, client countersign.Client) error
	Report     func(error) // failures of ours, for the log
	Pages      Pages
}

// Face serves OpenID Connect. It is an http.Handler.
type Face struct {
	cfg      Config
	clients  map[string]*Client
	provider *op.Provider
	secure   bool // the issuer is https
	mux      *http.ServeMux
}

// The paths. They are fixed: discovery names them.
const (
	discoveryPath = "/.well-known/openid-configuration"
	authorizePath = "/oauth2/authorize"
	loginPath     = "/oauth2/login"
	consentPath   = "/oauth2/consent"
	passkeyPath   = "/oauth2/passkey"
	factorPath    = "/oauth2/factor"
	tokenPath     = "/oauth2/token"
	userinfoPath  = "/oauth2/userinfo"
	revokePath    = "/oauth2/revoke"
	inspectPath   = "/oauth2/introspect"
	logoutPath    = "/oauth2/logout"
	loggedOut     = logoutPath + "?done=1" // where a browser ends whose client named no place
	keysPath      = "/.well-known/jwks.json"
)

// Patterns are what the face is to be mounted at.
func Patterns() []string { return []string{discoveryPath, "/oauth2/"} }

// ReturnURL is where the hosted page posts proofs for this face.
func ReturnURL(issuer string) string { return issuer + loginPath }

// New makes the face. It reports every mistake of every client at once.
func New(cfg Config) (*Face, error) {
	f := &Face{cfg: cfg, clients: map[string]*Client{}, secure: strings.HasPrefix(cfg.Issuer, "https://"), mux: http.NewServeMux()}
	if cfg.Store == nil || cfg.People == nil || cfg.Keys == nil || cfg.SigningKey == nil || cfg.JWKS == nil || cfg.App == nil ||
		cfg.ClientOf == nil || cfg.CountLogin == nil || cfg.Report == nil || cfg.Pages == nil {
		return nil, errors.New("building the OpenID Connect face: a required part is missing")
	}
	var errs []error
	for _, c := range cfg.Clients {
		if _, ok := cfg.App(c.App); !ok {
			errs = append(errs, fmt.Errorf("%s: there is no app %q", c.ID, c.App))
		}
		errs = append(errs, c.validate())
		f.clients[c.ID] = &c
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("oidc.clients: %w", err)
	}
	if err := f.makeProvider(); err != nil {
		return nil, fmt.Errorf("building the OpenID Connect face: %w", err)
	}
	f.routes()
	return f, nil
}

func (f *Face) makeProvider() (err error) {
	options := []op.Option{
		op.WithCustomEndpoints(op.NewEndpoint(authorizePath), op.NewEndpoint(tokenPath), op.NewEndpoint(userinfoPath),
			op.NewEndpoint(revokePath), op.NewEndpoint(logoutPath), op.NewEndpoint(keysPath)),
		op.WithCustomIntrospectionEndpoint(op.NewEndpoint(inspectPath)),
		op.WithCORSOptions(nil),
		op.WithIDTokenHintVerifierOpts(op.WithSupportedIDTokenHintSigningAlgorithms("ES256")),
		op.WithAccessTokenVerifierOpts(op.WithSupportedAccessTokenSigningAlgorithms("ES256")),
	}
	if !f.secure {
		options = append(options, op.WithAllowInsecure())
	}
	f.provider, err = op.NewProvider(&op.Config{
		CryptoKey: f.cryptoKey(), CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true,
		DefaultLogoutRedirectURI: f.cfg.Issuer + loggedOut,
		SupportedScopes:          []string{oidc.ScopeOpenID, oidc.ScopePhone, oidc.ScopeOfflineAccess},
		SupportedUILocales:       []language.Tag{},
	}, storage{f}, op.StaticIssuer(f.cfg.Issuer), options...)
	return err
}

// cryptoKey encrypts access tokens: the same on every node, as the ring is.
func (f *Face) cryptoKey() (key [32]byte) {
	a, b := f.cfg.Keys().LookupHash("oidc access token", "1"), f.cfg.Keys().LookupHash("oidc access token", "2")
	copy(key[:16], a[:])
	copy(key[16:], b[:])
	return key
}

func (f *Face) routes() {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	both := []string{http.MethodGet, http.MethodPost}
	f.handle(discoveryPath, get, f.discovery)
	f.handle(authorizePath, both, f.authorize)
	f.handle(loginPath, both, f.login)
	f.handle(consentPath, post, f.consent)
	f.handle(passkeyPath, both, f.passkey)
	f.handle(factorPath, post, f.factor)
	f.handle(tokenPath, post, f.token)
	f.handle(userinfoPath, both, f.userinfo)
	f.handle(revokePath, post, f.revoke)
	f.handle(inspectPath, post, f.introspect)
	f.handle(logoutPath, both, f.logout)
}

// maxForm bounds what a request may send.
const maxForm = 16 << 10

// handle registers a path. A parameter that is there twice is refused for all of them (RFC 6749, 3.1 and 3.2): two
// parsers that take different ones are how checks get bypassed.
func (f *Face) handle(path string, methods []string, h http.HandlerFunc) {
	f.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { // ServeMux would say it in plain text
		w.Header().Set("Allow", strings.Join(methods, ", "))
		f.refuse(w, http.StatusMethodNotAllowed, "invalid_request", "This address does not take this method. The header Allow lists those that it takes.")
	})
	for _, m := range methods {
		f.mux.HandleFunc(m+" "+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				f.refuse(w, http.StatusBadRequest, "invalid_request", "The form or the query cannot be read.")
				return
			}
			if name, twice := doubled(r.Form); twice {
				f.refuse(w, http.StatusBadRequest, "invalid_request", "A parameter is there twice"+plain(name)+".")
				return
			}
			h(w, r.WithContext(op.ContextWithIssuer(r.Context(), f.cfg.Issuer)))
		})
	}
}

func doubled(form url.Values) (string, bool) {
	for name, values := range form {
		if len(values) > 1 {
			return name, true
		}
	}
	return "", false
}

// plain is a parameter's name where it may be repeated in an answer.
func plain(name string) string {
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') {
			return ""
		}
	}
	return ": " + name[:min(len(name), 32)]
}

// ServeHTTP implements http.Handler.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.cors(w, r) {
		return
	}
	f.mux.ServeHTTP(w, r)
}

func (f *Face) report(err error) { f.cfg.Report(err) }

// ours says whether an error is a failure of ours, and no refusal of the person or the client.
func ours(err error) bool {
	kind := countersign.KindOf(err)
	return err != nil && (kind == countersign.ErrUnavailable || kind == countersign.ErrInternal)
}
