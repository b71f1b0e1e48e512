package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"countersign/config"
)

// This file puts a Countersign in front of a vendor that makes the codes itself: every face before every kind of hosted
// provider, the vendor being another Countersign. What is under test is the front; the vendor has the phones.

// Configurations of the front, by the vendor's kind. %s is the vendor's address.
const (
	sinchAsVendor = quiet + `
providers:
  vendor:
    type: sinch
    base_url: %[1]s
    application_key: ` + config.SandboxSinchKey + `
    application_secret: ` + config.SandboxSinchSecret + `
apps: {demo: {routes: {sms: [vendor]}}}
`
	twilioAsVendor = quiet + `
providers:
  vendor:
    type: twilio-verify
    base_url: %[1]s
    account_sid: ACdec0de00000000000000000000000001
    auth_token: sandboxdemo
    service_sid: VAdec0de00000000000000000000000001
apps: {demo: {routes: {sms: [vendor]}}}
`
)

// fronts are the kinds of provider behind the faces. An empty configuration has codes of its own.
func fronts(vendor *instanceUnderTest) map[string]string {
	return map[string]string{
		"own code": quiet,
		"sinch":    fmt.Sprintf(sinchAsVendor, vendor.url),
		"twilio":   fmt.Sprintf(twilioAsVendor, vendor.url),
		"webhook":  fmt.Sprintf(countersignAsVendor, vendor.url, sandboxKey),
	}
}

// exchange makes a request with the credentials that the face wants.
func (i *instanceUnderTest) exchange(method, path, body, contentType, user, password string) *reply {
	i.t.Helper()
	req, err := http.NewRequest(method, i.url+path, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	if body != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := i.client.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	r := &reply{status: res.StatusCode, header: res.Header, body: map[string]any{}}
	if err == nil {
		err = json.Unmarshal(text, &r.body)
	}
	if err != nil {
		i.t.Fatalf("%s %s: %d %s: %v", method, path, res.StatusCode, text, err)
	}
	return r
}

func (i *instanceUnderTest) asSinch(method, path, body string) *reply {
	i.t.Helper()
	return i.exchange(method, "/verification/v1/verifications"+path, body, "application/json", config.SandboxSinchKey, config.SandboxSinchSecret)
}

// asTwilio names fields in pairs.
func (i *instanceUnderTest) asTwilio(method, path string, fields ...string) *reply {
	i.t.Helper()
	form := url.Values{}
	for n := 0; n+1 < len(fields); n += 2 {
		form.Set(fields[n], fields[n+1])
	}
	own := config.SandboxTwilio
	return i.exchange(method, "/v2/Services/"+own.Service+path, form.Encode(), "application/x-www-form-urlencoded", own.Account, own.Token)
}

// faceClient speaks to a face as a program written for it does.
type faceClient struct {
	start  func(i *instanceUnderTest, to string) (id string, answer *reply)
	check  func(i *instanceUnderTest, id, code string) (right bool, answer *reply)
	status func(i *instanceUnderTest, id string) string
	// wrong says whether an answer is this face's to a wrong code, and nothing else.
	wrong func(answer *reply) bool
	done  string // the face's word for approved
}

var faceClients = map[string]faceClient{
	"REST": {
		start: func(i *instanceUnderTest, to string) (string, *reply) {
			r := i.mustPost("/v1/verifications", `{"to":"`+to+`"}`)
			return r.text("id"), r
		},
		check: func(i *instanceUnderTest, id, code string) (bool, *reply) {
			r := i.mustPost("/v1/verifications/"+id+"/checks", `{"code":"`+code+`"}`)
			return r.status == 200 && r.text("status") == "approved" && r.text("proof") != "", r
		},
		status: func(i *instanceUnderTest, id string) string {
			_, a := i.call("GET", "/v1/verifications/"+id, "")
			return fmt.Sprint(a["status"])
		},
		wrong: func(r *reply) bool { return r.status == 422 && r.text("code") == "incorrect_code" },
		done:  "approved",
	},
	"Sinch face": {
		start: func(i *instanceUnderTest, to string) (string, *reply) {
			r := i.asSinch("POST", "", `{"identity":{"type":"number","endpoint":"`+to+`"},"method":"sms"}`)
			return r.text("id"), r
		},
		check: func(i *instanceUnderTest, id, code string) (bool, *reply) {
			r := i.asSinch("PUT", "/id/"+id, `{"method":"sms","sms":{"code":"`+code+`"}}`)
			return r.status == 200 && r.text("status") == "SUCCESSFUL", r
		},
		status: func(i *instanceUnderTest, id string) string { return i.asSinch("GET", "/id/"+id, "").text("status") },
		wrong:  func(r *reply) bool { return r.status == 400 && fmt.Sprint(r.body["errorCode"]) == "40003" },
		done:   "SUCCESSFUL",
	},
	"Twilio face": {
		start: func(i *instanceUnderTest, to string) (string, *reply) {
			r := i.asTwilio("POST", "/Verifications", "To", to, "Channel", "sms")
			return r.text("sid"), r
		},
		check: func(i *instanceUnderTest, id, code string) (bool, *reply) {
			r := i.asTwilio("POST", "/VerificationCheck", "VerificationSid", id, "Code", code)
			return r.status == 200 && r.text("status") == "approved" && r.body["valid"] == true, r
		},
		status: func(i *instanceUnderTest, id string) string {
			return i.asTwilio("GET", "/Verifications/"+id).text("status")
		},
		wrong: func(r *reply) bool {
			return r.status == 200 && r.text("status") == "pending" && r.body["valid"] == false
		},
		done: "approved",
	},
}

// TestEveryFaceBeforeEveryVendor: twelve cells, each from the start over a wrong code to the approval.
func TestEveryFaceBeforeEveryVendor(t *testing.T) {
	vendor := serve(t, quiet)
	cells := 0
	number := func() string { // far from one another: the guard of both would take neighbours for pumping
		areas := [...]string{"202", "212", "213", "303", "305", "312", "404", "415", "503", "512", "617", "702"}
		cells++
		return "+1" + areas[(cells-1)%len(areas)] + fmt.Sprintf("55501%02d", 10+cells)
	}
	for kind, configuration := range fronts(vendor) {
		front := serve(t, configuration)
		phones, hosted := front, kind != "own code"
		if hosted {
			phones = vendor
		}
		for name, face := range faceClients {
			t.Run(name+"/"+kind, func(t *testing.T) {
				front.t, vendor.t = t, t
				defer func() { front.t, vendor.t = t, t }()
				face.throughOneCell(t, front, phones, number(), hosted)
			})
		}
		front.t = t
	}
	vendor.t = t
	if cells != 12 {
		t.Errorf("%d cells, want 12", cells)
	}
}

func (c faceClient) throughOneCell(t *testing.T, front, phones *instanceUnderTest, to string, hosted bool) {
	id, started := c.start(front, to)
	if id == "" || started.status >= 300 {
		t.Fatalf("start: %d %v", started.status, started.body)
	}
	if n := phones.messages(to); n != 1 {
		t.Fatalf("%d messages came to the phone, want 1", n)
	}
	if hosted && front.messages(to) != 0 {
		t.Error("the front sent a code of its own too")
	}
	code := phones.code(to)
	if right, r := c.check(front, id, other(code)); right || !c.wrong(r) {
		t.Errorf("a wrong code: %d %v", r.status, r.body)
	}
	if status := c.status(front, id); status == c.done {
		t.Errorf("after a wrong code it is %s", status)
	}
	if right, r := c.check(front, id, code); !right {
		t.Fatalf("the right code: %d %v", r.status, r.body)
	}
	if status := c.status(front, id); status != c.done {
		t.Errorf("after the right code it is %s, want %s", status, c.done)
	}
	front.listed(to, "approved")
	if hosted {
		phones.listed(to, "approved")
	}
	if right, r := c.check(front, id, other(code)); right {
		t.Errorf("a wrong code after the approval: %d %v", r.status, r.body)
	}
}

// TestLimitsBeforeAHostedVendor: what the front refuses does not reach the vendor. The vendor, another Countersign, has
// limits of its own; they are forgotten before each question, and as the control the vendor is then asked directly.
func TestLimitsBeforeAHostedVendor(t *testing.T) {
	vendor := serve(t, quiet)
	front := serve(t, fmt.Sprintf(twilioAsVendor, vendor.url))
	face := faceClients["Twilio face"]
	const to = "+14155550177"
	refused := func(what, code string, r *reply) {
		t.Helper()
		if r.status != 429 || fmt.Sprint(r.body["code"]) != code || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v, want %s", what, r.status, r.body, code)
		}
	}
	forget := func() {
		t.Helper()
		if status, text := vendor.raw("DELETE", "/dev/limits", ""); status >= 300 {
			t.Fatalf("forgetting the vendor's limits: %d %s", status, text)
		}
	}
	for round := range 4 {
		id, started := face.start(front, to)
		if started.status != 201 {
			t.Fatalf("start %d: %d %v", round+1, started.status, started.body)
		}
		if round == 0 {
			forget()
			_, again := face.start(front, to)
			refused("a start within the cooldown", "60203", again)
			if n := vendor.messages(to); n != 1 {
				t.Errorf("the vendor sent %d messages, want 1", n)
			}
			if _, direct := face.start(vendor, to); direct.status != 201 || vendor.messages(to) != 2 {
				t.Errorf("control: the vendor itself says %d %v, with %d messages", direct.status, direct.body, vendor.messages(to))
			}
		}
		code := vendor.code(to)
		for n := range 5 {
			if right, r := face.check(front, id, other(code)); right || !face.wrong(r) {
				t.Fatalf("wrong code %d of start %d: %d %v", n+1, round+1, r.status, r.body)
			}
		}
		right, r := face.check(front, id, code)
		if right {
			t.Error("the right code was taken after five wrong ones")
		}
		refused("the right code after five wrong ones", "60202", r)
		for _, i := range []*instanceUnderTest{front, vendor} {
			if status, a := i.call("POST", "/dev/clock", `{"advance":"11m"}`); status >= 300 {
				t.Fatalf("the clock: %d %v", status, a)
			}
		}
		forget()
	}
	sent := vendor.messages(to)
	_, locked := face.start(front, to)
	refused("a start after twenty wrong codes", "60202", locked)
	if n := vendor.messages(to); n != sent {
		t.Errorf("the vendor sent %d messages to a phone that is locked here", n-sent)
	}
	if _, direct := face.start(vendor, to); direct.status != 201 {
		t.Errorf("control: the vendor itself says %d %v", direct.status, direct.body)
	}
}

// TestFailoverFromAHostedVendor: a vendor that is down costs no start; the next route has a code of ours.
func TestFailoverFromAHostedVendor(t *testing.T) {
	vendor := serve(t, quiet)
	front := serve(t, fmt.Sprintf(strings.Replace(twilioAsVendor, "[vendor]", "[vendor, sandbox]", 1), vendor.url))
	face := faceClients["Twilio face"]
	const before, after = "+14155550178", "+12125550134"
	if _, r := face.start(front, before); r.status != 201 || vendor.messages(before) != 1 || front.messages(before) != 0 {
		t.Fatalf("while the vendor is up: %d %v", r.status, r.body)
	}
	vendor.stop()
	id, r := face.start(front, after)
	if r.status != 201 {
		t.Fatalf("a start while the vendor is down: %d %v", r.status, r.body)
	}
	if right, r := face.check(front, id, front.code(after)); !right {
		t.Errorf("the code of the other route: %d %v", r.status, r.body)
	}
	// What the vendor holds is not approved while nobody can ask it, and nothing says otherwise.
	theirs := face.status(front, face.sidOf(front, before))
	if theirs != "pending" {
		t.Errorf("what the vendor holds is %s", theirs)
	}
	if _, r := face.check(front, face.sidOf(front, before), "123456"); r.status != 503 {
		t.Errorf("a check that only the vendor could answer: %d %v", r.status, r.body)
	}
}

// sidOf finds a pending verification by its number.
func (faceClient) sidOf(i *instanceUnderTest, to string) string {
	i.t.Helper()
	return i.asTwilio("GET", "/Verifications/"+url.PathEscape(to)).text("sid")
}

// TestTheProxyPage: the configuration of docs/proxy.md starts.
func TestTheProxyPage(t *testing.T) {
	_, text, _ := strings.Cut(string(readFile(t, "../../docs/proxy.md")), "```yaml\n")
	text, _, found := strings.Cut(text, "```")
	if !found {
		t.Fatal("the page has no configuration")
	}
	i := serve(t, text,
		"COUNTERSIGN_SECRET_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "SHOP_FACE_TOKEN=abc123", "TWILIO_ACCOUNT_SID=AC00000000000000000000000000000001",
		"TWILIO_AUTH_TOKEN=t0ken", "TWILIO_SERVICE_SID=VA00000000000000000000000000000001", "VONAGE_API_KEY=abcd1234", "VONAGE_API_SECRET=s3cretive", "COUNTERSIGN_DRAIN_DELAY=0s",
	)
	const path = "/v2/Services/VA5e0b9c2d7f1a4e6389d0c4b7a2f8e1d5"
	if r := i.exchange("GET", path, "", "", "ACa3d81b0f6c5e4d2a9b7c8f1e0d6a5b43", "abc123"); r.status != 200 || r.text("friendly_name") != "shop" {
		t.Errorf("the service: %d %v", r.status, r.body)
	}
	if r := i.exchange("GET", path, "", "", config.SandboxTwilio.Account, config.SandboxTwilio.Token); r.status != 401 {
		t.Errorf("the sandbox's credentials: %d %v", r.status, r.body)
	}
}
