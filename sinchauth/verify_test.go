package sinchauth_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign/sinchauth"
)

var noon = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func verifierAt(t testing.TB, now time.Time, secret string) *sinchauth.Verifier {
	s := mustSecret(t, secret)
	return &sinchauth.Verifier{
		Lookup: func(key string) (sinchauth.Secret, bool) {
			if key == dummyKey {
				return s, true
			}
			return sinchauth.Secret{}, false
		},
		Now: func() time.Time { return now },
	}
}

// request makes a server's view of a signed request, with the target exactly as on the request line.
func (v vector) request(scheme string) *http.Request {
	r := httptest.NewRequest(v.method, v.path, strings.NewReader(v.body))
	if v.contentType != "" {
		r.Header.Set("Content-Type", v.contentType)
	}
	r.Header.Set("x-timestamp", v.timestamp)
	r.Header.Set("Authorization", scheme+" "+dummyKey+":"+v.signature)
	return r
}

func TestVerifyVectors(t *testing.T) {
	for _, v := range vectors {
		for _, scheme := range []string{"Application", "application"} {
			t.Run(v.name+" "+scheme, func(t *testing.T) {
				at, err := sinchauth.ParseTimestamp(v.timestamp)
				if err != nil {
					t.Fatal(err)
				}
				id, err := verifierAt(t, at, v.secret).Verify(v.request(scheme), []byte(v.body))
				if err != nil || id.Level != sinchauth.LevelApplication || id.Key != dummyKey {
					t.Errorf("Verify = %v, %v", id, err)
				}
			})
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	v := vectors[5]
	type change func(r *http.Request, body *[]byte)
	header := func(name, value string) change {
		return func(r *http.Request, _ *[]byte) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		change change
		now    time.Time
		want   error
	}{
		{"nothing changed", func(*http.Request, *[]byte) {}, noon, nil},
		{"no authorization", header("Authorization", ""), noon, sinchauth.ErrMissing},
		{"two authorizations", func(r *http.Request, _ *[]byte) { r.Header.Add("Authorization", "Basic eA==") }, noon, sinchauth.ErrMalformed},
		{"empty signature", header("Authorization", "Application "+dummyKey+":"), noon, sinchauth.ErrMalformed},
		{"bearer", header("Authorization", "Bearer abc"), noon, sinchauth.ErrMalformed},
		{"body changed by one byte", func(_ *http.Request, b *[]byte) { (*b)[0] = ' ' }, noon, sinchauth.ErrSignature},
		{"body gone", func(_ *http.Request, b *[]byte) { *b = nil }, noon, sinchauth.ErrSignature},
		{"other content type", header("Content-Type", "text/plain"), noon, sinchauth.ErrSignature},
		{"content type gone", func(r *http.Request, _ *[]byte) { r.Header.Del("Content-Type") }, noon, sinchauth.ErrSignature},
		{"two content types", func(r *http.Request, _ *[]byte) { r.Header.Add("Content-Type", "text/plain") }, noon, sinchauth.ErrSignature},
		{"other method", func(r *http.Request, _ *[]byte) { r.Method = "PUT" }, noon, sinchauth.ErrSignature},
		{"other path", func(r *http.Request, _ *[]byte) { r.URL.Path += "/"; r.RequestURI += "/" }, noon, sinchauth.ErrSignature},
		{"timestamp gone", func(r *http.Request, _ *[]byte) { r.Header.Del("x-timestamp") }, noon, sinchauth.ErrTimestamp},
		{"two timestamps", func(r *http.Request, _ *[]byte) { r.Header.Add("x-timestamp", v.timestamp) }, noon, sinchauth.ErrTimestamp},
		{"timestamp not signed", header("x-timestamp", "2026-01-02T03:04:05.679Z"), noon, sinchauth.ErrSignature},
		{"just fresh, old", func(*http.Request, *[]byte) {}, noon.Add(sinchauth.Window), nil},
		{"just fresh, new", func(*http.Request, *[]byte) {}, noon.Add(-sinchauth.Window), nil},
		{"old", func(*http.Request, *[]byte) {}, noon.Add(sinchauth.Window + time.Millisecond), sinchauth.ErrStale},
		{"from the future", func(*http.Request, *[]byte) {}, noon.Add(-6 * time.Minute), sinchauth.ErrStale},
		{"another key", header("Authorization", "Application 99999999-2222-3333-4444-555555555555:"+v.signature), noon, sinchauth.ErrSignature},
		{"unknown public key", header("Authorization", "Application nobody"), noon, sinchauth.ErrCredential},
		{"basic, wrong secret", func(r *http.Request, _ *[]byte) { r.SetBasicAuth(dummyKey, "wrong") }, noon, sinchauth.ErrCredential},
		{"basic, unknown key", func(r *http.Request, _ *[]byte) { r.SetBasicAuth("nobody", "") }, noon, sinchauth.ErrCredential},
		{"basic, decoded secret", func(r *http.Request, _ *[]byte) { r.SetBasicAuth(dummyKey, "dummy-secret-for-docs-0123456789") }, noon, sinchauth.ErrCredential},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, body := v.request("Application"), []byte(v.body)
			tt.change(r, &body)
			if _, err := verifierAt(t, tt.now, v.secret).Verify(r, body); !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

// An unknown key must not match the signature of an empty secret.
func TestVerifyUnknownKeyEmptySecret(t *testing.T) {
	v := vectors[5]
	v.signature = sinchauth.Sign(sinchauth.Secret{}, v.parts())
	r := v.request("Application")
	r.Header.Set("Authorization", "Application nobody:"+v.signature)
	if _, err := verifierAt(t, noon, dummySecret).Verify(r, []byte(v.body)); !errors.Is(err, sinchauth.ErrSignature) {
		t.Errorf("Verify = %v, want %v", err, sinchauth.ErrSignature)
	}
}

func TestVerifyLevels(t *testing.T) {
	v := verifierAt(t, noon, dummySecret)
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Header.Set("Authorization", "Application "+dummyKey)
	if id, err := v.Verify(r, nil); err != nil || id.Level != sinchauth.LevelPublic {
		t.Errorf("public: %v, %v", id, err)
	}
	r.SetBasicAuth(dummyKey, dummySecret)
	if id, err := v.Verify(r, nil); err != nil || id.Level != sinchauth.LevelBasic {
		t.Errorf("basic: %v, %v", id, err)
	}
}

// The libraries sign the path escaped, decoded, or raw; each must be accepted and nothing else.
func TestVerifyPathSpellings(t *testing.T) {
	const sent = "/verification/v1/verifications/reference/ref%20sms%20%C3%A9"
	tests := []struct {
		name, sent, signed, prefix string
		want                       error
	}{
		{"as sent", sent, sent, "", nil},
		{"decoded", sent, "/verification/v1/verifications/reference/ref sms é", "", nil},
		{"escaped plus, signed plain", "/v/number/%2B12025550134", "/v/number/+12025550134", "", nil},
		{"escaped plus, signed escaped", "/v/number/%2B12025550134", "/v/number/%2B12025550134", "", nil},
		{"lower-case escapes as sent", "/v/%c3%a9", "/v/%c3%a9", "", nil},
		{"query is not signed", "/v/x?y=1", "/v/x", "", nil},
		{"query signed", "/v/x?y=1", "/v/x?y=1", "", sinchauth.ErrSignature},
		{"behind a proxy", "/v/x", "/outside/v/x", "/outside", nil},
		{"behind a proxy, inside path", "/v/x", "/v/x", "/outside", sinchauth.ErrSignature},
		{"decoded twice", "/v/%2541", "/v/A", "", sinchauth.ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := vector{secret: dummySecret, method: http.MethodGet, path: tt.signed, timestamp: "2026-01-02T03:04:05Z"}
			v.signature = sinchauth.Sign(mustSecret(t, dummySecret), v.parts())
			v.path = tt.sent
			verifier := verifierAt(t, noon, dummySecret)
			verifier.Prefix = tt.prefix
			if _, err := verifier.Verify(v.request("Application"), nil); !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSignRequestRoundTrip(t *testing.T) {
	body := []byte(identityBody)
	for _, target := range []string{"http://example.com", "http://example.com/a/+1202?x=1", "http://example.com/a%20b"} {
		r, err := http.NewRequest(http.MethodPost, target, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		sinchauth.SignRequest(r, body, sinchauth.Credentials{Key: dummyKey, Secret: mustSecret(t, dummySecret)}, noon)
		got := httptest.NewRequest(http.MethodPost, r.URL.RequestURI(), bytes.NewReader(body))
		got.Header = r.Header
		if _, err := verifierAt(t, noon, dummySecret).Verify(got, body); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		text string
		ok   bool
	}{
		{"2026-01-02T03:04:05Z", true},                   // Java, no fraction
		{"2026-01-02T03:04:05.678Z", true},               // Node
		{"2026-01-02T03:04:05.123456Z", true},            // Java
		{"2026-01-02T03:04:05.123456789Z", true},         // Java
		{"2026-01-02T03:04:05.1234567Z", true},           // .NET
		{"2026-01-02T03:04:05.123456+00:00", true},       // Python
		{"2026-01-02T03:04:05+00:00", true},              // Python, on the second
		{"2026-01-02T04:04:05+01:00", true},              // the same instant
		{"2026-01-02T03:04:05", false},                   // no zone
		{"2026-01-02 03:04:05Z", false},                  // no T
		{"2026-01-02T03:04:05,678Z", false},              // comma
		{"1767323045", false},                            // Unix time
		{"", false},                                      //
		{"2026-13-02T03:04:05Z", false},                  // month
		{"2026-01-02T03:04:05Z\n", false},                //
		{"2026-01-02T03:04:05.678Z.............", false}, //
	}
	for _, tt := range tests {
		got, err := sinchauth.ParseTimestamp(tt.text)
		if (err == nil) != tt.ok {
			t.Errorf("ParseTimestamp(%q) = %v, %v", tt.text, got, err)
		}
		if tt.ok && !got.Truncate(time.Second).Equal(want) {
			t.Errorf("ParseTimestamp(%q) = %v, want %v", tt.text, got, want)
		}
	}
}

func TestParseSecret(t *testing.T) {
	tests := []struct {
		text string
		ok   bool
	}{
		{dummySecret, true},
		{"9876543210", true},
		{"appSecret", false},
		{"appSecre", true},
		{"YXBwU2VjcmV0", true},
		{"", false},
		{"==", false},
		{"not base64!", false},
	}
	for _, tt := range tests {
		if _, err := sinchauth.ParseSecret(tt.text); (err == nil) != tt.ok {
			t.Errorf("ParseSecret(%q): %v", tt.text, err)
		}
	}
}

func TestSecretIsHidden(t *testing.T) {
	c := sinchauth.Credentials{Key: dummyKey, Secret: mustSecret(t, dummySecret)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, c); strings.Contains(got, "ZHVtb") || strings.Contains(got, "100 117 109") {
			t.Errorf("%s prints the secret: %s", verb, got)
		}
	}
}

// naiveMemory forgets to remember: the test of replays must fail it.
type remembers interface {
	Add(key string, signature [32]byte, at, now time.Time) (bool, error)
}

type naiveMemory struct{}

func (naiveMemory) Add(string, [32]byte, time.Time, time.Time) (bool, error) { return true, nil }

// firsts counts how many of many simultaneous uses of one signature were told that they are the first.
func firsts(m remembers) int64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 64 {
		wg.Go(func() {
			<-start
			if ok, err := m.Add(dummyKey, [32]byte{1}, noon, noon); ok && err == nil {
				n.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return n.Load()
}

func TestMemoryAdmitsOnce(t *testing.T) {
	for range 100 {
		if n := firsts(sinchauth.NewMemory(0)); n != 1 {
			t.Fatalf("one signature was good %d times", n)
		}
	}
	if n := firsts(naiveMemory{}); n == 1 {
		t.Error("the control was not caught")
	}
}

func TestMemoryForgetsWhatIsStale(t *testing.T) {
	m := sinchauth.NewMemory(2)
	add := func(sig byte, at, now time.Time) (bool, error) { return m.Add(dummyKey, [32]byte{sig}, at, now) }
	for i := range byte(2) {
		if ok, err := add(i, noon, noon); !ok || err != nil {
			t.Fatalf("signature %d: %v, %v", i, ok, err)
		}
	}
	if _, err := add(9, noon, noon); !errors.Is(err, sinchauth.ErrFull) {
		t.Errorf("a full memory said %v, want %v", err, sinchauth.ErrFull)
	}
	if ok, err := add(0, noon, noon.Add(sinchauth.Window)); ok || err != nil {
		t.Errorf("still fresh: %v, %v", ok, err)
	}
	later := noon.Add(2 * sinchauth.Window)
	if ok, err := add(9, later, later); !ok || err != nil {
		t.Errorf("after the stale ones went: %v, %v", ok, err)
	}
}

func TestVerifyReplay(t *testing.T) {
	v := vectors[5]
	verifier := verifierAt(t, noon, v.secret)
	verifier.Replays = sinchauth.NewMemory(0)
	if _, err := verifier.Verify(v.request("Application"), []byte(v.body)); err != nil {
		t.Fatal(err)
	}
	id, err := verifier.Verify(v.request("application"), []byte(v.body))
	if !errors.Is(err, sinchauth.ErrReplayed) || id.Key != dummyKey {
		t.Errorf("second use: %v, %v", id, err)
	}
	// A spelling of the base64 with other unused bits is not another signature.
	r := v.request("Application")
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "z40=", "z41=", 1))
	if _, err := verifier.Verify(r, []byte(v.body)); !errors.Is(err, sinchauth.ErrMalformed) {
		t.Errorf("respelled signature: %v", err)
	}
}

// In the sandbox the deciding clock may be hours ahead of the callers'.
func TestASecondClockMakesATimestampFreshToo(t *testing.T) {
	creds := sinchauth.Credentials{Key: "key", Secret: mustSecret(t, "c2FuZGJveC1kZW1vLXNlY3JldA==")}
	sign := func(at time.Time) *http.Request {
		r := httptest.NewRequest("GET", "http://example.com/verification/v1/verifications/id/1", nil)
		sinchauth.SignRequest(r, nil, creds, at)
		return r
	}
	wall := time.Now()
	ahead := func() time.Time { return wall.Add(time.Hour) }
	lookup := func(string) (sinchauth.Secret, bool) { return creds.Secret, true }
	one := &sinchauth.Verifier{Lookup: lookup, Now: ahead}
	two := &sinchauth.Verifier{Lookup: lookup, Now: ahead, Wall: func() time.Time { return wall }}
	for name, tt := range map[string]struct {
		v    *sinchauth.Verifier
		at   time.Time
		want error
	}{
		"one clock, signed by another":    {one, wall, sinchauth.ErrStale},
		"two clocks, signed by the one":   {two, wall, nil},
		"two clocks, signed by the other": {two, ahead(), nil},
		"two clocks, signed by neither":   {two, wall.Add(30 * time.Minute), sinchauth.ErrStale},
	} {
		if _, err := tt.v.Verify(sign(tt.at), nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
