package sinchauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"countersign/sinchauth"
)

// FuzzVerify feeds foreign headers to the verifier: it never panics, refuses with a Refusal, and believes only what
// carries the secret.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add("Application "+dummyKey+":"+v.signature, v.timestamp, v.contentType)
	}
	f.Add("Basic eDp5", "", "")
	f.Add("application "+dummyKey, "2026-01-02T03:04:05.678Z", "application/json")
	f.Add("Application :", "now", "")
	verifier := verifierAt(f, noon, dummySecret)
	verifier.Replays = sinchauth.NewMemory(16)
	want := sinchauth.Sign(mustSecret(f, dummySecret), vectors[5].parts())
	f.Fuzz(func(t *testing.T, authorization, timestamp, contentType string) {
		r := httptest.NewRequest(http.MethodPost, "/verification/v1/verifications", nil)
		r.Header["Authorization"] = []string{authorization}
		r.Header["X-Timestamp"] = []string{timestamp}
		r.Header["Content-Type"] = []string{contentType}
		began := time.Now()
		id, err := verifier.Verify(r, []byte(identityBody))
		if d := time.Since(began); d > 5*time.Second {
			t.Fatalf("took %s", d)
		}
		var refusal sinchauth.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("not a refusal: %v", err)
		}
		if err == nil && id.Level == sinchauth.LevelApplication && authorization[len(authorization)-len(want):] != want {
			t.Fatalf("believed %q", authorization)
		}
	})
}
