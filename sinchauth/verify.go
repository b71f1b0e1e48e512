package sinchauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// Window is how far a signed request's timestamp may be from now, either way. The vendor does not publish its own.
const Window = 5 * time.Minute

// Refusal says why a request is not believed. It is an error; its text is safe to tell the sender.
type Refusal string

// The refusals.
const (
	ErrMissing    Refusal = "the Authorization header is missing"
	ErrMalformed  Refusal = "the Authorization header is not of a known form"
	ErrTimestamp  Refusal = "the x-timestamp header is missing or not an ISO 8601 instant"
	ErrStale      Refusal = "the x-timestamp header is too far from now"
	ErrSignature  Refusal = "the signature does not match"
	ErrCredential Refusal = "the key or the secret is wrong"
	ErrReplayed   Refusal = "this signature was used before"
	ErrFull       Refusal = "too many signed requests at once"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Verifier verifies signed requests and callbacks.
type Verifier struct {
	// Lookup finds an application's secret by its key.
	Lookup func(key string) (Secret, bool)
	// Now is the clock that decides freshness.
	Now func() time.Time
	// Wall is a second clock by which a timestamp is fresh as well. For the sandbox, whose clock can be moved while its
	// callers' cannot; nil elsewhere.
	Wall func() time.Time
	// Replays remembers signatures; nil remembers none, for receivers whose effects can be repeated safely.
	Replays *Memory
	// Prefix is the part of the path that a proxy in front takes away and the sender signed. Usually "".
	Prefix string
}

// Identity is who sent a request, as far as it proved it.
type Identity struct {
	Key   string
	Level Level
}

// Verify believes a request with this raw body, or returns a Refusal. ErrReplayed comes with the identity: the
// signature is right, and was right before.
func (v *Verifier) Verify(r *http.Request, body []byte) (Identity, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return Identity{}, ErrMalformed
	}
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return Identity{}, err
	}
	secret, known := v.Lookup(a.Key)
	id := Identity{Key: a.Key, Level: a.Level}
	switch a.Level {
	case LevelPublic:
		if !known {
			return Identity{}, ErrCredential
		}
		return id, nil
	case LevelBasic:
		// An unknown key is compared as well, so that its answer takes as long.
		if !secret.equalText(a.secret) || !known {
			return Identity{}, ErrCredential
		}
		return id, nil
	}
	return v.application(r, body, a, secret, known)
}

func (v *Verifier) application(r *http.Request, body []byte, a authorization, secret Secret, known bool) (Identity, error) {
	stamps := r.Header.Values(timestampHeader)
	if len(stamps) != 1 {
		return Identity{}, ErrTimestamp
	}
	at, err := ParseTimestamp(stamps[0])
	if err != nil {
		return Identity{}, err
	}
	now := v.Now()
	if !fresh(at, now) && v.Wall != nil {
		now = v.Wall()
	}
	if !fresh(at, now) {
		return Identity{}, ErrStale
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return Identity{}, ErrSignature
	}
	parts := Parts{Method: r.Method, Body: body, ContentType: r.Header.Get("Content-Type"), Timestamp: stamps[0]}
	if !v.matches(r, parts, secret, a.signature) || !known {
		return Identity{}, ErrSignature
	}
	id := Identity{Key: a.Key, Level: LevelApplication}
	if v.Replays == nil {
		return id, nil
	}
	switch first, err := v.Replays.Add(a.Key, a.signature, at, now); {
	case err != nil:
		return Identity{}, err
	case !first:
		return id, ErrReplayed
	}
	return id, nil
}

func fresh(at, now time.Time) bool {
	d := now.Sub(at)
	return -Window <= d && d <= Window
}

// Forget makes the signature of a verified request good again, for a receiver that answers "later": the sender may
// repeat the very same bytes.
func (v *Verifier) Forget(r *http.Request) {
	a, err := parseAuthorization(r.Header.Get("Authorization"))
	at, notTime := ParseTimestamp(r.Header.Get(timestampHeader))
	if err == nil && notTime == nil && v.Replays != nil {
		v.Replays.Forget(a.Key, a.signature, at)
	}
}

// matches compares with the signature over each spelling of the path. All are computed, whichever matches.
func (v *Verifier) matches(r *http.Request, p Parts, secret Secret, given [sha256.Size]byte) bool {
	text := make([]byte, 0, 512)
	head := p.appendTo(text)
	ok := 0
	var sum [sha256.Size]byte
	for _, path := range paths(r) {
		text := append(append(head, v.Prefix...), path...)
		ok |= subtle.ConstantTimeCompare(sign(secret, text, sum[:0]), given[:])
	}
	return ok == 1
}

// paths lists the spellings of a request's path, without doubles: as sent, as escaped by the rules of RFC 3986, and
// decoded.
func paths(r *http.Request) []string {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	list := make([]string, 0, 3)
	for _, p := range [...]string{r.URL.EscapedPath(), r.URL.Path, raw} {
		if p == "" || p[0] != '/' {
			continue
		}
		double := false
		for _, have := range list {
			double = double || have == p
		}
		if !double {
			list = append(list, p)
		}
	}
	return list
}
