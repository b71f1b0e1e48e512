package httpapi

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"countersign"
)

// bodies are bodies of a start and whether they are read; seeds of the fuzz target, too.
var bodies = []struct {
	body, pointer string
	ok            bool
}{
	{`{"to":"+12015550123"}`, "", true},
	{" \n{\"to\":\"+12015550123\"}\n", "", true},
	{`{"to":"\u002b12015550123"}`, "", true},
	{`{"to":"null","metadata":{"a":"null"}}`, "", true},
	{`{"To":"+12015550123"}`, "", false},
	{`{"to":"1","to":"2"}`, "/to", false},
	{`{"metadata":{"a":"1","a":"2"}}`, "/metadata/a", false},
	{`{"to":"1","\u0074o":"2"}`, "/to", false},
	{`{"to":null}`, "/to", false},
	{`{"channel":""}`, "/channel", false},
	{`{"purpose":""}`, "/purpose", false},
	{`{"region":""}`, "/region", false},
	{`{"locale":""}`, "/locale", false},
	{`{"client":{"ip":""}}`, "/client/ip", false},
	{`{"to":"","reference":"","metadata":{"channel":"","":""},"client":{"user_agent":""}}`, "", true},
	{`{"transaction":{"payee":null}}`, "/transaction/payee", false},
	{`{"typo":1}`, "/typo", false},
	{`{"transaction":{"typo":1}}`, "/transaction/typo", false},
	{`{"a<b":1}`, "", false},
	{`{"to":1}`, "/to", false},
	{`{"to":["1"]}`, "/to", false},
	{`{"to":"\ud800"}`, "/to", false},
	{"{\"to\":\"\xff\"}", "/to", false},
	{"\ufeff{}", "", false},
	{`{"to":"1"}{}`, "", false},
	{`{"to":"1"},`, "", false},
	{`[]`, "", false},
	{`null`, "", false},
	{`true`, "", false},
	{`"x"`, "", false},
	{`{"to":"1",}`, "", false},
	{`{to:"1"}`, "", false},
	{`/**/{}`, "", false},
	{strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "", false},
}

func TestDecodeIsStrict(t *testing.T) {
	for _, c := range bodies {
		var in startBody
		err := decodeJSON([]byte(c.body), &in)
		if (err == nil) != c.ok {
			t.Errorf("%.60q: %v", c.body, err)
		}
		var e *countersign.Error
		if err != nil && (!errors.As(err, &e) || e.Kind != countersign.ErrInvalidRequest || e.Pointer != c.pointer) {
			t.Errorf("%.60q: %v points at %q, want %q", c.body, err, e.Pointer, c.pointer)
		}
	}
}

// TestDecodeControl shows that the table tells encoding/json with unknown fields refused apart.
func TestDecodeControl(t *testing.T) {
	wrong := 0
	for _, c := range bodies {
		d := json.NewDecoder(strings.NewReader(c.body))
		d.DisallowUnknownFields()
		var in startBody
		if (d.Decode(&in) == nil) != c.ok {
			wrong++
		}
	}
	if wrong < 5 {
		t.Errorf("the table tells encoding/json apart in %d rows only", wrong)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range bodies {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxBody {
			return
		}
		began := time.Now()
		var in startBody
		err := decodeJSON(body, &in)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		var e *countersign.Error
		if err != nil {
			if !errors.As(err, &e) || e.Kind != countersign.ErrInvalidRequest {
				t.Fatalf("%q: %v", body, err)
			}
			for segment := range strings.SplitSeq(strings.TrimPrefix(e.Pointer, "/"), "/") {
				if segment != "" && !plainName(segment) {
					t.Errorf("%q: points at %q", body, e.Pointer)
				}
			}
			return
		}
		var loose map[string]any
		if err := json.Unmarshal(body, &loose); err != nil || !utf8.Valid(body) {
			t.Errorf("%q is read, and is no JSON object in UTF-8: %v", body, err)
		}
		for name, value := range loose {
			if value == nil {
				t.Errorf("%q: null at %q is read", body, name)
			}
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "k", "a b", "\x00", "é", strings.Repeat("k", 255), strings.Repeat("k", 256), "~!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		visible := len(key) >= 1 && len(key) <= 255
		for _, r := range key {
			visible = visible && r > ' ' && r < 0x7f
		}
		if got := validIdempotencyKey(key); got != visible {
			t.Errorf("%q: %t", key, got)
		}
	})
}

func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{
		"", "to=%2B12015550123", "to=+12015550123", "status=approved&purpose=login", "created_after=2026-01-01T00:00:00Z", "limit=100",
		"limit=0", "limit=1&limit=2", "cursor=" + encodeCursor(countersign.Cursor{Created: time.Unix(1, 2), ID: "ver_0a3aaaaaaaaaaaaaaaaaaaaaaaaaa"}), "%zz", "a=b;c=d",
	} {
		f.Add(seed)
	}
	c := &call{app: &App{App: &countersign.App{ID: "demo", Region: "US"}}}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := c.listRequest(raw)
		if err != nil {
			var e *countersign.Error
			if !errors.As(err, &e) {
				t.Errorf("%q: %v is no error for a caller", raw, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > maxPage {
			t.Errorf("%q: limit %d", raw, q.Limit)
		}
		if q.Before.ID != "" && !countersign.ValidVerificationID(q.Before.ID) {
			t.Errorf("%q: cursor at %q", raw, q.Before.ID)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(int64(1_700_000_000_123_456_789))
	f.Fuzz(func(t *testing.T, at int64) {
		c := countersign.Cursor{Created: time.Unix(0, at).UTC(), ID: "ver_0a3aaaaaaaaaaaaaaaaaaaaaaaaaa"}
		back, ok := decodeCursor(encodeCursor(c))
		if ok != (at > 0) || ok && (back.ID != c.ID || !back.Created.Equal(c.Created)) {
			t.Errorf("%d comes back as %v, %t", at, back, ok)
		}
		if strings.HasPrefix(url.QueryEscape(encodeCursor(c)), "sk_") {
			t.Error("a cursor looks like a key")
		}
	})
}
