package sinchapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/sinchapi"
	"countersign/sinchapi/sinchtest"
	"countersign/sinchauth"
)

// app is somebody's callback server. It believes signatures only and hands on what it got.
type app struct {
	url    string
	events chan map[string]any

	mu     sync.Mutex
	answer func(w http.ResponseWriter, event map[string]any)
}

func newApp(t testing.TB) *app {
	t.Helper()
	a := &app{events: make(chan map[string]any, 64)}
	a.reply(http.StatusOK, `{"action":"allow"}`)
	verifier := &sinchauth.Verifier{
		Lookup: func(key string) (sinchauth.Secret, bool) { return credentials(t).Secret, key == appKey },
		Now:    time.Now,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		id, err := verifier.Verify(r, body)
		if err != nil || id.Level != sinchauth.LevelApplication || !strings.HasPrefix(r.Header.Get("Authorization"), "application ") {
			t.Errorf("callback not signed: %v", err)
		}
		var event map[string]any
		if err := json.Unmarshal(body, &event); err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		answer := a.answer
		a.mu.Unlock()
		answer(w, event)
		a.events <- event
	}))
	t.Cleanup(server.Close)
	a.url = server.URL + "/hooks/sinch"
	return a
}

func (a *app) reply(status int, body string) {
	a.do(func(w http.ResponseWriter, _ map[string]any) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func (a *app) do(answer func(w http.ResponseWriter, event map[string]any)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// next waits for the next event of a name.
func (a *app) next(t testing.TB, name string) map[string]any {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-a.events:
			if e["event"] == name {
				return e
			}
		case <-timeout:
			t.Fatalf("no %s came", name)
		}
	}
}

// none says that no event of a name is there once what was sent after it has come.
func (a *app) none(t testing.TB, name string) {
	t.Helper()
	for {
		select {
		case e := <-a.events:
			if e["event"] == name {
				t.Errorf("an event too many: %v", e)
			}
		default:
			return
		}
	}
}

func withCallback(a *app) func(*sinchapi.Config) {
	return func(c *sinchapi.Config) { c.Apps[0].CallbackURL = a.url }
}

func wantEvent(t *testing.T, e map[string]any, want string) {
	t.Helper()
	id, _ := e["id"].(string)
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var wanted map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(want, "ID", id)), &wanted); err != nil {
		t.Fatal(err)
	}
	if w, _ := json.Marshal(wanted); string(w) != string(got) {
		t.Errorf("event = %s\nwant    %s", got, w)
	}
}

const who = `"identity":{"type":"number","endpoint":"+12025550134"},"reference":"order-17","custom":"c"`

func TestRequestEventShape(t *testing.T) {
	a := newApp(t)
	k := newKit(t, withCallback(a))
	for _, method := range []string{"sms", "flashcall", "callout", "whatsapp"} {
		k.do(http.MethodPost, base, startBody(method, `,"reference":"order-17","custom":"c"`))
		wantEvent(t, a.next(t, "VerificationRequestEvent"), `{"id":"ID","event":"VerificationRequestEvent","method":"`+method+`",`+who+`}`)
	}
	k.engine.Seamless = true
	k.start("seamless")
	a.none(t, "VerificationRequestEvent")
}

func TestRequestEventReplies(t *testing.T) {
	tests := []struct {
		name   string
		answer func(a *app)
		want   int
	}{
		{"allow", func(a *app) { a.reply(200, `{"action":"allow"}`) }, 0},
		{"allow, with options", func(a *app) {
			a.reply(200, `{"action":"allow","sms":{"codeType":"Numeric","expiry":"00:05:00","acceptLanguage":["es-ES"]}}`)
		}, 0},
		{"deny", func(a *app) { a.reply(200, `{"action":"deny"}`) }, 40300},
		{"no action", func(a *app) { a.reply(200, `{}`) }, 42202},
		{"another action", func(a *app) { a.reply(200, `{"action":"maybe"}`) }, 42202},
		{"not JSON", func(a *app) { a.reply(200, `allow`) }, 42202},
		{"empty", func(a *app) { a.reply(200, ``) }, 42202},
		{"own code, sms", func(a *app) { a.reply(200, `{"action":"allow","sms":{"code":"5666"}}`) }, 42202},
		{"own code, callout", func(a *app) { a.reply(200, `{"action":"allow","callout":{"code":"5666"}}`) }, 42202},
		{"own caller", func(a *app) { a.reply(200, `{"action":"allow","flashCall":{"cli":"+46000000000"}}`) }, 42202},
		{"error", func(a *app) { a.reply(500, `{"action":"allow"}`) }, 42202},
		{"redirect", func(a *app) {
			a.do(func(w http.ResponseWriter, _ map[string]any) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(307)
			})
		}, 42202},
		{"endless", func(a *app) { a.reply(200, `{"action":"allow","x":"`+strings.Repeat("x", 100_000)+`"}`) }, 42202},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			tt.answer(a)
			k := newKit(t, withCallback(a))
			if got := k.do(http.MethodPost, base, startBody("sms", "")); got.errorCode(t) != tt.want {
				t.Errorf("%s, want %d", got.Body, tt.want)
			}
		})
	}
}

// An app that does not answer in time is an app that did not allow.
func TestRequestEventTimeout(t *testing.T) {
	a, release := newApp(t), make(chan struct{})
	a.do(func(http.ResponseWriter, map[string]any) { <-release })
	k := newKit(t, func(c *sinchapi.Config) {
		c.Apps[0].CallbackURL, c.CallbackTimeout = a.url, 50*time.Millisecond
	})
	if got := k.do(http.MethodPost, base, startBody("sms", "")).errorCode(t); got != 42202 {
		t.Errorf("errorCode = %d", got)
	}
	close(release)
	a.next(t, "VerificationRequestEvent")
}

func TestResultEvents(t *testing.T) {
	const result = `{"id":"ID","event":"VerificationResultEvent","method":"sms",` + who
	tests := []struct {
		name string
		end  func(k *kit, id string)
		want string
	}{
		{"successful", func(k *kit, id string) {
			k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode))
		}, `,"status":"SUCCESSFUL","source":"manual"}`},
		{"failed", func(k *kit, id string) {
			for range countersign.MaxChecks {
				k.do(http.MethodPut, base+"/id/"+id, report("sms", "000000"))
			}
		}, `,"status":"FAIL","reason":"Invalid code"}`},
		{"expired", func(k *kit, id string) {
			k.engine.Set(id, func(v *countersign.Verification) { v.Expires = v.Created })
		}, `,"status":"FAIL","reason":"Expired"}`},
		{"aborted", func(k *kit, _ string) { k.start("sms") }, `,"status":"ABORTED"}`},
		{"undeliverable", func(k *kit, id string) {
			k.engine.Set(id, func(v *countersign.Verification) { v.Status = countersign.StatusUndeliverable })
		}, `,"status":"ERROR","reason":"SMS delivery failure"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			k := newKit(t, withCallback(a))
			k.run()
			started := k.do(http.MethodPost, base, startBody("sms", `,"reference":"order-17","custom":"c"`))
			id := started.field(t, "id")
			tt.end(k, id)
			wantEvent(t, a.next(t, "VerificationResultEvent"), result+tt.want)
		})
	}
}

func TestResultEventOfADenial(t *testing.T) {
	a := newApp(t)
	a.do(func(w http.ResponseWriter, e map[string]any) { fmt.Fprint(w, `{"action":"deny"}`) })
	k := newKit(t, withCallback(a))
	k.run()
	k.do(http.MethodPost, base, startBody("sms", `,"reference":"order-17","custom":"c"`))
	wantEvent(t, a.next(t, "VerificationResultEvent"),
		`{"id":"ID","event":"VerificationResultEvent","method":"sms",`+who+`,"status":"DENIED","reason":"Denied by callback"}`)
}

func TestDeliveredEvents(t *testing.T) {
	for status, want := range map[countersign.DeliveryStatus]string{
		countersign.DeliveryDelivered: "Successful", countersign.DeliveryUndelivered: "Failed", countersign.DeliveryFailed: "Failed",
	} {
		a := newApp(t)
		k := newKit(t, withCallback(a))
		k.run()
		id := k.do(http.MethodPost, base, startBody("sms", `,"reference":"order-17","custom":"c"`)).field(t, "id")
		k.engine.Set(id, func(v *countersign.Verification) { v.Deliveries = []countersign.Delivery{{Status: status}} })
		wantEvent(t, a.next(t, "VerificationSmsDeliveredEvent"),
			`{"id":"ID","event":"VerificationSmsDeliveredEvent","method":"sms",`+who+`,"smsResult":"`+want+`"}`)
		k.engine.Set(id, func(v *countersign.Verification) { v.Expires = v.Created })
		a.next(t, "VerificationResultEvent")
		a.none(t, "VerificationSmsDeliveredEvent") // told once
	}
}

// An event is tried again while the app is down, and not when the app refuses it.
func TestEventRetries(t *testing.T) {
	tests := []struct {
		name     string
		statuses []int
		tries    int
	}{
		{"down, then up", []int{500, 429, 200}, 3},
		{"down for good", []int{500, 500, 500, 500}, 3},
		{"refused", []int{404, 200}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t)
			tries := 0
			a.do(func(w http.ResponseWriter, e map[string]any) {
				if e["event"] == "VerificationRequestEvent" {
					fmt.Fprint(w, `{"action":"allow"}`)
					return
				}
				w.WriteHeader(tt.statuses[tries])
				tries++
			})
			k := newKit(t, withCallback(a))
			k.run()
			id := k.start("sms")
			k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode))
			for range tt.tries {
				a.next(t, "VerificationResultEvent")
			}
			// The next verification's event comes after the last try of this one.
			a.reply(200, `{"action":"allow"}`)
			id = k.start("sms")
			k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode))
			if e := a.next(t, "VerificationResultEvent"); e["id"] != id {
				t.Errorf("one try more than %d", tt.tries)
			}
		})
	}
}

// A slow app loses events; nobody waits for it and nothing grows.
func TestSlowAppLosesEvents(t *testing.T) {
	a, release := newApp(t), make(chan struct{})
	k := newKit(t, func(c *sinchapi.Config) {
		withCallback(a)(c)
		c.CallbackQueue = 2
	})
	k.run()
	k.t.(*testing.T).Cleanup(func() { close(release) })
	a.do(func(w http.ResponseWriter, e map[string]any) {
		if e["event"] == "VerificationRequestEvent" {
			fmt.Fprint(w, `{"action":"allow"}`)
			return
		}
		<-release
	})
	began := time.Now()
	for range 30 {
		id := k.start("sms")
		if got := k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode)); got.Code != http.StatusOK {
			t.Fatal(got.Body)
		}
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("reports waited for a slow app: %s", d)
	}
}
