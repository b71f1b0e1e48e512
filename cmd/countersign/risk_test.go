package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign/provider/webhook"
	"countersign/risk"
)

// The check of numbers from the configuration to the answer: a number whose SIM was changed gets no message, by the API and
// on the hosted page, and the log says why without its number.
func TestRiskCheck(t *testing.T) {
	const secretText, changed, fine = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "+14155557401", "+14155557402"
	secret, err := webhook.ParseSecret(secretText)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = webhook.Verify(r.Header, body, time.Now(), secret)
		}
		var q risk.Question
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err != nil {
			t.Errorf("asked: %s: %v", body, err)
		}
		if q.Data.To == changed {
			io.WriteString(w, `{"decision":"deny","reason":"sim_changed"}`)
			return
		}
		io.WriteString(w, `{"decision":"allow"}`)
	}))
	defer service.Close()
	i := serve(t, fmt.Sprintf("mode: sandbox\napps: {demo: {risk: {url: %q, secret: %q, timeout: 5s}}}\n", service.URL, secretText))
	status, a := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q}`, changed))
	if status != 403 || a["code"] != "number_not_allowed" {
		t.Fatalf("a start: %d %v", status, a)
	}
	eventually(t, 30*time.Second, "the log has it as denied", func() bool {
		_, a := i.call("GET", "/v1/verifications?status=denied&to=%2B"+changed[1:], "")
		list, _ := a["data"].([]any)
		return len(list) == 1
	})
	b := newBrowser(t, i)
	form := b.get(i.url + "/verify?app=demo").fields("phone")
	form.Set("phone", changed)
	i.raw("DELETE", "/dev/limits", "")
	if s := b.do("POST", i.url+"/verify", form); s.status != 403 || !strings.Contains(s.body, `data-problem="number_not_allowed"`) {
		t.Errorf("the page: %d %s", s.status, s.body)
	}
	if _, inbox := i.raw("GET", "/dev/inbox.json?to=%2B"+changed[1:], ""); strings.Contains(inbox, `"code"`) {
		t.Errorf("a message went out: %s", inbox)
	}
	if i.proofOf(fine, "login") == "" {
		t.Error("control: a number that is allowed")
	}
	if _, metrics := i.raw("GET", "/metrics", ""); !strings.Contains(metrics, `countersign_risk_checks_total{app="demo",country="US",purpose="login",result="deny"} 2`) {
		t.Error("the metrics do not count it")
	}
	i.stop()
	if log := i.err.String(); !strings.Contains(log, "denied: sim_changed") || strings.Contains(log, changed[1:]) {
		t.Errorf("the log: %s", log)
	}
}
