// Package nodetest runs programs of Node's in tests: vendors' client libraries against the faces, the TypeScript SDK, the
// browser tests and the examples. Node 20 or newer and npm have to be there; packages are those of a directory's lock file.
package nodetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// atMost is how long one program may run. It is there for a program that hangs, not to measure one.
const atMost = 8 * time.Minute

// Run runs a program in a directory, with variables on top of the test's own, and gives what it said. A test whose program
// fails has failed.
func Run(t testing.TB, dir string, environ []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in %s: %s: %v (tests of Node's need Node.js 20 or newer with npm: scripts/test-tools installs them)\n%s", dir, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var installing sync.Mutex // tests of one package run side by side and share directories

// Install fetches the packages of a directory's lock file, unless they are there.
func Install(t testing.TB, dir string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	want, mark := hex.EncodeToString(sum[:]), filepath.Join(dir, "node_modules", ".countersign-lock")
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return
	}
	Run(t, dir, nil, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	if err := os.WriteFile(mark, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Script runs the tests of one file with Node's own runner. Each line that begins with "test(" has to have passed: none may be
// skipped, nor be forgotten because the file ended early.
func Script(t testing.TB, dir, file string, environ ...string) {
	t.Helper()
	Install(t, dir)
	script, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	out := Run(t, dir, environ, "node", "--test", "--test-reporter=spec", file)
	if want := fmt.Sprintf("pass %d\n", strings.Count(string(script), "\ntest(")); !strings.Contains(out, want) {
		t.Errorf("not every test of %s ran, want %q in\n%s", file, want, out)
	}
}
