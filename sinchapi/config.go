package sinchapi

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
	"countersign/sinchauth"
)

// Engine is what the face needs of the verification engine. *countersign.Verifier is one.
type Engine interface {
	Start(ctx context.Context, q *countersign.StartRequest) (*countersign.Verification, error)
	Check(ctx context.Context, q *countersign.CheckRequest) (*countersign.Verification, error)
	Get(ctx context.Context, app *countersign.App, id string) (*countersign.Verification, error)
	Newest(ctx context.Context, app *countersign.App, to countersign.Address, face countersign.Face, ch countersign.Channel) (*countersign.Verification, error)
	ByReference(ctx context.Context, app *countersign.App, reference string, face countersign.Face) (*countersign.Verification, error)
}

var _ Engine = (*countersign.Verifier)(nil)

// App opens the face for one app.
type App struct {
	App         *countersign.App
	Credentials sinchauth.Credentials
	// MinLevel is the least that a request must prove; zero means LevelBasic. LevelPublic needs a CallbackURL.
	MinLevel sinchauth.Level
	// CallbackURL receives the app's events; "" for none. A start then waits for the app's word and is denied
	// without it.
	CallbackURL string
}

// Config is what a Face works with. Zero durations and counts mean the default.
type Config struct {
	Engine  Engine // required
	Apps    []App
	BaseURL string           // the instance's public address, for links; required
	Now     func() time.Time // the engine's clock; required
	// Wall makes a signature fresh by the machine's clock too, where Now can be moved: in the sandbox. Optional.
	Wall func() time.Time
	// ClientAddr tells a public caller's address, through trusted proxies; required where an app allows LevelPublic.
	ClientAddr func(*http.Request) netip.Addr
	// Hosted finds the provider behind a verification's route, as *provider.Routes does; nil where no app uses data
	// verification, which would stay pending.
	Hosted func(route string) (countersign.HostedProvider, bool)
	// PathPrefix is what a proxy in front takes off the path that callers sign; usually "".
	PathPrefix string

	Log       *slog.Logger      // failures of ours, and callbacks that were lost; nil for none
	Transport http.RoundTripper // for callbacks; nil for one of its own
	// CallbackTimeout bounds one callback; default 3 s. A start waits as long for the app's word.
	CallbackTimeout time.Duration
	// CallbackQueue is how many events of one app may wait to be delivered; default 1024. More are dropped.
	CallbackQueue int
	// RetryAfter is the pause before an event is delivered a second and last but one time; default 1 s.
	RetryAfter time.Duration
	// PollEvery is the first pause between looks at a verification whose end must be told; default 1 s. It doubles
	// up to 15 s.
	PollEvery time.Duration
	// Watched is how many verifications may be watched for events at once; default 100,000.
	Watched int
}

// Validate reports everything that is wrong, naming the app by its id.
func (c *Config) Validate() error {
	var errs []error
	if c.Engine == nil || c.Now == nil {
		errs = append(errs, errors.New("sinch face: an engine and its clock are required"))
	}
	if err := checkURL(c.BaseURL); err != nil {
		errs = append(errs, fmt.Errorf("sinch face: the public address: %w", err))
	}
	keys := make(map[string]bool, len(c.Apps))
	for i := range c.Apps {
		errs = append(errs, c.validateApp(&c.Apps[i], keys)...)
	}
	return errors.Join(errs...)
}

func (c *Config) validateApp(a *App, keys map[string]bool) []error {
	if a.App == nil {
		return []error{errors.New("sinch face: an app is missing")}
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("apps.%s.faces.sinch."+format, append([]any{a.App.ID}, args...)...))
	}
	switch key := a.Credentials.Key; {
	case key == "" || strings.ContainsAny(key, ": \t\r\n"):
		bad("key: an application key is text without colons and spaces")
	case keys[key]:
		bad("key: two apps have the same key")
	default:
		keys[key] = true
	}
	if a.Credentials.Secret.IsZero() {
		bad("secret: is missing")
	}
	if a.CallbackURL != "" {
		if err := checkURL(a.CallbackURL); err != nil {
			bad("callback_url: %w", err)
		}
	}
	if a.MinLevel == sinchauth.LevelPublic {
		if a.CallbackURL == "" {
			bad("minimum_auth: public needs a callback_url: without the app's word anybody could send at its cost")
		}
		if c.ClientAddr == nil {
			bad("minimum_auth: public needs to know clients' addresses")
		}
	}
	return errs
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("expected is an http or https address without user, query and fragment")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.CallbackTimeout <= 0 {
		c.CallbackTimeout = 3 * time.Second
	}
	if c.CallbackQueue <= 0 {
		c.CallbackQueue = 1024
	}
	if c.RetryAfter <= 0 {
		c.RetryAfter = time.Second
	}
	if c.PollEvery <= 0 {
		c.PollEvery = time.Second
	}
	if c.Watched <= 0 {
		c.Watched = 100_000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	return c
}
