package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countersign"
	"countersign/guard"
	"countersign/simulate"
)

// recorded is the decision log of a simulated attack.
func recorded(t *testing.T, scenario string) []byte {
	t.Helper()
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	all := simulate.Scenarios()
	i := slices.IndexFunc(all, func(s simulate.Scenario) bool { return s.Name == scenario })
	_, err := simulate.Run(all[i], simulate.Options{Seed: 1, Guard: func(*countersign.App) (countersign.Guard, error) {
		return guard.New(guard.Config{
			Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}}},
			Record: func(d *guard.Decision) {
				if err := lines.Encode(d); err != nil {
					t.Error(err)
				}
			},
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type replayed struct {
	Lines    int
	LeftOut  int `json:"left_out"`
	Recorded struct{ Sent, Refused, Challenged int }
	Replayed struct{ Sent, Refused, Challenged int }
	Saved    json.Number
	Stopped  int
	Added    int
	People   struct{ Confirmed, Refused, Challenged int }
	Rules    map[string]int
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	attack := recorded(t, "premium_slow")
	if bytes.Contains(attack, []byte("+994")) || bytes.Contains(attack, []byte("100.")) {
		t.Error("a number or an address is in the log")
	}
	log := write("decisions.jsonl", "not json\n"+string(attack)+`{"at":"2026-03-05T00:00:00Z","event":"start"}`+"\n")
	play := func(policy string) (r replayed) {
		t.Helper()
		code, out, errs := command(t, nil, "replay", log, "--json", "--policy", write("policy.yaml", policy))
		if err := json.Unmarshal([]byte(out), &r); code != exitDone || err != nil {
			t.Fatalf("%d %v %s %s", code, err, out, errs)
		}
		last := r.Lines
		if r.LeftOut != 2 || strings.Count(errs, "\n") != 2 || !strings.Contains(errs, "decisions.jsonl:1: not a recorded decision") ||
			!strings.Contains(errs, ": app: it is missing; this line is left out") || last < 20_000 {
			t.Errorf("%d lines left out of %d: %s", r.LeftOut, last, errs)
		}
		return r
	}
	same := play("defaults: {countries: ['*']}\n")
	if same.Stopped != 0 || same.Added != 0 || same.Recorded != same.Replayed || same.People.Refused != 0 || same.People.Challenged != 0 || same.Saved != "0" {
		t.Errorf("the same policy: %+v", same)
	}
	if same.People.Confirmed < 10_000 {
		t.Errorf("only %d people confirmed", same.People.Confirmed)
	}
	strict := play("defaults: {countries: ['*'], deny: [], budgets: {budget_thousand: {capacity: 1, refill: 1}}}\n")
	if strict.Stopped == 0 || strict.Replayed.Sent >= same.Recorded.Sent || strict.Rules["budget_thousand"] <= same.Rules["budget_thousand"] || strings.HasPrefix(string(strict.Saved), "-") {
		t.Errorf("a stricter policy: %+v", strict)
	}
	loose := play("defaults: {countries: ['*'], shadow: [prefix_blocked, network_blocked], budgets: {budget_thousand: {capacity: 5000, refill: 100}, budget_prefix6: {capacity: 5000, refill: 100}, " +
		"budget_prefix4: {capacity: 5000, refill: 100}, budget_app_country: {capacity: 9000, refill: 100}}}\ninstance: {budgets: {budget_country: {capacity: 9000, refill: 100}}}\n")
	if loose.Added < 1000 || loose.Stopped != 0 || !strings.HasPrefix(string(loose.Saved), "-") {
		t.Errorf("a looser policy: %+v", loose)
	}
	code, out, errs := command(t, nil, "replay", log, "--policy", filepath.Join(dir, "policy.yaml"))
	if code != exitDone || !strings.Contains(out, "people who confirmed: ") || !strings.Contains(out, "saved: -") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestReplayRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	policy, empty := path("p.yaml", "defaults: {countries: [SE]}\n"), path("empty.jsonl", "\n\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"replay", empty}, exitUsage, "--policy is missing"},
		{[]string{"replay", "--policy", policy}, exitUsage, "countersign replay LOG"},
		{[]string{"replay", filepath.Join(dir, "none.jsonl"), "--policy", policy}, exitFailed, "none.jsonl"},
		{[]string{"replay", empty, "--policy", policy}, exitFailed, "there is no decision in it"},
		{[]string{"replay", path("bad.jsonl", "{}\n"+strings.Repeat("x", 200_000)+"\n"), "--policy", policy}, exitFailed, "bad.jsonl:2: longer than"},
		{[]string{"replay", empty, "--policy", path("q.yaml", "defaults: {countrys: [SE]}\n")}, exitFailed, "q.yaml:1"},
		{[]string{"replay", empty, "--policy", filepath.Join(dir, "none.yaml")}, exitFailed, "none.yaml"},
	} {
		if code, _, errs := command(t, nil, tt.args...); code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%q: %d %s", tt.args, code, errs)
		}
	}
}
