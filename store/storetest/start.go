package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"countersign"
)

func startScenarios() []scenario {
	return []scenario{
		{"Start/takes and begins", startBoth},
		{"Start/a limit refuses", startRefusedByLimit},
		{"Start/the phone refuses", startRefusedByPhone},
		{"Start/seen before", startSeen},
		{"Start/abandoned", startAbandoned},
		{"Start/the same id", startAgain},
		{"Start/nothing to take", startBare},
	}
}

// start makes a start that is counted on the phone and by the given limits, under a key.
func (k *kit) start(b *countersign.Begin, key string, limits ...countersign.Limit) (*countersign.Taken, *countersign.Outcome) {
	k.Helper()
	b.Exempt = false
	t := &countersign.Take{Limits: limits, ID: b.Record.ID, Lifetime: time.Hour, Lease: time.Minute}
	if key != "" {
		t.Key, t.Body = hash(key), hash("body")
	}
	taken, o, err := k.store.Start(k.ctx, t, b)
	if err != nil {
		k.Fatalf("the start failed: %v", err)
	}
	return taken, o
}

// begunAs stops the test unless a start began what it was given.
func (k *kit) begunAs(b *countersign.Begin, o *countersign.Outcome) {
	k.Helper()
	if o == nil {
		k.Fatal("nothing was begun")
	}
	k.want(o, countersign.OutcomeOK)
	if o.Record.ID != b.Record.ID || o.Record.Status != countersign.StatusPending || o.Record.Sends != 1 {
		k.Errorf("begun: %+v", o.Record)
	}
	if got := k.lookup(b.Record.ID); got.Record.Seq != o.Record.Seq {
		k.Errorf("saved is change %d, answered %d", got.Record.Seq, o.Record.Seq)
	}
}

// unbegun stops the test unless a start came to nothing in the phone's slot.
func (k *kit) unbegun(b *countersign.Begin, o *countersign.Outcome) {
	k.Helper()
	if o != nil {
		k.Fatalf("begun: %+v", o)
	}
	if _, found, err := k.store.Lookup(k.ctx, b.Record.ID); found || err != nil {
		k.Errorf("a record is there: %v, %v", found, err)
	}
}

func startBoth(k *kit) {
	phone := NewPhone()
	wide, narrow := limit("wide", "w", 10, time.Hour), limit("narrow", "n", 2, time.Hour)
	b := k.draft(phone, rightCode)
	taken, o := k.start(b, "idem", wide, narrow)
	k.admitted(taken, true)
	k.begunAs(b, o)
	if taken.Seen != countersign.SeenNever || taken.Now.IsZero() || len(taken.Rates) != 2 || taken.Rates[0].Limit != wide ||
		taken.Rates[0].Remaining != 9 || taken.Rates[1].Remaining != 1 {
		k.Errorf("taken: %+v", taken)
	}
	if o.Phone.SendsLeft != countersign.MaxSendsBurst-1 {
		k.Errorf("the send is not counted on the phone: %+v", o.Phone)
	}
	// What it counted is where Take and Begin count.
	if t := k.take(&countersign.Take{Limits: []countersign.Limit{narrow}}); t.Rates[0].Remaining != 0 || t.Refused != nil {
		k.Errorf("after it the limit is %+v", t.Rates)
	}
	k.want(k.tryBegin(phone, counted), countersign.OutcomeTooSoon)
	k.want(k.check(o.Record, rightCode), countersign.OutcomeApproved)
}

func startRefusedByLimit(k *kit) {
	phone := NewPhone()
	wide, narrow := limit("wide", "w", 10, time.Hour), limit("narrow", "n", 1, time.Hour)
	k.take(&countersign.Take{Limits: []countersign.Limit{narrow}})
	b := k.draft(phone, rightCode)
	taken, o := k.start(b, "idem", wide, narrow)
	k.admitted(taken, false)
	k.unbegun(b, o)
	if taken.Refused.Limit != narrow || taken.Refused.RetryIn <= 0 || taken.Seen != countersign.SeenNever || taken.SeenID != "" {
		k.Errorf("refused: %+v", taken)
	}
	if t := k.take(&countersign.Take{Limits: []countersign.Limit{wide}, Peek: true}); t.Rates[0].Remaining != 10 {
		k.Errorf("what a refused start took was not given back: %+v", t.Rates[0])
	}
	// Neither the phone's count nor the key knows of it.
	taken, o = k.start(b, "idem", wide)
	k.admitted(taken, true)
	k.begunAs(b, o)
}

func startRefusedByPhone(k *kit) {
	phone := NewPhone()
	l := limit("starts", "a", 3, time.Hour)
	k.begin(phone, counted)
	b := k.draft(phone, rightCode)
	taken, o := k.start(b, "idem", l)
	k.admitted(taken, true)
	if o == nil {
		k.Fatal("the phone did not say why it refused")
	}
	if k.want(o, countersign.OutcomeTooSoon); o.RetryAfter <= 0 || o.RetryAfter > 30*time.Second || o.Record != nil {
		k.Errorf("refused: %+v", o)
	}
	k.unbegun(b, nil)
	// It is the caller's to give back what was taken, as after Begin.
	if err := k.store.Release(k.ctx, &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: b.Record.ID}); err != nil {
		k.Fatal(err)
	}
	k.advance(31 * time.Second)
	taken, o = k.start(b, "idem", l)
	k.begunAs(b, o)
	if taken.Rates[0].Remaining != 2 {
		k.Errorf("after the release: %+v", taken.Rates[0])
	}
}

func startSeen(k *kit) {
	l := limit("starts", "a", 10, time.Hour)
	first := k.draft(NewPhone(), rightCode)
	_, o := k.start(first, "idem", l)
	k.begunAs(first, o)
	again := k.draft(NewPhone(), rightCode)
	for _, state := range []countersign.Seen{countersign.SeenRunning, countersign.SeenDone} {
		taken, o := k.start(again, "idem", l)
		k.unbegun(again, o)
		if taken.Seen != state || taken.SeenID != first.Record.ID || taken.Refused != nil {
			k.Errorf("want state %d: %+v", state, taken)
		}
		if err := k.store.Finish(k.ctx, hash("idem")); err != nil {
			k.Fatal(err)
		}
	}
	taken, o, err := k.store.Start(k.ctx, &countersign.Take{
		Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("other"), ID: again.Record.ID, Lifetime: time.Hour, Lease: time.Minute,
	}, again)
	if err != nil || taken.Seen != countersign.SeenMismatch {
		k.Errorf("another body: %+v, %v", taken, err)
	}
	k.unbegun(again, o)
	if t := k.take(&countersign.Take{Limits: []countersign.Limit{l}, Peek: true}); t.Rates[0].Remaining != 9 {
		k.Errorf("repeats were counted: %+v", t.Rates[0])
	}
}

// The first request died: the caller goes on with its id, so Start begins nothing under another.
func startAbandoned(k *kit) {
	first := k.draft(NewPhone(), rightCode)
	k.take(&countersign.Take{Key: hash("idem"), Body: hash("body"), ID: first.Record.ID, Lifetime: time.Hour, Lease: time.Minute})
	k.advance(61 * time.Second)
	again := k.draft(first.Record.Phone, rightCode)
	taken, o := k.start(again, "idem", limit("starts", "a", 10, time.Hour))
	k.unbegun(again, o)
	if taken.Seen != countersign.SeenAbandoned || taken.SeenID != first.Record.ID || taken.Refused != nil || taken.Rates[0].Remaining != 9 {
		k.Errorf("taken: %+v", taken)
	}
}

// The answer to the first was lost: what is there decides.
func startAgain(k *kit) {
	l := limit("starts", "a", 10, time.Hour)
	b := k.draft(NewPhone(), rightCode)
	_, o := k.start(b, "", l)
	k.begunAs(b, o)
	_, o = k.start(b, "", l)
	if o == nil || o.Result != countersign.OutcomeOK || !o.Replayed || o.Record.Sends != 1 {
		k.Errorf("the same start again: %+v", o)
	}
}

func startBare(k *kit) {
	b := k.draft(NewPhone(), rightCode)
	taken, o := k.start(b, "")
	k.begunAs(b, o)
	if taken.Refused != nil || len(taken.Rates) != 0 {
		k.Errorf("taken: %+v", taken)
	}
}

// CappedStarts races starts of many phones under one limit: exactly its burst begins, and of the others nothing is there
// (INV-8).
func CappedStarts(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	const burst = 10
	return racedStarts(ctx, store, trials, parallel, burst, func(key countersign.Hash, t *countersign.Take) {
		t.Limits = []countersign.Limit{{Name: "starts", Key: key, Burst: burst, Period: time.Hour}}
	})
}

// OneKeyedStart races starts under one idempotency key: one begins (INV-13).
func OneKeyedStart(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	return racedStarts(ctx, store, trials, parallel, 1, func(key countersign.Hash, t *countersign.Take) {
		t.Key, t.Body = key, hash("body")
	})
}

// racedStarts races starts of different phones, of which so many must begin and the others must leave nothing.
func racedStarts(ctx context.Context, store countersign.Store, trials, parallel, want int, under func(key countersign.Hash, t *countersign.Take)) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		var begun atomic.Int64
		key := NewPhone()
		refused := make([]string, parallel)
		_, err := race(parallel, func(i int) (countersign.Result, error) {
			b := NewBegin(ring, testApp, NewPhone(), rightCode)
			t := &countersign.Take{ID: b.Record.ID, Lifetime: time.Hour, Lease: time.Minute}
			under(key, t)
			_, o, err := store.Start(ctx, t, b)
			if o != nil {
				begun.Add(1)
			} else {
				refused[i] = b.Record.ID
			}
			return countersign.OutcomeOK, err
		})
		if err != nil {
			return nil, err
		}
		if n := begun.Load(); n != int64(want) {
			violations = append(violations, fmt.Sprintf("trial %d: %d starts began, want %d", trial, n, want))
		}
		for _, id := range refused {
			if id == "" {
				continue
			}
			if o, found, err := store.Lookup(ctx, id); err != nil {
				return nil, err
			} else if found && o.Record.ID == id {
				violations = append(violations, fmt.Sprintf("trial %d: a start that was refused is there", trial))
			}
		}
	}
	return violations, nil
}
