package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"countersign"
)

// joseHeader is what an attacker writes into a token's header.
type joseHeader struct {
	Alg string `json:"alg"`
	Kid string `json:"kid,omitempty"`
	Typ string `json:"typ"`
	JWK *ecKey `json:"jwk,omitempty"`
	JKU string `json:"jku,omitempty"`
}

// ecKey is a public key as a JWK.
type ecKey struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

func ecKeyOf(t *testing.T, k *ecdsa.PublicKey) *ecKey {
	t.Helper()
	point, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return &ecKey{"EC", "P-256", b64(point[1:33]), b64(point[33:])}
}

func (k *ecKey) public(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	x, err1 := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err1 != nil || err2 != nil || err != nil {
		t.Fatal(err1, err2, err)
	}
	return public
}

// unsigned is a token's first two parts.
func unsigned(t *testing.T, h joseHeader, claims string) string {
	t.Helper()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b) + "." + claims
}

func withHMAC(text string, secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, text)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func withKey(t *testing.T, text string, key *ecdsa.PrivateKey) string {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// naiveTakes is a verifier that goes by a token's own header: its algorithm, and its key where it brings one. Of the key that
// it knows it takes any spelling for an HMAC's secret.
func naiveTakes(t *testing.T, token string, known *ecdsa.PublicKey, spellings map[string][]byte) bool {
	t.Helper()
	parts := strings.Split(token, ".")
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	var h joseHeader
	if err != nil || json.Unmarshal(head, &h) != nil {
		t.Fatalf("a token of no shape: %s", token)
	}
	text := parts[0] + "." + parts[1]
	switch {
	case strings.EqualFold(h.Alg, "none"):
		return true
	case h.Alg == "HS256":
		for _, secret := range spellings {
			if withHMAC(text, secret) == token {
				return true
			}
		}
		return false
	case h.JWK != nil:
		known = h.JWK.public(t)
	case h.JKU != "":
		res, err := http.Get(h.JKU)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var set struct{ Keys []*ecKey }
		if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
			t.Fatal(err)
		}
		known = set.Keys[0].public(t)
	}
	digest := sha256.Sum256([]byte(text))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	return err == nil && len(signature) == 64 &&
		ecdsa.Verify(known, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// B19: the claims of a good token under a header of the attacker's: no algorithm, an HMAC keyed with the public key, a key of
// their own in the header or behind an address in it. None is taken, for an access token nor for a proof, and no address is
// asked. The control is a verifier that goes by the header: it takes every one.
func TestAlgConfusion(t *testing.T) {
	w := newWhole(t)
	var set struct{ Keys []*ecKey }
	if err := json.Unmarshal(w.signer.Ring.JWKS(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatal(len(set.Keys), err)
	}
	known := set.Keys[0].public(t)
	der, err := x509.MarshalPKIXPublicKey(known)
	if err != nil {
		t.Fatal(err)
	}
	point, err := known.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	spellings := map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "the point": point, "x and y": point[1:], "x": []byte(set.Keys[0].X),
		"the JWK set": w.signer.Ring.JWKS(), "nothing": nil,
	}
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var fetched atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_ = json.NewEncoder(rw).Encode(map[string]any{"keys": []*ecKey{ecKeyOf(t, &attacker.PublicKey)}})
	}))
	defer elsewhere.Close()

	access, proof := text(w.login(number), "access_token"), w.proof(secondNumber, "")
	for typ, good := range map[string]string{countersign.AccessType: access, countersign.ProofType: proof} {
		claims, kid := strings.Split(good, ".")[1], w.kid(good)
		forged := map[string]string{
			"jwk": withKey(t, unsigned(t, joseHeader{Alg: "ES256", Kid: kid, Typ: typ, JWK: ecKeyOf(t, &attacker.PublicKey)}, claims), attacker),
			"jku": withKey(t, unsigned(t, joseHeader{Alg: "ES256", Kid: kid, Typ: typ, JKU: elsewhere.URL}, claims), attacker),
		}
		for _, alg := range []string{"none", "None", "NONE", "nOnE"} {
			forged[alg] = unsigned(t, joseHeader{Alg: alg, Kid: kid, Typ: typ}, claims) + "."
		}
		for name, secret := range spellings {
			forged["HS256 with "+name] = withHMAC(unsigned(t, joseHeader{Alg: "HS256", Kid: kid, Typ: typ}, claims), secret)
		}
		for name, token := range forged {
			if _, ok := w.signer.Ring.Read(typ, token); ok {
				t.Errorf("%s, %s: it is taken", typ, name)
			}
			if typ == countersign.AccessType {
				w.ask("GET", "/v1/me", "", as(token)).want(401, "unauthorized")
			} else {
				w.ask("POST", "/v1/sessions", fmt.Sprintf(`{"proof":%q}`, token), as(secret)).want(400, "invalid_request")
			}
		}
		if n := fetched.Load(); n != 0 {
			t.Errorf("%s: an address in a header was asked %d times", typ, n)
		}
		for name, token := range forged {
			if !naiveTakes(t, token, known, spellings) {
				t.Errorf("control: %s, %s: a verifier that goes by the header refuses it too", typ, name)
			}
		}
		if !naiveTakes(t, good, known, spellings) {
			t.Errorf("control: %s: the good token", typ)
		}
		fetched.Store(0)
	}
	// The controls: what was forged after is good itself.
	w.ask("GET", "/v1/me", "", as(access)).want(200, "")
	w.ask("POST", "/v1/sessions", fmt.Sprintf(`{"proof":%q}`, proof), as(secret)).want(201, "")
}
