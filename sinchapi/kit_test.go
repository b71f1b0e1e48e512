package sinchapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/sinchapi"
	"countersign/sinchapi/sinchtest"
	"countersign/sinchauth"
)

const (
	appKey    = "dec0de00-0000-4000-8000-000000000001"
	appSecret = "c2FuZGJveC1kZW1vLXNlY3JldA=="
	endpoint  = "+12025550134"
	base      = "/verification/v1/verifications"
)

// kit is a face over an engine in memory, and a client that signs.
type kit struct {
	t      testing.TB
	face   *sinchapi.Face
	engine *sinchtest.Engine
	creds  sinchauth.Credentials
	stamps atomic.Int64
}

func credentials(t testing.TB) sinchauth.Credentials {
	t.Helper()
	s, err := sinchauth.ParseSecret(appSecret)
	if err != nil {
		t.Fatal(err)
	}
	return sinchauth.Credentials{Key: appKey, Secret: s}
}

func newKit(t testing.TB, change func(*sinchapi.Config)) *kit {
	t.Helper()
	k := &kit{t: t, engine: &sinchtest.Engine{}, creds: credentials(t)}
	cfg := sinchapi.Config{
		Engine: k.engine, BaseURL: "https://verify.example.com", Now: k.engine.Now,
		Apps: []sinchapi.App{{
			App:         &countersign.App{ID: "demo", Name: "Demo", Texts: sinchtest.Texts{}},
			Credentials: k.creds, MinLevel: sinchauth.LevelBasic,
		}},
		ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") },
		PollEvery:  5 * time.Millisecond, RetryAfter: 5 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	face, err := sinchapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.face = face
	return k
}

// run delivers events until the test ends.
func (k *kit) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.face.Run(ctx) }()
	k.t.(*testing.T).Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			k.t.Error(err)
		}
	})
}

type answer struct {
	*httptest.ResponseRecorder
}

// request builds a request that is not authorised yet.
func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (k *kit) serve(r *http.Request) answer {
	w := httptest.NewRecorder()
	k.face.ServeHTTP(w, r)
	return answer{w}
}

// do sends a signed request. Each has an instant of its own, as two in one are a replay.
func (k *kit) do(method, path, body string) answer {
	r := request(method, path, body)
	at := k.engine.Now().Add(time.Duration(k.stamps.Add(1)) * time.Microsecond)
	sinchauth.SignRequest(r, []byte(body), k.creds, at)
	return k.serve(r)
}

// public sends a request with the key only.
func (k *kit) public(method, path, body string) answer {
	r := request(method, path, body)
	r.Header.Set("Authorization", "Application "+appKey)
	return k.serve(r)
}

// start begins a verification and returns its id.
func (k *kit) start(method string) string {
	k.t.Helper()
	a := k.do(http.MethodPost, base, startBody(method, ""))
	if a.Code != http.StatusOK {
		k.t.Fatalf("start %s: %d %s", method, a.Code, a.Body)
	}
	return a.field(k.t, "id")
}

func startBody(method, more string) string {
	return fmt.Sprintf(`{"identity":{"type":"number","endpoint":%q},"method":%q%s}`, endpoint, method, more)
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &m); err != nil {
		t.Fatalf("%d %s: %v", a.Code, a.Body, err)
	}
	return m
}

func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	text, _ := a.json(t)[name].(string)
	return text
}

// errorCode is the vendor's code of a refusal, checked against its status and shape.
func (a answer) errorCode(t testing.TB) int {
	t.Helper()
	if a.Code == http.StatusOK {
		return 0
	}
	m := a.json(t)
	code, _ := m["errorCode"].(float64)
	message, _ := m["message"].(string)
	if int(code)/100 != a.Code || message == "" {
		t.Errorf("status %d with body %s", a.Code, a.Body)
	}
	return int(code)
}

// golden compares an answer with a shape in which ID stands for the verification's id.
func (a answer) golden(t testing.TB, id, want string) {
	t.Helper()
	got := strings.ReplaceAll(a.Body.String(), id, "ID")
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if got != compact.String() {
		t.Errorf("body = %s\nwant   %s", got, compact.String())
	}
	if ct := a.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("Content-Type = %q", ct)
	}
}
