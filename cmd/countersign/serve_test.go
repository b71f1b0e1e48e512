package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a process' stream that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// instanceUnderTest is the program as it would run, in this process.
type instanceUnderTest struct {
	t        *testing.T
	dir      string
	url      string
	at       addresses
	key      string
	out, err *output
	client   *http.Client
	cancel   context.CancelFunc
	exited   chan int
	hangups  chan os.Signal
}

// command runs the program to its end.
func command(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	o, e := &output{}, &output{}
	p := process{args: args, environ: environ, out: o, err: e}
	code = p.run(t.Context())
	return code, o.String(), e.String()
}

// serve starts the program in a directory of its own. The configuration is a file's text; "" is the sandbox.
func serve(t *testing.T, configuration string, environ ...string) *instanceUnderTest {
	t.Helper()
	i := &instanceUnderTest{t: t, dir: t.TempDir(), key: sandboxKey, out: &output{}, err: &output{}, exited: make(chan int, 1), hangups: make(chan os.Signal)}
	environ = append(environ, "COUNTERSIGN_DATABASE_URL="+filepath.Join(i.dir, "countersign.db"), "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_OPERATIONS_LISTEN=127.0.0.1:0")
	args := []string{"serve", "--env-file", ""}
	if configuration != "" {
		file := filepath.Join(i.dir, "countersign.yaml")
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", file)
		if !strings.Contains(configuration, "mode: sandbox") {
			i.key = newKey(t, environ, file)
		}
	}
	ready := make(chan addresses, 1)
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	p := process{args: args, environ: environ, out: i.out, err: i.err, ready: func(a addresses) { ready <- a }, hangups: i.hangups}
	go func() { i.exited <- p.run(ctx) }()
	select {
	case i.at = <-ready:
	case code := <-i.exited:
		t.Fatalf("the program ended with %d:\n%s%s", code, i.out, i.err)
	}
	i.url = "http://" + i.at.API
	i.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	t.Cleanup(func() { i.stop() })
	return i
}

func newKey(t *testing.T, environ []string, file string) string {
	t.Helper()
	code, out, errs := command(t, environ, "keys", "new", "--env-file", "", "--config", file, "--app", "shop", "--json")
	if code != exitDone {
		t.Fatalf("keys new: %d\n%s", code, errs)
	}
	var made struct{ Key string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	return made.Key
}

// stop ends the program as SIGTERM does and returns its exit code.
func (i *instanceUnderTest) stop() int {
	i.cancel()
	i.client.CloseIdleConnections()
	code, ok := <-i.exited
	if ok {
		close(i.exited)
		if code != exitDone {
			i.t.Errorf("the program ended with %d:\n%s", code, i.err)
		}
	}
	return code
}

// call makes a request with the secret key and decodes the answer.
func (i *instanceUnderTest) call(method, path, body string) (int, map[string]any) {
	i.t.Helper()
	status, text := i.raw(method, path, body)
	answer := map[string]any{}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		i.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return status, answer
}

func (i *instanceUnderTest) raw(method, path, body string) (int, string) {
	i.t.Helper()
	req, err := http.NewRequest(method, i.url+path, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+i.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := i.client.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// code reads the newest code of a number from the sandbox inbox.
func (i *instanceUnderTest) code(to string) string {
	i.t.Helper()
	_, text := i.raw("GET", "/dev/inbox.json?to="+strings.ReplaceAll(to, "+", "%2B"), "")
	var box struct{ Messages []struct{ Code string } }
	if err := json.Unmarshal([]byte(text), &box); err != nil || len(box.Messages) == 0 {
		i.t.Fatalf("the inbox of %s is %s (%v)", to, text, err)
	}
	return box.Messages[0].Code
}

// The main job as a newcomer tries it: no configuration, the program's own commands.
func TestTheSandboxEndToEnd(t *testing.T) {
	i := serve(t, "")
	if !strings.Contains(i.out.String(), i.url+"/verify") {
		t.Errorf("the welcome does not say where to go:\n%s", i.out)
	}
	env := []string{"COUNTERSIGN_SERVER=" + i.url}
	code, out, errs := command(t, env, "send", "+14155550123", "--json")
	if code != exitDone {
		t.Fatalf("send: %d %s", code, errs)
	}
	var v struct{ ID, Status string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Status != "pending" {
		t.Fatalf("send printed %s", out)
	}
	secret := i.code("+14155550123")
	wrong := "1" + secret[1:]
	if secret[0] == '1' {
		wrong = "2" + secret[1:]
	}
	code, _, errs = command(t, env, "check", v.ID, wrong)
	if code != exitFailed || !strings.Contains(errs, "incorrect_code") {
		t.Errorf("a wrong check: %d %s", code, errs)
	}
	code, out, errs = command(t, env, "check", v.ID, secret)
	if code != exitDone || !strings.Contains(out, "Approved") {
		t.Errorf("check: %d %s %s", code, out, errs)
	}
	code, out, errs = command(t, env, "send", "+14155550123")
	if code != exitFailed || !strings.Contains(errs, "resend_too_soon") || !strings.Contains(errs, "(retry in ") || out != "" {
		t.Errorf("a second send at once: %d %s %s", code, out, errs)
	}
	code, out, errs = command(t, env, "send", "+14155550123", "--json")
	var refused struct{ Code string }
	if err := json.Unmarshal([]byte(out), &refused); err != nil || code != exitFailed || refused.Code != "resend_too_soon" || !strings.Contains(errs, "resend_too_soon: ") {
		t.Errorf("in JSON: %d %s %s", code, out, errs)
	}
	for _, path := range []string{"/", "/verify", "/dev/inbox", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"} {
		if status, _ := i.raw("GET", path, ""); status != http.StatusOK {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	if status, text := i.raw("GET", "/metrics", ""); !strings.Contains(text, `countersign_checks_total{app="demo"`) {
		t.Errorf("the metrics (%d) do not count checks", status)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"send"},
		{"send", "a", "b"},
		{"check", "x"},
		{"serve", "--nonsense"},
		{"serve", "extra"},
		{"keys", "revoke"},
		{"send", "+14155550123", "--app", "other"},
		{"send", "+14155550123", "--server", "nowhere"},
	} {
		if code, _, errs := command(t, nil, args...); code != exitUsage || errs == "" {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
	if _, _, errs := command(t, nil, "check", "x"); !strings.Contains(errs, "countersign check ID CODE") || !strings.Contains(errs, "Try: countersign check --help") {
		t.Errorf("it does not say what is missing: %s", errs)
	}
	if code, out, _ := command(t, nil, "--version"); code != exitDone || !strings.HasPrefix(out, "countersign ") {
		t.Errorf("--version: %d %s", code, out)
	}
	if code, out, _ := command(t, nil, "version"); code != exitDone || !strings.HasPrefix(out, "countersign ") {
		t.Errorf("version: %d %s", code, out)
	}
	if code, _, errs := command(t, nil, "send", "+14155550123", "--server", "http://127.0.0.1:1"); code != exitFailed || !strings.Contains(errs, "countersign serve") {
		t.Errorf("no server: %d %s", code, errs)
	}
}

func TestTheSandboxStaysAtHome(t *testing.T) {
	dir := t.TempDir()
	env := []string{"COUNTERSIGN_DATABASE_URL=" + filepath.Join(dir, "x.db")}
	for name, tt := range map[string]struct {
		args, env []string
		want      string
	}{
		"beyond loopback": {[]string{"--listen", "0.0.0.0:0"}, nil, "loopback"},
		"in production":   {nil, []string{"COUNTERSIGN_ENV=production"}, "production"},
		"an unknown name": {nil, []string{"COUNTERSIGN_NONSENSE=1"}, "COUNTERSIGN_NONSENSE"},
		"no such file":    {[]string{"--config", filepath.Join(dir, "none.yaml")}, nil, "none.yaml"},
	} {
		args := append([]string{"serve", "--env-file", ""}, tt.args...)
		code, _, errs := command(t, append(append([]string{}, env...), tt.env...), args...)
		if code == exitDone || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
	}
}

const production = `
public_url: https://verify.example.com
secret_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
drain_delay: 1s
providers:
  hook: {type: webhook, channels: [sms], url: "http://127.0.0.1:1/send", secrets: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}
apps:
  shop: {region: US}
`

// Outside the sandbox nothing that everybody knows works, and nothing of the sandbox exists.
func TestProduction(t *testing.T) {
	i := serve(t, production)
	if status, a := i.call("POST", "/v1/verifications", `{"to":"+14155550123"}`); status != http.StatusBadGateway || a["code"] != "delivery_failed" {
		t.Errorf("a start without a provider that answers: %d %v", status, a)
	}
	for _, key := range []string{sandboxKey, sandboxPublishableKey} {
		i.key = key
		if status, a := i.call("POST", "/v1/verifications", `{"to":"+14155550123"}`); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", key, status, a)
		}
	}
	for _, path := range []string{"/", "/dev/inbox", "/dev/inbox.json", "/metrics", "/verify"} {
		if status, _ := i.raw("GET", path, ""); status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
	res, err := i.client.Get("http://" + i.at.Operations + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the operations listener: %d", res.StatusCode)
	}
}

func TestKeysAreShownOnceAndRevoked(t *testing.T) {
	i := serve(t, production)
	env := []string{"COUNTERSIGN_DATABASE_URL=" + filepath.Join(i.dir, "countersign.db")}
	file := filepath.Join(i.dir, "countersign.yaml")
	code, out, errs := command(t, env, "keys", "list", "--json", "--env-file", "", "--config", file)
	if code != exitDone || strings.Contains(out, i.key) {
		t.Fatalf("keys list: %d %s %s", code, out, errs)
	}
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 {
		t.Fatalf("keys list printed %s", out)
	}
	if status, _ := i.call("GET", "/v1/verifications", ""); status != http.StatusOK {
		t.Fatalf("the key does not work: %d", status)
	}
	if code, _, errs := command(t, env, "keys", "revoke", list[0].ID, "--env-file", "", "--config", file); code != exitDone {
		t.Fatalf("keys revoke: %d %s", code, errs)
	}
	revoked := time.Now()
	for {
		status, _ := i.call("GET", "/v1/verifications", "")
		if status == http.StatusUnauthorized {
			break
		}
		if time.Since(revoked) > time.Second+busy {
			t.Fatal("a revoked key still works after a second")
		}
	}
	if code, _, errs := command(t, env, "keys", "revoke", "key_none", "--env-file", "", "--config", file); code != exitFailed || !strings.Contains(errs, "not_found") {
		t.Errorf("revoking what is not: %d %s", code, errs)
	}
	for _, what := range []string{"signing", "code", "tag", "seal"} {
		if code, _, errs := command(t, env, "keys", "rotate", what, "--env-file", "", "--config", file); code != exitDone {
			t.Errorf("keys rotate %s: %d %s", what, code, errs)
		}
	}
	if code, out, errs := command(t, env, "unlock", "+14155550123", "--env-file", "", "--config", file); code != exitDone {
		t.Errorf("unlock: %d %s %s", code, out, errs)
	}
	if code, out, _ := command(t, env, "doctor", "--json", "--env-file", "", "--config", file); code != exitFailed || !strings.Contains(out, `"provider hook"`) {
		t.Errorf("doctor beside a provider that is away: %d %s", code, out)
	}
}

// F-17, the contract's shutdown: readiness goes first, what is in flight finishes, nothing fails, exit 0.
func TestShutdownLosesNothing(t *testing.T) {
	i := serve(t, "mode: sandbox\n")
	type result struct {
		status int
		answer map[string]any
	}
	slow := make(chan result, 1)
	began := make(chan struct{})
	go func() {
		close(began)
		status, a := i.call("POST", "/v1/verifications", `{"to":"+14155550503"}`) // takes four seconds
		slow <- result{status, a}
	}()
	<-began
	i.awaitStarted("+14155550503")
	code := make(chan int, 1)
	go func() { code <- i.stop() }()
	r := <-slow
	if r.status != http.StatusCreated {
		t.Errorf("the request in flight: %d %v", r.status, r.answer)
	}
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d", c)
	}
}

// awaitStarted waits until a start has been begun: the list shows it within a second.
func (i *instanceUnderTest) awaitStarted(to string) {
	i.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		_, a := i.call("GET", "/v1/verifications?to="+strings.ReplaceAll(to, "+", "%2B"), "")
		if list, ok := a["data"].([]any); ok && len(list) > 0 {
			return
		}
	}
	i.t.Fatal("the slow start was never begun")
}

// While the process drains, /readyz says 503 and everything else still works.
func TestDraining(t *testing.T) {
	t.Parallel() // it mostly waits
	i := serve(t, strings.Replace(production, "drain_delay: 1s", "drain_delay: 5s", 1))
	i.cancel()
	deadline := time.Now().Add(4 * time.Second)
	for {
		status, a := i.call("GET", "/readyz", "")
		if status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz while draining: %d %v", status, a)
		}
	}
	if status, _ := i.call("GET", "/v1/verifications", ""); status != http.StatusOK {
		t.Errorf("a request while draining: %d", status)
	}
	if code := i.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(production), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, nil, "serve", "--print-config", "--env-file", "", "--config", file)
	if code != exitDone || !strings.Contains(out, "public_url") || strings.Contains(out, "MDEy") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}
