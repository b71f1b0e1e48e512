package storetest

import (
	"context"
	"crypto/subtle"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// naive is a store as it must not be: it reads a record, decides, and writes it back, with time for another
// caller in between. Made with whole, each step holds one lock from end to end. It knows Begin, Check,
// Cancel, Lookup, Take and Refund only, and for these no time.
type naive struct {
	countersign.Store
	whole   bool
	step    sync.Mutex
	mu      sync.Mutex
	records map[string]countersign.Record
	used    map[countersign.Hash]int
}

func newNaive(whole bool) *naive {
	return &naive{whole: whole, records: map[string]countersign.Record{}, used: map[countersign.Hash]int{}}
}

func (n *naive) get(id string) countersign.Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.records[id]
}

func (n *naive) put(r countersign.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[r.ID] = r
}

// Begin saves a record. Of the limits of sends it knows one: one message to the phone, and one of a device's own.
func (n *naive) Begin(_ context.Context, b *countersign.Begin) (*countersign.Outcome, error) {
	if n.whole {
		n.step.Lock()
		defer n.step.Unlock()
	}
	r := *b.Record
	r.Status = countersign.StatusPending
	sends := countersign.Limit{Key: hash("sends of " + r.Phone.Hex())}
	if b.Device != nil && n.count(sends, 0) > 0 {
		sends.Key = b.Device.ID
	}
	if !b.Exempt && n.count(sends, 0) > 0 {
		return &countersign.Outcome{Result: countersign.OutcomeTooSoon, Now: time.Now()}, nil
	}
	runtime.Gosched()
	if !b.Exempt {
		n.count(sends, 1)
	}
	n.put(r)
	return &countersign.Outcome{Result: countersign.OutcomeOK, Record: &r, Now: time.Now()}, nil
}

// Check counts and compares on a copy.
func (n *naive) Check(_ context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	if n.whole {
		n.step.Lock()
		defer n.step.Unlock()
	}
	r := n.get(c.ID)
	o := &countersign.Outcome{Record: &r, Now: time.Now()}
	if r.Status.Final() {
		o.Result = countersign.OutcomeClosed
		return o, nil
	}
	guesses, most := r.Phone, countersign.MaxPhoneChecks
	if c.Device != nil && n.count(countersign.Limit{Key: guesses}, 0) >= most {
		guesses, most = c.Device.ID, countersign.MaxDeviceChecks
	}
	if n.count(countersign.Limit{Key: guesses}, 0) >= most {
		o.Result = countersign.OutcomeLocked
		return o, nil
	}
	runtime.Gosched() // as a network would
	n.count(countersign.Limit{Key: guesses}, 1)
	r.Checks++
	if subtle.ConstantTimeCompare(c.Tags[0].Sum[:], r.Tag.Sum[:]) == 1 {
		r.Status, r.JTI, o.Result = countersign.StatusApproved, c.JTI, countersign.OutcomeApproved
	} else {
		o.Result = countersign.OutcomeIncorrect
		if r.Checks >= r.MaxChecks {
			r.Status = countersign.StatusFailed
		}
	}
	n.put(r)
	return o, nil
}

// Cancel ends a copy.
func (n *naive) Cancel(_ context.Context, c *countersign.Cancel) (*countersign.Outcome, error) {
	if n.whole {
		n.step.Lock()
		defer n.step.Unlock()
	}
	r := n.get(c.ID)
	o := &countersign.Outcome{Result: countersign.OutcomeOK, Record: &r, Now: time.Now()}
	switch {
	case r.Status == c.Status:
		o.Replayed = true
		return o, nil
	case r.Status.Final():
		o.Result = countersign.OutcomeClosed
		return o, nil
	}
	runtime.Gosched()
	r.Status = c.Status
	n.put(r)
	return o, nil
}

// Lookup reads.
func (n *naive) Lookup(_ context.Context, id string) (*countersign.Outcome, bool, error) {
	r := n.get(id)
	return &countersign.Outcome{Record: &r, Now: time.Now()}, true, nil
}

func (n *naive) count(l countersign.Limit, more int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.used[l.Key] = max(0, n.used[l.Key]+more)
	return n.used[l.Key]
}

// Take looks whether there is room, and then counts.
func (n *naive) Take(_ context.Context, t *countersign.Take) (*countersign.Taken, error) {
	if n.whole {
		n.step.Lock()
		defer n.step.Unlock()
	}
	for _, l := range t.Limits {
		if n.count(l, 0) >= l.Burst {
			return &countersign.Taken{Refused: &countersign.Rate{Limit: l}}, nil
		}
	}
	if !t.Key.IsZero() && n.count(countersign.Limit{Key: t.Key}, 0) > 0 {
		return &countersign.Taken{Seen: countersign.SeenRunning}, nil
	}
	runtime.Gosched()
	if !t.Key.IsZero() {
		n.count(countersign.Limit{Key: t.Key}, 1)
	}
	for _, l := range t.Limits {
		n.count(l, 1)
	}
	return &countersign.Taken{}, nil
}

// Start is two steps.
func (n *naive) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	return countersign.TakeThenBegin(ctx, n, t, b)
}

// Refund gives back.
func (n *naive) Refund(_ context.Context, refunds []countersign.Refund) error {
	if n.whole {
		n.step.Lock()
		defer n.step.Unlock()
	}
	for _, r := range refunds {
		for _, l := range r.Limits {
			n.count(l, -l.Back)
		}
	}
	return nil
}

// TestControl shows that the invariants find a racy store, and that they find nothing in a whole one.
func TestControl(t *testing.T) {
	const trials, parallel = 100, 50
	for name, check := range map[string]invariant{"one approval": OneApproval, "one end": OneEnd, "five guesses": CappedGuesses, "five guesses of a device": CappedDevice, "one send of a device": OneDeviceSend, "budgets": HeldBudget, "capped starts": CappedStarts, "one keyed start": OneKeyedStart} {
		t.Run(name, func(t *testing.T) {
			violations, err := check(t.Context(), newNaive(false), trials, parallel)
			if err != nil {
				t.Fatal(err)
			}
			if len(violations) < 90 {
				t.Errorf("a racy store was found out in %d of %d trials only", len(violations), trials)
			}
			violations, err = check(t.Context(), newNaive(true), trials, parallel)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range violations {
				t.Errorf("a whole store was accused: %s", v)
			}
		})
	}
}

func TestIDsAreValid(t *testing.T) {
	for range 100 {
		phone := NewPhone()
		id := NewID(phone)
		if !countersign.ValidVerificationID(id) || countersign.ShardOf(id) != phone.Shard() {
			t.Fatalf("%s is not a valid id in shard %s", id, phone.Shard())
		}
	}
}
