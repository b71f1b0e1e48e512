package countersign

import (
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"countersign/phone"
)

// The vectors of RFC 6238, appendix B, for SHA-1; their last six digits are what six digits make of them.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		code, err := totpCode(secret, totpStep(time.Unix(at, 0)))
		if err != nil || code != want {
			t.Errorf("at %d: %s, %v, want %s", at, code, err, want)
		}
	}
}

// A code is good in its own half minute, the one before and the one after, and its step is told, so that it is good once.
func TestTOTPWindow(t *testing.T) {
	secret, now := []byte("12345678901234567890"), time.Unix(1234567890, 0)
	for steps := int64(-4); steps <= 4; steps++ {
		code, err := totpCode(secret, totpStep(now)+steps)
		if err != nil {
			t.Fatal(err)
		}
		g, err := parseTOTP(code[:3]+" "+code[3:], "/totp")
		if err != nil {
			t.Fatal(err)
		}
		step, ok, err := matchTOTP(secret, g, now)
		if err != nil || ok != (steps >= -1 && steps <= 1) || ok && step != totpStep(now)+steps {
			t.Errorf("%d steps away: %d, %t, %v", steps, step, ok, err)
		}
	}
}

func TestTOTPURI(t *testing.T) {
	n, err := phone.FromE164("+46701740615")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		to   Address
		want string
	}{
		{"Shop", PhoneAddress(n), "/Shop:*0615"},
		{"A&B: c+d ü", PhoneAddress(n), "/A&B  c+d ü:*0615"},
		{"Shop", Address{}, "/Shop:aaaa"},
	} {
		u, err := url.Parse(totpURI(&App{Name: c.name}, &User{ID: "usr_aaaa", Phone: c.to}, "ABC"))
		if err != nil || u.Path != c.want || u.Query().Get("secret") != "ABC" || u.Query().Get("issuer") != strings.ReplaceAll(c.name, ":", " ") {
			t.Errorf("%q: %v, %v", c.name, u, err)
		}
		if strings.Contains(u.RawQuery, "+") {
			t.Errorf("%q: apps show the plus of %q", c.name, u.RawQuery)
		}
	}
}

// However somebody types a recovery code, it is the same one.
func TestRecoverySpellings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`[a-z2-7]{16}`).Draw(t, "code")
		var typed strings.Builder
		for i := range len(code) {
			c := code[i : i+1]
			if rapid.Bool().Draw(t, "upper") {
				c = strings.ToUpper(c)
			}
			typed.WriteString(rapid.SampledFrom([]string{"", "", "-", " ", " - "}).Draw(t, "between") + c)
		}
		if typed.Len() > maxRecovery {
			return // longer than anybody types
		}
		g, err := parseRecovery(typed.String(), "/recovery_code")
		if err != nil || string(g) != code {
			t.Fatalf("%q is %q, %v, want %q", typed.String(), string(g), err, code)
		}
	})
}

func FuzzFactorCodes(f *testing.F) {
	for _, s := range []string{"", "123456", "123 456", "abcd-efgh-ijkl-mnop", "ABCD EFGH 2345 6723", "１２３４５６", "\x00", strings.Repeat("a", 65), "12345678901234567890"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if g, err := parseTOTP(s, "/totp"); err == nil {
			if again, err := parseTOTP(g.text, "/totp"); err != nil || again != g || len(g.text) != 6 || strings.Trim(g.text, "0123456789") != "" {
				t.Fatalf("%q is %q", s, g.text)
			}
		} else if KindOf(err) != ErrInvalidCode {
			t.Fatal(err)
		}
		if g, err := parseRecovery(s, "/recovery_code"); err == nil {
			if again, err := parseRecovery(string(g), "/recovery_code"); err != nil || again != g || len(g) != recoveryChars {
				t.Fatalf("%q is %q", s, string(g))
			}
		} else if KindOf(err) != ErrInvalidCode {
			t.Fatal(err)
		}
	})
}

// The codes of a set differ, each has a bit of its own, and what is kept of them is none of them.
func TestRecoverySet(t *testing.T) {
	a := &Accounts{hashing: make(chan struct{}, hashingPlaces()), cfg: AccountsConfig{RecoveryMemory: 64}}
	texts, set, err := a.newRecoveryCodes(t.Context())
	if err != nil || len(texts) != RecoveryCodes {
		t.Fatalf("%v, %v", texts, err)
	}
	var all int64
	for i, text := range texts {
		g, err := parseRecovery(text, "")
		if err != nil {
			t.Fatal(err)
		}
		bit, err := a.matchRecovery(t.Context(), set, g)
		if err != nil || bits.OnesCount64(uint64(bit)) != 1 {
			t.Errorf("code %d has %b, %v", i, bit, err)
		}
		all |= bit
		for _, h := range set.Hashes {
			if strings.Contains(hex.EncodeToString(h), hex.EncodeToString([]byte(g))) {
				t.Error("a code is kept as it is")
			}
		}
	}
	if all != 1<<RecoveryCodes-1 {
		t.Errorf("the bits are %b", all)
	}
	if bit, err := a.matchRecovery(t.Context(), set, "aaaaaaaaaaaaaaaa"); err != nil || bit != 0 {
		t.Errorf("a code of no set has %b, %v", bit, err)
	}
}

// Nothing of a factor prints.
func TestFactorsPrintHidden(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXP"
	for _, v := range []any{
		TOTPEnrolment{Secret: secret, URI: "otpauth://" + secret}, &TOTPEnrolment{Secret: secret}, RecoverySet{Codes: []string{secret}}, recoveryGuess(secret),
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, secret) {
				t.Errorf("%s of %T: %s", format, v, s)
			}
		}
	}
}

// A quarter of an hour after five, half an hour after ten, and never more than a day until it is over.
func TestGuessWait(t *testing.T) {
	for failed, want := range map[int]time.Duration{
		0: 0, 1: 0, 4: 0, 5: 15 * time.Minute, 6: 0, 9: 0, 10: 30 * time.Minute, 15: time.Hour, 35: 16 * time.Hour, 40: 24 * time.Hour, 95: 24 * time.Hour,
		99: 0, 100: 30 * 24 * time.Hour, 1000: 30 * 24 * time.Hour,
	} {
		if got := GuessWait(failed); got != want {
			t.Errorf("after %d: %s, want %s", failed, got, want)
		}
	}
}

// What showed a factor counts for a day.
func TestMeansAge(t *testing.T) {
	r := &SessionRecord{AMR: []string{"otp", "sms", "mfa"}, FactorTime: time.Unix(1000, 0)}
	if got := ACR(r.means(r.FactorTime.Add(SessionLifetimeAAL2 - 1))); got != ACRTwo {
		t.Errorf("just before a day: %s", got)
	}
	if got := r.means(r.FactorTime.Add(SessionLifetimeAAL2)); ACR(got) != ACROne || len(got) != 2 || len(r.AMR) != 3 {
		t.Errorf("a day later: %v of %v", got, r.AMR)
	}
}

func BenchmarkRecoveryHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		argon{Time: 1, Memory: RecoveryMemory}.hash("abcdefghijklmnop", []byte("0123456789abcdef"))
	}
}

func BenchmarkTOTPMatch(b *testing.B) {
	g, err := parseTOTP("123456", "")
	if err != nil {
		b.Fatal(err)
	}
	secret := []byte("12345678901234567890")
	for b.Loop() {
		if _, _, err := matchTOTP(secret, g, time.Unix(1234567890, 0)); err != nil {
			b.Fatal(err)
		}
	}
}
