package web_test

import (
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/web"
)

func account(t testing.TB, p *web.Pages, v web.AccountView) *page {
	t.Helper()
	return render(t, func(w io.Writer) error { return p.Account(w, v) })
}

// accountSamples are views that between them show everything the template can.
func accountSamples() map[string]web.AccountView {
	v := func(step web.AccountStep) web.AccountView {
		return web.AccountView{Step: step, AppName: "Acme <Shop>", ID: "oar_1", Client: "Partner & Sons"}
	}
	all := map[string]web.AccountView{}
	for _, step := range []web.AccountStep{
		web.AccountFactor, web.AccountStale, web.AccountConsent, web.AccountLogout, web.AccountLoggedOut, web.AccountLeave,
		web.AccountLate, web.AccountEnded, web.AccountUsed, web.AccountFinished,
	} {
		all[string(step)] = v(step)
	}
	for name, change := range map[string]func(*web.AccountView){
		"factor, may be left out": func(v *web.AccountView) { v.Skip = true },
		"factor, or a passkey":    func(v *web.AccountView) { v.Passkey = "/verify?app=demo" },
		"factor, only a passkey":  func(v *web.AccountView) { v.Passkey, v.OnlyPasskey = "/verify?app=demo", true },
		"factor, wrong":           func(v *web.AccountView) { v.Problem = &web.Problem{Code: "incorrect_code"} },
		"factor, no code":         func(v *web.AccountView) { v.Problem = &web.Problem{Code: "invalid_code"} },
		"factor, too often": func(v *web.AccountView) {
			v.Problem = &web.Problem{Code: "too_many_checks", RetryAfter: 15 * time.Minute}
		},
		"factor, never heard of": func(v *web.AccountView) { v.Problem = &web.Problem{Code: "x"} },
	} {
		one := v(web.AccountFactor)
		change(&one)
		all[name] = one
	}
	stale, consent, logout, leave := v(web.AccountStale), v(web.AccountConsent), v(web.AccountLogout), v(web.AccountLeave)
	stale.Proof, consent.Phone = "a.b.c", true
	logout.Logout = url.Values{"state": {"<x>"}, "client_id": {"c"}}
	leave.Go = "/elsewhere?code=1&state=2"
	all["stale, with a proof"], all["consent, with the number"], all["logout of a client"], all["leave, at once"] = stale, consent, logout, leave
	return all
}

func TestAccountPages(t *testing.T) {
	p := newPages(t)
	for name, v := range accountSamples() {
		for _, lang := range append(web.Languages(), "xx") {
			v.Lang = lang
			got := account(t, p, v)
			for _, f := range got.faults {
				t.Errorf("%s, %s: %s", name, lang, f)
			}
			want := lang
			if lang == "xx" {
				want = "en"
			}
			html := got.all("html")[0].attr
			if html["lang"] != want || (html["dir"] == "rtl") != (want == "ar") {
				t.Errorf("%s, %s: %v", name, lang, html)
			}
			for _, input := range got.all("input") {
				if input.attr["name"] == "lang" && input.attr["value"] != want {
					t.Errorf("%s, %s: the form goes on in %s", name, lang, input.attr["value"])
				}
			}
		}
	}
}

func TestAccountPagesSayWhatIsAsked(t *testing.T) {
	p := newPages(t)
	all := accountSamples()
	for name, wants := range map[string][]string{
		"factor":                   {"Confirm that it is you", `action="/oauth2/factor"`, `name="code"`, `value="oar_1"`, "Acme &lt;Shop&gt;"},
		"factor, may be left out":  {`value="skip"`},
		"factor, or a passkey":     {`href="/verify?app=demo"`, `name="code"`},
		"factor, wrong":            {"not right", `aria-invalid="true"`, `data-problem="incorrect_code"`},
		"factor, too often":        {"15 min"},
		"factor, never heard of":   {"not right"},
		"stale, with a proof":      {`name="proof" value="a.b.c"`, `value="none"`},
		"consent":                  {"Partner &amp; Sons wants to know who you are.", `value="deny"`},
		"consent, with the number": {"and your phone number"},
		"logout of a client":       {`name="state" value="&lt;x&gt;"`, `name="confirm" value="yes"`},
		"leave, at once":           {`content="0;url=/elsewhere?code=1&amp;state=2"`},
		"late":                     {"another browser"},
	} {
		v := all[name]
		v.Lang = "en"
		text := account(t, p, v).text
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
	}
	only := all["factor, only a passkey"]
	if text := account(t, p, only).text; strings.Contains(text, `name="code"`) || !strings.Contains(text, "/verify?app=demo") {
		t.Errorf("who has a passkey only is asked for a code:\n%s", text)
	}
}

// A key that was copied and forgotten is a sentence in English.
func TestAccountPagesAreTranslated(t *testing.T) {
	p := newPages(t)
	for name, v := range accountSamples() {
		v.AppName, v.Client = "", "x"
		said := func(lang string) (list []string) {
			v.Lang = lang
			for _, e := range account(t, p, v).elements {
				if text := strings.TrimSpace(e.label); text != "" && slices.Contains([]string{"h1", "p", "label", "button", "span", "title"}, e.name) {
					list = append(list, text)
				}
			}
			return list
		}
		english := said("en")
		for _, lang := range web.Languages()[1:] {
			for _, sentence := range said(lang) {
				if slices.Contains(english, sentence) {
					t.Errorf("%s, %s: %q is English", name, lang, sentence)
				}
			}
		}
	}
}

// The pages weigh no more than the hosted page may: 30 KiB with the style that they share with it.
func TestAccountPagesAreLight(t *testing.T) {
	p := newPages(t)
	v := accountSamples()["stale, with a proof"]
	v.Lang, v.Proof = "hi", strings.Repeat("x", 1500)
	page := account(t, p, v)
	bytes := len(page.text)
	for _, link := range page.all("link") {
		r := httptest.NewRequest("GET", link.attr["href"], nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		p.Static().ServeHTTP(w, r)
		if w.Code != 200 || w.Body.Len() == 0 {
			t.Fatalf("%s: %d", link.attr["href"], w.Code)
		}
		bytes += w.Body.Len()
	}
	if bytes > 30<<10 {
		t.Errorf("it weighs %d bytes", bytes)
	}
	t.Logf("%d bytes", bytes)
}
