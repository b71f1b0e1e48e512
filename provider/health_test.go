package provider_test

import (
	"testing"
	"time"

	"countersign"
	"countersign/provider"
)

func to(t testing.TB, e164 string) *countersign.Message {
	m := message(t)
	m.To = number(t, e164)
	return m
}

// carry plans and dispatches, and says who took it.
func carry(t testing.TB, r *provider.Routes, m *countersign.Message) string {
	t.Helper()
	d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
	if err != nil {
		t.Fatal(err)
	}
	return d.Delivery.Provider
}

// TestACountryRestsAlone: a vendor that refuses one country keeps the others.
func TestACountryRestsAlone(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	first := fails(countersign.FailTemporary)
	refuses, accepts := first.answer, takes("one").answer
	r := routes(t, provider.Config{Routes: []provider.Route{route("first", first), route("second", takes("two"))}, Now: c.Now})
	for range 20 { // as much goes well elsewhere
		first.answer = accepts
		if by := carry(t, r, to(t, "+14155550123")); by != "first" {
			t.Fatalf("the United States went by %s", by)
		}
		first.answer = accepts
		carry(t, r, to(t, "+4915123456789"))
		first.answer = refuses
		carry(t, r, to(t, "+46701740615"))
	}
	before := first.sends.Load()
	carry(t, r, to(t, "+46701740615"))
	if first.sends.Load() != before {
		t.Error("the vendor is still asked for the country that it refuses")
	}
	states := map[string]provider.BreakerState{}
	for _, h := range r.States()[0].Health {
		states[h.Country] = h.Breaker
	}
	if states["SE"] != provider.BreakerOpen || states["US"] != provider.BreakerClosed || r.States()[0].Breaker != provider.BreakerClosed {
		t.Errorf("breakers %v, route %s", states, r.States()[0].Breaker)
	}
	c.advance(11 * time.Second)
	if got := r.States()[0].Health; got[1].Country != "SE" && got[2].Breaker != provider.BreakerHalfOpen {
		t.Errorf("%+v", got)
	}
	first.answer = accepts
	if by := carry(t, r, to(t, "+46701740615")); by != "first" {
		t.Errorf("well again, and it goes by %s", by)
	}
}

// TestMessagesThatDoNotArrive: a vendor that takes everything and delivers nothing in a country is tried last there, never
// left out, and gets its place back when a message arrives.
func TestMessagesThatDoNotArrive(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	r := routes(t, provider.Config{Routes: []provider.Route{route("first", takes("one")), route("second", takes("two"))}, Now: c.Now})
	alone := routes(t, provider.Config{Routes: []provider.Route{route("first", takes("one"))}, Now: c.Now})
	receipt := func(r *provider.Routes, status countersign.DeliveryStatus) {
		r.Heard(countersign.Event{Name: countersign.EventReceipt, Provider: "first", Country: "SE", Channel: countersign.ChannelSMS, Result: string(status)})
	}
	for range 20 {
		receipt(r, countersign.DeliveryUndelivered)
		receipt(alone, countersign.DeliveryUndelivered)
	}
	if by := carry(t, r, to(t, "+46701740615")); by != "second" {
		t.Errorf("it goes by %s", by)
	}
	if by := carry(t, r, to(t, "+14155550123")); by != "first" {
		t.Errorf("another country goes by %s", by)
	}
	if by := carry(t, alone, to(t, "+46701740615")); by != "first" {
		t.Errorf("the only route was left out: %s", by)
	}
	c.advance(61 * time.Second)
	if by := carry(t, r, to(t, "+46701740615")); by != "first" {
		t.Error("nobody finds out whether it is well again")
	}
	if by := carry(t, r, to(t, "+46701740615")); by != "second" {
		t.Error("more than one message tried")
	}
	receipt(r, countersign.DeliveryDelivered)
	if by := carry(t, r, to(t, "+46701740615")); by != "first" {
		t.Error("a message arrived, and the route is still last")
	}
}

// One message a minute tries a route whose messages do not arrive, also beside another one that rests.
func TestATryBesideARouteThatRests(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	away := fails(countersign.FailTemporary)
	r := routes(t, provider.Config{Routes: []provider.Route{route("first", takes("one")), route("second", away), route("third", takes("three"))}, Now: c.Now})
	for range 20 {
		r.Heard(countersign.Event{Name: countersign.EventReceipt, Provider: "first", Country: "SE", Channel: countersign.ChannelSMS, Result: string(countersign.DeliveryUndelivered)})
	}
	for _, wait := range []time.Duration{0, 55 * time.Second} { // the second time it was tried once more, and rests again
		c.advance(wait)
		for range 30 {
			if by := carry(t, r, to(t, "+46701740615")); by != "third" {
				t.Fatalf("after %s it goes by %s", wait, by)
			}
		}
		if b := r.States()[1].Breaker; b != provider.BreakerOpen {
			t.Fatalf("after %s the second route is %s", wait, b)
		}
	}
	c.advance(6 * time.Second)
	again := countersign.Wish{App: "demo", Channel: countersign.ChannelSMS, To: number(t, "+46701740615"), Failed: []string{"first"}}
	if _, err := r.Plan(&again); err != nil { // a resend that does not go by it leaves the try to a message that does
		t.Fatal(err)
	}
	if by := carry(t, r, to(t, "+46701740615")); by != "first" {
		t.Errorf("after a minute it goes by %s", by)
	}
	if by := carry(t, r, to(t, "+46701740615")); by != "third" {
		t.Errorf("and the next message by %s", by)
	}
}

// TestHealthCounts: what a window holds, and that it moves on.
func TestHealthCounts(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	first := takes("one")
	r := routes(t, provider.Config{Routes: []provider.Route{route("first", first), route("second", takes("two"))}, Now: c.Now})
	for range 3 {
		carry(t, r, message(t))
	}
	first.answer = fails(countersign.FailTemporary).answer
	carry(t, r, message(t))
	e := countersign.Event{Provider: "first", Country: "US", Channel: countersign.ChannelSMS}
	for _, step := range []struct {
		name   countersign.EventName
		result string
		took   time.Duration
	}{
		{countersign.EventReceipt, "delivered", 0},
		{countersign.EventReceipt, "sent", 0},
		{countersign.EventReceipt, "undelivered", 0},
		{countersign.EventEnded, "approved", 10 * time.Second},
		{countersign.EventEnded, "approved", 20 * time.Second},
		{countersign.EventEnded, "expired", 0},
		{countersign.EventEnded, "canceled", 0},
		{countersign.EventSent, "accepted", 0},
	} {
		e.Name, e.Result, e.Duration = step.name, step.result, step.took
		r.Heard(e)
	}
	h := r.States()[0].Health[0]
	want := provider.Health{
		Country: "US", Channel: "sms", Breaker: provider.BreakerClosed, Tried: 4, Accepted: 3, Delivered: 1, Undelivered: 1,
		Verified: 2, Unverified: 1, VerifyTime: 15 * time.Second,
	}
	if h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
	if h.AcceptRate() != .75 || h.ReceiptRate() != 2./3 || h.DeliveryRate() != .5 || h.VerifiedRate() != 2./3 {
		t.Errorf("rates %v %v %v %v", h.AcceptRate(), h.ReceiptRate(), h.DeliveryRate(), h.VerifiedRate())
	}
	c.advance(31 * time.Minute)
	if h := r.States()[0].Health[0]; h.Tried != 0 || h.AcceptRate() >= 0 {
		t.Errorf("half an hour later: %+v", h)
	}
}

// TestSilentReceipts: a vendor whose receipts stop coming, or never came, is noticed; one that gives none by its nature is
// not.
func TestSilentReceipts(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	reporting := route("reporting", takes("one"))
	reporting.Receipts = true
	r := routes(t, provider.Config{Routes: []provider.Route{reporting}, Now: c.Now})
	mute := routes(t, provider.Config{Routes: []provider.Route{route("mute", takes("one"))}, Now: c.Now})
	state := func(want provider.ReceiptState) {
		t.Helper()
		if got := r.States()[0].Receipts; got != want {
			t.Errorf("receipts are %s, want %s", got, want)
		}
	}
	many := func() {
		for range 25 {
			carry(t, r, message(t))
			carry(t, mute, message(t))
		}
	}
	state(provider.ReceiptsWaiting)
	many()
	state(provider.ReceiptsWaiting) // receipts take a while
	c.advance(3 * time.Minute)
	state(provider.ReceiptsSilent)
	r.Heard(countersign.Event{Name: countersign.EventReceipt, Provider: "reporting", Country: "US", Channel: countersign.ChannelSMS, Result: "sent"})
	state(provider.ReceiptsComing)
	many()
	state(provider.ReceiptsComing)
	c.advance(3 * time.Minute)
	state(provider.ReceiptsSilent)
	if got := mute.States()[0].Receipts; got != provider.ReceiptsNone {
		t.Errorf("a route without receipts: %s", got)
	}
}
