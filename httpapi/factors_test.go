package httpapi_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign"
)

const secondNumber = "+12015550124"

// authenticator is an app on a person's phone, by RFC 6238 and not by the code under test.
type authenticator []byte

func (a authenticator) code(at time.Time) string {
	mac := hmac.New(sha1.New, a)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// wrong is a code that is good at no time near.
func (a authenticator) wrong(at time.Time) string {
	near := map[string]bool{}
	for d := -3; d <= 3; d++ {
		near[a.code(at.Add(time.Duration(d)*30*time.Second))] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !near[code] {
			return code
		}
	}
}

// holder is somebody who is logged in, and their authenticator app.
type holder struct {
	w       *whole
	token   string
	refresh string
	app     authenticator
	factor  string // the app's id
}

func (w *whole) holder(to string) *holder {
	l := w.login(to)
	return &holder{w: w, token: text(l, "access_token"), refresh: text(l, "refresh_token")}
}

func (h *holder) ask(method, path, body string) *answer {
	h.w.t.Helper()
	return h.w.ask(method, path, body, as(h.token))
}

// took goes on with the tokens of an answer.
func (h *holder) took(a *answer) {
	h.token, h.refresh = text(a.json(), "access_token"), text(a.json(), "refresh_token")
}

// enrol adds an authenticator app and confirms it.
func (h *holder) enrol() {
	h.w.t.Helper()
	begun := h.ask("POST", "/v1/me/factors/totp", `{"name":"My phone"}`).want(201, "").json()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text(begun, "secret"))
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.app, h.factor = secret, text(begun, "id")
	h.took(h.ask("POST", "/v1/me/factors/"+h.factor+"/confirm", `{"code":"`+h.app.code(h.w.now())+`"}`).want(200, ""))
}

// onPaper makes recovery codes.
func (h *holder) onPaper() []any {
	h.w.t.Helper()
	made := h.ask("POST", "/v1/me/factors/recovery-codes", "").want(201, "")
	h.took(made)
	return made.json()["codes"].([]any)
}

// code is one that was not used: the step after the last one.
func (h *holder) code() string {
	h.w.advance(time.Minute)
	return h.app.code(h.w.now())
}

func (h *holder) stepUp() *answer {
	h.w.t.Helper()
	return h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.code()+`"}`)
}

// An authenticator app is begun, confirmed and shown; each time the session gets other tokens and the old ones are dead.
func TestAuthenticatorApp(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	begun := h.ask("POST", "/v1/me/factors/totp", `{"name":"My phone"}`).want(201, "").json()
	u, err := url.Parse(text(begun, "uri"))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") != text(begun, "secret") || len(text(begun, "secret")) != 32 || u.Query().Get("issuer") == "" {
		t.Errorf("the uri is %v, %v", u, err)
	}
	if strings.Contains(text(begun, "uri"), number[1:]) {
		t.Error("the uri has the whole number")
	}
	for d := xml.NewDecoder(strings.NewReader(text(begun, "qr"))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
	if list := h.ask("GET", "/v1/me/factors", "").want(200, "").json()["factors"].([]any); len(list) != 0 {
		t.Errorf("before it is confirmed it is listed: %v", list)
	}
	raw, _ := base32.StdEncoding.DecodeString(text(begun, "secret"))
	h.app, h.factor = raw, text(begun, "id")
	confirm := "/v1/me/factors/" + h.factor + "/confirm"
	h.ask("POST", confirm, `{"code":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code")
	h.ask("POST", confirm, `{"code":"12345"}`).want(400, "invalid_code")
	w.holder(secondNumber).ask("POST", confirm, `{"code":"`+h.app.code(w.now())+`"}`).want(404, "not_found")

	before, code := *h, h.app.code(w.now())
	confirmed := h.ask("POST", confirm, `{"code":"`+code+`"}`).want(200, "")
	h.took(confirmed)
	if f := confirmed.json()["factor"].(map[string]any); f["type"] != "totp" || f["name"] != "My phone" || f["id"] != h.factor {
		t.Errorf("the factor is %v", f)
	}
	dead := func(when string) {
		t.Helper()
		before.ask("GET", "/v1/me", "").want(401, "session_revoked")
		w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+before.refresh+`"}`).want(401, "session_revoked")
		me := h.ask("GET", "/v1/me", "").want(200, "").json()["session"].(map[string]any)
		if me["acr"] != countersign.ACRTwo || !strings.Contains(fmt.Sprint(me["amr"]), "mfa") {
			t.Errorf("%s: the session is %v", when, me)
		}
		if c := claims(t, h.token); c["acr"] != countersign.ACRTwo || c["sub"] == nil {
			t.Errorf("%s: the access token says %v", when, c)
		}
	}
	dead("confirmed")
	h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+code+`"}`).want(422, "incorrect_code") // B7: it was used
	before = *h
	h.took(h.stepUp().want(200, ""))
	dead("stepped up")
	list := h.ask("GET", "/v1/me/factors", "").want(200, "").json()["factors"].([]any)
	if f := list[0].(map[string]any); len(list) != 1 || f["last_used_at"] == nil || f["remaining"] != nil {
		t.Errorf("the factors are %v", list)
	}
	// A day later the session is what the phone alone made it, and a refresh says so.
	w.advance(25 * time.Hour)
	h.took(w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+h.refresh+`"}`).want(200, ""))
	if c := claims(t, h.token); c["acr"] != countersign.ACROne {
		t.Errorf("a day later: %v", c)
	}
}

// B17: once there is a further factor, neither a fresh login by text message nor a proof of the number changes the factors
// or the number.
func TestMessagesAloneChangeNoFactor(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	thief := w.holder(number) // has the SIM card
	refused := func(when string) {
		t.Helper()
		thief.ask("POST", "/v1/me/factors/totp", `{}`).want(403, "step_up_required")
		thief.ask("POST", "/v1/me/factors/recovery-codes", "").want(403, "step_up_required")
		thief.ask("DELETE", "/v1/me/factors/"+h.factor, "").want(403, "step_up_required")
		proof, current := w.proof(secondNumber, `,"purpose":"stepup"`), w.proof(number, `,"purpose":"stepup"`)
		thief.ask("POST", "/v1/me/phone_number", `{"proof":"`+proof+`","current_proof":"`+current+`"}`).want(403, "step_up_required")
	}
	refused("after a login")
	thief.took(thief.ask("POST", "/v1/sessions/step-up", `{"proof":"`+w.proof(number, `,"purpose":"stepup"`)+`"}`).want(200, ""))
	refused("after a step-up by phone")
	if c := claims(t, thief.token); c["acr"] != countersign.ACROne {
		t.Errorf("a second message made %v", c["acr"])
	}
	// The control: who has the factor may, for five minutes.
	h.took(h.stepUp().want(200, ""))
	h.took(h.ask("POST", "/v1/me/factors/recovery-codes", "").want(201, ""))
	w.advance(5*time.Minute + time.Second)
	h.ask("DELETE", "/v1/me/factors/"+h.factor, "").want(403, "step_up_required")
	h.took(h.stepUp().want(200, ""))
	h.ask("DELETE", "/v1/me/sessions", "").want(204, "")
	thief.ask("GET", "/v1/me", "").want(401, "session_revoked")
	proof := w.proof(secondNumber, `,"purpose":"stepup"`)
	changed := h.ask("POST", "/v1/me/phone_number", `{"proof":"`+proof+`"}`).want(200, "")
	if u := changed.json()["user"].(map[string]any); u["phone_number"] != secondNumber {
		t.Errorf("the number is %v", u)
	}
	h.took(changed)
	h.took(h.ask("DELETE", "/v1/me/factors/"+h.factor, "").want(200, ""))
	h.ask("DELETE", "/v1/me/factors/"+h.factor, "").want(404, "not_found")
}

// A session of this morning adds no first factor; the phone, shown again, does.
func TestAnOldLoginAddsNoFactor(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	w.advance(14*time.Minute + 59*time.Second)
	h.took(w.ask("POST", "/v1/sessions/refresh", `{"refresh_token":"`+h.refresh+`"}`).want(200, ""))
	h.ask("POST", "/v1/me/factors/totp", "").want(201, "") // the control
	w.advance(time.Second)
	h.ask("POST", "/v1/me/factors/totp", "").want(403, "step_up_required")
	h.ask("POST", "/v1/me/factors/recovery-codes", "").want(403, "step_up_required")
	h.took(h.ask("POST", "/v1/sessions/step-up", `{"proof":"`+w.proof(number, `,"purpose":"stepup"`)+`"}`).want(200, ""))
	h.enrol()
}

// One that was begun before there was a factor is not confirmed after it by who has shown nothing.
func TestPendingFactorOfAThief(t *testing.T) {
	w := newWhole(t)
	h, thief := w.holder(number), w.holder(number)
	begun := thief.ask("POST", "/v1/me/factors/totp", "").want(201, "").json()
	h.enrol()
	raw, _ := base32.StdEncoding.DecodeString(text(begun, "secret"))
	confirm := `{"code":"` + authenticator(raw).code(w.now()) + `"}`
	thief.ask("POST", "/v1/me/factors/"+text(begun, "id")+"/confirm", confirm).want(403, "step_up_required")
	w.advance(11 * time.Minute)
	thief.ask("POST", "/v1/me/factors/"+text(begun, "id")+"/confirm", confirm).want(404, "not_found")
}

// Recovery codes are good once each, in any spelling, and a new set ends the old one.
func TestRecoveryCodes(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	fresh := func() []string {
		t.Helper()
		a := h.ask("POST", "/v1/me/factors/recovery-codes", `{"name":"Paper"}`).want(201, "")
		h.took(a)
		made := a.json()["codes"].([]any)
		var codes []string
		seen := map[string]bool{}
		for _, c := range made {
			codes = append(codes, c.(string))
			seen[c.(string)] = true
		}
		if len(seen) != countersign.RecoveryCodes || len(codes[0]) != 19 {
			t.Fatalf("the codes are %v", codes)
		}
		return codes
	}
	old := fresh()
	codes := fresh()
	use := func(code string) *answer {
		t.Helper()
		return h.ask("POST", "/v1/sessions/step-up", `{"recovery_code":"`+code+`"}`)
	}
	use(old[0]).want(422, "incorrect_code")
	h.took(use(strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))).want(200, ""))
	use(codes[0]).want(422, "incorrect_code")
	use(codes[1][:18]).want(400, "invalid_code")
	h.took(use(strings.ReplaceAll(codes[9], "-", "")).want(200, ""))
	for _, f := range h.ask("GET", "/v1/me/factors", "").want(200, "").json()["factors"].([]any) {
		if f := f.(map[string]any); f["type"] == "recovery_codes" && (f["remaining"] != 8.0 || f["name"] != "Paper") {
			t.Errorf("the set is %v", f)
		}
	}
	w.told(number, string(countersign.NoticeFactorAdded))
	w.told(number, string(countersign.NoticeRecoveryUsed))
}

// told waits until a text has come to a number: notices go behind the answers.
func (w *whole) told(to, what string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, m := range w.ask("GET", "/dev/inbox.json?to="+url.QueryEscape(to), "").json()["messages"].([]any) {
			if strings.Contains(text(m.(map[string]any), "text"), what) {
				return
			}
		}
	}
	w.t.Errorf("nobody was told that %s", what)
}

// Wrong codes are counted per person, over sessions and kinds of codes.
func TestWrongCodesAreThrottled(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	codes := h.onPaper()
	second := w.holder(number)
	guesses := []*holder{h, second, h, second, h}
	for n, who := range guesses {
		body := `{"totp":"` + h.app.wrong(w.now()) + `"}`
		if n == 3 {
			body = `{"recovery_code":"aaaa-aaaa-aaaa-aaaa"}`
		}
		p := who.ask("POST", "/v1/sessions/step-up", body).want(422, "incorrect_code").json()
		if p["checks_left"] != float64(4-n) {
			t.Errorf("guess %d: %v", n, p)
		}
	}
	locked := func(wait float64) {
		t.Helper()
		for _, body := range []string{`{"totp":"` + h.app.code(w.now().Add(30*time.Second)) + `"}`, `{"recovery_code":"` + codes[0].(string) + `"}`} {
			p := h.ask("POST", "/v1/sessions/step-up", body).want(429, "too_many_checks").json()
			if p["retry_after"] != wait {
				t.Errorf("retry_after %v, want %v", p["retry_after"], wait)
			}
		}
	}
	locked(900)
	w.told(number, string(countersign.NoticeFactorLocked))
	w.advance(14*time.Minute + 59*time.Second)
	h = &holder{w: w, token: text(w.login(number), "access_token"), app: h.app, factor: h.factor}
	if p := h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.app.code(w.now())+`"}`).want(429, "too_many_checks").json(); p["retry_after"] == nil {
		t.Errorf("a second too early: %v", p)
	}
	w.advance(time.Second)
	for range 5 {
		h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code")
	}
	locked(1800) // PCI DSS: half an hour after ten
	w.advance(30 * time.Minute)
	h = &holder{w: w, token: text(w.login(number), "access_token"), app: h.app, factor: h.factor}
	h.took(h.stepUp().want(200, ""))
	if p := h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code").json(); p["checks_left"] != 4.0 {
		t.Errorf("after a right one the count begins anew: %v", p)
	}
}

// INV-10: a factor beside a proof is refused in the same words whether the number has a user or not, however often it is tried.
// The control is the right code, which only a user has.
func TestFactorsBesideAProofTellOfNoUser(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	known, unknown := w.proof(number, ""), w.proof(secondNumber, "")
	try := func(proof, factor string) string {
		t.Helper()
		a := w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`","factor":`+factor+`}`, as(secret))
		body := a.json()
		delete(body, "request_id")
		return fmt.Sprint(a.status, body)
	}
	wrong := h.app.wrong(w.now())
	factors := []string{`{"totp":"x"}`, `{"totp":"12345"}`, `{"recovery_code":"short"}`, `{"recovery_code":"a2bc-defg-hi34-jklm"}`, `{"passkey":{"ceremony":"x","credential":{}}}`}
	for range countersign.GuessesPerWait {
		factors = append(factors, `{"totp":"`+wrong+`"}`)
	}
	for n, factor := range factors {
		if one, other := try(known, factor), try(unknown, factor); one != other {
			t.Errorf("%d, %s: with a user %s, without one %s", n, factor, one, other)
		}
	}
	w.advance(countersign.FirstGuessWait)
	known, unknown = w.proof(number, ""), w.proof(secondNumber, "")
	right := `{"totp":"` + h.app.code(w.now()) + `"}`
	if got := try(unknown, right); !strings.HasPrefix(got, "422") {
		t.Errorf("control: the right code of another number's user: %s", got)
	}
	if got := try(known, right); !strings.HasPrefix(got, "201") {
		t.Errorf("control: the right code: %s", got)
	}
}

// A number that was not proved for 90 days: its user's further factor decides whose it is.
func TestStaleNumberAsksForTheFactor(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	user := text(h.ask("GET", "/v1/me", "").json(), "id")
	codes := h.onPaper()
	redeem := func(proof, factor string) *answer {
		t.Helper()
		return w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`"`+factor+`}`, as(secret))
	}
	w.advance(91 * 24 * time.Hour)
	proof := w.proof(number, "")
	redeem(proof, "").want(403, "factor_required")
	redeem(proof, `,"factor":{"totp":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code")
	redeem(proof, `,"factor":{"totp":"`+h.app.code(w.now())+`","none":true}`).want(400, "invalid_request")
	redeem(proof, `,"factor":{}`).want(400, "invalid_request")
	a := redeem(proof, `,"factor":{"recovery_code":"`+codes[3].(string)+`"}`).want(201, "").json()
	if a["user"].(map[string]any)["id"] != user || claims(t, text(a, "access_token"))["acr"] != countersign.ACRTwo {
		t.Errorf("with the factor it is %v", a)
	}
	redeem(w.proof(number, ""), `,"factor":{"recovery_code":"`+codes[3].(string)+`"}`).want(422, "incorrect_code")
	w.advance(91 * 24 * time.Hour)
	redeem(w.proof(number, ""), "").want(403, "factor_required") // the control: it is stale again
	a = redeem(w.proof(number, ""), `,"factor":{"none":true}`).want(201, "").json()
	if id := a["user"].(map[string]any)["id"]; id == user {
		t.Error("the number's next holder is in the account of the last one")
	}
	if u := w.ask("GET", "/v1/users/"+user, "", as(secret)).want(200, "").json(); u["phone_number"] != nil {
		t.Errorf("the last holder still has it: %v", u)
	}
	if list := w.ask("GET", "/v1/me/factors", "", as(text(a, "access_token"))).json()["factors"].([]any); len(list) != 0 {
		t.Errorf("the next holder has the factors of the last one: %v", list)
	}
}

// A device that the number was proved on in its holder's time says that they have it still; one of after it does not.
func TestStaleNumberWithItsDevice(t *testing.T) {
	w := newWhole(t)
	verify := func(device string) (proof, token string) {
		t.Helper()
		w.forget()
		id := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "").json()["id"].(string)
		body := `{"code":"` + w.codeOf(number) + `"`
		if device != "" {
			body += `,"device_token":"` + device + `"`
		}
		a := w.ask("POST", "/v1/verifications/"+id+"/checks", body+`}`, as(secret)).want(200, "").json()
		return text(a, "proof"), text(a, "device_token")
	}
	redeem := func(proof string) *answer { return w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`"}`, as(secret)) }
	proof, device := verify("")
	first := redeem(proof).want(201, "").json()
	h := &holder{w: w, token: text(first, "access_token")}
	h.enrol()
	w.advance(91 * 24 * time.Hour)
	_, stranger := verify("")
	proof, _ = verify(stranger)
	redeem(proof).want(403, "factor_required")
	proof, _ = verify(device)
	if a := redeem(proof).want(201, "").json(); a["user"].(map[string]any)["id"] != first["user"].(map[string]any)["id"] {
		t.Errorf("on its holder's device it is %v", a)
	}
}

// Cookies: new tokens are set, the old ones are dead, and no body has any.
func TestStepUpByCookie(t *testing.T) {
	w := newWhole(t)
	cookie := cookieHeader(w.cookieLogin(number), "__Host-session")
	begun := w.ask("POST", "/v1/me/factors/totp", "{}", own, cookie).want(201, "").json()
	raw, _ := base32.StdEncoding.DecodeString(text(begun, "secret"))
	app := authenticator(raw)
	path := "/v1/me/factors/" + text(begun, "id") + "/confirm"
	w.ask("POST", path, `{"code":"`+app.code(w.now())+`"}`, "Origin: https://evil.example", cookie).want(403, "forbidden") // B22
	a := w.ask("POST", path, `{"code":"`+app.code(w.now())+`"}`, own, cookie).want(200, "")
	confirmed := cookieHeader(cookies(a), "__Host-session")
	if a.json()["access_token"] != nil || a.json()["token_type"] != "Cookie" {
		t.Errorf("tokens of cookies in the body: %s", a.body)
	}
	w.ask("GET", "/v1/me", "", cookie).want(401, "session_revoked")
	w.ask("GET", "/v1/me", "", confirmed).want(200, "")
	w.advance(time.Minute)
	b := w.ask("POST", "/v1/sessions/step-up", `{"totp":"`+app.code(w.now())+`"}`, own, confirmed).want(200, "")
	w.ask("GET", "/v1/me", "", confirmed).want(401, "session_revoked")
	w.ask("GET", "/v1/me", "", cookieHeader(cookies(b), "__Host-session")).want(200, "")
}

// What is sent wrong is said, and neither compared nor counted.
func TestFactorsRefuse(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	for _, c := range []struct {
		method, path, body, code string
		status                   int
	}{
		{"POST", "/v1/sessions/step-up", ``, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":""}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":123456}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":null}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":"123456","proof":"x"}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"TOTP":"123456"}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"proof":"x"}`, "invalid_request", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":"１２３４５６"}`, "invalid_code", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":"+123456"}`, "invalid_code", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":"1234567"}`, "invalid_code", 400},
		{"POST", "/v1/sessions/step-up", `{"totp":"12345a"}`, "invalid_code", 400},
		{"POST", "/v1/sessions/step-up", `{"recovery_code":"aaaa-aaaa-aaaa-aaa1"}`, "invalid_code", 400},
		{"POST", "/v1/sessions/step-up", `{"recovery_code":"` + strings.Repeat("a", 65) + `"}`, "invalid_code", 400},
		{"POST", "/v1/me/factors/totp", `{"name":"` + strings.Repeat("a", 65) + `"}`, "invalid_request", 400},
		{"POST", "/v1/me/factors/totp", `{"name":"a\u202eb"}`, "invalid_request", 400},
		{"POST", "/v1/me/factors/totp", `{"nmae":"a"}`, "invalid_request", 400},
		{"POST", "/v1/me/factors/" + h.factor + "/confirm", `{}`, "invalid_request", 400},
		{"POST", "/v1/me/factors/" + h.factor + "/confirm", `{"code":"123456"}`, "not_found", 404},
		{"POST", "/v1/me/factors/x/confirm", `{"code":"123456"}`, "not_found", 404},
		{"DELETE", "/v1/me/factors/x", ``, "not_found", 404},
		{"PUT", "/v1/me/factors", ``, "method_not_allowed", 405},
	} {
		if a := h.ask(c.method, c.path, c.body); a.status != c.status || text(a.json(), "code") != c.code {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, a.status, a.body, c.status, c.code)
		}
	}
	for _, path := range []string{"/v1/me/factors", "/v1/sessions/step-up"} {
		if a := w.ask("POST", path, `{"totp":"123456"}`, as(secret)); a.status != 401 && a.status != 405 {
			t.Errorf("%s with a key: %d %s", path, a.status, a.body)
		}
	}
	p := h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code").json()
	if p["checks_left"] != 4.0 {
		t.Errorf("what has no code's shape was counted: %v", p)
	}
	if line := w.log.take(); !strings.Contains(line, `"factor":"totp"`) {
		t.Errorf("the log does not name the factor: %s", line)
	}
}

// A verification for a step-up goes to a user's number, whoever asks: the app's server, or the person. Its proof is theirs.
func TestStepUpVerification(t *testing.T) {
	w := newWhole(t)
	h, stranger := w.holder(number), w.holder(secondNumber)
	user := text(h.ask("GET", "/v1/me", "").json(), "id")
	cookie := cookieHeader(w.cookieLogin(number), "__Host-session")
	begin := func(headers []string, body string) map[string]any {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; { // the last send is written down behind its answer
			w.forget()
			if a := w.ask("POST", "/v1/verifications", body, headers...); a.status != 429 || time.Now().After(end) {
				return a.want(201, "").json()
			}
		}
	}
	prove := func(headers []string, body string) string {
		t.Helper()
		w.ask("DELETE", "/dev/inbox.json", "").want(204, "")
		begun := begin(headers, body)
		if begun["to"] != number || begun["purpose"] != "stepup" {
			t.Errorf("%s: %v", body, begun)
		}
		inbox := "/dev/inbox.json?to=" + url.QueryEscape(number)
		for end := time.Now().Add(time.Minute); len(w.ask("GET", inbox, "").json()["messages"].([]any)) == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // nor does a person's start wait for the provider
		}
		code := `{"code":"` + w.codeOf(number) + `"}`
		proof := text(w.ask("POST", "/v1/verifications/"+text(begun, "id")+"/checks", code, headers...).want(200, "").json(), "proof")
		if c := claims(t, proof); c["user"] != user || c["purpose"] != "stepup" {
			t.Errorf("%s: the proof says %v", body, c)
		}
		return proof
	}
	proof := prove([]string{as(secret)}, `{"purpose":"stepup","user":"`+user+`"}`)
	stranger.ask("POST", "/v1/sessions/step-up", `{"proof":"`+proof+`"}`).want(400, "invalid_request")
	before := *h
	h.took(h.ask("POST", "/v1/sessions/step-up", `{"proof":"`+proof+`"}`).want(200, ""))
	before.ask("GET", "/v1/me", "").want(401, "session_revoked")
	h.ask("POST", "/v1/sessions/step-up", `{"proof":"`+proof+`"}`).want(409, "proof_redeemed")
	for _, body := range []string{`{"purpose":"stepup","user":"me"}`, `{"purpose":"stepup"}`, `{"purpose":"stepup","user":"` + user + `"}`} {
		prove([]string{as(h.token)}, body)
	}
	prove([]string{cookie, own}, `{"purpose":"stepup","user":"me"}`)
	for _, one := range []struct{ token, to string }{{h.token, number}, {stranger.token, secondNumber}} {
		// Behind one address, with one key and one body: each their own number, and nobody another's.
		if to := begin([]string{as(one.token), "Idempotency-Key: 1"}, `{"purpose":"stepup"}`)["to"]; to != one.to {
			t.Errorf("a person was shown the verification of %v", to)
		}
	}
	w.forget()
	for _, c := range []struct {
		headers []string
		body    string
		status  int
		code    string
	}{
		{[]string{as(h.token)}, `{"purpose":"stepup","to":"` + secondNumber + `"}`, 400, "invalid_request"},
		{[]string{as(h.token)}, `{"to":"` + secondNumber + `"}`, 400, "invalid_request"},
		{[]string{as(h.token)}, `{"purpose":"login"}`, 400, "invalid_request"},
		{[]string{as(h.token)}, `{"purpose":"stepup","channel":"email"}`, 400, "invalid_request"},
		{[]string{as(stranger.token)}, `{"purpose":"stepup","user":"` + user + `"}`, 403, "forbidden"},
		{[]string{as(before.token)}, `{"purpose":"stepup"}`, 401, "session_revoked"},
		{[]string{cookie}, `{"purpose":"stepup"}`, 403, "forbidden"}, // no page of ours says that it asks
		{[]string{as(publishable), "Origin: " + ownOrigin}, `{"purpose":"stepup","user":"` + user + `"}`, 403, "forbidden"},
		{[]string{as(secret)}, `{"user":"` + user + `"}`, 400, "invalid_request"},
		{[]string{as(secret)}, `{"purpose":"stepup","user":"` + user + `","to":"` + number + `"}`, 400, "invalid_request"},
		{[]string{as(secret)}, `{"purpose":"stepup","user":"usr_x"}`, 404, "not_found"},
		{[]string{as(foreign)}, `{"purpose":"stepup","user":"` + user + `"}`, 404, "not_found"},
		{[]string{as(secret)}, `{"purpose":"stepup"}`, 400, "invalid_request"},
		{[]string{as("a.b.c")}, `{"purpose":"stepup"}`, 401, "unauthorized"},
	} {
		if a := w.ask("POST", "/v1/verifications", c.body, c.headers...); a.status != c.status || text(a.json(), "code") != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.body, a.status, a.body, c.status, c.code)
		}
	}
}

// B17: when a number has another holder, the devices of the last one are strangers: what they kept gives nothing that a
// stranger has not.
func TestDevicesOfTheLastHolder(t *testing.T) {
	w := newWhole(t)
	verify := func() (proof, device string) {
		t.Helper()
		id := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "").json()["id"].(string)
		a := w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+w.codeOf(number)+`"}`, as(secret)).want(200, "").json()
		return text(a, "proof"), text(a, "device_token")
	}
	redeem := func(proof string) any {
		t.Helper()
		return w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`"}`, as(secret)).want(201, "").json()["user"].(map[string]any)["id"]
	}
	// A device of the holder's has sends of its own where a message went out a moment ago.
	start := func(device string) *answer {
		return w.ask("POST", "/v1/verifications", `{"to":"`+number+`","device_token":"`+device+`"}`, as(secret))
	}
	proof, device := verify()
	last := redeem(proof)
	w.advance(24 * time.Hour)
	w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "")
	w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(429, "resend_too_soon")
	start(device).want(201, "") // the control
	w.advance(91 * 24 * time.Hour)
	if proof, _ = verify(); redeem(proof) == last {
		t.Fatal("the number has the same holder")
	}
	start(device).want(429, "resend_too_soon")
	w.advance(24 * time.Hour)
	_, device = verify()
	start(device).want(201, "") // and the next holder's does
}

// Support takes the factors off somebody who has lost them; the person is logged out, told, and begins anew.
func TestFactorsAreReset(t *testing.T) {
	w := newWhole(t)
	h := w.holder(number)
	h.enrol()
	user := text(h.ask("GET", "/v1/me", "").json(), "id")
	h.onPaper()
	for range 5 {
		h.ask("POST", "/v1/sessions/step-up", `{"totp":"`+h.app.wrong(w.now())+`"}`).want(422, "incorrect_code")
	}
	for _, c := range []struct {
		path, key, code string
		status          int
	}{
		{"/v1/users/" + user + "/factors", foreign, "not_found", 404},
		{"/v1/users/usr_x/factors", secret, "not_found", 404},
		{"/v1/users/" + user + "/factors", h.token, "unauthorized", 401},
	} {
		w.ask("DELETE", c.path, "", as(c.key)).want(c.status, c.code)
	}
	h.ask("GET", "/v1/me", "").want(200, "") // the control
	w.ask("DELETE", "/v1/users/"+user+"/factors", "", as(secret)).want(204, "")
	h.ask("GET", "/v1/me", "").want(401, "session_revoked")
	again := w.holder(number)
	if list := again.ask("GET", "/v1/me/factors", "").want(200, "").json()["factors"].([]any); len(list) != 0 {
		t.Errorf("the factors are %v", list)
	}
	again.enrol()
	w.advance(time.Minute)
	again.took(again.stepUp().want(200, ""))
}
