package countersign_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"countersign"
)

func testRing(t testing.TB) *countersign.Keyring {
	t.Helper()
	var keys []countersign.Key
	for i, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		secret := make([]byte, countersign.KeySize)
		for j := range secret {
			secret[j] = byte(i*64 + j)
		}
		keys = append(keys, countersign.Key{Use: use, ID: 1, Secret: secret})
	}
	ring, err := countersign.NewKeyring(keys, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func subject(i int) countersign.CodeSubject {
	return countersign.CodeSubject{
		App: "demo", ID: fmt.Sprintf("ver_%d", i), Phone: "+12015550123", Purpose: countersign.PurposeLogin,
		Nonce: []byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)},
	}
}

// chiSquareLimit is a bound that a fair draw passes with probability above 0.999 (Wilson and Hilferty's
// approximation of the 0.999 quantile).
func chiSquareLimit(degrees int) float64 {
	k := float64(degrees)
	return k * math.Pow(1-2/(9*k)+3.090*math.Sqrt(2/(9*k)), 3)
}

func chiSquare(counts []int, total int) float64 {
	expected := float64(total) / float64(len(counts))
	sum := 0.0
	for _, c := range counts {
		d := float64(c) - expected
		sum += d * d / expected
	}
	return sum
}

// INV-16: codes are uniform over 000000 to 999999, leading zeros kept. The control draws as many do, by a byte
// modulo ten, and must be found out.
func TestCodesAreUniform(t *testing.T) {
	ring := testRing(t)
	const draws = 1_000_000
	draw := func(code func(i int) string) (digits, pairs float64, zeros int) {
		var digit [6][10]int
		pair := make([]int, 100)
		for i := range draws {
			text := code(i)
			if text[0] == '0' {
				zeros++
			}
			for at, c := range text {
				digit[at][c-'0']++
			}
			pair[int(text[2]-'0')*10+int(text[3]-'0')]++
		}
		for at := range digit {
			digits = max(digits, chiSquare(digit[at][:], draws))
		}
		return digits, chiSquare(pair, draws), zeros
	}

	digits, pairs, zeros := draw(func(i int) string {
		c, _ := ring.NewCodeFor(subject(i), countersign.Digits, 6)
		if len(c.Reveal()) != 6 {
			t.Fatalf("a code of %d characters", len(c.Reveal()))
		}
		return c.Reveal()
	})
	// The largest of six, so the quantile is a little generous; the draw is fixed, so the test is not a lottery.
	if limit := chiSquareLimit(9); digits > limit {
		t.Errorf("digits: chi-square %.1f, limit %.1f", digits, limit)
	}
	if limit := chiSquareLimit(99); pairs > limit {
		t.Errorf("pairs: chi-square %.1f, limit %.1f", pairs, limit)
	}
	if share := float64(zeros) / draws; math.Abs(share-0.1) > 0.001 {
		t.Errorf("%.4f of the codes begin with 0, want 0.1 ± 0.001", share)
	}

	state := uint64(1)
	naive, _, _ := draw(func(int) string {
		var b [6]byte
		for i := range b {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			b[i] = '0' + byte(state>>32)%10
		}
		return string(b[:])
	})
	if limit := chiSquareLimit(9); naive < limit {
		t.Errorf("control: a byte modulo ten passes as uniform, chi-square %.1f", naive)
	}
}

// INV-17: a code is bound to app, id, phone, purpose, transaction and nonce, and its tag to app and id.
func TestCodesAreBoundToTheirSubject(t *testing.T) {
	ring := testRing(t)
	const length = countersign.MaxCodeLength
	base := subject(1)
	code, _ := ring.NewCodeFor(base, countersign.Digits, length)
	again, err := ring.CodeFor(1, base, countersign.Digits, length)
	if err != nil || again != code {
		t.Fatalf("the same subject gave another code (%v)", err)
	}
	for name, change := range map[string]func(*countersign.CodeSubject){
		"app":         func(s *countersign.CodeSubject) { s.App = "other" },
		"id":          func(s *countersign.CodeSubject) { s.ID = "ver_2" },
		"phone":       func(s *countersign.CodeSubject) { s.Phone = "+12015550124" },
		"purpose":     func(s *countersign.CodeSubject) { s.Purpose = countersign.PurposeStepUp },
		"transaction": func(s *countersign.CodeSubject) { s.TxnHash = []byte("x") },
		"nonce":       func(s *countersign.CodeSubject) { s.Nonce = []byte("x") },
		"joint":       func(s *countersign.CodeSubject) { s.App, s.ID = s.App+s.ID[:1], s.ID[1:] },
	} {
		other := base
		change(&other)
		if c, _ := ring.NewCodeFor(other, countersign.Digits, length); c == code {
			t.Errorf("another %s gives the same code", name)
		}
	}
	tag := ring.NewTag("demo", "ver_1", code)
	guess, err := countersign.ParseGuess(code.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if got := ring.TagsFor("demo", "ver_1", guess); got[0] != tag {
		t.Error("the right guess has another tag")
	}
	for _, other := range [][2]string{{"other", "ver_1"}, {"demo", "ver_2"}, {"demov", "er_1"}} {
		if got := ring.TagsFor(other[0], other[1], guess); got[0] == tag {
			t.Errorf("the tag is not bound to app and id: %q", other)
		}
	}
}

func TestAlphabets(t *testing.T) {
	ring := testRing(t)
	for _, a := range []countersign.Alphabet{countersign.Digits, countersign.Letters, countersign.Alphanumeric} {
		for i := range 500 {
			c, _ := ring.NewCodeFor(subject(i), a, 8)
			g, err := countersign.ParseGuess(strings.ToLower(c.Reveal()[:4]) + "-" + c.Reveal()[4:])
			if err != nil || g.Reveal() != c.Reveal() || !g.Fits(a, 8) {
				t.Fatalf("alphabet %d: a code of its own does not fit (%v)", a, err)
			}
			if strings.ContainsAny(c.Reveal(), "O0I1L") && a != countersign.Digits {
				t.Fatalf("alphabet %d: %q holds a character that is taken for another", a, c.Reveal())
			}
		}
	}
}

func TestParseGuess(t *testing.T) {
	tests := []struct {
		text, want string
		shape      countersign.Shape
	}{
		{"123456", "123456", countersign.ShapeDigits},
		{" 123-456 ", "123456", countersign.ShapeDigits},
		{"000000", "000000", countersign.ShapeDigits},
		{"abcDEF", "ABCDEF", countersign.ShapeLetters},
		{"a2c4e6", "A2C4E6", countersign.ShapeMixed},
		{"+12015550123", "+12015550123", countersign.ShapeCaller},
	}
	for _, tt := range tests {
		g, err := countersign.ParseGuess(tt.text)
		if err != nil || g.Reveal() != tt.want || g.Shape() != tt.shape {
			t.Errorf("ParseGuess(%q) = %q %d, %v; want %q %d", tt.text, g.Reveal(), g.Shape(), err, tt.want, tt.shape)
		}
	}
	for _, text := range []string{"", " ", "---", "+", "+a", "12+34", "１２３４５６", "123456\n", "12345678901234567", "12,34", "123\x00456", "*", "%", "1_2"} {
		if g, err := countersign.ParseGuess(text); countersign.KindOf(err) != countersign.ErrInvalidCode {
			t.Errorf("ParseGuess(%q) = %q, %v; want invalid_code", text, g.Reveal(), err)
		}
	}
}

func FuzzParseGuess(f *testing.F) {
	for _, s := range []string{"123456", " 12-34 56", "+1201", "abc", "１２"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := countersign.ParseGuess(text)
		if err != nil {
			return
		}
		again, err := countersign.ParseGuess(g.Reveal())
		if err != nil || again != g {
			t.Fatalf("ParseGuess(%q) is not idempotent", text)
		}
	})
}

// INV-9, at its root: whatever prints these types prints no secret.
func TestSecretsDoNotPrint(t *testing.T) {
	code := countersign.NewCode("493817")
	guess, err := countersign.ParseGuess("493817")
	if err != nil {
		t.Fatal(err)
	}
	key, err := countersign.NewKey(countersign.KeyCode, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	values := []any{code, &code, guess, struct{ C countersign.Code }{code}, []countersign.Guess{guess}, map[string]any{"c": code}}
	for _, v := range values {
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v %s %q", v, v, v, v), string(asJSON), code.LogValue().String(), guess.LogValue().String()} {
			if strings.Contains(s, "493817") {
				t.Errorf("%T prints its secret: %s", v, s)
			}
		}
	}
	for _, s := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v", key, key), key.LogValue().String()} {
		if strings.Contains(s, string(key.Secret)) || strings.Contains(s, fmt.Sprint(key.Secret)) || strings.Contains(s, fmt.Sprintf("%x", key.Secret[:4])) {
			t.Errorf("a key prints its secret: %s", s)
		}
	}
}

func BenchmarkNewCode(b *testing.B) {
	ring := testRing(b)
	s := subject(1)
	b.ReportAllocs()
	for b.Loop() {
		ring.NewCodeFor(s, countersign.Digits, 6)
	}
}

func BenchmarkTagsFor(b *testing.B) {
	ring := testRing(b)
	g, err := countersign.ParseGuess("123456")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ring.TagsFor("demo", "ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa", g)
	}
}
