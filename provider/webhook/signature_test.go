package webhook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/provider/webhook"
)

// The example that the Standard Webhooks libraries publish and test themselves with.
const (
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func vector() http.Header {
	return http.Header{
		webhook.HeaderID: {vectorID}, webhook.HeaderTimestamp: {"1614265330"}, webhook.HeaderSignature: {vectorSignature},
	}
}

func TestPublishedVector(t *testing.T) {
	secret, at := mustSecret(t, sendSecret), time.Unix(vectorTime, 0)
	h := http.Header{}
	webhook.Sign(h, vectorID, at, []byte(vectorBody), secret)
	for name, want := range vector() {
		if got := h.Get(name); got != want[0] {
			t.Errorf("%s is %q, want %q", name, got, want[0])
		}
	}
	if id, err := webhook.Verify(vector(), []byte(vectorBody), at, secret); err != nil || id != vectorID {
		t.Errorf("Verify = %q, %v", id, err)
	}
}

func TestVerify(t *testing.T) {
	secret, other := mustSecret(t, sendSecret), mustSecret(t, receiptSecret)
	at := time.Unix(vectorTime, 0)
	two := http.Header{}
	webhook.Sign(two, vectorID, at, []byte(vectorBody), other, secret)
	set := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) { h[name] = values }
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		now    time.Time
		ok     bool
	}{
		{"as published", func(http.Header) {}, at, true},
		{"five minutes late", func(http.Header) {}, at.Add(webhook.Tolerance), true},
		{"five minutes early", func(http.Header) {}, at.Add(-webhook.Tolerance), true},
		{"later", func(http.Header) {}, at.Add(webhook.Tolerance + time.Second), false},
		{"earlier", func(http.Header) {}, at.Add(-webhook.Tolerance - time.Second), false},
		{"other versions beside it", set(webhook.HeaderSignature, "v2,AAAA "+vectorSignature+" v1a,AAAA"), at, true},
		{"two secrets' signatures", set(webhook.HeaderSignature, two.Get(webhook.HeaderSignature)), at, true},
		{"another version only", set(webhook.HeaderSignature, strings.Replace(vectorSignature, "v1,", "v2,", 1)), at, false},
		{"no version", set(webhook.HeaderSignature, vectorSignature[3:]), at, false},
		{"not base64", set(webhook.HeaderSignature, "v1,"+strings.Repeat("!", 44)), at, false},
		{"short signature", set(webhook.HeaderSignature, "v1,AAAA"), at, false},
		{"empty signature", set(webhook.HeaderSignature, ""), at, false},
		{"after ten wrong ones", set(webhook.HeaderSignature, strings.Repeat("v1,x ", 10)+vectorSignature), at, false},
		{"no id", func(h http.Header) { delete(h, webhook.HeaderID) }, at, false},
		{"two ids", set(webhook.HeaderID, vectorID, vectorID), at, false},
		{"another id", set(webhook.HeaderID, "msg_x"), at, false},
		{"stop in the id", set(webhook.HeaderID, "msg_p5jXN8AQM9LWM0D4loKWxJek.1"), at, false},
		{"long id", set(webhook.HeaderID, strings.Repeat("a", 300)), at, false},
		{"no time", func(h http.Header) { delete(h, webhook.HeaderTimestamp) }, at, false},
		{"signed time", set(webhook.HeaderTimestamp, "+1614265330"), at, false},
		{"leading zero", set(webhook.HeaderTimestamp, "01614265330"), at, false},
		{"time in hex", set(webhook.HeaderTimestamp, "0x60379a72"), at, false},
		{"time with a fraction", set(webhook.HeaderTimestamp, "1614265330.0"), at, false},
		{"another second", set(webhook.HeaderTimestamp, "1614265331"), at, false},
		{"two signatures' headers", set(webhook.HeaderSignature, vectorSignature, vectorSignature), at, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := vector()
			c.change(h)
			id, err := webhook.Verify(h, []byte(vectorBody), c.now, secret)
			if (err == nil) != c.ok || (id == vectorID) != c.ok {
				t.Errorf("Verify = %q, %v, want ok %v", id, err, c.ok)
			}
		})
	}
}

func TestVerifyBindsBodyAndSecret(t *testing.T) {
	secret, other := mustSecret(t, sendSecret), mustSecret(t, receiptSecret)
	at := time.Unix(vectorTime, 0)
	if _, err := webhook.Verify(vector(), []byte(vectorBody+" "), at, secret); err == nil {
		t.Error("another body was accepted")
	}
	if _, err := webhook.Verify(vector(), []byte(vectorBody), at, other); err == nil {
		t.Error("another secret's signature was accepted")
	}
	if _, err := webhook.Verify(vector(), []byte(vectorBody), at, webhook.Secret{}); err == nil {
		t.Error("a zero secret was accepted")
	}
	if _, err := webhook.Verify(vector(), []byte(vectorBody), at, other, secret); err != nil {
		t.Errorf("the second secret: %v", err)
	}
}

func TestParseSecret(t *testing.T) {
	of := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n)))
	}
	for text, ok := range map[string]bool{
		of(24): true, of(64): true, of(23): false, of(65): false, of(0): false, "": false,
		strings.TrimPrefix(of(32), "whsec_"): false, "whsec_!!!!": false, "WHSEC_" + of(32)[6:]: false, of(32) + "\n ": false,
	} {
		s, err := webhook.ParseSecret(text)
		if (err == nil) != ok {
			t.Errorf("a secret of %d characters: %v, want ok %v", len(text), err, ok)
		}
		if s.String() != "(secret)" || (err != nil && len(text) > 10 && strings.Contains(err.Error(), text[8:])) {
			t.Error("a secret shows")
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, "1614265330", vectorSignature, []byte(vectorBody))
	f.Add("", "", "", []byte{})
	f.Add("a.b", "-1", "v1,= v1, v1", []byte("x"))
	f.Add(vectorID, "99999999999999999999", strings.Repeat("v1,AAAA ", 100), []byte(vectorBody))
	secret, at := mustSecret(f, sendSecret), time.Unix(vectorTime, 0)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := http.Header{webhook.HeaderID: {id}, webhook.HeaderTimestamp: {timestamp}, webhook.HeaderSignature: {signature}}
		got, err := webhook.Verify(h, body, at, secret)
		if err != nil {
			return
		}
		// Whatever is accepted is what we would have signed: nobody finds a second spelling of it.
		want := http.Header{}
		webhook.Sign(want, got, at, body, secret)
		if timestamp == "1614265330" && !strings.Contains(signature, want.Get(webhook.HeaderSignature)) {
			t.Errorf("accepted %q for %q", signature, got)
		}
	})
}
