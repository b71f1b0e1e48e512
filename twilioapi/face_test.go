package twilioapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign"
	"countersign/guard"
	"countersign/twilioapi"
)

// This file asks the face by hand, where the vendor's libraries would never ask so.

const (
	of       = "/v2/Services/" + service
	phone    = "+12025550101"
	formType = "application/x-www-form-urlencoded"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func (a *answer) code() int { n, _ := a.body["code"].(float64); return int(n) }

func (a *answer) field(name string) string { s, _ := a.body[name].(string); return s }

func (n *node) send(r *http.Request) *answer {
	w := httptest.NewRecorder()
	n.face.ServeHTTP(w, r)
	a := &answer{status: w.Code, header: w.Header(), body: map[string]any{}, text: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			n.t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
		}
	}
	return a
}

// ask signs in as the app does. Further headers come in pairs.
func (n *node) ask(method, path, body string, headers ...string) *answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth(account, token)
	if body != "" {
		r.Header.Set("Content-Type", formType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return n.send(r)
}

func fields(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func (n *node) start(to string, pairs ...string) *answer {
	return n.ask("POST", of+"/Verifications", fields(append(pairs, "To", to, "Channel", "sms")...))
}

func (n *node) check(pairs ...string) *answer {
	return n.ask("POST", of+"/VerificationCheck", fields(pairs...))
}

func (n *node) advance(d time.Duration) {
	n.t.Helper()
	if err := n.store.Advance(n.t.Context(), d); err != nil {
		n.t.Fatal(err)
	}
}

// refusedAs wants the vendor's error, of exactly the vendor's shape: with a type and a title its Node library would take it
// for another kind.
func (a *answer) refusedAs(t testing.TB, what string, status, code int) {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Errorf("%s: %d %s, want %d/%d", what, a.status, a.text, status, code)
		return
	}
	a.isError(t, what)
}

func (a *answer) isError(t testing.TB, what string) {
	t.Helper()
	if len(a.body) != 4 || a.field("message") == "" || a.body["status"] != float64(a.status) ||
		a.field("more_info") != "https://www.twilio.com/docs/errors/"+strconv.Itoa(a.code()) {
		t.Errorf("%s: the error is %s", what, a.text)
	}
	if a.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%s: Content-Type is %q", what, a.header.Get("Content-Type"))
	}
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); a.status == 429 && (err != nil || wait < 1) {
		t.Errorf("%s: Retry-After is %q", what, a.header.Get("Retry-After"))
	}
}

func wrongOf(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

func TestBadInput(t *testing.T) {
	n := newNode(t, nil)
	verifications := of + "/Verifications"
	good := fields("To", phone, "Channel", "sms")
	long := strings.Repeat("9", 5000)
	for _, row := range []struct {
		what, method, path, body string
		status, code             int
		headers                  []string
	}{
		{"no To", "POST", verifications, fields("Channel", "sms"), 400, 60200, nil},
		{"empty To", "POST", verifications, fields("Channel", "sms", "To", ""), 400, 60200, nil},
		{"To without its plus", "POST", verifications, fields("Channel", "sms", "To", "12025550101"), 400, 60200, nil},
		{"To that nobody can dial", "POST", verifications, fields("Channel", "sms", "To", "+1202"), 400, 60200, nil},
		{"To with an extension", "POST", verifications, fields("Channel", "sms", "To", phone+";ext=1"), 400, 60200, nil},
		{"To in other digits", "POST", verifications, fields("Channel", "sms", "To", "+١٢٠٢٥٥٥٠١٠١"), 400, 60200, nil},
		{"two numbers", "POST", verifications, fields("Channel", "sms", "To", phone+","+phone), 400, 60200, nil},
		{"no mailbox", "POST", verifications, fields("Channel", "email", "To", "@example.com"), 400, 60200, nil},
		{"a mailbox by SMS", "POST", verifications, fields("Channel", "sms", "To", "a@example.com"), 400, 60223, nil},
		{"over-long To", "POST", verifications, fields("Channel", "sms", "To", "+"+long), 400, 60200, nil},
		{"over-long body", "POST", verifications, good + "&X=" + strings.Repeat(long, 4), 413, 20413, nil},
		{"no Channel", "POST", verifications, fields("To", phone), 400, 60200, nil},
		{"unknown Channel", "POST", verifications, fields("To", phone, "Channel", "SMS"), 400, 60200, nil},
		{"sna", "POST", verifications, fields("To", phone, "Channel", "sna"), 400, 60223, nil},
		{"To twice", "POST", verifications, good + "&To=" + url.QueryEscape("+12025550102"), 400, 60200, nil},
		{"Channel twice, alike", "POST", verifications, good + "&Channel=sms", 400, 60200, nil},
		{"CustomCode", "POST", verifications, good + "&CustomCode=123456", 400, 60204, nil},
		{"CustomMessage", "POST", verifications, good + "&CustomMessage=hi", 400, 60204, nil},
		{"Locale", "POST", verifications, good + "&Locale=en%0aBcc", 400, 60200, nil},
		{"DeviceIp", "POST", verifications, good + "&DeviceIp=here", 400, 60200, nil},
		{"Payee alone", "POST", verifications, good + "&Payee=ACME", 400, 60206, nil},
		{"Amount without a currency", "POST", verifications, good + "&Payee=ACME&Amount=5", 400, 60200, nil},
		{"RateLimits are no object", "POST", verifications, good + "&RateLimits=%5B1%5D", 400, 60200, nil},
		{"RateLimits name a member twice", "POST", verifications, good + "&RateLimits=" + url.QueryEscape(`{"a":"1","a":"2"}`), 400, 60200, nil},
		{"RateLimits are unknown", "POST", verifications, good + "&RateLimits=" + url.QueryEscape(`{"a":"1"}`), 400, 60200, nil},
		{"Tags", "POST", verifications, good + "&Tags=x", 400, 60200, nil},
		{"not percent-encoded", "POST", verifications, "To=%zz&Channel=sms", 400, 60200, nil},
		{"broken UTF-8", "POST", verifications, good + "&Locale=%ff", 400, 60200, nil},
		{"JSON", "POST", verifications, `{"To":"+12025550101"}`, 415, 20415, []string{"Content-Type", "application/json"}},
		{"no type", "POST", verifications, good, 415, 20415, []string{"Content-Type", ""}},
		{"multipart", "POST", verifications, good, 415, 20415, []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"an Idempotency-Key of spaces", "POST", verifications, good, 400, 60200, []string{"Idempotency-Key", "a b"}},
		{"PUT", "PUT", verifications, good, 405, 20004, nil},
		{"DELETE of a verification", "DELETE", verifications + "/" + phone, "", 405, 20004, nil},
		{"GET of a check", "GET", of + "/VerificationCheck", "", 405, 20004, nil},
		{"unknown path", "GET", of + "/Entities", "", 404, 20404, nil},
		{"an empty segment", "GET", "/v2/Services//Verifications", "", 404, 20404, nil},
		{"a path that is no text", "GET", verifications + "/%a8", "", 404, 20404, nil},
		{"unknown service", "POST", "/v2/Services/VA" + strings.Repeat("0", 32) + "/Verifications", good, 404, 20404, nil},
		{"a service that is none", "POST", "/v2/Services/shop/Verifications", good, 404, 20404, nil},
		{"unknown verification", "GET", verifications + "/VE" + strings.Repeat("0", 32), "", 404, 20404, nil},
		{"a slash in a segment", "GET", verifications + "/..%2f..%2f", "", 404, 20404, nil},
		{"Status", "POST", verifications + "/" + phone, "Status=deleted", 400, 60200, nil},
		{"a check without Code", "POST", of + "/VerificationCheck", fields("To", phone), 400, 60200, nil},
		{"a check of nothing", "POST", of + "/VerificationCheck", fields("Code", "123456"), 400, 60221, nil},
		{"a check of what never began", "POST", of + "/VerificationCheck", fields("Code", "123456", "To", phone), 404, 20404, nil},
		{"a made-up SID", "POST", of + "/VerificationCheck", fields("Code", "123456", "VerificationSid", "VE"+strings.Repeat("f", 32)), 404, 20404, nil},
		{"PageSize", "GET", "/v2/Attempts?PageSize=0", "", 400, 60200, nil},
		{"PageToken", "GET", "/v2/Attempts?PageToken=1.x", "", 400, 60200, nil},
		{"a date", "GET", "/v2/Attempts?DateCreatedAfter=today", "", 400, 60200, nil},
		{"an over-long query", "GET", "/v2/Attempts?Country=" + strings.Repeat(long, 4), "", 413, 20413, nil},
		{"a service with a number for a name", "POST", "/v2/Services", "FriendlyName=12345", 400, 60200, nil},
		{"a code of four", "POST", "/v2/Services", "FriendlyName=Shop&CodeLength=4", 400, 60200, nil},
		{"CustomCodeEnabled", "POST", "/v2/Services", "FriendlyName=Shop&CustomCodeEnabled=true", 400, 60204, nil},
		{"a limit without a name", "POST", of + "/RateLimits", "", 400, 60209, nil},
		{"an unknown limit", "GET", of + "/RateLimits/RK" + strings.Repeat("0", 32), "", 404, 20404, nil},
		{"a bucket of an unknown limit", "POST", of + "/RateLimits/RK" + strings.Repeat("0", 32) + "/Buckets", "Max=1&Interval=1", 404, 20404, nil},
		{"a number to keep", "POST", "/v2/SafeList/Numbers", "PhoneNumber=x", 400, 60200, nil},
	} {
		a := n.ask(row.method, row.path, row.body, row.headers...)
		a.refusedAs(t, row.what, row.status, row.code)
		if row.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", row.what)
		}
		if row.status == 404 && !strings.HasPrefix(a.field("message"), "The requested resource /Services/") {
			t.Errorf("%s: %q", row.what, a.field("message"))
		}
	}
	if list := n.box.Inbox().List(""); len(list) != 0 {
		t.Errorf("%d messages were sent", len(list))
	}
}

func TestWrongCredentials(t *testing.T) {
	n := newNode(t, nil)
	for what, set := range map[string]func(*http.Request){
		"none":            func(*http.Request) {},
		"a bearer":        func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"a wrong token":   func(r *http.Request) { r.SetBasicAuth(account, "Sandboxdemo") },
		"no token":        func(r *http.Request) { r.SetBasicAuth(account, "") },
		"another account": func(r *http.Request) { r.SetBasicAuth("AC"+strings.Repeat("0", 32), token) },
		"no account":      func(r *http.Request) { r.SetBasicAuth("", "") },
		"broken base64":   func(r *http.Request) { r.Header.Set("Authorization", "Basic ?") },
	} {
		r := httptest.NewRequest("POST", of+"/Verifications", strings.NewReader(fields("To", phone, "Channel", "sms")))
		r.Header.Set("Content-Type", formType)
		set(r)
		a := n.send(r)
		a.refusedAs(t, what, 401, 20003)
		if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: no WWW-Authenticate", what)
		}
	}
	if list := n.box.Inbox().List(""); len(list) != 0 {
		t.Errorf("%d messages were sent", len(list))
	}
}

// The limits of phones hold: 60203 for messages, 60202 for guesses, both with the time to wait.
func TestPhoneLimits(t *testing.T) {
	n := newNode(t, nil)
	waits := func(a *answer, what string, code int, least, most time.Duration) {
		t.Helper()
		a.refusedAs(t, what, 429, code)
		if s, _ := strconv.Atoi(a.header.Get("Retry-After")); time.Duration(s)*time.Second < least || time.Duration(s)*time.Second > most {
			t.Errorf("%s: Retry-After is %d s, want %s to %s", what, s, least, most)
		}
	}
	first := n.start(phone)
	if first.status != 201 {
		t.Fatal(first.text)
	}
	waits(n.start(phone), "within the cooldown", 60203, time.Second, 30*time.Second)
	n.advance(31 * time.Second)
	if again := n.start(phone); again.status != 201 || again.field("sid") != first.field("sid") {
		t.Fatalf("sent again: %d %s", again.status, again.text)
	}
	n.advance(61 * time.Second)
	if again := n.start(phone); again.status != 201 || len(again.body["send_code_attempts"].([]any)) != 3 {
		t.Fatalf("sent a third time: %d %s", again.status, again.text)
	}
	n.advance(121 * time.Second)
	waits(n.start(phone), "a fourth message in ten minutes", 60203, time.Minute, 10*time.Minute)

	const guessed = "+12025550102"
	for round := range 4 {
		if a := n.start(guessed); a.status != 201 {
			t.Fatalf("start %d: %d %s", round, a.status, a.text)
		}
		wrong := wrongOf(n.code(guessed))
		for left := 4; left >= 0; left-- {
			a := n.check("To", guessed, "Code", wrong)
			if a.status != 200 || a.field("status") != "pending" || a.body["valid"] != false || a.header.Get("Countersign-Attempts-Left") != strconv.Itoa(left) {
				t.Fatalf("a wrong code with %d left: %d %s %v", left, a.status, a.text, a.header)
			}
		}
		n.advance(11 * time.Minute)
	}
	waits(n.start(guessed), "a start of a locked phone", 60202, time.Hour, 24*time.Hour)
}

// The guard refuses as the vendor's fraud guard does, the countries as its geo permissions do.
func TestGuard(t *testing.T) {
	n := newNodeUnder(t, guard.Policy{Countries: []string{"US"}, Deny: []string{"+1202555019*"}, Channels: []countersign.Channel{countersign.ChannelSMS}}, nil)
	n.start("+447911123456").refusedAs(t, "another country", 403, 60605)
	n.start("+12025550190").refusedAs(t, "a denied number", 403, 60605)
	last := &answer{}
	for i := range 30 {
		if last = n.start(fmt.Sprintf("+12025550%03d", 100+i)); last.status != 201 {
			break
		}
	}
	last.refusedAs(t, "thirty neighbours", 403, 60410)
	for i := range 11 {
		last = n.start(fmt.Sprintf("+1%d5550134", 212+i*13), "DeviceIp", "203.0.113.7")
	}
	if last.status == 201 {
		t.Error("DeviceIp is not counted")
	}
}

// Status=approved is the app's own word: it is heard of once, and gives no budget anything back. The control is a code.
func TestVouch(t *testing.T) {
	policy := guard.Policy{
		Countries: []string{"US"}, Shadow: []string{guard.RuleSequence},
		Budgets: map[string]countersign.Budget{"budget_thousand": {Capacity: 4, Refill: 1}},
	}
	n := newNodeUnder(t, policy, nil)
	var begun, sids []string
	next := 0
	more := func() *answer {
		next++
		return n.start(fmt.Sprintf("+12025550%03d", 100+next))
	}
	a := more()
	for ; a.status == 201; a = more() {
		begun, sids = append(begun, a.field("to")), append(sids, a.field("sid"))
	}
	a.refusedAs(t, "beyond the budget", 403, 60410)
	if len(begun) < 3 {
		t.Fatalf("%d starts fit into the budget", len(begun))
	}
	for range 2 { // twice is fine
		v := n.ask("POST", of+"/Verifications/"+sids[0], "Status=approved")
		if v.status != 200 || v.field("status") != "approved" || strings.Contains(v.text, "proof") {
			t.Fatalf("vouched: %d %s", v.status, v.text)
		}
	}
	n.check("To", begun[0], "Code", n.code(begun[0])).refusedAs(t, "the code of what was vouched for", 404, 20404)
	if heard := n.vouched.events(); len(heard) != 1 || heard[0].Result != "approved" || heard[0].Face != countersign.FaceTwilio {
		t.Errorf("the word was heard as %+v", heard)
	}
	more().refusedAs(t, "after the word", 403, 60410)
	if v := n.check("To", begun[1], "Code", n.code(begun[1])); v.status != 200 || v.body["valid"] != true {
		t.Fatalf("control: %d %s", v.status, v.text)
	}
	deadline := time.Now().Add(time.Minute)
	for a = more(); a.status != 201; a = more() { // given back behind the answer
		if time.Now().After(deadline) {
			t.Fatalf("control: a code gave nothing back: %s", a.text)
		}
		time.Sleep(5 * time.Millisecond)
	}
	// The word about what a code approved changes nothing and is not the app's approval.
	v := n.ask("POST", of+"/Verifications/"+sids[1], "Status=approved")
	if heard := n.vouched.events(); len(heard) != 1 || v.status != 200 {
		t.Errorf("%d words were heard (%d %s)", len(heard), v.status, v.text)
	}
	if c := n.ask("POST", of+"/Verifications/"+url.PathEscape(begun[2]), "Status=canceled"); c.field("status") != "canceled" {
		t.Errorf("canceled: %d %s", c.status, c.text)
	}
	if v := n.ask("POST", of+"/Verifications/"+sids[2], "Status=approved"); v.status == 200 {
		t.Errorf("what was canceled is vouched for: %s", v.text)
	}
}

func TestIdempotencyKey(t *testing.T) {
	n := newNode(t, nil)
	body := fields("To", phone, "Channel", "sms")
	first := n.ask("POST", of+"/Verifications", body, "Idempotency-Key", "order-17")
	if first.status != 201 {
		t.Fatal(first.text)
	}
	deadline := time.Now().Add(time.Minute)
	again := first
	for {
		again = n.ask("POST", of+"/Verifications", body, "Idempotency-Key", "order-17")
		if again.status != http.StatusConflict || time.Now().After(deadline) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if again.status != 201 || again.field("sid") != first.field("sid") || len(n.box.Inbox().List(phone)) != 1 {
		t.Errorf("the same again: %d %s, %d messages", again.status, again.text, len(n.box.Inbox().List(phone)))
	}
	n.ask("POST", of+"/Verifications", body+"&Locale=sv", "Idempotency-Key", "order-17").refusedAs(t, "another body", 422, 60200)
}

func TestHideEnded(t *testing.T) {
	n := newNode(t, func(c *twilioapi.Config) { c.Apps[0].HideEnded = true })
	v := n.start(phone)
	if f := n.ask("GET", of+"/Verifications/"+v.field("sid"), ""); f.status != 200 {
		t.Fatal(f.text)
	}
	n.check("To", phone, "Code", n.code(phone))
	n.ask("GET", of+"/Verifications/"+v.field("sid"), "").refusedAs(t, "fetch after the approval", 404, 20404)
}

// paths are drawn from what the face has.
var paths = []string{
	"/v2/Services", of, of + "/Verifications", of + "/Verifications/" + url.PathEscape(phone), of + "/VerificationCheck", of + "/RateLimits",
	of + "/RateLimits/RK00000000000000000000000000000000/Buckets", "/v2/Attempts", "/v2/Attempts/Summary", "/v2/Attempts/VL00000000000000000000000000000000",
	"/v2/SafeList/Numbers", "/v2/SafeList/Numbers/" + url.PathEscape(phone), "/v2/Services/x/y/z", of + "/Verifications/VE00000000000000000000000000000000",
}

// fair wants an answer that no input may spoil.
func (n *node) fair(t testing.TB, method, path, body string) {
	a := n.ask(method, path, body)
	if a.status >= 500 {
		t.Fatalf("%s %s %q: %d %s", method, path, body, a.status, a.text)
	}
	if a.status >= 400 {
		a.isError(t, fmt.Sprintf("%s %s %q", method, path, body))
	}
}

// Forms of known fields with any values never cause a fault, and every refusal has the vendor's shape.
func TestAnyForm(t *testing.T) {
	n := newNode(t, nil)
	names := []string{
		"To", "Channel", "Code", "Locale", "Amount", "Payee", "RateLimits", "Tags", "DeviceIp", "CustomCode", "VerificationSid", "Status", "FriendlyName",
		"CodeLength", "UniqueName", "Description", "Max", "Interval", "PhoneNumber", "PageSize", "Page", "PageToken", "DateCreatedAfter", "ChannelData.To",
		"Country", "VerifyServiceSid", "DestinationPrefix",
	}
	values := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", phone, "+447911123456", "+1", "+", "+0000000000", "a@example.com", "sms", "call", "email", "auto", "whatsapp", "123456", "-1", "0", "99999999999999999999", "sv",
			"39.99 EUR", "0 EUR", "EUR", "{}", `{"a":"b"}`, `{"a":1}`, "[", "approved", "canceled", "VE" + strings.Repeat("0", 32), "1.ver_x", "2026-01-02T15:04:05Z", "::1",
			"fe80::1%eth0", "\u202e", "💶",
		}),
		rapid.String(), rapid.StringN(0, 300, -1),
	)
	rapid.Check(t, func(r *rapid.T) {
		form := url.Values{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 8).Draw(r, "names") {
			form.Set(name, values.Draw(r, "value"))
		}
		method, path, body := rapid.SampledFrom([]string{"GET", "POST", "POST", "DELETE"}).Draw(r, "method"), rapid.SampledFrom(paths).Draw(r, "path"), form.Encode()
		if method != "POST" {
			path, body = path+"?"+body, ""
		}
		n.fair(t, method, path, body)
	})
}

// FuzzFace asks anything of the face.
func FuzzFace(f *testing.F) {
	n := newNode(f, nil)
	for i, path := range paths {
		f.Add(uint8(i), path, fields("To", phone, "Channel", "sms", "Code", "123456"))
	}
	f.Add(uint8(1), "/v2/Attempts?PageSize=%zz", "")
	f.Add(uint8(0), of+"/Verifications", "To=%2B1&To=%2B1")
	f.Fuzz(func(t *testing.T, method uint8, path, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(u.Path, "/v2") || u.Host != "" {
			return // the server hands nothing else to the face
		}
		r, err := http.NewRequest([]string{"POST", "GET", "DELETE", "PUT", "HEAD"}[method%5], "http://127.0.0.1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		r.SetBasicAuth(account, token)
		r.Header.Set("Content-Type", formType)
		a := n.send(r)
		if a.status >= 500 {
			t.Fatalf("%s %q %q: %d %s", r.Method, path, body, a.status, a.text)
		}
		if a.status >= 400 {
			a.isError(t, path)
		}
	})
}
