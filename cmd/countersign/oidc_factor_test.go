package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// authenticator is an app on a person's phone (RFC 6238).
type authenticator []byte

func (a authenticator) code(at time.Time) string {
	mac := hmac.New(sha1.New, a)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// clockOf is the instance's clock, which is ahead of the wall's.
func (i *instanceUnderTest) clockOf() time.Time {
	i.t.Helper()
	status, text := i.raw("POST", "/dev/clock", `{"advance":"1ms"}`)
	var a struct{ Now time.Time }
	if err := json.Unmarshal([]byte(text), &a); status != 200 || err != nil || a.Now.IsZero() {
		i.t.Fatalf("the clock: %d %s", status, text)
	}
	return a.Now
}

// fresh is a code that was not used before.
func (a authenticator) fresh(i *instanceUnderTest) string {
	i.t.Helper()
	i.raw("POST", "/dev/clock", `{"advance":"61s"}`)
	return a.code(i.clockOf())
}

// enrol gives a person an authenticator app.
func (i *instanceUnderTest) enrol(a *account) authenticator {
	i.t.Helper()
	begun := i.as(*a, "POST", "/v1/me/factors/totp", "{}")
	secret, err := base32.StdEncoding.DecodeString(begun.text("secret"))
	if err != nil || begun.status != 201 {
		i.t.Fatalf("beginning: %d %v", begun.status, begun.body)
	}
	app := authenticator(secret)
	done := i.as(*a, "POST", "/v1/me/factors/"+begun.text("id")+"/confirm", fmt.Sprintf(`{"code":%q}`, app.code(i.clockOf())))
	if done.status != 200 {
		i.t.Fatalf("confirming: %d %v", done.status, done.body)
	}
	a.access, a.refresh = done.text("access_token"), done.text("refresh_token")
	i.raw("DELETE", "/dev/limits", "") // the next login comes at once
	return app
}

// onPaper gives a person who has just shown a factor recovery codes. That takes a while, above all under the race detector.
func (i *instanceUnderTest) onPaper(a *account) (codes []string) {
	i.t.Helper()
	made := i.as(*a, "POST", "/v1/me/factors/recovery-codes", "")
	list, _ := made.body["codes"].([]any)
	if len(list) == 0 {
		i.t.Fatalf("recovery codes: %d %v", made.status, made.body)
	}
	for _, c := range list {
		codes = append(codes, c.(string))
	}
	a.access, a.refresh = made.text("access_token"), made.text("refresh_token")
	return codes
}

const (
	levelOne = "urn:countersign:aal1"
	levelTwo = "urn:countersign:aal2"
)

func wanting(levels ...string) oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("acr_values", strings.Join(levels, " "))
}

// acr_values: the login page asks for a further factor after the phone, works without script, and the id token says what
// was shown. A person without one gets the error of the specification, or a login of the first level where the client
// takes that too.
func TestOpenIDConnectSecondLevel(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	rp := newRelyingParty(t, i)
	number := freshNumber()
	a := i.logIn(number)
	app := i.enrol(&a)
	codes := i.onPaper(&a)

	t.Run("an authenticator app", func(t *testing.T) {
		b, v := newBrowser(t, i), newVisit()
		page := b.do("POST", i.url+"/oauth2/login", b.provePhone(b.get(rp.start(v, wanting(levelTwo))), number))
		form := page.fields("code")
		if page.left != nil || form == nil || strings.Contains(page.body, "<script") || strings.Contains(page.body, `value="skip"`) {
			t.Fatalf("no question for the factor: %v\n%s", page.left, page.body)
		}
		before := b.cookies("sso")
		// A form that comes out of its order answers nothing.
		for path, values := range map[string]url.Values{
			"/oauth2/consent": {"id": form["id"], "answer": {"allow"}},
			"/oauth2/factor":  {"id": form["id"], "answer": {"skip"}},
		} {
			if s := b.do("POST", i.url+path, values); s.left != nil && s.left.Query().Get("code") != "" {
				t.Fatalf("%s: the client got a code without the factor", path)
			} else if path == "/oauth2/factor" && s.left.Query().Get("error") != "unmet_authentication_requirements" {
				t.Errorf("declined: %v", s.left)
			}
		}
		form.Set("code", "000000")
		if s := newBrowser(t, i).do("POST", i.url+"/oauth2/factor", form); s.left != nil || s.status != 400 {
			t.Errorf("another browser: %d %v", s.status, s.left)
		}
		if s := b.do("POST", i.url+"/oauth2/factor", form, "Origin", "https://evil.example"); s.status != 403 {
			t.Errorf("a form of another site: %d", s.status)
		}
		page = b.do("POST", i.url+"/oauth2/factor", form)
		if page.status != 422 || !strings.Contains(page.body, `data-problem="incorrect_code"`) || page.fields("code") == nil {
			t.Errorf("a wrong code: %d\n%s", page.status, page.body)
		}
		form.Set("code", app.fresh(i))
		page = b.do("POST", i.url+"/oauth2/factor", form)
		if page.left == nil {
			t.Fatalf("after the right code the browser was not sent back: %d\n%s", page.status, page.body)
		}
		_, who, err := rp.finish(t.Context(), v, page.left)
		if err != nil || who.ACR != levelTwo || !strings.Contains(strings.Join(who.AMR, " "), "mfa") || who.Subject != a.user {
			t.Errorf("the id token says %+v, %v", who, err)
		}
		if after := b.cookies("sso"); after == before || after == "" { // INV-11
			t.Error("the session's cookie is the one of before")
		}
		old := newBrowser(t, i)
		old.setCookie("sso", before)
		if s := old.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "login_required" {
			t.Errorf("the cookie of before is good: %v", s.left)
		}
		// The session has shown it: nobody asks again.
		v = newVisit()
		if s := b.get(rp.start(v, wanting(levelTwo), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil {
			t.Errorf("asked again: %s", s.body)
		} else if _, who, err := rp.finish(t.Context(), v, s.left); err != nil || who.ACR != levelTwo {
			t.Errorf("the second id token says %+v, %v", who, err)
		}
		// prompt=login cannot be answered by a form with the session of before.
		page = b.get(rp.start(newVisit(), wanting(levelTwo), oauth2.SetAuthURLParam("prompt", "login")))
		id := page.fields("phone").Get("state")
		for path, answer := range map[string]string{"/oauth2/factor": "skip", "/oauth2/consent": "allow"} {
			if s := b.do("POST", i.url+path, url.Values{"id": {id}, "answer": {answer}}); s.left != nil && s.left.Host == "127.0.0.1:9" {
				t.Errorf("%s answers a prompt=login with the session of before: %v", path, s.left)
			}
		}
	})
	t.Run("a recovery code, in a session that goes on", func(t *testing.T) {
		b, v := newBrowser(t, i), newVisit()
		if _, who, err := rp.finish(t.Context(), v, b.logIn(b.get(rp.start(v)), number)); err != nil || who.ACR != levelOne {
			t.Fatalf("control: without acr_values the id token says %+v, %v", who, err)
		}
		if s := b.get(rp.start(newVisit(), wanting(levelTwo), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "interaction_required" {
			t.Errorf("prompt=none: %v", s.left)
		}
		v = newVisit()
		form := b.get(rp.start(v, wanting(levelTwo, levelOne))).fields("code")
		form.Set("code", codes[0])
		if _, who, err := rp.finish(t.Context(), v, b.do("POST", i.url+"/oauth2/factor", form).left); err != nil || who.ACR != levelTwo {
			t.Errorf("the id token says %+v, %v", who, err)
		}
	})
	t.Run("declined, where the client takes the first level", func(t *testing.T) {
		b, v := newBrowser(t, i), newVisit()
		page := b.do("POST", i.url+"/oauth2/login", b.provePhone(b.get(rp.start(v, wanting(levelTwo, levelOne))), number))
		form := page.fields("answer")
		form.Set("answer", "skip")
		if _, who, err := rp.finish(t.Context(), v, b.do("POST", i.url+"/oauth2/factor", form).left); err != nil || who.ACR != levelOne {
			t.Errorf("the id token says %+v, %v", who, err)
		}
	})
	t.Run("a person without a factor", func(t *testing.T) {
		b, v := newBrowser(t, i), newVisit()
		other := freshNumber()
		if back := b.logIn(b.get(rp.start(v, wanting(levelTwo))), other); back.Query().Get("error") != "unmet_authentication_requirements" {
			t.Errorf("%v", back)
		}
		v = newVisit()
		if _, who, err := rp.finish(t.Context(), v, b.get(rp.start(v, wanting(levelTwo, levelOne))).left); err != nil || who.ACR != levelOne {
			t.Errorf("where the first level does: %+v, %v", who, err)
		}
	})
	t.Run("too many wrong codes", func(t *testing.T) {
		b := newBrowser(t, i)
		page := b.do("POST", i.url+"/oauth2/login", b.provePhone(b.get(rp.start(newVisit(), wanting(levelTwo))), number))
		form := page.fields("code")
		form.Set("code", "aaaa-aaaa-aaaa-aaaa")
		for range 5 {
			page = b.do("POST", i.url+"/oauth2/factor", form)
		}
		if page.status != 422 || !strings.Contains(page.body, "in 15 min.") {
			t.Errorf("the fifth: %d\n%s", page.status, page.body)
		}
		form.Set("code", codes[1])
		if page = b.do("POST", i.url+"/oauth2/factor", form); page.status != 429 {
			t.Errorf("the sixth, which is right: %d\n%s", page.status, page.body)
		}
		i.raw("POST", "/dev/clock", `{"advance":"15m"}`)
		if page = b.do("POST", i.url+"/oauth2/factor", form); page.left == nil || page.left.Query().Get("code") == "" {
			t.Errorf("after the wait: %d\n%s", page.status, page.body)
		}
	})
}

// A number that was not proved for 90 days: the page asks for the factor, or makes a new account.
func TestOpenIDConnectStaleNumber(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	rp := newRelyingParty(t, i)
	number := freshNumber()
	a := i.logIn(number)
	app := i.enrol(&a)
	ask := func() (*browser, visit, *shown) {
		t.Helper()
		i.raw("POST", "/dev/clock", `{"advance":"2184h"}`)
		b, v := newBrowser(t, i), newVisit()
		page := b.do("POST", i.url+"/oauth2/login", b.provePhone(b.get(rp.start(v)), number))
		if page.left != nil || page.fields("code") == nil {
			t.Fatalf("the page does not ask: %v\n%s", page.left, page.body)
		}
		return b, v, page
	}
	b, v, page := ask()
	form := page.fields("code")
	form.Set("code", "aaaa-aaaa-aaaa-aaaa")
	if page = b.do("POST", i.url+"/oauth2/factor", form); page.status != 422 || page.fields("code").Get("proof") == "" {
		t.Errorf("a wrong code: %d\n%s", page.status, page.body)
	}
	form.Set("code", app.fresh(i))
	if _, who, err := rp.finish(t.Context(), v, b.do("POST", i.url+"/oauth2/factor", form).left); err != nil || who.Subject != a.user || who.ACR != levelTwo {
		t.Errorf("with the factor: %+v, %v", who, err)
	}
	b, v, page = ask()
	form = page.fields("answer")
	form.Set("answer", "none")
	if _, who, err := rp.finish(t.Context(), v, b.do("POST", i.url+"/oauth2/factor", form).left); err != nil || who.Subject == a.user {
		t.Errorf("without it: %+v, %v", who, err)
	}
}
