package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The carrier is told to fail at one route: the second takes the message, the routes' health and the metrics tell of it, and
// what is late arrives with time travel.
func TestTheFakeCarrierAndTheRoutes(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	put := func(rules string) {
		t.Helper()
		r, err := i.do("PUT", "/dev/carrier", `{"rules":`+rules+`}`)
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("%v %+v", err, r)
		}
	}
	put(`[{"fate":"server_error","route":"sandbox","times":1}]`)
	r := i.mustPost("/v1/verifications", `{"to":"+14155551234"}`)
	if d := r.body["deliveries"].([]any)[0].(map[string]any); d["provider"] != "sandbox-2" {
		t.Errorf("it went by %v", d["provider"])
	}
	put(`[{"to":"+1 415 555 1235","fate":"late","delay":"10m"}]`)
	r = i.mustPost("/v1/verifications", `{"to":"+14155551235"}`)
	if r.status != http.StatusCreated || i.messages("+14155551235") != 0 {
		t.Fatalf("%d, %d messages", r.status, i.messages("+14155551235"))
	}
	i.mustPost("/dev/clock", `{"advance":"10m"}`)
	eventually(t, 5*time.Second, "the late message arrives", func() bool { return i.messages("+14155551235") == 1 })
	for _, wrong := range []string{`{}`, `{"rules":[{}]}`, `{"rules":[{"fate":"vanish"}]}`, `{"rules":[{"fate":"late","delay":"x"}]}`, `{"rules":[{"fate":"late","channel":"fax"}]}`} {
		if r, err := i.do("PUT", "/dev/carrier", wrong); err != nil || r.status != http.StatusBadRequest {
			t.Errorf("%s: %v %+v", wrong, err, r)
		}
	}
	if r, err := i.do("GET", "/dev/carrier", ""); err != nil || len(r.body["rules"].([]any)) != 1 {
		t.Errorf("%v %+v", err, r)
	}
	showsRoutes(t, i)
}

// showsRoutes looks at what an operator sees after one message of three failed at the first route.
func showsRoutes(t *testing.T, i *instanceUnderTest) {
	t.Helper()
	r, err := i.do("GET", "/v1/routes", "")
	if err != nil || r.status != http.StatusOK {
		t.Fatalf("%v %+v", err, r)
	}
	first := r.body["routes"].([]any)[0].(map[string]any)
	health := first["health"].([]any)[0].(map[string]any)
	if first["name"] != "sandbox" || first["breaker"] != "closed" || health["country"] != "US" || health["tried"] != 2. || health["accept_rate"] != .5 {
		t.Errorf("%v", first)
	}
	rules := r.body["rules"].([]any)
	if rule := rules[len(rules)-1].(map[string]any); rule["channel"] != "whatsapp" || len(rule["routes"].([]any)) != 2 {
		t.Errorf("%v", rules)
	}
	i.key = sandboxPublishableKey
	if r, err := i.do("GET", "/v1/routes", "", "Origin", i.url); err != nil || r.status != http.StatusForbidden {
		t.Errorf("with a publishable key: %v %+v", err, r)
	}
	i.key = sandboxKey
	_, text := i.raw("GET", "/metrics", "")
	for _, want := range []string{
		`countersign_route_accept_ratio{channel="sms",country="US",provider="sandbox"} 0.5`, `countersign_receipts_silent{provider="sandbox"} 0`,
		`countersign_route_open{provider="sandbox"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A file's routes by country, its ladder and its test number reach the engine.
func TestRoutesAndTestNumbersOfAFile(t *testing.T) {
	i := newPlace(t, quiet+`
routes: {sms: [sandbox-2]}
apps:
  demo:
    routes: {"sms/SE,NO": [sandbox], "sms/+4673": [sandbox-2=1], sms: [sandbox-2, sandbox]}
    ladder: [whatsapp, sms]
    test_numbers: {"+14155550111": {code: "246802", expires: "`+time.Now().Add(24*time.Hour).Format(time.DateOnly)+`"}}
`).node(t)
	for to, want := range map[string]string{"+46701740615": "sandbox", "+46731740615": "sandbox-2", "+14155551234": "sandbox-2"} {
		r := i.mustPost("/v1/verifications", `{"to":"`+to+`"}`)
		if d := r.body["deliveries"].([]any)[0].(map[string]any); d["provider"] != want {
			t.Errorf("%s… went by %v, want %s", to[:5], d["provider"], want)
		}
	}
	if r := i.mustPost("/v1/verifications", `{"to":"+14155551236","channel":"auto"}`); r.body["channel"] != "whatsapp" {
		t.Errorf("auto: %v", r.body["channel"])
	}
	for range 2 {
		r := i.mustPost("/v1/verifications", `{"to":"+14155550111"}`)
		if r = i.mustPost("/v1/verifications/"+r.text("id")+"/checks", `{"code":"246802"}`); r.status != http.StatusOK || r.text("proof") == "" {
			t.Errorf("a test number: %d %v", r.status, r.body)
		}
	}
	if n := i.messages("+14155550111"); n != 0 {
		t.Errorf("%d messages to a test number", n)
	}
	for _, wrong := range []string{
		`{"+14155550111": {code: "246802"}}`, `{"+14155550111": {code: "246802", expires: "2099-01-01"}}`, `{"+1415": {code: "246802", expires: "2027-01-01"}}`,
	} {
		place := newPlace(t, "mode: sandbox\napps: {demo: {test_numbers: "+wrong+"}}\n")
		if code, _, errs := place.command(t, "serve", "--print-config"); code == exitDone || !strings.Contains(errs, "test_numbers") {
			t.Errorf("%s: %d %s", wrong, code, errs)
		}
	}
}
