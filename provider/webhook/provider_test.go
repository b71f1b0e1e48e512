package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/webhook"
)

func send(t testing.TB, cfg webhook.Config, answer providertest.Answer, m *countersign.Message) (providertest.Request, countersign.Handed, error) {
	t.Helper()
	c := providertest.NewCarrier(answer)
	defer c.Close()
	cfg.URL = c.URL() + "/send"
	p, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	h, err := p.Send(t.Context(), m)
	got := c.Requests()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	return got[0], h, err
}

func bare() webhook.Config {
	return webhook.Config{Name: "acme", Sender: "ACME", Secrets: []string{sendSecret}}
}

func TestBuiltInBody(t *testing.T) {
	m := providertest.NewMessage(1)
	m.Attempt = 3
	got, h, err := send(t, bare(), answer(202, "taken"), m)
	if err != nil || h.Status != countersign.DeliveryAccepted {
		t.Fatalf("%+v, %v", h, err)
	}
	if got.Method != http.MethodPost || got.Path != "/send" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s, %s", got.Method, got.Path, got.Header.Get("Content-Type"))
	}
	var e webhook.Event
	if err := json.Unmarshal(got.Body, &e); err != nil {
		t.Fatal(err)
	}
	want := webhook.EventData{
		ID: m.ID, Verification: m.Verification, App: "demo", To: m.To.Dial(), Channel: "sms", Purpose: "login", Sender: "ACME",
		Text: m.Text, Code: m.Code.Reveal(), Locale: "en", ExpiresIn: 300, Attempt: 3,
	}
	if e.Type != "message.send" || e.Data != want {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
	id, err := webhook.Verify(got.Header, got.Body, time.Now(), mustSecret(t, sendSecret))
	if err != nil || id != m.ID {
		t.Errorf("the receiver reads id %q, %v; a repeated send must have the message's id", id, err)
	}
}

func TestTemplatesOnTheWire(t *testing.T) {
	cfg := bare()
	cfg.ContentType = "application/x-www-form-urlencoded"
	cfg.Body = "to={{to|digits}}&from={{sender|urlquery}}&text={{text|urlquery}}"
	cfg.Headers = map[string]string{"authorization": "Bearer sk-1", "X-Ref": "{{verification}}"}
	m := providertest.NewMessage(1)
	m.Text = "50% off & more: 123"
	got, _, err := send(t, cfg, answer(200, ""), m)
	if err != nil {
		t.Fatal(err)
	}
	if want := "to=14155550101&from=ACME&text=50%25+off+%26+more%3A+123"; string(got.Body) != want {
		t.Errorf("body %s, want %s", got.Body, want)
	}
	if got.Header.Get("Authorization") != "Bearer sk-1" || got.Header.Get("X-Ref") != m.Verification {
		t.Errorf("headers %v", got.Header)
	}
	if _, err := webhook.Verify(got.Header, got.Body, time.Now(), mustSecret(t, sendSecret)); err != nil {
		t.Error("a body of one's own is not signed")
	}
}

// TestAnswers is the table of F-10 for vendors who have habits of their own.
func TestAnswers(t *testing.T) {
	yes := webhook.Answer{AcceptedPath: "status", Accepted: []string{"OK", "0"}, ErrorPath: "error", ErrorClasses: map[string]string{"21211": "destination"}}
	for _, c := range []struct {
		name   string
		how    webhook.Answer
		status int
		body   string
		class  countersign.FailureClass
		ok     bool
		detail string
	}{
		{"says yes", yes, 200, `{"status":"OK"}`, 0, true, ""},
		{"says yes in digits", yes, 200, `{"status":0}`, 0, true, ""},
		{"says no in a 200", yes, 200, `{"status":"FAILED"}`, countersign.FailTemporary, false, "HTTP 200"},
		{"says why in a 200", yes, 200, `{"status":"FAILED","error":21211}`, countersign.FailDestination, false, "HTTP 200 21211"},
		{"says neither", yes, 200, `{}`, countersign.FailUnknown, false, "HTTP 200, unexpected answer"},
		{"why in a 400", yes, 500, `{"error":"21211"}`, countersign.FailDestination, false, "HTTP 500 21211"},
		{"a number in the error", yes, 500, `{"error":"14155550123"}`, countersign.FailTemporary, false, "HTTP 500"},
		{"a sentence in the error", yes, 500, `{"error":"no such subscriber"}`, countersign.FailTemporary, false, "HTTP 500"},
		{"own meaning of a status", webhook.Answer{StatusClasses: map[string]string{"409": "accepted"}}, 409, "", 0, true, ""},
		{"own meaning of 404", webhook.Answer{StatusClasses: map[string]string{"404": "operator"}}, 404, "", countersign.FailOperator, false, "HTTP 404"},
		{"gone", webhook.Answer{}, 410, "", countersign.FailOperator, false, "HTTP 410"},
		{"nobody reads the body", webhook.Answer{}, 200, strings.Repeat("<", 1<<20), 0, true, ""},
		{"id of no length", webhook.Answer{RefPath: "id"}, 200, `{"id":""}`, countersign.FailUnknown, false, "HTTP 200, no id in the answer"},
		{"long id", webhook.Answer{RefPath: "id"}, 200, `{"id":"` + strings.Repeat("x", 200) + `"}`, countersign.FailUnknown, false, "HTTP 200, no id in the answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := bare()
			cfg.Answer = c.how
			_, _, err := send(t, cfg, answer(c.status, c.body), providertest.NewMessage(1))
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var f *countersign.Failure
			if !errors.As(err, &f) || f.Class != c.class || f.Detail != c.detail || f.Provider != "acme" {
				t.Errorf("%#v, want class %d, %q", err, c.class, c.detail)
			}
		})
	}
}

// TestSlowRestOfAnAnswer: what nobody needs may not hold a send up.
func TestSlowRestOfAnAnswer(t *testing.T) {
	began := time.Now()
	_, _, err := send(t, bare(), func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, providertest.NewMessage(1))
	if took := time.Since(began); err != nil || took > 2*time.Second {
		t.Errorf("%s, %v", took, err)
	}
}

// TestOwnTimeout: a provider's time bounds a send whose caller gives it more, or for ever, and no more than the caller's
// does where that is less.
func TestOwnTimeout(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }
	for _, c := range []struct {
		name        string
		own, caller time.Duration
	}{
		{"for ever", 100 * time.Millisecond, 0},
		{"the caller gives more", 100 * time.Millisecond, 9 * time.Second},
		{"the caller gives less", 9 * time.Second, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			carrier := providertest.NewCarrier(silent)
			defer carrier.Close()
			cfg := bare()
			cfg.URL, cfg.Timeout = carrier.URL()+"/send", c.own
			p, err := webhook.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer p.CloseIdleConnections()
			ctx := t.Context()
			if c.caller > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.caller)
				defer cancel()
			}
			began := time.Now()
			_, err = p.Send(ctx, providertest.NewMessage(1))
			var f *countersign.Failure
			if took := time.Since(began); !errors.As(err, &f) || f.Class != countersign.FailUnknown || took < 100*time.Millisecond || took > 5*time.Second {
				t.Errorf("after %s: %v, want an unknown fate soon after 100 ms", took, err)
			}
		})
	}
}

// TestTLS: a certificate that nobody vouches for ends the send before the code leaves (F-25).
func TestTLS(t *testing.T) {
	var got int
	vendor := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got++ }))
	defer vendor.Close()
	cfg := bare()
	cfg.URL = vendor.URL
	strict, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer strict.CloseIdleConnections()
	_, err = strict.Send(t.Context(), providertest.NewMessage(1))
	var f *countersign.Failure
	if !errors.As(err, &f) || f.Class != countersign.FailOperator || got != 0 {
		t.Errorf("%v after %d requests", err, got)
	}
	roots := x509.NewCertPool()
	roots.AddCert(vendor.Certificate())
	trusting, err := webhook.New(cfg, webhook.WithRootCAs(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	if err != nil {
		t.Fatal(err)
	}
	defer trusting.CloseIdleConnections()
	if _, err := trusting.Send(t.Context(), providertest.NewMessage(1)); err != nil || got != 1 {
		t.Errorf("%v after %d requests", err, got)
	}
}

func TestMistakesAreAllReported(t *testing.T) {
	cfg := webhook.Config{
		URL: "http://sms.example.com", Secrets: []string{"hunter2"}, Timeout: time.Minute, Body: `{"a":"{{text}}"}`,
		Headers: map[string]string{"X Y": "1", "Content-Type": "x", "webhook-id": "x", "A": "{{nope}}", "B": "{{code}}", "C": "{{subject}}", "D": "a\nb"},
		Answer: webhook.Answer{
			RefPath: "a..b", Accepted: []string{"x"}, ErrorClasses: map[string]string{"1": "fatal"}, StatusClasses: map[string]string{"99": "temporary"},
		},
		Receipts: &webhook.Receipts{Secrets: []string{"hunter2"}, Statuses: map[string]string{"DLVRD": "done"}},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, at := range []string{
		"name", "url", "secrets.0", "timeout", "body", "headers.X Y", "headers.Content-Type", "headers.webhook-id", "headers.A", "headers.B",
		"headers.C", "headers.D", "answer.ref_path", "answer.accepted", "answer.error_classes", "answer.error_classes.1",
		"answer.status_classes.99", "receipts.secrets.0", "receipts.statuses.DLVRD",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s", at)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a mistake shows the secret")
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://sms.example.com/send?x=1": true, "http://127.0.0.1:9000": true, "http://[::1]/": true, "http://localhost:1/": true,
		"http://sms.example.com/": false, "http://10.0.0.1/": false, "ftp://x/": false, "//x/": false, "/send": false, "": false,
		"https://u:p@x/": false, "https://x/#a": false, "http://localhost.evil.com/": false, "https://": false,
	} {
		cfg := bare()
		cfg.URL = address
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v, want ok %v", address, err, ok)
		}
	}
	cfg := bare()
	cfg.URL, cfg.AllowHTTP = "http://10.0.0.1/", true
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSend(b *testing.B) {
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"message":{"id":"1"}}`)
	}))
	defer vendor.Close()
	p, err := webhook.New(config(vendor.URL))
	if err != nil {
		b.Fatal(err)
	}
	defer p.CloseIdleConnections()
	m := providertest.NewMessage(1)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Send(ctx, m); err != nil {
			b.Fatal(err)
		}
	}
}
