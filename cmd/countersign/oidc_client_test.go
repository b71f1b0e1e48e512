package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOpenIDClient runs openid-client, a certified client of another hand, against a sandbox.
func TestOpenIDClient(t *testing.T) {
	const dir = "oidctest"
	installPackages(t, dir)
	i := newPlace(t, quiet).node(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "client.test.mjs")
	node.Dir, node.Env = dir, append(os.Environ(), "ISSUER="+i.url)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := os.ReadFile(dir + "/client.test.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("pass %d\n", strings.Count(string(script), "\ntest(")); !strings.Contains(string(out), want) {
		t.Errorf("not every test ran, want %q in\n%s", want, out)
	}
}

// installPackages fetches the pinned packages of a directory when they are not there yet.
func installPackages(t *testing.T, dir string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: this test runs a Node client. Install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm).", tool)
		}
	}
	lock, err := os.Stat(dir + "/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.Stat(dir + "/node_modules/.package-lock.json"); err == nil && !have.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}
