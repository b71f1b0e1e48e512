package httpapi_test

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/httpapi"
)

// browser keeps the page's cookie and sends forms as a browser without scripts does.
type browser struct {
	*face
	cookie string
	last   *answer
}

const askedFor = "app=demo&purpose=signup&state=s-1&nonce=n-1&return_url=https%3A%2F%2Fshop.example%2Fback"

func (b *browser) open(query string) *answer {
	b.t.Helper()
	headers := []string{"Accept: text/html"}
	if b.cookie != "" {
		headers = append(headers, "Cookie: "+b.cookie)
	}
	b.last = b.ask("GET", "/verify?"+query, "", headers...)
	b.keepCookie()
	return b.last
}

func (b *browser) keepCookie() {
	for _, c := range b.last.header.Values("Set-Cookie") {
		if strings.Contains(c, "csrf=") {
			b.cookie, _, _ = strings.Cut(c, ";")
		}
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// submit sends the form of a step with what the person filled in.
func (b *browser) submit(step string, typed url.Values, headers ...string) *answer {
	b.t.Helper()
	form := url.Values{}
	for _, part := range strings.Split(b.last.body, "<form")[1:] {
		part, _, _ = strings.Cut(part, "</form>")
		if !strings.Contains(part, `name="step" value="`+step+`"`) {
			continue
		}
		for _, m := range hidden.FindAllStringSubmatch(part, -1) {
			form.Set(m[1], html.UnescapeString(m[2]))
		}
	}
	if form.Get("step") == "" {
		b.t.Fatalf("no form for %s in %s", step, b.last.body)
	}
	for name, values := range typed {
		form[name] = values
	}
	return b.post(form, headers...)
}

func (b *browser) post(form url.Values, headers ...string) *answer {
	b.t.Helper()
	all := []string{
		"Content-Type: application/x-www-form-urlencoded", "Accept: text/html", "Origin: https://verify.example",
		"Sec-Fetch-Site: same-origin", "Cookie: " + b.cookie,
	}
	b.last = b.ask("POST", "/verify", form.Encode(), append(all, headers...)...)
	b.keepCookie()
	return b.last
}

func (a *answer) shows(parts ...string) *answer {
	a.t.Helper()
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			a.t.Fatalf("the page has no %q: %s", part, a.body)
		}
	}
	return a
}

func TestPageWithoutScripts(t *testing.T) {
	b := &browser{face: newFace(t)}
	b.open(askedFor).want(200, "").shows(`name="phone"`, `name="region"`, "Acme")
	h := b.last.header
	if !strings.Contains(h.Get("Content-Security-Policy"), "form-action 'self' https://shop.example;") || h.Get("X-Frame-Options") != "DENY" ||
		h.Values("Cross-Origin-Opener-Policy") != nil || !strings.HasPrefix(h.Get("Set-Cookie"), "__Host-csrf=") ||
		!strings.Contains(h.Get("Set-Cookie"), "HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("headers %v", h)
	}
	b.submit("phone", url.Values{"phone": {"\u202a٢٠١\u00a0٥٥٥\u2011٠١٢٣\u202c"}, "region": {"US"}}).want(200, "").shows(`name="code"`)
	q := b.engine.starts[0]
	if q.To.Dial() != number || q.Purpose != countersign.PurposeSignup || q.Nonce != "n-1" || q.Face != countersign.FacePage || !q.Client.Addr.IsValid() || q.Signed {
		t.Errorf("the engine was asked %+v", q)
	}
	b.last.shows(`<bdi dir="ltr">&#43;1 ••• 23</bdi>`)
	if strings.Contains(b.last.body, number) || strings.Contains(b.last.body, "5550") {
		t.Error("the page shows more of the number")
	}
	b.submit("code", url.Values{"code": {"000000"}}).want(422, "").shows(`data-problem="incorrect_code"`, `name="code"`)
	b.submit("code", url.Values{"code": {"12"}}).want(400, "").shows(`data-problem="invalid_code"`, `name="code"`)
	b.submit("send", url.Values{"channel": {"voice"}}).want(200, "").shows(`name="code"`)
	if got := b.engine.sends[0].Channel; got != countersign.ChannelVoice {
		t.Errorf("sent again by %q", got)
	}
	b.submit("code", url.Values{"code": {"１２３-४५६"}}).want(200, "").shows(
		`action="https://shop.example/back"`, `name="proof" value="header.claims.signature"`, `name="state" value="s-1"`)
}

// Apps open the hosted page in a window of their own and must be able to see that window; no other page is opened so.
func TestOpenersKeepTheHostedPageOnly(t *testing.T) {
	f, _ := newSandbox(t)
	for path, want := range map[string]string{
		"/verify?app=demo": "", "/verify?app=nobody": "", "/verify/x": "",
		"/": "same-origin", "/dev/inbox": "same-origin", "/docs": "same-origin",
	} {
		if got := f.ask("GET", path, "", "Accept: text/html").header.Get("Cross-Origin-Opener-Policy"); got != want {
			t.Errorf("GET %s: %q, want %q", path, got, want)
		}
	}
}

func TestPageNeedsNoReturnAddress(t *testing.T) {
	b := &browser{face: newFace(t)}
	b.open("app=demo").want(200, "")
	b.submit("phone", url.Values{"phone": {number}}).want(200, "")
	b.submit("code", url.Values{"code": {"123456"}}).want(200, "")
	if strings.Contains(b.last.body, "header.claims.signature") {
		t.Error("the proof is shown outside of the sandbox")
	}
}

func TestPageRefusesWhatTheAppDidNotAllow(t *testing.T) {
	f := newFace(t)
	for _, query := range []string{
		"", // two apps: a choice is needed
		"app=demo&return_url=https://evil.example&state=s&nonce=n",
		"app=demo&return_url=//evil.example&state=s&nonce=n",
		"app=demo&return_url=javascript:alert(1)&state=s&nonce=n",
		"app=demo&return_url=https://shop.example/back/&state=s&nonce=n",
		"app=demo&return_url=https://shop.example/back?x=1&state=s&nonce=n",
		"app=demo&return_url=https://shop.example/back&nonce=n",
		"app=demo&return_url=https://shop.example/back&state=s",
		"app=demo&purpose=transaction", "app=demo&purpose=fun", "app=demo&app=other", "app=demo&nonce=%zz", "app=demo;state=s",
		"app=demo&state=" + strings.Repeat("s", 513), "app=demo&nonce=" + strings.Repeat("n", 129), "app=demo&state=%0a",
	} {
		f.ask("GET", "/verify?"+query, "").want(400, "invalid_request")
		f.ask("GET", "/verify/ver_x?"+query, "").want(400, "invalid_request")
		a := f.ask("GET", "/verify?"+query, "", "Accept: text/html").want(400, "")
		if !strings.Contains(a.body, "data-problem") || strings.Contains(a.body, "evil") {
			t.Errorf("%s: %s", query, a.body)
		}
		if strings.Contains(a.header.Get("Content-Security-Policy"), "evil") {
			t.Errorf("%s: policy %s", query, a.header.Get("Content-Security-Policy"))
		}
	}
	f.ask("GET", "/verify?app=other", "").want(404, "not_found") // its hosted_page is off
	f.ask("GET", "/verify?app=nobody", "").want(404, "not_found")
	f.ask("GET", "/verify/ver_x?app=demo", "").want(404, "not_found")
}

func TestFormsComeFromThePage(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
	}{
		{"other site", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}},
		{"other site without fetch metadata", []string{"Origin: https://evil.example", "Sec-Fetch-Site: "}},
		{"null origin", []string{"Origin: null", "Sec-Fetch-Site: cross-site"}},
		{"other scheme", []string{"Origin: http://verify.example", "Sec-Fetch-Site: "}},
		{"sibling", []string{"Origin: https://www.verify.example", "Sec-Fetch-Site: same-site"}},
		{"fetch metadata alone", []string{"Origin: ", "Sec-Fetch-Site: same-site"}},
		{"another browser's token", []string{"Cookie: __Host-csrf=" + strings.Repeat("A", 26)}},
		{"no cookie", []string{"Cookie: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &browser{face: newFace(t)}
			b.open("app=demo")
			b.submit("phone", url.Values{"phone": {number}}, c.headers...).want(http.StatusForbidden, "").shows("data-problem")
			if b.engine.started() != 0 {
				t.Error("a message was sent")
			}
		})
	}
	t.Run("no headers and no token", func(t *testing.T) {
		f := newFace(t)
		f.ask("POST", "/verify", "app=demo&step=phone&phone=%2B12015550123", "Content-Type: application/x-www-form-urlencoded").want(403, "forbidden")
	})
	t.Run("no headers but the token, as old browsers do", func(t *testing.T) {
		b := &browser{face: newFace(t)}
		token := strings.Repeat("B", 26)
		a := b.ask("POST", "/verify", "app=demo&step=phone&phone=%2B12015550123&csrf="+token,
			"Content-Type: application/x-www-form-urlencoded", "Cookie: __Host-csrf="+token)
		a.want(200, "").shows(`name="code"`)
	})
}

func TestPageFormsAreRead(t *testing.T) {
	f := newFace(t)
	f.ask("POST", "/verify", `{"step":"phone"}`).want(415, "unsupported_media_type")
	f.ask("POST", "/verify", "a="+strings.Repeat("a", 5000), "Content-Type: application/x-www-form-urlencoded").want(413, "payload_too_large")
	b := &browser{face: f}
	b.open("app=demo")
	b.submit("phone", url.Values{"step": {"fly"}}).want(400, "").shows("data-problem")
	b.open("app=demo")
	b.submit("phone", url.Values{"phone": {"<b>12"}}).want(400, "").shows(`data-problem="invalid_phone_number"`, `value="&lt;b&gt;12"`)
	b.open("app=demo")
	b.submit("phone", url.Values{"step": {"code"}, "verification": {"ver_x"}}).want(404, "").shows("data-problem")
	b.open("app=demo")
	b.submit("phone", url.Values{"phone": {number}})
	b.submit("send", url.Values{"channel": {"whatsapp"}}).want(400, "")
}

func TestPageTellsRefusals(t *testing.T) {
	b := &browser{face: newFace(t)}
	b.open("app=demo")
	b.engine.fail = &countersign.Error{Kind: countersign.ErrRateLimited, Limit: "client_starts", RetryAfter: 42 * time.Second, Detail: "d"}
	b.submit("phone", url.Values{"phone": {number}}).want(429, "").shows(`data-problem="rate_limited"`, `name="phone"`)
	if strings.Contains(b.last.body, "client_starts") || b.last.header.Get("Retry-After") != "42" {
		t.Errorf("told %v %s", b.last.header, b.last.body)
	}
	b.engine.fail = errors.New("table missing")
	b.submit("phone", url.Values{"phone": {number}}).want(500, "").shows("data-problem")
	if strings.Contains(b.last.body, "table") {
		t.Error("the cause is shown")
	}
	b.engine.fail = nil
	b.submit("phone", url.Values{"phone": {number}}).want(200, "")
	code := b.last
	for range 4 {
		b.submit("code", url.Values{"code": {"000000"}}).want(422, "").shows(`name="code"`)
	}
	b.submit("code", url.Values{"code": {"000000"}}).want(422, "").shows(`data-problem="incorrect_code"`)
	if strings.Contains(b.last.body, `name="code"`) {
		t.Error("another guess is offered after the last")
	}
	b.last = code
	b.submit("code", url.Values{"code": {"123456"}}).want(409, "").shows(`data-problem="verification_closed"`)
}

func TestPageOfTheOnlyApp(t *testing.T) {
	f := newFace(t, func(cfg *httpapi.Config) { cfg.Apps = cfg.Apps[:1] })
	f.ask("GET", "/verify", "").want(200, "").shows("Acme")
	f.ask("GET", "/verify?ui_locales=sv", "").want(200, "").shows(`lang="sv"`)
	f.ask("GET", "/verify", "", "Accept-Language: ar").want(200, "").shows(`dir="rtl"`)
}
