package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign/nodetest"
)

// The examples, each as its own process beside the whole program. Those that need a browser are in web/browsertest.

// example runs a program that prints its address first, and gives that.
func example(t *testing.T, dir string, environ []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	errs := &output{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	ended := make(chan struct{})
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-ended
		_ = cmd.Wait() // it says that it was ended
		if t.Failed() {
			t.Logf("%s said:\n%s", args[0], errs)
		}
	})
	for {
		line, err := lines.ReadString('\n')
		if i := strings.Index(line, "http://"); i >= 0 {
			go func() {
				defer close(ended)
				_, _ = io.Copy(io.Discard, lines)
			}()
			return strings.TrimSpace(line[i:])
		}
		if err != nil {
			close(ended)
			t.Fatalf("%q ended without an address:\n%s", args, errs)
		}
	}
}

// formBrowser keeps cookies, and follows what it is sent to.
type formBrowser struct {
	t   *testing.T
	url string
	*http.Client
}

func (b *formBrowser) post(path string, form url.Values, headers ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequest("POST", b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func newFormBrowser(t *testing.T, url string) *formBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &formBrowser{t, url, &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: 10 * time.Second}}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

// The server in Go: two forms without script.
func TestTheGoExample(t *testing.T) {
	t.Parallel()
	i := serve(t, quiet)
	program := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", program, "countersign/examples/go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := example(t, "", []string{"PORT=0", "COUNTERSIGN_URL=" + i.url, "COUNTERSIGN_KEY=" + i.key}, program)
	wants := func(what, text, part string) {
		t.Helper()
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not on the page:\n%s", what, part, text)
		}
	}

	b := newFormBrowser(t, address)
	_, text := b.post("/start", url.Values{"phone": {"12"}})
	wants("a number that is none", text, "not valid")
	wants("a number that is none", text, `value="12"`)
	_, text = b.post("/start", url.Values{"phone": {"(415) 555-0123"}})
	wants("a number", text, "Enter your code")
	right := i.code("+14155550123")
	_, text = b.post("/check", url.Values{"code": {other(right)}})
	wants("a wrong code", text, "Attempts left: 4")

	// Another browser has no use for the code.
	_, text = newFormBrowser(t, address).post("/check", url.Values{"code": {right}})
	wants("another browser", text, "Log in")
	if strings.Contains(text, "signed in") {
		t.Error("another browser is signed in")
	}
	// Nor has a form of another site.
	if status, _ := b.post("/check", url.Values{"code": {right}}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", status)
	}

	_, text = b.post("/check", url.Values{"code": {right[:3] + " " + right[3:]}})
	wants("the right code", text, "signed in as <strong>&#43;14155550123</strong>")
	_, text = b.post("/start", url.Values{"phone": {"+14155550123"}})
	wants("too soon", text, "try again in")
	_, text = b.post("/logout", nil)
	wants("logged out", text, "Log in")
}

// browserTests runs tests of web/browsertest in a real Chromium.
func browserTests(t *testing.T, i *instanceUnderTest, address string, files ...string) {
	t.Helper()
	dir := "../../web/browsertest"
	nodetest.Install(t, dir)
	args := append([]string{"node", "--test", "--test-concurrency=1"}, files...)
	nodetest.Run(t, dir, []string{"BASE_URL=" + i.url, "SECRET_KEY=" + i.key, "EXAMPLE_URL=" + address}, args...)
}

// freePort is one that nobody listens on now: the page's origin has to stand in the configuration before its server runs.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The plain page with the web component, in a browser.
func TestTheHTMLExample(t *testing.T) {
	t.Parallel()
	buildSDK(t)
	port := freePort(t)
	i := serve(t, quiet+"apps: {demo: {origins: ['http://127.0.0.1:"+port+"']}}\n")
	address := example(t, "../../examples/html", []string{"PORT=" + port, "COUNTERSIGN_URL=" + i.url}, "node", "server.mjs")
	browserTests(t, i, address, "examples/html.mjs")
}

const nextDir = "../../examples/nextjs"

// buildNext compiles the Next.js example, unless it is the one that was compiled before: that takes most of a minute.
func buildNext(t *testing.T) {
	t.Helper()
	buildSDK(t)
	nodetest.Install(t, nextDir)
	installed := filepath.Join(nextDir, "node_modules", "@countersign", "sdk", "dist")
	if err := os.RemoveAll(installed); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(installed, os.DirFS(filepath.Join(sdkDir, "dist"))); err != nil {
		t.Fatal(err)
	}
	sum, mark := hashOf(t, nextDir, installed), filepath.Join(nextDir, ".next", "built-from")
	if have, err := os.ReadFile(mark); err == nil && string(have) == sum {
		return
	}
	nodetest.Run(t, nextDir, []string{"NEXT_TELEMETRY_DISABLED=1"}, "npx", "--no-install", "next", "build")
	if err := os.WriteFile(mark, []byte(sum), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hashOf is a hash over the files of directories, without what is made or fetched there.
func hashOf(t *testing.T, dirs ...string) string {
	t.Helper()
	h := sha256.New()
	for _, dir := range dirs {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".next"):
				return fs.SkipDir
			case d.IsDir() || d.Name() == "next-env.d.ts" || strings.HasSuffix(path, ".tsbuildinfo"):
				return nil
			}
			text, err := os.ReadFile(filepath.Join(dir, path))
			fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The Next.js application, in a browser.
func TestTheNextExample(t *testing.T) {
	t.Parallel()
	buildNext(t)
	port := freePort(t)
	site := "http://localhost:" + port // passkeys need a name
	i := named(t, "apps: {demo: {origins: ['"+site+"']}}\n")
	address := example(t, nextDir, []string{"NEXTAUTH_URL=" + site, "COUNTERSIGN_URL=" + i.url, "NEXT_TELEMETRY_DISABLED=1", "NODE_ENV=production"},
		"node", "node_modules/next/dist/bin/next", "start", "--hostname", "localhost", "--port", port)
	if *update { // make screenshots
		nodetest.Run(t, "../../web/browsertest", []string{"BASE_URL=" + i.url, "EXAMPLE_URL=" + address}, "node", "examples/screenshot.mjs")
		return
	}
	browserTests(t, i, address, "examples/nextjs.mjs")
}
