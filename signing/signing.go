// Package signing holds the instance's signing keys: it makes JWTs with the current one and publishes the public
// half of all as a JWK set (RFC 7517). Keys are ECDSA on P-256 (ES256, RFC 7518 section 3.4).
package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"countersign"
)

// Key is one signing key.
type Key struct {
	ID        string // the `kid`: the key's RFC 7638 thumbprint
	Private   *ecdsa.PrivateKey
	Activates time.Time
	Retired   time.Time // zero while in use; a retired key is published until what it signed has expired
}

// NewKey draws a key.
func NewKey(activates time.Time) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("drawing a signing key: %w", err)
	}
	return newKey(private, activates)
}

func newKey(private *ecdsa.PrivateKey, activates time.Time) (Key, error) {
	jwk := jose.JSONWebKey{Key: private.Public()}
	print, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("naming a signing key: %w", err)
	}
	return Key{ID: base64.RawURLEncoding.EncodeToString(print), Private: private, Activates: activates}, nil
}

// ParseKey reads a key from PKCS #8 DER.
func ParseKey(der []byte, activates time.Time) (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return Key{}, fmt.Errorf("reading a signing key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return Key{}, errors.New("reading a signing key: not an ECDSA key on P-256")
	}
	return newKey(private, activates)
}

// PKCS8 is the private key in DER, for sealed storage.
func (k Key) PKCS8() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("encoding a signing key: %w", err)
	}
	return der, nil
}

// String names the key and hides the private half.
func (k Key) String() string { return "signing key " + k.ID }

// GoString hides the private half from %#v.
func (k Key) GoString() string { return k.String() }

// Ring is the instance's signing keys. It can be replaced while in use.
type Ring struct {
	state atomic.Pointer[state]
}

type state struct {
	keys []prepared
	jwks []byte
}

type prepared struct {
	Key
	headers map[string]string // by typ: the encoded JOSE header
}

// types lists the `typ` values that this instance signs; their headers are encoded once.
var types = [...]string{countersign.ProofType, countersign.AccessType, "JWT"}

// NewRing makes a ring of keys.
func NewRing(keys []Key) (*Ring, error) {
	r := &Ring{}
	if err := r.Replace(keys); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace takes a new set of keys: after a rotation, on every node.
func (r *Ring) Replace(keys []Key) error {
	if len(keys) == 0 {
		return errors.New("the signing ring has no key")
	}
	s := &state{}
	var set jose.JSONWebKeySet
	for _, k := range keys {
		p := prepared{Key: k, headers: make(map[string]string, len(types))}
		for _, typ := range types {
			header, err := json.Marshal(map[string]string{"alg": string(jose.ES256), "kid": k.ID, "typ": typ})
			if err != nil {
				return fmt.Errorf("encoding a JOSE header: %w", err)
			}
			p.headers[typ] = base64.RawURLEncoding.EncodeToString(header) + "."
		}
		s.keys = append(s.keys, p)
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	var err error
	if s.jwks, err = json.Marshal(set); err != nil {
		return fmt.Errorf("encoding the JWK set: %w", err)
	}
	r.state.Store(s)
	return nil
}

// JWKS is the public JWK set as JSON. The caller must not change it.
func (r *Ring) JWKS() []byte { return r.state.Load().jwks }

// current is the newest key that is active: a fresh one is published for a while before it signs, so that every
// cache of the JWK set knows it by then.
func (r *Ring) current(now time.Time) (prepared, error) {
	var best *prepared
	s := r.state.Load()
	for i := range s.keys {
		k := &s.keys[i]
		usable := !k.Activates.After(now) && (k.Retired.IsZero() || k.Retired.After(now))
		if usable && (best == nil || k.Activates.After(best.Activates)) {
			best = k
		}
	}
	if best != nil {
		return *best, nil
	}
	// The store's clock stands before the first key: that one is published already, and no approval may be lost for a
	// clock that is wrong.
	for i := range s.keys {
		k := &s.keys[i]
		if k.Activates.After(now) && (best == nil || k.Activates.Before(best.Activates)) {
			best = k
		}
	}
	if best == nil {
		return prepared{}, errors.New("the signing ring has no active key")
	}
	return *best, nil
}

// Signer signs with the ring's current key by a clock.
type Signer struct {
	Ring *Ring
	Now  func() time.Time
}

// Sign implements countersign.Signer: a JWS in compact form (RFC 7515, 7.1) over claims that are JSON already.
//
// The signature is made here and not by the JOSE library because it is a third of a check's cost and the library
// adds as much again in reflection and allocation. The tests verify with the library.
func (s Signer) Sign(typ string, claims []byte) (string, error) {
	k, err := s.Ring.current(s.Now())
	if err != nil {
		return "", err
	}
	header, ok := k.headers[typ]
	if !ok {
		return "", fmt.Errorf("signing: %q is not a type of token that this instance makes", typ)
	}
	size := len(header) + base64.RawURLEncoding.EncodedLen(len(claims))
	token := make([]byte, size, size+1+base64.RawURLEncoding.EncodedLen(2*32))
	copy(token, header)
	base64.RawURLEncoding.Encode(token[len(header):], claims)
	digest := sha256.Sum256(token)
	signature, err := sign(k.Private, &digest)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, signature[:])), nil
}

// sign makes R and S, 32 bytes each (RFC 7518, 3.4), by the deterministic scheme of RFC 6979: a repeated answer carries the
// very same token, no random draw can give a key away, and it costs a fifth less than the hedged scheme.
func sign(private *ecdsa.PrivateKey, digest *[sha256.Size]byte) (signature [64]byte, err error) {
	der, err := private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return signature, err
	}
	var pair cryptobyte.String
	var r, s []byte
	text := cryptobyte.String(der)
	if !text.ReadASN1(&pair, asn1.SEQUENCE) || !pair.ReadASN1Integer(&r) || !pair.ReadASN1Integer(&s) || len(r) > 32 || len(s) > 32 {
		return signature, errors.New("the signature is not two numbers of P-256")
	}
	copy(signature[32-len(r):32], r)
	copy(signature[64-len(s):], s)
	return signature, nil
}

// Current is the key that signs at an instant, for libraries that sign themselves.
func (r *Ring) Current(now time.Time) (Key, error) {
	k, err := r.current(now)
	return k.Key, err
}
