package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file starts the program on databases that it cannot use, and with settings that are wrong. It must end with exit
// code 1 and a sentence that names the setting and the file and says what to do, and leave everything as it was.

// refuses runs serve and wants it to end with exit code 1 and a sentence that says all of want and no password.
func (p *place) refuses(t *testing.T, environ []string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, errs := &output{}, &output{}
	run := process{args: []string{"serve", "--env-file", "", "--config", p.config}, environ: append(p.environ, environ...), out: out, err: errs}
	code, text := run.run(ctx), errs.String()
	if code != exitFailed || ctx.Err() != nil {
		t.Fatalf("exit code %d, want %d:\n%s", code, exitFailed, text)
	}
	sentence, more, _ := strings.Cut(text, "\n") // what the engine itself said may follow on lines of its own
	if strings.HasSuffix(sentence, "the configuration is wrong:") {
		mistake, _, _ := strings.Cut(more, "\n") // a line for each
		sentence += " " + mistake
	}
	if !strings.HasPrefix(sentence, "countersign: ") || strings.Count(text, "\n") > 3 {
		t.Errorf("it says, in more than a sentence:\n%s", text)
	}
	for _, w := range want {
		if !strings.Contains(sentence, w) {
			t.Errorf("it says %q, which has no %q", sentence, w)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Errorf("it tells a password: %s", text)
	}
}

// filledDatabase is a place whose database has been used, and a code of before that waits to be checked.
func filledDatabase(t *testing.T) (p *place, waiting *journey) {
	t.Helper()
	p = newPlace(t, quiet)
	node := p.node(t)
	for n := range 60 {
		waiting = begin(t, node, node, fmt.Sprintf("+1415555%04d", 6000+n))
	}
	node.stop()
	return p, waiting
}

func (p *place) database() string { return filepath.Join(p.dir, "countersign.db") }

// copyOf is another place with the same configuration, keys and database.
func (p *place) copyOf(t *testing.T) *place {
	t.Helper()
	other := newPlace(t, quiet)
	for _, name := range []string{"countersign.db", "countersign.key"} {
		if err := os.WriteFile(filepath.Join(other.dir, name), readFile(t, filepath.Join(p.dir, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// F-19: the program does not start on a database that is damaged, of another program, read-only or on a full disk, and says so.
func TestStartOnADatabaseThatCannotBeUsed(t *testing.T) {
	sound, waiting := filledDatabase(t)
	const advice = "restore it from a backup, or move it away"
	for _, tt := range []struct {
		name   string
		damage func(b []byte) []byte
		want   string
	}{
		{"another format", func([]byte) []byte { return bytes.Repeat([]byte("this is a text file\n"), 1000) }, advice},
		{"cut short", func(b []byte) []byte { return b[:len(b)/2] }, advice},
		{"pages of noise", func(b []byte) []byte {
			for i := 4 * 4096; i < 16*4096; i++ {
				b[i] = byte(i * 7)
			}
			return b
		}, advice},
		// SQLite writes to no file whose header names a write version that it does not know, whoever runs it.
		{"read-only", func(b []byte) []byte { b[18] = 3; return b }, "must be writable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := sound.copyOf(t)
			damaged := tt.damage(readFile(t, p.database()))
			if err := os.WriteFile(p.database(), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			key := readFile(t, filepath.Join(p.dir, "countersign.key"))
			for range 2 { // the first refusal must not change what the second one finds
				p.refuses(t, nil, "database_url: "+p.database()+": ", tt.want)
			}
			if !bytes.Equal(readFile(t, p.database()), damaged) || !bytes.Equal(readFile(t, filepath.Join(p.dir, "countersign.key")), key) {
				t.Error("the refused start has written to the files")
			}
		})
	}
	// The control: the same files undamaged are used, and what was under way goes on.
	p := sound.copyOf(t)
	node := p.node(t)
	waiting.checked = node
	if err := waiting.finish(); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestStartWithoutAPlaceForTheDatabase(t *testing.T) {
	p := newPlace(t, quiet)
	missing := filepath.Join(p.dir, "none", "countersign.db")
	for _, tt := range []struct {
		url  string
		want []string
	}{
		{missing, []string{"environment COUNTERSIGN_DATABASE_URL: database_url: " + missing + ": ", "make it"}},
		{p.dir, []string{"database_url: " + p.dir + ": ", "name a file in it"}},
		{"mysql://u:s3cret@h/x", []string{"database_url: ", "postgres:// address"}},
		{"postgres://u:s3cret@127.0.0.1:1/x", []string{"database_url: ", "cannot be reached"}},
		{p.database() + "?_pragma=max_page_count(20)", []string{"database_url: " + p.database() + ": ", "full; make room"}}, // a full disk
	} {
		p.refuses(t, []string{"COUNTERSIGN_DATABASE_URL=" + tt.url}, tt.want...)
	}
	// A key is made only beside a database that can be used; and once there is room, everything is made.
	if _, err := os.Stat(filepath.Join(p.dir, "countersign.key")); err == nil {
		t.Error("a refused start has made a key")
	}
	node := p.node(t)
	if err := begin(t, node, node, "+14155550123").finish(); err != nil {
		t.Errorf("after the disk was full: %v", err)
	}
}

func TestStartWithAWrongRedis(t *testing.T) {
	p := newPlace(t, quiet)
	evicting := newRedis(t, "--maxmemory-policy", "allkeys-lru").start()
	for url, want := range map[string]string{
		"http://u:s3cret@127.0.0.1:6379":     "expected redis://, rediss:// or unix://",
		"u:s3cret@127.0.0.1:6379":            "expected redis://, rediss:// or unix://",
		"redis://u:s3cret@127.0.0.1:port/0":  "not host:port",
		"redis+other://u:s3cret@127.0.0.1/0": "+sentinel or +cluster",
		"unix://" + evicting.socket():        "set it to noeviction",
	} {
		p.refuses(t, []string{"REDIS_URL=" + url}, "redis_url: ", want)
	}
	node := p.node(t) // the control: without one the same place is fine
	if status, a := node.call("GET", "/readyz", ""); status != http.StatusOK {
		t.Errorf("control: %d %v", status, a)
	}
}

// Settings that only the part that uses them can judge are named with path and line as well.
func TestMistakesOfPartsNameTheirPlace(t *testing.T) {
	p := newPlace(t, "")
	for name, tt := range map[string]struct{ more, want string }{
		"country":             {`    countries: [US, "*", XX]`, `: apps.shop.countries: "XX" is not an ISO 3166-1`},
		"text":                {`    texts: {sms: {login: {en: "no code"}}}`, ": apps.shop.texts.sms.login.en: {{code}} is missing"},
		"text for no channel": {`    texts: {fax: {"*": {en: "{{code}}"}}}`, ": apps.shop.texts.fax.*.en: the channel must be"},
		"fixed code":          {`    test_numbers: {"+14155550100": {code: "1", expires: ` + time.Now().AddDate(0, 0, 9).Format(time.DateOnly) + `}}`, ": apps.shop.test_numbers.+14155550100.code: a fixed code"},
		"route":               {`    routes: {voice: [hook]}`, ": apps.shop.routes.voice: the provider hook does not serve voice; its channels are sms"},
		"no channel":          {`    routes: {fax: [hook]}`, `: apps.shop.routes.fax: "fax" is not a channel`},
		"secret of a face":    {`    faces: {sinch: {key: 0f5c8a52-6d0e-4b8e-9a35-3e0c2f9d7b11, secret: x}}`, ": apps.shop.faces.sinch.secret: "},
		"open face":           {`    faces: {sinch: {key: 0f5c8a52-6d0e-4b8e-9a35-3e0c2f9d7b11, secret: c2hvcC1zZWNyZXQtc2hvcC1zZWNyZXQ=, minimum_auth: public}}`, ": apps.shop.faces.sinch.minimum_auth: public needs a callback_url"},
		"Redis":               {"redis_url: redis://127.0.0.1/99999", ": redis_url: the Redis URL's database must be a number"},
		"Redis' parameter":    {"redis_url: redis://127.0.0.1/?timeout=5s", ": redis_url: the Redis URL has a parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(production, "apps:\n  shop: {region: US}\n", "apps:\n  shop:\n    region: US\n"+tt.more+"\n", 1)
			if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			line := 1 + strings.Count(text[:strings.Index(text, tt.more)], "\n")
			p.refuses(t, nil, fmt.Sprintf("%s:%d%s", p.config, line, tt.want))
		})
	}
}
