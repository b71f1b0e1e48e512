package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/httpapi"
)

var update = flag.Bool("update", false, "write the golden answers anew")

// judge is a guard with something to tell.
type judge struct{ lifted []string }

var since = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func (j *judge) Explain(_ context.Context, q *countersign.StartRequest) (*countersign.Explanation, error) {
	return &countersign.Explanation{Decision: countersign.DecisionChallenge, Rules: []countersign.RuleState{
		{Rule: "number_country", Meaning: "the number's country is not allowed", Would: countersign.DecisionAllow},
		{Rule: "sequence", Meaning: "numbers in sequence are being asked for", Would: countersign.DecisionChallenge, Shadow: true},
		{Rule: "budget_prefix6", Meaning: "unconfirmed messages to numbers of " + q.To.Country(), Limit: 60, Used: 49, ResetsIn: 9*time.Hour + 500*time.Millisecond, Would: countersign.DecisionChallenge},
	}}, nil
}

func (j *judge) Blocks(context.Context, string) ([]countersign.Block, error) {
	return []countersign.Block{
		{ID: blockID, App: "demo", Rule: "prefix_blocked", Subject: "+120155…", Reason: "Too little was confirmed.", Since: since, Until: since.Add(2 * time.Hour), Level: 1},
		{ID: "blk_" + strings.Repeat("0b", countersign.HashSize), Rule: "phone_hard_stop", Subject: "phone 0b0b0b0b", Reason: "A hundred wrong codes in a row."},
	}, nil
}

func (j *judge) Lift(_ context.Context, app, id string) (bool, error) {
	if app != "demo" || id != blockID {
		return false, nil
	}
	j.lifted = append(j.lifted, id)
	return true, nil
}

var blockID = "blk_" + strings.Repeat("0a", countersign.HashSize)

// golden compares an answer with the file of its name: status and body, without what changes from one run to the next.
func (a *answer) golden(name string) {
	a.t.Helper()
	var body any
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			a.t.Fatalf("%s: %v", a.body, err)
		}
	}
	if m, ok := body.(map[string]any); ok && m["request_id"] != nil {
		m["request_id"] = "req_"
	}
	got, err := json.MarshalIndent(map[string]any{
		"status": a.status, "content_type": a.header.Get("Content-Type"), "retry_after": a.header.Get("Retry-After"), "body": body,
	}, "", "  ")
	if err != nil {
		a.t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", "guard", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a.t.Errorf("%s is now\n%s", path, got)
	}
}

// The guard's routes, and what whoever is refused is told: to the byte, except that nobody without the secret key hears of
// a rule.
func TestTheGuardsAnswers(t *testing.T) {
	j := &judge{}
	f := newFace(t, func(cfg *httpapi.Config) { cfg.Guard = j })
	start := `{"to":"` + number + `"}`
	f.ask("POST", "/v1/guard/explain", start, as(secret)).golden("explain")
	f.ask("GET", "/v1/guard/blocks", "", as(secret)).golden("blocks")
	f.ask("DELETE", "/v1/guard/blocks/"+blockID, "", as(secret)).golden("lifted")
	f.ask("DELETE", "/v1/guard/blocks/"+blockID, "", as(foreign)).golden("not_lifted")
	f.ask("DELETE", "/v1/guard/blocks/blk_1", "", as(secret)).golden("no_block")
	if len(j.lifted) != 1 {
		t.Errorf("lifted %v", j.lifted)
	}
	for _, route := range []string{"POST /v1/guard/explain", "GET /v1/guard/blocks", "DELETE /v1/guard/blocks/" + blockID} {
		method, path, _ := strings.Cut(route, " ")
		body := ""
		if method == "POST" {
			body = start
		}
		f.ask(method, path, body, as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
	}
	for name, err := range map[string]error{
		"403": &countersign.Error{Kind: countersign.ErrNumberNotAllowed, Limit: "number_country", Detail: "Messages do not go to this number."},
		"428": wanted,
		"429": &countersign.Error{Kind: countersign.ErrRateLimited, Limit: "budget_prefix6", RetryAfter: 42 * time.Second, Detail: "Too many requests. Wait, then try again."},
	} {
		f.engine.fail = err
		f.ask("POST", "/v1/verifications", start, as(secret)).golden("refused_" + name)
		public := f.ask("POST", "/v1/verifications", start, as(publishable), "Origin: "+ownOrigin)
		public.golden("refused_" + name + "_publishable")
		if strings.Contains(public.body, "number_country") || strings.Contains(public.body, "budget_prefix6") || strings.Contains(public.body, "client_starts") {
			t.Errorf("a stranger is told the rule: %s", public.body)
		}
	}
}
