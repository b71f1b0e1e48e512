package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The TypeScript SDK: its own tests, and itself against the whole program. The tests are in sdk/js/test.

var update = flag.Bool("update", false, "write what is generated from the program into the repository")

const sdkDir = "../../sdk/js"

// node runs a program of Node's in a directory.
func node(t *testing.T, dir string, environ []string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("in %s: %s: %v\n%s", dir, strings.Join(args, " "), err, out)
	}
}

var installing sync.Mutex // tests run side by side and share directories

// npmInstall fetches the pinned packages of a directory when they are not there yet.
func npmInstall(t *testing.T, dir string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	mark := filepath.Join(dir, "node_modules", ".countersign-lock")
	if have, err := os.ReadFile(mark); err == nil && string(have) == hex.EncodeToString(sum[:]) {
		return
	}
	node(t, dir, nil, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	if err := os.WriteFile(mark, []byte(hex.EncodeToString(sum[:])), 0o600); err != nil {
		t.Fatal(err)
	}
}

var builtSDK sync.Once

// buildSDK compiles sdk/js/src into sdk/js/dist, which the examples use. Once is enough for all tests.
func buildSDK(t *testing.T) {
	t.Helper()
	builtSDK.Do(func() {
		npmInstall(t, sdkDir)
		node(t, sdkDir, nil, "npm", "run", "--silent", "build")
	})
}

func TestTheJavaScriptSDK(t *testing.T) {
	t.Parallel()
	buildSDK(t)
	i := serve(t, quiet+"apps: {demo: {origins: ['http://localhost:3000']}}\n")
	node(t, sdkDir, []string{"COUNTERSIGN_URL=" + i.url, "ORIGIN=http://localhost:3000"}, "npx", "--no-install", "vitest", "run")
}

// The types of the SDK are those of the API now. With -update (make sdk) they are written anew.
func TestTheJavaScriptTypesAreTheAPIs(t *testing.T) {
	npmInstall(t, sdkDir)
	i := serve(t, quiet)
	file := filepath.Join(t.TempDir(), "api.ts")
	committed := filepath.Join(sdkDir, "src", "api.ts")
	if *update {
		file = committed
	}
	node(t, sdkDir, nil, "node", "scripts/types.mjs", i.url+"/openapi.json", must(t, filepath.Abs, file))
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("sdk/js/src/api.ts is not what the OpenAPI document gives: run make sdk")
	}
}

func must(t *testing.T, f func(string) (string, error), arg string) string {
	t.Helper()
	s, err := f(arg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
