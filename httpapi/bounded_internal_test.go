package httpapi

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"countersign"
	pow "countersign/challenge"
	"countersign/config"
	"countersign/guard"
	"countersign/message"
	"countersign/phone"
	"countersign/provider/webhook"
	"countersign/signing"
	"countersign/sinchauth"
)

// What a reader of foreign text may take for at most 64 KiB of it (INV-19). The race detector makes Go five to ten times
// slower, so time is the least of several runs, and a machine that does much else gets no second chance to be slow.
const (
	longest      = 64 << 10
	readersTime  = 5 * time.Millisecond
	readersSpace = 64 << 10
	// YAML is an operator's own file and not a stranger's: it is read once, into a tree.
	filesTime  = 2 * time.Second
	filesSpace = 256 << 20
)

// INV-19: whatever a stranger can send is read without a panic, in bounded time and space. The fuzz targets look for panics;
// here are the longest and most nested texts. The control reads as one must not, and is found.
func TestReadersAreBounded(t *testing.T) {
	hostile := hostileTexts()
	for name, read := range strangersReaders(t) {
		if wrong := overBounds(read, hostile, readersTime, readersSpace); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	}
	for name, read := range map[string]func(text string){
		"configuration": func(text string) { _, _ = config.Load(config.Source{Name: "c.yaml", File: []byte(text)}) },
		"policy file":   func(text string) { _, _ = guard.ParseFile("p.yaml", []byte(text)) },
	} {
		if wrong := overBounds(read, hostile, filesTime, filesSpace); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	}
	for name, naive := range map[string]func(text string){
		"slow": func(text string) {
			for i := range text {
				sink += strings.Count(text[:i], "(")
			}
		},
		"greedy": func(text string) { sink += len(strings.Split(text, "")) },
		"broken": func(text string) { sink += int(text[100]) },
	} {
		if overBounds(naive, hostile, readersTime, readersSpace) == "" {
			t.Errorf("control: a reader that is %s was not found, so this test proves nothing", name)
		}
	}
}

var sink int

// hostileTexts are long and nested in the ways of each format, empty, broken and random.
func hostileTexts() []string {
	list := []string{"", "\x00", "\xff\xfe"}
	for _, unit := range []string{
		"(", "+", "1", " ", "-", ".", ",", "=", "&", "%", "[", "{\"a\":", "\"", "\\", "{{", "}}", "{{code}}", "a: ", "- ", "\n", "&a *a ", "\xff", "é", "\u202e",
		"127.0.0.1, ", "fe80::1%eth0,", "Application ", "v1,AAAA ", "eyJhbGciOiJFUzI1NiJ9.", "ver_000", "dev_AAAA",
	} {
		list = append(list, strings.Repeat(unit, longest/len(unit)))
	}
	for _, start := range []string{`{"to":"+14155550123","x":`, "+1415555", "Application dec0de00:", "mode: sandbox\n", "dev_"} {
		list = append(list, start+strings.Repeat("9", longest-len(start)), start+strings.Repeat("[", longest-len(start)))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		b := make([]byte, longest)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		list = append(list, string(b))
	}
	return list
}

// overBounds says which text broke a reader, and how; "" for none.
func overBounds(read func(text string), texts []string, most time.Duration, space uint64) (wrong string) {
	for _, text := range texts {
		shown := text[:min(20, len(text))]
		least, used := time.Duration(1<<62), uint64(1<<62)
		for run := 0; run < 10 && (least > most || used > space); run++ { // the machine and the runtime have things to do as well
			took, allocated, panicked := measured(read, text)
			if panicked != nil {
				return fmt.Sprintf("%q… of %d bytes: panic: %v", shown, len(text), panicked)
			}
			least, used = min(least, took), min(used, allocated)
		}
		if least > most || used > space {
			return fmt.Sprintf("%q… of %d bytes took %s and %d bytes", shown, len(text), least, used)
		}
	}
	return ""
}

func measured(read func(text string), text string) (took time.Duration, allocated uint64, panicked any) {
	defer func() { panicked = recover() }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	read(text)
	took = time.Since(began)
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc, nil
}

// strangersReaders are what reads text from outside before anybody is known to have sent it.
func strangersReaders(t *testing.T) map[string]func(text string) {
	t.Helper()
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	now := time.Now()
	ring, err := countersign.NewKeyring(keys, now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey(time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := signing.NewRing([]signing.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	signed := &sinchauth.Verifier{Lookup: func(string) (sinchauth.Secret, bool) { return sinchauth.Secret{}, false }, Now: time.Now}
	return map[string]func(text string){
		"phone":  func(text string) { _, _ = phone.Parse(text, "US") },
		"code":   func(text string) { _, _ = countersign.ParseGuess(text) },
		"e-mail": func(text string) { _, _ = countersign.ParseEmail(text) },
		"JSON": func(text string) { // a longer body is refused before it is read
			var in startBody
			_ = decodeJSON([]byte(text[:min(len(text), maxBody)]), &in)
		},
		"cursor": func(text string) { decodeCursor(text) },
		"client": func(text string) {
			trusted.client(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {text}}})
		},
		"JWT":    func(text string) { proofs.Read("at+jwt", text) },
		"device": func(text string) { _, _ = countersign.ReadDeviceToken(ring, "demo", text, now) },
		"challenge": func(text string) {
			_, _ = pow.Challenger{}.Verify(&countersign.ChallengeSubject{App: "demo", Hash: ring.LookupHash}, text, now)
		},
		"origin line": func(text string) { message.ParseOriginBound(text) },
		"Sinch signature": func(text string) {
			r := httptest.NewRequest("POST", "/verification/v1/verifications", nil)
			r.Header["Authorization"], r.Header["X-Timestamp"] = []string{text}, []string{text}
			_, _ = signed.Verify(r, nil)
		},
		"webhook signature": func(text string) {
			r := httptest.NewRequest("POST", "/", bytes.NewReader(nil))
			r.Header[webhook.HeaderSignature], r.Header[webhook.HeaderID], r.Header[webhook.HeaderTimestamp] = []string{text}, []string{"id"}, []string{"1614265330"}
			_, _ = webhook.Verify(r.Header, nil, now)
		},
	}
}
