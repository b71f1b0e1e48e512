package countersign_test

import (
	"slices"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

// capped is an engine whose app has a cap of 10 EUR a day, at 0.10 a message; await waits until so much of it is used.
func capped(t *testing.T) (b *bench, await func(millionths int)) {
	t.Helper()
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
	b = newBench(t, func(c *countersign.Config, _ *countersign.App) { c.Guard = judge })
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
	return b, func(want int) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); used() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d millionths are used, want %d", used(), want)
			}
		}
	}
}

// A vendor tells what a message did cost in every one of its receipts, and each of them more than once: it is settled once.
func TestACostIsSettledOnce(t *testing.T) {
	b, await := capped(t)
	v := b.mustStart(t, "+14155550123")
	b.written(t, v.ID)
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

	// A price alone moves no delivery and is no receipt; one that comes before its message is known waits for it.
	events := b.events.count(countersign.EventReceipt)
	price := func(r countersign.Receipt) {
		t.Helper()
		r.Cost = countersign.Money{Micros: 40_000, Currency: "EUR"}
		if err := b.TakeReceipt(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	price(countersign.Receipt{ID: w.ID, DeliveryID: w.Deliveries[0].ID})
	await(170_000)
	price(countersign.Receipt{ID: w.ID, Ref: "nobody's"})
	price(countersign.Receipt{ID: "ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa", Ref: "x"})
	x := b.mustStart(t, "+14155550126")
	b.written(t, x.ID)
	await(270_000)
	if got, err := b.Get(t.Context(), b.app, w.ID); err != nil || got.Deliveries[0].Status != w.Deliveries[0].Status || len(got.Deliveries) != 1 {
		t.Errorf("a price moved the delivery: %+v, %v", got, err)
	}
	if n := b.events.count(countersign.EventReceipt); n != events {
		t.Errorf("a price was heard as %d receipts", n-events)
	}
}

// A price that overtakes the answer to its send is settled when the send is written down.
func TestAnEarlyPriceWaits(t *testing.T) {
	b, await := capped(t)
	b.carrier.answers(func(m *countersign.Message) error {
		return b.TakeReceipt(t.Context(), countersign.Receipt{ID: m.Verification, Ref: "ref-" + m.ID, Cost: countersign.Money{Micros: 30_000, Currency: "EUR"}})
	})
	b.mustStart(t, "+14155550127")
	await(30_000)
}
