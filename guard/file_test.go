package guard_test

import (
	"os"
	"strings"
	"testing"

	"countersign"

	"countersign/guard"
)

const policyText = `defaults:
  countries: [SE, NO, US]
  deny: ["+4670123*"]
  allow: ["+46701239999", "+870*"]
  purposes:
    stepup: {channels: [sms]}
  rates: {client_starts: 5}
  budgets:
    budget_prefix4: {capacity: 30, refill: 10}
apps:
  shop:
    countries: [GB]
    shadow: [budget_prefix4]
instance:
  budgets:
    budget_instance: {capacity: 1000, refill: 100}
`

const moneyText = "money:\n  prices: p.csv\n  instance: {day: 500.50, month: 8000}\n  app: {day: 100}\n  apps: {shop: {day: 250}}\n  country: {day: 50}\n"

func TestMoneyInAFile(t *testing.T) {
	m := policyFile(t, moneyText).Money
	if m.PriceFile != "p.csv" || m.Instance.Day != 500_500_000 || m.Instance.Month != 8_000_000_000 || m.Apps["shop"].Day != 250_000_000 || m.Country.Month != 0 {
		t.Errorf("read as %+v", m)
	}
}

const caseText = `cases:
- {name: home, to: "+46701740605", want: allow}
- {name: abroad, to: "+4915123456789", want: deny, rule: number_country}
- {name: denied range, to: "+46701231234", want: deny, rule: number_denied}
- {name: allowed number in it, to: "+46701239999", want: allow}
- {name: landline, to: "+468123456", want: deny, rule: line_type}
- {name: landline by voice, to: "+468123456", channel: voice, want: allow}
- {name: step-up by voice, to: "+46701740605", purpose: stepup, channel: voice, want: deny, rule: channel}
- {name: the sixth of a minute, to: "+4670174####", client: 203.0.113.7, repeat: 6, want: challenge, rule: client_starts}
- {name: solved, to: "+4670174####", client: 203.0.113.7, repeat: 6, solved: 1, want: allow}
- {name: thirty-one, to: "+46701######", repeat: 31, want: deny, rule: budget_prefix4}
- {name: another app, app: shop, to: "+447400123456", want: allow}
- {name: shadow, app: shop, to: "+4474001#####", repeat: 31, want: allow}
`

func policyFile(t testing.TB, text string) *guard.File {
	t.Helper()
	f, err := guard.ParseFile("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func configOf(f *guard.File) guard.Config {
	return guard.Config{
		Apps: map[string]guard.Policy{"demo": f.For("demo", guard.Policy{}), "shop": f.For("shop", guard.Policy{})}, Instance: f.Instance,
	}
}

func TestCases(t *testing.T) {
	cases, err := guard.ParseCases("c.yaml", []byte(caseText))
	if err != nil {
		t.Fatal(err)
	}
	cfg := configOf(policyFile(t, policyText))
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			difference, err := c.Run(cfg)
			if err != nil || difference != "" {
				t.Error(difference, err)
			}
			if c.Want = countersign.DecisionChallenge; c.Rule == "client_starts" {
				c.Want = countersign.DecisionDeny
			}
			if difference, _ = c.Run(cfg); difference == "" {
				t.Error("a wrong expectation is met as well")
			}
		})
	}
}

func TestWrongPolicies(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"defaults: {countrys: [SE]}", "p.yaml:1:12: defaults.countrys: this is not known here"},
		{"defaults:\n  countries: [XX]", `p.yaml:2:3: defaults.countries: "XX" is not`},
		{"defaults:\n  countries: SE", "p.yaml:2:14: defaults.countries: expected a list"},
		{"apps:\n  shop:\n    budgets:\n      budget_prefix4: {capacity: -1, refill: 1}", "p.yaml:4:34: apps.shop.budgets.budget_prefix4.capacity: expected a whole number"},
		{"apps:\n  shop:\n    budgets:\n      budget_prefix5: {capacity: 1, refill: 1}", `p.yaml:3:5: apps.shop.budgets: there is no budget "budget_prefix5"`},
		{"defaults:\n  budgets:\n    budget_prefix4: {capacity: 1}", "p.yaml:3:5: defaults.budgets.budget_prefix4: capacity and refill"},
		{"defaults:\n  shadow: [everything]", `p.yaml:2:3: defaults.shadow: there is no rule "everything"`},
		{"defaults:\n  deny: [0701234]", `p.yaml:2:3: defaults.deny: "0701234" is neither`},
		{"defaults:\n  rates: {client_starts: 1.5}", "p.yaml:2:26: defaults.rates.client_starts: expected a whole number"},
		{"defaults:\n  shadow: [sequence]\n  shadow: [sequence]", "p.yaml"},
		{"instance:\n  budgets:\n    budget_app: {capacity: 1, refill: 1}", `p.yaml:2:3: instance.budgets: there is no budget "budget_app" of the instance; expected one of budget_country, `},
		{"money:\n  app: {day: 1.1234567}", "p.yaml:2:14: money.app.day: expected an amount"},
		{"money:\n  app: {week: 1}", "p.yaml:2:9: money.app.week: this is not known"},
		{"money:\n  instance: {day: 0}", "p.yaml:2:19: money.instance.day: expected an amount above 0"},
		{"defaults:\n  rates: {client_starts: 50, client_ceiling: 20}", "p.yaml:2:3: defaults.rates: a rate must be above 0, and a ceiling"},
		{"defaults:\n  line_types: [fax]", `p.yaml:2:15: defaults.line_types: "fax": expected one of mobile, fixed line, `},
		{"defaults:\n  channels: [fax]", `p.yaml:2:13: defaults.channels: "fax": expected one of sms, `},
		{"defaults:\n  purposes: {work: {}}", `p.yaml:2:20: defaults.purposes.work: "work": expected one of signup, `},
		{"a: [", "p.yaml:1:4: this is not YAML"},
		{"- a", "p.yaml:1:1: "},
	} {
		_, err := guard.ParseFile("p.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gives\n%v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestWrongCases(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"cases:\n- {to: \"+46701740605\", want: allow, channel: fax}", `c.yaml:2:46: cases[1].channel: "fax": expected one of sms, `},
		{"cases:\n- {channel:0}", "c.yaml:2:12: cases[1].channel: \"0\": "},
		{"cases:\n- {to: \"+46701740605\", want: allow, channel: [sms]}", "c.yaml:2:46: cases[1].channel: expected"},
		{"cases:\n- {purpose: work}", "c.yaml:2:13: cases[1].purpose: \"work\": expected one of signup, "},
		{"cases:\n- {client: here}", "c.yaml:2:12: cases[1].client: expected an address"},
		{"cases:\n- {repeat: 0}", "c.yaml:2:12: cases[1].repeat: expected a whole number"},
		{"cases:\n- {tow: 1}", "c.yaml:2:4: cases[1].tow: this is not known"},
		{"cases: {}", "c.yaml:1:8: cases: expected a list"},
	} {
		_, err := guard.ParseCases("c.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gives\n%v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// The policy in the documentation is one that works, and so are its cases.
func TestDocumentedPolicy(t *testing.T) {
	text, err := os.ReadFile("../docs/guard.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	found := 0
	for _, b := range blocks {
		if body, ok := strings.CutPrefix(b, "yaml\n# policy.yaml\n"); ok {
			policyFile(t, body)
			found++
		}
		if body, ok := strings.CutPrefix(b, "yaml\n# cases.yaml\n"); ok {
			if _, err := guard.ParseCases("cases.yaml", []byte(body)); err != nil {
				t.Error(err)
			}
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of the 2 files were found", found)
	}
}

// FuzzParseCases: no text of cases makes the reader panic, and a mistake has a place.
func FuzzParseCases(f *testing.F) {
	f.Add("cases:\n- {name: a, to: \"+46701740605\", want: allow}\n")
	f.Add("cases:\n- {to: \"+4670174####\", want: deny, rule: client_starts, client: 203.0.113.7, repeat: 3, every: 1s, channel: sms, purpose: login}\n")
	f.Add("cases:\n- {want: [allow]}\n- &a {to: *a}\n")
	f.Add("cases: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		cases, err := guard.ParseCases("c.yaml", []byte(text))
		if err != nil && !strings.HasPrefix(err.Error(), "c.yaml") {
			t.Errorf("%q: %v", text, err)
		}
		for _, c := range cases {
			if err == nil && (c.To == "" || c.Want == "") {
				t.Errorf("%q: %+v", text, c)
			}
		}
	})
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(policyText))
	f.Add([]byte(caseText))
	f.Add([]byte("defaults: {countries: ["))
	f.Fuzz(func(t *testing.T, text []byte) {
		if file, err := guard.ParseFile("p.yaml", text); err == nil {
			if _, err := guard.New(configOf(file)); err != nil {
				t.Errorf("a file that was taken makes no guard: %v", err)
			}
		}
		_, _ = guard.ParseCases("c.yaml", text)
	})
}
