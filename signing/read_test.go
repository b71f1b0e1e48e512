package signing_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"countersign/signing"
)

// A token of many dots costs nothing (the class of CVE-2025-30204): it is refused by its length.
func TestReadHugeToken(t *testing.T) {
	r := newRing(t)
	token := strings.Repeat(".", 1_000_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, ok := r.Read("at+jwt", token); ok {
		t.Error("it is taken")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d bytes were allocated", n)
	}
	var parts []string
	runtime.ReadMemStats(&before)
	parts = strings.Split(token, ".")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n < 64<<10 || len(parts) == 0 {
		t.Errorf("control: splitting it first allocates %d bytes", n)
	}
}

func newRing(t testing.TB) *signing.Ring {
	t.Helper()
	k, err := signing.NewKey(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	r, err := signing.NewRing([]signing.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is signed here is read here, with its own typ and no other, also by a key that was retired a moment ago.
func TestReadsWhatItSigned(t *testing.T) {
	old, err := signing.NewKey(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := signing.NewKey(time.Unix(100, 0))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing([]signing.Key{old, fresh})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{50, 150} {
		token, err := signing.Signer{Ring: ring, Now: func() time.Time { return time.Unix(at, 0) }}.Sign("at+jwt", []byte(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if claims, ok := ring.Read("at+jwt", token); !ok || string(claims) != `{"a":1}` {
			t.Errorf("at %d: %s, %t", at, claims, ok)
		}
		for _, typ := range []string{"proof+jwt", "JWT", "", "AT+JWT"} {
			if _, ok := ring.Read(typ, token); ok {
				t.Errorf("it is read as %q", typ)
			}
		}
		if err := ring.Replace([]signing.Key{fresh}); err != nil {
			t.Fatal(err)
		}
		if _, ok := ring.Read("at+jwt", token); ok == (at == 50) {
			t.Errorf("at %d, after its key is published no more: %t", at, ok)
		}
		if err := ring.Replace([]signing.Key{old, fresh}); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	r := newRing(f)
	good, err := signing.Signer{Ring: r, Now: time.Now}.Sign("at+jwt", []byte(`{}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "", "..", "a.b.c", "a.b.c.d.e", good + "=", strings.Repeat(".", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, ok := r.Read("at+jwt", token); ok && token != good && !strings.HasPrefix(token, good[:strings.LastIndexByte(good, '.')+1]) {
			t.Errorf("forged: %q", token)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r := newRing(b)
	token, err := signing.Signer{Ring: r, Now: time.Now}.Sign("at+jwt", []byte(`{"iss":"x","sub":"usr_1"}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Read("at+jwt", token); !ok {
			b.Fatal("refused")
		}
	}
}
