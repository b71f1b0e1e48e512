package sinchapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/sinchapi"
	"countersign/sinchapi/sinchtest"
	"countersign/sinchauth"
)

func report(method, guess string) string {
	switch method {
	case "flashcall":
		return `{"method":"flashcall","flashCall":{"cli":"` + guess + `"}}`
	default:
		return `{"method":"` + method + `","` + method + `":{"code":"` + guess + `"}}`
	}
}

func TestReportShapes(t *testing.T) {
	tests := []struct{ name, method, body, want string }{
		{"sms", "sms", report("sms", sinchtest.DigitsCode), `{"id":"ID","method":"sms","status":"SUCCESSFUL"}`},
		{"sms with a sender", "sms", `{"sms":{"code":"123456","cli":"Test"},"method":"sms","source":"manual"}`, `{"id":"ID","method":"sms","status":"SUCCESSFUL"}`},
		{"callout", "callout", report("callout", sinchtest.DigitsCode), `{"id":"ID","method":"callout","status":"SUCCESSFUL","callComplete":true}`},
		{"whatsapp", "whatsapp", report("whatsapp", sinchtest.DigitsCode), `{"id":"ID","method":"whatsapp","status":"SUCCESSFUL"}`},
		{"flash call", "flashcall", report("flashcall", sinchtest.CallerCode), `{"id":"ID","method":"flashcall","status":"SUCCESSFUL","callComplete":true}`},
		{"flash call, old spelling", "flashcall", `{"method":"flashCall","flashcall":{"cli":"+18156540001"}}`, `{"id":"ID","method":"flashcall","status":"SUCCESSFUL","callComplete":true}`},
	}
	for _, tt := range tests {
		for _, by := range []string{"id", "number"} {
			t.Run(tt.name+" by "+by, func(t *testing.T) {
				k := newKit(t, nil)
				id := k.start(tt.method)
				path := base + "/id/" + id
				if by == "number" {
					path = base + "/number/" + endpoint
				}
				a := k.do(http.MethodPut, path, tt.body)
				if a.Code != http.StatusOK {
					t.Fatalf("%d %s", a.Code, a.Body)
				}
				a.golden(t, id, tt.want)
			})
		}
	}
}

func TestReportRefusals(t *testing.T) {
	tests := []struct {
		name, body string
		want       int
	}{
		{"wrong code", report("sms", "654321"), 40003},
		{"too short", report("sms", "1234"), 40003},
		{"letters", report("sms", "ABCDEF"), 40003},
		{"too long", report("sms", strings.Repeat("1", 17)), 40003},
		{"no code", `{"method":"sms","sms":{}}`, 40001},
		{"no method", `{"sms":{"code":"123456"}}`, 40001},
		{"another method", report("callout", sinchtest.DigitsCode), 40003},
		{"code under another method's name", `{"method":"sms","callout":{"code":"123456"}}`, 40001},
		{"a number for a code", `{"method":"sms","sms":{"code":123456}}`, 40001},
		{"not JSON", `123456`, 40001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			id := k.start("sms")
			a := k.do(http.MethodPut, base+"/id/"+id, tt.body)
			if got := a.errorCode(t); got != tt.want {
				t.Errorf("errorCode = %d, want %d: %s", got, tt.want, a.Body)
			}
			if tt.want == 40003 && a.field(t, "message") != "Invalid identity or code." {
				t.Errorf("message = %s", a.Body)
			}
			if a := k.do(http.MethodGet, base+"/id/"+id, ""); a.field(t, "status") != "PENDING" {
				t.Errorf("afterwards: %s", a.Body)
			}
		})
	}
}

// What has ended is answered with how it ended. Only one report is ever successful.
func TestReportAfterTheEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(k *kit, id string)
		want string
	}{
		{"expired", func(k *kit, _ string) { k.engine.Advance(10 * time.Minute) }, `{"id":"ID","method":"sms","status":"FAIL","reason":"Expired"}`},
		{"failed", func(k *kit, id string) {
			for range countersign.MaxChecks {
				k.do(http.MethodPut, base+"/id/"+id, report("sms", "000000"))
			}
		}, `{"id":"ID","method":"sms","status":"FAIL","reason":"Invalid code"}`},
		{"aborted", func(k *kit, _ string) { k.start("sms") }, `{"id":"ID","method":"sms","status":"ABORTED"}`},
		{"undeliverable", func(k *kit, id string) {
			k.engine.Set(id, func(v *countersign.Verification) { v.Status = countersign.StatusUndeliverable })
		}, `{"id":"ID","method":"sms","status":"ERROR","reason":"SMS delivery failure"}`},
		{"denied", func(k *kit, id string) {
			k.engine.Set(id, func(v *countersign.Verification) { v.Status = countersign.StatusDenied })
		}, `{"id":"ID","method":"sms","status":"DENIED","reason":"Destination denied"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			id := k.start("sms")
			tt.end(k, id)
			k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode)).golden(t, id, tt.want)
		})
	}
	k := newKit(t, nil)
	id := k.start("sms")
	for i, want := range []int{0, 40900, 40900} {
		guess := []string{sinchtest.DigitsCode, sinchtest.DigitsCode, "000000"}[i]
		a := k.do(http.MethodPut, base+"/id/"+id, report("sms", guess))
		if got := a.errorCode(t); got != want || (want != 0) && strings.Contains(a.Body.String(), "SUCCESSFUL") {
			t.Errorf("report %d: %s", i+1, a.Body)
		}
	}
}

func TestStatusShapes(t *testing.T) {
	k := newKit(t, nil)
	a := k.do(http.MethodPost, base, startBody("sms", `,"reference":"order-17"`))
	id := a.field(t, "id")
	begun := time.Date(2024, 6, 6, 9, 8, 41, 478487700, time.UTC)
	k.engine.Set(id, func(v *countersign.Verification) { v.Created = begun })
	pending := `{"id":"ID","method":"sms","status":"PENDING","reference":"order-17","identity":{"type":"number","endpoint":"+12025550134"},` +
		`"countryId":"US","verificationTimestamp":"2024-06-06T09:08:41.4784877"}`
	for _, path := range []string{"/id/" + id, "/sms/number/" + endpoint, "/SMS/number/%2B12025550134", "/reference/order-17", "/reference/order%2D17"} {
		k.do(http.MethodGet, base+path, "").golden(t, id, pending)
	}
	k.do(http.MethodPut, base+"/id/"+id, report("sms", sinchtest.DigitsCode))
	done := strings.Replace(pending, "PENDING", "SUCCESSFUL", 1)
	done = strings.TrimSuffix(done, "}") + `,"source":"manual"}`
	k.do(http.MethodGet, base+"/id/"+id, "").golden(t, id, done)

	call := k.start("callout")
	k.engine.Set(call, func(v *countersign.Verification) {
		v.Created, v.Deliveries[0].Status = begun, countersign.DeliveryDelivered
	})
	k.do(http.MethodGet, base+"/callout/number/"+endpoint, "").golden(t, call,
		`{"id":"ID","method":"callout","status":"PENDING","callComplete":false,"identity":{"type":"number","endpoint":"+12025550134"},`+
			`"countryId":"US","verificationTimestamp":"2024-06-06T09:08:41.4784877","callResult":"ANSWERED"}`)
}

func TestNotFound(t *testing.T) {
	k := newKit(t, nil)
	id := k.start("sms")
	rest := k.start("sms")
	k.engine.Set(rest, func(v *countersign.Verification) { v.Face = countersign.FaceREST })
	other := k.start("sms")
	k.engine.Set(other, func(v *countersign.Verification) { v.App = "another" })
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/id/ver_none", 40400},
		{"GET", "/id/" + strings.ToUpper(id), 40400},
		{"GET", "/id/" + rest, 40400},
		{"GET", "/id/" + other, 40400},
		{"PUT", "/id/" + other, 40400},
		{"GET", "/reference/none", 40400},
		{"GET", "/flashcall/number/" + endpoint, 40400},
		{"GET", "/telepathy/number/" + endpoint, 40400},
		{"GET", "/sms/number/12025550134", 40005},
		{"GET", "/sms/number/+1202", 40001},
		{"GET", "/number/" + endpoint, 40500},
		{"PATCH", "/number/" + endpoint, 40500},
		{"DELETE", "/id/" + id, 40500},
		{"GET", "", 40500},
		{"GET", "/", 40400},
		{"GET", "/id/", 40400},
		{"GET", "/id/" + id + "/", 40400},
		{"GET", "/id/" + id + "/x/y", 40400},
		{"GET", "x", 40400},
		{"GET", "/id/%00", 40400},
		{"GET", "/id/%ff", 40400},
		{"GET", "/reference/a%ff%fe", 40400},
		{"PUT", "/number/+1202555%c3%28", 40400},
		{"GET", "/%ff/number/" + endpoint, 40400},
		{"GET", "/id/..%2f" + id, 40400},
		{"GET", "/id/..", 40400},
		{"GET", "/../verifications/id/" + id, 40400},
		{"GET", "//id/" + id, 40400},
		{"GET", "/reference/..", 40400},
		{"GET", "/reference/%00", 40400},
	} {
		a := k.do(c.method, base+c.path, report("sms", "000000"))
		if got := a.errorCode(t); got != c.want {
			t.Errorf("%s %s: errorCode = %d, want %d", c.method, c.path, got, c.want)
		}
		if c.want == 40500 && a.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

func TestAuthorization(t *testing.T) {
	body := startBody("sms", "")
	tests := []struct {
		name   string
		level  sinchauth.Level
		change func(k *kit, r *http.Request)
		want   int
	}{
		{"none", 0, func(*kit, *http.Request) {}, 40100},
		{"bearer", 0, func(_ *kit, r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 40100},
		{"signed", 0, func(k *kit, r *http.Request) { sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now()) }, 0},
		{"basic where signed is wanted", sinchauth.LevelApplication, func(k *kit, r *http.Request) { sinchauth.BasicRequest(r, k.creds) }, 40303},
		{"basic, the default", 0, func(k *kit, r *http.Request) { sinchauth.BasicRequest(r, k.creds) }, 0},
		{"basic, wrong secret", sinchauth.LevelBasic, func(_ *kit, r *http.Request) { r.SetBasicAuth(appKey, "x") }, 40108},
		{"basic, wrong key", sinchauth.LevelBasic, func(_ *kit, r *http.Request) { r.SetBasicAuth("x", appSecret) }, 40108},
		{"public where basic is wanted", sinchauth.LevelBasic, func(_ *kit, r *http.Request) { r.Header.Set("Authorization", "Application "+appKey) }, 40303},
		{"no timestamp", 0, func(k *kit, r *http.Request) {
			sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now())
			r.Header.Del("x-timestamp")
		}, 40101},
		{"old", 0, func(k *kit, r *http.Request) {
			sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now().Add(-6*time.Minute))
		}, 40101},
		{"from the future", 0, func(k *kit, r *http.Request) {
			sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now().Add(6*time.Minute))
		}, 40101},
		{"another body", 0, func(k *kit, r *http.Request) { sinchauth.SignRequest(r, []byte(body+" "), k.creds, k.engine.Now()) }, 40102},
		{"another key", 0, func(k *kit, r *http.Request) {
			c := k.creds
			c.Key = "other"
			sinchauth.SignRequest(r, []byte(body), c, k.engine.Now())
		}, 40102},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, func(c *sinchapi.Config) { c.Apps[0].MinLevel = tt.level })
			r := request(http.MethodPost, base, body)
			tt.change(k, r)
			if a := k.serve(r); a.errorCode(t) != tt.want {
				t.Errorf("errorCode = %d, want %d: %s", a.errorCode(t), tt.want, a.Body)
			}
			if n := len(k.engine.Starts()); (n > 0) != (tt.want == 0) {
				t.Errorf("%d starts reached the engine", n)
			}
		})
	}
}

func TestReplayedRequest(t *testing.T) {
	k := newKit(t, nil)
	body, at := startBody("sms", ""), k.engine.Now()
	for i, want := range []int{0, 40102, 40102} {
		r := request(http.MethodPost, base, body)
		sinchauth.SignRequest(r, []byte(body), k.creds, at)
		if got := k.serve(r).errorCode(t); got != want {
			t.Errorf("use %d: errorCode = %d, want %d", i+1, got, want)
		}
	}
	if n := len(k.engine.Starts()); n != 1 {
		t.Errorf("%d starts", n)
	}
}

// A key alone starts under a client's limits and learns nothing that only the app may know.
func TestPublic(t *testing.T) {
	app := newApp(t)
	k := newKit(t, func(c *sinchapi.Config) {
		c.Apps[0].MinLevel, c.Apps[0].CallbackURL = sinchauth.LevelPublic, app.url
	})
	owner := k.start("sms")
	a := k.public(http.MethodPost, base, startBody("flashcall", `,"flashCallOptions":{"dialTimeout":1}`))
	if a.Code != http.StatusOK || strings.Contains(a.Body.String(), "cliFilter") {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	q := k.engine.Starts()[1]
	if q.Supersede || q.Signed || q.Client.Addr.String() != "192.0.2.7" {
		t.Errorf("engine was asked %+v", q)
	}
	if a := k.do(http.MethodGet, base+"/id/"+owner, ""); a.field(t, "status") != "PENDING" {
		t.Errorf("a stranger ended it: %s", a.Body)
	}
	id := a.field(t, "id")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/number/" + endpoint, report("sms", "000000"), 40303},
		{"GET", "/sms/number/" + endpoint, "", 40303},
		{"GET", "/reference/order-17", "", 40303},
		{"GET", "/id/" + id, "", 0},
		{"PUT", "/id/" + id, report("flashcall", sinchtest.CallerCode), 0},
	} {
		if a := k.public(c.method, base+c.path, c.body); a.errorCode(t) != c.want {
			t.Errorf("%s %s: %s, want %d", c.method, c.path, a.Body, c.want)
		}
	}
}

// FuzzBodies feeds foreign bodies to the signed operations: no panic, no status above 499, always a vendor's error.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		startBody("sms", `,"smsOptions":{"codeType":"Alpha","expiry":"00:05:00"}`), startBody("flashCall", `,"flashCallOptions":{"dialTimeout":5}`),
		report("sms", "123456"), report("flashcall", "+18156540001"), `{"method":"callout","callout":{"code":"1"}}`, `null`, `[]`, `{"METHOD":"sms"}`,
	} {
		f.Add(seed)
	}
	k := newKit(f, nil)
	id := k.start("sms")
	f.Fuzz(func(t *testing.T, body string) {
		for _, a := range []answer{k.do(http.MethodPost, base, body), k.do(http.MethodPut, base+"/id/"+id, body)} {
			if a.Code >= 500 {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			a.errorCode(t)
		}
	})
}

func BenchmarkStatus(b *testing.B) {
	k := newKit(b, nil)
	id := k.start("sms")
	b.ReportAllocs()
	for b.Loop() {
		if a := k.do(http.MethodGet, base+"/id/"+id, ""); a.Code != http.StatusOK {
			b.Fatal(a.Body)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	k := newKit(b, nil)
	body := startBody("sms", "")
	b.ReportAllocs()
	for b.Loop() {
		r := request(http.MethodPost, base, body)
		sinchauth.BasicRequest(r, k.creds)
		if a := k.serve(r); a.Code != http.StatusOK {
			b.Fatal(a.Body)
		}
		k.engine.Reset()
	}
}
