package twilioapi_test

import (
	"fmt"
	"testing"

	"countersign"
	"countersign/guard"
)

// BenchmarkStartAndCheck is one login through the face, by its number, with the engine, store and log behind it.
func BenchmarkStartAndCheck(b *testing.B) {
	wide := countersign.Budget{Capacity: 1_000_000, Refill: 1_000_000}
	n := newNodeUnder(b, guard.Policy{
		Countries: []string{"US"}, Shadow: []string{guard.RuleSequence},
		Budgets: map[string]countersign.Budget{"budget_thousand": wide, "budget_prefix6": wide, "budget_prefix4": wide, "budget_app_country": wide},
	}, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ { // each phone has its messages of the day
		to := fmt.Sprintf("+1202%07d", 5_550_000+i)
		if v := n.start(to); v.status != 201 {
			b.Fatal(v.text)
		}
		if c := n.check("To", to, "Code", n.code(to)); c.status != 200 || c.field("status") != "approved" {
			b.Fatal(c.text)
		}
	}
}
