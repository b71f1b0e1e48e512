package main

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// redisServer starts a server of the test's own on a socket and returns its address.
func redisServer(t *testing.T, args ...string) (url, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed (on Debian: apt-get install redis-server): %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	client := redisClient(t, socket)
	defer client.Close()
	return "unix://" + socket, socket
}

func redisClient(t *testing.T, socket string) rueidis.Client {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		client, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{socket}, DisableCache: true, ForceSingleClient: true,
			DialCtxFn: unixDial,
		})
		if err == nil {
			return client
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// everythingIn reads every key and value of a Redis, and is what a thief would have.
func everythingIn(t *testing.T, socket string) string {
	t.Helper()
	client := redisClient(t, socket)
	defer client.Close()
	ctx := context.Background()
	keys, err := client.Do(ctx, client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k + "\n")
		var parts []string
		switch kind, _ := client.Do(ctx, client.B().Type().Key(k).Build()).ToString(); kind {
		case "string":
			s, _ := client.Do(ctx, client.B().Get().Key(k).Build()).ToString()
			parts = []string{s}
		case "hash":
			m, _ := client.Do(ctx, client.B().Hgetall().Key(k).Build()).AsStrMap()
			for f, v := range m {
				parts = append(parts, f, v)
			}
		case "zset":
			parts, _ = client.Do(ctx, client.B().Zrange().Key(k).Min("0").Max("-1").Build()).AsStrSlice()
		case "set":
			parts, _ = client.Do(ctx, client.B().Smembers().Key(k).Build()).AsStrSlice()
		case "list":
			parts, _ = client.Do(ctx, client.B().Lrange().Key(k).Start(0).Stop(-1).Build()).AsStrSlice()
		case "none": // its time ran out just now
		default:
			t.Fatalf("a key of a kind that is not looked at: %s is a %s", k, kind)
		}
		b.WriteString(strings.Join(parts, "\n") + "\n")
	}
	return b.String()
}

// filesIn reads every file of a directory: the database, its WAL, whatever else was written.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the database takes its side files away
		}
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// leaks lists the secrets that stand in a text: numbers with or without their plus, and codes.
func leaks(text string, numbers, codes []string) []string {
	var found []string
	for _, n := range numbers {
		if strings.Contains(text, strings.TrimPrefix(n, "+")) {
			found = append(found, "a number")
		}
	}
	for _, c := range codes {
		if strings.Contains(text, c) {
			found = append(found, "a code")
		}
	}
	return found
}

// INV-9, the canary scan: after a run with every kind of end, no code and no full number stands in a log line, a metric,
// a Redis key or value, or a file. Codes have ten digits here, so that no instant or size is taken for one.
func TestNothingThatIsKeptNamesAPersonOrACode(t *testing.T) {
	for _, store := range []string{"sqlite", "redis"} {
		t.Run(store, func(t *testing.T) {
			var environ []string
			var socket string
			if store == "redis" {
				var url string
				url, socket = redisServer(t)
				environ = append(environ, "REDIS_URL="+url)
			}
			i := serve(t, "mode: sandbox\nlog: {level: debug}\nstore_timeout: 5s\napps: {demo: {code_length: 10}}\n", environ...)
			numbers, codes, answers := everyKindOfEnd(t, i)
			_, metrics := i.raw("GET", "/metrics", "")
			kept := map[string]string{"the metrics": metrics, "the answers": answers}
			if socket != "" {
				kept["Redis"] = everythingIn(t, socket)
				if len(kept["Redis"]) < 1000 {
					t.Fatalf("only %d bytes of Redis were looked at", len(kept["Redis"]))
				}
			}
			kept["the files, running"] = filesIn(t, i.dir)
			i.stop()
			kept["the files"], kept["the log"] = filesIn(t, i.dir), i.err.String()
			for where, text := range kept {
				scanned := numbers
				if where == "the answers" {
					scanned = nil // the owner is told whose number it is
				}
				if found := leaks(text, scanned, codes); len(found) > 0 {
					t.Errorf("%s: %v", where, found)
				}
			}
			// The control: a scan that cannot find what was planted proves nothing.
			if len(leaks(kept["the log"]+"code="+codes[0], nil, codes)) == 0 || len(leaks(kept["the files"]+numbers[0], numbers, nil)) == 0 {
				t.Error("control: the scan does not find a planted secret")
			}
		})
	}
}

// furtherFactors gives the person of a login an authenticator app and recovery codes, uses them, rightly and wrongly, and
// gives what was secret in that.
func furtherFactors(t *testing.T, i *instanceUnderTest, login map[string]any) (secrets []string) {
	t.Helper()
	who := account{access: login["access_token"].(string)}
	app := i.enrol(&who)
	codes := i.onPaper(&who)
	stepUp := func(body string, want int) {
		r := i.as(who, "POST", "/v1/sessions/step-up", body)
		if r.status != want {
			t.Fatalf("a step-up: %d %v, want %d", r.status, r.body, want)
		}
		if want == 200 {
			who.access = r.text("access_token")
		}
	}
	stepUp(fmt.Sprintf(`{"recovery_code":%q}`, codes[0]), 200)
	stepUp(fmt.Sprintf(`{"recovery_code":%q}`, codes[0]), 422)
	stepUp(fmt.Sprintf(`{"totp":%q}`, app.fresh(i)), 200)
	stepUp(fmt.Sprintf(`{"totp":%q,"recovery_code":%q}`, app.fresh(i), codes[1]), 400)
	for _, c := range codes {
		secrets = append(secrets, c, strings.ReplaceAll(c, "-", ""))
	}
	return append(secrets, string(app), base32.StdEncoding.EncodeToString(app))
}

// everyKindOfEnd drives verifications to every status and gives what was secret in them.
func everyKindOfEnd(t *testing.T, i *instanceUnderTest) (numbers, codes []string, answers string) {
	t.Helper()
	var all strings.Builder
	start := func(n int, body string) (id, code string) {
		number := fmt.Sprintf("+1415555%04d", n)
		numbers = append(numbers, number)
		status, a := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q%s}`, number, body))
		fmt.Fprint(&all, a)
		if status != 201 {
			return "", ""
		}
		code = i.code(number)
		codes = append(codes, code)
		return a["id"].(string), code
	}
	check := func(id, code string) {
		_, a := i.call("POST", "/v1/verifications/"+id+"/checks", fmt.Sprintf(`{"code":%q}`, code))
		fmt.Fprint(&all, a)
	}
	wrong := func(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

	for n := range 10 {
		id, code := start(1000+n, `,"reference":"r","nonce":"n","metadata":{"k":"v"}`)
		check(id, wrong(code))
		check(id, code)
		check(id, code)
	}
	id, code := start(2000, "")
	for range 6 {
		check(id, wrong(code))
	}
	id, _ = start(2001, "")
	_, a := i.call("POST", "/v1/verifications/"+id+"/cancel", "")
	fmt.Fprint(&all, a)
	start(2002, `,"purpose":"transaction","transaction":{"payee":"ACME AB","amount":"49.90","currency":"EUR"}`)
	start(2003, `,"channel":"voice"`)
	for _, fails := range []int{500, 502, 504, 505, 507, 508, 509} {
		number := fmt.Sprintf("+14155550%03d", fails)
		numbers = append(numbers, number)
		_, a := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q}`, number))
		fmt.Fprint(&all, a)
	}
	_, a = i.call("POST", "/v1/verifications", `{"to":"+14155552004","nonsense":"+14155552004"}`)
	fmt.Fprint(&all, a)
	numbers = append(numbers, "+14155552004")
	_, a = i.call("GET", "/v1/verifications?to=%2B14155551000", "")
	fmt.Fprint(&all, a)
	id, code = start(2006, "")
	_, a = i.call("POST", "/v1/verifications/"+id+"/checks", fmt.Sprintf(`{"code":%q}`, code))
	status, a := i.call("POST", "/v1/sessions", fmt.Sprintf(`{"proof":%q,"client":{"ip":"203.0.113.77"}}`, a["proof"]))
	if status != 201 {
		t.Fatalf("a session: %d %v", status, a)
	}
	_, a = i.call("POST", "/v1/sessions/refresh", fmt.Sprintf(`{"refresh_token":%q}`, a["refresh_token"]))
	session := a
	i.call("GET", "/v1/users?phone_number=%2B14155552006", "")
	id, _ = start(2005, "")
	if status, _ := i.call("POST", "/dev/clock", `{"advance":"301s"}`); status != 200 {
		t.Fatalf("advancing the clock: %d", status)
	}
	check(id, codes[len(codes)-1])
	return numbers, append(codes, furtherFactors(t, i, session)...), all.String()
}
