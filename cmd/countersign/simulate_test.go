package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimulate(t *testing.T) {
	dir := t.TempDir()
	file, report := filepath.Join(dir, "guard.yaml"), filepath.Join(dir, "report.html")
	if err := os.WriteFile(file, []byte("defaults:\n  budgets:\n    budget_thousand: {capacity: 5, refill: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, nil, "simulate", "--json", "--scenario", "premium_slow", "--policy", file, "--html", report)
	var got struct {
		Scenarios []struct {
			Name   string
			Attack struct{ Attempts, Sent, Refused int }
			Honest struct{ Starts int }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); code != exitDone || err != nil || len(got.Scenarios) != 1 {
		t.Fatalf("%d %v %s %s", code, err, out, errs)
	}
	if s := got.Scenarios[0]; s.Name != "premium_slow" || s.Attack.Sent+s.Attack.Refused != s.Attack.Attempts || s.Attack.Attempts == 0 || s.Honest.Starts == 0 {
		t.Errorf("%s", out)
	}
	if page, err := os.ReadFile(report); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("the report: %v", err)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"simulate", "--scenario", "nothing"}, exitUsage, "there are honest, launch"},
		{[]string{"simulate", "--seeds", "0"}, exitUsage, "--seeds"},
		{[]string{"simulate", "--policy", filepath.Join(dir, "none.yaml")}, exitFailed, "none.yaml"},
	} {
		if code, _, errs := command(t, nil, tt.args...); code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%q: %d %s", tt.args, code, errs)
		}
	}
}
