package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
)

// proof verifies a number and gives the proof.
func (w *whole) proof(to, more string) string {
	w.t.Helper()
	id := w.ask("POST", "/v1/verifications", `{"to":"`+to+`"`+more+`}`, as(secret)).want(201, "").json()["id"].(string)
	proof := w.guess(id, w.codeOf(to), 1).want(200, "").json()["proof"].(string)
	w.forget()
	return proof
}

// login redeems a fresh proof of a number in bearer mode.
func (w *whole) login(to string) map[string]any {
	w.t.Helper()
	return w.ask("POST", "/v1/sessions", `{"proof":"`+w.proof(to, "")+`"}`, as(secret)).want(201, "").json()
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// A person's first login makes the user, the next one finds them; each is a session of its own.
func TestProofBecomesASession(t *testing.T) {
	w := newWhole(t)
	first, second := w.login(number), w.login(number)
	user := first["user"].(map[string]any)
	if user["phone_number"] != number || user["phone_number_verified"] != true || !countersign.ValidUserID(text(user, "id")) {
		t.Errorf("the user is %v", user)
	}
	if first["token_type"] != "Bearer" || first["expires_in"] != 900.0 {
		t.Errorf("token_type %v, expires_in %v", first["token_type"], first["expires_in"])
	}
	if again := second["user"].(map[string]any); again["id"] != user["id"] || again["created_at"] != user["created_at"] {
		t.Errorf("the second login is of %v, the first of %v", again, user)
	}
	token := text(first, "access_token")
	c := claims(t, token)
	if strings.Contains(fmt.Sprint(c), strings.TrimPrefix(number, "+")) {
		t.Errorf("the access token names the number: %v", c)
	}
	if c["iss"] != issuer || c["aud"] != issuer || c["sub"] != user["id"] || c["client_id"] != "demo" {
		t.Errorf("claims %v", c)
	}
	if me := w.ask("GET", "/v1/me", "", as(token)).want(200, "").json(); me["id"] != user["id"] || me["phone_number"] != number {
		t.Errorf("me is %v", me)
	}
	list := w.ask("GET", "/v1/me/sessions", "", as(token)).want(200, "").json()["data"].([]any)
	if len(list) != 2 || list[1].(map[string]any)["current"] != true || list[0].(map[string]any)["current"] != false {
		t.Errorf("the sessions are %v", list)
	}
}

// One proof makes one session, however many ask at once.
func TestProofIsRedeemedOnce(t *testing.T) {
	w := newWhole(t)
	body := `{"proof":"` + w.proof(number, "") + `"}`
	var made, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			a := w.ask("POST", "/v1/sessions", body, as(secret))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case a.status == 201:
				made++
			case a.status == 409 && strings.Contains(a.body, `"proof_redeemed"`):
				refused++
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if made != 1 || refused != 7 {
		t.Errorf("%d sessions and %d refusals", made, refused)
	}
}

// What does not make a session, and how that is said.
func TestProofsThatAreNoLogin(t *testing.T) {
	w := newWhole(t)
	bound := w.proof(number, `,"nonce":"n-1"`)
	for name, c := range map[string]struct {
		body, code string
		status     int
		key        string
	}{
		"stepup":             {`{"proof":"` + w.proof(number, `,"purpose":"stepup"`) + `"}`, "proof_not_for_login", 422, secret},
		"transaction":        {`{"proof":"` + w.proof(number, `,"purpose":"transaction","transaction":{"payee":"A","amount":"1.00","currency":"EUR"}`) + `"}`, "proof_not_for_login", 422, secret},
		"e-mail":             {`{"proof":"` + w.sign(countersign.ProofType, map[string]any{"phone_number": nil, "email": "a@example.com"}) + `"}`, "proof_not_for_login", 422, secret},
		"test number":        {`{"proof":"` + w.sign(countersign.ProofType, map[string]any{"test": true}) + `"}`, "proof_not_for_login", 422, secret},
		"no nonce":           {`{"proof":"` + bound + `"}`, "invalid_request", 400, secret},
		"other nonce":        {`{"proof":"` + bound + `","nonce":"n-2"}`, "invalid_request", 400, secret},
		"a nonce of nothing": {`{"proof":"` + w.proof(number, "") + `","nonce":"n"}`, "invalid_request", 400, secret},
		"other app":          {`{"proof":"` + w.proof(number, "") + `"}`, "invalid_request", 400, foreign},
		"no proof":           {`{}`, "invalid_request", 400, secret},
		"not a proof":        {`{"proof":"x"}`, "invalid_request", 400, secret},
		"an access token":    {`{"proof":"` + text(w.login(number), "access_token") + `"}`, "invalid_request", 400, secret},
		"over":               {`{"proof":"` + w.sign(countersign.ProofType, map[string]any{"exp": w.now().Unix()}) + `"}`, "invalid_request", 400, secret},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.ask("POST", "/v1/sessions", c.body, as(c.key)); a.status != c.status || text(a.json(), "code") != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
		})
	}
	// The control: the same proof with its nonce is good, so nothing above consumed or broke it.
	w.ask("POST", "/v1/sessions", `{"proof":"`+bound+`","nonce":"n-1"}`, as(secret)).want(201, "")
	w.apps["demo"].Sessions.TestLogins = true
	w.ask("POST", "/v1/sessions", `{"proof":"`+w.sign(countersign.ProofType, map[string]any{"test": true})+`"}`, as(secret)).want(201, "")
}

// sign makes a proof or an access token with the instance's key, with other claims than it would.
func (w *whole) sign(typ string, changes map[string]any) string {
	w.t.Helper()
	c := map[string]any{
		"iss": issuer, "aud": "demo", "sub": "ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa", "jti": "prf_" + w.now().String(), "purpose": "login",
		"iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix(), "phone_number": number, "amr": []string{"otp", "sms"},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := w.signer.Sign(typ, b)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// A refresh token is good once. The old one used again ends the session: for the newest tokens too.
func TestRefreshReuseEndsTheSession(t *testing.T) {
	w := newWhole(t)
	first := w.login(number)
	bystander := w.login(number)
	refresh := func(token string) *answer {
		return w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+token+`"}`)
	}
	second := refresh(text(first, "refresh_token")).want(200, "").json()
	third := refresh(text(second, "refresh_token")).want(200, "").json()
	if text(third, "refresh_token") == text(second, "refresh_token") || text(third, "access_token") == text(first, "access_token") {
		t.Error("nothing was rotated")
	}
	w.ask("GET", "/v1/me", "", as(text(third, "access_token"))).want(200, "")
	refresh(text(first, "refresh_token")).want(401, "session_revoked")
	refresh(text(third, "refresh_token")).want(401, "session_revoked")
	for _, l := range []map[string]any{first, second, third} {
		w.ask("GET", "/v1/me", "", as(text(l, "access_token"))).want(401, "session_revoked")
	}
	w.ask("GET", "/v1/me", "", as(text(bystander, "access_token"))).want(200, "")
	// Somebody who knows the id of a session and nothing more cannot end it that way.
	token := text(bystander, "refresh_token")
	forged := token[:len("rft_")+22] + strings.Repeat("A", len(token)-len("rft_")-22)
	refresh(forged).want(401, "unauthorized")
	refresh("rft_").want(401, "unauthorized")
	refresh(token).want(200, "")
}

// Log-out, and the log-out of another device, hold at once; another person's session cannot be ended.
func TestSessionsEnd(t *testing.T) {
	w := newWhole(t)
	phone, laptop, other := w.login(number), w.login(number), w.login("+12015550124")
	id := func(l map[string]any) string { return claims(t, text(l, "access_token"))["sid"].(string) }
	w.ask("DELETE", "/v1/me/sessions/"+id(other), "", as(text(phone, "access_token"))).want(404, "not_found")
	w.ask("DELETE", "/v1/me/sessions/nonsense", "", as(text(phone, "access_token"))).want(404, "not_found")
	w.ask("DELETE", "/v1/me/sessions/"+id(laptop), "", as(text(phone, "access_token"))).want(204, "")
	w.ask("GET", "/v1/me", "", as(text(laptop, "access_token"))).want(401, "session_revoked")
	w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(laptop, "refresh_token")+`"}`).want(401, "session_revoked")
	w.ask("DELETE", "/v1/sessions/current", "", as(text(phone, "access_token"))).want(204, "")
	w.ask("GET", "/v1/me", "", as(text(phone, "access_token"))).want(401, "session_revoked")
	w.ask("GET", "/v1/me", "", as(text(other, "access_token"))).want(200, "")
}

// NIST SP 800-63B-4: 30 days at AAL1; 24 hours and an idle hour with the profile aal2.
func TestSessionLimits(t *testing.T) {
	w := newWhole(t)
	long := w.login(number)
	w.apps["demo"].Sessions = countersign.SessionPolicy{Lifetime: countersign.SessionLifetimeAAL2, Idle: countersign.SessionIdleAAL2}
	used, idle := w.login(number), w.login(number)
	refresh := func(l map[string]any) *answer {
		return w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(l, "refresh_token")+`"}`)
	}
	for range 26 {
		w.advance(55 * time.Minute)
		used = refresh(used).want(200, "").json()
	}
	refresh(idle).want(401, "session_revoked")
	w.advance(15 * time.Minute)
	refresh(used).want(401, "session_revoked")
	w.apps["demo"].Sessions = countersign.SessionPolicy{}
	w.advance(27 * 24 * time.Hour)
	long = refresh(long).want(200, "").json()
	w.advance(2*24*time.Hour - 10*time.Minute)
	if left := refresh(long).want(200, "").json(); left["expires_in"].(float64) > 600 {
		t.Errorf("an access token outlives its session: %v", left["expires_in"])
	} else {
		w.advance(10 * time.Minute)
		refresh(left).want(401, "session_revoked")
	}
}

// A stricter profile holds for sessions that were begun before it, at every door.
func TestAStricterProfileEndsOldSessions(t *testing.T) {
	w := newWhole(t)
	old, cookie := w.login(number), w.cookieLogin(secondNumber)
	w.advance(25 * time.Hour)
	old = w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(old, "refresh_token")+`"}`).want(200, "").json()
	set := cookies(w.ask("POST", "/v1/sessions/refresh", "", cookieHeader(cookie, "__Host-refresh"), own).want(200, ""))
	w.ask("GET", "/v1/me", "", as(text(old, "access_token"))).want(200, "") // control: under the profile of before
	w.apps["demo"].Sessions = countersign.SessionPolicy{Lifetime: countersign.SessionLifetimeAAL2, Idle: countersign.SessionIdleAAL2}
	w.ask("GET", "/v1/me", "", as(text(old, "access_token"))).want(401, "session_revoked")
	w.ask("GET", "/v1/me", "", cookieHeader(set, "__Host-session")).want(401, "session_revoked")
	w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(old, "refresh_token")+`"}`).want(401, "session_revoked")
	w.ask("POST", "/v1/sessions/refresh", "", cookieHeader(set, "__Host-refresh"), own).want(401, "session_revoked")
	w.apps["demo"].Sessions = countersign.SessionPolicy{}
	w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(old, "refresh_token")+`"}`).want(401, "session_revoked") // it has ended
}

// The number goes to a new person when nobody proved it for 90 days; the old user keeps nothing of it and is not merged.
func TestRecycledNumber(t *testing.T) {
	w := newWhole(t)
	before := w.login(number)["user"].(map[string]any)
	w.advance(89 * 24 * time.Hour)
	if same := w.login(number)["user"].(map[string]any); same["id"] != before["id"] {
		t.Error("after 89 days another user has the number")
	}
	w.advance(91 * 24 * time.Hour)
	after := w.login(number)["user"].(map[string]any)
	if after["id"] == before["id"] {
		t.Error("after 91 days the new holder is the old user")
	}
	old := w.ask("GET", "/v1/users/"+text(before, "id"), "", as(secret)).want(200, "").json()
	if old["phone_number"] != nil || old["phone_number_verified"] != false {
		t.Errorf("the old user is %v", old)
	}
	found := w.ask("GET", "/v1/users?phone_number=%2B"+number[1:], "", as(secret)).want(200, "").json()["data"].([]any)
	if len(found) != 1 || found[0].(map[string]any)["id"] != after["id"] {
		t.Errorf("found %v", found)
	}
}

// Erasing a person takes user, sessions and log; another app's user of the same number stays.
func TestErasure(t *testing.T) {
	w := newWhole(t)
	l := w.login(number)
	id := text(l["user"].(map[string]any), "id")
	w.ask("DELETE", "/v1/users/"+id, "", as(foreign)).want(404, "not_found")
	w.ask("DELETE", "/v1/users/"+id, "", as(secret)).want(204, "")
	w.ask("DELETE", "/v1/users/"+id, "", as(secret)).want(404, "not_found")
	w.ask("GET", "/v1/users/"+id, "", as(secret)).want(404, "not_found")
	w.ask("GET", "/v1/me", "", as(text(l, "access_token"))).want(401, "session_revoked")
	w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+text(l, "refresh_token")+`"}`).want(401, "unauthorized")
	if again := w.login(number)["user"].(map[string]any); again["id"] == id {
		t.Error("the erased user is back")
	}
}

func cookies(a *answer) map[string]*http.Cookie {
	set := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		set[c.Name] = c
	}
	return set
}

// own is the instance's own site, as a browser says it.
const own = "Origin: http://127.0.0.1:8080"

// cookieLogin logs a browser of the instance's own site in.
func (w *whole) cookieLogin(to string, headers ...string) map[string]*http.Cookie {
	w.t.Helper()
	a := w.ask("POST", "/v1/sessions", `{"proof":"`+w.proof(to, `,"nonce":"n"`)+`","nonce":"n","cookie":true}`, append(headers, as(publishable), own)...)
	a.want(201, "")
	if body := a.json(); body["access_token"] != nil || body["refresh_token"] != nil || body["token_type"] != "Cookie" {
		w.t.Errorf("the body of a cookie login is %s", a.body)
	}
	return cookies(a)
}

func cookieHeader(set map[string]*http.Cookie, names ...string) string {
	var list []string
	for _, n := range names {
		list = append(list, n+"="+set[n].Value)
	}
	return "Cookie: " + strings.Join(list, "; ")
}

// Cookie mode: what is set, what it opens, and that log-out takes it back.
func TestCookieSession(t *testing.T) {
	w := newWhole(t)
	set := w.cookieLogin(number)
	for _, name := range []string{"__Host-session", "__Host-refresh"} {
		c := set[name]
		if c == nil || !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.MaxAge <= 0 {
			t.Fatalf("%s is %+v", name, c)
		}
	}
	w.ask("GET", "/v1/me", "", cookieHeader(set, "__Host-session")).want(200, "")
	// A token of a cookie is no bearer token, nor the other way round.
	w.ask("GET", "/v1/me", "", as(set["__Host-session"].Value)).want(401, "unauthorized")
	w.ask("GET", "/v1/me", "", "Cookie: __Host-session="+text(w.login(number), "access_token")).want(401, "unauthorized")
	// Two cookies of one name: one was planted.
	w.ask("GET", "/v1/me", "", cookieHeader(set, "__Host-session", "__Host-session")).want(401, "unauthorized")
	a := w.ask("POST", "/v1/sessions/refresh", "", cookieHeader(set, "__Host-refresh"), own).want(200, "")
	set = cookies(a)
	a = w.ask("DELETE", "/v1/sessions/current", "", cookieHeader(set, "__Host-session"), own).want(204, "")
	if gone := cookies(a)["__Host-session"]; gone == nil || gone.MaxAge >= 0 {
		t.Errorf("after log-out the cookie is %+v", gone)
	}
	w.ask("GET", "/v1/me", "", cookieHeader(set, "__Host-session")).want(401, "session_revoked")
}

// B22, CSRF: whatever a foreign page makes a browser do with the cookies is refused. The control is the same request
// from the instance's own page.
func TestCookiesFromOtherSites(t *testing.T) {
	w := newWhole(t)
	set := w.cookieLogin(number)
	proof := w.proof(number, `,"nonce":"n"`)
	requests := map[string]func(headers ...string) *answer{
		"log out": func(h ...string) *answer {
			return w.ask("DELETE", "/v1/sessions/current", "", append(h, cookieHeader(set, "__Host-session"))...)
		},
		"refresh": func(h ...string) *answer {
			return w.ask("POST", "/v1/sessions/refresh", "", append(h, cookieHeader(set, "__Host-refresh"))...)
		},
		"number": func(h ...string) *answer {
			return w.ask("POST", "/v1/me/phone_number", `{"proof":"x"}`, append(h, cookieHeader(set, "__Host-session"))...)
		},
		"log in": func(h ...string) *answer {
			return w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`","nonce":"n","cookie":true}`, append(h, as(secret))...)
		},
	}
	foreignPages := map[string][]string{
		"another origin": {"Origin: https://evil.example"}, "null": {"Origin: null"}, "another scheme": {"Origin: https://127.0.0.1:8080"},
		"another port": {"Origin: http://127.0.0.1:8081"}, "cross-site": {"Sec-Fetch-Site: cross-site"}, "same-site": {"Sec-Fetch-Site: same-site"},
		"an app's own origin": {"Origin: " + ownOrigin}, "nothing at all": nil,
	}
	for what, send := range requests {
		for whence, headers := range foreignPages {
			if a := send(headers...); a.status != 403 || len(a.header["Set-Cookie"]) > 0 {
				t.Errorf("%s from %s: %d %s %v", what, whence, a.status, a.body, a.header["Set-Cookie"])
			}
		}
	}
	requests["log in"](own).want(201, "")
	set = cookies(requests["refresh"](own).want(200, ""))
	requests["log out"]("Sec-Fetch-Site: same-origin").want(204, "")
}

// B18, session fixation: a browser with a planted or former session gets another one at login, and the former one ends.
func TestSessionFixation(t *testing.T) {
	w := newWhole(t)
	attacker := w.cookieLogin("+12015550124")
	w.ask("GET", "/v1/me", "", cookieHeader(attacker, "__Host-session")).want(200, "") // control: planted, it is a session
	victim := w.cookieLogin(number, cookieHeader(attacker, "__Host-session", "__Host-refresh"))
	for _, name := range []string{"__Host-session", "__Host-refresh"} {
		if victim[name].Value == attacker[name].Value {
			t.Errorf("%s is the one of before the login", name)
		}
	}
	w.ask("GET", "/v1/me", "", cookieHeader(attacker, "__Host-session")).want(401, "session_revoked")
	if me := w.ask("GET", "/v1/me", "", cookieHeader(victim, "__Host-session")).want(200, "").json(); me["phone_number"] != number {
		t.Errorf("the victim is %v", me)
	}
	// A planted proof: the attacker's own, without the nonce of the victim's page, logs nobody in.
	planted := w.proof("+12015550124", `,"nonce":"attacker"`)
	for _, body := range []string{`{"proof":"` + planted + `","cookie":true}`, `{"proof":"` + planted + `","nonce":"victim","cookie":true}`} {
		w.ask("POST", "/v1/sessions", body, as(publishable), own).want(400, "invalid_request")
	}
	bare := w.proof("+12015550124", "")
	w.ask("POST", "/v1/sessions", `{"proof":"`+bare+`","cookie":true}`, as(publishable), own).want(400, "invalid_request")
}
