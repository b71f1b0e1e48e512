package httpapi_test

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"countersign/guard"
	"countersign/httpapi"
)

// badInput is a row of testdata/badinputs.json: what a client might send, and what must come of it.
type badInput struct {
	ID        string `json:"id"`
	Category  string `json:"category"`
	Input     string `json:"input"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Canonical string `json:"canonical"` // phones: the number that is meant
	As        string `json:"as"`        // codes: the spelling that must have the same outcome
	Client    string `json:"client"`    // addresses: the bucket that is counted
}

func badInputs(t *testing.T) []badInput {
	t.Helper()
	b, err := os.ReadFile("testdata/badinputs.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []badInput
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if recipe, ok := strings.CutPrefix(rows[i].Input, "@@gen:"); ok {
			rows[i].Input = generate(t, recipe)
		}
	}
	return rows
}

// generate builds a long input from "text" and rep("text",n) joined by +.
func generate(t *testing.T, recipe string) string {
	t.Helper()
	var b strings.Builder
	for rest := recipe; rest != ""; rest = strings.TrimPrefix(rest, "+") {
		times := 1
		repeated, ok := strings.CutPrefix(rest, "rep(")
		if ok {
			rest = repeated
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("recipe %s: %v", recipe, err)
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("recipe %s: %v", recipe, err)
		}
		rest = rest[len(quoted):]
		if ok {
			count, after, _ := strings.Cut(strings.TrimPrefix(rest, ","), ")")
			if times, err = strconv.Atoi(count); err != nil {
				t.Fatalf("recipe %s: %v", recipe, err)
			}
			rest = after
		}
		b.WriteString(strings.Repeat(text, times))
	}
	return b.String()
}

// TestBadInputs plays every row over real HTTP. Rows that need a real store are played by TestSequences.
func TestBadInputs(t *testing.T) {
	played := 0
	plain := newFace(t) // one server for all rows that need no special one
	for _, row := range badInputs(t) {
		play := player(row)
		if play == nil {
			continue
		}
		played++
		t.Run(row.ID+" "+row.Category, func(t *testing.T) { play(t, plain.again(t), row) })
	}
	if played < 250 {
		t.Errorf("%d rows played only", played)
	}
}

func player(row badInput) func(*testing.T, *face, badInput) {
	switch head, _, _ := strings.Cut(row.Category, "-"); head {
	case "phone":
		return playPhone
	case "code":
		return playCode
	case "json":
		return playJSON
	case "url":
		return playPath
	}
	switch row.Category {
	case "header-client-ip-untrusted-peer":
		return playClient
	case "header-client-ip-trusted-proxy":
		return func(t *testing.T, _ *face, row badInput) {
			trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
			playClient(t, newFace(t, func(cfg *httpapi.Config) { cfg.TrustedProxies = trusted }), row)
		}
	case "header-host":
		return playHost
	case "header-content-type", "header-auth":
		return playStartHeader
	case "header-cors-csrf":
		return playForm
	case "tenant-and-redis-key":
		return playID
	case "log-injection":
		return playLog
	case "header-idempotency":
		if row.ID == "BI-0387" || row.ID == "BI-0389" || row.ID == "BI-0390" {
			return playStartHeader
		}
	}
	return nil // header-framing is TestFraming, sequences and the rest are TestSequences
}

// settled checks what holds for every row: no fault, the status and code, no echo, nothing sent unless accepted, and
// one line in the log.
func settled(t *testing.T, f *face, a *answer, row badInput) {
	t.Helper()
	if a.status >= 500 || (row.Status != 0 && a.status != row.Status) {
		t.Fatalf("%.80q: status %d, want %d: %s", row.Input, a.status, row.Status, a.body)
	}
	if row.Code != "" {
		a.want(row.Status, row.Code)
	}
	if a.status >= 400 && len(row.Input) > 3 && strings.Contains(a.body, row.Input) {
		t.Errorf("%.80q is written back: %s", row.Input, a.body)
	}
	if a.status >= 400 && len(f.engine.order) > 0 && !strings.HasPrefix(row.Category, "code") {
		t.Errorf("%.80q: something was sent", row.Input)
	}
	log := f.log.take()
	if n := strings.Count(log, "\n"); n != 1 {
		t.Errorf("%.80q: %d lines in the log: %s", row.Input, n, log)
	}
	if len(row.Input) > 3 && strings.Contains(log, row.Input) && row.Category != "url-path" {
		t.Errorf("%.80q is in the log: %s", row.Input, log)
	}
}

func playPhone(t *testing.T, f *face, row badInput) {
	body, err := json.Marshal(map[string]string{"to": row.Input})
	if err != nil {
		t.Fatal(err)
	}
	a := f.ask("POST", "/v1/verifications", string(body), as(secret))
	settled(t, f, a, row)
	if row.Canonical != "" && a.json()["to"] != row.Canonical {
		t.Errorf("%q becomes %v, want %s", row.Input, a.json()["to"], row.Canonical)
	}
}

func playCode(t *testing.T, f *face, row badInput) {
	path := "/v1/verifications/" + f.start() + "/checks"
	f.log.take()
	body, err := json.Marshal(map[string]string{"code": row.Input})
	if err != nil {
		t.Fatal(err)
	}
	a := f.ask("POST", path, string(body), as(secret))
	settled(t, f, a, row)
	if row.As == "" {
		if left := f.ask("GET", strings.TrimSuffix(path, "/checks"), "", as(secret)).json()["checks_left"]; left != 5.0 {
			t.Errorf("%q was counted", row.Input)
		}
		return
	}
	plain := f.ask("POST", "/v1/verifications/"+f.start()+"/checks", `{"code":"`+row.As+`"}`, as(secret))
	if plain.status != a.status || plain.json()["checks_left"] != a.json()["checks_left"] {
		t.Errorf("%q gives %d, %q gives %d", row.Input, a.status, row.As, plain.status)
	}
}

func playJSON(t *testing.T, f *face, row badInput) {
	a := f.ask("POST", "/v1/verifications", row.Input, as(secret), "Content-Type: application/json")
	settled(t, f, a, row)
	if row.Canonical != "" && a.json()["to"] != row.Canonical {
		t.Errorf("%q becomes %v", row.Input, a.json()["to"])
	}
}

func playPath(t *testing.T, _ *face, row badInput) {
	f := newFace(t, func(cfg *httpapi.Config) { cfg.Apps = cfg.Apps[:1] })
	resp := f.raw("GET " + row.Input + " HTTP/1.1\r\nHost: verify.example\r\nAuthorization: Bearer " + secret + "\r\nConnection: close\r\n\r\n")
	settled(t, f, read(t, resp), row)
}

// playClient sends a header line as it is and looks at whom the engine was told to count.
func playClient(t *testing.T, f *face, row badInput) {
	body := `{"to":"` + number + `"}`
	resp := f.raw("POST /v1/verifications HTTP/1.1\r\nHost: verify.example\r\nAuthorization: Bearer " + publishable + "\r\nOrigin: " + ownOrigin +
		"\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" + row.Input + "\r\n\r\n" + body)
	a := read(t, resp)
	if a.status != row.Status {
		t.Fatalf("status %d, want %d: %s", a.status, row.Status, a.body)
	}
	if row.Client == "" {
		return
	}
	if got := guard.Bucket(f.engine.lastClient()); got != row.Client {
		t.Errorf("counted on %s, want %s", got, row.Client)
	}
}

func playHost(t *testing.T, _ *face, row badInput) {
	f, _ := newSandbox(t)
	lines := row.Input
	if !strings.HasPrefix(lines, "Host:") {
		lines = "Host: localhost\r\n" + lines
	}
	a := read(t, f.raw("GET /verify?app=demo HTTP/1.1\r\n"+lines+"\r\nConnection: close\r\n\r\n"))
	if row.Status == 400 && a.status == 400 { // net/http refuses it by itself
		return
	}
	settled(t, f, a, row)
}

// playStartHeader sends a start with one header line as it is, in the place of ours.
func playStartHeader(t *testing.T, f *face, row badInput) {
	body, target, lines := `{"to":"`+number+`"}`, "/v1/verifications", row.Input+"\r\n"
	if query, _, ok := strings.Cut(row.Input, " in the URL"); ok {
		target, lines = target+query, ""
	}
	if !strings.HasPrefix(row.Input, "Authorization") && !strings.HasPrefix(row.Input, "?") {
		lines += "Authorization: Bearer " + secret + "\r\n"
	}
	if !strings.HasPrefix(row.Input, "Content-Type") {
		lines += "Content-Type: application/json\r\n"
	}
	a := read(t, f.raw("POST "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"+lines+"\r\n"+body))
	if row.ID == "BI-0389" { // net/http refuses a NUL in a header by itself
		if a.status != row.Status {
			t.Errorf("status %d, want %d", a.status, row.Status)
		}
		return
	}
	settled(t, f, a, row)
}

// playForm sends the hosted page's form as another site would.
func playForm(t *testing.T, f *face, row badInput) {
	if path, ok := strings.CutPrefix(row.Input, "GET "); ok {
		settled(t, f, f.ask("GET", path, ""), row)
		return
	}
	token := strings.Repeat("C", 26)
	form := "app=demo&step=phone&phone=" + url.QueryEscape(number)
	headers := []string{"Content-Type: application/x-www-form-urlencoded", "Cookie: __Host-csrf=" + token}
	if strings.Contains(row.Input, ": ") {
		headers = append(headers, row.Input)
		form += "&csrf=" + token
	}
	settled(t, f, f.ask("POST", "/verify", form, headers...), row)
}

// playID puts what a row calls an id into the path.
func playID(t *testing.T, f *face, row badInput) {
	good := f.start()
	f = f.again(t)
	ids := map[string][]string{
		"BI-0476": {"a:b", "b:c"}, "BI-0477": {"*"}, "BI-0479": {".."}, "BI-0481": {"\r\nFLUSHALL\r\n"},
		"BI-0482": {strings.Repeat("a", 1<<20)}, "BI-0484": {good + " ", strings.ToUpper(good)},
	}[row.ID]
	if len(ids) == 0 {
		t.Fatal("nothing to play")
	}
	if row.Status == 0 {
		row.Status = 404
	}
	for _, id := range ids {
		target := "/v1/verifications/" + strings.ReplaceAll(url.PathEscape(id), "..", "%2e%2e")
		a := read(t, f.raw("GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+secret+"\r\n\r\n"))
		if row.Status == 431 { // net/http refuses it by itself
			if a.status != 431 {
				t.Errorf("status %d", a.status)
			}
			continue
		}
		settled(t, f, a, row)
	}
}

func playLog(t *testing.T, f *face, row badInput) {
	switch row.ID {
	case "BI-0489":
		settled(t, f, f.ask("GET", "/v1/verifications/%0a%0dfake", "", as(secret)), row)
	case "BI-0492":
		settled(t, f, f.ask("POST", "/v1/verifications", `{"to":"123456"}`, as(secret)), row)
	default:
		resp := f.raw("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + row.Input + "\r\n\r\n")
		read(t, resp)
		if log := f.log.take(); strings.Count(log, "\n") > 1 || strings.Contains(log, "admin") || strings.Contains(log, "\x1b") || strings.Contains(log, "rrrrrrrr") {
			t.Errorf("log: %s", log)
		}
	}
}
