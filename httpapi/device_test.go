package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"countersign"
)

// deviceToken has the form of one.
var deviceToken = "dev_" + strings.Repeat("A", 94)

func TestADeviceTokenComesAndGoes(t *testing.T) {
	for name, key := range map[string][]string{"secret": {as(secret)}, "publishable": {as(publishable), "Origin: " + ownOrigin}} {
		t.Run(name, func(t *testing.T) {
			f := newFace(t)
			id := f.ask("POST", "/v1/verifications", `{"to":"`+number+`","device_token":"dev_1"}`, key...).want(201, "").json()["id"].(string)
			f.ask("POST", "/v1/verifications/"+id+"/sends", `{"device_token":"dev_2"}`, key...).want(200, "")
			done := f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"123456","device_token":"dev_3"}`, key...).want(200, "").json()
			if done["device_token"] != deviceToken {
				t.Errorf("the answer has the token %v", done["device_token"])
			}
			if read := f.ask("GET", "/v1/verifications/"+id, "", key...).want(200, "").json(); read["proof"] == nil && read["device_token"] != nil {
				t.Error("the token can be read later")
			}
			if f.engine.starts[0].DeviceToken != "dev_1" || f.engine.sends[0].DeviceToken != "dev_2" || f.engine.checks[0].DeviceToken != "dev_3" {
				t.Error("the engine did not get the tokens")
			}
			if log := f.log.take(); strings.Contains(log, "dev_") {
				t.Errorf("a token is in the log: %s", log)
			}
		})
	}
	f := newFace(t)
	f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "")
	f.ask("POST", "/v1/checks", `{"to":"`+number+`","code":"123456","device_token":"dev_4"}`, as(secret)).want(200, "")
	if f.engine.checks[0].DeviceToken != "dev_4" {
		t.Error("a check by phone loses the token")
	}
}

func TestThePageKnowsADeviceAgain(t *testing.T) {
	b := &browser{face: newFace(t)}
	cookie := func() *http.Cookie {
		for _, c := range (&http.Response{Header: b.last.header}).Cookies() {
			if strings.Contains(c.Name, "device") {
				return c
			}
		}
		return nil
	}
	b.open("app=demo")
	b.submit("phone", url.Values{"phone": {number}}).want(200, "")
	b.submit("code", url.Values{"code": {"000000"}}).want(422, "")
	if c := cookie(); c != nil {
		t.Fatalf("a wrong code leaves %v", c)
	}
	b.submit("code", url.Values{"code": {"123456"}}).want(200, "")
	c := cookie()
	if c == nil || c.Name != "__Host-device-demo" || c.Value != deviceToken || !c.HttpOnly || !c.Secure || c.Path != "/" ||
		c.SameSite != http.SameSiteLaxMode || c.MaxAge != int(countersign.DeviceLifetime.Seconds()) || c.Domain != "" {
		t.Fatalf("the cookie is %v", c)
	}
	if strings.Contains(b.last.body, deviceToken) {
		t.Error("the token is in the page")
	}

	b.open("app=demo")
	for sent, want := range map[string]string{deviceToken: deviceToken, "dev_x": "", "rubbish": ""} {
		phone := b.last
		b.submit("phone", url.Values{"phone": {number}}, "Cookie: "+b.cookie+"; "+c.Name+"="+sent).want(200, "")
		b.submit("send", url.Values{"channel": {"voice"}}, "Cookie: "+b.cookie+"; "+c.Name+"="+sent).want(200, "")
		b.submit("code", url.Values{"code": {"123456"}}, "Cookie: "+b.cookie+"; "+c.Name+"="+sent).want(200, "")
		e := b.engine
		for step, got := range map[string]string{
			"start": e.starts[len(e.starts)-1].DeviceToken, "send": e.sends[len(e.sends)-1].DeviceToken, "check": e.checks[len(e.checks)-1].DeviceToken,
		} {
			if got != want {
				t.Errorf("with %q the engine got %q on a %s", sent, got, step)
			}
		}
		b.last = phone
	}
}
