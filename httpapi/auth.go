package httpapi

import (
	"net/http"
	"strings"

	"countersign"
)

// authenticate finds the key's app and refuses keys that may not. Every wrong credential gets the same answer after
// the same look-up.
func (c *call) authenticate(need access) error {
	token, _ := bearer(c.r.Header)
	key, ok := c.s.cfg.Keys.FindKey(token)
	if ok {
		c.app, ok = c.s.apps[key.App]
	}
	if !ok || keyInQuery(c.r) {
		c.app = nil
		c.Header()["Vary"] = varyOrigin
		c.allowOrigin()
		return countersign.Fail(countersign.ErrUnauthorized, "Send a key of your app in the header Authorization, as `Bearer sk_…`. Keys are not taken from anywhere else.")
	}
	c.key = key
	if key.Secret {
		return nil // with the same answer to every origin: no browser has this key
	}
	c.Header()["Vary"] = varyOrigin
	if err := c.checkOrigin(); err != nil {
		return err
	}
	if need == secretKey {
		return countersign.Fail(countersign.ErrForbidden, "This needs a secret key, from a server.")
	}
	return nil
}

// keyInQuery says whether a key was put into the address, where logs and histories keep it. The request is refused
// although it may have a valid key as well, so that nobody ships it.
func keyInQuery(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "k_") {
		return false
	}
	for _, values := range r.URL.Query() {
		for _, v := range values {
			if strings.HasPrefix(v, "sk_") || strings.HasPrefix(v, "pk_") {
				return true
			}
		}
	}
	return false
}

// byPerson says whether a request comes with a session rather than with a key: a JWT, or no header and the cookie.
func (c *call) byPerson() bool {
	token, given := bearer(c.r.Header)
	if given {
		return strings.Count(token, ".") == 2 // no key has a dot
	}
	_, cookie := c.sessionCookie()
	return cookie
}

// maxToken bounds what is looked up as a key, or read as an access token.
const maxToken = 4096

// bearer is the bearer token of the header Authorization, and whether there is such a header at all. A header that is not
// exactly one bearer token is the empty token, which nobody has.
func bearer(h http.Header) (token string, given bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) != 1 || !strings.EqualFold(scheme, "bearer") || len(token) > maxToken {
		return "", true
	}
	return strings.TrimSpace(token), true
}
