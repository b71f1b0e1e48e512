package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"countersign/httpapi"
)

func newSandbox(t *testing.T) (*face, *time.Duration) {
	t.Helper()
	advanced := new(time.Duration)
	in := &memoryInbox{}
	f := newFace(t, sandboxed(in, advanced))
	f.inbox = in
	return f, advanced
}

func TestSandboxInbox(t *testing.T) {
	f, _ := newSandbox(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.inbox.list = []httpapi.InboxMessage{
		{ID: "msg_2", To: "+447400123456", Channel: "sms", Provider: "sandbox", Text: "222222 is your code", Code: "222222", At: at},
		{ID: "msg_1", To: number, Channel: "sms", Provider: "sandbox", Text: "111111 is your code", Code: "111111", At: at},
	}
	for _, all := range []string{"", "?to="} {
		if got := len(f.ask("GET", "/dev/inbox.json"+all, "").want(200, "").json()["messages"].([]any)); got != 2 {
			t.Errorf("%q: %d messages", all, got)
		}
	}
	for _, to := range []string{"%2B12015550123", "+12015550123", "201-555-0123"} {
		list := f.ask("GET", "/dev/inbox.json?to="+to, "").want(200, "").json()["messages"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["code"] != "111111" || list[0].(map[string]any)["at"] != "2026-01-02T03:04:05Z" {
			t.Errorf("to=%s: %v", to, list)
		}
	}
	f.ask("GET", "/dev/inbox", "").want(200, "").shows("222222", "111111")
	f.ask("GET", "/", "").want(200, "").shows("sk_sandbox_demo", "curl", "http://127.0.0.1:8080")
	for _, wrong := range []string{"to=nobody", "to=%zz", "too=%2B12015550123", "to=%2B12015550123&to=%2B12015550124"} {
		f.ask("GET", "/dev/inbox.json?"+wrong, "").want(400, "")
	}
	f.ask("DELETE", "/dev/inbox.json", "", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site").want(403, "forbidden")
	f.ask("DELETE", "/dev/inbox.json", "").want(204, "")
	if a := f.ask("GET", "/dev/inbox.json", "").want(200, ""); strings.TrimSpace(a.body) != `{"messages":[]}` {
		t.Errorf("emptied: %s", a.body)
	}
	f.ask("GET", "/dev/seamless/one", "").want(200, "")
	f.ask("GET", "/dev/seamless/two", "").want(404, "not_found")
}

func TestSandboxClockAndLimits(t *testing.T) {
	f, advanced := newSandbox(t)
	a := f.ask("POST", "/dev/clock", `{"advance":"90s"}`).want(200, "")
	if *advanced != 90*time.Second || a.json()["now"] != "2026-01-02T00:00:00Z" {
		t.Errorf("advanced by %s: %s", *advanced, a.body)
	}
	for _, bad := range []string{`{}`, `{"advance":90}`, `{"advance":"-90s"}`, `{"advance":"0s"}`, `{"advance":"soon"}`, `{"advance":"99999h"}`} {
		f.ask("POST", "/dev/clock", bad).want(400, "invalid_request")
	}
	f.ask("POST", "/dev/clock", `{"advance":"90s"}`, "Content-Type: text/plain").want(415, "unsupported_media_type")
	f.ask("DELETE", "/dev/limits", "").want(401, "unauthorized")
	f.ask("DELETE", "/dev/limits", "", as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
	f.ask("DELETE", "/dev/limits", "", as(secret)).want(204, "")
	if *advanced != -1 {
		t.Error("the limits were not forgotten")
	}
}

func TestSandboxAnswersToLoopbackNamesOnly(t *testing.T) {
	f, _ := newSandbox(t)
	for _, line := range []string{
		"Host: evil.example", "Host: login.acme.example.evil.example", "Host: LOGIN.ACME.EXAMPLE.", "Host: localhost.evil.example",
		"X-Forwarded-Host: evil.example", "X-Host: evil.example",
	} {
		f.ask("GET", "/dev/inbox.json", "", line).want(421, "misdirected_request")
		f.ask("GET", "/verify", "", line).want(421, "misdirected_request")
	}
	for _, line := range []string{"Host: localhost", "Host: localhost:3000", "Host: [::1]:8080", "X-Forwarded-Host: localhost:3000"} {
		f.ask("GET", "/dev/inbox.json", "", line).want(200, "")
	}
}

func TestExposedSandboxAnswersToAnyHost(t *testing.T) {
	f := newFace(t, sandboxed(&memoryInbox{}, new(time.Duration)), func(cfg *httpapi.Config) { cfg.Sandbox.DangerouslyAnyHost = true })
	f.ask("GET", "/dev/inbox.json", "", "Host: countersign:8080").want(200, "")
}

func TestSandboxPageWorksUnderBothNames(t *testing.T) {
	f, _ := newSandbox(t)
	b := &browser{face: f}
	b.open("app=demo")
	if !strings.HasPrefix(b.cookie, "csrf=") {
		t.Fatalf("cookie %q", b.cookie)
	}
	host := strings.TrimPrefix(f.url, "http://")
	token := strings.TrimPrefix(b.cookie, "csrf=")
	b.ask("POST", "/verify", "app=demo&step=phone&phone=%2B12015550123&csrf="+token, "Content-Type: application/x-www-form-urlencoded",
		"Origin: http://"+host, "Cookie: "+b.cookie).want(200, "").shows(`name="code"`, "/dev/inbox")
}
