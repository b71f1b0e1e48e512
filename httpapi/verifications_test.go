package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign"
)

func TestStartAnswersTheVerification(t *testing.T) {
	f := newFace(t)
	a := f.ask("POST", "/v1/verifications",
		`{"to":"+1 (201) 555-0123","reference":"order-17","metadata":{"k":"v"},"nonce":"n"}`, as(secret)).want(201, "")
	v := a.json()
	want := map[string]any{
		"app": "demo", "status": "pending", "to": number, "channel": "sms", "purpose": "login", "reference": "order-17",
		"created_at": "2026-01-02T03:04:05Z", "expires_at": "2026-01-02T03:09:05Z", "expires_in": 300.0, "code_length": 6.0,
		"checks_left": 5.0, "sends": 1.0, "sends_left": 2.0, "resend_in": 30.0,
	}
	for name, value := range want {
		if v[name] != value {
			t.Errorf("%s = %v, want %v", name, v[name], value)
		}
	}
	d := v["deliveries"].([]any)[0].(map[string]any)
	if d["id"] != "msg_one" || d["provider"] != "main" || d["status"] != "accepted" || d["detail"] != nil || d["at"] != "2026-01-02T03:04:05Z" {
		t.Errorf("delivery %v", d)
	}
	if at := a.header.Get("Location"); at != "/v1/verifications/"+v["id"].(string) {
		t.Errorf("Location %q", at)
	}
	if a.header.Get("RateLimit") != `"sends";r=2;t=600` || !strings.HasPrefix(a.header.Get("RateLimit-Policy"), `"sends";q=3;w=600`) {
		t.Errorf("limit fields %q, %q", a.header.Get("RateLimit"), a.header.Get("RateLimit-Policy"))
	}
	q := f.engine.starts[0]
	if !q.Wait || !q.Signed || q.Nonce != "n" || q.Metadata["k"] != "v" || q.Client.Addr.IsValid() {
		t.Errorf("the engine was asked %+v", q)
	}
}

func TestStartTellsTheEngineWhoAsks(t *testing.T) {
	f := newFace(t)
	f.ask("POST", "/v1/verifications", `{"to":"`+number+`","wait":false,"client":{"ip":"::ffff:203.0.113.7","user_agent":"ua","device":"d"}}`, as(secret)).want(201, "")
	q := f.engine.starts[0]
	if q.Wait || q.Client.Addr.String() != "203.0.113.7" || q.Client.UserAgent != "ua" || q.Client.Device != "d" {
		t.Errorf("the engine was asked %+v", q)
	}
	f.ask("POST", "/v1/verifications", `{"to":"`+number+`","wait":true}`, as(publishable), "Origin: "+ownOrigin).want(201, "")
	q = f.engine.starts[1]
	if q.Wait || q.Signed || q.Client.Addr.String() != "127.0.0.1" || q.Client.UserAgent == "" {
		t.Errorf("with a publishable key the engine was asked %+v", q)
	}
}

func TestStartRefusesBadMembers(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct{ name, body, code, pointer string }{
		{"channel", `{"to":"+12015550123","channel":"pigeon"}`, "invalid_request", "/channel"},
		{"seamless is not for this face", `{"to":"+12015550123","channel":"seamless"}`, "invalid_request", "/channel"},
		{"purpose", `{"to":"+12015550123","purpose":"fun"}`, "invalid_request", "/purpose"},
		{"region", `{"to":"+12015550123","region":"XX"}`, "invalid_request", "/region"},
		{"locale", `{"to":"+12015550123","locale":"en_US\n"}`, "invalid_request", "/locale"},
		{"locale of hyphens", `{"to":"+12015550123","locale":"en--US"}`, "invalid_request", "/locale"},
		{"locale without a language", `{"to":"+12015550123","locale":"1"}`, "invalid_request", "/locale"},
		{"locale of one long word", `{"to":"+12015550123","locale":"abcdefghi"}`, "invalid_request", "/locale"},
		{"e-mail", `{"to":"nobody","channel":"email"}`, "invalid_email", "/to"},
		{"missing to", `{}`, "invalid_request", "/to"},
		{"null to", `{"to":null}`, "invalid_request", "/to"},
		{"null channel", `{"to":"+12015550123","channel":null}`, "invalid_request", "/channel"},
		{"empty to", `{"to":""}`, "invalid_phone_number", "/to"},
		{"wait", `{"to":"+12015550123","wait":"yes"}`, "invalid_request", "/wait"},
		{"metadata value", `{"to":"+12015550123","metadata":{"k":1}}`, "invalid_request", "/metadata/k"},
		{"metadata name is not echoed", `{"to":"+12015550123","metadata":{"<b>":1}}`, "invalid_request", "/metadata"},
		{"client ip", `{"to":"+12015550123","client":{"ip":"fe80::1%eth0"}}`, "invalid_request", "/client/ip"},
		{"nobody's ip", `{"to":"+12015550123","client":{"ip":"::ffff:0.0.0.0"}}`, "invalid_request", "/client/ip"},
		{"everybody's ip", `{"to":"+12015550123","client":{"ip":"ff02::1"}}`, "invalid_request", "/client/ip"},
		{"client member", `{"to":"+12015550123","client":{"addr":"1.2.3.4"}}`, "invalid_request", "/client/addr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := f.ask("POST", "/v1/verifications", c.body, as(secret)).want(400, c.code)
			if got := a.pointer(); got != c.pointer {
				t.Errorf("points at %q, want %q", got, c.pointer)
			}
		})
	}
}

// A parameter where none is looked at is a member that stands in the wrong place: a typo must not be ignored.
func TestNoQueryWhereNoneIsTaken(t *testing.T) {
	f := newFace(t)
	id := f.start()
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/verifications?wait=false", `{"to":"` + number + `"}`},
		{"GET", "/v1/verifications/" + id + "?expand=deliveries", ""},
		{"POST", "/v1/verifications/" + id + "/checks?code=123456", `{"code":"123456"}`},
	} {
		sent := len(f.engine.starts)
		f.ask(c.method, c.path, c.body, as(secret)).want(400, "invalid_request")
		f.ask(c.method, c.path, c.body, as("sk_nobody")).want(401, "unauthorized")
		if len(f.engine.starts) != sent {
			t.Errorf("%s reached the engine", c.path)
		}
	}
}

func TestRegionComesFromTheRequestElseTheApp(t *testing.T) {
	f := newFace(t)
	f.ask("POST", "/v1/verifications", `{"to":"2015550123"}`, as(secret)).want(400, "invalid_phone_number")
	f.ask("POST", "/v1/verifications", `{"to":"2015550123","region":"us"}`, as(secret)).want(201, "")
	f.ask("POST", "/v1/verifications", `{"to":"2015550123"}`, as(foreign)).want(201, "")
}

func TestCheck(t *testing.T) {
	f := newFace(t)
	id := f.start()
	a := f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"654321"}`, as(secret)).want(422, "incorrect_code")
	if a.json()["checks_left"] != 4.0 || a.header.Get("RateLimit") != `"checks";r=19` {
		t.Errorf("%v, %q", a.json()["checks_left"], a.header.Get("RateLimit"))
	}
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"12345"}`, as(secret)).want(400, "invalid_code")
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{}`, as(secret)).want(400, "invalid_request")
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"123456"}`, as(foreign)).want(404, "not_found")
	v := f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"123-456","client":{"ip":"203.0.113.7"}}`, as(secret)).want(200, "").json()
	if v["status"] != "approved" || v["proof"] == "" || v["expires_in"] != 0.0 || v["resend_in"] != 0.0 {
		t.Errorf("approved as %v", v)
	}
	last := f.engine.checks[len(f.engine.checks)-1]
	if last.Caller != "key_1" || last.Client.Addr.String() != "203.0.113.7" || last.Face != countersign.FaceREST {
		t.Errorf("the engine was asked %+v", last)
	}
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"123456"}`, as(secret)).want(409, "verification_closed")
}

func TestLastGuessSaysZero(t *testing.T) {
	f := newFace(t)
	id := f.start()
	for left := 4; left >= 0; left-- {
		a := f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"000000"}`, as(secret)).want(422, "incorrect_code")
		if got := a.json()["checks_left"]; got != float64(left) {
			t.Fatalf("checks_left %v, want %d", got, left)
		}
	}
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"123456"}`, as(secret)).want(409, "verification_closed")
}

func TestCheckByPhone(t *testing.T) {
	f := newFace(t)
	f.start()
	f.ask("POST", "/v1/checks", `{"to":"+12015550123","code":"123456","purpose":"transaction"}`, as(secret)).want(400, "invalid_request")
	f.ask("POST", "/v1/checks", `{"code":"123456"}`, as(secret)).want(400, "invalid_request")
	f.ask("POST", "/v1/checks", `{"to":"+12015550123"}`, as(secret)).want(400, "invalid_request")
	f.ask("POST", "/v1/checks", `{"to":"+12015550123","code":"123456"}`, as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
	f.ask("POST", "/v1/checks", `{"to":"+1 201 555 0123","code":"123456"}`, as(secret)).want(200, "")
	q := f.engine.checks[len(f.engine.checks)-1]
	if q.To.Dial() != number || q.Purpose != countersign.PurposeLogin {
		t.Errorf("the engine was asked about %v %v", q.To, q.Purpose)
	}
}

func TestSendAndCancelNeedNoBody(t *testing.T) {
	f := newFace(t)
	id := f.start()
	f.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(200, "")
	f.ask("POST", "/v1/verifications/"+id+"/sends", `{"channel":"voice"}`, as(secret)).want(200, "")
	f.ask("POST", "/v1/verifications/"+id+"/sends", `{"channel":"pigeon"}`, as(secret)).want(400, "invalid_request")
	f.ask("POST", "/v1/verifications/"+id+"/sends", `{}`, as(publishable), "Origin: "+ownOrigin).want(200, "")
	if q := f.engine.sends; q[0].Channel != "" || !q[0].Wait || q[1].Channel != countersign.ChannelVoice || q[2].Wait || !q[2].Client.Addr.IsValid() {
		t.Errorf("the engine was asked %+v", q)
	}
	f.ask("POST", "/v1/verifications/"+id+"/cancel", "", as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
	if s := f.ask("POST", "/v1/verifications/"+id+"/cancel", "", as(secret)).want(200, "").json()["status"]; s != "canceled" {
		t.Errorf("status %v", s)
	}
	f.ask("POST", "/v1/verifications/"+id+"/cancel", `{"why":"x"}`, as(secret)).want(400, "invalid_request")
}

func TestPublishableKeySeesNoDeliveries(t *testing.T) {
	f := newFace(t)
	a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`","metadata":{"k":"v"}}`, as(publishable), "Origin: "+ownOrigin).want(201, "")
	for _, hidden := range []string{"deliveries", "metadata", "main"} {
		if strings.Contains(a.body, hidden) {
			t.Errorf("the answer has %q: %s", hidden, a.body)
		}
	}
	f.ask("GET", "/v1/verifications/"+a.json()["id"].(string), "", as(publishable), "Origin: "+ownOrigin).want(200, "")
	f.ask("GET", "/v1/verifications", "", as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
	f.ask("POST", "/v1/verifications", `{"to":"`+number+`","client":{"ip":"203.0.113.7"}}`, as(publishable), "Origin: "+ownOrigin).want(400, "invalid_request")
}

func TestListPages(t *testing.T) {
	f := newFace(t)
	for range 5 {
		f.start()
	}
	var seen []string
	cursor := ""
	for pages := 0; ; pages++ {
		if pages > 5 {
			t.Fatal("the list does not end")
		}
		path := "/v1/verifications?limit=2"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		p := f.ask("GET", path, "", as(secret)).want(200, "").json()
		for _, v := range p["data"].([]any) {
			seen = append(seen, v.(map[string]any)["id"].(string))
		}
		if p["next_cursor"] == nil {
			break
		}
		cursor = p["next_cursor"].(string)
	}
	if len(seen) != 5 || !slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("saw %v", seen)
	}
}

func TestListParameters(t *testing.T) {
	f := newFace(t)
	f.ask("GET", "/v1/verifications?to=+1%20201-555-0123&status=approved&purpose=login&created_after=2026-01-01T00:00:00Z&limit=100", "", as(secret)).want(200, "")
	q := f.engine.lists[0]
	if q.To.Dial() != number || q.Status != countersign.StatusApproved || q.Purpose != countersign.PurposeLogin || q.Limit != 100 ||
		!q.CreatedAfter.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the engine was asked %+v", q)
	}
	f.ask("GET", "/v1/verifications", "", as(secret)).want(200, "")
	if f.engine.lists[1].Limit != 20 {
		t.Errorf("default limit %d", f.engine.lists[1].Limit)
	}
	for query, pointer := range map[string]string{
		"limit=0": "/limit", "limit=101": "/limit", "limit=1e2": "/limit", "status=open": "/status", "purpose=": "/purpose",
		"created_after=yesterday": "/created_after", "cursor=AAAA": "/cursor", "limt=3": "/limt", "limit=1&limit=2": "/limit",
		"<script>=1": "", "limit=%zz": "",
	} {
		if got := f.ask("GET", "/v1/verifications?"+query, "", as(secret)).want(400, "invalid_request").pointer(); got != pointer {
			t.Errorf("%s points at %q, want %q", query, got, pointer)
		}
	}
	f.ask("GET", "/v1/verifications?to=12", "", as(secret)).want(400, "invalid_phone_number")
}

func TestEveryRefusalOfTheEngineIsAProblem(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct {
		err    error
		status int
		retry  string
	}{
		{&countersign.Error{Kind: countersign.ErrRateLimited, Limit: "client_starts", RetryAfter: 1500 * time.Millisecond, Detail: "d"}, 429, "2"},
		{&countersign.Error{Kind: countersign.ErrResendTooSoon, RetryAfter: 30 * time.Second, Detail: "d"}, 429, "30"},
		{&countersign.Error{Kind: countersign.ErrTooManySends, RetryAfter: time.Minute, Detail: "d"}, 429, "60"},
		{&countersign.Error{Kind: countersign.ErrTooManyChecks, Detail: "d"}, 429, ""},
		{countersign.Unavailable(errors.New("dial tcp 10.0.0.3")), 503, "1"},
		{&countersign.Error{Kind: countersign.ErrDeliveryFailed, VerificationID: "ver_x", Detail: "d"}, 502, ""},
		{countersign.ErrVerificationExpired, 410, ""},
		{fmt.Errorf("wrapped: %w", countersign.Fail(countersign.ErrOptedOut, "d")), 403, ""},
		{errors.New("table missing"), 500, ""},
		{fmt.Errorf("odd: %w", countersign.Kind("never_heard_of")), 500, ""},
	} {
		f.engine.fail = c.err
		a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret))
		code := string(countersign.KindOf(c.err))
		if c.status == 500 {
			code = "internal"
		}
		a.want(c.status, code)
		if got := a.header.Get("Retry-After"); got != c.retry {
			t.Errorf("%v: Retry-After %q, want %q", c.err, got, c.retry)
		}
		for _, inner := range []string{"10.0.0.3", "table missing"} {
			if strings.Contains(a.body, inner) {
				t.Errorf("%q leaks: %s", inner, a.body)
			}
		}
	}
	f.engine.fail = &countersign.Error{Kind: countersign.ErrDeliveryFailed, VerificationID: "ver_x", Detail: "d"}
	if id := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).json()["verification_id"]; id != "ver_x" {
		t.Errorf("verification_id %v", id)
	}
}

func TestLimitIsHiddenFromPublishableKeys(t *testing.T) {
	f := newFace(t)
	f.engine.fail = &countersign.Error{Kind: countersign.ErrRateLimited, Limit: "client_starts", RetryAfter: 6 * time.Second, Detail: "d"}
	told := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(429, "rate_limited")
	if told.json()["limit"] != "client_starts" || told.header.Get("RateLimit") != `"client_starts";r=0;t=6` {
		t.Errorf("a secret key is told %v, %q", told.json()["limit"], told.header.Get("RateLimit"))
	}
	hidden := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(publishable), "Origin: "+ownOrigin).want(429, "rate_limited")
	if strings.Contains(hidden.body+hidden.header.Get("RateLimit"), "client_starts") || hidden.json()["retry_after"] != 6.0 {
		t.Errorf("a publishable key is told %s, %q", hidden.body, hidden.header.Get("RateLimit"))
	}
}

func TestPanicsAreInternalErrors(t *testing.T) {
	f := newFace(t)
	f.engine.panics = true
	f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(http.StatusInternalServerError, "internal")
	if line := f.log.take(); !strings.Contains(line, "the engine fell over") || !strings.Contains(line, `"msg":"panic"`) {
		t.Errorf("the log does not tell of the panic: %s", line)
	}
}

func TestIdempotencyKey(t *testing.T) {
	f := newFace(t)
	body := `{"to":"` + number + `"}`
	for _, bad := range []string{"", "a b", strings.Repeat("k", 256), "clé"} {
		f.ask("POST", "/v1/verifications", body, as(secret), "Idempotency-Key: "+bad).want(400, "invalid_request")
	}
	f.ask("POST", "/v1/verifications", body, as(secret), "Idempotency-Key: "+strings.Repeat("k", 255)).want(201, "")
	f.ask("POST", "/v1/verifications", body, as(secret), "Idempotency-Key: k1").want(201, "")
	f.ask("POST", "/v1/verifications", body, as(publishable), "Idempotency-Key: k1", "Origin: "+ownOrigin).want(201, "")
	last := f.engine.starts[len(f.engine.starts)-2:]
	if last[0].Idempotency.Key != "k1" || string(last[0].Idempotency.Body) != body {
		t.Errorf("the engine was asked %+v", last[0].Idempotency)
	}
	if last[0].Idempotency.Scope == last[1].Idempotency.Scope {
		t.Error("a stranger with a publishable key shares the server's scope")
	}
	id := f.start()
	other := f.start()
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"000000"}`, as(secret), "Idempotency-Key: k1").want(422, "incorrect_code")
	f.ask("POST", "/v1/verifications/"+other+"/checks", `{"code":"000000"}`, as(secret), "Idempotency-Key: k1").want(422, "incorrect_code")
	checks := f.engine.checks
	if checks[0].Idempotency.Scope == checks[1].Idempotency.Scope {
		t.Error("two verifications share a scope")
	}
}
