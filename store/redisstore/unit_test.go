package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign"
	"countersign/store/storetest"
)

// urls are what parseTarget reads, and what it makes of it; "" is an error.
func urls() map[string]string {
	return map[string]string{
		"redis://localhost":                                   "0 tcp [localhost:6379] /0 : tls=false",
		"redis://10.0.0.1:7000/3":                             "0 tcp [10.0.0.1:7000] /3 : tls=false",
		"rediss://me:p%40ss@r.example.com":                    "0 tcp [r.example.com:6379] /0 me:p@ss tls=true",
		"redis://:a:b@h/1":                                    "0 tcp [h:6379] /1 :a:b tls=false",
		"redis://[::1]:6380":                                  "0 tcp [[::1]:6380] /0 : tls=false",
		"redis://[::1]":                                       "0 tcp [[::1]:6379] /0 : tls=false",
		"unix:///run/redis.sock?db=2":                         "0 unix [/run/redis.sock] /2 : tls=false",
		"unix://me:pw@/run/redis.sock":                        "0 unix [/run/redis.sock] /0 me:pw tls=false",
		"redis+sentinel://a:1,b:2/mine/4?sentinel_password=s": "1 tcp [a:1 b:2] mine/4 : tls=false",
		"rediss+sentinel://u:p@a/mine":                        "1 tcp [a:26379] mine/0 u:p tls=true",
		"redis+cluster://a:1,b:2":                             "2 tcp [a:1 b:2] /0 : tls=false",
		"redis://a,b:2,c":                                     "2 tcp [a:6379 b:2 c:6379] /0 : tls=false",
		"redis+cluster://a/0":                                 "2 tcp [a:6379] /0 : tls=false",
		"redis+cluster://a/1":                                 "",
		"redis+sentinel://a:1":                                "",
		"redis://":                                            "",
		"redis://a:0":                                         "",
		"redis://a:66000":                                     "",
		"redis://a:b:c":                                       "",
		"redis://a,,b":                                        "",
		"redis://a/x":                                         "",
		"redis://a/-1":                                        "",
		"redis://secret@a":                                    "",
		"redis://u:%zzsecret@a":                               "",
		"redis://a?%zz":                                       "",
		"redis://a?db=1":                                      "",
		"redis://a?timeout=s3cret":                            "",
		"unix:///s?db=66000":                                  "",
		"unix://":                                             "",
		"unix+cluster:///a":                                   "",
		"redis+ring://secret:secret@a":                        "",
		"http://secret:secret@a":                              "",
		"localhost:6379":                                      "",
		"":                                                    "",
	}
}

func TestParseTarget(t *testing.T) {
	for text, want := range urls() {
		got, err := parseTarget(text)
		if err != nil {
			if want != "" {
				t.Errorf("%q: %v", text, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: the error holds the password: %v", text, err)
			}
			continue
		}
		is := fmt.Sprintf("%d %s %v %s/%d %s:%s tls=%v", got.topology, got.network, got.addrs, got.master, got.db, got.user, got.password, got.tls != nil)
		if is != want {
			t.Errorf("%q gives %q, want %q", text, is, want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for text := range urls() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTarget(text)
		if err == nil && (len(got.addrs) == 0 || slices.Contains(got.addrs, "") || got.db < 0) {
			t.Errorf("%q gives %+v", text, got)
		}
	})
}

func TestPackRecord(t *testing.T) {
	b := storetest.NewBegin(mustRing(t), app, storetest.NewPhone(), code)
	r := b.Record
	r.TxnHash, r.RefHash, r.Test, r.Country = []byte(strings.Repeat("t", 32)), countersign.Hash{3}, true, "DE"
	r.Sealed, r.Hosted, r.HostedRef, r.HostedScope = make([]byte, 70_000), "vendor", strings.Repeat("r", 300), countersign.Hash{5}
	r.Checks, r.Sends = 0, 0
	got, err := unpackRecord(shardNumber(r.ID), packRecord(r))
	if err != nil {
		t.Fatal(err)
	}
	want := *r
	want.Status, want.Created, want.Expires, want.Lease = countersign.StatusPending, time.Time{}, time.Time{}, time.Time{}
	if diff := cmp.Diff(want, got.Record); diff != "" {
		t.Error(diff)
	}
}

func TestNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<53 - 1, -1, -33, -1 << 40} {
		u := &unpacker{rest: string(appendInt(nil, v))}
		if got := u.number(); got != v || u.finish() != nil {
			t.Errorf("%d comes back as %d, %v", v, got, u.err)
		}
	}
	for _, n := range []int{0, 15, 16, 300} {
		u := &unpacker{rest: string(appendArray(nil, n))}
		if got := u.array(); got != n {
			t.Errorf("an array of %d comes back as one of %d", n, got)
		}
	}
}

// What Redis packs, this package reads: the same values from its own packer.
func TestNumbersOfRedis(t *testing.T) {
	server := startRedis(t)
	for text, want := range map[string]int64{
		"0": 0, "127": 127, "128": 128, "255": 255, "65535": 65535, "70000": 70000, "4294967296": 1 << 32,
		"1790000000000": 1_790_000_000_000, "-1": -1, "-32": -32, "-33": -33, "-200": -200, "-40000": -40000, "-3000000000": -3_000_000_000,
	} {
		u := &unpacker{rest: server.do("EVAL", "return cmsgpack.pack("+text+")", "0")}
		if got := u.number(); got != want || u.finish() != nil {
			t.Errorf("%s comes back as %d, %v", text, got, u.err)
		}
	}
}

func FuzzUnpackRecord(f *testing.F) {
	ring, err := storetest.NewKeyring()
	if err != nil {
		f.Fatal(err)
	}
	whole := packRecord(storetest.NewBegin(ring, app, storetest.NewPhone(), code).Record)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add("")
	f.Add("\xdd\xff\xff\xff\xff")
	f.Add("\xdc\x00\x20\xdb\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := unpackRecord(1, raw)
		if err == nil {
			if _, ok := countersign.ParseStatus(string(r.Status)); !ok {
				t.Errorf("read a record with the status %q", r.Status)
			}
		}
		if err != nil && !errors.Is(err, errPacked) {
			t.Errorf("the error is %v", err)
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add("# Server\r\nrun_id:abc\r\nrole:master\r\nloading:0\r\nsecond_repl_offset:-1\r\nmaxmemory_policy:noeviction\r\n")
	f.Add("run_id")
	f.Add(":\r\n::")
	f.Fuzz(func(t *testing.T, text string) {
		if i := parseInfo(text); strings.ContainsAny(i.runID+i.policy, "\n") {
			t.Errorf("%q gives %+v", text, i)
		}
	})
}

// The script's rule for the shape of a guess is the engine's, for every shape, length and alphabet.
func TestShapesAgree(t *testing.T) {
	server := startRedis(t)
	prelude, err := newFiller().part("shape")
	if err != nil {
		t.Fatal(err)
	}
	text := prelude + `
local out = ''
for shape = 0, 15 do for n = 0, 17 do for alphabet = 1, 3 do for length = 6, 10 do
  local r = {}
  for i = 1, 40 do r[i] = '' end
  r[` + fmt.Sprint(recAlphabet+1) + `], r[` + fmt.Sprint(recLength+1) + `] = alphabet, length
  out = out .. (fits(r, shape, n) and '1' or '0')
end end end end
return out`
	answers, i := server.do("EVAL", text, "0"), 0
	for shape := range 16 {
		for n := range 18 {
			for alphabet := 1; alphabet <= 3; alphabet++ {
				for length := 6; length <= 10; length++ {
					want := countersign.FitsShape(countersign.Shape(shape), n, countersign.Alphabet(alphabet), length)
					if got := answers[i] == '1'; got != want {
						t.Fatalf("shape %d, %d characters, alphabet %d, length %d: the script says %v", shape, n, alphabet, length, got)
					}
					i++
				}
			}
		}
	}
	if i != len(answers) {
		t.Errorf("%d answers, %d cases", len(answers), i)
	}
}

// Every word in capitals of the scripts has a value, no two names of fields share one, and the lists are complete.
func TestConstants(t *testing.T) {
	if n := len(recordWords()); n != recFields {
		t.Errorf("the record has %d fields and %d names", recFields, n)
	}
	if _, err := loadScripts(); err != nil {
		t.Error(err)
	}
	files, err := sources.ReadDir("lua")
	if err != nil || len(files) == 0 {
		t.Fatal("the scripts are not there", err)
	}
	f := newFiller()
	f.values = map[string]int64{}
	if _, err := f.part("lib"); err == nil {
		t.Error("a word without a value is not found")
	}
}

// A password, a database other than 0, and a socket.
func TestWaysIn(t *testing.T) {
	server := startRedis(t, "--requirepass", "p@ss word")
	for _, url := range []string{
		fmt.Sprintf("redis://:p%%40ss%%20word@%s/5", server.addr()),
		fmt.Sprintf("redis://default:p%%40ss%%20word@%s/5", server.addr()),
		fmt.Sprintf("unix://:p%%40ss%%20word@%s?db=5", server.socket()),
	} {
		mirror := &memoryMirror{locks: map[countersign.Hash]PhoneLock{}}
		phone := storetest.NewPhone()
		mirror.locks[phone] = PhoneLock{Phone: phone, Streak: countersign.MaxPhoneStreak, Until: time.Now().Add(time.Hour)}
		s := open(t, Options{URL: url, Timeout: patient, Mirror: mirror})
		begin(t, s).must(code, countersign.OutcomeApproved)
		if !locked(t, s, phone) {
			t.Errorf("%s: the mirrored lock is not there", strings.Replace(url, "p%40ss%20word", "…", 1))
		}
	}
	for _, url := range []string{"redis://" + server.addr(), fmt.Sprintf("redis://:wrong@%s", server.addr())} {
		_, err := Open(t.Context(), Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "wrong@") {
			t.Errorf("without the right password Open says %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(server.dir, "s")); err != nil {
		t.Error(err)
	}
}

func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Hour
	for range breakAfter - 1 {
		b.failed(now)
	}
	if !b.allow(now) {
		t.Error("open too early")
	}
	b.failed(now)
	if b.allow(now) || b.allow(now+breakFor-time.Millisecond) {
		t.Error("not open")
	}
	later := now + 2*breakFor
	for i := range 3 {
		if let := b.allow(later); let != (i == 0) {
			t.Errorf("move %d is let through: %v; only the first is, to see", i, let)
		}
	}
	b.succeeded()
	for range 3 {
		if !b.allow(later) {
			t.Error("not closed again")
		}
	}
}

func TestUnreachableServersAreExplained(t *testing.T) {
	at := &target{network: "tcp", addrs: []string{"redis.example:6379"}}
	for _, c := range []struct {
		of   *target
		err  error
		want string
	}{
		{at, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "nothing listens at redis.example:6379"},
		{&target{topology: sentinel, addrs: at.addrs}, syscall.ECONNREFUSED, "start Redis or a sentinel there"},
		{&target{network: "unix", addrs: []string{"/s"}}, syscall.ENOENT, "there is no socket /s"},
		{&target{network: "unix", addrs: []string{"/s"}}, syscall.EACCES, "/s may not be opened by this user"},
		{at, &net.DNSError{Name: "redis.example", IsNotFound: true}, "DNS does not know redis.example"},
		{at, refusal("WRONGPASS invalid username-password pair"), "does not take the user and password"},
		{at, refusal("NOPERM this user has no permissions"), "lacks rights"},
		{at, context.DeadlineExceeded, "did not answer in time"},
		{at, refusal("ERR something else"), "ERR something else"},
	} {
		got := c.of.explain(c.err)
		if !strings.Contains(got.Error(), c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v is explained as %v, want %q", c.err, got, c.want)
		}
	}
}
