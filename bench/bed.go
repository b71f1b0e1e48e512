package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/store/postgrestest"
)

// bed is what a measurement runs on: Redis, Postgres, the sink, the floor handler and Countersign, each a process of its own.
type bed struct {
	dir       string
	processes []*exec.Cmd
	binary    string
	redis     int // its pid
	redisPort string
	postgres  *postgrestest.Server
	sink      string
	floor     target
	ours      []target // the log in Postgres, and in our own process
	next      int      // the next telephone number, so that none is used twice
}

// target is a server under load.
type target struct {
	name         string
	address      string
	pid          int
	readyIn      time.Duration
	start, check string // paths
	key          string
}

func newBed() (_ *bed, err error) {
	dir, err := os.MkdirTemp("", "countersign-bench-")
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir, next: 2012000000}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.complaints())
			b.close()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports := freePorts(3)
	redis := "127.0.0.1:" + ports[0]
	server, err := b.spawn("redis", "redis-server", "--port", ports[0], "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, err
	}
	b.redis, b.redisPort = server.Process.Pid, ports[0]
	if err = waitUntil(func() error { return dial(redis) }); err != nil {
		return nil, err
	}
	b.sink = "http://127.0.0.1:" + ports[1]
	if _, err = b.spawn("sink", self, "sink", "127.0.0.1:"+ports[1]); err != nil {
		return nil, err
	}
	if err = waitFor(b.sink + "/readyz"); err != nil {
		return nil, err
	}
	b.floor = target{name: "floor", address: "http://127.0.0.1:" + ports[2], start: "/start", check: "/check"}
	floor, err := b.spawn("floor", self, "floor", "127.0.0.1:"+ports[2], redis, b.sink+"/send")
	if err != nil {
		return nil, err
	}
	b.floor.pid = floor.Process.Pid
	if b.postgres, err = postgrestest.Start(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err = b.startOurs(redis); err != nil {
		return nil, err
	}
	return b, waitFor(b.floor.address + "/readyz")
}

const benchConfig = `mode: production
listen: 127.0.0.1:%s
public_url: http://127.0.0.1:%s
secret_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
database_url: %s
%s
operations: {listen: "127.0.0.1:0"}
log: {format: json}
guard: {policy: %s}
providers:
  sink:
    type: webhook
    channels: [sms]
    url: %s/send
    secrets: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
    body: '{"id":{{verification|json}},"to":{{to|json}},"code":{{code|json}},"text":{{text|json}}}'
apps:
  bench: {region: US, name: Bench}
`

// build makes the program as it is released.
func (b *bed) build() error {
	b.binary = filepath.Join(b.dir, "countersign")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.binary, "./cmd/countersign")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building countersign: %w\n%s", err, out)
	}
	return nil
}

// benchPolicy counts what the default policy counts, and lets a load through that no default policy would: numbers in
// sequence, none of them confirmed in time.
const benchPolicy = `defaults:
  shadow: [sequence, prefix_blocked]
  budgets: {%s}
instance:
  budgets: {%s}
`

func writePolicy(path string) error {
	app, instance := guard.WideBudgets()
	list := func(budgets map[string]countersign.Budget) string {
		var parts []string
		for name, b := range budgets {
			parts = append(parts, fmt.Sprintf("%s: {capacity: %d, refill: %d}", name, b.Capacity, b.Refill))
		}
		return strings.Join(parts, ", ")
	}
	return os.WriteFile(path, fmt.Appendf(nil, benchPolicy, list(app), list(instance)), 0o600)
}

// startOurs starts Countersign twice: with its log in Postgres, as many nodes share it, and in an SQLite file, whose engine
// runs in our process and is part of its CPU.
func (b *bed) startOurs(redis string) error {
	if err := b.build(); err != nil {
		return err
	}
	for n, s := range []struct{ name, log string }{
		{"countersign", b.postgres.URL("postgres")},
		{"countersign-sqlite", filepath.Join(b.dir, "sqlite.db")},
	} {
		t, err := b.serve(s.name, s.log, fmt.Sprintf("redis_url: redis://%s/%d", redis, n+1))
		if err != nil {
			return err
		}
		b.ours = append(b.ours, t)
	}
	return nil
}

// serve starts Countersign with its log in a database, and waits until it is ready. The store is a setting; "" is the
// embedded one.
func (b *bed) serve(name, database, store string) (target, error) {
	port := freePorts(1)[0]
	file := filepath.Join(b.dir, name+".yaml")
	policy := filepath.Join(b.dir, "policy.yaml")
	if err := writePolicy(policy); err != nil {
		return target{}, err
	}
	text := fmt.Sprintf(benchConfig, port, port, database, store, policy, b.sink)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return target{}, err
	}
	out, err := exec.Command(b.binary, "keys", "new", "--config", file, "--app", "bench", "--json").Output()
	if err != nil {
		return target{}, fmt.Errorf("making a key: %w", err)
	}
	var made struct{ Key string }
	if err := json.Unmarshal(out, &made); err != nil {
		return target{}, fmt.Errorf("making a key: %w", err)
	}
	began := time.Now()
	cmd, err := b.spawn(name, b.binary, "serve", "--config", file)
	if err != nil {
		return target{}, err
	}
	t := target{
		name: name, address: "http://127.0.0.1:" + port, pid: cmd.Process.Pid,
		start: "/v1/verifications", check: "/v1/verifications/ID/checks", key: made.Key,
	}
	if err := waitFor(t.address + "/readyz"); err != nil {
		return target{}, err
	}
	t.readyIn = time.Since(began)
	return t, nil
}

// spawn starts a process whose output goes to a file of the bed.
func (b *bed) spawn(name, program string, args ...string) (*exec.Cmd, error) {
	out, err := os.Create(filepath.Join(b.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	b.processes = append(b.processes, cmd)
	return cmd, nil
}

// complaints is the last that the processes wrote, for a start that failed.
func (b *bed) complaints() error {
	var errs []error
	for _, name := range []string{"redis", "sink", "floor", "countersign", "countersign-sqlite", "embedded"} {
		text, err := os.ReadFile(filepath.Join(b.dir, name+".log"))
		if err == nil {
			errs = append(errs, fmt.Errorf("%s wrote: %s", name, text[max(0, len(text)-500):]))
		}
	}
	return errors.Join(errs...)
}

// refusals are some of the lines that a server wrote about requests that it did not serve.
func (b *bed) refusals(t target) string {
	text, err := os.ReadFile(filepath.Join(b.dir, t.name+".log"))
	if err != nil {
		return err.Error()
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, `"status":2`) && len(list) < 5 {
			list = append(list, line)
		}
	}
	return strings.Join(list, "")
}

func (b *bed) close() {
	for _, p := range b.processes {
		p.Process.Kill()
		p.Wait()
	}
	if b.postgres != nil {
		b.postgres.Remove()
	}
	os.RemoveAll(b.dir)
}

// round measures each operation of the floor and of Countersign, one after the other.
func (b *bed) round(d time.Duration, tell func(string, sample)) error {
	for _, t := range append([]target{b.floor}, b.ours...) {
		started, err := b.load(t, d, "start", strconv.Itoa(b.next), t.start, t.key)
		if err != nil {
			return err
		}
		b.next += 2 * started.requests
		if tell != nil {
			tell(t.name+" start", started)
		}
		codes := filepath.Join(b.dir, t.name+".codes")
		if _, err := get(b.sink + "/codes?file=" + codes); err != nil {
			return err
		}
		for _, kind := range []struct{ arg, name string }{{"wrong", "wrong check"}, {"right", "approved check"}} {
			s, err := b.load(t, d, "check", codes, t.check, t.key, kind.arg)
			if err != nil {
				return err
			}
			if tell != nil {
				tell(t.name+" "+kind.name, s)
			}
		}
	}
	return nil
}

// connections is how many clients there are at once.
const connections = 50

// load runs wrk and reads the server's CPU time before and after.
func (b *bed) load(t target, d time.Duration, args ...string) (sample, error) {
	script, err := filepath.Abs("bench/load.lua")
	if err != nil {
		return sample{}, err
	}
	before, redis, postgres, others := cpuOf(t.pid), cpuOf(b.redis), cpuOfTree(b.postgres.PID()), b.others()
	ctx, cancel := context.WithTimeout(context.Background(), d+30*time.Second)
	defer cancel()
	argv := append([]string{"-t2", "-c" + strconv.Itoa(connections), "-d" + d.String(), "--latency", "-s", script, t.address, "--"}, args...)
	cmd := exec.CommandContext(ctx, "wrk", argv...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	after := cpuOf(t.pid)
	redis = cpuOf(b.redis) - redis
	postgres = cpuOfTree(b.postgres.PID()) - postgres
	others = b.others() - others - cpuOfWaited(cmd)
	_, line, ok := strings.Cut(string(out), "RESULT ")
	if !ok {
		return sample{}, fmt.Errorf("wrk gave no result:\n%s", out)
	}
	var requests, micros, p50, p99, refused, failed int
	if _, err := fmt.Sscanf(line, "requests=%d duration=%d p50=%d p99=%d refused=%d errors=%d", &requests, &micros, &p50, &p99, &refused, &failed); err != nil {
		return sample{}, fmt.Errorf("wrk's result %q: %w", line, err)
	}
	wantRefused := 0
	if args[len(args)-1] == "wrong" {
		wantRefused = requests
	}
	// The last of a list of codes may be sent twice, by connections that were on their way when it ended.
	if failed > 0 || requests == 0 || abs(refused-wantRefused) > connections+requests/1000 {
		return sample{}, fmt.Errorf("%s %s: %d of %d requests refused (%d expected), %d failed\n%s", t.name, args[0], refused, requests, wantRefused, failed, b.refusals(t))
	}
	return sample{
		requests: requests, seconds: float64(micros) / 1e6,
		p50: time.Duration(p50) * time.Microsecond, p99: time.Duration(p99) * time.Microsecond,
		cpu:     (after - before).Seconds() * 1e6 / float64(requests),
		redis:   redis.Seconds() * 1e6 / float64(requests),
		log:     postgres.Seconds() * 1e6 / float64(requests),
		foreign: max(0, others.Seconds()/(float64(micros)/1e6)), rss: rssOf(t.pid),
	}, nil
}

// others is the CPU time of everything that is not of the bed.
func (b *bed) others() time.Duration {
	sum := cpuOfAll() - cpuOfTree(b.postgres.PID())
	for _, p := range b.processes {
		sum -= cpuOf(p.Process.Pid)
	}
	return sum
}

// cpuOfWaited is the CPU time of a child that has ended.
func cpuOfWaited(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func waitFor(address string) error {
	return waitUntil(func() error {
		_, err := get(address)
		return err
	})
}

// waitUntil asks a process that has no other way to say that it is ready.
func waitUntil(ready func() error) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("does not come up: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func dial(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func get(address string) (string, error) {
	res, err := http.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return string(text), err
}

// freePorts asks the system for ports that nobody listens on.
func freePorts(n int) []string {
	ports := make([]string, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err) // no loopback: nothing can be measured
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}
