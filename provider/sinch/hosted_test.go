package sinch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/sinch"
	"countersign/sinchauth"
)

// vendor answers by method and path; the rest is 404.
type vendor map[string]providertest.Answer

func (v vendor) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	if a, ok := v[r.Method+" "+strings.TrimPrefix(r.URL.EscapedPath(), "/verification/v1/verifications")]; ok {
		a(w, r, body)
		return
	}
	vendorError(404, 40400, "Requested resource was not found.")(w, r, body)
}

func hosted(t testing.TB, v vendor) (*sinch.Verification, *providertest.Carrier) {
	t.Helper()
	c := providertest.NewCarrier(v.answer)
	p, err := sinch.NewVerification(verificationConfig(t, c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.CloseIdleConnections(); c.Close() })
	return p, c
}

func question(ref string) countersign.HostedQuestion {
	m := providertest.NewMessage(1)
	return countersign.HostedQuestion{Verification: m.Verification, Ref: ref, To: m.To, Channel: countersign.ChannelSMS}
}

func guess(t testing.TB, text string) countersign.Guess {
	t.Helper()
	g, err := countersign.ParseGuess(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func standing(status, reason string) providertest.Answer {
	return plain(200, fmt.Sprintf(`{"id":"v1","method":"sms","identity":{"type":"number","endpoint":%q},"status":%q,"reason":%q,"verificationTimestamp":%q}`,
		providertest.NewMessage(1).To.Dial(), status, reason, time.Now().UTC().Format("2006-01-02T15:04:05.0000000")))
}

func hangUp(w http.ResponseWriter, _ *http.Request, _ []byte) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// Each start has the vendor's shape, our reference and a true signature.
func TestStartShapes(t *testing.T) {
	const id = `"identity":{"type":"number","endpoint":"+14155550101"},`
	ref := `"reference":"` + providertest.NewMessage(1).Verification + `"`
	tests := []struct {
		channel  countersign.Channel
		alphabet countersign.Alphabet
		answer   string
		signed   bool
		body     string
		scheme   string
	}{
		{countersign.ChannelSMS, countersign.Digits, `{"id":"v1"}`, true, `{` + id + `"method":"sms",` + ref + `,"smsOptions":{"codeType":"Numeric","expiry":"00:05:00"}}`, ""},
		{countersign.ChannelSMS, countersign.Alphanumeric, `{"id":"v1"}`, true, `{` + id + `"method":"sms",` + ref + `,"smsOptions":{"codeType":"Alphanumeric","expiry":"00:05:00"}}`, ""},
		{countersign.ChannelVoice, countersign.Digits, `{"id":"v1"}`, true, `{` + id + `"method":"callout",` + ref + `,"calloutOptions":{"speech":{"locale":"en"}}}`, ""},
		{countersign.ChannelWhatsApp, countersign.Letters, `{"id":"v1"}`, true, `{` + id + `"method":"whatsapp",` + ref + `,"whatsappOptions":{"codeType":"Alpha"}}`, ""},
		{countersign.ChannelFlashCall, countersign.Digits, `{"id":"v1","flashCall":{"cliFilter":"(.*)8156(.*)"}}`, true, `{` + id + `"method":"flashcall",` + ref + `}`, "(.*)8156(.*)"},
		{countersign.ChannelFlashCall, countersign.Digits, `{"id":"v1","flashCall":{"cliFilter":"(.*)8156(.*)"}}`, false, `{` + id + `"method":"flashcall",` + ref + `}`, ""},
		{countersign.ChannelSeamless, countersign.Digits, `{"id":"v1","seamless":{"targetUri":"https://x/y"}}`, false, `{` + id + `"method":"seamless",` + ref + `}`, "https://x/y"},
	}
	for _, tt := range tests {
		t.Run(string(tt.channel), func(t *testing.T) {
			p, c := hosted(t, vendor{"POST ": plain(200, tt.answer)})
			m := providertest.NewMessage(1)
			m.Channel, m.Alphabet, m.Signed = tt.channel, tt.alphabet, tt.signed
			h, err := p.Send(context.Background(), m)
			if err != nil || h.Ref != "v1" || h.Scheme != tt.scheme {
				t.Fatalf("Send = %+v, %v; want scheme %q", h, err, tt.scheme)
			}
			r := c.Requests()[0]
			if string(r.Body) != tt.body {
				t.Errorf("body = %s\nwant   %s", r.Body, tt.body)
			}
			checkSignature(t, r)
		})
	}
}

func checkSignature(t *testing.T, got providertest.Request) {
	t.Helper()
	want := "Application " + appKey + ":" + sinchauth.Sign(credentials(t).Secret, sinchauth.Parts{
		Method: got.Method, Body: got.Body, ContentType: got.Header.Get("Content-Type"),
		Timestamp: got.Header.Get("x-timestamp"), Path: got.Path,
	})
	if a := got.Header.Get("Authorization"); a != want {
		t.Errorf("authorization of %s %s = %q, want %q", got.Method, got.Path, a, want)
	}
}

type reportCase struct {
	name   string
	put    providertest.Answer
	get    providertest.Answer
	want   countersign.Status
	unsure bool
}

func reportCases() []reportCase {
	wrong := vendorError(400, 40003, "Invalid identity or code.")
	return []reportCase{
		{"right", standing("SUCCESSFUL", ""), nil, countersign.StatusApproved, false},
		{"wrong as an error", wrong, nil, countersign.StatusPending, false},
		{"wrong by its message", vendorError(403, 40300, "Invalid identity or code"), nil, countersign.StatusPending, false},
		{"wrong as a status, more allowed", standing("FAIL", "Invalid code"), standing("PENDING", ""), countersign.StatusPending, false},
		{"wrong as a status, the last", standing("FAIL", "Invalid code"), standing("FAIL", "Invalid code"), countersign.StatusFailed, false},
		{"wrong as a status, another guess was right", standing("FAIL", "Invalid code"), standing("SUCCESSFUL", ""), countersign.StatusFailed, false},
		{"wrong as a status, no more known", standing("FAIL", "Invalid CLI"), hangUp, countersign.StatusPending, false},
		{"expired", standing("FAIL", "Expired"), nil, countersign.StatusExpired, false},
		{"hung up", standing("FAIL", "Hung up without entering valid code"), nil, countersign.StatusFailed, false},
		{"aborted", standing("ABORTED", ""), nil, countersign.StatusCanceled, false},
		{"denied", standing("DENIED", "Fraud"), nil, countersign.StatusDenied, false},
		{"error", standing("ERROR", "SMS delivery failure"), nil, countersign.StatusUndeliverable, false},
		{"still pending", standing("PENDING", ""), nil, countersign.StatusPending, false},
		{"forgotten", vendorError(404, 40400, "Requested resource was not found."), nil, countersign.StatusExpired, false},
		{"ended before", vendorError(409, 40900, "conflict"), standing("SUCCESSFUL", ""), countersign.StatusFailed, false},
		{"200 without a status", plain(200, `{"id":"v1"}`), nil, "", true},
		{"a new status", standing("BLESSED", ""), nil, "", true},
		{"not JSON", plain(200, `SUCCESSFUL`), nil, "", true},
		{"lost", hangUp, standing("SUCCESSFUL", ""), "", true},
		{"5xx", plain(500, ``), nil, "", true},
		{"5xx with the words of a wrong code", vendorError(500, 50000, "Invalid identity or code."), nil, "", true},
		{"velocity", vendorError(429, 42901, "slow down"), nil, "", true},
		{"unauthorized", vendorError(401, 40102, "Invalid Signature"), nil, "", true},
	}
}

func TestReportAnswers(t *testing.T) {
	for _, tt := range reportCases() {
		t.Run(tt.name, func(t *testing.T) {
			v := vendor{"PUT /id/v1": tt.put}
			if tt.get != nil {
				v["GET /id/v1"] = tt.get
			}
			p, c := hosted(t, v)
			a, err := p.Report(context.Background(), question("v1"), guess(t, "123456"))
			if (err != nil) != tt.unsure || a.Status != tt.want {
				t.Errorf("Report = %+v, %v; want %q", a, err, tt.want)
			}
			puts := 0
			for _, r := range c.Requests() {
				checkSignature(t, r)
				if r.Method == http.MethodPut {
					puts++
				}
			}
			if puts != 1 {
				t.Errorf("the guess was reported %d times", puts)
			}
		})
	}
}

func TestReportBodies(t *testing.T) {
	tests := []struct {
		channel countersign.Channel
		guess   string
		body    string
	}{
		{countersign.ChannelSMS, "123456", `{"method":"sms","sms":{"code":"123456"}}`},
		{countersign.ChannelVoice, "123456", `{"callout":{"code":"123456"},"method":"callout"}`},
		{countersign.ChannelWhatsApp, "1234", `{"method":"whatsapp","whatsapp":{"code":"1234"}}`},
		{countersign.ChannelFlashCall, "+18156540001", `{"flashCall":{"cli":"+18156540001"},"method":"flashcall"}`},
	}
	for _, tt := range tests {
		p, c := hosted(t, vendor{"PUT /id/v1": standing("SUCCESSFUL", "")})
		q := question("v1")
		q.Channel = tt.channel
		if _, err := p.Report(context.Background(), q, guess(t, tt.guess)); err != nil {
			t.Fatal(err)
		}
		if got := string(c.Requests()[0].Body); got != tt.body {
			t.Errorf("%s: body = %s, want %s", tt.channel, got, tt.body)
		}
	}
	p, c := hosted(t, vendor{"GET /id/v1": standing("SUCCESSFUL", "")})
	q := question("v1")
	q.Channel = countersign.ChannelSeamless
	if a, err := p.Report(context.Background(), q, guess(t, "000000")); err != nil || a.Status != countersign.StatusApproved {
		t.Errorf("Report of data verification = %+v, %v", a, err)
	}
	if n := len(c.Requests()); n != 1 || c.Requests()[0].Method != http.MethodGet {
		t.Errorf("data verification was asked about with %d requests", n)
	}
}

// Without the vendor's id the reference leads to it, never the number.
func TestQuestionsByReference(t *testing.T) {
	ref := question("").Verification
	p, c := hosted(t, vendor{"GET /reference/" + ref: standing("PENDING", ""), "PUT /id/v1": standing("SUCCESSFUL", "")})
	if a, err := p.Status(context.Background(), question("")); err != nil || a.Status != countersign.StatusPending {
		t.Errorf("Status = %+v, %v", a, err)
	}
	if a, err := p.Report(context.Background(), question(""), guess(t, "123456")); err != nil || a.Status != countersign.StatusApproved {
		t.Errorf("Report = %+v, %v", a, err)
	}
	for _, r := range c.Requests() {
		if strings.Contains(r.Path, "number") {
			t.Errorf("asked by number: %s", r.Path)
		}
	}
	none, _ := hosted(t, vendor{})
	for _, tt := range []struct {
		ref  string
		want countersign.Status
	}{{"", countersign.StatusPending}, {"v1", countersign.StatusExpired}} {
		if a, err := none.Status(context.Background(), question(tt.ref)); err != nil || a.Status != tt.want {
			t.Errorf("Status of an unknown %q = %+v, %v; want %q", tt.ref, a, err, tt.want)
		}
	}
}

func begun(status string, ago time.Duration) providertest.Answer {
	return begunFor(providertest.NewMessage(1).To.Dial(), status, ago)
}

func begunFor(number, status string, ago time.Duration) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // the vendor's clock, not ours
		w.Header().Set("Date", now.Format(http.TimeFormat))
		fmt.Fprintf(w, `{"id":"v0","method":"sms","identity":{"type":"number","endpoint":%q},"status":%q,"verificationTimestamp":%q}`, number, status,
			now.Add(-ago).Format("2006-01-02T15:04:05.0000000"))
	}
}

// A start is repeated only when the vendor says that there was none.
func TestSecondAttempt(t *testing.T) {
	tests := []struct {
		name   string
		lookup providertest.Answer
		ref    string
		class  countersign.FailureClass
		starts int
	}{
		{"the first arrived", begun("PENDING", 7*time.Second), "v0", 0, 0},
		{"the first arrived and succeeded", begun("SUCCESSFUL", 7*time.Second), "v0", 0, 0},
		{"the first never arrived", nil, "v1", 0, 1},
		{"somebody else's has our reference", begunFor(providertest.NewMessage(2).To.Dial(), "PENDING", 7*time.Second), "v1", 0, 1},
		{"the answer does not say whose it is", plain(200, `{"id":"v0","status":"PENDING"}`), "", countersign.FailUnknown, 0},
		{"the first was denied", begun("DENIED", 7*time.Second), "", countersign.FailDenied, 0},
		{"the first failed", begun("ERROR", 7*time.Second), "v1", 0, 1},
		{"a wanted second message", begun("PENDING", 29*time.Second), "v1", 0, 1},
		{"the look-up is lost", hangUp, "", countersign.FailUnknown, 0},
		{"the look-up fails", plain(503, ``), "", countersign.FailUnknown, 0},
		{"the look-up is nonsense", plain(200, `[]`), "", countersign.FailUnknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := providertest.NewMessage(1)
			m.Attempt = 2
			v := vendor{"POST ": plain(200, `{"id":"v1"}`)}
			if tt.lookup != nil {
				v["GET /reference/"+m.Verification] = tt.lookup
			}
			p, c := hosted(t, v)
			h, err := p.Send(context.Background(), m)
			f := (*countersign.Failure)(nil)
			if errors.As(err, &f); h.Ref != tt.ref || (err != nil) != (tt.ref == "") || f != nil && f.Class != tt.class {
				t.Errorf("Send = %+v, %v", h, err)
			}
			starts := 0
			for _, r := range c.Requests() {
				if r.Method == http.MethodPost {
					starts++
				}
			}
			if starts != tt.starts {
				t.Errorf("%d starts, want %d", starts, tt.starts)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  providertest.Answer
		ok   bool
	}{
		{"taken", standing("SUCCESSFUL", ""), true},
		{"wrong", vendorError(400, 40003, "Invalid identity or code."), false},
		{"lost", hangUp, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := providertest.NewCarrier(vendor{"PUT /id/v1": tt.put}.answer)
			defer c.Close()
			p, err := sinch.NewOwnCode(verificationConfig(t, c.URL()))
			if err != nil {
				t.Fatal(err)
			}
			defer p.CloseIdleConnections()
			if err := p.Complete(context.Background(), question("v1"), countersign.NewCode("123456")); (err == nil) != tt.ok {
				t.Errorf("Complete: %v", err)
			}
		})
	}
}

func TestOwnCodeServesNoFlashCall(t *testing.T) {
	p, err := sinch.NewOwnCode(verificationConfig(t, "http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	m := providertest.NewMessage(1)
	m.Channel = countersign.ChannelFlashCall
	f := (*countersign.Failure)(nil)
	if _, err := p.Send(context.Background(), m); !errors.As(err, &f) || f.Class != countersign.FailOperator {
		t.Errorf("Send: %v", err)
	}
}

func TestVerificationConfigValidate(t *testing.T) {
	good := verificationConfig(t, "https://example.com")
	tests := []struct {
		name   string
		change func(*sinch.VerificationConfig)
		want   string
	}{
		{"good", func(*sinch.VerificationConfig) {}, ""},
		{"no key", func(c *sinch.VerificationConfig) { c.Credentials.Key = "" }, "application_key"},
		{"no secret", func(c *sinch.VerificationConfig) { c.Credentials.Secret = sinchauth.Secret{} }, "application_secret"},
		{"bad address", func(c *sinch.VerificationConfig) { c.BaseURL = "ftp://x" }, "base_url"},
		{"endless", func(c *sinch.VerificationConfig) { c.Timeout = time.Hour }, "timeout"},
	}
	for _, tt := range tests {
		c := good
		tt.change(&c)
		err := c.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	text, err := json.Marshal(good.Credentials)
	if err != nil || strings.Contains(string(text), "ZHVtbXk") {
		t.Errorf("the credentials encode as %s, %v", text, err)
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", good, good), "ZHVtbXk") {
		t.Error("the configuration prints its secret")
	}
}

// An answer about another verification says nothing about this one.
func TestAReportOfAnother(t *testing.T) {
	for id, approved := range map[string]bool{"v1": true, "": true, "v2": false} {
		p, _ := hosted(t, vendor{"PUT /id/v1": plain(200, `{"id":"`+id+`","method":"sms","status":"SUCCESSFUL"}`)})
		a, err := p.Report(t.Context(), question("v1"), guess(t, "123456"))
		if (err == nil) != approved || (a.Status == countersign.StatusApproved) != approved {
			t.Errorf("id %q: %+v, %v", id, a, err)
		}
	}
}

// FuzzHosted feeds foreign answers: nothing panics, nothing is approved that does not say so in as many words, and a guess goes
// out once.
func FuzzHosted(f *testing.F) {
	for _, seed := range []string{
		`{"id":"v1","status":"SUCCESSFUL"}`, `{"id":"v1","status":"FAIL","reason":"Invalid code"}`, `{"errorCode":40003,"message":"x"}`,
		`{"id":"v1","status":"PENDING","identity":{"type":"number","endpoint":"+14155550101"}}`, `[]`, "\x00",
	} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		answer := plain(status, body)
		p, c := hosted(t, vendor{"PUT /id/v1": answer, "GET /id/v1": answer})
		a, err := p.Report(t.Context(), question("v1"), guess(t, "123456"))
		if err == nil && a.Status == "" {
			t.Errorf("%d %q is neither an answer nor an error", status, body)
		}
		if a.Status == countersign.StatusApproved && (status > 299 || !strings.Contains(body, "SUCCESSFUL") && !strings.Contains(body, `\u`)) {
			t.Errorf("approved by %d %q", status, body)
		}
		if s, err := p.Status(t.Context(), question("v1")); err == nil && s.Status == countersign.StatusApproved && status > 299 {
			t.Errorf("the status is approved by %d %q", status, body)
		}
		guesses := 0
		for _, r := range c.Requests() {
			if r.Method == http.MethodPut {
				guesses++
			}
		}
		if guesses != 1 {
			t.Errorf("the guess went out %d times", guesses)
		}
	})
}
