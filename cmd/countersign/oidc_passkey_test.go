package main

import (
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"countersign/passkey/passkeytest"

	"golang.org/x/oauth2"
)

// named starts a sandbox that goes by localhost: passkeys need a domain.
func named(t *testing.T, settings ...string) *instanceUnderTest {
	t.Helper()
	i := newPlace(t, quiet+strings.Join(settings, ""), "COUNTERSIGN_LISTEN=localhost:0").node(t)
	_, port, err := net.SplitHostPort(i.at.API)
	if err != nil {
		t.Fatal(err)
	}
	i.url = "http://localhost:" + port
	return i
}

// ceremony is what the page's script is told to ask the device for.
func (b *browser) ceremony(page *shown) (ceremony string, options []byte) {
	b.t.Helper()
	m := regexp.MustCompile(`data-passkey="([^"]*)"`).FindStringSubmatch(page.body)
	if m == nil {
		b.t.Fatalf("no passkeys at %s:\n%s", page.at, page.body)
	}
	s := b.get(html.UnescapeString(m[1]))
	var o struct {
		Ceremony  string          `json:"ceremony"`
		PublicKey json.RawMessage `json:"public_key"`
	}
	if err := json.Unmarshal([]byte(s.body), &o); err != nil || s.status != 200 {
		b.t.Fatalf("%s: %d %s", m[1], s.status, s.body)
	}
	return o.Ceremony, o.PublicKey
}

// answered is the form that the script sends.
func (b *browser) answered(page *shown, ceremony string, credential []byte, err error) url.Values {
	b.t.Helper()
	form := page.fields("credential")
	if err != nil || form == nil {
		b.t.Fatalf("no form for %s: %v", page.at, err)
	}
	form.Set("ceremony", ceremony)
	form.Set("credential", string(credential))
	return form
}

// use is the form of a login by passkey.
func (b *browser) use(page *shown, d *passkeytest.Device) url.Values {
	b.t.Helper()
	ceremony, options := b.ceremony(page)
	credential, err := d.Get(options)
	return b.answered(page, ceremony, credential, err)
}

// make logs a person in by phone, and makes a passkey on the way.
func (b *browser) make(page *shown, number string, d *passkeytest.Device) *shown {
	b.t.Helper()
	form := b.provePhone(page, number)
	form.Set("passkeys", "yes")
	page = b.do("POST", b.i.url+"/oauth2/login", form)
	ceremony, options := b.ceremony(page)
	credential, err := d.Create(options)
	return b.do("POST", b.i.url+"/oauth2/passkey", b.answered(page, ceremony, credential, err))
}

// refusedPasskey says whether the browser is back at the phone form, with a word about it.
func refusedPasskey(s *shown) bool {
	return s.left == nil && s.fields("phone") != nil && strings.Contains(s.body, `data-problem="passkey_refused"`)
}

// A login by phone, a passkey on the way, and logins by that; then what an attacker may try with one. The control of each
// attack is the same form in its own place, which is a login.
func TestOpenIDConnectPasskeys(t *testing.T) {
	i := named(t)
	rp, b, d := newRelyingParty(t, i), newBrowser(t, i), &passkeytest.Device{Origin: i.url, Step: 1}
	number, v := freshNumber(), newVisit()
	before := b.cookies("sso")
	page := b.make(b.get(rp.start(v)), number, d)
	_, who, err := rp.finish(t.Context(), v, page.left)
	if err != nil || who.ACR != levelTwo || who.Phone != number || b.cookies("sso") == before {
		t.Fatalf("the first login is of %+v, %v", who, err)
	}
	byPasskey := func(b *browser, v visit, more ...oauth2.AuthCodeOption) person {
		t.Helper()
		s := b.do("POST", i.url+"/oauth2/login", b.use(b.get(rp.start(v, more...)), d))
		if s.left == nil {
			t.Fatalf("no login by passkey: %d\n%s", s.status, s.body)
		}
		_, p, err := rp.finish(t.Context(), v, s.left)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if again := byPasskey(newBrowser(t, i), newVisit(), wanting(levelTwo)); again.Subject != who.Subject || again.ACR != levelTwo || fmt.Sprint(again.AMR) != "[hwk user mfa]" {
		t.Errorf("by passkey: %+v", again)
	}

	t.Run("planted", func(t *testing.T) {
		attacker, victim := newBrowser(t, i), newBrowser(t, i)
		theirs := attacker.use(attacker.get(rp.start(newVisit())), d)
		page := victim.get(rp.start(newVisit()))
		if s := victim.do("POST", i.url+"/oauth2/login", theirs); s.status != 400 || s.left != nil {
			t.Errorf("the attacker's state: %d %v", s.status, s.left)
		}
		form := page.fields("credential")
		form.Set("ceremony", theirs.Get("ceremony"))
		form.Set("credential", theirs.Get("credential"))
		if s := victim.do("POST", i.url+"/oauth2/login", form); !refusedPasskey(s) {
			t.Errorf("the victim's state: %d %v", s.status, s.left)
		}
		if s := attacker.do("POST", i.url+"/oauth2/login", theirs, "Origin", "https://evil.example"); s.status != 403 {
			t.Errorf("from another site: %d", s.status)
		}
		if s := attacker.do("POST", i.url+"/oauth2/login", theirs); s.left == nil {
			t.Errorf("control: %d\n%s", s.status, s.body)
		}
	})

	t.Run("again, and for another request", func(t *testing.T) {
		b := newBrowser(t, i)
		first, second := b.get(rp.start(newVisit())), b.get(rp.start(newVisit()))
		form := b.use(first, d)
		other := second.fields("credential")
		other.Set("ceremony", form.Get("ceremony"))
		other.Set("credential", form.Get("credential"))
		if s := b.do("POST", i.url+"/oauth2/login", other); !refusedPasskey(s) {
			t.Errorf("for another request: %d %v", s.status, s.left)
		}
		if s := b.do("POST", i.url+"/oauth2/login", form); s.left == nil {
			t.Fatalf("control: %d\n%s", s.status, s.body)
		}
		if s := b.do("POST", i.url+"/oauth2/login", form); s.status != 400 || s.left != nil {
			t.Errorf("again: %d %v", s.status, s.left)
		}
	})

	t.Run("another origin", func(t *testing.T) {
		d.Origin = "http://localhost:1"
		b := newBrowser(t, i)
		if s := b.do("POST", i.url+"/oauth2/login", b.use(b.get(rp.start(newVisit())), d)); !refusedPasskey(s) {
			t.Errorf("%d %v", s.status, s.left)
		}
		d.Origin = i.url
	})

	// Whoever sits at a browser that is logged in must not get around a new login by answering an offer.
	t.Run("an offer to nobody", func(t *testing.T) {
		i.raw("POST", "/dev/clock", `{"advance":"10m"}`)
		v := newVisit()
		page := b.get(rp.start(v, oauth2.SetAuthURLParam("prompt", "login")))
		state := page.at.Query().Get("state")
		for name, form := range map[string]url.Values{
			"later": {"state": {state}, "later": {"yes"}}, "a passkey": {"state": {state}, "ceremony": {"x"}, "credential": {"{}"}},
		} {
			if s := b.do("POST", i.url+"/oauth2/passkey", form); s.left != nil || s.fields("phone") == nil {
				t.Errorf("%s: %d %v", name, s.status, s.left)
			}
		}
		if s := newBrowser(t, i).do("POST", i.url+"/oauth2/passkey", url.Values{"state": {state}, "later": {"yes"}}); s.status != 400 {
			t.Errorf("another browser: %d", s.status)
		}
		if s := newBrowser(t, i).get(i.url + "/oauth2/passkey?id=" + state); s.status != 400 {
			t.Errorf("options for another browser: %d", s.status)
		}
		s := b.do("POST", i.url+"/oauth2/login", b.use(page, d)) // the control
		if _, p, err := rp.finish(t.Context(), v, s.left); err != nil || p.AuthTime <= who.AuthTime {
			t.Errorf("control: %+v %v", p, err)
		}
	})

	t.Run("the second level for who has a passkey only", func(t *testing.T) {
		b, v := newBrowser(t, i), newVisit()
		page := b.do("POST", i.url+"/oauth2/login", b.provePhone(b.get(rp.start(v, wanting(levelTwo))), number))
		m := regexp.MustCompile(`<a class="go" href="(/verify[^"]*)">Use a passkey`).FindStringSubmatch(page.body)
		if m == nil || page.fields("code") != nil || page.left != nil {
			t.Fatalf("no way to a passkey, or a question for a code that there is none of:\n%s", page.body)
		}
		s := b.do("POST", i.url+"/oauth2/login", b.use(b.get(i.url+html.UnescapeString(m[1])), d))
		if _, p, err := rp.finish(t.Context(), v, s.left); err != nil || p.ACR != levelTwo || p.Subject != who.Subject {
			t.Errorf("%+v %v", p, err)
		}
	})

	t.Run("no less than the second level, for who has nothing", func(t *testing.T) {
		b, d := newBrowser(t, i), &passkeytest.Device{Origin: i.url, Step: 1}
		number, v := freshNumber(), newVisit()
		form := b.provePhone(b.get(rp.start(v, wanting(levelTwo))), number)
		form.Set("passkeys", "yes")
		page := b.do("POST", i.url+"/oauth2/login", form)
		state := page.at.Query().Get("state")
		if s := b.do("POST", i.url+"/oauth2/passkey", url.Values{"state": {state}, "later": {"yes"}}); s.left.Query().Get("error") != "unmet_authentication_requirements" {
			t.Errorf("without: %v", s.left)
		}
		v = newVisit()
		s := b.make(b.get(rp.start(v, wanting(levelTwo), oauth2.SetAuthURLParam("prompt", "login"))), number, d)
		if _, p, err := rp.finish(t.Context(), v, s.left); err != nil || p.ACR != levelTwo {
			t.Errorf("with: %+v %v", p, err)
		}
	})
}
