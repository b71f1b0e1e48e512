package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// This file logs people in through OpenID Connect with an independent client: golang.org/x/oauth2 and go-oidc, and a
// browser that keeps cookies, follows redirects and posts forms.

// browser is what a person sits at.
type browser struct {
	t      *testing.T
	i      *instanceUnderTest
	client *http.Client
}

func newBrowser(t *testing.T, i *instanceUnderTest) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, i: i}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), i.url) {
			return http.ErrUseLastResponse // the client's own site: the test looks at the address
		}
		return nil
	}}
	return b
}

// shown is a page, or the address of another site where the browser was sent.
type shown struct {
	status int
	body   string
	at     *url.URL // where the page is
	left   *url.URL // nil while the browser is on our site
}

func (b *browser) get(address string) *shown { return b.do("GET", address, nil) }

func (b *browser) do(method, address string, form url.Values, headers ...string) *shown {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.i.url)
	}
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
		if headers[n+1] == "" {
			r.Header.Del(headers[n])
		}
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	s := &shown{status: res.StatusCode, body: string(body), at: res.Request.URL}
	to := res.Header.Get("Location")
	if m := regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]*)"`).FindStringSubmatch(s.body); m != nil {
		to = html.UnescapeString(m[1])
	}
	if to != "" {
		if s.left, err = url.Parse(to); err != nil {
			b.t.Fatal(err)
		}
	}
	return s
}

// fields are the hidden fields of the first form with a field of a name.
func (s *shown) fields(with string) url.Values {
	for _, form := range regexp.MustCompile(`(?s)<form.*?</form>`).FindAllString(s.body, -1) {
		if !strings.Contains(form, `name="`+with+`"`) {
			continue
		}
		v := url.Values{}
		for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
			v.Add(m[1], html.UnescapeString(m[2]))
		}
		return v
	}
	return nil
}

// provePhone goes through the hosted page, up to the form that brings the proof back.
func (b *browser) provePhone(page *shown, number string) url.Values {
	b.t.Helper()
	form := page.fields("phone")
	if form == nil {
		b.t.Fatalf("no phone form at %s:\n%s", page.at, page.body)
	}
	form.Set("phone", number)
	page = b.do("POST", b.i.url+"/verify", form)
	form = page.fields("code")
	if form == nil {
		b.t.Fatalf("no code form:\n%s", page.body)
	}
	form.Set("code", b.i.code(number))
	page = b.do("POST", b.i.url+"/verify", form)
	form = page.fields("proof")
	if form == nil {
		b.t.Fatalf("no proof:\n%s", page.body)
	}
	b.i.raw("DELETE", "/dev/limits", "")
	return form
}

// logIn logs a person in at the page and follows to the client's site.
func (b *browser) logIn(page *shown, number string) *url.URL {
	b.t.Helper()
	form := b.provePhone(page, number)
	page = b.do("POST", b.i.url+"/oauth2/login", form)
	if page.left == nil {
		b.t.Fatalf("the browser was not sent back:\n%s", page.body)
	}
	return page.left
}

// relyingParty is an application.
type relyingParty struct {
	oauth2.Config
	provider *oidc.Provider
}

const redirect = "http://127.0.0.1:9/callback"

func newRelyingParty(t *testing.T, i *instanceUnderTest) *relyingParty {
	p, err := oidc.NewProvider(t.Context(), i.url)
	if err != nil {
		t.Fatal(err)
	}
	return &relyingParty{provider: p, Config: oauth2.Config{
		ClientID: "demo", ClientSecret: "sandboxdemo", Endpoint: p.Endpoint(), RedirectURL: redirect,
		Scopes: []string{"openid", "phone", "offline_access"},
	}}
}

// visit is one login as the application remembers it.
type visit struct{ state, nonce, verifier string }

func newVisit() visit { return visit{rand.Text(), rand.Text(), oauth2.GenerateVerifier()} }

func (rp *relyingParty) start(v visit, more ...oauth2.AuthCodeOption) string {
	return rp.AuthCodeURL(v.state, append(more, oidc.Nonce(v.nonce), oauth2.S256ChallengeOption(v.verifier))...)
}

// person is what an id token says.
type person struct {
	Subject  string   `json:"sub"`
	Phone    string   `json:"phone_number"`
	Verified bool     `json:"phone_number_verified"`
	AMR      []string `json:"amr"`
	AuthTime int64    `json:"auth_time"`
	Nonce    string   `json:"nonce"`
	ACR      string   `json:"acr"`
}

// finish takes the browser's answer as a careful application does.
func (rp *relyingParty) finish(ctx context.Context, v visit, back *url.URL) (*oauth2.Token, person, error) {
	q, p := back.Query(), person{}
	if e := q.Get("error"); e != "" {
		return nil, p, fmt.Errorf("%s: %s", e, q.Get("error_description"))
	}
	if q.Get("state") != v.state {
		return nil, p, fmt.Errorf("state %q", q.Get("state"))
	}
	if q.Get("iss") != rp.provider.Endpoint().AuthURL[:strings.Index(rp.provider.Endpoint().AuthURL, "/oauth2")] {
		return nil, p, fmt.Errorf("iss %q", q.Get("iss"))
	}
	token, err := rp.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(v.verifier))
	if err != nil {
		return nil, p, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := rp.provider.Verifier(&oidc.Config{ClientID: rp.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, p, err
	}
	if err := id.Claims(&p); err != nil {
		return nil, p, err
	}
	if p.Nonce != v.nonce {
		return nil, p, fmt.Errorf("nonce %q", p.Nonce)
	}
	return token, p, id.VerifyAccessToken(token.AccessToken)
}

func TestOpenIDConnectLogin(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	rp, b := newRelyingParty(t, i), newBrowser(t, i)
	const number = "+14155551234"
	v := newVisit()
	page := b.get(rp.start(v, oauth2.SetAuthURLParam("login_hint", number), oauth2.SetAuthURLParam("ui_locales", "sv")))
	if !strings.Contains(html.UnescapeString(page.body), `value="`+number+`"`) || !strings.Contains(page.body, `lang="sv"`) {
		t.Errorf("login_hint and ui_locales do not reach the page")
	}
	token, who, err := rp.finish(t.Context(), v, b.logIn(page, number))
	if err != nil {
		t.Fatal(err)
	}
	if who.Phone != number || !who.Verified || who.AuthTime == 0 || strings.Join(who.AMR, " ") != "otp sms" || who.ACR == "" {
		t.Errorf("the id token says %+v", who)
	}
	info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != who.Subject {
		t.Fatalf("userinfo: %v %v", info, err)
	}
	var claims person
	if err := info.Claims(&claims); err != nil || claims.Phone != number || !claims.Verified {
		t.Errorf("userinfo says %+v, %v", claims, err)
	}
	// The browser is logged in: the next application needs no code.
	v = newVisit()
	again := b.get(rp.start(v, oauth2.SetAuthURLParam("prompt", "none")))
	if again.left == nil {
		t.Fatalf("prompt=none shows a page to somebody who is logged in: %s", again.body)
	}
	if _, same, err := rp.finish(t.Context(), v, again.left); err != nil || same.Subject != who.Subject || same.AuthTime != who.AuthTime {
		t.Errorf("the second login is of %+v, %v", same, err)
	}
	// Refresh rotates; the old one ends all of it.
	old := token.RefreshToken
	fresh, err := rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: old}).Token()
	if err != nil || fresh.RefreshToken == old || fresh.RefreshToken == "" {
		t.Fatalf("refresh: %v", err)
	}
	if _, err := rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: old}).Token(); err == nil {
		t.Error("an old refresh token is good again")
	}
	if _, err := rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: fresh.RefreshToken}).Token(); err == nil {
		t.Error("after reuse the newest refresh token is still good")
	}
	if _, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(fresh)); err == nil {
		t.Error("after reuse the access token is still good")
	}
}

// form posts a form to an endpoint as the client, and gives status and answer.
func (rp *relyingParty) form(t *testing.T, i *instanceUnderTest, path string, values ...string) (int, map[string]any) {
	t.Helper()
	v := url.Values{}
	for n := 0; n+1 < len(values); n += 2 {
		v.Set(values[n], values[n+1])
	}
	r, err := http.NewRequest("POST", i.url+path, strings.NewReader(v.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if rp != nil {
		r.SetBasicAuth(rp.ClientID, rp.ClientSecret)
	}
	res, err := i.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{}
	if len(body) > 0 && string(body) != "null\n" {
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	return res.StatusCode, answer
}
