package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The one line of a start or resend says what the guard decided and by which rule, also what rules in shadow would have
// done; the answer says neither, and the line names nobody.
func TestTheLogSaysWhatWasDecided(t *testing.T) {
	w := newWhole(t)
	line := func(want string, parts ...string) map[string]any {
		t.Helper()
		text := w.log.take()
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("the log has %s: %v", text, err)
		}
		got := fmt.Sprint(m["decision"], " ", m["rule"], " ", m["shadow"])
		if got != want {
			t.Errorf("decided %s, want %s: %s", got, want, text)
		}
		for _, never := range append(parts, "127.0.0.1", secret) {
			if strings.Contains(text, never) {
				t.Errorf("the log has %q: %s", never, text)
			}
		}
		return m
	}
	w.log.take()
	v := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "").json()
	line("allow <nil> <nil>", number[1:])
	w.ask("POST", "/v1/verifications/"+v["id"].(string)+"/sends", `{}`, as(secret)).want(429, "resend_too_soon")
	line("deny resend_too_soon <nil>")
	body := w.ask("POST", "/v1/verifications", `{"to":"+46701740605"}`, as(publishable), "Origin: "+ownOrigin).want(403, "number_not_allowed").body
	line("deny number_country <nil>", "46701740605")
	if strings.Contains(body, "number_country") {
		t.Errorf("the answer names the rule: %s", body)
	}
	status := 201
	for n := 0; status == 201 && n < 100; n++ { // ten a minute, and what comes back meanwhile
		status = w.ask("POST", "/v1/verifications", fmt.Sprintf(`{"to":"+1201555%04d","client":{"ip":"203.0.113.7"}}`, 1000+n), as(foreign)).status
		want := "allow <nil>"
		if status != 201 {
			want = "deny client_starts"
		}
		shadow := " <nil>"
		if n >= 7 {
			shadow = " sequence"
		}
		line(want+shadow, "203.0.113.7")
	}
	if status != 429 {
		t.Errorf("the last of a hundred from one address: %d", status)
	}
	w.ask("GET", "/v1/verifications/"+v["id"].(string), "", as(secret)).want(200, "")
	if m := line("<nil> <nil> <nil>"); m["status"] != 200.0 {
		t.Errorf("a read is logged as %v", m)
	}
}
