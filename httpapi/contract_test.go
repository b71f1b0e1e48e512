package httpapi_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// This file compares the face on the real engine with what is promised outside, where no other test looks.

// A list is read from the log, which does not know what the phone has left: what it says must still be possible.
func TestListedPendingVerificationsArePlausible(t *testing.T) {
	w := newWhole(t)
	id, code := w.begin(number)
	w.guess(id, another(code), 1).want(422, "incorrect_code")
	read := w.ask("GET", "/v1/verifications/"+id, "", as(secret)).want(200, "").json()
	deadline := time.Now().Add(time.Minute) // the log may lag by a second
	var listed map[string]any
	for listed == nil {
		if time.Now().After(deadline) {
			t.Fatal("the verification is in no list")
		}
		list := w.ask("GET", "/v1/verifications?status=pending&to="+url.QueryEscape(number), "", as(secret)).want(200, "").json()["data"].([]any)
		if len(list) == 1 {
			listed = list[0].(map[string]any)
		}
	}
	for name, most := range map[string]float64{"checks_left": 5, "sends_left": 2, "expires_in": 300} {
		if got := listed[name].(float64); got < read[name].(float64)-1 || got > most || got == 0 {
			t.Errorf("%s is %v in a list and %v by itself", name, got, read[name])
		}
	}
	for _, name := range []string{"id", "app", "status", "to", "channel", "purpose", "reference", "created_at", "expires_at", "code_length", "sends"} {
		if listed[name] != read[name] {
			t.Errorf("%s is %v in a list and %v by itself", name, listed[name], read[name])
		}
	}
	w.advance(5 * time.Minute)
	for listed["status"] != "expired" {
		if time.Now().After(deadline) {
			t.Fatalf("a verification whose time is over is listed as %v", listed)
		}
		listed = w.ask("GET", "/v1/verifications", "", as(secret)).want(200, "").json()["data"].([]any)[0].(map[string]any)
	}
	if listed["checks_left"] != 0.0 || listed["expires_in"] != 0.0 || listed["sends_left"] != 0.0 {
		t.Errorf("an expired verification is listed as %v", listed)
	}
}

// What the RateLimit field counts is the phone's, whatever the answer.
func TestRateLimitIsThePhones(t *testing.T) {
	w := newWhole(t)
	id, code := w.begin(number)
	for _, want := range []string{`"checks";r=19`, `"checks";r=18`, `"checks";r=17`, `"checks";r=16`, `"checks";r=15`} {
		if got := w.guess(id, another(code), 1).want(422, "incorrect_code").header.Get("RateLimit"); got != want {
			t.Errorf("RateLimit %s, want %s", got, want)
		}
	}
	w.advance(time.Hour)
	id, code = w.begin(number)
	if got := w.guess(id, code, 1).want(200, "").header.Get("RateLimit"); !strings.HasPrefix(got, `"checks";r=1`) {
		t.Errorf("RateLimit %s after an approval", got)
	}
}

// When a verification's sends are used up, retry_after says when the phone lets a new start through.
func TestUsedUpSends(t *testing.T) {
	w := newWhole(t)
	id, _ := w.begin(number)
	var last map[string]any
	for _, wait := range []time.Duration{31 * time.Second, 61 * time.Second} {
		w.advance(wait)
		last = w.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(200, "").json()
	}
	if last["sends_left"] != 0.0 || last["resend_in"] != 0.0 {
		t.Errorf("after the last send: sends_left %v, resend_in %v", last["sends_left"], last["resend_in"])
	}
	w.advance(time.Minute)
	a := w.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(429, "too_many_sends")
	if wait, ok := a.json()["retry_after"].(float64); !ok || wait < 400 || wait > 600 || a.header.Get("Retry-After") == "" {
		t.Errorf("retry_after %v, Retry-After %q", a.json()["retry_after"], a.header.Get("Retry-After"))
	}
	w.forget()
	if a := w.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(429, "too_many_sends"); a.json()["retry_after"] != nil {
		t.Errorf("a new start would go through, and yet: %v", a.json())
	}
	w.begin(number)
}

// A failed start that is repeated under its key says that it is the first answer.
func TestFailedStartsAreReplayed(t *testing.T) {
	w := newWhole(t)
	var ids []any
	for _, replayed := range []string{"", "true"} {
		a := w.ask("POST", "/v1/verifications", `{"to":"+12015550500"}`, as(secret), "Idempotency-Key: k").want(502, "delivery_failed")
		if got := a.header.Get("Idempotent-Replayed"); got != replayed {
			t.Errorf("Idempotent-Replayed %q, want %q", got, replayed)
		}
		ids = append(ids, a.json()["verification_id"])
	}
	if ids[0] != ids[1] || ids[0] == nil {
		t.Errorf("two verifications: %v", ids)
	}
}
