package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/httpapi"
	"countersign/web"
)

// Keys of the tests.
const (
	secret      = "sk_test_one"
	publishable = "pk_test_one"
	native      = "pk_test_native"
	foreign     = "sk_test_other"
	ownOrigin   = "https://shop.example"
	number      = "+12015550123"
)

type keys map[string]httpapi.Key

func (k keys) FindKey(text string) (httpapi.Key, bool) {
	key, ok := k[text]
	return key, ok
}

// logBook gathers log lines.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBook) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	l.b.Reset()
	return s
}

// memoryInbox is an inbox for tests.
type memoryInbox struct {
	mu       sync.Mutex
	list     []httpapi.InboxMessage
	watchers map[chan httpapi.InboxMessage]string
	left     chan struct{} // when set, told of every subscription that ends
}

// deliver puts a message in.
func (m *memoryInbox) deliver(one httpapi.InboxMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append([]httpapi.InboxMessage{one}, m.list...)
	for c, to := range m.watchers {
		if to == "" || to == one.To {
			c <- one
		}
	}
}

func (m *memoryInbox) Subscribe(to string) (next func(context.Context) (httpapi.InboxMessage, bool), stop func()) {
	arrivals := make(chan httpapi.InboxMessage, 8)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watchers == nil {
		m.watchers = map[chan httpapi.InboxMessage]string{}
	}
	m.watchers[arrivals] = to
	next = func(ctx context.Context) (httpapi.InboxMessage, bool) {
		select {
		case one := <-arrivals:
			return one, true
		case <-ctx.Done():
			return httpapi.InboxMessage{}, false
		}
	}
	return next, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, arrivals)
		if m.left != nil {
			m.left <- struct{}{}
		}
	}
}

func (m *memoryInbox) Messages(to string) []httpapi.InboxMessage {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []httpapi.InboxMessage
	for _, one := range m.list {
		if to == "" || one.To == to {
			found = append(found, one)
		}
	}
	return found
}

func (m *memoryInbox) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = nil
}

// face is a running server and what it stands on.
type face struct {
	t      *testing.T
	url    string
	engine *engine
	log    *logBook
	inbox  *memoryInbox
	client *http.Client
	serves http.Handler
	read   time.Duration // replaces the server's read timeout when set
}

// loadPages reads the pages once for all tests.
var loadPages = sync.OnceValues(func() (*web.Pages, error) {
	return web.New(web.Config{Regions: []web.Region{{Code: "US", CallingCode: "1"}, {Code: "SE", CallingCode: "46"}}})
})

func newPages(t testing.TB) *web.Pages {
	t.Helper()
	p, err := loadPages()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func baseConfig(t testing.TB, e httpapi.Engine, log io.Writer) httpapi.Config {
	return httpapi.Config{
		Engine: e,
		Keys: keys{
			secret: {ID: "key_1", App: "demo", Secret: true}, publishable: {ID: "key_2", App: "demo"},
			native: {ID: "key_3", App: "other"}, foreign: {ID: "key_4", App: "other", Secret: true},
		},
		Apps: []httpapi.App{
			{
				App:     &countersign.App{ID: "demo", Name: "Acme"},
				Origins: []string{ownOrigin}, ReturnURLs: []string{"https://shop.example/back"}, HostedPage: true,
				Channels: []countersign.Channel{countersign.ChannelSMS, countersign.ChannelVoice},
			},
			{App: &countersign.App{ID: "other", Name: "Other", Region: "US"}, Native: true},
		},
		Pages: newPages(t), PublicURL: "https://verify.example", Version: "1.0.0",
		JWKS:      func() []byte { return []byte(`{"keys":[{"kty":"EC"}]}`) },
		Logger:    slog.New(slog.NewJSONHandler(log, nil)),
		Readiness: func(context.Context) []httpapi.Part { return []httpapi.Part{{Name: "store"}} },
	}
}

// newFace serves the handler over real HTTP. Changes are applied to the configuration first.
func newFace(t *testing.T, changes ...func(*httpapi.Config)) *face {
	t.Helper()
	f := &face{t: t, engine: newEngine(), log: &logBook{}, inbox: &memoryInbox{}}
	cfg := baseConfig(t, f.engine, f.log)
	for _, change := range changes {
		change(&cfg)
	}
	f.serve(cfg)
	return f
}

// newFaceWithin is a face whose requests must be read within a time of the test's choice.
func newFaceWithin(t *testing.T, read time.Duration) *face {
	t.Helper()
	f := &face{t: t, engine: newEngine(), log: &logBook{}, inbox: &memoryInbox{}, read: read}
	f.serve(baseConfig(t, f.engine, f.log))
	return f
}

func (f *face) serve(cfg httpapi.Config) {
	f.t.Helper()
	handler, err := httpapi.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	limits := httpapi.NewServer(handler)
	limits.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if f.read > 0 {
		limits.ReadTimeout = f.read
	}
	server.Config = limits
	server.Start()
	f.url, f.client, f.serves = server.URL, server.Client(), handler
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f.t.Cleanup(func() {
		f.client.CloseIdleConnections()
		server.Close()
	})
}

// again is the same server for another test, with nothing remembered.
func (f *face) again(t *testing.T) *face {
	f.engine.forget()
	f.log.take()
	fresh := *f
	fresh.t = t
	return &fresh
}

// sandboxed turns sandbox mode on.
func sandboxed(in *memoryInbox, advanced *time.Duration) func(*httpapi.Config) {
	return func(cfg *httpapi.Config) {
		cfg.PublicURL = "http://127.0.0.1:8080"
		cfg.Sandbox = &httpapi.Sandbox{
			Inbox: in, Home: web.HomeView{App: "demo", SecretKey: "sk_sandbox_demo"},
			Advance:      func(_ context.Context, d time.Duration) error { *advanced += d; return nil },
			ForgetLimits: func(context.Context) error { *advanced = -1; return nil },
			Now:          func() time.Time { return time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC) },
			Seamless:     func(id string) bool { return id == "one" },
		}
	}
}

// ask is a request: "Name: value" lines are headers.
func (f *face) ask(method, path, body string, headers ...string) *answer {
	f.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, f.url+path, in)
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return f.do(r)
}

func (f *face) do(r *http.Request) *answer {
	f.t.Helper()
	resp, err := f.client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return &answer{t: f.t, status: resp.StatusCode, header: resp.Header, body: string(b)}
}

// as is the header of a key.
func as(key string) string { return "Authorization: Bearer " + key }

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (a *answer) json() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatalf("not JSON: %v in %q", err, a.body)
	}
	return m
}

// want fails unless the answer has a status and, for a refusal, a problem of that code.
func (a *answer) want(status int, code string) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if a.header.Get("X-Request-Id") == "" {
		a.t.Fatal("no X-Request-Id")
	}
	if code == "" {
		return a
	}
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		a.t.Fatalf("content type %q, want a problem", kind)
	}
	p := a.json()
	if p["code"] != code || p["status"] != float64(status) || !strings.HasSuffix(p["type"].(string), "/problems/"+code) ||
		p["title"] == "" || p["detail"] == "" || p["request_id"] != a.header.Get("X-Request-Id") {
		a.t.Fatalf("problem %v, want %d %s", p, status, code)
	}
	return a
}

// pointer is where the first error of a problem points.
func (a *answer) pointer() string {
	list, _ := a.json()["errors"].([]any)
	if len(list) == 0 {
		return "(none)"
	}
	return list[0].(map[string]any)["pointer"].(string)
}

func (f *face) start(headers ...string) string {
	f.t.Helper()
	a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, append([]string{as(secret)}, headers...)...).want(201, "")
	return a.json()["id"].(string)
}
