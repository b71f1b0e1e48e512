package vonage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"countersign"
	"countersign/provider/hidden"
	"countersign/provider/providertest"
	"countersign/provider/vonage"
)

const (
	apiKey = "abcd1234"
	secret = hidden.Text("dummy-signature-secret")
	ref    = "c11236f4-00bf-4b89-84ba-88b25df97315"
	other  = "575a2054-aaaf-4405-994e-290be7b9a91f"
)

func config(base string) vonage.Config {
	return vonage.Config{
		Name: "main", Key: apiKey, APISecret: "dummy", From: "15005550006", Brand: "Demo", BaseURL: base,
		CallbackURL: "https://verify.example.com/hooks/main/status", SignatureSecret: secret,
	}
}

func plain(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func problem(status int, kind, title, more string) providertest.Answer {
	return plain(status, fmt.Sprintf(`{"type":"https://developer.vonage.com/api-errors/messages#%s","title":%q,"detail":"about +14155550102","instance":"x"%s}`, kind, title, more))
}

func refusal(class countersign.FailureClass, status int, kind, more string) providertest.Refusal {
	return providertest.Refusal{Name: fmt.Sprintf("%d %s%s", status, kind, more), Class: class, Answer: problem(status, kind, "no", more)}
}

func refusals() []providertest.Refusal {
	return []providertest.Refusal{
		refusal(countersign.FailOperator, 401, "unauthorized", ""),
		refusal(countersign.FailOperator, 402, "low-balance", ""),
		refusal(countersign.FailOperator, 403, "forbidden", ""),
		refusal(countersign.FailTemporary, 429, "1000", ""),
		refusal(countersign.FailOperator, 422, "1020", ""),
		refusal(countersign.FailDestination, 422, "1020", `,"invalid_parameters":[{"name":"to","reason":"no"}]`),
		refusal(countersign.FailDestination, 422, "invalid-params", `,"invalid_parameters":[{"name":"workflow[0].to"}]`),
		refusal(countersign.FailOperator, 422, "1020", `,"invalid_parameters":[{"name":"brand"}]`),
		refusal(countersign.FailDestination, 422, "1040", ""),
		refusal(countersign.FailDestination, 403, "1050", ""),
		refusal(countersign.FailOperator, 402, "1070", ""),
		refusal(countersign.FailOperator, 422, "1120", ""),
		refusal(countersign.FailOperator, 400, "nothing-known", ""),
		refusal(countersign.FailTemporary, 500, "1050", ""), // a server's fault has no code that counts
		{Name: "gateway timeout", Class: countersign.FailUnknown, Answer: plain(504, "")},
		{Name: "an error in a 200", Class: countersign.FailUnknown, Answer: problem(200, "1050", "no", "")},
		{Name: "another content type", Class: countersign.FailUnknown, Answer: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "OK")
		}},
	}
}

func TestVerifyConformance(t *testing.T) {
	var refs atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return vonage.NewVerify(config(base)) },
		Accept: func(w http.ResponseWriter, r *http.Request, body []byte) string {
			user, password, _ := r.BasicAuth()
			if !strings.Contains(string(body), `"locale":"en-us","code_length":6,"channel_timeout":300,"workflow":[{"channel":"sms","to":"1415`) ||
				r.URL.Path != "/v2/verify" || user != apiKey || password != "dummy" {
				t.Errorf("not what the vendor expects: %s %s", r.URL.Path, body)
			}
			ref := fmt.Sprintf("c11236f4-00bf-4b89-84ba-%012d", refs.Add(1))
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"request_id":%q}`, ref)
			return ref
		},
		Refusals: append(refusals(), refusal(countersign.FailTemporary, 409, "conflict", "")),
		Probe:    plain(200, `{"page_size":1,"_embedded":{"applications":[]}}`),
	})
}

func TestMessagesConformance(t *testing.T) {
	var refs atomic.Int64
	words := map[countersign.DeliveryStatus]string{
		countersign.DeliverySent: "submitted", countersign.DeliveryDelivered: "delivered", countersign.DeliveryUndelivered: "undeliverable",
	}
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return vonage.NewMessages(config(base)) },
		Accept: func(w http.ResponseWriter, r *http.Request, body []byte) string {
			var m map[string]any
			if json.Unmarshal(body, &m) != nil || m["channel"] != "sms" || m["message_type"] != "text" || m["ttl"] != 300.0 || r.URL.Path != "/v1/messages" ||
				m["webhook_url"] != "https://verify.example.com/hooks/main/status" || len(m["client_ref"].(string)) > 100 {
				t.Errorf("not what the vendor expects: %s %s", r.URL.Path, body)
			}
			ref := fmt.Sprintf("aaaaaaaa-bbbb-cccc-dddd-%012d", refs.Add(1))
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"message_uuid":%q}`, ref)
			return ref
		},
		Refusals: refusals(),
		Probe:    plain(200, `{"page_size":1,"_embedded":{"applications":[]}}`),
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*vonage.Messages).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				return signed(claims{}, fmt.Sprintf(`{"message_uuid":%q,"client_ref":%q,"status":%q,"timestamp":"2026-01-02T03:04:05.678Z","usage":{"currency":"EUR","price":"0.03"}}`,
					ref, m.Verification+"."+m.ID, words[s]))
			},
		},
	})
}

func verify(t testing.TB, answer providertest.Answer) (*vonage.Verify, *providertest.Carrier) {
	t.Helper()
	c := providertest.NewCarrier(answer)
	p, err := vonage.NewVerify(config(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.CloseIdleConnections(); c.Close() })
	return p, c
}

func question() countersign.HostedQuestion {
	m := providertest.NewMessage(1)
	return countersign.HostedQuestion{Verification: m.Verification, Ref: ref, To: m.To, Channel: countersign.ChannelSMS}
}

func guess(t testing.TB) countersign.Guess {
	t.Helper()
	g, err := countersign.ParseGuess("123456")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func hangUp(w http.ResponseWriter, _ *http.Request, _ []byte) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		answer providertest.Answer
		want   countersign.Status // "" for an error
	}{
		"right":                    {plain(200, `{"request_id":"`+ref+`","status":"completed"}`), countersign.StatusApproved},
		"wrong":                    {problem(400, "invalid-code", "Invalid Code", ""), countersign.StatusPending},
		"expired or used":          {problem(404, "not-found", "Not Found", ""), countersign.StatusExpired},
		"too many":                 {problem(410, "expired", "Invalid Code", ""), countersign.StatusFailed},
		"another request's":        {plain(200, `{"request_id":"`+other+`","status":"completed"}`), ""},
		"another word":             {plain(200, `{"request_id":"`+ref+`","status":"pending"}`), ""},
		"another status code":      {plain(202, `{"request_id":"`+ref+`","status":"completed"}`), ""},
		"200 and an error":         {problem(200, "invalid-code", "Invalid Code", ""), ""},
		"200 and nothing":          {plain(200, ""), ""},
		"a proxy's 404":            {plain(404, "<html>"), ""},
		"a bad request":            {problem(400, "bad-request", "Bad Request", ""), ""},
		"no code at this step":     {problem(409, "conflict", "Conflict", ""), ""},
		"rate limit":               {problem(429, "throttled", "Rate Limit Hit", ""), ""},
		"fault":                    {plain(500, ""), ""},
		"the connection goes away": {hangUp, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, carrier := verify(t, c.answer)
			got, err := p.Report(context.Background(), question(), guess(t))
			if (err != nil) != (c.want == "") || got.Status != c.want {
				t.Errorf("got %q, %v; want %q", got.Status, err, c.want)
			}
			if rs := carrier.Requests(); len(rs) != 1 || rs[0].Path != "/v2/verify/"+ref || string(rs[0].Body) != `{"code":"123456"}` {
				t.Errorf("one guess was reported by %v", rs)
			}
			if _, err := p.Status(context.Background(), question()); err == nil {
				t.Error("a status that the vendor does not show")
			}
		})
	}
}

// one is a vendor that has a verification open for a number until it is deleted, as the real one does.
type one struct {
	mu      sync.Mutex
	open    string
	starts  int
	deletes int
	lose    bool // the answer to the next start
}

// seen is what is open, and how often one was started and ended.
func (o *one) seen() (open string, starts, deletes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open, o.starts, o.deletes
}

func (o *one) answer(w http.ResponseWriter, r *http.Request, _ []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete:
		o.deletes++
		o.open = ""
		w.WriteHeader(http.StatusNoContent)
	case o.open != "":
		problem(409, "conflict", "Conflict", `,"request_id":"`+o.open+`"`)(w, r, nil)
	default:
		o.starts++
		o.open = fmt.Sprintf("c11236f4-00bf-4b89-84ba-%012d", o.starts)
		if o.lose {
			o.lose = false
			hangUp(w, r, nil)
			return
		}
		plain(202, `{"request_id":"`+o.open+`"}`)(w, r, nil)
	}
}

func TestALostStartIsAdopted(t *testing.T) {
	v := &one{lose: true}
	p, _ := verify(t, v.answer)
	m := providertest.NewMessage(1)
	_, err := p.Send(context.Background(), m)
	if f := (*countersign.Failure)(nil); !errors.As(err, &f) || f.Class != countersign.FailUnknown {
		t.Fatalf("a lost answer is %v", err)
	}
	m.Attempt = 2
	h, err := p.Send(context.Background(), m)
	if open, starts, deletes := v.seen(); err != nil || h.Ref != open || starts != 1 || deletes != 0 {
		t.Errorf("ref %q, %v: %d starts, %d ended", h.Ref, err, starts, deletes)
	}
}

func TestAWantedResendEndsTheFirst(t *testing.T) {
	v := &one{}
	p, _ := verify(t, v.answer)
	first, second := providertest.NewMessage(1), providertest.NewMessage(1)
	second.ID, second.Attempt = "msg_other", 2
	if _, err := p.Send(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	h, err := p.Send(context.Background(), second)
	if open, starts, deletes := v.seen(); err != nil || h.Ref != open || starts != 2 || deletes != 1 {
		t.Errorf("ref %q, %v: %d starts, %d ended", h.Ref, err, starts, deletes)
	}
}

func TestALostMessageIsNotSentAgain(t *testing.T) {
	c := providertest.NewCarrier(hangUp)
	p, err := vonage.NewMessages(config(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.CloseIdleConnections(); c.Close() }()
	m := providertest.NewMessage(1)
	for m.Attempt = 1; m.Attempt <= 3; m.Attempt++ {
		_, err := p.Send(context.Background(), m)
		if f := (*countersign.Failure)(nil); !errors.As(err, &f) || f.Class != countersign.FailUnknown {
			t.Errorf("attempt %d: %v", m.Attempt, err)
		}
	}
	if n := len(c.Requests()); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestWrongSettings(t *testing.T) {
	for name, change := range map[string]func(*vonage.Config){
		"key":       func(c *vonage.Config) { c.Key = "a:b" },
		"secret":    func(c *vonage.Config) { c.APISecret = "" },
		"sender":    func(c *vonage.Config) { c.From = "" },
		"callbacks": func(c *vonage.Config) { c.SignatureSecret = "" },
		"plaintext": func(c *vonage.Config) { c.BaseURL = "http://api.example.com" },
		"template":  func(c *vonage.Config) { c.Template = "Login Code" },
	} {
		c := config("http://127.0.0.1:1")
		change(&c)
		if _, err := vonage.NewMessages(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	c := config("http://127.0.0.1:1")
	c.Brand = "a brand that is too long"
	if _, err := vonage.NewVerify(c); err == nil {
		t.Error("brand: taken")
	}
}

// A code goes by WhatsApp in an authentication template: once in its body, once for the button that copies it.
func TestWhatsApp(t *testing.T) {
	for _, tt := range []struct{ configured, route, locale, name, language string }{
		{"login_code", "", "pt-BR", "login_code", "pt_BR"},
		{"login_code", "", "en", "login_code", "en"},
		{"login_code", "", "", "login_code", "en"},
		{"login_code/de", "", "pt-BR", "login_code", "de"},
		{"login_code", "konto/sv", "en", "konto", "sv"},
		{"", "konto/en_GB", "sv", "konto", "en_GB"},
	} {
		c := providertest.NewCarrier(plain(202, `{"message_uuid":"u"}`))
		cfg := config(c.URL())
		cfg.Template = tt.configured
		p, err := vonage.NewMessages(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m := providertest.NewMessage(1)
		m.Channel, m.Locale, m.Template = countersign.ChannelWhatsApp, tt.locale, tt.route
		if _, err := p.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"message_type":"custom","channel":"whatsapp","to":"14155550101","from":"15005550006",`+
			`"custom":{"type":"template","template":{"name":%q,"language":{"policy":"deterministic","code":%q},"components":[`+
			`{"type":"body","parameters":[{"type":"text","text":"741853"}]},{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"741853"}]}]}},`+
			`"client_ref":%q,"ttl":300,"webhook_url":"https://verify.example.com/hooks/main/status","webhook_version":"v1"}`, tt.name, tt.language, m.Verification+"."+m.ID)
		if got := string(c.Requests()[0].Body); got != want {
			t.Errorf("%+v: %s\nwant %s", tt, got, want)
		}
		p.CloseIdleConnections()
		c.Close()
	}
	p := messages(t)
	m := providertest.NewMessage(1)
	m.Channel = countersign.ChannelWhatsApp
	var f *countersign.Failure
	if _, err := p.Send(t.Context(), m); !errors.As(err, &f) || f.Class != countersign.FailOperator {
		t.Errorf("without a template: %v", err)
	}
}

func TestVerifyWorkflow(t *testing.T) {
	for _, tt := range []struct {
		channel               countersign.Channel
		locale, says, locale2 string
	}{
		{countersign.ChannelSMS, "en", `{"channel":"sms","to":"14155550101","from":"15005550006"}`, "en-us"},
		{countersign.ChannelVoice, "de-AT", `{"channel":"voice","to":"14155550101"}`, "de-de"},
		{countersign.ChannelWhatsApp, "pt-PT", `{"channel":"whatsapp","to":"14155550101","from":"15005550006"}`, "pt-pt"},
		{countersign.ChannelSMS, "sv", `{"channel":"sms","to":"14155550101","from":"15005550006"}`, ""},
		{countersign.ChannelSMS, "", `{"channel":"sms","to":"14155550101","from":"15005550006"}`, ""},
	} {
		p, c := verify(t, plain(202, `{"request_id":"`+ref+`"}`))
		m := providertest.NewMessage(1)
		m.Channel, m.Locale = tt.channel, tt.locale
		if _, err := p.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		locale := ""
		if tt.locale2 != "" {
			locale = fmt.Sprintf(`"locale":%q,`, tt.locale2)
		}
		want := `{"brand":"Demo",` + locale + `"code_length":6,"channel_timeout":300,"workflow":[` + tt.says + `]}`
		if got := string(c.Requests()[0].Body); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return vonage.NewMessages(config(base)) },
		`{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-000000000001"}`, `{"type":"https://x#1040","title":"no"}`, `{"invalid_parameters":[{"name":"to"}]}`)
}

func FuzzVerify(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return vonage.NewVerify(config(base)) },
		`{"request_id":"`+ref+`"}`, `{"type":"https://x#conflict","request_id":"`+ref+`"}`)
}

func FuzzReport(f *testing.F) {
	f.Add(200, `{"request_id":"`+ref+`","status":"completed"}`)
	f.Add(400, `{"title":"Invalid Code"}`)
	f.Add(410, `{"title":""}`)
	f.Add(200, "\x00")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		p, _ := verify(t, plain(status, body))
		got, err := p.Report(context.Background(), question(), guess(t))
		if err == nil && got.Status == "" {
			t.Error("neither an answer nor an error")
		}
		if got.Status == countersign.StatusApproved && (status != 200 || !strings.Contains(body, ref)) {
			t.Errorf("approved by %d %q", status, body)
		}
	})
}
