package guard_test

import (
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

// What a vendor says that a message did cost replaces its price, in the sums that the message was counted in.
func TestReceiptsSettle(t *testing.T) {
	prices, err := guard.ParsePrices("p.csv", []byte(priceText))
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, guard.Policy{}, func(c *guard.Config) {
		c.Money = &guard.Money{Prices: prices, Currency: "EUR", App: guard.Cap{Day: 1_000_000, Month: 2_000_000}, Instance: guard.Cap{Day: 5_000_000}}
	})
	a, answer, rule := b.start(swedish(t, "4670", 1740605))
	if answer != countersign.DecisionAllow {
		t.Fatal(rule)
	}
	began := b.now
	used := func() map[string]int {
		sums := map[string]int{}
		for _, r := range b.counts.TakeAt(b.now, b.limitsOf(a)).Rates {
			if !r.Limit.Until.IsZero() {
				sums[r.Limit.Name] = r.Limit.Burst - r.Remaining - r.Limit.Cost
			}
		}
		b.counts.ReleaseAt(b.now, b.limitsOf(a))
		return sums
	}
	settle := func(micros int64, currency string) []countersign.Limit {
		return b.Settle(&countersign.Bill{
			App: "demo", Country: "SE", Provider: "cheap", Channel: countersign.ChannelSMS, Begun: began, Now: b.now,
			Cost: countersign.Money{Micros: micros, Currency: currency}, Hash: guard.PlainHash,
		})
	}
	b.counts.RefundAt(b.now, countersign.Refund{Limits: b.Bill(b.limitsOf(a), "cheap", "SE", countersign.ChannelSMS)})
	if got := used()["money_app_day"]; got != 30000 {
		t.Fatalf("billed at %d", got)
	}
	b.counts.RefundAt(b.now, countersign.Refund{Limits: settle(45000, "EUR")}) // dearer than its price
	for _, sum := range []string{"money_app_day", "money_app_month", "money_day"} {
		if got := used()[sum]; got != 45000 {
			t.Errorf("%s is %d after the receipt", sum, got)
		}
	}
	if got := settle(45000, "USD"); got != nil {
		t.Errorf("another currency settles %v", got)
	}
	if got := settle(30000, "EUR"); got != nil {
		t.Errorf("what was billed right settles %v", got)
	}
	// A receipt that comes on the next day corrects the month only: the day it belongs to is over.
	b.now = b.now.Add(24 * time.Hour)
	if got := settle(10000, "EUR"); len(got) != 1 || got[0].Name != "money_app_month" || got[0].Back != 20000 {
		t.Errorf("a day later: %v", got)
	}
}
