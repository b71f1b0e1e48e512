package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/twilio"
)

const ve = "VE00000000000000000000000000000001"

// vendor answers by method and path; the rest is the vendor's 404.
type vendor map[string]providertest.Answer

func (v vendor) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	if user, password, _ := r.BasicAuth(); user != accountSID || password != authToken {
		vendorError(401, 20003)(w, r, body)
		return
	}
	if a, ok := v[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v2/Services/"+service)]; ok {
		a(w, r, body)
		return
	}
	vendorError(404, 20404)(w, r, body)
}

func verify(t *testing.T, v vendor) (*twilio.Verify, *providertest.Carrier) {
	t.Helper()
	c := providertest.NewCarrier(v.answer)
	p, err := twilio.NewVerify(verifyConfig(c.URL()))
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

func guess(t *testing.T, text string) countersign.Guess {
	t.Helper()
	g, err := countersign.ParseGuess(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func standing(status string, valid bool) providertest.Answer {
	return about(providertest.NewMessage(1).To.Dial(), ve, status, valid)
}

func about(number, sid, status string, valid bool) providertest.Answer {
	return plain(200, fmt.Sprintf(`{"sid":%q,"to":%q,"status":%q,"valid":%t}`, sid, number, status, valid))
}

func hangUp(w http.ResponseWriter, _ *http.Request, _ []byte) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

func TestReport(t *testing.T) {
	other := providertest.NewMessage(2).To.Dial()
	for _, tt := range []struct {
		name   string
		answer providertest.Answer
		want   countersign.Status
		unsure bool
	}{
		{"right", standing("approved", true), countersign.StatusApproved, false},
		{"wrong", standing("pending", false), countersign.StatusPending, false},
		{"not of its codes' shape", vendorError(400, 60200), countersign.StatusPending, false},
		{"guesses used up", vendorError(429, 60202), countersign.StatusFailed, false},
		{"gone", vendorError(404, 20404), countersign.StatusExpired, false},
		{"canceled there", standing("canceled", false), countersign.StatusCanceled, false},
		{"approved, but not by this", standing("approved", false), "", true},
		{"somebody else's number", about(other, ve, "approved", true), "", true},
		{"another verification", about(providertest.NewMessage(1).To.Dial(), "VE00000000000000000000000000000002", "approved", true), "", true},
		{"a new status", standing("blessed", false), "", true},
		{"404 of a proxy", plain(404, `not found`), "", true},
		{"too many requests", vendorError(429, 20429), "", true},
		{"not JSON", plain(200, `approved`), "", true},
		{"200 with an error body", vendorError(200, 60202), "", true},
		{"5xx with the words of an answer", vendorError(500, 60202), "", true},
		{"unauthorized", vendorError(401, 20003), "", true},
		{"lost", hangUp, "", true},
		{"10 MiB", func(w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = w.Write(make([]byte, 10<<20)) }, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, c := verify(t, vendor{"POST /VerificationCheck": tt.answer})
			a, err := p.Report(t.Context(), question(ve), guess(t, "123456"))
			if (err != nil) != tt.unsure || a.Status != tt.want {
				t.Errorf("Report = %+v, %v; want %q", a, err, tt.want)
			}
			if n := len(c.Requests()); n != 1 {
				t.Errorf("the guess was reported %d times", n)
			}
			if body := string(c.Requests()[0].Body); body != "Code=123456&VerificationSid="+ve {
				t.Errorf("body = %s", body)
			}
		})
	}
}

func attempts(list string) providertest.Answer {
	return plain(200, `{"attempts":[`+list+`],"meta":{}}`)
}

// The vendor no longer shows what was approved. Its log of attempts does.
func TestStatus(t *testing.T) {
	converted := fmt.Sprintf(`{"verification_sid":%q,"conversion_status":"unconverted"},{"verification_sid":%q,"conversion_status":"converted"}`, ve, ve)
	for _, tt := range []struct {
		name   string
		v      vendor
		ref    string
		want   countersign.Status
		unsure bool
	}{
		{"pending", vendor{"GET /Verifications/" + ve: standing("pending", false)}, ve, countersign.StatusPending, false},
		{"used up", vendor{"GET /Verifications/" + ve: standing("max_attempts_reached", false)}, ve, countersign.StatusFailed, false},
		{"approved and forgotten", vendor{"GET /v2/Attempts": attempts(converted)}, ve, countersign.StatusApproved, false},
		{"expired and forgotten", vendor{"GET /v2/Attempts": attempts(fmt.Sprintf(`{"verification_sid":%q,"conversion_status":"unconverted"}`, ve))}, ve, countersign.StatusExpired, false},
		{"somebody else's was converted", vendor{"GET /v2/Attempts": attempts(`{"verification_sid":"VE9","conversion_status":"converted"}`)}, ve, countersign.StatusExpired, false},
		{"never started", vendor{}, "", countersign.StatusPending, false},
		{"another number", vendor{"GET /Verifications/" + ve: about(providertest.NewMessage(2).To.Dial(), ve, "approved", true)}, ve, "", true},
		{"the log is nonsense", vendor{"GET /v2/Attempts": plain(200, `{}`)}, ve, "", true},
		{"the log fails", vendor{"GET /v2/Attempts": plain(500, ``)}, ve, "", true},
		{"fails", vendor{"GET /Verifications/" + ve: plain(503, ``)}, ve, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := verify(t, tt.v)
			a, err := p.Status(t.Context(), question(tt.ref))
			if (err != nil) != tt.unsure || a.Status != tt.want {
				t.Errorf("Status = %+v, %v; want %q", a, err, tt.want)
			}
		})
	}
}

func begun(number, status string, ago time.Duration) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // the vendor's clock, not ours
		w.Header().Set("Date", now.Format(http.TimeFormat))
		fmt.Fprintf(w, `{"sid":%q,"to":%q,"status":%q,"send_code_attempts":[{"time":"2026-01-02T02:00:00Z"},{"time":%q}]}`, ve, number, status, now.Add(-ago).Format(time.RFC3339))
	}
}

// A start whose answer was lost is repeated only when the vendor says that there was none.
func TestSecondStart(t *testing.T) {
	number := providertest.NewMessage(1).To.Dial()
	for _, tt := range []struct {
		name   string
		lookup providertest.Answer
		starts int
		fails  bool
	}{
		{"the first arrived", begun(number, "pending", 7*time.Second), 0, false},
		{"the first never arrived", nil, 1, false},
		{"an older one is open", begun(number, "pending", 40*time.Second), 1, false},
		{"of another number", begun("+12025550134", "pending", 7*time.Second), 1, false},
		{"the look-up is lost", hangUp, 0, true},
		{"the look-up fails", plain(503, ``), 0, true},
		{"the look-up is nonsense", plain(200, `[]`), 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := providertest.NewMessage(1)
			m.Attempt = 2
			v := vendor{"POST /Verifications": plain(201, `{"sid":"`+ve+`","status":"pending"}`)}
			if tt.lookup != nil {
				v["GET /Verifications/"+number] = tt.lookup
			}
			p, c := verify(t, v)
			h, err := p.Send(context.Background(), m)
			if (err != nil) != tt.fails || !tt.fails && h.Ref != ve {
				t.Errorf("Send = %+v, %v", h, err)
			}
			if f := (*countersign.Failure)(nil); tt.fails && (!errors.As(err, &f) || f.Class != countersign.FailUnknown) {
				t.Errorf("a failed look-up leaves it open: %v", err)
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

func TestStartForm(t *testing.T) {
	for channel, name := range map[countersign.Channel]string{countersign.ChannelSMS: "sms", countersign.ChannelVoice: "call", countersign.ChannelWhatsApp: "whatsapp"} {
		p, c := verify(t, vendor{"POST /Verifications": plain(201, `{"sid":"`+ve+`"}`)})
		m := providertest.NewMessage(1)
		m.Channel, m.Locale = channel, "pt-BR"
		if _, err := p.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want := url.Values{"To": {m.To.Dial()}, "Channel": {name}, "Locale": {"pt-BR"}}.Encode()
		if got := string(c.Requests()[0].Body); got != want {
			t.Errorf("%s: %s, want %s", channel, got, want)
		}
		if strings.Contains(string(c.Requests()[0].Body), m.Code.Reveal()) {
			t.Error("our code went to a vendor that makes its own")
		}
	}
	p, c := verify(t, vendor{})
	m := providertest.NewMessage(1)
	m.Channel = countersign.ChannelFlashCall
	if _, err := p.Send(t.Context(), m); err == nil || len(c.Requests()) != 0 {
		t.Errorf("a channel that the vendor does not have: %v", err)
	}
}

// FuzzVerify feeds foreign answers: nothing panics, nothing is approved that does not say so for this very verification.
func FuzzVerify(f *testing.F) {
	for _, seed := range []string{`{"sid":"` + ve + `","to":"+14155550101","status":"approved","valid":true}`, `{"attempts":[{}]}`, `{"code":60202}`, `[]`, `{"sid":1}`, "\x00"} {
		f.Add(200, seed)
		f.Add(404, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		answer := func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
		p, c := verify(t, vendor{"POST /VerificationCheck": answer, "GET /Verifications/" + ve: answer, "GET /v2/Attempts": answer, "POST /Verifications": answer})
		a, err := p.Report(t.Context(), question(ve), guess(t, "123456"))
		if err == nil && a.Status == countersign.StatusApproved && (status > 299 || !strings.Contains(body, ve) || !strings.Contains(body, "true")) {
			t.Errorf("approved by %d %q", status, body)
		}
		_, _ = p.Status(t.Context(), question(ve))
		_, _ = p.Send(t.Context(), providertest.NewMessage(1))
		if len(c.Requests()) < 3 {
			t.Errorf("only %d requests", len(c.Requests()))
		}
	})
}
