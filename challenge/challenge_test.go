package challenge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/challenge"
)

var (
	now     = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	checker = challenge.Challenger{Base: easy}
)

// easy is the base of these tests: a puzzle takes no time.
const easy = 300

// keyed is a keyed hash as the ring's is.
func keyed(key string) func(label string, parts ...string) countersign.Hash {
	return func(label string, parts ...string) countersign.Hash {
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%q%q", label, parts)
		return countersign.Hash(mac.Sum(nil)[:countersign.HashSize])
	}
}

func subject() *countersign.ChallengeSubject {
	return &countersign.ChallengeSubject{
		App: "demo", Action: countersign.ActionStart, Phone: countersign.Hash{1}, Purpose: countersign.PurposeLogin,
		Network: netip.MustParsePrefix("203.0.113.0/24"), Hash: keyed("a"),
	}
}

func issue(t testing.TB, s *countersign.ChallengeSubject, difficulty int) (*countersign.Challenge, string) {
	t.Helper()
	c, err := checker.Issue(s, difficulty, now)
	if err != nil {
		t.Fatal(err)
	}
	response, ok := challenge.Solve(c)
	if !ok {
		t.Fatalf("no number up to %d solves it", c.MaxNumber)
	}
	return c, response
}

// worth is the difficulty that a response is good for.
func worth(t testing.TB, s *countersign.ChallengeSubject, response string, at time.Time) int {
	t.Helper()
	got, err := checker.Verify(s, response, at)
	if err != nil {
		t.Fatal(err)
	}
	if (got.Difficulty == 0) != got.Once.Key.IsZero() {
		t.Errorf("worth %d, and once by %v", got.Difficulty, got.Once)
	}
	return got.Difficulty
}

// rewrite changes a response's members.
func rewrite(t testing.TB, response string, change func(m map[string]any)) string {
	t.Helper()
	plain, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(plain)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if plain, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(plain)
}

func TestASolutionIsWorthItsDifficulty(t *testing.T) {
	c, response := issue(t, subject(), 2)
	if c.Algorithm != "SHA-256" || c.MaxNumber != 4*easy || len(c.Challenge) != 64 || len(c.Salt) > 48 {
		t.Errorf("issued %+v", c)
	}
	if got := worth(t, subject(), response, now); got != 2 {
		t.Errorf("worth %d, want 2", got)
	}
	if got := worth(t, subject(), strings.TrimRight(response, "="), now.Add(challenge.Lifetime-time.Second)); got != 2 {
		t.Errorf("unpadded, a second before its end: worth %d", got)
	}
	took := rewrite(t, response, func(m map[string]any) { m["took"] = 41 })
	if got := worth(t, subject(), took, now); got != 2 {
		t.Errorf("with a member of the solver's own: worth %d", got)
	}
	for difficulty, want := range map[int]int{-1: easy, 0: easy, 1: easy, 2: 4 * easy, 4: 64 * easy, 5: 64 * easy, 1 << 40: 64 * easy} {
		if c, _ := issue(t, subject(), difficulty); c.MaxNumber != want {
			t.Errorf("difficulty %d asks for %d", difficulty, c.MaxNumber)
		}
	}
	if c, err := (challenge.Challenger{}).Issue(subject(), 4, now); err != nil || c.MaxNumber != 64*challenge.Base || len(c.Salt)+len(strconv.Itoa(c.MaxNumber)) > 55 {
		t.Errorf("the hardest is %+v, %v: it must fill one block of SHA-256 at most", c, err)
	}
}

// attacks are responses that must be worth nothing: each gets a solved challenge and what it was made for, and returns
// what is sent, for what and when.
var attacks = map[string]func(t *testing.T, c *countersign.Challenge, response string) (string, *countersign.ChallengeSubject, time.Time){
	"other phone":   other(func(s *countersign.ChallengeSubject) { s.Phone[0]++ }),
	"other app":     other(func(s *countersign.ChallengeSubject) { s.App = "shop" }),
	"other purpose": other(func(s *countersign.ChallengeSubject) { s.Purpose = countersign.PurposeSignup }),
	"other action":  other(func(s *countersign.ChallengeSubject) { s.Action = countersign.ActionSend }),
	"other network": other(func(s *countersign.ChallengeSubject) { s.Network = netip.MustParsePrefix("203.0.112.0/24") }),
	"no network":    other(func(s *countersign.ChallengeSubject) { s.Network = netip.Prefix{} }),
	"other key":     other(func(s *countersign.ChallengeSubject) { s.Hash = keyed("b") }),
	"expired": func(_ *testing.T, _ *countersign.Challenge, r string) (string, *countersign.ChallengeSubject, time.Time) {
		return r, subject(), now.Add(challenge.Lifetime)
	},
	"longer life": forged(func(m map[string]any, c *countersign.Challenge) {
		m["salt"] = strings.Replace(c.Salt, "expires=1", "expires=9", 1)
	}),
	"harder than it was": forged(func(m map[string]any, c *countersign.Challenge) {
		m["salt"] = strings.Replace(c.Salt, "level=1", "level=3", 1)
	}),
	"digits of the number moved into the salt": forged(func(m map[string]any, c *countersign.Challenge) {
		n := m["number"].(json.Number).String()
		m["salt"], m["number"] = c.Salt+n[:1], json.Number("0"+n[1:]+"1")
		if n[1:] != "" && n[1] != '0' {
			m["number"] = json.Number(n[1:])
		} else {
			m["number"] = json.Number("0")
		}
	}),
	"unsolved": forged(func(m map[string]any, _ *countersign.Challenge) {
		n, _ := m["number"].(json.Number).Int64()
		m["number"] = (n + 1) % easy
	}),
	"own puzzle": forged(func(m map[string]any, _ *countersign.Challenge) {
		m["challenge"] = hash(m["salt"].(string), 7)
		m["number"] = 7
	}),
	"signed by a guess": forged(func(m map[string]any, _ *countersign.Challenge) { m["signature"] = strings.Repeat("0", 32) }),
	"not signed":        forged(func(m map[string]any, _ *countersign.Challenge) { delete(m, "signature") }),
	"other algorithm":   forged(func(m map[string]any, _ *countersign.Challenge) { m["algorithm"] = "SHA-1" }),
	"empty":             forged(func(m map[string]any, _ *countersign.Challenge) { clear(m) }),
}

func hash(salt string, number int) string {
	sum := sha256.Sum256([]byte(salt + strconv.Itoa(number)))
	return hex.EncodeToString(sum[:])
}

func other(change func(s *countersign.ChallengeSubject)) func(*testing.T, *countersign.Challenge, string) (string, *countersign.ChallengeSubject, time.Time) {
	return func(_ *testing.T, _ *countersign.Challenge, response string) (string, *countersign.ChallengeSubject, time.Time) {
		s := subject()
		change(s)
		return response, s, now
	}
}

func forged(change func(m map[string]any, c *countersign.Challenge)) func(*testing.T, *countersign.Challenge, string) (string, *countersign.ChallengeSubject, time.Time) {
	return func(t *testing.T, c *countersign.Challenge, response string) (string, *countersign.ChallengeSubject, time.Time) {
		return rewrite(t, response, func(m map[string]any) { change(m, c) }), subject(), now
	}
}

// naive verifies as the plain protocol does: the puzzle is ours, and solved. It is bound to no request and has no end.
func naive(response string, key func(label string, parts ...string) countersign.Hash) bool {
	plain, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return false
	}
	var r struct {
		Challenge, Salt, Signature string
		Number                     json.Number
	}
	if json.Unmarshal(plain, &r) != nil || r.Signature != key("challenge", r.Challenge).Hex() {
		return false
	}
	sum := sha256.Sum256([]byte(r.Salt + r.Number.String()))
	return hex.EncodeToString(sum[:]) == r.Challenge
}

func TestAttacksAreWorthNothing(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			c, response := issue(t, subject(), 1)
			sent, s, at := attack(t, c, response)
			if got := worth(t, s, sent, at); got != 0 {
				t.Errorf("worth %d", got)
			}
		})
	}
}

// The control: the attacks do something, for a verifier that keeps to the plain protocol falls for most of them.
func TestTheAttacksFoolAPlainVerifier(t *testing.T) {
	for _, name := range []string{
		"other phone", "other app", "other purpose", "other action", "other network", "no network", "expired",
		"digits of the number moved into the salt", "other algorithm",
	} {
		t.Run(name, func(t *testing.T) {
			for {
				c, response := issue(t, subject(), 1)
				n := solved(t, response)
				if len(n) < 2 || n[1] == '0' {
					continue // no digit to move
				}
				key := keyed("a")
				signed := rewrite(t, response, func(m map[string]any) { m["signature"] = key("challenge", c.Challenge).Hex() })
				sent, _, _ := attacks[name](t, c, signed)
				if !naive(sent, key) {
					t.Error("the plain verifier refused it")
				}
				return
			}
		})
	}
}

func solved(t testing.TB, response string) (number string) {
	t.Helper()
	rewrite(t, response, func(m map[string]any) { number = m["number"].(json.Number).String() })
	return number
}

func TestTwoChallengesAreSpentApart(t *testing.T) {
	_, one := issue(t, subject(), 1)
	_, two := issue(t, subject(), 1)
	first, err := checker.Verify(subject(), one, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := checker.Verify(subject(), one, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	second, err := checker.Verify(subject(), two, now)
	if err != nil {
		t.Fatal(err)
	}
	if first.Once != again.Once || first.Once.Key == second.Once.Key {
		t.Errorf("spent by %v, %v and %v", first.Once, again.Once, second.Once)
	}
	if first.Once.Burst != 1 || first.Once.Period < challenge.Lifetime {
		t.Errorf("%+v lets one pass again before it has expired", first.Once)
	}
}

func TestWhatIsNoResponseIsSaid(t *testing.T) {
	for _, text := range []string{
		"x", "????", "e30=====x", base64.StdEncoding.EncodeToString([]byte("[]")), base64.StdEncoding.EncodeToString([]byte(`{"number":1.5}`)),
		base64.StdEncoding.EncodeToString([]byte(`{"number":-1}`)), base64.StdEncoding.EncodeToString([]byte(`{"salt":7}`)),
		base64.StdEncoding.EncodeToString([]byte(`{}{}`)), strings.Repeat("e30=", challenge.MaxResponse),
	} {
		_, err := checker.Verify(subject(), text, now)
		var e *countersign.Error
		if !errors.As(err, &e) || e.Kind != countersign.ErrInvalidRequest || e.Pointer != "/challenge_response" {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// fixed is a response made by hand, so that every process of the fuzzer has the same.
func fixed(f *testing.F, number int) string {
	f.Helper()
	s, salt := subject(), fmt.Sprintf("0011223344556677?expires=%d&level=%d&", now.Add(time.Minute).Unix(), 1)
	sum := hash(salt, number)
	plain, err := json.Marshal(map[string]any{
		"algorithm": "SHA-256", "challenge": sum, "number": number, "salt": salt,
		"signature": s.Hash("challenge", sum, salt, s.App, "0", s.Phone.Hex(), string(s.Purpose), s.Network.String()).Hex(),
	})
	if err != nil {
		f.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(plain)
}

func FuzzVerify(f *testing.F) {
	const number = 77
	response := fixed(f, number)
	if worth(f, subject(), response, now) != 1 {
		f.Fatal("the seed is worth nothing")
	}
	for _, seed := range []string{response, "", "e30=", base64.StdEncoding.EncodeToString([]byte(`{"salt":"a?expires=1&level=2&","number":18446744073709551615}`))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := checker.Verify(subject(), text, now)
		if err != nil || got.Difficulty == 0 {
			return
		}
		// Whatever is worth something is the seed's own solution, maybe written otherwise.
		if plain, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); got.Difficulty != 1 || !strings.Contains(string(plain), strconv.Itoa(number)) {
			t.Errorf("%q is worth %d", text, got.Difficulty)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	_, response := issue(b, subject(), 1)
	s := subject()
	for b.Loop() {
		if got, err := checker.Verify(s, response, now); err != nil || got.Difficulty != 1 {
			b.Fatal(got, err)
		}
	}
}
