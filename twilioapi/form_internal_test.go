package twilioapi

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"countersign"
)

func TestParseForm(t *testing.T) {
	long := strings.Repeat("x", maxValue)
	for text, want := range map[string]string{
		"":                         "",
		"To=%2B12025550101":        "+12025550101",
		"To=+12025550101":          " 12025550101",
		"&&To=a&":                  "a",
		"To=a%3Db":                 "a=b",
		"To":                       "",
		"To=" + long:               long,
		"To=1&Unknown=2&unknown=3": "1",
	} {
		f, err := parseForm(text)
		if err != nil || f["To"] != want {
			t.Errorf("parseForm(%.40q) = %.40q, %v, want %.40q", text, f["To"], err, want)
		}
	}
	for _, text := range []string{
		"To=1&To=2", "To=1&To=1", "To=%zz", "%zz=1", "To=%", "To=%ff", "To=a%00b", "To=" + long + "x", strings.Repeat("n", 65) + "=1",
		strings.Repeat("a=1&", 65), "T%00=1",
	} {
		_, err := parseForm(text)
		if v := (vendorError{}); !errors.As(err, &v) || v.status != 400 || v.code != 60200 || v.message == "" {
			t.Errorf("parseForm(%.40q) = %v, want 60200", text, err)
		}
	}
}

// FuzzForm reads what may be a form. What is taken is within the bounds and reads the same when it is written again.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "To=%2B12025550101&Channel=sms", "To=a&To=b", "RateLimits=%7B%22a%22%3A%22b%22%7D", "PageSize=50", "%", "a=%ff", "=", "&", "a=b=c",
		"RateLimits={\"a\":{}}", "PageSize=-1", "Amount=%E2%82%AC9.99",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseForm(text)
		if err != nil {
			if v := (vendorError{}); !errors.As(err, &v) || v.status != 400 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		values := url.Values{}
		for name, value := range got {
			if !utf8.ValidString(name) || !utf8.ValidString(value) || len(value) > maxValue || strings.ContainsRune(value, 0) {
				t.Fatalf("%q was taken as %q = %q", text, name, value)
			}
			values.Set(name, value)
		}
		again, err := parseForm(values.Encode())
		if err != nil || len(again) != len(got) {
			t.Fatalf("%q: written again it is %v, %v", text, again, err)
		}
		for name, value := range got {
			if again[name] != value {
				t.Fatalf("%q: %q became %q", name, value, again[name])
			}
		}
		for name := range got {
			_, _, _ = got.integer(name, 1, 1000)
			if m, err := got.object(name, 10); err == nil && len(m) > 10 {
				t.Fatalf("%q has %d members", name, len(m))
			}
		}
		if amount, currency, ok := parseAmount(got["Amount"]); ok && (amount == "" || len(currency) != 3) {
			t.Fatalf("%q is %q %q", got["Amount"], amount, currency)
		}
	})
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string][2]string{
		"39.99 EUR": {"39.99", "EUR"}, "EUR 39.99": {"39.99", "EUR"}, "EUR39.99": {"39.99", "EUR"}, "39.99EUR": {"39.99", "EUR"},
		"€39.99": {"39.99", "EUR"}, "39 €": {"39", "EUR"}, "£5": {"5", "GBP"}, "1,000 SEK": {"1,000", "SEK"}, // the engine refuses the comma
	} {
		if amount, currency, ok := parseAmount(text); !ok || amount != want[0] || currency != want[1] {
			t.Errorf("parseAmount(%q) = %q %q %t", text, amount, currency, ok)
		}
	}
	for _, text := range []string{"", "39.99", "$39.99", "39.99 eur", "EUR 39.99 EUR", "EUR", "39.99 EURO", "-39.99", "39.99 " + strings.Repeat(" ", 40) + "EUR"} {
		if amount, currency, ok := parseAmount(text); ok {
			t.Errorf("parseAmount(%q) = %q %q, want a refusal", text, amount, currency)
		}
	}
}

// Every kind of the engine's failures has a row with a status that fits, and none is above 499 but for what is no client's
// doing.
func TestEveryKindHasARow(t *testing.T) {
	for kind, v := range kinds {
		if v.status < 400 || v.code < 20000 {
			t.Errorf("%s: %d/%d", kind, v.status, v.code)
		}
		if v.status >= 500 && kind != countersign.ErrInternal && kind != countersign.ErrUnavailable {
			t.Errorf("%s: %d", kind, v.status)
		}
	}
	secret := errors.New("dial tcp 10.0.0.7: password s3cret")
	for _, err := range []error{secret, errors.Join(secret)} {
		v := translate(err, "/Services")
		if v.status != 500 || v.code != 20500 || strings.Contains(v.message, "s3cret") {
			t.Errorf("a fault of ours comes out as %d/%d %q", v.status, v.code, v.message)
		}
	}
}

var keysMade = time.Unix(0, 0)

func TestSIDs(t *testing.T) {
	key := func(use countersign.KeyUse) countersign.Key {
		k, err := countersign.NewKey(use, 1, keysMade)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ring, err := countersign.NewKeyring([]countersign.Key{key(countersign.KeyCode), key(countersign.KeyTag), key(countersign.KeySeal), key(countersign.KeyPhone)}, keysMade)
	if err != nil {
		t.Fatal(err)
	}
	f := &Face{cfg: Config{Keys: func() *countersign.Keyring { return ring }}}
	var part [14]byte
	for i := range part {
		part[i] = byte(i * 17)
	}
	id, _ := countersign.UnpackID("abc", part)
	ve, vl := f.sidOf("VE", "shop", "VA1", id, 0), f.sidOf("VL", "shop", "VA1", id, 3)
	for sid, prefix := range map[string]string{ve: "VE", vl: "VL"} {
		got, _, n, ok := f.idOf(prefix, "shop", "VA1", sid)
		if !sidForm(prefix, sid) || got != id || !ok || n != map[string]int{"VE": 0, "VL": 3}[prefix] {
			t.Errorf("%s is %s, %d, %t", sid, got, n, ok)
		}
	}
	// Another app's or service's, one made up, and one of another kind is the id of nothing that exists.
	for name, of := range map[string][3]string{"another app": {"VE", "other", "VA1"}, "another service": {"VE", "shop", "VA2"}, "another kind": {"VL", "shop", "VA1"}} {
		sid := of[0] + ve[2:]
		if got, _, _, ok := f.idOf(of[0], of[1], of[2], sid); ok && got == id {
			t.Errorf("%s: %s names the verification", name, sid)
		}
	}
	if sid := f.sidOf("VE", "shop", "VA1", "ver_abc"+strings.Repeat("z", 26), 0); sid != "" {
		t.Errorf("what was not begun on this face has the SID %s", sid)
	}
	for _, sid := range []string{"", "VE", "VE" + strings.Repeat("g", 32), "va" + ve[2:], ve + "0", ve[:33]} {
		if _, _, _, ok := f.idOf("VE", "shop", "VA1", sid); ok {
			t.Errorf("%q was taken", sid)
		}
	}
}
