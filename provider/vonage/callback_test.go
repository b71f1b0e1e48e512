package vonage_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/vonage"
)

// claims are what a test changes of a true token.
type claims struct {
	alg, key, hash, secret string
	age                    time.Duration
	unsigned               bool
}

// signed is a request as the vendor makes it.
func signed(c claims, body string) *http.Request {
	sum := sha256.Sum256([]byte(body))
	or := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	enc := base64.RawURLEncoding.EncodeToString
	token := enc([]byte(fmt.Sprintf(`{"typ":"JWT","alg":%q}`, or(c.alg, "HS256")))) + "." + enc([]byte(fmt.Sprintf(
		`{"iat":%d,"jti":"x","iss":"Vonage","payload_hash":%q,"api_key":%q,"application_id":"y"}`,
		time.Now().Add(-c.age).Unix(), or(c.hash, hex.EncodeToString(sum[:])), or(c.key, apiKey))))
	mac := hmac.New(sha256.New, []byte(or(c.secret, string(secret))))
	if c.alg == "HS512" {
		mac = hmac.New(sha512.New, []byte(secret))
	}
	mac.Write([]byte(token))
	signature := enc(mac.Sum(nil))
	if c.unsigned {
		signature = ""
	}
	r := httptest.NewRequest(http.MethodPost, "/hooks/main/status", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token+"."+signature)
	return r
}

func messages(t testing.TB) *vonage.Messages {
	t.Helper()
	p, err := vonage.NewMessages(config("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func post(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestTokens(t *testing.T) {
	m := providertest.NewMessage(1)
	body := fmt.Sprintf(`{"message_uuid":"u","client_ref":"%s.%s","status":"rejected","error":{"type":"https://developer.vonage.com/api-errors/messages#1050"}}`, m.Verification, m.ID)
	for name, c := range map[string]struct {
		claims claims
		want   int
	}{
		"true":             {claims{}, 200},
		"half an hour old": {claims{age: 30 * time.Minute}, 200},
		"a day old":        {claims{age: 24 * time.Hour}, 401},
		"of tomorrow":      {claims{age: -24 * time.Hour}, 401},
		"none":             {claims{alg: "none", unsigned: true}, 401},
		"no signature":     {claims{unsigned: true}, 401},
		"another alg":      {claims{alg: "HS512"}, 401},
		"says RS256":       {claims{alg: "RS256"}, 401},
		"another secret":   {claims{secret: "another"}, 401},
		"another account":  {claims{key: "efgh5678"}, 401},
		"another body":     {claims{hash: strings.Repeat("0", 64)}, 401},
		"no hash":          {claims{hash: " "}, 401},
	} {
		sink := &providertest.Sink{}
		if got := post(messages(t).Callback(sink), signed(c.claims, body)); got != c.want || (len(sink.Receipts()) == 1) != (c.want == 200) {
			t.Errorf("%s: answered with %d, %d receipts", name, got, len(sink.Receipts()))
		} else if c.want == 200 && sink.Receipts()[0].Detail != "1050" {
			t.Errorf("%s: %+v", name, sink.Receipts()[0])
		}
	}
}

func TestCosts(t *testing.T) {
	m := providertest.NewMessage(1)
	for usage, want := range map[string]countersign.Money{
		`{"currency":"EUR","price":"0.0333"}`: {Micros: 33_300, Currency: "EUR"},
		`{"currency":"EUR","price":0.0333}`:   {Micros: 33_300, Currency: "EUR"},
		`{"currency":"EUR","price":3e-5}`:     {Micros: 30, Currency: "EUR"},
		`{"currency":"EUR","price":"free"}`:   {},
		`{"currency":"","price":"0.03"}`:      {},
		`{"currency":"EUR","price":{"x":1}}`:  {},
		`{}`:                                  {},
		`null`:                                {},
	} {
		sink := &providertest.Sink{}
		body := fmt.Sprintf(`{"message_uuid":"u","client_ref":"%s.%s","status":"submitted","usage":%s}`, m.Verification, m.ID, usage)
		if code := post(messages(t).Callback(sink), signed(claims{}, body)); code != 200 || len(sink.Receipts()) != 1 || sink.Receipts()[0].Cost != want {
			t.Errorf("%s: %d, %+v", usage, code, sink.Receipts())
		}
	}
}

type replies struct {
	providertest.Sink
	texts []string
	err   error
}

func (s *replies) TakeReply(_ context.Context, sender string, from countersign.Address, text string) error {
	if s.err == nil {
		s.texts = append(s.texts, sender+" "+from.Dial()+" "+text)
	}
	return s.err
}

func TestReplies(t *testing.T) {
	sink := &replies{err: countersign.Unavailable(nil)}
	h := messages(t).Callback(sink)
	said := func(uuid, text string) *http.Request {
		return signed(claims{}, fmt.Sprintf(`{"channel":"sms","message_uuid":%q,"from":"14155550102","to":"15005550006","message_type":"text","text":%q}`, uuid, text))
	}
	if code := post(h, said("u1", "START")); code != 503 {
		t.Errorf("a reply that could not be kept was answered with %d", code)
	}
	sink.err = nil
	// The last one is the first, played back: it must not undo the STOP.
	for _, r := range []*http.Request{said("u1", "START"), said("u2", "STOP"), said("u1", "START")} {
		if code := post(h, r); code != 200 {
			t.Errorf("answered with %d", code)
		}
	}
	if got := strings.Join(sink.texts, "; "); got != "15005550006 +14155550102 START; 15005550006 +14155550102 STOP" {
		t.Errorf("the engine heard %q", got)
	}
}

// FuzzCallback feeds true tokens over foreign bodies, and foreign tokens.
func FuzzCallback(f *testing.F) {
	f.Add(`{"status":"delivered","client_ref":"x.y"}`, "Bearer a.b.c")
	f.Add(`{"text":1}`, "")
	f.Fuzz(func(t *testing.T, body, token string) {
		if code := post(messages(t).Callback(&providertest.Sink{}), signed(claims{}, body)); code > 413 {
			t.Errorf("a body was answered with %d", code)
		}
		r := signed(claims{}, body)
		r.Header.Set("Authorization", token)
		sink := &providertest.Sink{}
		if code := post(messages(t).Callback(sink), r); code/100 != 4 || len(sink.Receipts()) > 0 {
			t.Errorf("a foreign token was answered with %d", code)
		}
	})
}
