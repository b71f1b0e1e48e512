package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/httpapi"
)

func TestProbes(t *testing.T) {
	parts := []httpapi.Part{{Name: "store"}, {Name: "log"}}
	draining := false
	f := newFace(t, func(cfg *httpapi.Config) {
		cfg.Readiness = func(context.Context) []httpapi.Part { return parts }
		cfg.Draining = func() bool { return draining }
	})
	f.ask("GET", "/healthz", "").want(200, "")
	f.ask("GET", "/readyz", "").want(200, "")
	parts[0].Err = errors.New("dial tcp 10.0.0.3: refused")
	a := f.ask("GET", "/readyz", "").want(503, "unavailable")
	if !strings.Contains(a.json()["detail"].(string), "store") || strings.Contains(a.body, "10.0.0.3") || strings.Contains(a.body, "log") {
		t.Errorf("not ready: %s", a.body)
	}
	if line := f.log.take(); !strings.Contains(line, "10.0.0.3") {
		t.Errorf("the log does not say why: %s", line)
	}
	told := httptest.NewRecorder()
	httpapi.ForOperators(f.serves).ServeHTTP(told, httptest.NewRequest("GET", "http://127.0.0.1/readyz", nil))
	if told.Code != 503 || !strings.Contains(told.Body.String(), "store: dial tcp 10.0.0.3: refused") {
		t.Errorf("operators are not told why: %d %s", told.Code, told.Body)
	}
	f.log.take()
	f.ask("GET", "/healthz", "").want(200, "")
	parts[1].Err = errors.New("the disk is full")
	f.ask("GET", "/readyz", "").want(503, "unavailable")
	if line := f.log.take(); !strings.Contains(line, "store: dial tcp 10.0.0.3") || !strings.Contains(line, "log: the disk is full") {
		t.Errorf("the log does not say why of each part: %s", line)
	}
	parts[0].Err, draining = nil, true
	if a := f.ask("GET", "/readyz", "").want(503, "unavailable"); !strings.Contains(a.body, "draining") {
		t.Errorf("draining: %s", a.body)
	}
}

func TestWrongAddressesAndMethodsAreProblems(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/", "/nothing", "/v1", "/v1/verifications/", "/V1/VERIFICATIONS", "/metrics", "/dev/inbox.json", "/dev/clock", "/static/none.css", "/v1/verifications/a/b/c", "/problems/none"} {
		f.ask("GET", path, "").want(404, "not_found")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/v1/verifications", "GET, HEAD, OPTIONS, POST"},
		{"DELETE", "/v1/verifications/x", "GET, HEAD, OPTIONS"},
		{"GET", "/v1/checks", "OPTIONS, POST"},
		{"POST", "/healthz", "GET, HEAD, OPTIONS"},
		{"PATCH", "/verify", "GET, HEAD, OPTIONS, POST"},
		{"BREW", "/docs", "GET, HEAD, OPTIONS"},
		{"TRACE", "/", "GET, HEAD, POST, DELETE, OPTIONS"},
	} {
		if got := f.ask(c.method, c.path, "").want(405, "method_not_allowed").header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	if a := f.ask("HEAD", "/healthz", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD answers %d %q", a.status, a.body)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/healthz", "/nothing", "/verify", "/docs", "/v1/verifications"} {
		h := f.ask("GET", path, "").header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") == "" ||
			h.Get("Strict-Transport-Security") == "" || !strings.HasPrefix(h.Get("X-Request-Id"), "req_") {
			t.Errorf("%s: %v", path, h)
		}
	}
	var advanced time.Duration
	if h := newFace(t, sandboxed(&memoryInbox{}, &advanced)).ask("GET", "/healthz", "").header; h.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS on plain http")
	}
}

func TestKeySetAndDocuments(t *testing.T) {
	f := newFace(t)
	a := f.ask("GET", "/.well-known/jwks.json", "").want(200, "")
	if a.json()["keys"] == nil || a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Cache-Control"), "max-age") {
		t.Errorf("key set: %v %s", a.header, a.body)
	}
	if a := f.ask("GET", "/docs", "").want(200, ""); !strings.Contains(a.body, "/v1/verifications/{id}/checks") || a.header.Get("Content-Security-Policy") == "" {
		t.Error("the API reference has no operations or no policy")
	}
	if a := f.ask("GET", "/problems/incorrect_code", "").want(200, ""); !strings.HasPrefix(a.body, "422 ") {
		t.Errorf("a problem's type leads to %q", a.body)
	}
	page := f.ask("GET", "/verify?app=demo", "").want(200, "").body
	at := strings.Index(page, "/static/verify")
	asset := page[at : at+strings.IndexByte(page[at:], '"')]
	if a := f.ask("GET", asset, "").want(200, ""); !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %v", asset, a.header)
	}
}

func TestMountsAndMetrics(t *testing.T) {
	f := newFace(t, func(cfg *httpapi.Config) {
		echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
		cfg.Mounts = map[string]http.Handler{"/verification/v1/": echo, "POST /hooks/sinch/sms": echo}
		cfg.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("metric 1\n")) })
	})
	f.ask("PUT", "/verification/v1/verifications/number/x", "").want(http.StatusTeapot, "")
	for _, odd := range []string{"id/%00", "id/..", "id/%2e%2e", "id//", "../x"} { // in the face's words, not ours
		f.ask("GET", "/verification/v1/verifications/"+odd, "").want(http.StatusTeapot, "")
	}
	f.ask("GET", "/verification/../v1/verifications", "").want(404, "not_found")
	f.ask("POST", "/hooks/sinch/sms", "").want(http.StatusTeapot, "")
	if a := f.ask("GET", "/metrics", "").want(200, ""); a.body != "metric 1\n" {
		t.Errorf("metrics: %q", a.body)
	}
	f.log.take()
	f.ask("PUT", "/verification/v1/verifications/number/+12015550123", "")
	if line := f.log.take(); !strings.Contains(line, `"route":"/verification/v1/"`) || strings.Contains(line, "5550123") {
		t.Errorf("logged as %s", line)
	}
}

func TestObserveHearsRoutesNotPaths(t *testing.T) {
	type seen struct {
		route  string
		status int
	}
	heard := make(chan seen, 10)
	f := newFace(t, func(cfg *httpapi.Config) {
		cfg.Observe = func(route string, status int, _ time.Duration) { heard <- seen{route, status} }
	})
	f.ask("GET", "/v1/verifications/ver_x", "", as(secret))
	f.ask("GET", "/random/12345", "")
	f.ask("GET", "/a//b", "")
	for _, want := range []seen{{"GET /v1/verifications/{id}", 404}, {"unmatched", 404}, {"refused", 404}} {
		if got := <-heard; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	}
}

// TestEveryKindHasARow reads the kinds from the source, so that a new one cannot be forgotten.
func TestEveryKindHasARow(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Kind" && len(spec.Values) == 1 {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, text)
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("found %d kinds only", len(found))
	}
	f := newFace(t)
	for _, code := range found {
		f.ask("GET", "/problems/"+code, "").want(200, "")
	}
}

func TestLogLine(t *testing.T) {
	f := newFace(t)
	id := f.start()
	f.log.take()
	f.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"987654"}`, as(secret), "User-Agent: x\tlevel=info", "X-Request-Id: "+strings.Repeat("r", 5000))
	line := strings.TrimSuffix(f.log.take(), "\n")
	if strings.Contains(line, "\n") {
		t.Fatalf("more than one line: %s", line)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"msg": "request", "route": "POST /v1/verifications/{id}/checks", "status": 422.0, "code": "incorrect_code", "app": "demo", "key": "key_1", "verification": id[:8],
	} {
		if m[name] != want {
			t.Errorf("%s = %v, want %v", name, m[name], want)
		}
	}
	for _, never := range []string{id, secret, "987654", "level=info", "rrrr", "127.0.0.1", number} {
		if strings.Contains(line, never) {
			t.Errorf("the log has %q: %s", never, line)
		}
	}
}

func TestForwardedAddressesAreBelievedFromProxiesOnly(t *testing.T) {
	f := newFace(t)
	for _, header := range []string{"X-Forwarded-For: 203.0.113.7", "True-Client-IP: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7"} {
		f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(publishable), "Origin: "+ownOrigin, header).want(201, "")
		if got := f.engine.lastClient().String(); got != "127.0.0.1" {
			t.Errorf("%s moved the client to %s", header, got)
		}
	}
}

func TestPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	heard := make(chan int, 1)
	f := newFace(t, func(cfg *httpapi.Config) {
		cfg.Observe = func(_ string, status int, _ time.Duration) { heard <- status }
		cfg.Mounts = map[string]http.Handler{"/half": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half an ans"))
			_ = http.NewResponseController(w).Flush()
			panic("fell over")
		})}
	})
	resp, err := f.client.Get(f.url + "/half")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks like a whole one")
	}
	<-heard
	if log := f.log.take(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "fell over") {
		t.Errorf("logged: %s", log)
	}
}

// patient waits for its client to go away.
type patient struct {
	httpapi.Engine
	asked chan struct{}
}

func (p *patient) Start(ctx context.Context, _ *countersign.StartRequest) (*countersign.Verification, error) {
	close(p.asked)
	<-ctx.Done()
	return nil, fmt.Errorf("waiting: %w", ctx.Err())
}

func TestClientsThatHangUpAreNoFaultOfOurs(t *testing.T) {
	heard := make(chan int, 1)
	engine := &patient{asked: make(chan struct{})}
	f := newFace(t, func(cfg *httpapi.Config) {
		cfg.Engine = engine
		cfg.Observe = func(_ string, status int, _ time.Duration) { heard <- status }
	})
	ctx, hangUp := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "POST", f.url+"/v1/verifications", strings.NewReader(`{"to":"`+number+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	go func() {
		<-engine.asked
		hangUp()
	}()
	if resp, err := f.client.Do(r); err == nil {
		resp.Body.Close()
		t.Error("an answer for nobody")
	}
	if status := <-heard; status != 499 {
		t.Errorf("status %d", status)
	}
}

func TestDrainingSendsKeptConnectionsAway(t *testing.T) {
	f := newFace(t, func(cfg *httpapi.Config) { cfg.Draining = func() bool { return true } })
	if resp := f.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("status %d, close %t", resp.StatusCode, resp.Close)
	}
}
