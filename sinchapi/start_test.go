package sinchapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/sinchapi"
	"countersign/sinchauth"
)

const links = `"_links":[
	{"rel":"status","href":"https://verify.example.com/verification/v1/verifications/id/ID","method":"GET"},
	{"rel":"report","href":"https://verify.example.com/verification/v1/verifications/id/ID","method":"PUT"}]`

func TestStartShapes(t *testing.T) {
	tests := []struct {
		name, method, more, language, want string
	}{
		{"sms", "sms", "", "", `{"id":"ID","method":"sms","sms":{"template":"Your code is {{CODE}}.","interceptionTimeout":300,"codeType":"Numeric"},` + links + `}`},
		{"sms in Swedish", "sms", `,"smsOptions":{"codeType":"Alphanumeric","expiry":"00:02:00"}`, "sv-SE", `{"id":"ID","method":"sms","sms":{"template":"Din verifieringskod är {{CODE}}.","interceptionTimeout":120,"codeType":"Alphanumeric"},` + links + `}`},
		{"flash call", "flashCall", `,"flashCallOptions":{"dialTimeout":10,"interceptionTimeout":45}`, "", `{"id":"ID","method":"flashcall","flashCall":{"cliFilter":"(.*)8156(.*)","interceptionTimeout":45,"reportTimeout":75,"denyCallAfter":0},` + links + `}`},
		{"callout", "callout", `,"calloutOptions":{"speech":{"locale":"fr-FR"}}`, "", `{"id":"ID","method":"callout",` + links + `}`},
		{"whatsapp", "whatsapp", `,"whatsappOptions":{"codeType":"Alpha","fooKey":"foo value"}`, "", `{"id":"ID","method":"whatsapp","whatsapp":{"codeType":"Alpha"},` + links + `}`},
		{"seamless", "seamless", "", "", `{"id":"ID","method":"seamless","seamless":{"targetUri":"https://verify.example.com/dev/seamless/ID"},` + links + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			k.engine.Seamless = true
			body := startBody(tt.method, tt.more)
			r := request(http.MethodPost, base, body)
			if tt.language != "" {
				r.Header.Set("Accept-Language", tt.language)
			}
			sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now())
			a := k.serve(r)
			if a.Code != http.StatusOK {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			a.golden(t, a.field(t, "id"), tt.want)
		})
	}
}

func TestStartRequestToEngine(t *testing.T) {
	k := newKit(t, nil)
	k.do(http.MethodPost, base, startBody("sms", `,"reference":"order-17","custom":"c","smsOptions":{"codeType":"Alpha","expiry":"00:05:00"}`))
	q := k.engine.Starts()[0]
	if q.To.Dial() != endpoint || q.Channel != countersign.ChannelSMS || q.Face != countersign.FaceSinch || q.Purpose != countersign.PurposeLogin ||
		q.Reference != "order-17" || q.Custom != "c" || q.Alphabet != countersign.Letters || q.Lifetime != 5*time.Minute ||
		!q.Supersede || !q.Signed || !q.Wait || q.Client.Addr.IsValid() {
		t.Errorf("engine was asked %+v", q)
	}
	k.do(http.MethodPost, base, startBody("callout", `,"calloutOptions":{"speech":{"locale":"fr-FR"}}`))
	if q := k.engine.Starts()[1]; q.Channel != countersign.ChannelVoice || q.Locale != "fr-FR" {
		t.Errorf("engine was asked %+v", q)
	}
}

func TestStartBadInput(t *testing.T) {
	number := func(text string) string {
		return `{"identity":{"type":"number","endpoint":"` + text + `"},"method":"sms"}`
	}
	tests := []struct {
		name, body string
		want       int
	}{
		{"empty", ``, 40001},
		{"not JSON", `{`, 40001},
		{"two values", startBody("sms", "") + `{}`, 40001},
		{"an array", `[]`, 40001},
		{"null", `null`, 40001},
		{"doubled member", `{"method":"sms","method":"sms","identity":{"type":"number","endpoint":"+12025550134"}}`, 40001},
		{"doubled in another case", `{"method":"sms","Method":"sms","identity":{"type":"number","endpoint":"+12025550134"}}`, 40001},
		{"broken UTF-8", startBody("sms", `,"custom":"`+"\xff"+`"`), 40001},
		{"lone surrogate", startBody("sms", `,"custom":"\ud800"`), 40001},
		{"wrong type", `{"identity":"+12025550134","method":"sms"}`, 40001},
		{"no method", `{"identity":{"type":"number","endpoint":"+12025550134"}}`, 40001},
		{"method auto", startBody("auto", ""), 40001},
		{"e-mail", `{"identity":{"type":"email","endpoint":"a@b.example"},"method":"sms"}`, 40001},
		{"no identity", `{"method":"sms"}`, 40001},
		{"no plus", number("12025550134"), 40005},
		{"no number", number(""), 40005},
		{"too short", number("+4813"), 40001},
		{"too long", number("+12025550134999999"), 40001},
		{"letters", number("+1202555CALL"), 40001},
		{"spaces", number("+1 202 555 0134"), 40001},
		{"other digits", number("+１２０２５５５０１３４"), 40001},
		{"code type", startBody("sms", `,"smsOptions":{"codeType":"Roman"}`), 40001},
		{"expiry", startBody("sms", `,"smsOptions":{"expiry":"5m"}`), 40001},
		{"expiry too short", startBody("sms", `,"smsOptions":{"expiry":"00:00:29"}`), 40001},
		{"expiry is no time of day", startBody("sms", `,"smsOptions":{"expiry":"24:00:00"}`), 40001},
		{"dial timeout", startBody("flashcall", `,"flashCallOptions":{"dialTimeout":4}`), 40001},
		{"interception timeout", startBody("flashcall", `,"flashCallOptions":{"interceptionTimeout":121}`), 40001},
		{"custom too long", startBody("sms", `,"custom":"`+strings.Repeat("x", 4097)+`"`), 40001},
		{"custom just fits", startBody("sms", `,"custom":"`+strings.Repeat("\u00e9", 4096)+`"`), 0},
		{"seamless is closed", startBody("seamless", ""), 40300},
		{"great body", startBody("sms", `,"x":"`+strings.Repeat("x", 40_000)+`"`), 41300},
		{"unknown members", startBody("sms", `,"honourEarlyReject":true,"metadata":{"os":"x"}`), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newKit(t, nil).do(http.MethodPost, base, tt.body)
			if got := a.errorCode(t); got != tt.want {
				t.Errorf("errorCode = %d, want %d: %s", got, tt.want, a.Body)
			}
			if strings.Contains(a.Body.String(), "+4813") || strings.Contains(a.Body.String(), "Roman") {
				t.Errorf("the answer repeats what was sent: %s", a.Body)
			}
		})
	}
}

func TestStartContentType(t *testing.T) {
	for contentType, want := range map[string]int{
		"application/json": 0, "application/json; charset=UTF-8": 0, "text/plain": 40001, "": 40001, "application/json; charset": 40001,
	} {
		k := newKit(t, nil)
		body := startBody("sms", "")
		r := request(http.MethodPost, base, body)
		r.Header.Set("Content-Type", contentType)
		if contentType == "" {
			r.Header.Del("Content-Type")
		}
		sinchauth.SignRequest(r, []byte(body), k.creds, k.engine.Now())
		if got := k.serve(r).errorCode(t); got != want {
			t.Errorf("%q: errorCode = %d, want %d", contentType, got, want)
		}
	}
}

// A newer start ends the older one, when it was asked for with the secret.
func TestStartSupersedes(t *testing.T) {
	k := newKit(t, nil)
	first, second := k.start("sms"), k.start("callout")
	if a := k.do(http.MethodGet, base+"/id/"+first, ""); a.field(t, "status") != "ABORTED" {
		t.Errorf("the first is %s", a.Body)
	}
	if a := k.do(http.MethodGet, base+"/id/"+second, ""); a.field(t, "status") != "PENDING" {
		t.Errorf("the second is %s", a.Body)
	}
}

func TestEngineErrors(t *testing.T) {
	wait := func(kind countersign.Kind, limit string) error {
		return &countersign.Error{Kind: kind, Limit: limit, RetryAfter: 1500 * time.Millisecond, Detail: "Wait."}
	}
	refused := func(class countersign.FailureClass) error {
		return &countersign.Error{
			Kind: countersign.ErrDeliveryFailed, VerificationID: "ver_x", Detail: "No provider would take the message.",
			Err: &countersign.Failure{Provider: "p", Class: class, Detail: "d"},
		}
	}
	tests := []struct {
		err  error
		want int
	}{
		{countersign.Fail(countersign.ErrInvalidRequest, "Bad."), 40001},
		{countersign.Fail(countersign.ErrNumberNotAllowed, "No."), 40300},
		{countersign.Fail(countersign.ErrOptedOut, "No."), 40300},
		{countersign.Fail(countersign.ErrForbidden, "No."), 40300},
		{countersign.Fail(countersign.ErrChallengeRequired, "Prove."), 42900},
		{wait(countersign.ErrRateLimited, "client_starts"), 42900},
		{wait(countersign.ErrRateLimited, "pending"), 42901},
		{wait(countersign.ErrRateLimited, "hosted"), 42901},
		{wait(countersign.ErrResendTooSoon, ""), 42901},
		{wait(countersign.ErrTooManySends, ""), 42901},
		{wait(countersign.ErrTooManyChecks, ""), 42901},
		{refused(countersign.FailTemporary), 42201},
		{refused(countersign.FailDestination), 40300},
		{countersign.Unavailable(errors.New("no store at 10.0.0.7")), 50300},
		{errors.New("disk on fire at 10.0.0.7"), 50000},
		{&countersign.Error{Kind: countersign.ErrInvalidRequest, Pointer: "/channel", Detail: "No route."}, 40300},
	}
	for _, tt := range tests {
		k := newKit(t, nil)
		k.engine.Fail = tt.err
		a := k.do(http.MethodPost, base, startBody("sms", ""))
		if got := a.errorCode(t); got != tt.want {
			t.Errorf("%v: errorCode = %d, want %d", tt.err, got, tt.want)
		}
		if strings.Contains(a.Body.String(), "10.0.0.7") {
			t.Errorf("the answer tells the cause: %s", a.Body)
		}
		if e := (*countersign.Error)(nil); errors.As(tt.err, &e) && e.RetryAfter > 0 && a.Header().Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", tt.err)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	good := func() sinchapi.App {
		return sinchapi.App{App: &countersign.App{ID: "demo"}, Credentials: credentials(t)}
	}
	tests := []struct {
		name   string
		change func(*sinchapi.Config)
		want   string
	}{
		{"good", func(*sinchapi.Config) {}, ""},
		{"no engine", func(c *sinchapi.Config) { c.Engine = nil }, "engine"},
		{"no address", func(c *sinchapi.Config) { c.BaseURL = "" }, "public address"},
		{"no secret", func(c *sinchapi.Config) { c.Apps[0].Credentials.Secret = sinchauth.Secret{} }, "apps.demo.faces.sinch.secret: "},
		{"no key", func(c *sinchapi.Config) { c.Apps[0].Credentials.Key = "a:b" }, "apps.demo.faces.sinch.key: "},
		{"same key twice", func(c *sinchapi.Config) { c.Apps = append(c.Apps, good()) }, "same key"},
		{"callback", func(c *sinchapi.Config) { c.Apps[0].CallbackURL = "javascript:x" }, "callback_url"},
		{"public without callback", func(c *sinchapi.Config) { c.Apps[0].MinLevel = sinchauth.LevelPublic }, "callback_url"},
	}
	for _, tt := range tests {
		k := newKit(t, nil)
		c := sinchapi.Config{Engine: k.engine, Now: k.engine.Now, BaseURL: "https://x.example", Apps: []sinchapi.App{good()}}
		tt.change(&c)
		_, err := sinchapi.New(c)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
