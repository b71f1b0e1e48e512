package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where an instance is and who calls.
type Config struct {
	URL string // the instance's address, such as https://verify.example.com
	Key string // a secret key (sk_…) of the app

	HTTP     *http.Client // what carries the calls; nil is one with a timeout of 15 s a try
	Attempts int          // how often a call is tried at most, where repeating is safe; 0 is 3
}

// Client calls one instance for one app. It can be used by many goroutines at once.
type Client struct {
	base     string
	origin   string // of base, as browsers write it
	key      string // or an access token; "" where it calls by cookie
	cookies  []*http.Cookie
	http     *http.Client
	attempts int
}

// defaultTimeout is longer than the longest answer of an instance: a start waits up to 5 s for its routes.
const defaultTimeout = 15 * time.Second

// New makes a client. It calls nobody.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("client: URL wants an address such as https://verify.example.com")
	}
	if cfg.Key == "" || strings.ContainsFunc(cfg.Key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("client: Key wants an API key of the app (sk_…)")
	}
	if cfg.Attempts < 0 {
		return nil, fmt.Errorf("client: Attempts is %d; it wants 1 or more, or 0 for the default", cfg.Attempts)
	}
	plain := http.Client{Timeout: defaultTimeout}
	if cfg.HTTP != nil {
		plain = *cfg.HTTP
	}
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), origin: u.Scheme + "://" + u.Host, key: cfg.Key, http: &plain, attempts: cmp.Or(cfg.Attempts, 3),
	}, nil
}

// As is the same client in the hands of a person who is logged in: its calls go by their access token, and those that
// take one take "" for it. So a person starts and checks a verification of purpose stepup of their own, User "me".
func (c *Client) As(accessToken string) *Client {
	d := *c
	d.key, d.cookies = accessToken, nil
	return &d
}

// WithCookies is the same client for a server behind the instance's own name, which calls with the session cookies that
// a browser has sent it: calls that take an access token take "" for it. The instance takes them for those of its own
// pages, so make sure first that the browser's request came from one (http.CrossOriginProtection), and that Config.URL
// is the instance's public address. What an answer sets anew is in Session.Cookies; send it on to the browser.
func (c *Client) WithCookies(cookies []*http.Cookie) *Client {
	d := *c
	d.key, d.cookies = "", sessionCookies(cookies)
	return &d
}

// sessionCookies are those of a list that carry a session.
func sessionCookies(all []*http.Cookie) (list []*http.Cookie) {
	for _, one := range all {
		if one.Name == "__Host-session" || one.Name == "__Host-refresh" {
			list = append(list, one)
		}
	}
	return list
}

// String names the instance and hides the key.
func (c *Client) String() string { return "countersign client of " + c.base }

// GoString hides the key from %#v.
func (c *Client) GoString() string { return c.String() }
