package proof_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"countersign"
	"countersign/client/proof"
	"countersign/signing"
)

const issuer = "https://verify.example.com"

var clock = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newRing(t testing.TB) (*signing.Ring, signing.Key) {
	t.Helper()
	key, err := signing.NewKey(clock.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ring := &signing.Ring{}
	if err := ring.Replace([]signing.Key{key}); err != nil {
		t.Fatal(err)
	}
	return ring, key
}

func honest() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": "shop", "sub": "ver_1", "jti": "j1", "iat": clock.Unix(), "exp": clock.Add(10 * time.Minute).Unix(),
		"nonce": "n", "phone_number": "+14155550123", "purpose": "login", "amr": []string{"otp", "sms"}, "reference": "order-17",
	}
}

// sign makes a proof of claims as an instance does.
func sign(t testing.TB, ring *signing.Ring, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signing.Signer{Ring: ring, Now: func() time.Time { return clock }}.Sign(countersign.ProofType, text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newVerifier(t testing.TB, ring *signing.Ring) *proof.Verifier {
	t.Helper()
	keys, err := proof.Fixed(ring.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	return &proof.Verifier{Issuer: issuer, App: "shop", Keys: keys, Now: func() time.Time { return clock }}
}

var login = proof.Want{Purpose: "login", Nonce: "n"}

func TestAnHonestProof(t *testing.T) {
	ring, _ := newRing(t)
	c, err := newVerifier(t, ring).Verify(t.Context(), sign(t, ring, honest()), login)
	if err != nil {
		t.Fatal(err)
	}
	if c.PhoneNumber != "+14155550123" || c.ID != "j1" || c.VerificationID != "ver_1" || c.Reference != "order-17" || len(c.AMR) != 2 {
		t.Errorf("the claims are %+v", c)
	}
	if want := clock.Add(11 * time.Minute); !c.Expires().Equal(want) {
		t.Errorf("it has to be remembered until %s, want %s", c.Expires(), want)
	}
}

func TestClaimsThatAreNotWanted(t *testing.T) {
	ring, _ := newRing(t)
	v := newVerifier(t, ring)
	for name, change := range map[string]func(map[string]any, *proof.Want){
		"another instance":       func(c map[string]any, _ *proof.Want) { c["iss"] = issuer + "/" },
		"another app":            func(c map[string]any, _ *proof.Want) { c["aud"] = "other" },
		"several apps":           func(c map[string]any, _ *proof.Want) { c["aud"] = []string{"shop", "other"} },
		"too late":               func(c map[string]any, _ *proof.Want) { c["exp"] = clock.Add(-time.Minute).Unix() },
		"without an end":         func(c map[string]any, _ *proof.Want) { delete(c, "exp") },
		"from the future":        func(c map[string]any, _ *proof.Want) { c["iat"] = clock.Add(2 * time.Minute).Unix() },
		"another purpose":        func(c map[string]any, _ *proof.Want) { c["purpose"] = "signup" },
		"no purpose":             func(c map[string]any, w *proof.Want) { delete(c, "purpose"); w.Purpose = "" },
		"another's nonce":        func(c map[string]any, _ *proof.Want) { c["nonce"] = "N" },
		"a nonce was left out":   func(c map[string]any, _ *proof.Want) { delete(c, "nonce") },
		"a nonce was not wanted": func(_ map[string]any, w *proof.Want) { w.Nonce = "" },
		"a test number":          func(c map[string]any, _ *proof.Want) { c["test"] = true },
		"nobody":                 func(c map[string]any, _ *proof.Want) { delete(c, "phone_number") },
		"no id":                  func(c map[string]any, _ *proof.Want) { delete(c, "jti") },
		"a transaction in a login": func(c map[string]any, _ *proof.Want) {
			c["txn"] = (&proof.Transaction{Payee: "X", Amount: "1", Currency: "EUR"}).Hash()
		},
		"a payment without its transaction": func(c map[string]any, w *proof.Want) {
			c["purpose"], w.Purpose = "transaction", "transaction"
		},
		"claims of another shape": func(c map[string]any, _ *proof.Want) { c["phone_number"] = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			claims, want := honest(), login
			change(claims, &want)
			if c, err := v.Verify(t.Context(), sign(t, ring, claims), want); !errors.Is(err, proof.ErrRefused) {
				t.Errorf("Verify = %+v, %v", c, err)
			}
		})
	}
}

// What would pass a verifier that only looks at claims and at whether a signature is right.
func TestForgedTokens(t *testing.T) {
	ring, _ := newRing(t)
	v := newVerifier(t, ring)
	other, strange := newRing(t)
	token := sign(t, ring, honest())
	parts := strings.Split(token, ".")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	kid := func(k *signing.Ring) string {
		var set struct{ Keys []struct{ Kid string } }
		if err := json.Unmarshal(k.JWKS(), &set); err != nil {
			t.Fatal(err)
		}
		return set.Keys[0].Kid
	}
	payload, err := json.Marshal(honest())
	if err != nil {
		t.Fatal(err)
	}
	signed := func(alg jose.SignatureAlgorithm, key any, options *jose.SignerOptions) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	typed := func(typ, id string) *jose.SignerOptions {
		return (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", id)
	}
	for name, text := range map[string]string{
		"nothing":                  "",
		"no token":                 "a.b.c",
		"two parts":                parts[0] + "." + parts[1],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"another's signature":      parts[0] + "." + parts[1] + "." + strings.Split(sign(t, other, honest()), ".")[2],
		"changed claims":           parts[0] + "." + header(strings.Replace(string(payload), "0123", "0124", 1)) + "." + parts[2],
		"alg none":                 header(`{"alg":"none","typ":"proof+jwt"}`) + "." + parts[1] + ".",
		"the public key as secret": signed(jose.HS256, ring.JWKS(), typed("proof+jwt", kid(ring))),
		"another instance's key":   sign(t, other, honest()),
		"the key in the header":    signed(jose.ES256, strange.Private, (&jose.SignerOptions{EmbedJWK: true}).WithType("proof+jwt").WithHeader("kid", kid(ring))),
		"another's key, our kid":   signed(jose.ES256, strange.Private, typed("proof+jwt", kid(ring))),
		"very long":                strings.Repeat("a", 17<<10),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := v.Verify(t.Context(), text, login); !errors.Is(err, proof.ErrRefused) {
				t.Errorf("Verify = %+v, %v", c, err)
			}
		})
	}
}

// A token of the same instance and key that is no proof: an access token must not pass.
func TestAnotherTypeIsNoProof(t *testing.T) {
	ring, key := newRing(t)
	for _, typ := range []string{"at+jwt", "JWT", "", "proof+JWT"} {
		options := (&jose.SignerOptions{}).WithHeader("kid", key.ID)
		if typ != "" {
			options = options.WithType(jose.ContentType(typ))
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key.Private}, options)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(honest())
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newVerifier(t, ring).Verify(t.Context(), text, login); !errors.Is(err, proof.ErrRefused) {
			t.Errorf("typ %q: %v", typ, err)
		}
	}
}

func TestATransactionIsTheOneThatIsCarriedOut(t *testing.T) {
	ring, _ := newRing(t)
	v := newVerifier(t, ring)
	shown := proof.Transaction{Payee: "ACME \"AB\" \\ \n Å😀", Amount: "49.90", Currency: "EUR"}
	engine := countersign.Transaction{Payee: shown.Payee, Amount: shown.Amount, Currency: shown.Currency}
	claims := honest()
	claims["purpose"] = "transaction"
	claims["txn"] = base64.RawURLEncoding.EncodeToString(engine.Hash())
	token := sign(t, ring, claims)
	want := proof.Want{Purpose: "transaction", Nonce: "n", Transaction: &shown}
	if _, err := v.Verify(t.Context(), token, want); err != nil {
		t.Error(err)
	}
	for _, other := range []proof.Transaction{
		{Payee: shown.Payee, Amount: "499.0", Currency: "EUR"},
		{Payee: shown.Payee, Amount: "49.9", Currency: "EUR"},
		{Payee: "ACME AB", Amount: "49.90", Currency: "EUR"},
		{Payee: shown.Payee, Amount: "49.90", Currency: "USD"},
		{},
	} {
		want.Transaction = &other
		if _, err := v.Verify(t.Context(), token, want); !errors.Is(err, proof.ErrRefused) {
			t.Errorf("%+v passed: %v", other, err)
		}
	}
}

// instance serves keys, and counts how often it is asked.
type instance struct {
	ring  atomic.Pointer[signing.Ring]
	asked atomic.Int32
	away  atomic.Bool
}

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.asked.Add(1)
	if i.away.Load() || r.URL.Path != "/.well-known/jwks.json" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(i.ring.Load().JWKS())
}

func TestKeysAreFetchedWhenNeeded(t *testing.T) {
	ring, _ := newRing(t)
	there := &instance{}
	there.ring.Store(ring)
	server := httptest.NewServer(there)
	defer server.Close()
	now := clock
	keys := proof.NewKeys(server.URL + "/")
	keys.Now = func() time.Time { return now }
	v := &proof.Verifier{Issuer: issuer, App: "shop", Keys: keys, Now: func() time.Time { return clock }}
	verify := func(r *signing.Ring) error {
		_, err := v.Verify(t.Context(), sign(t, r, honest()), login)
		return err
	}
	asked := func(want int32) {
		t.Helper()
		if got := there.asked.Swap(0); got != want {
			t.Errorf("the instance was asked %d times, want %d", got, want)
		}
	}
	for range 3 {
		if err := verify(ring); err != nil {
			t.Fatal(err)
		}
	}
	asked(1)

	next, _ := newRing(t) // a rotation: an unknown kid asks again, but not all the time
	for range 5 {
		if err := verify(next); !errors.Is(err, proof.ErrRefused) {
			t.Fatal(err)
		}
	}
	asked(0)
	now = now.Add(11 * time.Second)
	there.ring.Store(next)
	if err := verify(next); err != nil {
		t.Fatal(err)
	}
	if err := verify(ring); !errors.Is(err, proof.ErrRefused) {
		t.Errorf("a key that is gone passed: %v", err)
	}
	asked(1)

	there.away.Store(true)
	now = now.Add(30 * time.Minute)
	if err := verify(next); err != nil {
		t.Errorf("half an hour without the instance: %v", err)
	}
	asked(1)
	if err := verify(ring); err == nil {
		t.Error("an unknown key passed")
	}
	now = now.Add(31 * time.Minute)
	if err := verify(next); err == nil || errors.Is(err, proof.ErrRefused) {
		t.Errorf("an hour without the instance: %v; want an error that is no refusal", err)
	}
	there.away.Store(false)
	now = now.Add(11 * time.Second)
	if err := verify(next); err != nil {
		t.Errorf("the instance is back: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now = now.Add(2 * time.Hour)
	if _, err := v.Verify(ctx, sign(t, next, honest()), login); err == nil || errors.Is(err, proof.ErrRefused) {
		t.Errorf("a caller who left: %v", err)
	}
	if err := verify(next); err != nil {
		t.Errorf("after a caller who left: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	ring, _ := newRing(f)
	v := newVerifier(f, ring)
	token := sign(f, ring, honest())
	f.Add(token)
	f.Add("eyJhbGciOiJub25lIn0..")
	f.Fuzz(func(t *testing.T, text string) {
		// Base64 can be written in more than one way; what was signed cannot.
		if c, err := v.Verify(t.Context(), text, login); err == nil && c.ID != "j1" {
			t.Errorf("%q passed", text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	ring, _ := newRing(b)
	v := newVerifier(b, ring)
	token := sign(b, ring, honest())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token, login); err != nil {
			b.Fatal(err)
		}
	}
}
