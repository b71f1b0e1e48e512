package countersign_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider"
)

// twoVendors is an engine over true routes, with two vendors that tell what they were given.
func twoVendors(t *testing.T) (b *bench, first, second *carried) {
	t.Helper()
	first, second = &carried{name: "first"}, &carried{name: "second"}
	all := []countersign.Channel{countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice}
	routes, err := provider.New(provider.Config{Routes: []provider.Route{
		{Name: "first", Provider: first, Channels: all}, {Name: "second", Provider: second, Channels: all},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, func(cfg *countersign.Config, _ *countersign.App) { cfg.Dispatcher = routes }), first, second
}

type carried struct {
	name     string
	messages []countersign.Message
}

func (c *carried) Send(_ context.Context, m *countersign.Message) (countersign.Handed, error) {
	c.messages = append(c.messages, *m)
	return countersign.Handed{Ref: c.name + m.ID}, nil
}

// busy lets a send be written down when a resend has met it.
type busy struct {
	*held
	met func()
}

func (b *busy) Resend(ctx context.Context, r *countersign.Resend) (*countersign.Outcome, error) {
	o, err := b.held.Resend(ctx, r)
	if err == nil && o.Result == countersign.OutcomeBusy {
		b.met()
	}
	return o, err
}

// The send before is written down behind its answer: a resend on the heels of that waits a moment, where no pause refuses it.
func TestAResendOnTheHeelsOfTheStart(t *testing.T) {
	var err error
	for range 5 { // a disk may stand still for longer than that moment
		if err = onTheHeels(t); err == nil {
			return
		}
	}
	t.Errorf("a resend: %v", err)
}

func onTheHeels(t *testing.T) error {
	t.Helper()
	h := &held{free: make(chan struct{})}
	met := false
	release := sync.OnceFunc(func() { close(h.free) })
	b := newBench(t, func(c *countersign.Config, _ *countersign.App) {
		h.Store = c.Store
		c.Store = &busy{h, func() { met = true; release() }}
	})
	t.Cleanup(release) // before the engine stops, which waits for what it has to write
	v := b.mustStart(t, number)
	if err := b.store.ForgetLimits(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Face: countersign.FaceREST, Wait: true})
	if !met {
		t.Fatal("the resend met no send that is not written down: this shows nothing")
	}
	return err
}

// A resend goes another way than the message that did not arrive, with the same code; one that arrived shows that its way
// is good. Auto climbs the ladder.
func TestAResendGoesAnotherWay(t *testing.T) {
	for _, c := range []struct {
		name     string
		receipt  countersign.DeliveryStatus
		start    countersign.Channel
		channel  countersign.Channel
		by       string
		sentBy   countersign.Channel
		sameCode bool
	}{
		{"failed", countersign.DeliveryUndelivered, "sms", "", "second", "sms", true},
		{"no receipt", "", "sms", "", "second", "sms", true},
		{"control: arrived", countersign.DeliveryDelivered, "sms", "", "first", "sms", true},
		{"auto, failed", countersign.DeliveryUndelivered, "auto", "", "second", "whatsapp", true},
		{"auto, arrived", countersign.DeliveryDelivered, "auto", "", "first", "sms", true},
		{"auto on the resend", "", "sms", "auto", "second", "whatsapp", true},
		{"by name", "", "auto", "voice", "second", "voice", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, first, second := twoVendors(t)
			v := b.mustStart(t, number, func(q *countersign.StartRequest) { q.Channel = c.start })
			b.written(t, v.ID)
			if c.receipt != "" {
				if err := b.TakeReceipt(t.Context(), countersign.Receipt{ID: v.ID, DeliveryID: first.messages[0].ID, Status: c.receipt}); err != nil {
					t.Fatal(err)
				}
			}
			b.advance(t, 31*time.Second)
			again, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Channel: c.channel, Wait: true})
			if err != nil {
				t.Fatal(err)
			}
			d := again.Deliveries[len(again.Deliveries)-1]
			if d.Provider != c.by || d.Channel != c.sentBy {
				t.Errorf("it went by %s over %s, want %s over %s", d.Channel, d.Provider, c.sentBy, c.by)
			}
			last := first
			if c.by == "second" {
				last = second
			}
			if last.messages[len(last.messages)-1].Code != first.messages[0].Code {
				t.Error("another code went out")
			}
		})
	}
}

// INV-15: six events of one message in every order, 720 of them. Whatever the order, nothing is approved by a receipt, the
// delivery ends in the first final status that was told, never in a lower one, and the code works.
func TestReceiptsInEveryOrder(t *testing.T) {
	b := newBench(t)
	events := []countersign.DeliveryStatus{
		countersign.DeliveryAccepted, countersign.DeliverySent, countersign.DeliverySent, countersign.DeliveryDelivered,
		countersign.DeliveryDelivered, countersign.DeliveryUndelivered,
	}
	n, naive := 0, 0
	permute(events, func(order []countersign.DeliveryStatus) {
		n++
		to := fmt.Sprintf("+1415555%04d", 1000+n)
		v := b.mustStart(t, to)
		m := b.carrier.last(t)
		want := countersign.DeliveryStatus("")
		for _, status := range order {
			if status == countersign.DeliveryDelivered || status == countersign.DeliveryUndelivered {
				if want == "" {
					want = status
				}
			}
			if err := b.TakeReceipt(t.Context(), countersign.Receipt{ID: v.ID, DeliveryID: m.ID, Status: status}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Get(t.Context(), b.app, v.ID)
		if err != nil || got.Status != countersign.StatusPending || len(got.Deliveries) != 1 || got.Deliveries[0].Status != want {
			t.Fatalf("%v: %+v, %v; want %s", order, got, err, want)
		}
		if rand.IntN(40) == 0 {
			if _, err := b.check(t, v.ID, m.Code.Reveal()); err != nil {
				t.Fatalf("%v: %v", order, err)
			}
		}
		if order[len(order)-1] != want {
			naive++ // the control: who takes the last word is wrong here
		}
	})
	if n != 720 || naive < 360 {
		t.Errorf("%d orders, of which %d tell anything", n, naive)
	}
}

// permute calls f with every order of a list.
func permute[T any](list []T, f func([]T)) {
	var step func(k int)
	work := slices.Clone(list)
	step = func(k int) {
		if k == len(work) {
			f(slices.Clone(work))
			return
		}
		for i := k; i < len(work); i++ {
			work[k], work[i] = work[i], work[k]
			step(k + 1)
			work[k], work[i] = work[i], work[k]
		}
	}
	step(0)
}

// F-21: a receipt that knows its message by the vendor's id only, and comes before the send is written down, waits for it.
func TestAReceiptThatCameTooEarly(t *testing.T) {
	b := newBench(t)
	early := make(chan error, 1)
	b.carrier.answers(func(m *countersign.Message) error {
		early <- b.TakeReceipt(context.Background(), countersign.Receipt{ID: m.Verification, Ref: "ref-" + m.ID, Status: countersign.DeliveryDelivered})
		return nil
	})
	v := b.mustStart(t, number)
	if err := <-early; err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got, err := b.Get(t.Context(), b.app, v.ID)
		if err == nil && len(got.Deliveries) == 1 && got.Deliveries[0].Status == countersign.DeliveryDelivered {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the receipt was lost: %+v, %v", got, err)
		}
	}
}

// F-21: a storm of receipts for what nobody knows is bounded, and the vendor is told to come again.
func TestAStormOfReceipts(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	b.written(t, v.ID)
	refused := 0
	for n := range 12_000 {
		err := b.TakeReceipt(t.Context(), countersign.Receipt{ID: v.ID, Ref: fmt.Sprint("unknown", n), Status: countersign.DeliveryDelivered})
		if err != nil {
			wantKind(t, err, countersign.ErrUnavailable)
			refused++
		}
	}
	if refused == 0 {
		t.Error("12,000 receipts of nobody's messages are all kept")
	}
	if got, err := b.Get(t.Context(), b.app, v.ID); err != nil || len(got.Deliveries) != 1 || got.Deliveries[0].Status != countersign.DeliveryAccepted {
		t.Errorf("%+v, %v", got, err)
	}
}

// A slow vendor does not lose its lease: the send is neither made twice nor given up (F-16).
func TestASlowSendKeepsItsLease(t *testing.T) {
	b := newBench(t)
	entered, leave := make(chan bool, 1), make(chan bool)
	b.carrier.answers(func(*countersign.Message) error {
		entered <- true
		<-leave
		return nil
	})
	done := make(chan *countersign.Verification, 1)
	go func() {
		v, err := b.start(t, number)
		if err != nil {
			t.Error(err)
		}
		done <- v
	}()
	<-entered
	time.Sleep(3200 * time.Millisecond) // past a lease that nobody renews, and its claim: real time, because a renewal is
	if n := b.carrier.count(); n != 1 {
		t.Errorf("the message was handed over %d times while the first was on its way", n)
	}
	close(leave)
	v := <-done
	if v == nil || v.Deliveries[0].Status != countersign.DeliveryAccepted {
		t.Fatalf("%+v", v)
	}
}
