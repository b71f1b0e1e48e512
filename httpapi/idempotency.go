package httpapi

import (
	"net/netip"

	"countersign"
)

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// idempotency reads the header Idempotency-Key. Its scope is the app, the route with the verification in its path, with a
// publishable key the client's address, and with a session its user: strangers who choose the same key must not share
// answers. Call it after decode.
func (c *call) idempotency(path string) (countersign.Idempotency, error) {
	values, given := c.r.Header["Idempotency-Key"]
	if !given {
		return countersign.Idempotency{}, nil
	}
	if len(values) != 1 || !validIdempotencyKey(values[0]) {
		return countersign.Idempotency{}, countersign.Fail(countersign.ErrInvalidRequest, "Idempotency-Key is 1 to 255 visible ASCII characters, once.")
	}
	who := netip.Addr{}.String()
	switch {
	case c.session != nil:
		who = c.session.User
	case !c.key.Secret:
		who = c.client.String()
	}
	return countersign.Idempotency{Key: values[0], Scope: c.app.ID + " " + path + " " + who, Body: c.body}, nil
}

func validIdempotencyKey(key string) bool {
	if key == "" || len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return false
		}
	}
	return true
}

// replayed marks an answer that was given before.
func (c *call) replayed(v *countersign.Verification) {
	if v.Replayed {
		c.Header().Set("Idempotent-Replayed", "true")
	}
}
