package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/signing"
)

// badJWT is a row of testdata/badjwts.json: a token as it is sent, or what is wrong with one that is signed correctly.
type badJWT struct {
	ID, Kind, Category, Input, Expect string
}

// TestBadJWTs plays every row where an access token is wanted, and where a proof is.
func TestBadJWTs(t *testing.T) {
	b, err := os.ReadFile("testdata/badjwts.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []badJWT
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	w := newWhole(t)
	l := w.login(number)
	session := claims(t, text(l, "access_token"))
	// resigned is the good token's claims with changes, signed by the instance.
	resigned := func(typ string, changes map[string]any) string {
		c := map[string]any{"phone_number": nil, "purpose": nil}
		for name, v := range session {
			c[name] = v
		}
		for name, v := range changes {
			c[name] = v
		}
		return w.sign(typ, c)
	}
	now := w.now().Unix()
	scenarios := map[string]string{
		"exp = now-1s":                             resigned(countersign.AccessType, map[string]any{"exp": now - 1}),
		"exp missing":                              resigned(countersign.AccessType, map[string]any{"exp": nil}),
		"iat = now+1d":                             resigned(countersign.AccessType, map[string]any{"iat": now + 86400, "exp": now + 90000}),
		`aud = ["other"]`:                          resigned(countersign.AccessType, map[string]any{"aud": []string{"other"}}),
		`aud = "acme-admin" on the user API`:       resigned(countersign.AccessType, map[string]any{"aud": "acme-admin"}),
		"typ = verification-proof used as session": resigned(countersign.ProofType, nil),
		"exp = 1e308":                              resigned(countersign.AccessType, map[string]any{"exp": 1e308}),
		`exp = "never"`:                            resigned(countersign.AccessType, map[string]any{"exp": "never"}),
		"sub with newline":                         resigned(countersign.AccessType, map[string]any{"sub": session["sub"].(string) + "\nlevel=ERROR"}),
	}
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		t.Run(row.ID, func(t *testing.T) {
			token := row.Input
			if row.Kind == "scenario" {
				var ok bool
				if token, ok = scenarios[row.Input]; !ok {
					t.Fatalf("no scenario for %q", row.Input)
				}
			}
			if recipe, ok := strings.CutPrefix(token, "@@gen:"); ok {
				token = generate(t, recipe)[:8000] // more is no header that any server takes; signing has the whole
			}
			f := *w.face
			f.t = t
			f.log.take()
			f.ask("GET", "/v1/me", "", as(token)).want(401, "unauthorized")
			if log := f.log.take(); strings.Count(log, "\n") != 1 || strings.Contains(log, "level=ERROR") {
				t.Errorf("the log has %q", log)
			}
			if len(token) < 3000 {
				body, _ := json.Marshal(map[string]string{"proof": token})
				f.ask("POST", "/v1/sessions", string(body), as(secret)).want(400, "invalid_request")
			}
		})
	}
	// The controls: the very claims, unchanged, are good; so is the last second of a life.
	w.ask("GET", "/v1/me", "", as(resigned(countersign.AccessType, nil))).want(200, "")
	w.ask("GET", "/v1/me", "", as(resigned(countersign.AccessType, map[string]any{"exp": now + 30}))).want(200, "")
	w.ask("GET", "/v1/me", "", as(resigned(countersign.AccessType, map[string]any{"iat": now + 30}))).want(200, "")
}

// What is not quite a token of ours, with everything else right. Attacks by the header are TestAlgConfusion.
func TestForgedJWTs(t *testing.T) {
	w := newWhole(t)
	good := text(w.login(number), "access_token")
	parts := strings.Split(good, ".")
	stranger, err := signing.NewKey(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing([]signing.Key{stranger})
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := signing.Signer{Ring: ring, Now: w.now}.Sign(countersign.AccessType, body)
	if err != nil {
		t.Fatal(err)
	}
	kid := w.kid(good)
	head := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
	stolen := strings.Split(theirs, ".")
	for name, token := range map[string]string{
		"another key":            theirs,
		"another key, our kid":   head(`{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`) + "." + parts[1] + "." + stolen[2],
		"none":                   head(`{"alg":"none","kid":"`+kid+`","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"a jwk in the header":    head(`{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt","jwk":{}}`) + "." + parts[1] + "." + parts[2],
		"crit":                   head(`{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt","crit":["x"]}`) + "." + parts[1] + "." + parts[2],
		"alg twice":              head(`{"alg":"none","alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"no kid":                 head(`{"alg":"ES256","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"no signature":           parts[0] + "." + parts[1] + ".",
		"a signature too long":   good + "AA",
		"another body":           parts[0] + "." + base64.RawURLEncoding.EncodeToString(append(body[:len(body)-1:len(body)-1], `,"x":1}`...)) + "." + parts[2],
		"padding":                good + "=",
		"a space":                good + " ",
		"a line break in a part": parts[0] + ".\n" + parts[1] + "." + parts[2],
		"all zero signature":     parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86),
	} {
		if claims, ok := w.signer.Ring.Read(countersign.AccessType, token); ok {
			t.Errorf("%s: %s", name, claims)
		}
	}
	if _, ok := w.signer.Ring.Read(countersign.AccessType, good); !ok {
		t.Error("control: the good token is refused")
	}
	if _, ok := ring.Read(countersign.AccessType, theirs); !ok {
		t.Error("control: a verifier that takes the stranger's key would take the stranger's token")
	}
}

// kid is the key that a token names.
func (w *whole) kid(token string) string {
	w.t.Helper()
	head, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		w.t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(b, &h); err != nil {
		w.t.Fatal(err)
	}
	return h.Kid
}
