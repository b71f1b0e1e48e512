package httpapi

// This file lets browsers of an app's own sites call the API with a publishable key. Origins are compared whole;
// there are no wildcards, no credentials and no CORS for secret keys, which have no business in a browser.

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"countersign"
)

var varyOrigin = []string{"Origin"}

const (
	corsRequestHeaders = "Authorization, Content-Type, Idempotency-Key"
	corsExposed        = "Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, Idempotent-Replayed"
	corsMaxAge         = "600"
)

// checkOrigin refuses a publishable key from a foreign page. It stops other sites' browsers and nobody else, since
// any program can write any Origin: limits and guard do not rely on it.
func (c *call) checkOrigin() error {
	origin, given := c.requestOrigin()
	switch {
	case !given && c.app.Native:
		return nil
	case !given:
		return countersign.Fail(countersign.ErrForbidden, "A publishable key is used from a page of the app's allowed origins. For an app without pages set `native: true`.")
	case origin != c.s.origin && !slices.Contains(c.app.Origins, origin):
		return countersign.Fail(countersign.ErrForbidden, "This origin is not one of the app's allowed origins.")
	}
	c.exposeTo(origin)
	return nil
}

// requestOrigin is the header Origin; more than one is none that any app allows.
func (c *call) requestOrigin() (string, bool) {
	values := c.r.Header["Origin"]
	if len(values) == 1 {
		return values[0], true
	}
	return "", len(values) > 1
}

// allowOrigin lets a page read the answer if its origin is that of any app: before the app is known.
func (c *call) allowOrigin() bool {
	origin, given := c.requestOrigin()
	if !given || !c.s.origins[origin] {
		return false
	}
	c.exposeTo(origin)
	return true
}

func (c *call) exposeTo(origin string) {
	h := c.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

// preflight answers OPTIONS. A preflight carries no key, so any app's origin is good enough: the request itself is
// judged by its key's app.
func (c *call) preflight(allow string) {
	h := c.Header()
	h.Set("Allow", allow)
	if strings.HasPrefix(c.r.URL.Path, "/v1/") && c.r.Header.Get("Access-Control-Request-Method") != "" {
		h["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
		if c.allowOrigin() {
			h.Set("Access-Control-Allow-Methods", allow)
			h.Set("Access-Control-Allow-Headers", corsRequestHeaders)
			h.Set("Access-Control-Max-Age", corsMaxAge)
		}
	}
	c.WriteHeader(http.StatusNoContent)
}

// exactOrigin says whether a configured origin is written as a browser writes it (RFC 6454, section 6.2): scheme and
// host in lower case, a port only where it is not the scheme's own, nothing after it.
func exactOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Scheme+"://"+u.Host != s || strings.ToLower(s) != s {
		return false
	}
	return !(u.Scheme == "https" && u.Port() == "443") && !(u.Scheme == "http" && u.Port() == "80")
}
