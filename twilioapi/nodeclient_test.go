package twilioapi_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestVendorNodeClient(t *testing.T) {
	install(t)
	n := newNode(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "sdk.test.mjs")
	node.Dir = "sdktest"
	node.Env = append(os.Environ(), "FACE_URL="+n.url, "ACCOUNT="+account, "TOKEN="+token, "SERVICE="+service, "TWILIO_EDGE=", "TWILIO_REGION=")
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := os.ReadFile("sdktest/sdk.test.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("pass %d\n", strings.Count(string(script), "\ntest(")); !strings.Contains(string(out), want) {
		t.Errorf("not every test ran, want %q in\n%s", want, out)
	}
}

// install fetches the pinned packages when they are not there yet.
func install(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: these tests run the vendor's Node client. Install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm).", tool)
		}
	}
	lock, err := os.Stat("sdktest/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.Stat("sdktest/node_modules/.package-lock.json"); err == nil && !have.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = "sdktest"
	out, err := npm.CombinedOutput()
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}
