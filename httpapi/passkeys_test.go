package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/passkey/passkeytest"
)

// events are those that the accounts reported.
type events struct {
	mu   sync.Mutex
	list []countersign.Event
}

func (e *events) Observe(one countersign.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, one)
}

func (e *events) count(name countersign.EventName) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, one := range e.list {
		if one.Name == name {
			n++
		}
	}
	return n
}

func newDevice() *passkeytest.Device {
	return &passkeytest.Device{Origin: ownOrigin, Step: 1}
}

// asked is what a browser is asked for.
type asked struct {
	Ceremony  string          `json:"ceremony"`
	PublicKey json.RawMessage `json:"public_key"`
}

func (w *whole) asked(a *answer) asked {
	w.t.Helper()
	var o asked
	if err := json.Unmarshal([]byte(a.want(200, "").body), &o); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// answered is the member of a request that answers.
func answered(ceremony string, credential []byte) string {
	return `{"ceremony":"` + ceremony + `","credential":` + string(credential) + `}`
}

func (w *whole) create(d *passkeytest.Device, o asked) string {
	w.t.Helper()
	credential, err := d.Create(o.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered(o.Ceremony, credential)
}

func (w *whole) use(d *passkeytest.Device, o asked) string {
	w.t.Helper()
	credential, err := d.Get(o.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered(o.Ceremony, credential)
}

// passkey makes a passkey for the person on a device.
func (h *holder) passkey(d *passkeytest.Device) *answer {
	h.w.t.Helper()
	o := h.w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	return h.ask("POST", "/v1/me/factors/passkeys", h.w.create(d, o))
}

// byPasskey logs in with whatever the device has.
func (w *whole) byPasskey(d *passkeytest.Device) *answer {
	w.t.Helper()
	o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
	return w.ask("POST", "/v1/sessions", `{"passkey":`+w.use(d, o)+`}`, as(secret))
}

// A passkey is made after a login by phone, logs its user in without a name, and is shown again in a step-up. Each time the
// session has other tokens, and is of the second level.
func TestPasskey(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	user := w.ask("GET", "/v1/me", "", as(h.token)).want(200, "").json()["id"]
	before := h.token

	o := w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	body := strings.TrimSuffix(w.create(d, o), "}") + `,"name":"Laptop"}`
	made := h.ask("POST", "/v1/me/factors/passkeys", body).want(201, "")
	f := made.json()["factor"].(map[string]any)
	if f["type"] != "passkey" || f["name"] != "Laptop" || !countersign.ValidFactorID(text(f, "id")) {
		t.Errorf("the factor is %v", f)
	}
	h.took(made)
	w.ask("GET", "/v1/me", "", as(before)).want(401, "session_revoked")
	if c := claims(t, h.token); c["acr"] != countersign.ACRTwo || c["sub"] != user {
		t.Errorf("after it: %v", c)
	}
	// The device has one now, and a browser would say so; another device is welcome, in this session that has shown one.
	o = w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	if _, err := d.Create(o.PublicKey); err == nil {
		t.Error("the options let the device make a second one")
	}
	second := newDevice()
	h.took(h.ask("POST", "/v1/me/factors/passkeys", w.create(second, o)).want(201, ""))
	if string(d.Keys[0].Handle) != string(second.Keys[0].Handle) || strings.Contains(string(d.Keys[0].Handle), text(map[string]any{"u": user}, "u")) {
		t.Error("the handles of one user differ, or tell who it is")
	}
	h.ask("DELETE", "/v1/sessions/current", "").want(204, "")

	for _, from := range []*passkeytest.Device{d, second} {
		login := w.byPasskey(from).want(201, "").json()
		if got := login["user"].(map[string]any); got["id"] != user || got["phone_number"] != number {
			t.Errorf("logged in as %v", got)
		}
		c := claims(t, text(login, "access_token"))
		if c["acr"] != countersign.ACRTwo || fmt.Sprint(c["amr"]) != "[hwk user mfa]" {
			t.Errorf("acr %v, amr %v", c["acr"], c["amr"])
		}
		w.ask("GET", "/v1/me", "", as(text(login, "access_token"))).want(200, "")
	}

	phone := w.holder(number)
	phone.ask("POST", "/v1/me/factors/passkeys/options", "").want(403, "step_up_required")
	before = phone.token
	o = w.asked(phone.ask("POST", "/v1/sessions/step-up/options", ""))
	phone.took(phone.ask("POST", "/v1/sessions/step-up", `{"passkey":`+w.use(second, o)+`}`).want(200, ""))
	w.ask("GET", "/v1/me", "", as(before)).want(401, "session_revoked")
	if c := claims(t, phone.token); c["acr"] != countersign.ACRTwo || !strings.Contains(fmt.Sprint(c["amr"]), "sms") {
		t.Errorf("after the step-up: %v", c)
	}
	list := phone.ask("GET", "/v1/me/factors", "").want(200, "").json()["factors"].([]any)
	if len(list) != 2 || list[0].(map[string]any)["last_used_at"] == nil {
		t.Errorf("the factors are %v", list)
	}
	phone.took(phone.ask("DELETE", "/v1/me/factors/"+text(f, "id"), "").want(200, ""))
	w.byPasskey(d).want(422, "passkey_unknown")
	w.byPasskey(second).want(201, "")
}

// A passkey in cookie mode: only from our own pages, and the session of before is dead.
func TestPasskeyWithCookies(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	h.passkey(d).want(201, "")
	o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
	body := `{"cookie":true,"passkey":` + w.use(d, o) + `}`
	w.ask("POST", "/v1/sessions", body, as(secret), "Origin: https://evil.example").want(403, "forbidden")
	a := w.ask("POST", "/v1/sessions", body, as(secret), own).want(201, "")
	if text(a.json(), "access_token") != "" || a.json()["token_type"] != "Cookie" || !strings.Contains(strings.Join(a.header["Set-Cookie"], " "), "__Host-session=") {
		t.Errorf("%s, %v", a.body, a.header["Set-Cookie"])
	}
	// A login ends the session that the browser had before, whoever's it was.
	for _, before := range []string{number, secondNumber} {
		set := w.cookieLogin(before)
		held := cookieHeader(set, "__Host-session")
		w.ask("GET", "/v1/me", "", held).want(200, "")
		o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
		w.ask("POST", "/v1/sessions", `{"cookie":true,"passkey":`+w.use(d, o)+`}`, as(secret), own, held).want(201, "")
		w.ask("GET", "/v1/me", "", held).want(401, "session_revoked")
	}
}

// A passkey beside the proof of a number that nobody proved for long.
func TestPasskeyForAStaleNumber(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	user := claims(t, h.token)["sub"]
	h.passkey(d).want(201, "")
	stranger, strangers := w.holder(secondNumber), newDevice()
	stranger.passkey(strangers).want(201, "")
	w.advance(100 * 24 * time.Hour)
	proof := w.proof(number, "")
	w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`"}`, as(secret)).want(403, "factor_required")
	with := func(from *passkeytest.Device) *answer {
		o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
		return w.ask("POST", "/v1/sessions", `{"proof":"`+proof+`","factor":{"passkey":`+w.use(from, o)+`}}`, as(secret))
	}
	with(strangers).want(422, "passkey_unknown")
	login := with(d).want(201, "").json()
	if c := claims(t, text(login, "access_token")); c["sub"] != user || c["acr"] != countersign.ACRTwo {
		t.Errorf("%v", c)
	}
}

// What an answer must not get away with. Each attack's control is the same without it, which goes through.
func TestPasskeyAttacks(t *testing.T) {
	w := newWhole(t)
	w.apps["other"].Passkeys = w.apps["demo"].Passkeys
	h, d := w.holder(number), newDevice()
	made := w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	madeBody := w.create(d, made)
	h.took(h.ask("POST", "/v1/me/factors/passkeys", madeBody).want(201, ""))
	stranger, strangers := w.holder(secondNumber), newDevice()
	stranger.took(stranger.passkey(strangers).want(201, ""))
	login := func(body string, key ...string) *answer {
		return w.ask("POST", "/v1/sessions", `{"passkey":`+body+`}`, as(append(key, secret)[0]))
	}
	ask := func() asked { return w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret))) }
	lying := func(lie func(d *passkeytest.Device)) string {
		now := *d
		lie(&now)
		body := w.use(&now, ask())
		return body
	}

	for name, lie := range map[string]func(*passkeytest.Device){
		"another origin":        func(d *passkeytest.Device) { d.Origin = "https://shop.evil.example" },
		"another relying party": func(d *passkeytest.Device) { d.RPID = "evil.example" },
		"not unlocked":          func(d *passkeytest.Device) { d.Locked = true },
		"another challenge": func(d *passkeytest.Device) {
			d.Change = func(c map[string]any) { c["challenge"] = strings.Repeat("A", 43) }
		},
		"without a handle": func(d *passkeytest.Device) { d.Nameless = true },
	} {
		login(lying(lie)).want(422, "passkey_refused")
		_ = name
	}
	d.Keys[0].Handle, strangers.Keys[0].Handle = strangers.Keys[0].Handle, d.Keys[0].Handle
	login(w.use(d, ask())).want(422, "passkey_refused")
	d.Keys[0].Handle, strangers.Keys[0].Handle = strangers.Keys[0].Handle, d.Keys[0].Handle

	body := w.use(d, ask())
	login(body, foreign).want(410, "ceremony_over") // of another app
	login(body).want(201, "")
	login(body).want(410, "ceremony_over") // again
	late := w.use(d, ask())
	w.advance(5*time.Minute + time.Second)
	login(late).want(410, "ceremony_over")
	h.ask("POST", "/v1/sessions/step-up", `{"passkey":`+w.use(d, ask())+`}`).want(410, "ceremony_over") // begun for a login
	o := w.asked(h.ask("POST", "/v1/sessions/step-up/options", ""))
	stepUp := w.use(d, o)
	login(stepUp).want(410, "ceremony_over") // begun for a step-up
	stranger.ask("POST", "/v1/sessions/step-up", `{"passkey":`+stepUp+`}`).want(410, "ceremony_over")
	o = w.asked(stranger.ask("POST", "/v1/sessions/step-up/options", ""))
	credential, err := d.Use(d.Keys[0], challengeOf(t, o))
	if err != nil {
		t.Fatal(err)
	}
	stranger.ask("POST", "/v1/sessions/step-up", `{"passkey":`+answered(o.Ceremony, credential)+`}`).want(422, "passkey_unknown") // another's passkey
	h.took(h.ask("POST", "/v1/sessions/step-up", `{"passkey":`+stepUp+`}`).want(200, ""))

	// A new passkey: for another session, of another person, again, and one that is registered.
	o = w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	fresh := w.create(newDevice(), o)
	stranger.took(stranger.ask("POST", "/v1/sessions/step-up", `{"passkey":`+w.use(strangers, w.asked(stranger.ask("POST", "/v1/sessions/step-up/options", "")))+`}`).want(200, ""))
	stranger.ask("POST", "/v1/me/factors/passkeys", fresh).want(410, "ceremony_over")
	h.ask("POST", "/v1/me/factors/passkeys", madeBody).want(410, "ceremony_over")
	h.took(h.ask("POST", "/v1/me/factors/passkeys", fresh).want(201, ""))
	h.ask("POST", "/v1/me/factors/passkeys", fresh).want(410, "ceremony_over")
}

// A copy of a passkey that counts: the one that comes second is refused, and told.
func TestCopiedPasskey(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	h.passkey(d).want(201, "")
	thief := newDevice()
	thief.Keys = append(thief.Keys, d.Keys[0].Clone())
	w.byPasskey(d).want(201, "")
	if n := w.events.count(countersign.EventPasskeyCopied); n != 0 {
		t.Fatalf("control: told %d times", n)
	}
	w.byPasskey(thief).want(422, "passkey_refused")
	if n := w.events.count(countersign.EventPasskeyCopied); n != 1 {
		t.Errorf("told %d times", n)
	}
	// Nobody was thrown out by it: the thief of a public address must not lock the owner out.
	w.byPasskey(d).want(201, "")
	// The control of the rule: passkeys that are synced do not count at all, and go on.
	other, synced := w.holder(secondNumber), newDevice()
	synced.Step, synced.Synced, synced.BackedUp = 0, true, true
	other.passkey(synced).want(201, "")
	for range 2 {
		login := w.byPasskey(synced).want(201, "").json()
		if amr := fmt.Sprint(claims(t, text(login, "access_token"))["amr"]); amr != "[swk user mfa]" {
			t.Errorf("amr %s", amr)
		}
	}
}

// One answer makes one session, however many bring it at once, though the passkey counts nothing. A consumption that reads
// and then writes, which is the control, lets several in.
func TestPasskeyAnswerIsUsedOnce(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	d.Step = 0
	h.passkey(d).want(201, "")
	o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
	body := `{"passkey":` + w.use(d, o) + `}`
	const many = 8
	statuses := make([]int, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { statuses[i] = w.ask("POST", "/v1/sessions", body, as(secret)).status })
	}
	all.Wait()
	slices.Sort(statuses)
	if want := append([]int{201}, slices.Repeat([]int{410}, many-1)...); !slices.Equal(statuses, want) {
		t.Errorf("the answers are %v", statuses)
	}

	var mu sync.Mutex
	var read sync.WaitGroup
	used, let := map[string]bool{}, 0
	read.Add(many)
	for range many {
		all.Go(func() {
			mu.Lock()
			fresh := !used[o.Ceremony]
			mu.Unlock()
			read.Done()
			read.Wait() // as a slow machine would have it
			if fresh {
				mu.Lock()
				used[o.Ceremony] = true
				let++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if let < 2 {
		t.Error("control: the naive consumption let only one in")
	}
}

// Registering one credential id twice, with whatever key: it belongs to its first user.
func TestPasskeyIsOneUsers(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	o := w.asked(h.ask("POST", "/v1/me/factors/passkeys/options", ""))
	made := w.create(d, o)
	h.ask("POST", "/v1/me/factors/passkeys", made).want(201, "")
	stranger := w.holder(secondNumber)
	o = w.asked(stranger.ask("POST", "/v1/me/factors/passkeys/options", ""))
	thief := newDevice()
	thief.ForcedID = d.Keys[0].ID
	stranger.ask("POST", "/v1/me/factors/passkeys", w.create(thief, o)).want(409, "factor_exists")
	w.byPasskey(d).want(201, "")
}

// Who asks or tries too often from one address waits; another address is not concerned, and a login is counted too.
func TestPasskeysAreLimitedByClient(t *testing.T) {
	w := newWhole(t)
	w.apps["other"].Passkeys = w.apps["demo"].Passkeys // of 60 checks a minute
	ask := func(ip string) *answer {
		return w.ask("POST", "/v1/passkeys/options", `{"client":{"ip":"`+ip+`"}}`, as(foreign))
	}
	try := func(ip string) *answer {
		return w.ask("POST", "/v1/sessions", `{"passkey":{"ceremony":"cer_x","credential":{}},"client":{"ip":"`+ip+`"}}`, as(foreign))
	}
	for range 30 {
		ask("203.0.113.7").want(200, "")
		try("203.0.113.7").want(410, "ceremony_over")
	}
	ask("203.0.113.7").want(429, "rate_limited")
	try("203.0.113.7").want(429, "rate_limited")
	ask("203.0.113.8").want(200, "")
	w.advance(time.Minute)
	ask("203.0.113.7").want(200, "")
}

// An app without a domain has no passkeys, and says so.
func TestNoPasskeys(t *testing.T) {
	w := newWhole(t)
	w.apps["demo"].Passkeys = countersign.RelyingParty{}
	h := w.holder(number)
	h.ask("POST", "/v1/me/factors/passkeys/options", "").want(404, "not_found")
	w.ask("POST", "/v1/passkeys/options", "", as(secret)).want(404, "not_found")
	w.ask("POST", "/v1/sessions", `{"passkey":{"ceremony":"cer_x","credential":{}}}`, as(secret)).want(404, "not_found")
}

// Whatever is wrong with a body is said with its place; nothing of it is given back.
func TestPasskeyBadInputs(t *testing.T) {
	w := newWhole(t)
	h, d := w.holder(number), newDevice()
	h.took(h.passkey(d).want(201, ""))
	o := w.asked(w.ask("POST", "/v1/passkeys/options", "", as(secret)))
	good := w.use(d, o)
	var parts struct {
		Credential map[string]any `json:"credential"`
	}
	if err := json.Unmarshal([]byte(good), &parts); err != nil {
		t.Fatal(err)
	}
	change := func(f func(c, response map[string]any)) string {
		var again struct {
			Credential map[string]any `json:"credential"`
		}
		if err := json.Unmarshal([]byte(good), &again); err != nil {
			t.Fatal(err)
		}
		f(again.Credential, again.Credential["response"].(map[string]any))
		b, err := json.Marshal(again.Credential)
		if err != nil {
			t.Fatal(err)
		}
		return answered(o.Ceremony, b)
	}
	for name, c := range map[string]struct {
		passkey, pointer string
		status           int
		code             string
	}{
		"null":                     {`null`, "/passkey", 400, "invalid_request"},
		"a text":                   {`"x"`, "/passkey", 400, "invalid_request"},
		"nothing":                  {`{}`, "/passkey/ceremony", 400, "invalid_request"},
		"no credential":            {`{"ceremony":"` + o.Ceremony + `"}`, "/passkey/credential", 400, "invalid_request"},
		"a null credential":        {`{"ceremony":"` + o.Ceremony + `","credential":null}`, "/passkey/credential", 400, "invalid_request"},
		"a credential of text":     {`{"ceremony":"` + o.Ceremony + `","credential":"x"}`, "/passkey/credential", 400, "invalid_request"},
		"a list":                   {`{"ceremony":"` + o.Ceremony + `","credential":[]}`, "/passkey/credential", 400, "invalid_request"},
		"an empty credential":      {answered(o.Ceremony, []byte(`{}`)), "/passkey/credential", 400, "invalid_request"},
		"a member too many":        {strings.TrimSuffix(good, "}") + `,"x":1}`, "/passkey/x", 400, "invalid_request"},
		"a doubled member":         {answered(o.Ceremony, []byte(`{"id":"a","id":"b"}`)), "", 400, "invalid_request"},
		"no ceremony of ours":      {strings.Replace(good, o.Ceremony, "cer_AAAA", 1), "", 410, "ceremony_over"},
		"a ceremony that is long":  {strings.Replace(good, o.Ceremony, "cer_"+strings.Repeat("A", 1000), 1), "", 410, "ceremony_over"},
		"a changed ceremony":       {strings.Replace(good, o.Ceremony, o.Ceremony[:len(o.Ceremony)-1]+"!", 1), "", 410, "ceremony_over"},
		"an id of no base64url":    {change(func(c, _ map[string]any) { c["id"], c["rawId"] = "a+b=", "a+b=" }), "/passkey/credential", 400, "invalid_request"},
		"two ids":                  {change(func(c, _ map[string]any) { c["rawId"] = "AAAA" }), "/passkey/credential", 400, "invalid_request"},
		"another type":             {change(func(c, _ map[string]any) { c["type"] = "password" }), "/passkey/credential", 400, "invalid_request"},
		"no response":              {change(func(c, _ map[string]any) { delete(c, "response") }), "/passkey/credential", 400, "invalid_request"},
		"short authenticator data": {change(func(_, r map[string]any) { r["authenticatorData"] = "AAAA" }), "/passkey/credential", 400, "invalid_request"},
		"client data of no JSON":   {change(func(_, r map[string]any) { r["clientDataJSON"] = "AAAA" }), "/passkey/credential", 400, "invalid_request"},
		"no signature":             {change(func(_, r map[string]any) { delete(r, "signature") }), "", 422, "passkey_refused"},
		"another signature":        {change(func(_, r map[string]any) { r["signature"] = "AAAA" }), "", 422, "passkey_refused"},
		"an unknown id":            {change(func(c, _ map[string]any) { c["id"], c["rawId"] = "AAAA", "AAAA" }), "", 422, "passkey_unknown"},
		"too large":                {answered(o.Ceremony, []byte(`{"id":"`+strings.Repeat("A", 5000)+`"}`)), "", 413, "payload_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.ask("POST", "/v1/sessions", `{"passkey":`+c.passkey+`}`, as(secret))
			if a.status != c.status || text(a.json(), "code") != c.code {
				t.Fatalf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			if list, _ := a.json()["errors"].([]any); c.pointer != "" && (len(list) != 1 || list[0].(map[string]any)["pointer"] != c.pointer) {
				t.Errorf("it points at %v, want %s", list, c.pointer)
			}
			if strings.Contains(a.body, "AAAA") || strings.Contains(a.body, o.Ceremony) {
				t.Errorf("it gives back what was sent: %s", a.body)
			}
		})
	}
	for name, body := range map[string]string{
		"a proof too": `{"proof":"x","passkey":` + good + `}`, "a nonce too": `{"nonce":"n","passkey":` + good + `}`,
		"a factor too": `{"factor":{"totp":"123456"},"passkey":` + good + `}`, "neither": `{}`,
	} {
		if a := w.ask("POST", "/v1/sessions", body, as(secret)); a.status != 400 || text(a.json(), "code") != "invalid_request" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	w.ask("POST", "/v1/passkeys/options", `{"x":1}`, as(secret)).want(400, "invalid_request")
	h.ask("POST", "/v1/me/factors/passkeys", `{"ceremony":"cer_x","credential":{},"name":"a\u0000b"}`).want(400, "invalid_request")
	// A null where a browser's own JSON may have one is none of our business. This is the control of all above, too.
	w.ask("POST", "/v1/sessions", `{"passkey":`+change(func(c, _ map[string]any) { c["authenticatorAttachment"] = nil })+`}`, as(secret)).want(201, "")
}

func challengeOf(t *testing.T, o asked) string {
	t.Helper()
	var options struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(o.PublicKey, &options); err != nil {
		t.Fatal(err)
	}
	return options.Challenge
}
