package countersign_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/phone"
)

func TestParseEmail(t *testing.T) {
	for text, want := range map[string]string{
		"ann@example.com":            "ann@example.com",
		"Ann.B+tag@Mail.Example.COM": "ann.b+tag@mail.example.com",
		"o'neil@xn--bcher-kva.de":    "o'neil@xn--bcher-kva.de",
	} {
		a, err := countersign.ParseEmail(text)
		if err != nil || a.Dial() != want {
			t.Errorf("ParseEmail(%q) = %q, %v; want %q", text, a.Dial(), err, want)
		}
	}
	for _, text := range []string{
		"", "@", "a@", "@b.c", "a@b", "a@b..c", "a..b@c.de", ".a@c.de", "a.@c.de", "a b@c.de", "a@c.de\n", "\"a\"@c.de", "a@[127.0.0.1]", "a@127.0.0.1",
		"a@-c.de", "a@c-.de", "ä@c.de", "a@bücher.de", "a@c.de,b@c.de", "<a@c.de>", "a@c.de\r\nBcc: x@y.z", strings.Repeat("a", 65) + "@c.de",
		"a@" + strings.Repeat("b", 64) + ".de", "a@" + strings.Repeat("b.", 126) + "de",
	} {
		if _, err := countersign.ParseEmail(text); countersign.KindOf(err) != countersign.ErrInvalidEmail {
			t.Errorf("ParseEmail(%q): %v, want invalid_email", text, err)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	f.Add("ann@example.com")
	f.Add("a..b@c")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := countersign.ParseEmail(text)
		if err != nil {
			return
		}
		if again, err := countersign.ParseEmail(a.Dial()); err != nil || again != a {
			t.Fatalf("ParseEmail(%q) is not idempotent", text)
		}
		if strings.ContainsAny(a.Dial(), "\r\n\x00 ,<>") {
			t.Fatalf("ParseEmail(%q) let a header or list character through", text)
		}
	})
}

func TestAddressesPrintMasked(t *testing.T) {
	n, err := phone.FromE164("+12015550123")
	if err != nil {
		t.Fatal(err)
	}
	mail, err := countersign.ParseEmail("someone@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []countersign.Address{countersign.PhoneAddress(n), mail} {
		asJSON, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{fmt.Sprint(a), fmt.Sprintf("%+v %#v", a, a), string(asJSON), a.LogValue().String()} {
			if strings.Contains(s, "5550") || strings.Contains(s, "omeone") {
				t.Errorf("an address prints as %s", s)
			}
		}
	}
}

// The hash of a transaction must be the one that anybody computes from RFC 8785.
func TestTransactionHashIsCanonical(t *testing.T) {
	tx := countersign.Transaction{Payee: "ACME \"AB\" é\u2028\t", Amount: "49.90", Currency: "EUR"}
	canonical := "{\"amount\":\"49.90\",\"currency\":\"EUR\",\"payee\":\"ACME \\\"AB\\\" é\u2028\\t\"}"
	want := sha256.Sum256([]byte(canonical))
	if got := tx.Hash(); string(got) != string(want[:]) {
		t.Errorf("the hash is not that of %s", canonical)
	}
	changed := tx
	changed.Amount = "49.9"
	if string(changed.Hash()) == string(tx.Hash()) {
		t.Error("another amount has the same hash")
	}
}

func TestErrorsCarryTheirKind(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("starting: %w", countersign.Unavailable(cause))
	if countersign.KindOf(err) != countersign.ErrUnavailable || !errors.Is(err, countersign.ErrUnavailable) || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if countersign.KindOf(cause) != countersign.ErrInternal {
		t.Error("an unknown error has a kind that can be told")
	}
	if countersign.KindOf(countersign.ErrNotFound) != countersign.ErrNotFound {
		t.Error("a sentinel has no kind")
	}
}

func TestPolicyBounds(t *testing.T) {
	if err := (countersign.Policy{}).WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
	for name, p := range map[string]countersign.Policy{
		"four digits":    {CodeLength: 4},
		"eleven digits":  {CodeLength: 11},
		"eleven minutes": {Lifetime: 11 * time.Minute},
		"a second":       {Lifetime: time.Second},
		"sends":          {MaxSends: 11},
		"alphabet":       {Alphabet: 9},
	} {
		if err := p.WithDefaults().Validate(); err == nil {
			t.Errorf("%s: the policy was taken", name)
		}
	}
}

func TestValidVerificationID(t *testing.T) {
	const good = "ver_0afabcdefghijklmnopqrstuvwxyz"
	if !countersign.ValidVerificationID(good) || countersign.ShardOf(good) != "0af" {
		t.Errorf("%q is not taken", good)
	}
	for _, bad := range []string{"", "ver_", good[:len(good)-1], good + "a", strings.ToUpper(good), "msg_" + good[4:], good[:8] + "1" + good[9:], good[:5] + "g" + good[6:], good[:10] + "}" + good[11:]} {
		if countersign.ValidVerificationID(bad) {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

func TestCooldown(t *testing.T) {
	for n, want := range []time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		if got := countersign.Cooldown(n); got != want {
			t.Errorf("Cooldown(%d) = %s, want %s", n, got, want)
		}
	}
}
