package vonage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"countersign/provider/callback"
	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// BaseURL is the vendor's address of both APIs.
const BaseURL = "https://api.nexmo.com"

// Config is what Verify and Messages work with.
type Config struct {
	Name      string // the route's; failures carry it
	Key       string // the account's API key
	APISecret hidden.Text
	From      string // Messages: required; Verify: optional, but for WhatsApp
	Brand     string // Verify: the name in its texts
	// Template is Messages' WhatsApp authentication template: its name, or NAME/LANGUAGE. Required for that channel, unless
	// the route has one for the message.
	Template string

	BaseURL   string            // the vendor's when empty
	Timeout   time.Duration     // of one request
	Transport http.RoundTripper // nil for one of its own

	// CallbackURL is where Messages takes delivery reports; "" asks for none.
	CallbackURL string
	// SignatureSecret verifies callbacks.
	SignatureSecret hidden.Text
	Now             func() time.Time // the clock of callbacks; time.Now when nil
}

var keyForm = regexp.MustCompile(`^[0-9A-Za-z]{4,64}$`)

func (c *Config) validate() []error {
	var errs []error
	need := func(setting, value string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s: is missing", setting))
		}
	}
	need("name", c.Name)
	need("vonage_secret", string(c.APISecret))
	if !keyForm.MatchString(c.Key) {
		errs = append(errs, errors.New("vonage_key: expected is the account's API key, letters and digits"))
	}
	return append(errs, outbound.CheckAddress("base_url", c.BaseURL), outbound.CheckAddress("public_url", c.CallbackURL))
}

// api is one account.
type api struct {
	cfg    Config
	base   string
	client *outbound.Client
	lost   callback.Memory // messages whose answer was lost
}

func newAPI(cfg Config, errs []error) (*api, error) {
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &api{
		cfg: cfg, base: strings.TrimRight(cmp.Or(cfg.BaseURL, BaseURL), "/"), client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport),
	}, nil
}

func (a *api) probe(ctx context.Context) error {
	got, f := a.client.Do(ctx, a.ask(http.MethodGet, "/v2/applications?page_size=1", nil))
	if f == nil && !got.OK() {
		f = a.failure(got)
	}
	if f != nil {
		return f
	}
	return nil
}

// ask builds one request.
func (a *api) ask(method, path string, v any) *outbound.Question {
	q := &outbound.Question{Method: method, URL: a.base + path, Header: http.Header{"Accept": {"application/json"}}}
	if v != nil {
		q.Body, _ = json.Marshal(v) // of strings and numbers: cannot fail
		q.Header.Set("Content-Type", "application/json")
	}
	q.Sign = func(r *http.Request, _ []byte) { r.SetBasicAuth(a.cfg.Key, string(a.cfg.APISecret)) }
	return q
}
