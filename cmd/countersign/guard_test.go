package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"countersign/guard"
)

func guardRules(t *testing.T, answer map[string]any) map[string]map[string]any {
	t.Helper()
	rules := map[string]map[string]any{}
	list, _ := answer["rules"].([]any)
	for _, r := range list {
		m, _ := r.(map[string]any)
		name, _ := m["rule"].(string)
		rules[name] = m
	}
	return rules
}

// The policy file decides, is told by explain in the same words, and a wrong one changes nothing.
func TestGuardOnAPolicyFile(t *testing.T) {
	dir := t.TempDir()
	policy, decisions := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "decisions.jsonl")
	write := func(text string) {
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "defaults:\n  countries: [SE]\n  budgets:\n    budget_prefix6: {capacity: 3, refill: 1}\n"
	write(good)
	main := fmt.Sprintf("mode: sandbox\nguard: {policy: %s, decisions: %s}\n", policy, decisions)
	i := serve(t, main)

	explain := func(to string) map[string]any {
		status, e := i.call("POST", "/v1/guard/explain", fmt.Sprintf(`{"to":%q}`, to))
		if status != http.StatusOK {
			t.Fatalf("explain: %d %v", status, e)
		}
		return e
	}
	start := func(to string) (int, map[string]any) {
		return i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q}`, to))
	}
	if e := explain("+14155550123"); e["decision"] != "deny" || guardRules(t, e)["number_country"]["would"] != "deny" {
		t.Errorf("a country that is not allowed: %v", e)
	}
	for range 3 { // to explain counts nothing
		if e := explain("+46701234001"); e["decision"] != "allow" || guardRules(t, e)["budget_prefix6"]["used"] != 0.0 {
			t.Fatalf("before any start: %v", e)
		}
	}
	for n := range 3 {
		if status, v := start(fmt.Sprintf("+467012%d4001", n)); status != http.StatusCreated {
			t.Fatalf("%d %v", status, v)
		}
	}
	status, v := start("+46701294001")
	if status != http.StatusTooManyRequests || v["limit"] != "budget_prefix6" || v["retry_after"].(float64) < 3000 {
		t.Errorf("the fourth of a budget of three: %d %v", status, v)
	}
	e := explain("+46701294001")
	if r := guardRules(t, e)["budget_prefix6"]; e["decision"] != "deny" || r["would"] != "deny" || r["used"] != 3.0 || r["limit"] != 3.0 || r["meaning"] == "" {
		t.Errorf("when it is used up: %v", e)
	}
	if r := guardRules(t, explain("+46701204001"))["phone_sends"]; r["would"] != "deny" {
		t.Errorf("a phone in its cooldown: %v", r)
	}

	write("defaults:\n  countries: [SE]\n  budgets:\n    budget_prefix7: {capacity: 3, refill: 1}\n")
	i.rewrite(main)
	i.awaitLog(policy + `:3:3: defaults.budgets: there is no budget \"budget_prefix7\"`)
	if e := explain("+46701294001"); e["decision"] != "deny" {
		t.Errorf("after a wrong policy: %v", e)
	}
	write(strings.Replace(good, "capacity: 3", "capacity: 5", 1) + "  shadow: [budget_prefix6]\n")
	i.rewrite(main)
	i.awaitLog("the new configuration is in use")
	for n := 3; n < 9; n++ {
		if status, v := start(fmt.Sprintf("+467012%d4001", n)); status != http.StatusCreated {
			t.Errorf("in shadow: %d %v", status, v)
		}
	}
	i.stop()
	checkDecisions(t, decisions)
}

// checkDecisions reads what was recorded: enough to replay, and nobody's number.
func checkDecisions(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	counts, shadows, number := map[string]int{}, 0, regexp.MustCompile(`\+46|467012[0-9]4001`)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if number.MatchString(lines.Text()) {
			t.Errorf("a number was recorded: %s", lines.Text())
		}
		var d guard.Decision
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		counts[d.Decision+" "+d.Rule]++
		shadows += len(d.Shadow)
		if d.Keys["prefix6"] == "" || d.Keys["phone"] == "" || d.Country != "SE" || d.At.IsZero() {
			t.Errorf("recorded: %+v", d)
		}
	}
	if counts["allow "] != 9 || counts["deny budget_prefix6"] != 1 || shadows == 0 {
		t.Errorf("recorded: %v, %d in shadow", counts, shadows)
	}
}

// A phone that a hundred wrong codes have stopped is among the blocks, and is lifted there.
func TestHardStopsAreBlocks(t *testing.T) {
	stores := map[string][]string{"sqlite": nil}
	address, _ := redisServer(t)
	stores["redis"] = []string{"REDIS_URL=" + address}
	for name, environ := range stores {
		t.Run(name, func(t *testing.T) {
			i := serve(t, "", environ...)
			const to = "+14155550123"
			for range 5 { // days of twenty guesses each
				for range 4 {
					status, v := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q}`, to))
					if status != http.StatusCreated {
						t.Fatalf("%d %v", status, v)
					}
					for guess := range 5 {
						i.call("POST", fmt.Sprintf("/v1/verifications/%s/checks", v["id"]), fmt.Sprintf(`{"code":"%06d"}`, guess))
					}
					i.call("POST", "/dev/clock", `{"advance":"11m"}`)
				}
				i.call("POST", "/dev/clock", `{"advance":"25h"}`)
			}
			var block map[string]any
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) { // Redis is mirrored behind the answer
				_, list := i.call("GET", "/v1/guard/blocks", "")
				if data, _ := list["data"].([]any); len(data) == 1 {
					block, _ = data[0].(map[string]any)
					break
				}
			}
			if block["rule"] != "phone_hard_stop" || block["id"] == nil || block["since"] == nil || block["until"] == nil {
				t.Fatalf("the block is %v", block)
			}
			if status, body := i.raw("DELETE", fmt.Sprint("/v1/guard/blocks/", block["id"]), ""); status != http.StatusNoContent {
				t.Errorf("lifting: %d %s", status, body)
			}
			if status, v := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q}`, to)); status != http.StatusCreated {
				t.Errorf("after it was lifted: %d %v", status, v)
			}
			if status, _ := i.raw("DELETE", "/v1/guard/blocks/blk_00000000000000000000000000000000", ""); status != http.StatusNotFound {
				t.Errorf("a block that is not there: %d", status)
			}
		})
	}
}

func TestPolicyCommand(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy := file("policy.yaml", "defaults: {countries: [SE]}\n")
	cases := "cases:\n- {name: home, to: \"+46701740605\", want: allow}\n- {name: abroad, to: \"+14155550123\", want: %s}\n"
	for want, code := range map[string]int{"deny": exitDone, "allow": exitFailed} {
		got, _, errs := command(t, nil, "policy", "test", file("cases.yaml", fmt.Sprintf(cases, want)), "--policy", policy)
		if got != code || code == exitFailed && !strings.Contains(errs, "cases.yaml:3:3: abroad: got deny by number_country, want allow") {
			t.Errorf("want %s: exit %d\n%s", want, got, errs)
		}
	}
}

// What a provider takes less than was reserved is given back, and the cap is a hard stop.
func TestMoneyIsCapped(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("prices.csv", "sandbox,US,sms,0.02\nother,US,sms,0.05\n")
	write("policy.yaml", "money:\n  prices: prices.csv\n  app: {day: 0.10}\n")
	main := fmt.Sprintf("mode: sandbox\nguard: {policy: %s}\n", filepath.Join(dir, "policy.yaml"))
	i := serve(t, main)
	used := func() float64 {
		_, e := i.call("POST", "/v1/guard/explain", `{"to":"+14155550199"}`)
		n, _ := guardRules(t, e)["money_app_day"]["used"].(float64)
		return n
	}
	for n := range 3 { // 0.02 + 0.02 + 0.05 reserved ≤ 0.10
		if status, v := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":"+1415555012%d"}`, n)); status != http.StatusCreated {
			t.Fatalf("%d %v", status, v)
		}
		deadline := time.Now().Add(time.Minute)
		for used() != float64(20000*(n+1)) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond) // it is settled behind the answer
		}
	}
	if n := used(); n != 60000 {
		t.Fatalf("three messages at 0.02 cost %v millionths", n)
	}
	status, v := i.call("POST", "/v1/verifications", `{"to":"+14155550124"}`)
	if status != http.StatusTooManyRequests || v["limit"] != "money_app_day" || v["retry_after"].(float64) < 1 {
		t.Errorf("0.06 spent and 0.05 to reserve of 0.10: %d %v", status, v)
	}
	i.awaitLog("a cap on money is being used up")
	// What is reserved goes over each mark more than once, because a part is given back: each is told of once.
	_, text := i.raw("GET", "/metrics", "")
	for _, percent := range []string{"50", "80", "100"} {
		if !strings.Contains(text, `countersign_guard_money_warnings_total{limit="money_app_day",percent="`+percent+`"} 1`) {
			t.Errorf("the warning at %s %% is counted as %q", percent, regexp.MustCompile(`(?m)^countersign_guard_money_warnings.*$`).FindAllString(text, -1))
		}
	}

	write("prices.csv", "sandbox,US,sms,0.02\nother,US,sms,cheap\n")
	i.rewrite(main)
	i.awaitLog("prices.csv:2:14: price: ")
	if status, _ := i.call("POST", "/v1/verifications", `{"to":"+14155550124"}`); status != http.StatusTooManyRequests {
		t.Errorf("after a wrong price file: %d", status)
	}
}
