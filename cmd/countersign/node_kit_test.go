package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file starts programs that share things, and servers that come and go.

// place is what nodes share: a directory with the configuration and the database, and maybe a Redis.
type place struct {
	dir     string
	config  string
	environ []string
}

// quiet is a sandbox whose log is short and whose store has time: for tests that are not about time, on machines that do
// much else.
const quiet = "mode: sandbox\nlog: {level: error}\nstore_timeout: 5s\n"

// newPlace writes a configuration. The variables come on top of it.
func newPlace(t *testing.T, configuration string, environ ...string) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{dir: dir, config: filepath.Join(dir, "countersign.yaml")}
	if err := os.WriteFile(p.config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	p.environ = append([]string{
		"COUNTERSIGN_DATABASE_URL=" + filepath.Join(dir, "countersign.db"), "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_OPERATIONS_LISTEN=127.0.0.1:0",
	}, environ...)
	return p
}

// command runs a command of the program at this place.
func (p *place) command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return command(t, p.environ, append(args, "--env-file", "", "--config", p.config)...)
}

// must runs a command that has to go well and gives what it printed.
func (p *place) must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := p.command(t, args...)
	if code != exitDone {
		t.Fatalf("%q: %d %s", args, code, errs)
	}
	return out
}

// node runs the program at this place until the test ends.
func (p *place) node(t *testing.T) *instanceUnderTest {
	t.Helper()
	i := &instanceUnderTest{t: t, dir: p.dir, key: sandboxKey, out: &output{}, err: &output{}, exited: make(chan int, 1)}
	ready := make(chan addresses, 1)
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	run := process{
		args: []string{"serve", "--env-file", "", "--config", p.config}, environ: p.environ, out: i.out, err: i.err,
		ready: func(a addresses) { ready <- a },
	}
	go func() { i.exited <- run.run(ctx) }()
	select {
	case i.at = <-ready:
	case code := <-i.exited:
		t.Fatalf("the program ended with %d:\n%s%s", code, i.out, i.err)
	}
	i.url = "http://" + i.at.API
	i.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: 20 * time.Second}
	t.Cleanup(func() { i.stop() })
	return i
}

// reply is an answer with its headers.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	took   time.Duration
}

func (r *reply) text(name string) string {
	s, _ := r.body[name].(string)
	return s
}

// post is safe in any goroutine. Headers come in pairs.
func (i *instanceUnderTest) post(path, body string, headers ...string) (*reply, error) {
	return i.do("POST", path, body, headers...)
}

func (i *instanceUnderTest) do(method, path, body string, headers ...string) (*reply, error) {
	req, err := http.NewRequest(method, i.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+i.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	began := time.Now()
	res, err := i.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	r := &reply{status: res.StatusCode, header: res.Header, body: map[string]any{}, took: time.Since(began)}
	if err == nil {
		err = json.Unmarshal(text, &r.body)
	}
	return r, err
}

// mustPost stops the test where there is no answer.
func (i *instanceUnderTest) mustPost(path, body string, headers ...string) *reply {
	i.t.Helper()
	r, err := i.post(path, body, headers...)
	if err != nil {
		i.t.Fatal(err)
	}
	return r
}

// messages counts what came to the node's inbox for a number, or for all with "".
func (i *instanceUnderTest) messages(to string) int {
	i.t.Helper()
	r, err := i.do("GET", "/dev/inbox.json?to="+url.QueryEscape(to), "")
	if err != nil {
		i.t.Fatal(err)
	}
	list, ok := r.body["messages"].([]any)
	if !ok {
		i.t.Fatalf("the inbox: %d %v", r.status, r.body)
	}
	return len(list)
}

// newest reads the newest code of a number, in any goroutine.
func (i *instanceUnderTest) newest(to string) (string, error) {
	r, err := i.do("GET", "/dev/inbox.json?to="+url.QueryEscape(to), "")
	if err != nil {
		return "", err
	}
	list, _ := r.body["messages"].([]any)
	if len(list) == 0 {
		return "", fmt.Errorf("no message came to %s", to)
	}
	first, _ := list[0].(map[string]any)
	code, _ := first["code"].(string)
	return code, nil
}

// other is a code that is not this one.
func other(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

// awayRedis is a redis-server that a test starts, kills and starts again at one address.
type awayRedis struct {
	t    *testing.T
	dir  string
	args []string
	cmd  *exec.Cmd
}

// newRedis does not start it yet.
func newRedis(t *testing.T, args ...string) *awayRedis {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	r := &awayRedis{t: t, dir: dir, args: args}
	t.Cleanup(func() {
		r.kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *awayRedis) socket() string { return filepath.Join(r.dir, "s") }
func (r *awayRedis) env() string    { return "REDIS_URL=unix://" + r.socket() }

// start returns when the server answers.
func (r *awayRedis) start() *awayRedis {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", r.socket(), "--save", "", "--dir", r.dir}, r.args...)...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("redis-server is needed (on Debian: apt-get install redis-server): %v", err)
	}
	eventually(r.t, 10*time.Second, "redis-server answers", func() bool {
		client := redisClient(r.t, r.socket())
		defer client.Close()
		return client.Do(r.t.Context(), client.B().Ping().Build()).Error() == nil
	})
	return r
}

// kill ends the process as kill -9 does.
func (r *awayRedis) kill() {
	if r.cmd == nil {
		return
	}
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Errorf("killing redis-server: %v", err)
	}
	_ = r.cmd.Wait() // it says that it was killed
	r.cmd = nil
}

// eventually waits for a condition and says how long that took.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > within {
			t.Fatalf("waited %s in vain until %s", within, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}
