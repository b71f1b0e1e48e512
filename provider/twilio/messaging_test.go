package twilio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/twilio"
)

// The vendor's published examples.
func TestPublishedSignatures(t *testing.T) {
	for caller, want := range map[string]string{"+14158675309": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "+12349013030": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="} {
		form := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {caller}, "Digits": {"1234"}, "From": {caller}, "To": {"+18005551212"}}
		if got := twilio.Signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form); got != want {
			t.Errorf("%s: %s, want %s", caller, got, want)
		}
	}
}

// What the vendor's libraries test: a name with several values, one of them twice.
func TestSignatureOfRepeatedNames(t *testing.T) {
	form := url.Values{"Sid": {"CA123"}, "SidAccount": {"AC123"}, "Digits": {"5678", "1234", "1234"}}
	if got, want := twilio.Signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form), "IK+Dwps556ElfBT0I3Rgjkr1wJU="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func messaging(t testing.TB, answer providertest.Answer) (*twilio.Messaging, *providertest.Carrier) {
	t.Helper()
	c := providertest.NewCarrier(answer)
	cfg := messagingConfig(c.URL())
	cfg.Template = "HX00000000000000000000000000000001"
	p, err := twilio.NewMessaging(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.CloseIdleConnections(); c.Close() })
	return p, c
}

const sm = "SM00000000000000000000000000000001"

func TestMessageForms(t *testing.T) {
	taken := plain(201, `{"sid":"`+sm+`","status":"accepted"}`)
	m := providertest.NewMessage(1)
	ref := callback + "/" + m.Verification + "." + m.ID
	for _, tt := range []struct {
		name    string
		channel countersign.Channel
		sender  string
		want    url.Values
	}{
		{"sms", countersign.ChannelSMS, "", url.Values{"To": {m.To.Dial()}, "From": {"+12025550100"}, "Body": {m.Text}}},
		{"a country's sender", countersign.ChannelSMS, "ACME", url.Values{"To": {m.To.Dial()}, "From": {"ACME"}, "Body": {m.Text}}},
		{"a country's pool", countersign.ChannelSMS, "MG00000000000000000000000000000001", url.Values{"To": {m.To.Dial()}, "MessagingServiceSid": {"MG00000000000000000000000000000001"}, "Body": {m.Text}}},
		{"whatsapp", countersign.ChannelWhatsApp, "", url.Values{
			"To": {"whatsapp:" + m.To.Dial()}, "From": {"whatsapp:+12025550100"}, "ContentSid": {"HX00000000000000000000000000000001"},
			"ContentVariables": {`{"1":"` + m.Code.Reveal() + `"}`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, c := messaging(t, taken)
			sent := *m
			sent.Channel, sent.Sender = tt.channel, tt.sender
			if _, err := p.Send(t.Context(), &sent); err != nil {
				t.Fatal(err)
			}
			tt.want.Set("StatusCallback", ref)
			tt.want.Set("ValidityPeriod", "300")
			if got := string(c.Requests()[0].Body); got != tt.want.Encode() {
				t.Errorf("%s\nwant %s", got, tt.want.Encode())
			}
		})
	}
}

// A message whose answer was lost is sent again only when the vendor has none with the same text.
func TestSecondMessage(t *testing.T) {
	m := providertest.NewMessage(1)
	m.Attempt = 2
	listed := func(to, body, created string) providertest.Answer {
		return func(w http.ResponseWriter, r *http.Request, b []byte) {
			if r.Method == http.MethodPost {
				plain(201, `{"sid":"SM00000000000000000000000000000002","status":"queued"}`)(w, r, b)
				return
			}
			w.Header().Set("Date", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Format(http.TimeFormat))
			fmt.Fprintf(w, `{"messages":[{"sid":%q,"to":%q,"body":%q,"status":"sent","date_created":%q}]}`, sm, to, body, created)
		}
	}
	soon, long := "Fri, 02 Jan 2026 03:03:58 +0000", "Fri, 02 Jan 2026 03:03:05 +0000"
	for _, tt := range []struct {
		name   string
		answer providertest.Answer
		ref    string
	}{
		{"it arrived", listed(m.To.Dial(), m.Text, soon), sm},
		{"another text", listed(m.To.Dial(), "Demo: 000000 is your code.", soon), "SM00000000000000000000000000000002"},
		{"a minute ago", listed(m.To.Dial(), m.Text, long), "SM00000000000000000000000000000002"},
		{"another number", listed("+12025550134", m.Text, soon), "SM00000000000000000000000000000002"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := messaging(t, tt.answer)
			h, err := p.Send(t.Context(), m)
			if err != nil || h.Ref != tt.ref {
				t.Errorf("Send = %+v, %v; want %s", h, err, tt.ref)
			}
		})
	}
}

// inbox remembers what people sent back.
type inbox struct {
	providertest.Sink
	replies []string
	err     error
}

func (i *inbox) TakeReply(_ context.Context, sender string, from countersign.Address, text string) error {
	if i.err != nil {
		return i.err
	}
	i.replies = append(i.replies, sender+" "+from.Dial()+" "+text)
	return nil
}

func TestCallbacks(t *testing.T) {
	p, _ := messaging(t, plain(500, ``))
	path := "/hooks/twilio/status"
	m := providertest.NewMessage(1)
	delivered := url.Values{"MessageSid": {sm}, "MessageStatus": {"delivered"}}
	mine := path + "/" + m.Verification + "." + m.ID
	forged := report(mine, delivered)
	forged.Header.Set("X-Twilio-Signature", twilio.Signature("another token", "https://example.com"+mine, delivered))
	moved := report(mine, delivered)
	moved.URL.Path, moved.RequestURI = mine+"x", mine+"x"
	twice := report(mine, delivered)
	twice.Header.Add("X-Twilio-Signature", twice.Header.Get("X-Twilio-Signature"))
	unsigned := report(mine, delivered)
	unsigned.Header.Del("X-Twilio-Signature")
	taken := &inbox{}
	for _, tt := range []struct {
		name    string
		request *http.Request
		status  int
	}{
		{"delivered", report(mine, delivered), 200},
		{"of nobody", report(path+"/nobody", delivered), 200},
		{"a status of tomorrow", report(mine, url.Values{"MessageSid": {sm}, "MessageStatus": {"Zzz"}}), 200},
		{"STOP", report(path, url.Values{"MessageSid": {sm}, "From": {m.To.Dial()}, "To": {"+12025550100"}, "Body": {"stop"}, "OptOutType": {"STOP"}}), 200},
		{"a reply that names no message", report(path, url.Values{"From": {m.To.Dial()}, "To": {"+12025550100"}, "Body": {"START"}}), 200},
		{"forged", forged, 401},
		{"another address", moved, 401},
		{"two signatures", twice, 401},
		{"no signature", unsigned, 401},
		{"1 MiB", httptest.NewRequest(http.MethodPost, mine, strings.NewReader(strings.Repeat("x", 1<<20))), 413},
		{"no form", httptest.NewRequest(http.MethodPost, mine, strings.NewReader("%zz")), 400},
		{"a GET", httptest.NewRequest(http.MethodGet, mine, http.NoBody), 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.Callback(taken).ServeHTTP(w, tt.request)
			if w.Code != tt.status {
				t.Errorf("%d, want %d", w.Code, tt.status)
			}
		})
	}
	if want := "+12025550100 " + m.To.Dial() + " STOP"; len(taken.replies) != 1 || taken.replies[0] != want {
		t.Errorf("replies %q, want %q", taken.replies, want)
	}
}

// An old START, recorded and played back with its true signature, does not undo a STOP; one that could not be kept comes again.
func TestRepliesCountOnce(t *testing.T) {
	p, _ := messaging(t, plain(500, ``))
	number := providertest.NewMessage(1).To.Dial()
	said := func(n int, text string) *http.Request {
		return report("/hooks/twilio/status", url.Values{"MessageSid": {fmt.Sprintf("SM%032d", n)}, "From": {number}, "To": {"+12025550100"}, "Body": {text}})
	}
	taken := &inbox{err: countersign.Unavailable(nil)}
	for _, tt := range []struct {
		request *http.Request
		status  int
	}{{said(1, "START"), 503}, {said(1, "START"), 200}, {said(2, "STOP"), 200}, {said(1, "START"), 200}} {
		w := httptest.NewRecorder()
		p.Callback(taken).ServeHTTP(w, tt.request)
		if w.Code != tt.status {
			t.Errorf("answered with %d, want %d", w.Code, tt.status)
		}
		taken.err = nil
	}
	if got, want := strings.Join(taken.replies, "; "), "+12025550100 "+number+" START; +12025550100 "+number+" STOP"; got != want {
		t.Errorf("the engine heard %q, want %q", got, want)
	}
}

// The vendor signs the address with its port or without, whichever was configured.
func TestSignaturesWithAndWithoutPort(t *testing.T) {
	form := url.Values{"MessageSid": {sm}, "MessageStatus": {"delivered"}}
	const path = "/hooks/twilio/status/x"
	for _, tt := range []struct {
		configured, signed string
		status             int
	}{
		{"https://example.com", "https://example.com", 200},
		{"https://example.com", "https://example.com:443", 200},
		{"https://example.com:443", "https://example.com", 200},
		{"https://example.com:8443", "https://example.com:8443", 200},
		{"https://example.com:8443", "https://example.com", 200},
		{"https://example.com", "https://example.com:8443", 401},
		{"https://example.com", "http://example.com", 401},
		{"https://example.com", "https://example.com.evil.example", 401},
	} {
		cfg := messagingConfig("http://127.0.0.1:1")
		cfg.CallbackURL = tt.configured + "/hooks/twilio/status"
		p, err := twilio.NewMessaging(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := report(path, form)
		r.Header.Set("X-Twilio-Signature", twilio.Signature(authToken, tt.signed+path, form))
		w := httptest.NewRecorder()
		p.Callback(&inbox{}).ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("told %s, signed for %s: %d, want %d", tt.configured, tt.signed, w.Code, tt.status)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	_, err := twilio.NewMessaging(twilio.MessagingConfig{
		Account: twilio.Account{SID: "AC1"}, From: "x", Pool: "MG1", BaseURL: "http://example.com", CallbackURL: "ftp://x",
	})
	for _, want := range []string{"name:", "account_sid:", "auth_token:", "sender:", "messaging_service_sid:", "base_url:", "public_url:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
	if _, err := twilio.NewVerify(twilio.VerifyConfig{Name: "t", Account: twilio.Account{SID: accountSID, KeySID: "SK1"}, Service: "VA1"}); err == nil ||
		!strings.Contains(err.Error(), "service_sid:") || !strings.Contains(err.Error(), "key_id:") {
		t.Errorf("got %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", account(), account(), account()); strings.Contains(text, authToken) {
		t.Error("an account prints its token")
	}
}

// FuzzCallback feeds true signatures over foreign forms: nothing panics, and no answer is above 413.
func FuzzCallback(f *testing.F) {
	f.Add("/hooks/twilio/status/ver_x.msg_y", "MessageSid="+sm+"&MessageStatus=delivered")
	f.Add("/hooks/twilio/status", "From=%2B14155550101&Body=STOP")
	f.Add("/", "a=%00&a=b;c")
	p, err := twilio.NewMessaging(messagingConfig("http://127.0.0.1:1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		form, err := url.ParseQuery(body)
		u, notPath := url.ParseRequestURI(path)
		if err != nil || notPath != nil || !strings.HasPrefix(path, "/") || u.Host != "" {
			return
		}
		r := &http.Request{Method: http.MethodPost, URL: u, Header: http.Header{}, Body: http.NoBody}
		r.Body = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).Body
		r.Header.Set("X-Twilio-Signature", twilio.Signature(authToken, "https://example.com"+u.RequestURI(), form))
		w := httptest.NewRecorder()
		p.Callback(&providertest.Sink{}).ServeHTTP(w, r)
		if w.Code > 413 {
			t.Errorf("%d", w.Code)
		}
	})
}
