package risk_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/provider/webhook"
	"countersign/risk"
)

const secretText = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

func question(t *testing.T) *countersign.RiskQuestion {
	t.Helper()
	n, err := phone.FromE164("+14155550123")
	if err != nil {
		t.Fatal(err)
	}
	return &countersign.RiskQuestion{
		Verification: "ver_1", App: "demo", To: countersign.PhoneAddress(n), Channel: countersign.ChannelSMS, Purpose: countersign.PurposeStepUp,
		User: "usr_1", Client: countersign.Client{Addr: netip.MustParseAddr("203.0.113.7"), UserAgent: "x"},
	}
}

// hook asks a service of this test.
func hook(t *testing.T, timeout time.Duration, serve http.HandlerFunc) *risk.Hook {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	secret, err := webhook.ParseSecret(secretText)
	if err != nil {
		t.Fatal(err)
	}
	h, err := risk.New(risk.Config{URL: s.URL, Secret: secret, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The question is signed, and says what there is to know.
func TestQuestion(t *testing.T) {
	secret, err := webhook.ParseSecret(secretText)
	if err != nil {
		t.Fatal(err)
	}
	other, err := webhook.ParseSecret("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0")
	if err != nil {
		t.Fatal(err)
	}
	h := hook(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if id, err := webhook.Verify(r.Header, body, time.Now(), secret); err != nil || id != "ver_1" {
			t.Errorf("the signature: %q, %v", id, err)
		}
		if _, err := webhook.Verify(r.Header, body, time.Now(), other); err == nil {
			t.Error("control: another secret signs it too")
		}
		var q risk.Question
		if err := json.Unmarshal(body, &q); err != nil {
			t.Error(err)
		}
		want := risk.Data{
			Verification: "ver_1", App: "demo", To: "+14155550123", Country: "US", Channel: "sms", Purpose: "stepup", User: "usr_1",
			Client: q.Data.Client,
		}
		if q.Type != "risk.assess" || q.Data != want || *q.Data.Client != (risk.Client{IP: "203.0.113.7", UserAgent: "x"}) {
			t.Errorf("asked: %s", body)
		}
		io.WriteString(w, `{"decision":"deny","reason":"sim_changed","more":1}`)
	})
	v, err := h.Assess(t.Context(), question(t))
	if err != nil || !v.Deny || v.Reason != "sim_changed" {
		t.Errorf("Assess = %+v, %v", v, err)
	}
}

// What is no answer is an error, whatever it looks like: it is asked once, redirects are not followed, and nothing of what
// came is in the error.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		deny   bool
		fails  bool
		reason string
	}{
		"allow":             {200, `{"decision":"allow"}`, false, false, ""},
		"deny":              {201, `{"decision":"deny","reason":"number_ported"}`, true, false, "number_ported"},
		"a person's reason": {200, `{"decision":"deny","reason":"+14155550123 is Ann's"}`, true, false, ""},
		"a long reason":     {200, `{"decision":"deny","reason":"` + strings.Repeat("a", 65) + `"}`, true, false, ""},
		"nothing":           {204, ``, false, true, ""},
		"no decision":       {200, `{}`, false, true, ""},
		"another word":      {200, `{"decision":"ALLOW"}`, false, true, ""},
		"another type":      {200, `{"decision":true}`, false, true, ""},
		"a list":            {200, `["allow"]`, false, true, ""},
		"html":              {200, `<html>secret-4711`, false, true, ""},
		"too long":          {200, `{"decision":"allow","x":"` + strings.Repeat("x", 70<<10) + `"}`, false, true, ""},
		"refused":           {401, `{"decision":"allow"}`, false, true, ""},
		"broken":            {500, `{"decision":"allow"}`, false, true, ""},
		"elsewhere":         {302, `{"decision":"allow"}`, false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			h := hook(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				w.Header().Set("Location", "/allowed")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			v, err := h.Assess(t.Context(), question(t))
			switch {
			case (err != nil) != c.fails:
				t.Fatalf("Assess = %+v, %v", v, err)
			case err == nil && (v.Deny != c.deny || v.Reason != c.reason):
				t.Errorf("Assess = %+v", v)
			case err != nil && strings.Contains(err.Error(), "4711"):
				t.Errorf("the error repeats the answer: %v", err)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A service that says nothing is given up in time.
func TestSilence(t *testing.T) {
	gone := make(chan struct{})
	h := hook(t, 50*time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	})
	defer close(gone)
	if v, err := h.Assess(t.Context(), question(t)); err == nil {
		t.Errorf("Assess = %+v", v)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "http://example.com/", "example.com", "https://user:secret@example.com/", "ftp://example.com/"} {
		if _, err := risk.New(risk.Config{URL: url}); err == nil || strings.Contains(err.Error(), "user:secret") {
			t.Errorf("New(%q): %v", url, err)
		}
	}
	if _, err := risk.New(risk.Config{URL: "https://example.com/risk"}); err != nil {
		t.Errorf("control: %v", err)
	}
}
