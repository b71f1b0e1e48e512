package countersign_test

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign"
	"countersign/phone"
)

func ringOf(t testing.TB, now time.Time, keys ...countersign.Key) *countersign.Keyring {
	t.Helper()
	ring, err := countersign.NewKeyring(keys, now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func fullSet(t testing.TB, id uint16, activates time.Time) []countersign.Key {
	t.Helper()
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, id, activates)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func TestSealedValuesAreBoundToTheirOwner(t *testing.T) {
	ring := ringOf(t, time.Now(), fullSet(t, 1, time.Time{})...)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := ring.Seal("ver_a", plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ring.Open("ver_a", sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open = %v, %v", got, err)
		}
		if _, err := ring.Open("ver_b", sealed); err == nil {
			t.Fatal("a sealed value opens under another owner")
		}
		broken := bytes.Clone(sealed)
		broken[rapid.IntRange(0, len(broken)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := ring.Open("ver_a", broken); err == nil {
			t.Fatal("a changed value opens")
		}
	})
	for _, short := range [][]byte{nil, {0}, {0, 1}, {0, 1, 2, 3}} {
		if _, err := ring.Open("ver_a", short); err == nil {
			t.Errorf("Open(%v) succeeded", short)
		}
	}
}

// A rotation must lose nothing that is under way, on a node that has switched and on one that has not.
func TestRotation(t *testing.T) {
	now := time.Now()
	old := fullSet(t, 1, now.Add(-time.Hour))
	var next []countersign.Key
	for _, k := range fullSet(t, 2, now.Add(time.Minute)) {
		if k.Use != countersign.KeyPhone {
			next = append(next, k)
		}
	}
	both := append(append([]countersign.Key{}, old...), next...)
	before, after := ringOf(t, now, both...), ringOf(t, now.Add(2*time.Minute), both...)

	number, err := phone.FromE164("+12015550123")
	if err != nil {
		t.Fatal(err)
	}
	to := countersign.PhoneAddress(number)
	if before.PhoneHash(to) != after.PhoneHash(to) {
		t.Error("the rotation changed the hash that counts are kept under")
	}
	for name, rings := range map[string][2]*countersign.Keyring{"made before": {before, after}, "made after": {after, before}} {
		maker, reader := rings[0], rings[1]
		code, key := maker.NewCodeFor(subject(1), countersign.Digits, 6)
		if again, err := reader.CodeFor(key, subject(1), countersign.Digits, 6); err != nil || again != code {
			t.Errorf("%s: another code (%v)", name, err)
		}
		tag, found := maker.NewTag("demo", "ver_1", code), false
		guess, err := countersign.ParseGuess(code.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		for _, candidate := range reader.TagsFor("demo", "ver_1", guess) {
			found = found || candidate == tag
		}
		if !found {
			t.Errorf("%s: the right guess has no tag of the maker's key", name)
		}
		sealed, err := maker.Seal("x", []byte("y"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Open("x", sealed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, used := before.NewCodeFor(subject(1), countersign.Digits, 6)
	if used != 1 {
		t.Errorf("a key was used before its time")
	}
}

func TestARingNeedsEveryUse(t *testing.T) {
	now := time.Now()
	keys := fullSet(t, 1, now)
	for i := range keys {
		missing := append(append([]countersign.Key{}, keys[:i]...), keys[i+1:]...)
		if _, err := countersign.NewKeyring(missing, now); err == nil {
			t.Errorf("a ring without a %s key was made", keys[i].Use)
		}
	}
	if _, err := countersign.NewKeyring(fullSet(t, 1, now.Add(time.Hour)), now); err == nil {
		t.Error("a ring of keys that are not active yet was made")
	}
}

// INV-12: two lists of parts never meet in one hash.
func TestHashesAreInjective(t *testing.T) {
	ring := ringOf(t, time.Now(), fullSet(t, 1, time.Time{})...)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 3).Draw(t, "a")
		b := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 3).Draw(t, "b")
		same := len(a) == len(b)
		for i := range min(len(a), len(b)) {
			same = same && a[i] == b[i]
		}
		if (ring.LookupHash("l", a...) == ring.LookupHash("l", b...)) != same {
			t.Fatalf("%q and %q", a, b)
		}
	})
	if ring.LookupHash("a", "b") == ring.LookupHash("ab") || ring.LookupHash("a") == ring.LookupHash("b") {
		t.Error("labels do not tell look-ups apart")
	}
}

func BenchmarkSeal(b *testing.B) {
	ring := ringOf(b, time.Now(), fullSet(b, 1, time.Time{})...)
	plain := bytes.Repeat([]byte("x"), 120)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Seal("ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa", plain); err != nil {
			b.Fatal(err)
		}
	}
}
