package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/webhook"
)

func hostedConfig(base string) webhook.Config {
	cfg := config(base)
	cfg.Hosted = &webhook.HostedConfig{
		Report: webhook.Question{
			URL: base + "/verify/{{ref|path}}", Body: `{"code":{{guess|json}}}`, ToPath: "to",
			Statuses:     map[string]string{"OK": "approved", "WRONG": "pending", "USED_UP": "failed", "ENDED": "expired"},
			HTTPStatuses: map[string]string{"422": "pending", "404": "expired", "410": "failed"},
		},
		Status: webhook.Question{
			URL: base + "/verify?reference={{verification|urlquery}}", RefPath: "id", StatusPath: "state.0",
			Statuses: map[string]string{"OK": "approved", "OPEN": "pending"},
		},
	}
	return cfg
}

func TestHostedConformance(t *testing.T) {
	secret := mustSecret(t, receiptSecret)
	var refs, callbacks atomic.Int64
	ours := regexp.MustCompile(`\b7418[0-9]{2}\b`) // a code of the suite by itself: an instant's fraction may hold these digits
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return webhook.NewHosted(hostedConfig(base)) },
		Accept: func(w http.ResponseWriter, _ *http.Request, body []byte) string {
			if ours.Match(body) {
				t.Error("our own code went to a vendor who makes codes")
			}
			ref := "acme-" + strconv.FormatInt(refs.Add(1), 10)
			fmt.Fprintf(w, `{"message":{"id":%q}}`, ref)
			return ref
		},
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*webhook.Hosted).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				body, err := json.Marshal(map[string]any{"data": map[string]any{"verification": m.Verification, "ref": ref, "status": s}})
				if err != nil {
					t.Fatal(err)
				}
				return signed(secret, fmt.Sprintf("evt_%d", callbacks.Add(1)), time.Now(), body)
			},
			ByRef: true,
		},
	})
}

func question(ref string) countersign.HostedQuestion {
	m := providertest.NewMessage(1)
	return countersign.HostedQuestion{Verification: m.Verification, Ref: ref, To: m.To, Channel: m.Channel}
}

func guess(t *testing.T, text string) countersign.Guess {
	t.Helper()
	g, err := countersign.ParseGuess(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestHostedAnswers: what a vendor's answer to a guess means. naive is what reading the HTTP status alone would make of it.
func TestHostedAnswers(t *testing.T) {
	const open countersign.Status = "" // nothing is known
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   countersign.Status
	}{
		{"right", 200, `{"status":"OK","to":"14155550101"}`, countersign.StatusApproved},
		{"wrong", 200, `{"status":"WRONG","to":"14155550101"}`, countersign.StatusPending},
		{"wrong, by HTTP", 422, `{"status":422}`, countersign.StatusPending},
		{"wrong, by HTTP alone", 422, ``, countersign.StatusPending},
		{"used up", 200, `{"status":"USED_UP"}`, countersign.StatusFailed},
		{"used up, by HTTP", 410, `gone`, countersign.StatusFailed},
		{"a refusal that goes on", 410, strings.Repeat(" ", 100<<10), countersign.StatusFailed},
		{"ended", 409, `{"status":"ENDED"}`, countersign.StatusExpired},
		{"an empty yes", 200, ``, open},
		{"a yes in an error", 500, `{"status":"OK","to":"14155550101"}`, open},
		{"a yes about nobody", 200, `{"status":"OK"}`, open},
		{"a yes about another", 200, `{"status":"OK","to":"+14155550102"}`, open},
		{"a word that is not known", 200, `{"status":"ok","to":"14155550101"}`, open},
		{"no word", 200, `{"state":"OK","to":"14155550101"}`, open},
		{"a list", 200, `[{"status":"OK"}]`, open},
		{"a web page", 200, `<html>OK</html>`, open},
		{"two values", 200, `{"status":"OK","to":"14155550101"}{}`, open},
		{"10 MiB", 200, `{"status":"OK","to":"14155550101","x":"` + strings.Repeat("x", 10<<20) + `"}`, open},
		{"a redirect", 302, `{"status":"WRONG"}`, countersign.StatusPending},
		{"too many", 429, `{}`, open},
	} {
		t.Run(c.name, func(t *testing.T) {
			carrier := providertest.NewCarrier(answer(c.status, c.body))
			defer carrier.Close()
			p, err := webhook.NewHosted(hostedConfig(carrier.URL()))
			if err != nil {
				t.Fatal(err)
			}
			defer p.CloseIdleConnections()
			a, err := p.Report(t.Context(), question("r/1?"), guess(t, "741853"))
			if (c.want == open) != (err != nil) || a.Status != c.want {
				t.Errorf("%+v, %v; want %q", a, err, c.want)
			}
			var f *countersign.Failure
			if err != nil && (!errors.As(err, &f) || strings.Contains(err.Error(), "741853") || len(f.Detail) > 64) {
				t.Errorf("the error is %v", err)
			}
			got := carrier.Requests()
			if len(got) != 1 || got[0].Path != "/verify/r%2F1%3F" || string(got[0].Body) != `{"code":"741853"}` {
				t.Errorf("asked %+v", got)
			}
			if _, err := webhook.Verify(got[0].Header, got[0].Body, time.Now(), mustSecret(t, sendSecret)); err != nil {
				t.Error("a report is not signed")
			}
		})
	}
}

// TestHostedLostStart: the vendor's id is found by our own id, and a guess goes to that one only.
func TestHostedLostStart(t *testing.T) {
	carrier := providertest.NewCarrier(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"id":"v7","state":["OPEN"]}`)
			return
		}
		fmt.Fprint(w, `{"status":"OK","to":"+14155550101"}`)
	})
	defer carrier.Close()
	cfg := hostedConfig(carrier.URL())
	p, err := webhook.NewHosted(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	if a, err := p.Report(t.Context(), question(""), guess(t, "741853")); err != nil || a.Status != countersign.StatusApproved {
		t.Errorf("%+v, %v", a, err)
	}
	got := carrier.Requests()
	if len(got) != 2 || got[0].Path != "/verify?reference="+question("").Verification || got[1].Path != "/verify/v7" {
		t.Errorf("asked %+v", got)
	}
	cfg.Hosted.Status = webhook.Question{}
	blind, err := webhook.NewHosted(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer blind.CloseIdleConnections()
	if _, err := blind.Report(t.Context(), question(""), guess(t, "741853")); err == nil {
		t.Error("a guess about nothing was answered")
	}
	if _, err := blind.Status(t.Context(), question("x")); err == nil {
		t.Error("a state that cannot be read was read")
	}
	if len(carrier.Requests()) != 2 {
		t.Error("something was asked all the same")
	}
}

// TestHostedIDsThatLeadElsewhere: an id of the vendor's cannot lead a guess to another path.
func TestHostedIDsThatLeadElsewhere(t *testing.T) {
	carrier := providertest.NewCarrier(answer(200, `{"status":"OK","to":"14155550101"}`))
	defer carrier.Close()
	p, err := webhook.NewHosted(hostedConfig(carrier.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	for _, ref := range []string{"..", "."} {
		if a, err := p.Report(t.Context(), question(ref), guess(t, "741853")); err == nil {
			t.Errorf("%q: %+v", ref, a)
		}
	}
	if n := len(carrier.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

func TestHostedMistakes(t *testing.T) {
	cfg := hostedConfig("https://acme.example")
	cfg.Body, cfg.Answer.RefPath = `{"to":{{to|json}},"code":{{code|json}}}`, ""
	cfg.Answer.ErrorPath, cfg.Answer.ErrorClasses = "", nil
	cfg.Headers = map[string]string{"X-Ref": "{{ref}}", "X-Guess": "{{guess}}"}
	cfg.Hosted.Report = webhook.Question{
		Method: "GET", URL: "https://{{ref}}.acme.example/{{guess}}", Body: `{"code":"1"}`, RefPath: "id",
		Statuses: map[string]string{"OK": "yes"}, HTTPStatuses: map[string]string{"200": "approved", "x": "failed"},
	}
	cfg.Hosted.Status = webhook.Question{URL: "https://acme.example/{{ref}}", Body: "{{guess}}"}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, at := range []string{
		"body", "answer.ref_path", "headers.X-Ref", "headers.X-Guess", "hosted.report.method", "hosted.report.url", "hosted.report.body",
		"hosted.report.ref_path", "hosted.report.statuses.OK", "hosted.report.http_statuses.200", "hosted.report.http_statuses.x",
		"hosted.status.url", "hosted.status.body",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s", at)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for _, address := range []string{"", "https://acme.example/{{ref}}", "https://acme.example?x={{ref}}", "https://a{{ref|path}}/x", "http://acme.example/{{ref|path}}", "https://x/{{text|path}}"} {
		cfg := hostedConfig("https://acme.example")
		cfg.Hosted.Report.URL = address
		if err := cfg.Validate(); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
	if _, err := webhook.New(hostedConfig("https://acme.example")); err == nil {
		t.Error("a hosted vendor was made as one that carries our code")
	}
	if _, err := webhook.NewHosted(config("https://acme.example")); err == nil {
		t.Error("a vendor that checks nothing was made a hosted one")
	}
}

// outcomes keeps what ends verifications.
type outcomes struct {
	providertest.Sink
	ended []countersign.Status
}

func (o *outcomes) TakeOutcome(_ context.Context, _ string, s countersign.Status) error {
	o.ended = append(o.ended, s)
	return nil
}

// TestHostedOutcomes: a refusal ends the verification, a success by callback does not approve it.
func TestHostedOutcomes(t *testing.T) {
	p, err := webhook.NewHosted(hostedConfig("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	sink := &outcomes{}
	h := p.Callback(sink)
	for i, word := range []string{"denied", "approved", "undeliverable", "expired"} {
		body := fmt.Sprintf(`{"data":{"verification":%q,"ref":"r","status":%q}}`, question("").Verification, word)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, signed(mustSecret(t, receiptSecret), fmt.Sprintf("evt_%d", i), time.Now(), []byte(body)))
		if w.Code != http.StatusNoContent {
			t.Errorf("%s: %d", word, w.Code)
		}
	}
	if len(sink.ended) != 2 || sink.ended[0] != countersign.StatusDenied || sink.ended[1] != countersign.StatusUndeliverable || len(sink.Receipts()) > 0 {
		t.Errorf("ended %v, receipts %v", sink.ended, sink.Receipts())
	}
}

// FuzzHostedAnswer: no bytes of a vendor's make a yes but the one word at its place.
func FuzzHostedAnswer(f *testing.F) {
	for _, s := range []string{`{"status":"OK","to":"+14155550101"}`, `{"status":"WRONG"}`, `[]`, `{"status":{"status":"OK"}}`, "\xff", `{"status":"OK"`} {
		f.Add(200, s)
		f.Add(500, s)
	}
	var body string
	var status int
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	f.Cleanup(vendor.Close)
	p, err := webhook.NewHosted(hostedConfig(vendor.URL))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(p.CloseIdleConnections)
	g, err := countersign.ParseGuess("741853")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified {
			return
		}
		status, body = code, text
		a, err := p.Report(t.Context(), question("r"), g)
		if err != nil || a.Status != countersign.StatusApproved {
			return
		}
		var said struct{ Status, To any }
		if code > 299 || json.Unmarshal([]byte(text), &said) != nil || !strings.Contains(text, "OK") {
			t.Errorf("%d %q approves", code, text)
		}
	})
}
