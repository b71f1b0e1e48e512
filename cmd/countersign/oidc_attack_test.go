package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// Attacks on a login through OpenID Connect. Each has its control: the same with what the attack lacks goes through, or
// the naive check that the attack is made for lets it through.
func TestOpenIDConnectAttacks(t *testing.T) {
	i := newPlace(t, quiet+`apps: {demo: {hosted_page: true}, strict: {hosted_page: true, region: US, countries: ["*"], sessions: {profile: aal2}}}
oidc:
  clients:
    demo: {app: demo, secret: sandboxdemo, redirect_uris: ["http://127.0.0.1:9/callback"], post_logout_redirect_uris: ["http://127.0.0.1:9/bye"]}
    other: {app: demo, secret: other-secret, redirect_uris: ["http://127.0.0.1:9/other"]}
    phone-app: {app: demo, public: true, redirect_uris: ["http://127.0.0.1:9/native"]}
    strict: {app: strict, secret: strict-secret, redirect_uris: ["http://127.0.0.1:9/strict"]}
    partner: {app: demo, name: Partner, third_party: true, secret: partner-secret, redirect_uris: ["http://127.0.0.1:9/partner"]}
`).node(t)
	for name, attack := range map[string]func(*testing.T, *instanceUnderTest){
		"open redirect": openRedirect, "code reuse": codeReuse, "code injection": codeInjection, "planted login": plantedLogin,
		"stolen login": stolenLogin, "mix-up": mixUp, "forms of other sites": foreignForms, "consent": consentIsAsked,
		"max_age and prompt": reauthentication, "log-out": logOut, "tokens of others": foreignTokens, "bad requests": badRequests,
		"idle sessions": idleSessions, "flood": flood,
	} {
		t.Run(name, func(t *testing.T) { attack(t, i) })
	}
}

// number is a fresh one: limits are per phone.
var lastNumber = 2000

func freshNumber() string {
	lastNumber++
	return "+1415556" + string([]byte{byte('0' + lastNumber/1000%10), byte('0' + lastNumber/100%10), byte('0' + lastNumber/10%10), byte('0' + lastNumber%10)})
}

// login is a whole one, for a fresh person in a fresh browser.
func login(t *testing.T, i *instanceUnderTest, rp *relyingParty) (*browser, visit, *url.URL) {
	t.Helper()
	b, v := newBrowser(t, i), newVisit()
	return b, v, b.logIn(b.get(rp.start(v)), freshNumber())
}

func (rp *relyingParty) as(id, secret, redirect string) *relyingParty {
	other := *rp
	other.ClientID, other.ClientSecret, other.RedirectURL = id, secret, redirect
	return &other
}

// Redirects are compared whole; where one does not match, the browser goes nowhere.
func openRedirect(t *testing.T, i *instanceUnderTest) {
	rp, b := newRelyingParty(t, i), newBrowser(t, i)
	naive := 0
	for _, to := range []string{
		"https://evil.example/", "http://127.0.0.1:9/callback/", "http://127.0.0.1:9/callback?x=1", "http://127.0.0.1:9/callback#f",
		"http://127.0.0.1:9/callback/../evil", "http://127.0.0.1:9/callbackevil", "http://127.0.0.1:9@evil.example/callback", "http://127.0.0.1:9/CALLBACK",
		"http://127.0.0.1:9.evil.example/callback", "//evil.example/callback", "javascript:alert(1)", "http://127.0.0.1:10/callback", "https://127.0.0.1:9/callback",
		"http://127.0.0.1:9/callback%2f..", "http://localhost:9/callback", "http://127.0.0.1:9/other", "",
	} {
		if s := b.get(rp.as("demo", "sandboxdemo", to).start(newVisit())); s.left != nil || s.status != 400 {
			t.Errorf("redirect_uri %q: %d, to %v", to, s.status, s.left)
		}
		if strings.HasPrefix(to, "http://127.0.0.1:9") {
			naive++
		}
	}
	if naive < 5 {
		t.Error("control: a comparison of prefixes would have refused these too")
	}
	if s := b.get(rp.start(newVisit())); s.fields("phone") == nil {
		t.Errorf("control: the configured address is refused: %d %s", s.status, s.body)
	}
	// After log-out as well.
	for _, to := range []string{"https://evil.example/", "http://127.0.0.1:9/bye/x"} {
		if s := b.get(i.url + "/oauth2/logout?client_id=demo&post_logout_redirect_uri=" + url.QueryEscape(to)); s.left != nil || s.status != 400 {
			t.Errorf("post_logout_redirect_uri %q: %d, to %v", to, s.status, s.left)
		}
	}
}

// A code is good once; who brings it again ends what the first one got.
func codeReuse(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	_, v, back := login(t, i, rp)
	token, _, err := rp.finish(t.Context(), v, back)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token)); err != nil {
		t.Fatalf("control: before the reuse the token is dead: %v", err)
	}
	if _, _, err := rp.finish(t.Context(), v, back); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("the code again: %v", err)
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token)); err == nil {
		t.Error("after the reuse the token is good")
	}
	if _, err := rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("after the reuse the refresh token is good")
	}
}

// A stolen code is worth nothing to another client, without the verifier, or with another redirect address.
func codeInjection(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	for name, steal := range map[string]func(v visit, code string) error{
		"another verifier": func(_ visit, code string) error {
			_, err := rp.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
			return err
		},
		"no verifier": func(_ visit, code string) error {
			_, err := rp.Exchange(t.Context(), code)
			return err
		},
		"another client": func(v visit, code string) error {
			_, err := rp.as("other", "other-secret", redirect).Exchange(t.Context(), code, oauth2.VerifierOption(v.verifier))
			return err
		},
		"another redirect": func(v visit, code string) error {
			_, err := rp.as("demo", "sandboxdemo", "http://127.0.0.1:9/other").Exchange(t.Context(), code, oauth2.VerifierOption(v.verifier))
			return err
		},
		"another secret": func(v visit, code string) error {
			_, err := rp.as("demo", "guessed-secret", redirect).Exchange(t.Context(), code, oauth2.VerifierOption(v.verifier))
			return err
		},
	} {
		_, v, back := login(t, i, rp)
		if err := steal(v, back.Query().Get("code")); err == nil {
			t.Errorf("%s: the code is good", name)
		}
	}
	// A stranger without the secret cannot burn a code either.
	_, v, back := login(t, i, rp)
	_, _ = rp.as("demo", "guessed-secret", redirect).Exchange(t.Context(), back.Query().Get("code"))
	if _, _, err := rp.finish(t.Context(), v, back); err != nil {
		t.Errorf("control: the code's owner: %v", err)
	}
	// PKCE taken out of the request: then a verifier must not be accepted (RFC 9700, 2.1.1), and a public client gets nothing.
	b := newBrowser(t, i)
	v = newVisit()
	plain := b.get(rp.AuthCodeURL(v.state, oauth2.SetAuthURLParam("nonce", v.nonce)))
	if _, _, err := rp.finish(t.Context(), v, b.logIn(plain, freshNumber())); err == nil {
		t.Error("a verifier is accepted although there was no challenge")
	}
	public := rp.as("phone-app", "", "http://127.0.0.1:9/native")
	for name, s := range map[string]*shown{
		"public without PKCE": b.get(public.AuthCodeURL("s")),
		"plain":               b.get(public.AuthCodeURL("s", oauth2.SetAuthURLParam("code_challenge", oauth2.S256ChallengeFromVerifier(v.verifier)), oauth2.SetAuthURLParam("code_challenge_method", "plain"))),
		"neither":             b.get(rp.AuthCodeURL("s")),
		"a short challenge":   b.get(rp.AuthCodeURL("s", oauth2.SetAuthURLParam("code_challenge", "short"), oauth2.SetAuthURLParam("code_challenge_method", "S256"))),
	} {
		if s.left == nil || s.left.Query().Get("error") != "invalid_request" || s.left.Query().Get("iss") != i.url {
			t.Errorf("%s: %d, to %v", name, s.status, s.left)
		}
	}
	public.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if _, v, back := login(t, i, public); true {
		if _, _, err := public.finish(t.Context(), v, back); err != nil {
			t.Errorf("control: a public client with PKCE: %v", err)
		}
	}
}

// The attacker begins a login and gives its address to the victim: their login must not come out in the attacker's hands.
func stolenLogin(t *testing.T, i *instanceUnderTest) {
	rp, attacker, victim := newRelyingParty(t, i), newBrowser(t, i), newBrowser(t, i)
	v := newVisit()
	page := attacker.get(rp.start(v))
	id := page.at.Query().Get("state")
	if id == "" {
		t.Fatal("the page has no state")
	}
	if s := victim.get(i.url + "/oauth2/login?id=" + id); s.status != 400 || s.left != nil {
		t.Errorf("the victim's browser goes on with the attacker's login: %d %v", s.status, s.left)
	}
	// Even where the victim is led to the page itself, the proof does not fit their browser.
	form := victim.provePhone(victim.get(page.at.String()), freshNumber())
	if s := victim.do("POST", i.url+"/oauth2/login", form); s.status != 400 || s.left != nil {
		t.Errorf("the victim's proof finishes the attacker's login: %d %v", s.status, s.left)
	}
	if s := attacker.get(i.url + "/oauth2/login?id=" + id); s.left != nil {
		t.Errorf("the attacker got %v", s.left)
	}
	if back := attacker.logIn(attacker.get(i.url+"/oauth2/login?id="+id), freshNumber()); back.Query().Get("code") == "" {
		t.Error("control: who began it cannot finish it")
	}
}

// The attacker plants their own proof in the victim's browser, to log the victim in as themselves.
func plantedLogin(t *testing.T, i *instanceUnderTest) {
	rp, attacker, victim := newRelyingParty(t, i), newBrowser(t, i), newBrowser(t, i)
	theirs := attacker.provePhone(attacker.get(rp.start(newVisit())), freshNumber())
	page := victim.get(rp.start(newVisit()))
	for name, state := range map[string]string{"the attacker's state": theirs.Get("state"), "the victim's state": page.at.Query().Get("state")} {
		form := url.Values{"proof": {theirs.Get("proof")}, "state": {state}}
		if s := victim.do("POST", i.url+"/oauth2/login", form); s.status != 400 || s.left != nil {
			t.Errorf("%s: %d %v", name, s.status, s.left)
		}
	}
	if s := attacker.do("POST", i.url+"/oauth2/login", theirs); s.left == nil {
		t.Error("control: in the attacker's own browser it is a login")
	}
}

// An application with several providers knows by iss whose answer it has: in good answers and in refusals.
func mixUp(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	_, _, back := login(t, i, rp)
	b := newBrowser(t, i)
	refused := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))).left
	if refused == nil || refused.Query().Get("error") != "login_required" {
		t.Fatalf("prompt=none: %v", refused)
	}
	for _, u := range []*url.URL{back, refused} {
		if u.Query().Get("iss") != i.url {
			t.Errorf("iss of %s is %q", u, u.Query().Get("iss"))
		}
	}
	// The control: an application that expects another provider refuses this answer.
	other := *rp
	honest := back.Query()
	honest.Set("iss", "https://honest.example")
	mixed := *back
	mixed.RawQuery = honest.Encode()
	if _, _, err := other.finish(t.Context(), visit{state: honest.Get("state")}, &mixed); err == nil || !strings.Contains(err.Error(), "iss") {
		t.Errorf("control: %v", err)
	}
}

// Forms of other sites are refused, though the browser brings its cookies.
func foreignForms(t *testing.T, i *instanceUnderTest) {
	rp, b := newRelyingParty(t, i), newBrowser(t, i)
	form := b.provePhone(b.get(rp.start(newVisit())), freshNumber())
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", ""},
	} {
		for _, path := range []string{"/oauth2/login", "/oauth2/consent"} {
			if s := b.do("POST", i.url+path, form, headers...); s.status != 403 {
				t.Errorf("%s with %v: %d", path, headers, s.status)
			}
		}
	}
	if s := b.do("POST", i.url+"/oauth2/login", form); s.left == nil {
		t.Error("control: from our own page it is refused too")
	}
}

// Who is not the operator's own must be allowed by the person; prompt=consent asks for anybody.
func consentIsAsked(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i).as("partner", "partner-secret", "http://127.0.0.1:9/partner")
	b, v := newBrowser(t, i), newVisit()
	form := b.provePhone(b.get(rp.start(v)), freshNumber())
	if form.Get("lang") != "en" {
		t.Errorf("the hosted page's language is not handed on: %v", form)
	}
	form.Set("lang", "ja") // as if it was chosen there
	page := b.do("POST", i.url+"/oauth2/login", form)
	if page.left != nil || !strings.Contains(page.body, "Partner") || !strings.Contains(page.body, `lang="ja"`) || !strings.Contains(page.body, "電話番号") {
		t.Fatalf("nobody was asked: %v %s", page.left, page.body)
	}
	ask := page.fields("answer")
	if s := b.do("GET", rp.start(newVisit(), oauth2.SetAuthURLParam("ui_locales", "eo sv")), nil, "Accept-Language", "de"); !strings.Contains(s.body, `lang="sv"`) || !strings.Contains(s.body, "Partner vill veta") {
		t.Errorf("in Swedish, as the client asks: %s", s.body)
	}
	if s := b.do("GET", rp.start(newVisit()), nil, "Accept-Language", "ar-EG,de"); !strings.Contains(s.body, `lang="ar" dir="rtl"`) {
		t.Errorf("in Arabic, as the browser asks: %s", s.body)
	}
	stranger := newBrowser(t, i)
	ask.Set("answer", "allow")
	if s := stranger.do("POST", i.url+"/oauth2/consent", ask); s.left != nil {
		t.Errorf("another browser may allow it: %v", s.left)
	}
	if s := b.do("POST", i.url+"/oauth2/consent", ask); s.left == nil {
		t.Errorf("allowed, and not sent back: %s", s.body)
	} else if _, _, err := rp.finish(t.Context(), v, s.left); err != nil {
		t.Error(err)
	}
	page = b.get(rp.start(newVisit()))
	ask = page.fields("answer")
	ask.Set("answer", "deny")
	if s := b.do("POST", i.url+"/oauth2/consent", ask); s.left == nil || s.left.Query().Get("error") != "access_denied" {
		t.Errorf("denied: %v", s.left)
	}
	if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none: %v", s.left)
	}
	if s := b.get(newRelyingParty(t, i).start(newVisit(), oauth2.SetAuthURLParam("prompt", "consent"))); s.fields("answer") == nil {
		t.Error("prompt=consent does not ask")
	}
}

// prompt=login and max_age ask again, and the session's cookie of before is dead then; the clients' tokens go on.
func reauthentication(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	number := freshNumber()
	b, v := newBrowser(t, i), newVisit()
	token, who, err := rp.finish(t.Context(), v, b.logIn(b.get(rp.start(v)), number))
	if err != nil {
		t.Fatal(err)
	}
	before := b.cookies("sso")
	i.raw("POST", "/dev/clock", `{"advance":"10m"}`)
	for _, p := range [][2]string{{"prompt", "login"}, {"max_age", "60"}, {"prompt", "select_account"}} {
		if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam(p[0], p[1]))); s.fields("phone") == nil {
			t.Errorf("%s=%s asks nobody", p[0], p[1])
		}
	}
	if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("max_age", "3600"))); s.left == nil {
		t.Error("control: a login of ten minutes ago is too old for max_age=3600")
	}
	v = newVisit()
	_, again, err := rp.finish(t.Context(), v, b.logIn(b.get(rp.start(v, oauth2.SetAuthURLParam("prompt", "login"))), number))
	if err != nil || again.Subject != who.Subject || again.AuthTime <= who.AuthTime {
		t.Errorf("after the second login: %+v, before: %+v, %v", again, who, err)
	}
	if after := b.cookies("sso"); after == before || after == "" {
		t.Error("the cookie is the one of before")
	}
	old := newBrowser(t, i)
	old.setCookie("sso", before)
	if s := old.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "login_required" {
		t.Errorf("the cookie of before is good: %v", s.left)
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token)); err != nil {
		t.Errorf("the client was logged out by the person's second login: %v", err)
	}
}

func (b *browser) at() *url.URL {
	u, err := url.Parse(b.i.url)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *browser) cookies(name string) string {
	for _, c := range b.client.Jar.Cookies(b.at()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	b.client.Jar.SetCookies(b.at(), []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// Log-out ends the session and all that clients have of it. Without the person's id token they are asked first.
func logOut(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	b, v, back := login(t, i, rp)
	token, _, err := rp.finish(t.Context(), v, back)
	if err != nil {
		t.Fatal(err)
	}
	if s := b.get(i.url + "/oauth2/logout"); s.left != nil || s.fields("confirm") == nil {
		t.Errorf("a link logs people out: %v %s", s.left, s.body)
	}
	// Nor does a form of another site, though it says yes in their name.
	for _, headers := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", ""}} {
		if s := b.do("POST", i.url+"/oauth2/logout", url.Values{"confirm": {"yes"}}, headers...); s.fields("confirm") == nil {
			t.Errorf("a form with %v logs people out: %s", headers, s.body)
		}
	}
	// An id token whose key is gone by now, or that somebody made up, asks them too; where they may be sent after it is as strict.
	hint := token.Extra("id_token").(string)
	unsigned := hint[:strings.LastIndexByte(hint, '.')+1] + strings.Repeat("A", 86)
	q := url.Values{"id_token_hint": {unsigned}, "post_logout_redirect_uri": {"http://127.0.0.1:9/bye"}}
	if s := b.get(i.url + "/oauth2/logout?" + q.Encode()); s.left != nil || s.fields("confirm") == nil {
		t.Errorf("a hint that nobody signed logs people out: %d %v %s", s.status, s.left, s.body)
	}
	q.Set("post_logout_redirect_uri", "http://127.0.0.1:9/other")
	if s := b.get(i.url + "/oauth2/logout?" + q.Encode()); s.left != nil || s.status != 400 {
		t.Errorf("a hint that nobody signed opens a redirect: %d %v", s.status, s.left)
	}
	q.Set("post_logout_redirect_uri", "http://127.0.0.1:9/bye")
	q.Set("client_id", "other")
	if s := b.get(i.url + "/oauth2/logout?" + q.Encode()); s.left != nil || s.status != 400 {
		t.Errorf("another client's address: %d %v", s.status, s.left)
	}
	q = url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:9/bye"}, "state": {"x"}}
	s := b.get(i.url + "/oauth2/logout?" + q.Encode())
	if s.left == nil || s.left.Path != "/bye" || s.left.Query().Get("state") != "x" {
		t.Errorf("after log-out: %d %v %s", s.status, s.left, s.body)
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token)); err == nil {
		t.Error("after log-out the access token is good")
	}
	if _, err := rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("after log-out the refresh token is good")
	}
	if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "login_required" {
		t.Errorf("after log-out the browser is logged in: %v", s.left)
	}
}

// A client sees and revokes its own tokens only.
func foreignTokens(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	other := rp.as("other", "other-secret", "http://127.0.0.1:9/other")
	_, v, back := login(t, i, rp)
	token, who, err := rp.finish(t.Context(), v, back)
	if err != nil {
		t.Fatal(err)
	}
	if status, a := other.form(t, i, "/oauth2/introspect", "token", token.AccessToken); status != 200 || a["active"] != false || len(a) != 1 {
		t.Errorf("another client's introspection: %d %v", status, a)
	}
	if status, a := (*relyingParty)(nil).form(t, i, "/oauth2/introspect", "token", token.AccessToken); status != 401 || a["error"] != "invalid_client" {
		t.Errorf("anybody's introspection: %d %v", status, a)
	}
	if status, _ := other.form(t, i, "/oauth2/revoke", "token", token.RefreshToken); status != 200 {
		t.Errorf("another client's revocation: %d", status)
	}
	status, a := rp.form(t, i, "/oauth2/introspect", "token", token.AccessToken)
	if status != 200 || a["active"] != true || a["sub"] != who.Subject || a["client_id"] != "demo" || a["scope"] != "openid phone offline_access" {
		t.Errorf("control: its own introspection: %d %v", status, a)
	}
	if status, _ := rp.form(t, i, "/oauth2/revoke", "token", token.RefreshToken); status != 200 {
		t.Errorf("its own revocation: %d", status)
	}
	if _, a := rp.form(t, i, "/oauth2/introspect", "token", token.AccessToken); a["active"] != false {
		t.Error("after the revocation the access token is good")
	}
	// What else the instance signs is no id token: a session's access token and a proof log nobody out, and hint at nobody.
	number := freshNumber()
	b := newBrowser(t, i)
	v = newVisit()
	_, who, err = rp.finish(t.Context(), v, b.logIn(b.get(rp.start(v)), number))
	if err != nil {
		t.Fatal(err)
	}
	theirs := i.logIn(number)
	if theirs.user != who.Subject {
		t.Fatalf("control: the access token is of %s, the login of %s", theirs.user, who.Subject)
	}
	for name, hint := range map[string]string{"an access token": theirs.access, "a proof": i.proofOf(number, "login"), "dots": strings.Repeat(".", 5000)} {
		if s := b.get(i.url + "/oauth2/logout?id_token_hint=" + hint); s.status != 400 {
			t.Errorf("log-out by %s: %d %v", name, s.status, s.left)
		}
		if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("id_token_hint", hint), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("error") != "login_required" {
			t.Errorf("%s as a hint: %v", name, s.left)
		}
	}
	if s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none"))); s.left == nil || s.left.Query().Get("code") == "" {
		t.Errorf("control: without a hint the person is logged in: %v", s.left)
	}
	// A session's access token is no token of this face, nor the other way round.
	if _, a := rp.form(t, i, "/oauth2/introspect", "token", "x.y.z"); a["active"] != false {
		t.Errorf("nonsense is active: %v", a)
	}
	if r, err := i.do("GET", "/v1/me", "", "Authorization", "Bearer "+token.AccessToken); err != nil || r.status != 401 {
		t.Errorf("a client's token at /v1/me: %v %v", r, err)
	}
}

// Bad requests get the error of the specification, in its shape, and never a 5xx.
func badRequests(t *testing.T, i *instanceUnderTest) {
	rp := newRelyingParty(t, i)
	for name, c := range map[string]struct {
		path   string
		values []string
		status int
		code   string
	}{
		"no grant type":            {"/oauth2/token", nil, 400, "invalid_request"},
		"password":                 {"/oauth2/token", []string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		"client credentials":       {"/oauth2/token", []string{"grant_type", "client_credentials"}, 400, "unsupported_grant_type"},
		"no code":                  {"/oauth2/token", []string{"grant_type", "authorization_code", "redirect_uri", redirect}, 400, "invalid_request"},
		"unknown code":             {"/oauth2/token", []string{"grant_type", "authorization_code", "redirect_uri", redirect, "code", "x"}, 400, "invalid_grant"},
		"no refresh token":         {"/oauth2/token", []string{"grant_type", "refresh_token"}, 400, "invalid_request"},
		"bad refresh token":        {"/oauth2/token", []string{"grant_type", "refresh_token", "refresh_token", strings.Repeat("x", 9000)}, 400, "invalid_grant"},
		"two ways":                 {"/oauth2/token", []string{"grant_type", "refresh_token", "client_secret", "x"}, 400, "invalid_request"},
		"in the query":             {"/oauth2/token?grant_type=refresh_token", nil, 400, "invalid_request"},
		"a method that it has not": {"/.well-known/openid-configuration", nil, 405, "invalid_request"},
		"too large":                {"/oauth2/token", []string{"x", strings.Repeat("x", 20000)}, 400, "invalid_request"},
	} {
		if status, a := rp.form(t, i, c.path, c.values...); status != c.status || a["error"] != c.code || a["error_description"] == "" {
			t.Errorf("%s: %d %v", name, status, a)
		}
	}
	for query, want := range map[string]int{
		"": 400, "client_id=none": 400, "client_id=demo": 400, "client_id=demo&client_id=demo&redirect_uri=" + redirect: 400,
		"client_id=demo&redirect_uri=" + redirect + "&request=x": 400, "client_id=demo&redirect_uri=%zz": 400,
		"client_id=%00&redirect_uri=x": 400,
	} {
		res, err := http.Get(i.url + "/oauth2/authorize?" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s", query, res.StatusCode, body)
		}
	}
	b := newBrowser(t, i)
	for name, c := range map[string]struct{ param, value, want string }{
		"implicit":    {"response_type", "id_token", "unsupported_response_type"},
		"hybrid":      {"response_type", "code id_token", "unsupported_response_type"},
		"no type":     {"response_type", "", "invalid_request"},
		"fragment":    {"response_mode", "fragment", "invalid_request"},
		"no scope":    {"scope", "phone", "invalid_scope"},
		"two prompts": {"prompt", "none login", "invalid_request"},
		"form_post":   {"response_mode", "form_post", "invalid_request"},
		"bad max_age": {"max_age", "x", "invalid_request"},
		"minus":       {"max_age", "-1", "invalid_request"},
		"bad hint":    {"id_token_hint", "a.b.c", "login_required"},
		"long state":  {"state", strings.Repeat("s", 2000), "invalid_request"},
	} {
		s := b.get(rp.start(newVisit(), oauth2.SetAuthURLParam(c.param, c.value)))
		if s.left == nil || s.left.Query().Get("error") != c.want || s.left.Query().Get("iss") != i.url || s.left.Fragment != "" {
			t.Errorf("%s: %d, to %v", name, s.status, s.left)
		}
	}
	// Where the redirect address is not the client's, not even an error goes there.
	if s := b.get(rp.as("demo", "sandboxdemo", "https://evil.example/").start(newVisit(), oauth2.SetAuthURLParam("response_type", "token"))); s.left != nil || s.status != 400 {
		t.Errorf("an error of an open redirect: %d, to %v", s.status, s.left)
	}
}

// A stranger cannot fill the database with logins that nobody finishes: without the limit all of these would begin. It is the
// limit that refuses, as what comes when it is forgotten is let through.
func flood(t *testing.T, i *instanceUnderTest) {
	rp, b := newRelyingParty(t, i), newBrowser(t, i)
	i.raw("DELETE", "/dev/limits", "")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	const most = 3000 // the limit refills meanwhile
	address, begun := rp.start(newVisit()), 0
	for ; begun < most; begun++ {
		res, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusTooManyRequests {
			if !strings.Contains(string(body), `"slow_down"`) || res.Header.Get("Retry-After") == "" {
				t.Errorf("refused: %s %v", body, res.Header)
			}
			break
		}
	}
	if begun < 300 || begun == most {
		t.Errorf("%d logins were begun", begun)
	}
	i.raw("DELETE", "/dev/limits", "")
	if s := b.get(rp.start(newVisit())); s.fields("phone") == nil {
		t.Errorf("control: %d %s", s.status, s.body)
	}
}

// A login that nobody used for an hour has ended where the profile is aal2, for its clients too: none brings it back to life
// (NIST SP 800-63B-4, 2.2.3). The control is the other profile, and a client that asks in time.
func idleSessions(t *testing.T, i *instanceUnderTest) {
	strict := newRelyingParty(t, i).as("strict", "strict-secret", "http://127.0.0.1:9/strict")
	lenient := newRelyingParty(t, i)
	type one struct {
		rp *relyingParty
		b  *browser
		refresh,
		access string
	}
	begin := func(rp *relyingParty) *one {
		b, v, back := login(t, i, rp)
		token, _, err := rp.finish(t.Context(), v, back)
		if err != nil {
			t.Fatal(err)
		}
		return &one{rp, b, token.RefreshToken, token.AccessToken}
	}
	renew := func(o *one) error {
		token, err := o.rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: o.refresh}).Token()
		if err == nil {
			o.refresh, o.access = token.RefreshToken, token.AccessToken
		}
		return err
	}
	loggedIn := func(o *one) bool {
		s := o.b.get(o.rp.start(newVisit(), oauth2.SetAuthURLParam("prompt", "none")))
		return s.left != nil && s.left.Query().Get("code") != ""
	}
	used, idle, other := begin(strict), begin(strict), begin(lenient)
	for range 2 {
		i.raw("POST", "/dev/clock", `{"advance":"40m"}`)
		if err := renew(used); err != nil {
			t.Fatalf("control: a client that asks in time: %v", err)
		}
	}
	if err := renew(idle); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("after 80 idle minutes the refresh token is good: %v", err)
	}
	if loggedIn(idle) {
		t.Error("after 80 idle minutes the browser is logged in")
	}
	if status, a := strict.form(t, i, "/oauth2/introspect", "token", idle.access); status != 200 || a["active"] != false {
		t.Errorf("after 80 idle minutes the access token is active: %d %v", status, a)
	}
	if !loggedIn(used) {
		t.Error("control: the session that a client used")
	}
	if err := renew(other); err != nil || !loggedIn(other) {
		t.Errorf("control: without the profile an hour does not matter: %v", err)
	}
}
