package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// countersignAsVendor is the configuration of docs/providers/webhook.md by which another Countersign's REST face makes,
// sends and checks the codes.
const countersignAsVendor = quiet + `
providers:
  vendor:
    type: webhook
    channels: [sms, voice]
    url: %[1]s/v1/verifications
    secrets: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
    headers:
      Authorization: "Bearer %[2]s"
      Idempotency-Key: "{{id}}"
    body: '{"to":{{to|json}},"channel":{{channel|json}},"reference":{{verification|json}}}'
    answer:
      ref_path: id
      error_path: code
      error_classes: {delivery_failed: destination, number_not_allowed: destination, opted_out: destination, resend_too_soon: temporary}
    hosted:
      report:
        url: "%[1]s/v1/verifications/{{ref|path}}/checks"
        body: '{"code":{{guess|json}}}'
        to_path: to
        http_statuses: {"422": pending, "400": pending, "409": failed, "410": expired}
      status:
        url: "%[1]s/v1/verifications/{{ref|path}}"
        to_path: to
        http_statuses: {"404": expired}
apps:
  demo:
    routes: {sms: [vendor]}
`

// listed waits until a number's verification of a status is in the list, which is written behind the answer.
func (i *instanceUnderTest) listed(to, status string) (found map[string]any) {
	i.t.Helper()
	eventually(i.t, 5*time.Second, "listed as "+status, func() bool {
		_, a := i.call("GET", "/v1/verifications?to="+strings.ReplaceAll(to, "+", "%2B")+"&status="+status, "")
		list, _ := a["data"].([]any)
		if len(list) > 0 {
			found, _ = list[0].(map[string]any)
		}
		return found != nil
	})
	return found
}

// TestAVendorByConfigurationAlone: the code is another instance's, the guesses, limits and the proof are ours.
func TestAVendorByConfigurationAlone(t *testing.T) {
	vendor := serve(t, quiet)
	front := serve(t, fmt.Sprintf(countersignAsVendor, vendor.url, sandboxKey))
	page := string(readFile(t, "../../docs/providers/webhook.md"))
	for line := range strings.Lines(countersignAsVendor) {
		if name, rest, _ := strings.Cut(strings.TrimSpace(line), ": "); (name == "body" || name == "http_statuses" || name == "to_path") && !strings.Contains(page, rest) {
			t.Errorf("the page has not %s", line)
		}
	}
	const to = "+14155550188"
	status, started := front.call("POST", "/v1/verifications", `{"to":"`+to+`"}`)
	if status != http.StatusCreated || !strings.Contains(fmt.Sprint(started["deliveries"]), "provider:vendor") {
		t.Fatalf("start: %d %v", status, started)
	}
	check := fmt.Sprintf("/v1/verifications/%s/checks", started["id"])
	code := vendor.code(to)
	if _, text := front.raw("GET", "/dev/inbox.json", ""); strings.Contains(text, to) {
		t.Error("the front sent a code of its own too")
	}
	if status, a := front.call("POST", check, `{"code":"`+other(code)+`"}`); status != http.StatusUnprocessableEntity || a["code"] != "incorrect_code" || a["checks_left"] != 4. {
		t.Errorf("a wrong guess: %d %v", status, a)
	}
	status, approved := front.call("POST", check, `{"code":"`+code+`"}`)
	if status != http.StatusOK || approved["status"] != "approved" || approved["proof"] == nil {
		t.Fatalf("the right guess: %d %v", status, approved)
	}
	theirs := vendor.listed(to, "approved")
	if theirs["reference"] != started["id"] {
		t.Errorf("the vendor's side: %v", theirs)
	}
	if status, a := front.call("POST", check, `{"code":"`+other(code)+`"}`); status != http.StatusConflict {
		t.Errorf("a guess after the approval: %d %v", status, a)
	}
}

// TestAVendorByConfigurationEnds: what the vendor ended, or will not take, ends here too.
func TestAVendorByConfigurationEnds(t *testing.T) {
	vendor := serve(t, quiet)
	front := serve(t, fmt.Sprintf(countersignAsVendor, vendor.url, sandboxKey))
	const to = "+14155550189"
	_, started := front.call("POST", "/v1/verifications", `{"to":"`+to+`"}`)
	theirs := vendor.listed(to, "pending")
	if status, a := vendor.call("POST", fmt.Sprintf("/v1/verifications/%s/cancel", theirs["id"]), `{}`); status != http.StatusOK {
		t.Fatalf("cancel at the vendor: %d %v", status, a)
	}
	code := vendor.code(to)
	if status, a := front.call("POST", fmt.Sprintf("/v1/verifications/%s/checks", started["id"]), `{"code":"`+code+`"}`); status == http.StatusOK {
		t.Errorf("a code that the vendor took back: %d %v", status, a)
	}
	if _, a := front.call("GET", fmt.Sprintf("/v1/verifications/%s", started["id"]), ""); a["status"] != "failed" {
		t.Errorf("after the vendor's end: %v", a["status"])
	}
	if status, a := front.call("POST", "/v1/verifications", `{"to":"+14155550505"}`); status != http.StatusBadGateway || a["code"] != "delivery_failed" {
		t.Errorf("a landline at the vendor: %d %v", status, a)
	}
}
