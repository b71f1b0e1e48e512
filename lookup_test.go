package countersign_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
)

// held is a store that takes its time to write down a send, and can stop to answer reads.
type held struct {
	countersign.Store
	free chan struct{}
	deaf atomic.Bool
}

func (h *held) Sent(ctx context.Context, s *countersign.Sent) (*countersign.Outcome, error) {
	<-h.free
	return h.Store.Sent(ctx, s)
}

func (h *held) Lookup(ctx context.Context, id string) (*countersign.Outcome, bool, error) {
	if h.deaf.Load() {
		return nil, false, countersign.Unavailable(errors.New("deaf"))
	}
	return h.Store.Lookup(ctx, id)
}

// heldMany takes many at once, as Redis does.
type heldMany struct{ *held }

func (h heldMany) SentMany(ctx context.Context, moves []*countersign.Sent) ([]*countersign.Outcome, error) {
	outcomes := make([]*countersign.Outcome, len(moves))
	for i, m := range moves {
		var err error
		if outcomes[i], err = h.Sent(ctx, m); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}

// A send is written down behind the answer. Whoever reads the verification before that sees what the answer said.
func TestAReadSeesTheSendThatTheStartAnswered(t *testing.T) {
	for _, tt := range []struct {
		name       string
		many, wait bool
	}{{"one by one", false, true}, {"many at once", true, true}, {"nobody waits", false, false}} {
		t.Run(tt.name, func(t *testing.T) {
			h := &held{free: make(chan struct{})}
			b := newBench(t, func(c *countersign.Config, _ *countersign.App) {
				h.Store = c.Store
				if c.Store = h; tt.many {
					c.Store = heldMany{h}
				}
			})
			release := sync.OnceFunc(func() { close(h.free) })
			t.Cleanup(release) // before the engine stops, which waits for what it has to write
			v := b.mustStart(t, number, func(q *countersign.StartRequest) { q.Wait = tt.wait })
			read := func() *countersign.Verification {
				t.Helper()
				got, err := b.Get(t.Context(), b.app, v.ID)
				if err != nil || len(got.Deliveries) != 1 || got.Deliveries[0].ID != v.Deliveries[0].ID || got.Deliveries[0].At.IsZero() {
					t.Fatalf("read: %+v, %v; answered: %+v", got, err, v.Deliveries)
				}
				return got
			}
			read() // before anybody carries it, where nobody waited
			eventually(t, "the message is carried", func() bool { return b.carrier.count() == 1 })
			if o, ok, err := b.store.Lookup(t.Context(), v.ID); err != nil || !ok || len(o.Record.Deliveries) != 0 {
				t.Fatalf("control: the store has the send already: %+v, %v", o, err)
			}
			got := read()
			if tt.wait && got.Deliveries[0].Status != countersign.DeliveryAccepted {
				t.Errorf("read: %+v", got.Deliveries[0])
			}
			release()
			b.written(t, v.ID)
			if got := read(); got.Deliveries[0].Status != countersign.DeliveryAccepted {
				t.Errorf("once written: %+v", got.Deliveries)
			}
		})
	}
}

// The log does not know what a phone has left, so a list shows what is pending as the store has it, and as the log has it
// while the store is away.
func TestAListSaysWhatAPhoneHasLeft(t *testing.T) {
	h := &held{free: make(chan struct{})}
	close(h.free)
	b := newBench(t, func(c *countersign.Config, _ *countersign.App) { h.Store, c.Store = c.Store, h })
	v := b.mustStart(t, number)
	if _, err := b.check(t, v.ID, other(b.carrier.code(t))); err == nil {
		t.Fatal("a wrong code was right")
	}
	list := func() []*countersign.Verification {
		list, _, err := b.List(t.Context(), &countersign.ListRequest{App: b.app, To: address(t, number), Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	eventually(t, "the log has the start", func() bool { return len(list()) == 1 })
	got := list()[0]
	if wait := got.NextSend.Sub(got.Now); wait <= 0 || wait > 30*time.Second || got.ChecksLeft != 4 || got.SendsLeft != 2 {
		t.Errorf("in the list: %d checks and %d sends left, the next in %s", got.ChecksLeft, got.SendsLeft, wait)
	}
	h.deaf.Store(true)
	if away := list(); len(away) != 1 || away[0].ID != v.ID || away[0].Status != countersign.StatusPending {
		t.Errorf("without the store: %+v", away)
	}
}
