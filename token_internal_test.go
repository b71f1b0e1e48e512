package countersign

import (
	"strings"
	"testing"
)

func TestRefreshTokenParts(t *testing.T) {
	first := newRefreshToken()
	next := first.next()
	switch {
	case first.session() != next.session() || string(first.familyHash()) != string(next.familyHash()):
		t.Error("a rotation changes the session or its family")
	case string(first.hash()) == string(next.hash()) || first.text() == next.text():
		t.Error("a rotation changes nothing")
	case !ValidSessionID(first.session()):
		t.Errorf("the session is %q", first.session())
	}
	if s := strings.Join([]string{first.String(), first.GoString(), Tokens{Refresh: first.text()}.String()}, ""); strings.Contains(s, first.text()) {
		t.Errorf("a token prints itself: %s", s)
	}
	if got, ok := parseRefreshToken(first.text()); !ok || got != first {
		t.Errorf("parseRefreshToken(text()) = %v, %t", got, ok)
	}
}

func FuzzRefreshToken(f *testing.F) {
	f.Add(newRefreshToken().text())
	for _, seed := range []string{"", "rft_", "rft_" + strings.Repeat("A", 64), "rft_" + strings.Repeat("=", 64), "RFT_" + strings.Repeat("A", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := parseRefreshToken(text); ok && (token.text() != text || !ValidSessionID(token.session())) {
			t.Errorf("%q is read as %q", text, token.text())
		}
	})
}
