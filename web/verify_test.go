package web_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/web"
)

func newPages(t testing.TB) *web.Pages {
	t.Helper()
	few := []web.Region{{Code: "SE", CallingCode: "46"}, {Code: "AT", CallingCode: "43"}, {Code: "US", CallingCode: "1"}, {Code: "DE", CallingCode: "49"}}
	p, err := web.New(web.Config{Regions: few})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t testing.TB, write func(io.Writer) error) *page {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return read(b.String())
}

func verify(t testing.TB, p *web.Pages, v web.VerifyView) *page {
	t.Helper()
	return render(t, func(w io.Writer) error { return p.Verify(w, v) })
}

// asked is what an app asks the page for, as the handler fills it in.
func asked(step web.Step) web.VerifyView {
	return web.VerifyView{
		Step: step, Lang: "en", AppName: "Acme <Shop>", CSRF: "csrf-token",
		App: "acme", Purpose: "login", State: "st&te", Nonce: "n\"nce", ReturnURL: "https://app.example/return?a=1&b=2",
		Region: "SE", Verification: "ver_1", To: "+46 •• ••• •• 12", CodeLength: 6, Numeric: true,
	}
}

// codes are the codes of all problems, as in the API's table.
var codes = []string{
	"invalid_request", "invalid_phone_number", "invalid_email", "invalid_code", "unauthorized", "forbidden",
	"number_not_allowed", "opted_out", "not_found", "method_not_allowed", "unsupported_media_type", "payload_too_large",
	"misdirected_request", "verification_closed", "verification_expired", "incorrect_code", "idempotency_mismatch",
	"idempotency_in_progress", "too_many_checks", "resend_too_soon", "too_many_sends", "rate_limited",
	"challenge_required", "delivery_failed", "unavailable", "internal", "passkey_refused",
}

// samples are views that between them show everything the templates can.
func samples() map[string]web.VerifyView {
	all := map[string]web.VerifyView{"nothing set": {Step: web.StepPhone}}
	for _, step := range []web.Step{web.StepPhone, web.StepCode, web.StepDone, web.StepMessage} {
		for _, purpose := range []string{"", "signup", "login", "stepup", "transaction"} {
			v := asked(step)
			v.Purpose = purpose
			if purpose == "transaction" {
				v.Transaction = &web.Transaction{Payee: "ACME <AB>", Amount: "49.90", Currency: "EUR"}
			}
			all[fmt.Sprintf("%s %s", step, purpose)] = v
		}
		for _, code := range append(slices.Clone(codes), "stale_page", "never_heard_of") {
			for _, wait := range []time.Duration{0, 30 * time.Second, 24 * time.Hour} {
				v := asked(step)
				v.Problem = &web.Problem{Code: code, ChecksLeft: int(wait / time.Hour), RetryAfter: wait}
				all[fmt.Sprintf("%s %s %v", step, code, wait)] = v
			}
		}
	}
	for _, channel := range []string{"sms", "voice", "whatsapp", "flashcall", "email"} {
		v := asked(web.StepCode)
		v.Channel, v.CanResend, v.ResendIn, v.ExpiresIn, v.Sandbox = channel, true, 30*time.Second, 5*time.Minute, true
		v.Channels = []string{"sms", "voice", "whatsapp", "flashcall", "email"}
		v.Numeric = channel != "email"
		all["sent by "+channel] = v
	}
	proof := asked(web.StepDone)
	proof.Proof = "eyJ.eyJ.sig"
	all["done, returns"] = proof
	proof.ReturnURL, proof.Sandbox = "", true
	all["done, shows the proof"] = proof
	challenge := asked(web.StepPhone)
	challenge.Problem, challenge.Challenge = &web.Problem{Code: "challenge_required"}, `{"algorithm":"SHA-256"}`
	all["challenge"] = challenge
	for _, step := range []web.Step{web.StepPhone, web.StepDone, web.StepPasskey} {
		v := asked(step)
		v.Proof, v.Passkey, v.PasskeyURL = "eyJ.eyJ.sig", "https://app.example/oauth2/passkey?id=1&new=1", "https://app.example/oauth2/passkey"
		all["passkeys "+string(step)] = v
	}
	again := asked(web.StepCode)
	again.Problem, again.Challenge, again.CanResend, again.Asked = challenge.Problem, challenge.Challenge, true, "voice"
	all["challenge of a resend"] = again
	return all
}

func TestVerifyInEveryStateAndLanguage(t *testing.T) {
	p := newPages(t)
	views := samples()
	for _, lang := range web.Languages() {
		for _, name := range slices.Sorted(maps.Keys(views)) {
			v := views[name]
			v.Lang = lang
			got := verify(t, p, v)
			if got.faults != nil {
				t.Errorf("%s, %s: %s", lang, name, strings.Join(got.faults, "; "))
			}
			if html := got.all("html")[0].attr; html["lang"] != lang || (html["dir"] == "rtl") != (lang == "ar") {
				t.Errorf("%s, %s: <html lang=%s dir=%s>", lang, name, html["lang"], html["dir"])
			}
			if i := strings.IndexAny(strings.ReplaceAll(got.text, v.Challenge, ""), "{}"); v.Challenge == "" && i >= 0 {
				t.Errorf("%s, %s: something is not filled in: %s", lang, name, got.text[max(0, i-20):i+20])
			}
		}
	}
}

func TestVerifyHandsOnWhatTheAppAsked(t *testing.T) {
	p := newPages(t)
	v := asked(web.StepCode)
	v.CanResend, v.Lang = true, "sv"
	got := verify(t, p, v)
	want := map[string]string{
		"csrf": "csrf-token", "app": "acme", "purpose": "login", "state": "st&te", "nonce": "n\"nce",
		"return_url": "https://app.example/return?a=1&b=2", "lang": "sv", "verification": "ver_1",
	}
	for _, step := range []string{"code", "send"} {
		fields := got.fields(step)
		for name, value := range want {
			if fields[name] != value {
				t.Errorf("step %s sends %s = %q, want %q", step, name, fields[name], value)
			}
		}
	}
	link := got.all("a")[0].attr["href"]
	u, err := url.Parse(link)
	if err != nil || u.Path != "/verify" {
		t.Fatalf("change number is %q (%v)", link, err)
	}
	for name, value := range want {
		if name != "csrf" && name != "verification" && u.Query().Get(name) != value {
			t.Errorf("change number has %s = %q, want %q", name, u.Query().Get(name), value)
		}
	}
	if strings.Contains(link, "csrf") {
		t.Error("the token is in an address")
	}
}

func TestVerifyEscapes(t *testing.T) {
	p := newPages(t)
	const evil = `"><script src="/x.js"></script><i onclick="f()" x='`
	for _, step := range []web.Step{web.StepPhone, web.StepCode, web.StepDone, web.StepMessage} {
		v := web.VerifyView{
			Step: step, Lang: evil, AppName: evil, CSRF: evil, App: evil, Purpose: evil, State: evil, Nonce: evil,
			ReturnURL: "https://app.example/" + evil, Phone: evil, Region: evil, Verification: evil, To: evil, Channel: evil,
			CodeLength: 6, CanResend: true, Proof: evil, Challenge: evil,
			Transaction: &web.Transaction{Payee: evil, Amount: evil, Currency: evil}, Problem: &web.Problem{Code: evil},
		}
		got := verify(t, p, v)
		if got.faults != nil {
			t.Errorf("%s: %s", step, strings.Join(got.faults, "; "))
		}
		if n := len(got.all("script")); n != 1 {
			t.Errorf("%s: %d scripts, want the page's own", step, n)
		}
	}
}

func TestVerifyPostsOnlyToTheWeb(t *testing.T) {
	p := newPages(t)
	v := asked(web.StepDone)
	v.Proof, v.ReturnURL = "eyJ", "javascript:alert(1)"
	var b bytes.Buffer
	if err := p.Verify(&b, v); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), `action="javascript:`) {
		t.Error("a script is where the proof is posted to")
	}
}

func TestVerifyFields(t *testing.T) {
	p := newPages(t)
	code := verify(t, p, asked(web.StepCode)).byID("code")
	for name, want := range map[string]string{"autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"} {
		if code.attr[name] != want {
			t.Errorf("the code's %s = %q, want %q", name, code.attr[name], want)
		}
	}
	letters := asked(web.StepCode)
	letters.Numeric = false
	if got := verify(t, p, letters).byID("code").attr["inputmode"]; got != "text" {
		t.Errorf("inputmode for letters = %q", got)
	}
	phone := verify(t, p, asked(web.StepPhone))
	if got := phone.byID("phone").attr; got["type"] != "tel" || got["autocomplete"] != "tel" {
		t.Errorf("the number's field is %v", got)
	}
	var selected []string
	for _, e := range phone.all("option") {
		if _, ok := e.attr["selected"]; ok {
			selected = append(selected, e.attr["value"])
		}
	}
	if !slices.Equal(selected, []string{"SE"}) {
		t.Errorf("selected = %v, want [SE]", selected)
	}
}

func TestVerifyOffersTheAllowedRegions(t *testing.T) {
	v := asked(web.StepPhone)
	v.Regions, v.Lang = []string{"SE", "DE", "AT"}, "de"
	got := verify(t, newPages(t), v)
	var offered []string
	for _, e := range got.all("option") {
		offered = append(offered, e.attr["value"])
	}
	if want := []string{"DE", "AT", "SE"}; !slices.Equal(offered, want) { // Deutschland, Österreich, Schweden
		t.Errorf("offered = %v, want %v", offered, want)
	}
	if v.Regions = []string{}; len(verify(t, newPages(t), v).all("select")) != 0 {
		t.Error("a choice among no countries")
	}
}

func TestProblemsAreSaidToThePerson(t *testing.T) {
	p := newPages(t)
	say := func(lang string, problem web.Problem) string {
		v := asked(web.StepCode)
		v.Lang, v.Problem = lang, &problem
		return verify(t, p, v).byID("problem").label
	}
	for _, lang := range web.Languages() {
		other := say(lang, web.Problem{Code: "never_heard_of"})
		for _, code := range codes {
			got := say(lang, web.Problem{Code: code, RetryAfter: 30 * time.Second, ChecksLeft: 3})
			if code != "idempotency_mismatch" && got == other { // which the page itself cannot meet
				t.Errorf("%s: %s has no sentence of its own", lang, code)
			}
			if strings.Contains(got, code) {
				t.Errorf("%s: %s is said in the API's words: %q", lang, code, got)
			}
		}
	}
	tests := []struct {
		problem web.Problem
		want    string
	}{
		{web.Problem{Code: "incorrect_code", ChecksLeft: 3}, "Attempts left: 3."},
		{web.Problem{Code: "incorrect_code"}, "no attempts are left"},
		{web.Problem{Code: "too_many_checks", RetryAfter: 61 * time.Minute}, "Try again in 61 min."},
		{web.Problem{Code: "too_many_checks", RetryAfter: 23*time.Hour + time.Minute}, "Try again in 24 h."},
		{web.Problem{Code: "too_many_checks"}, "Please contact Acme <Shop>."},
		{web.Problem{Code: "resend_too_soon", RetryAfter: 29100 * time.Millisecond}, "in 30 s."},
		{web.Problem{Code: "invalid_code"}, "all 6 characters"},
	}
	for _, tt := range tests {
		if got := say("en", tt.problem); !strings.Contains(got, tt.want) {
			t.Errorf("%+v is said as %q, want it to hold %q", tt.problem, got, tt.want)
		}
	}
}

func TestProblemIsTiedToItsField(t *testing.T) {
	p := newPages(t)
	tests := []struct {
		step    web.Step
		code    string
		field   string
		invalid string
	}{
		{web.StepPhone, "invalid_phone_number", "phone", "true"},
		{web.StepPhone, "opted_out", "phone", "true"},
		{web.StepPhone, "rate_limited", "phone", ""},
		{web.StepCode, "incorrect_code", "code", "true"},
		{web.StepCode, "invalid_code", "code", "true"},
		{web.StepCode, "resend_too_soon", "code", ""},
	}
	for _, tt := range tests {
		v := asked(tt.step)
		v.Problem = &web.Problem{Code: tt.code, ChecksLeft: 1}
		got := verify(t, p, v)
		field := got.byID(tt.field).attr
		if field["aria-invalid"] != tt.invalid || !strings.HasPrefix(field["aria-describedby"], "problem ") {
			t.Errorf("%s: the field says %v", tt.code, field)
		}
		if title := got.all("title")[0].label; !strings.HasPrefix(title, strings.TrimSpace(got.byID("problem").label)) {
			t.Errorf("%s: the title %q does not begin with the problem", tt.code, title)
		}
	}
	if field := verify(t, p, asked(web.StepCode)).byID("code").attr; field["aria-invalid"] != "" {
		t.Error("a field is invalid without a problem")
	}
}

func TestNoticeOfWhatSMSIsWorth(t *testing.T) {
	p := newPages(t)
	for _, lang := range web.Languages() {
		for _, step := range []web.Step{web.StepPhone, web.StepCode} {
			v := asked(step)
			v.Lang = lang
			if got := verify(t, p, v).text; !strings.Contains(got, `class="notice"`) {
				t.Errorf("%s, %s: no notice", lang, step)
			}
		}
	}
	if got := verify(t, p, asked(web.StepCode)).text; !strings.Contains(got, "can be intercepted") || !strings.Contains(got, "passkey") {
		t.Error("the notice names neither the risk nor another way (NIST SP 800-63B-4, section 3.2.9)")
	}
}
