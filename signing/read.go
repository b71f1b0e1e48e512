package signing

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file reads the instance's own JWTs. It knows one algorithm and takes nothing from the token but the key's name:
// a header with any member beyond alg, kid and typ is refused, so that no `jwk`, `jku`, `crit` or `zip` is ever looked at
// (RFC 8725, 3.1, 3.2 and 3.10).

// maxToken bounds a token before anything of it is parsed.
const maxToken = 4096

// header is all that a JOSE header of ours has.
type header struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Type      string `json:"typ"`
}

// Read implements countersign.TokenReader.
func (r *Ring) Read(typ, token string) ([]byte, bool) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return nil, false
	}
	signed, signature, _ := cutLast(token)
	head, body, _ := strings.Cut(signed, ".")
	k, ok := r.named(typ, head)
	if !ok {
		return nil, false
	}
	var rs [64]byte
	if len(signature) != base64.RawURLEncoding.EncodedLen(len(rs)) {
		return nil, false
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(rs[:], []byte(signature)); err != nil {
		return nil, false
	}
	digest := sha256.Sum256([]byte(signed))
	if !ecdsa.Verify(&k.Private.PublicKey, digest[:], new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])) {
		return nil, false
	}
	claims, err := base64.RawURLEncoding.Strict().DecodeString(body)
	return claims, err == nil && jsontext.Value(claims).IsValid()
}

// named is the published key that a header names, where the header is one of this instance's.
func (r *Ring) named(typ, encoded string) (prepared, bool) {
	plain, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return prepared{}, false
	}
	var h header
	if err := json.Unmarshal(plain, &h, json.RejectUnknownMembers(true)); err != nil {
		return prepared{}, false
	}
	if h.Algorithm != "ES256" || h.Type != typ || typ == "" {
		return prepared{}, false
	}
	for _, k := range r.state.Load().keys {
		if k.ID == h.Key {
			return k, true
		}
	}
	return prepared{}, false
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
