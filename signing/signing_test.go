package signing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"countersign/signing"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, activates time.Time) signing.Key {
	t.Helper()
	k, err := signing.NewKey(activates)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// verify checks a token as somebody else's program would: with a JOSE library and the published keys alone.
func verify(t testing.TB, ring *signing.Ring, token string) (payload []byte, kid string) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(ring.JWKS()), `"d"`) {
		t.Fatal("the published keys hold a private half")
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	kid = parsed.Signatures[0].Header.KeyID
	payload, err = parsed.Verify(set.Key(kid)[0])
	if err != nil {
		t.Fatal(err)
	}
	return payload, kid
}

func TestSignedTokensVerifyElsewhere(t *testing.T) {
	ring, err := signing.NewRing([]signing.Key{newKey(t, start)})
	if err != nil {
		t.Fatal(err)
	}
	s := signing.Signer{Ring: ring, Now: func() time.Time { return start }}
	for n := range 1000 { // R and S begin with a zero byte one time in 256 each
		claims := fmt.Sprintf(`{"sub":"ver_%d"}`, n)
		token, err := s.Sign("proof+jwt", []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		if payload, _ := verify(t, ring, token); string(payload) != claims {
			t.Fatalf("payload = %s, want %s", payload, claims)
		}
		if again, err := s.Sign("proof+jwt", []byte(claims)); err != nil || again != token {
			t.Fatalf("the same claims are %s now, %v; they were %s", again, err, token)
		}
	}
}

func TestUnknownTypeIsRefused(t *testing.T) {
	ring, err := signing.NewRing([]signing.Key{newKey(t, start)})
	if err != nil {
		t.Fatal(err)
	}
	s := signing.Signer{Ring: ring, Now: func() time.Time { return start }}
	if token, err := s.Sign("none", nil); err == nil {
		t.Fatalf("signed a token of an unknown type: %s", token)
	}
}

func TestRotationPublishesBeforeItSigns(t *testing.T) {
	old, fresh := newKey(t, start), newKey(t, start.Add(time.Minute))
	ring, err := signing.NewRing([]signing.Key{old, fresh})
	if err != nil {
		t.Fatal(err)
	}
	now := start
	s := signing.Signer{Ring: ring, Now: func() time.Time { return now }}
	for _, c := range []struct {
		name string
		at   time.Duration
		want string
	}{
		{"before the new key is active", 59 * time.Second, old.ID},
		{"after", time.Minute, fresh.ID},
	} {
		now = start.Add(c.at)
		token, err := s.Sign("JWT", []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, kid := verify(t, ring, token); kid != c.want {
			t.Errorf("%s: signed with %s, want %s", c.name, kid, c.want)
		}
	}
}

func TestKeysSurviveStorage(t *testing.T) {
	k := newKey(t, start)
	der, err := k.PKCS8()
	if err != nil {
		t.Fatal(err)
	}
	again, err := signing.ParseKey(der, start)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != k.ID || !again.Private.Equal(k.Private) {
		t.Error("the key changed in storage")
	}
}

func BenchmarkSign(b *testing.B) {
	ring, err := signing.NewRing([]signing.Key{newKey(b, start)})
	if err != nil {
		b.Fatal(err)
	}
	s := signing.Signer{Ring: ring, Now: func() time.Time { return start }}
	claims := []byte(`{"iss":"https://verify.example.com","aud":"demo","sub":"ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa"}`)
	for b.Loop() {
		if _, err := s.Sign("proof+jwt", claims); err != nil {
			b.Fatal(err)
		}
	}
}
