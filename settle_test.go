package countersign_test

import (
	"slices"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

// A vendor tells what a message did cost in every one of its receipts, and each of them more than once: it is settled once.
func TestACostIsSettledOnce(t *testing.T) {
	prices, err := guard.ParsePrices("prices.csv", []byte("*,*,sms,0.10\n"))
	if err != nil {
		t.Fatal(err)
	}
	wide, shared := guard.WideBudgets()
	judge, err := guard.New(guard.Config{
		Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}, Budgets: wide}}, Instance: guard.Instance{Budgets: shared},
		Money: &guard.Money{Prices: prices, Currency: "EUR", App: guard.Cap{Day: 10_000_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(c *countersign.Config, _ *countersign.App) { c.Guard = judge })
	v := b.mustStart(t, "+14155550123")
	b.written(t, v.ID)
	used := func() int {
		e, err := b.Explain(t.Context(), &countersign.StartRequest{
			App: b.app, To: address(t, "+14155550124"), Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
		})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(e.Rules, func(r countersign.RuleState) bool { return r.Rule == "money_app_day" })
		return e.Rules[i].Used
	}
	await := func(want int) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); used() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d millionths are used, want %d", used(), want)
			}
		}
	}
	await(100_000)
	receipt := func(status countersign.DeliveryStatus, micros int64, currency string) {
		t.Helper()
		err := b.TakeReceipt(t.Context(), countersign.Receipt{
			ID: v.ID, DeliveryID: v.Deliveries[0].ID, Status: status, Cost: countersign.Money{Micros: micros, Currency: currency},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	receipt(countersign.DeliverySent, 0, "")
	receipt(countersign.DeliverySent, 70_000, "USD") // not the currency of the caps
	receipt(countersign.DeliveryDelivered, 130_000, "EUR")
	receipt(countersign.DeliveryDelivered, 130_000, "EUR")
	receipt(countersign.DeliverySent, 90_000, "EUR")
	await(130_000)
	w := b.mustStart(t, "+14155550125")
	b.written(t, w.ID)
	await(230_000) // whatever a second settlement would have changed was written before this
}
