package provider_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// TestABrokenRouteRests: a vendor that fails again and again is not asked each time, and is found well again by one
// send.
func TestABrokenRouteRests(t *testing.T) {
	first, second := fails(countersign.FailTemporary), takes("two")
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	var legs []provider.LegResult
	r := routes(t, provider.Config{
		Routes: []provider.Route{route("first", first), route("second", second)}, Now: c.Now,
		Observe: func(l provider.Leg) {
			if l.Route == "first" {
				legs = append(legs, l.Result)
			}
		},
	})
	m := message(t)
	p := planned(t, r, m)
	dispatch := func() {
		t.Helper()
		if _, err := r.Dispatch(t.Context(), p, m); err != nil {
			t.Fatal(err)
		}
	}
	for range 8 {
		dispatch()
	}
	if n := first.sends.Load(); n != 5 || !r.States()[0].Resting || legs[7] != provider.LegResting {
		t.Fatalf("the broken vendor was asked %d times of 8; legs %v", n, legs)
	}
	c.advance(11 * time.Second)
	dispatch() // the one that tries, and fails
	dispatch()
	if n := first.sends.Load(); n != 6 {
		t.Fatalf("asked %d times, want one more", n)
	}
	c.advance(11 * time.Second)
	first.answer = takes("one").answer
	dispatch()
	dispatch()
	if n := first.sends.Load(); n != 8 || r.States()[0].Resting {
		t.Fatalf("asked %d times; the vendor is well again", n)
	}
}

// TestLostAnswersRestARoute: a vendor that swallows every message is not waited for each time.
func TestLostAnswersRestARoute(t *testing.T) {
	lost, second := fails(countersign.FailUnknown), takes("two")
	r := routes(t, provider.Config{Routes: []provider.Route{route("lost", lost), route("second", second)}})
	m := message(t)
	for range 8 {
		d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
		if err != nil || d.Delivery.Provider != "second" {
			t.Fatalf("%+v, %v", d.Delivery, err)
		}
	}
	if n := lost.sends.Load(); n != 5 {
		t.Errorf("the silent vendor was asked %d times of 8, want 5", n)
	}
}

// TestRefusedPeopleDoNotRestARoute: numbers that cannot be reached say nothing about the vendor. Neither does the
// sandbox, which fails on purpose.
func TestRefusedPeopleDoNotRestARoute(t *testing.T) {
	for name, first := range map[string]provider.Route{
		"destination": route("first", fails(countersign.FailDestination)),
		"denied":      route("first", fails(countersign.FailDenied)),
		"no breaker":  {Name: "first", Provider: fails(countersign.FailTemporary), Channels: sms(), NoBreaker: true},
	} {
		v := first.Provider.(*vendor)
		r := routes(t, provider.Config{Routes: []provider.Route{first, route("second", takes(""))}})
		m := message(t)
		for range 50 {
			_, _ = r.Dispatch(t.Context(), planned(t, r, m), m)
		}
		if n := v.sends.Load(); n != 50 {
			t.Errorf("%s: asked %d times of 50", name, n)
		}
	}
}

// TestNothingFree: with every route resting a first attempt fails now, and a later one stays unknown, because the
// message may be on its way.
func TestNothingFree(t *testing.T) {
	r := routes(t, provider.Config{Routes: []provider.Route{route("only", fails(countersign.FailTemporary))}})
	m := message(t)
	p := planned(t, r, m)
	for range 5 {
		_, _ = r.Dispatch(t.Context(), p, m)
	}
	d, err := r.Dispatch(t.Context(), p, m)
	if classOf(t, err) != countersign.FailTemporary || d.Delivery.Status != countersign.DeliveryFailed {
		t.Errorf("first attempt: %+v, %v", d.Delivery, err)
	}
	m.Attempt = 2
	d, err = r.Dispatch(t.Context(), p, m)
	if classOf(t, err) != countersign.FailUnknown || d.Delivery.Status != countersign.DeliveryQueued {
		t.Errorf("second attempt: %+v, %v", d.Delivery, err)
	}
}

// TestASlowVendorHoldsOnlyItsOwn is the bulkhead of F-13: 4 sends hang, the 5th goes another way at once.
func TestASlowVendorHoldsOnlyItsOwn(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	slow := &vendor{answer: func(context.Context, *countersign.Message) (countersign.Handed, error) {
		entered <- true
		<-leave
		return countersign.Handed{}, nil
	}}
	first := route("first", slow)
	first.MaxInFlight = 4
	r := routes(t, provider.Config{Routes: []provider.Route{first, route("second", takes("two"))}})
	m := message(t)
	p := planned(t, r, m)
	var waiting sync.WaitGroup
	for range 4 {
		waiting.Go(func() {
			if d, err := r.Dispatch(context.Background(), p, m); err != nil || d.Delivery.Provider != "first" {
				t.Errorf("%+v, %v", d, err)
			}
		})
		<-entered
	}
	if n := r.States()[0].InFlight; n != 4 {
		t.Errorf("%d in flight, want 4", n)
	}
	d, err := r.Dispatch(t.Context(), p, m)
	if err != nil || d.Delivery.Provider != "second" {
		t.Errorf("%+v, %v", d.Delivery, err)
	}
	// The control: without the bound the fifth is held up with the others.
	unbound := routes(t, provider.Config{Routes: []provider.Route{route("first", slow), route("second", takes("two"))}})
	waiting.Go(func() {
		if d, err := unbound.Dispatch(context.Background(), p, m); err != nil || d.Delivery.Provider != "first" {
			t.Errorf("without a bound: %+v, %v", d, err)
		}
	})
	<-entered
	close(leave)
	waiting.Wait()
	if n := r.States()[0].InFlight; n != 0 {
		t.Errorf("%d in flight after all ended", n)
	}
}

func BenchmarkDispatch(b *testing.B) {
	r := routes(b, provider.Config{Routes: []provider.Route{route("first", &instant{}), route("second", &instant{})}})
	m := message(b)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		p, err := r.Plan(&countersign.Wish{App: m.App, Channel: m.Channel, To: m.To})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Dispatch(ctx, p, m); err != nil {
			b.Fatal(err)
		}
	}
}

// instant costs nothing.
type instant struct{}

func (*instant) Send(context.Context, *countersign.Message) (countersign.Handed, error) {
	return countersign.Handed{Ref: "r"}, nil
}
