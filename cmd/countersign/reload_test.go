package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rewrite changes the configuration file and asks the program to read it, as `kill -HUP` does.
func (i *instanceUnderTest) rewrite(text string) {
	i.t.Helper()
	if err := os.WriteFile(filepath.Join(i.dir, "countersign.yaml"), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.hangups <- syscall.SIGHUP
}

// awaitLog waits until the program has said something.
func (i *instanceUnderTest) awaitLog(text string) {
	i.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(i.err.String(), text) {
		if time.Now().After(deadline) {
			i.t.Fatalf("the log never said %q:\n%s", text, i.err)
		}
		time.Sleep(5 * time.Millisecond) // a log has no event to wait for
	}
}

// F-22: a reload takes a good file and refuses a bad one; what was begun before goes on either way.
func TestReload(t *testing.T) {
	const before = "mode: sandbox\napps: {demo: {countries: [US]}}\n"
	i := serve(t, before)
	status, v := i.call("POST", "/v1/verifications", `{"to":"+14155550123"}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, v)
	}
	swedish := func() int {
		status, _ := i.call("POST", "/v1/verifications", `{"to":"+46701234567"}`)
		return status
	}
	if s := swedish(); s != http.StatusForbidden {
		t.Fatalf("a country that is not allowed: %d", s)
	}

	i.rewrite("mode: sandbox\napps: {demo: {countrys: [SE]}}\n")
	i.awaitLog("apps.demo.countrys is not a setting")
	i.rewrite("mode: sandbox\napps: {demo: {countries: [XX]}}\n")
	i.awaitLog("XX")
	i.rewrite("mode: sandbox\nstore_timeout: 3s\nretention: {log: 48h}\nguard: {decisions: elsewhere.jsonl}\napps: {demo: {countries: [US, SE]}}\n")
	i.awaitLog(`["guard.decisions","retention","store_timeout"]`)
	if s := swedish(); s != http.StatusForbidden {
		t.Fatalf("after three refused files: %d", s)
	}

	i.rewrite("mode: sandbox\napps: {demo: {countries: [US, SE]}}\n")
	i.awaitLog("the new configuration is in use")
	if s := swedish(); s != http.StatusCreated {
		t.Errorf("after the reload: %d", s)
	}
	status, a := i.call("POST", "/v1/verifications/"+v["id"].(string)+"/checks", `{"code":"`+i.code("+14155550123")+`"}`)
	if status != http.StatusOK || a["proof"] == nil {
		t.Errorf("a check of what was begun before the reload: %d %v", status, a)
	}
}

// Nothing fails while the configuration is read again and again under load.
func TestReloadUnderLoad(t *testing.T) {
	const text = "mode: sandbox\n"
	i := serve(t, text)
	done := make(chan struct{})
	failed := make(chan string, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-done:
				return
			default:
			}
			if status, body := i.raw("GET", "/v1/verifications", ""); status != http.StatusOK {
				failed <- body
				return
			}
		}
	}()
	for n := range 5 {
		i.rewrite(text)
		deadline := time.Now().Add(time.Minute)
		for strings.Count(i.err.String(), "the new configuration is in use") <= n && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond) // a log has no event to wait for
		}
	}
	close(done)
	if body, bad := <-failed; bad {
		t.Errorf("a request failed during a reload: %s", body)
	}
}
