package countersign

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// This file makes and reads the tokens of a session.
//
// An access token is a JWT (RFC 9068) that names user and session and nobody's number. A refresh token is opaque:
// the session's id, a part that all tokens of the session share, and a part that changes with each rotation. By the
// shared part a stranger who knows a session's id cannot end it; by the changing part an old token is known from the
// current one. The store has hashes of both only.

// AccessType is the `typ` header of an access token (RFC 9068, 2.1).
const AccessType = "at+jwt"

// clockSkew is how far in the future an `iat` may be. Nothing is added to an `exp`.
const clockSkew = 60 * time.Second

// maxToken bounds what is parsed as a JWT.
const maxToken = 4096

// TokenReader reads JWTs of this instance.
type TokenReader interface {
	// Read returns the claims of a JWT that a published key of the instance signed with this `typ`; false for all else.
	// It judges no claim.
	Read(typ, token string) (claims []byte, ok bool)
}

// accessClaims are those of an access token.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Subject  string   `json:"sub"`
	Client   string   `json:"client_id"` // the app
	Session  string   `json:"sid"`
	ID       string   `json:"jti"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	AuthTime int64    `json:"auth_time"`
	AMR      []string `json:"amr"`
	ACR      string   `json:"acr"`
}

// accessToken signs what a session is good for now. It never outlives the session.
func (a *Accounts) accessToken(r *SessionRecord) (string, time.Duration, error) {
	now := a.cfg.Now()
	expires := now.Add(AccessLifetime)
	if expires.After(r.Expires) {
		expires = r.Expires
	}
	means := r.means(now)
	claims, err := json.Marshal(accessClaims{
		Issuer: a.cfg.Issuer, Audience: a.cfg.Issuer, Subject: r.User, Client: r.App, Session: r.ID, ID: newID("tok_"),
		IssuedAt: now.Unix(), Expires: expires.Unix(), AuthTime: r.AuthTime.Unix(), AMR: means, ACR: ACR(means),
	})
	if err != nil {
		return "", 0, fmt.Errorf("encoding an access token: %w", err)
	}
	token, err := a.cfg.Signer.Sign(AccessType, claims)
	if err != nil {
		return "", 0, fmt.Errorf("signing an access token: %w", err)
	}
	return token, expires.Sub(now), nil
}

// accessClaims reads an access token; false for anything that is not a valid one of this instance now.
func (a *Accounts) accessClaims(token string) (*accessClaims, bool) {
	c := new(accessClaims)
	if !a.read(AccessType, token, c) {
		return nil, false
	}
	ok := c.Issuer == a.cfg.Issuer && c.Audience == a.cfg.Issuer && a.timely(c.IssuedAt, c.Expires) &&
		ValidUserID(c.Subject) && ValidSessionID(c.Session)
	return c, ok
}

func (a *Accounts) read(typ, token string, into any) bool {
	if len(token) > maxToken {
		return false
	}
	claims, ok := a.cfg.Reader.Read(typ, token)
	return ok && json.Unmarshal(claims, into) == nil
}

// timely says whether a statement holds now. A time that is missing is zero and long over.
func (a *Accounts) timely(issued, expires int64) bool {
	now := a.cfg.Now()
	return issued > 0 && issued <= now.Add(clockSkew).Unix() && now.Unix() < expires
}

// proofClaims reads a proof of an app; false for anything that is not a valid one now.
func (a *Accounts) proofClaims(app *App, token string) (*ProofClaims, bool) {
	c := new(ProofClaims)
	if !a.read(ProofType, token, c) {
		return nil, false
	}
	return c, c.Issuer == a.cfg.Issuer && c.Audience == app.ID && c.ID != "" && a.timely(c.IssuedAt, c.Expires)
}

// refreshToken is session id, family and turn, 16 bytes each.
type refreshToken [48]byte

const refreshPrefix = "rft_"

func newRefreshToken() refreshToken {
	var t refreshToken
	rand.Read(t[:]) // never fails (crypto/rand, since Go 1.24)
	return t
}

func parseRefreshToken(text string) (t refreshToken, ok bool) {
	body, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(len(t)) {
		return t, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(t[:], []byte(body))
	return t, err == nil && n == len(t)
}

func (t refreshToken) text() string {
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(t[:])
}

// String hides the token.
func (t refreshToken) String() string { return "(refresh token)" }

// GoString hides the token from %#v.
func (t refreshToken) GoString() string { return t.String() }

func (t refreshToken) session() string { return sessionPrefix + base32Lower.EncodeToString(t[:16]) }

func (t refreshToken) familyHash() []byte {
	sum := sha256.Sum256(t[:32])
	return sum[:]
}

func (t refreshToken) hash() []byte {
	sum := sha256.Sum256(t[:])
	return sum[:]
}

// next is the token that takes this one's place.
func (t refreshToken) next() refreshToken {
	fresh := newRefreshToken()
	copy(fresh[:32], t[:32])
	return fresh
}
