package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/httpapi"
	"countersign/passkey"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/signing"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
	"countersign/web"
)

// plainTexts is a message of one line.
type plainTexts struct{}

func (plainTexts) Render(in countersign.Text) (countersign.Rendered, error) {
	return countersign.Rendered{Body: in.Code + " is your Acme code.", Locale: "en"}, nil
}

func (plainTexts) Notice(n countersign.Notice, _ string) countersign.Rendered {
	return countersign.Rendered{Body: "Acme: " + string(n), Locale: "en"}
}

// silent hears nothing.
type silent struct{}

func (silent) Observe(countersign.Event) {}

// sandboxInbox is the sandbox's inbox as this face wants it.
type sandboxInbox struct{ in *sandbox.Inbox }

func (b sandboxInbox) Clear() { b.in.Clear() }

func (b sandboxInbox) Messages(to string) []httpapi.InboxMessage {
	var list []httpapi.InboxMessage
	for _, m := range b.in.List(to) {
		list = append(list, httpapi.InboxMessage(m))
	}
	return list
}

func (b sandboxInbox) Subscribe(to string) (next func(context.Context) (httpapi.InboxMessage, bool), stop func()) {
	arrivals, stop := b.in.Subscribe(to)
	next = func(ctx context.Context) (httpapi.InboxMessage, bool) {
		select {
		case m, open := <-arrivals:
			return httpapi.InboxMessage(m), open
		case <-ctx.Done():
			return httpapi.InboxMessage{}, false
		}
	}
	return next, stop
}

// whole is the face on the real engine, store, log, routes and guard.
type whole struct {
	*face
	signer signing.Signer
	apps   map[string]*countersign.App
	sql    *sqlstore.DB
	now    func() time.Time
	events *events
}

const issuer = "http://127.0.0.1"

func newWhole(t *testing.T) *whole {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	store, err := sqlitestore.Open(ctx, filepath.Join(dir, "hot.db"), sqlitestore.Options{Timeout: 20 * time.Second})
	must(err)
	log, err := sqlstore.Open(ctx, filepath.Join(dir, "log.db"), sqlstore.Options{Now: store.Now, Timeout: 20 * time.Second, AnswerTimeout: 20 * time.Second})
	must(err)
	box := sandbox.New(sandbox.Config{Now: store.Now, ReceiptDelay: time.Millisecond})
	routes, err := provider.New(provider.Config{Routes: []provider.Route{
		{Name: sandbox.FirstName, Provider: box.First(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
		{Name: sandbox.SecondName, Provider: box.Second(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
	}})
	must(err)
	countries := []string{"US", "GB", "IE", "DE", "AU", "FR", "IN", "AR", "MX", "BR", "CI", "IT"}
	judge, err := guard.New(guard.Config{Apps: map[string]guard.Policy{
		"demo": {Countries: countries, ClientStarts: 1000, ClientChecks: 10000}, "other": {Countries: countries, Shadow: []string{guard.RuleSequence}},
	}})
	must(err)
	ring, signer := newRings(t, store.Now)

	f := &face{t: t, log: &logBook{}}
	cfg := baseConfig(t, nil, f.log)
	apps := map[string]*countersign.App{}
	for i := range cfg.Apps {
		app := cfg.Apps[i].App
		app.Policy, app.Texts = countersign.Policy{}.WithDefaults(), plainTexts{}
		apps[app.ID] = app
	}
	verifier, err := countersign.New(countersign.Config{
		Store: store, Log: log, Keys: func() *countersign.Keyring { return ring }, Dispatcher: routes, Guard: judge, Signer: signer,
		Observer: silent{}, Issuer: issuer, App: func(id string) (*countersign.App, bool) { a, ok := apps[id]; return a, ok },
	})
	must(err)
	told := &events{}
	apps["demo"].Passkeys = countersign.RelyingParty{ID: "shop.example", Name: "Shop", Origins: []string{ownOrigin}}
	accounts, err := countersign.NewAccounts(countersign.AccountsConfig{
		Users: log, Sessions: log, Factors: log, Keys: func() *countersign.Keyring { return ring }, Signer: signer, Reader: signer.Ring,
		WebAuthn: passkey.WebAuthn{}, CountCheck: verifier.CountCheck, Observer: told, Issuer: issuer, App: func(id string) (*countersign.App, bool) { a, ok := apps[id]; return a, ok }, Now: store.Now,
		RecoveryMemory: 64, Notify: verifier.Notify, ForgetDevices: verifier.ForgetDevices,
	})
	must(err)
	cfg.Accounts = accounts
	box.Attach(verifier)
	var running sync.WaitGroup
	running.Go(func() { _ = verifier.Run(ctx) })
	running.Go(func() { _ = box.Run(ctx) })

	cfg.Engine, cfg.PublicURL, cfg.JWKS = verifier, "http://127.0.0.1:8080", signer.Ring.JWKS
	cfg.Sandbox = &httpapi.Sandbox{
		Inbox: sandboxInbox{box.Inbox()}, Home: web.HomeView{App: "demo"}, Advance: store.Advance, ForgetLimits: store.ForgetLimits, Now: store.Now, Seamless: box.Seamless,
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := errors.Join(log.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	f.serve(cfg)
	return &whole{f, signer, apps, log, store.Now, told}
}

func newRings(t *testing.T, now func() time.Time) (*countersign.Keyring, signing.Signer) {
	t.Helper()
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	ring, err := countersign.NewKeyring(keys, now())
	if err != nil {
		t.Fatal(err)
	}
	sign, err := signing.NewKey(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	signers, err := signing.NewRing([]signing.Key{sign})
	if err != nil {
		t.Fatal(err)
	}
	return ring, signing.Signer{Ring: signers, Now: now}
}

// begin starts a verification and fetches its code from the inbox.
func (w *whole) begin(to string) (id, code string) {
	w.t.Helper()
	id = w.ask("POST", "/v1/verifications", `{"to":"`+to+`"}`, as(secret)).want(201, "").json()["id"].(string)
	return id, w.codeOf(to)
}

// codeOf is the code of the newest message to a number. It waits for one: a start that does not wait sends behind its
// answer.
func (w *whole) codeOf(to string) string {
	w.t.Helper()
	var list []any
	for end := time.Now().Add(time.Minute); len(list) == 0; time.Sleep(time.Millisecond) {
		list = w.ask("GET", "/dev/inbox.json?to="+url.QueryEscape(to), "").json()["messages"].([]any)
		if len(list) == 0 && time.Now().After(end) {
			w.t.Fatal("no message arrived")
		}
	}
	return list[0].(map[string]any)["code"].(string)
}

// forget lets the next start of a phone through.
func (w *whole) forget() {
	w.t.Helper()
	w.ask("DELETE", "/dev/limits", "", as(secret)).want(204, "")
}

func (w *whole) advance(d time.Duration) {
	w.t.Helper()
	w.ask("POST", "/dev/clock", `{"advance":"`+d.String()+`"}`).want(200, "")
}

// guess checks a code as one of many clients of the server.
func (w *whole) guess(id, code string, client int) *answer {
	w.t.Helper()
	return w.ask("POST", "/v1/verifications/"+id+"/checks",
		`{"code":"`+code+`","client":{"ip":"203.0.`+strconv.Itoa(client/250)+`.`+strconv.Itoa(1+client%250)+`"}}`, as(secret))
}

// another is a code that is not the given one.
func another(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func claims(t *testing.T, proof string) map[string]any {
	t.Helper()
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		t.Fatalf("no proof: %q", proof)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWholeJourney(t *testing.T) {
	w := newWhole(t)
	w.ask("POST", "/v1/verifications", `{"to":"+1 201 555 0123","nonce":"n-1","reference":"order-17"}`, as(secret)).want(201, "")
	id := w.ask("GET", "/dev/inbox.json", "").json()["messages"].([]any)
	if len(id) != 1 {
		t.Fatalf("%d messages", len(id))
	}
	w.forget()
	mine, code := w.begin("+447400123456")
	w.guess(mine, another(code), 1).want(422, "incorrect_code")
	a := w.guess(mine, code[:3]+" "+code[3:], 1).want(200, "")
	c := claims(t, a.json()["proof"].(string))
	if c["sub"] != mine || c["aud"] != "demo" || c["phone_number"] != "+447400123456" || c["purpose"] != "login" {
		t.Errorf("the proof says %v", c)
	}
	// The same caller may ask again for a minute; somebody else may not (BI-0537).
	again := w.guess(mine, code, 1).want(200, "")
	if got := claims(t, again.json()["proof"].(string)); got["jti"] != c["jti"] {
		t.Errorf("a second proof: %v", got)
	}
	w.guess(mine, code, 2).want(409, "verification_closed")
	if s := w.ask("GET", "/v1/verifications/"+mine, "", as(secret)).want(200, "").json()["status"]; s != "approved" {
		t.Errorf("status %v", s)
	}
	w.ask("GET", "/v1/verifications/"+mine, "", as(foreign)).want(404, "not_found")
	log := w.log.take()
	for _, never := range []string{code, "447400123456", "2015550123", mine, secret, "order-17", "n-1", "203.0."} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q", never)
		}
	}
}

func TestWholeLimits(t *testing.T) {
	w := newWhole(t)
	id, _ := w.begin(number)
	a := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(429, "resend_too_soon")
	if a.header.Get("Retry-After") != "30" || a.json()["retry_after"] != 30.0 {
		t.Errorf("Retry-After %q, %v", a.header.Get("Retry-After"), a.json()["retry_after"])
	}
	w.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(429, "resend_too_soon")
	w.advance(30 * time.Second)
	if v := w.ask("POST", "/v1/verifications/"+id+"/sends", "", as(secret)).want(200, "").json(); v["sends"] != 2.0 || v["sends_left"] != 1.0 || v["resend_in"] != 60.0 {
		t.Errorf("after a second send: %v", v)
	}
	w.ask("POST", "/v1/verifications/"+id+"/cancel", "", as(secret), "Idempotency-Key: once").want(200, "")
	w.ask("POST", "/v1/verifications/"+id+"/cancel", "", as(secret), "Idempotency-Key: once").want(200, "")
	w.ask("POST", "/v1/verifications/"+id+"/cancel", "", as(secret)).want(409, "verification_closed")
	w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"000000"}`, as(secret)).want(409, "verification_closed")
}

// TestSequences plays the rows of the bad inputs that need a real store.
func TestSequences(t *testing.T) {
	t.Run("BI-0531 many right checks at once", sequenceParallel)
	t.Run("BI-0384 many starts with one key", sequenceOneKey)
	t.Run("BI-0385 one key, two bodies", func(t *testing.T) {
		w := newWhole(t)
		w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret), "Idempotency-Key: k").want(201, "")
		w.ask("POST", "/v1/verifications", `{"to":"+12015550124"}`, as(secret), "Idempotency-Key: k").want(422, "idempotency_mismatch")
		again := func() *answer {
			return w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret), "Idempotency-Key: k")
		}
		a := again()
		for a.status == 409 { // the first is written down as answered behind its answer
			a = again()
		}
		if a.want(201, ""); a.header.Get("Idempotent-Replayed") != "true" {
			t.Error("a repeated answer does not say so")
		}
	})
	t.Run("BI-0536 a code lives until its time and no longer", func(t *testing.T) {
		w := newWhole(t)
		id, code := w.begin(number)
		w.advance(299 * time.Second)
		w.guess(id, another(code), 1).want(422, "incorrect_code")
		w.advance(time.Second)
		w.guess(id, code, 1).want(410, "verification_expired")
	})
	t.Run("BI-0534 and BI-0544 guesses belong to the phone", sequenceLock)
}

func sequenceParallel(t *testing.T) {
	w := newWhole(t)
	for trial := range 5 {
		w.forget()
		id, code := w.begin(number)
		answers := make([]*answer, 50)
		together(len(answers), func(i int) { answers[i] = w.guess(id, code, trial*100+i) })
		if n := approvals(t, answers); n != 1 {
			t.Fatalf("trial %d: %d approvals", trial, n)
		}
	}
}

func approvals(t *testing.T, answers []*answer) (n int) {
	t.Helper()
	for _, a := range answers {
		switch {
		case a.status == 200:
			n++
		case a.status >= 500:
			t.Errorf("status %d", a.status)
		}
	}
	return n
}

// naive reads, decides and writes back, as no store may. Every caller has read before the first one writes.
type naive struct {
	*engine
	reading sync.WaitGroup
}

func (n *naive) Check(ctx context.Context, q *countersign.CheckRequest) (*countersign.Verification, error) {
	v, err := n.Get(ctx, q.App, q.ID)
	n.reading.Done()
	n.reading.Wait()
	if err != nil || v.Status != countersign.StatusPending || q.Code != n.code {
		return nil, countersign.Fail(countersign.ErrVerificationClosed, "closed")
	}
	v.Status = countersign.StatusApproved
	return v, nil
}

// TestSequenceParallelControl shows that the count of approvals tells a racy engine.
func TestSequenceParallelControl(t *testing.T) {
	racy := &naive{engine: newEngine()}
	f := newFace(t, func(cfg *httpapi.Config) { cfg.Engine = racy })
	w := &whole{face: f}
	id := f.start()
	answers := make([]*answer, 10)
	racy.reading.Add(len(answers))
	together(len(answers), func(i int) { answers[i] = w.guess(id, racy.code, i) })
	if n := approvals(t, answers); n < 2 {
		t.Errorf("%d approvals of a racy engine", n)
	}
}

// together runs n calls that start at the same moment.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	barrier := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-barrier
			call(i)
		})
	}
	ready.Wait()
	close(barrier)
	done.Wait()
}

func sequenceOneKey(t *testing.T) {
	w := newWhole(t)
	answers := make([]*answer, 100)
	together(len(answers), func(i int) {
		answers[i] = w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret), "Idempotency-Key: 6f1d")
	})
	ids := map[string]bool{}
	for _, a := range answers {
		switch a.status {
		case 201:
			ids[a.json()["id"].(string)] = true
		case 409:
			a.want(409, "idempotency_in_progress")
		default:
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
	if sent := len(w.ask("GET", "/dev/inbox.json", "").json()["messages"].([]any)); len(ids) != 1 || sent != 1 {
		t.Errorf("%d verifications, %d messages", len(ids), sent)
	}
}

func sequenceLock(t *testing.T) {
	w := newWhole(t)
	id, code := w.begin(number)
	owner, _ := w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+code+`"}`, as(secret)).want(200, "").json()["device_token"].(string)
	w.advance(25 * time.Hour)
	wrong := 0
	for wrong < 20 {
		key := []string{secret, foreign}[wrong/5%2] // over two apps
		a := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(key)).want(201, "")
		id, code := a.json()["id"].(string), w.codeOf(number)
		w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+code+`"}`, as([]string{foreign, secret}[wrong/5%2])).want(404, "not_found")
		for range 5 {
			w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+another(code)+`"}`, as(key)).want(422, "incorrect_code")
			wrong++
		}
		w.advance(11 * time.Minute)
	}
	a := w.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(429, "too_many_checks")
	if a.json()["retry_after"] == nil {
		t.Error("the lock does not say when it ends")
	}

	// The owner has a way in of his own, on the device that proved the phone.
	id = w.ask("POST", "/v1/verifications", `{"to":"`+number+`","device_token":"`+owner+`"}`, as(secret)).want(201, "").json()["id"].(string)
	code = w.codeOf(number)
	w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+code+`"}`, as(secret)).want(429, "too_many_checks")
	w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+code+`","device_token":"`+owner+`"}`, as(secret)).want(200, "")

	w.advance(24 * time.Hour)
	w.begin(number) // the lock ends by itself
}

// TestBadPhonesOnTheRealEngine plays the phone rows without the stand-in.
func TestBadPhonesOnTheRealEngine(t *testing.T) {
	w := newWhole(t)
	for _, row := range badInputs(t) {
		if !strings.HasPrefix(row.Category, "phone") {
			continue
		}
		body, err := json.Marshal(map[string]string{"to": row.Input})
		if err != nil {
			t.Fatal(err)
		}
		a := w.ask("POST", "/v1/verifications", string(body), as(secret)).want(row.Status, row.Code)
		if row.Canonical != "" {
			if a.json()["to"] != row.Canonical {
				t.Errorf("%s: %q becomes %v", row.ID, row.Input, a.json()["to"])
			}
			w.forget()
			w.ask("POST", "/v1/verifications/"+a.json()["id"].(string)+"/cancel", "", as(secret)).want(200, "")
		}
	}
}

func TestWholePage(t *testing.T) {
	w := newWhole(t)
	b := &browser{face: w.face}
	own := []string{"Origin: http://" + strings.TrimPrefix(w.url, "http://")}
	b.open("app=demo").want(200, "")
	typed := url.Values{"phone": {"٢٠١٥٥٥٠١٢٣"}, "region": {"US"}}
	w.log.take()
	// A form that does not say when it was handed out is a program's. There is no challenge here, so it is told to wait.
	b.submit("phone", url.Values{"phone": typed["phone"], "region": typed["region"], "form": {"1.0a"}}, own...).want(429, "").shows(`data-problem="rate_limited"`, `name="phone"`)
	if line := w.log.take(); !strings.Contains(line, `"rule":"form_time"`) {
		t.Errorf("the log has %s", line)
	}
	w.ask("POST", "/dev/clock", `{"advance":"2s"}`).want(200, "")
	b.submit("phone", typed, own...).want(200, "").shows(`name="code"`)
	code := w.codeOf(number)
	b.submit("send", url.Values{"channel": {""}}, own...).want(429, "").shows(`data-problem="resend_too_soon"`, `name="code"`)
	b.submit("code", url.Values{"code": {another(code)}}, own...).want(422, "").shows(`data-problem="incorrect_code"`)
	b.submit("code", url.Values{"code": {code}}, own...).want(200, "").shows("<textarea", "ey")
	if strings.Contains(w.log.take(), code) {
		t.Error("the log has the code")
	}
}
