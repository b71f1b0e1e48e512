package storetest

import (
	"time"

	"countersign"
)

func limitScenarios() []scenario {
	return []scenario{
		{"Take/rate", takeRate},
		{"Take/all or none", takeAllOrNone},
		{"Take/release", takeRelease},
		{"Take/idempotency key", takeKey},
		{"Take/abandoned", takeAbandoned},
		{"Take/abandoned and refused", takeAbandonedRefused},
		{"Take/key and limits", takeKeyAndLimits},
		{"Take/key's life", takeKeyLife},
		{"ForgetLimits", forgetEverything},
	}
}

func limit(name, key string, burst int, period time.Duration) countersign.Limit {
	return countersign.Limit{Name: name, Key: hash(key), Burst: burst, Period: period}
}

func (k *kit) admitted(t *countersign.Taken, want bool) *countersign.Taken {
	k.Helper()
	if (t.Refused == nil) != want {
		k.Fatalf("admitted: %v, want %v", t.Refused == nil, want)
	}
	return t
}

func takeRate(k *kit) {
	l := limit("client_starts", "a", 4, 40*time.Second)
	take := &countersign.Take{Limits: []countersign.Limit{l}}
	for i := range 4 {
		t := k.admitted(k.take(take), true)
		if len(t.Rates) != 1 || t.Now.IsZero() || t.Seen != countersign.SeenNever {
			k.Fatalf("the answer is %+v", t)
		}
		r := t.Rates[0]
		if r.Limit != l || r.Remaining != 3-i || (r.RetryIn > 0) != (i == 3) {
			k.Errorf("after %d takes the rate is %+v", i+1, r)
		}
		if most := time.Duration(i+1) * 10 * time.Second; r.Reset > most || r.Reset < most-8*time.Second {
			k.Errorf("after %d takes it is full again in %s", i+1, r.Reset)
		}
	}
	t := k.admitted(k.take(take), false)
	if t.Refused.Limit != l || t.Refused.Remaining != 0 || t.Refused.RetryIn <= 2*time.Second || t.Refused.RetryIn > 10*time.Second {
		k.Errorf("refused: %+v", t.Refused)
	}
	k.advance(t.Refused.RetryIn)
	k.admitted(k.take(take), true)
	k.admitted(k.take(take), false)
	k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{limit("client_starts", "b", 4, 40*time.Second)}}), true)
	k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{limit("other", "c", 1, time.Hour)}}), true)
	k.advance(40 * time.Second)
	for range 4 {
		k.admitted(k.take(take), true)
	}
	k.admitted(k.take(take), false)
}

func takeAllOrNone(k *kit) {
	wide, narrow := limit("wide", "w", 10, time.Hour), limit("narrow", "n", 1, time.Hour)
	both := &countersign.Take{Limits: []countersign.Limit{wide, narrow}, Key: hash("idem"), Body: hash("body"), ID: "ver_first", Lifetime: time.Hour, Lease: time.Minute}
	t := k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{wide, narrow}}), true)
	if len(t.Rates) != 2 || t.Rates[0].Limit != wide || t.Rates[1].Limit != narrow {
		k.Errorf("the rates are not in the order of the limits: %+v", t.Rates)
	}
	for range 5 {
		t = k.admitted(k.take(both), false)
		if t.Refused.Limit != narrow {
			k.Errorf("refused by %q", t.Refused.Limit.Name)
		}
		if t.Refused.RetryIn <= 0 || t.Refused.RetryIn > time.Hour {
			k.Errorf("a refused call may be tried after %s", t.Refused.RetryIn)
		}
	}
	t = k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{wide}}), true)
	if t.Rates[0].Remaining != 8 {
		k.Errorf("what a refused call took was not given back: %d remain", t.Rates[0].Remaining)
	}
	free := *both
	free.Limits, free.ID = nil, "ver_second"
	if t = k.take(&free); t.Seen != countersign.SeenNever {
		k.Errorf("a refused call reserved its key: %d", t.Seen)
	}
}

func takeRelease(k *kit) {
	l := limit("starts", "a", 2, time.Hour)
	take := &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: time.Hour, Lease: time.Minute}
	for range 5 {
		if t := k.admitted(k.take(take), true); t.Seen != countersign.SeenNever || t.Rates[0].Remaining != 1 {
			k.Fatalf("after a release: %+v", t)
		}
		if err := k.store.Release(k.ctx, take); err != nil {
			k.Fatal(err)
		}
	}
	k.take(take)
	foreign := *take
	foreign.Limits, foreign.ID = nil, "ver_b"
	if err := k.store.Release(k.ctx, &foreign); err != nil {
		k.Fatal(err)
	}
	if t := k.take(take); t.Seen != countersign.SeenRunning {
		k.Errorf("another request's release freed the key: %d", t.Seen)
	}
	if err := k.store.Finish(k.ctx, take.Key); err != nil {
		k.Fatal(err)
	}
	if err := k.store.Release(k.ctx, &countersign.Take{Key: take.Key, ID: take.ID}); err != nil {
		k.Fatal(err)
	}
	if t := k.take(take); t.Seen != countersign.SeenDone {
		k.Errorf("a release freed a finished key: %d", t.Seen)
	}
}

func takeKey(k *kit) {
	take := &countersign.Take{Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: 24 * time.Hour, Lease: 30 * time.Second}
	if t := k.take(take); t.Seen != countersign.SeenNever {
		k.Fatalf("a new key is %d", t.Seen)
	}
	again := *take
	again.ID = "ver_b"
	if t := k.take(&again); t.Seen != countersign.SeenRunning || t.SeenID != "ver_a" {
		k.Errorf("while the first runs: %+v", t)
	}
	other := again
	other.Body = hash("other")
	if t := k.take(&other); t.Seen != countersign.SeenMismatch {
		k.Errorf("another body while the first runs: %+v", t)
	}
	if err := k.store.Finish(k.ctx, take.Key); err != nil {
		k.Fatal(err)
	}
	if t := k.take(&again); t.Seen != countersign.SeenDone || t.SeenID != "ver_a" {
		k.Errorf("when the first is done: %+v", t)
	}
	if t := k.take(&other); t.Seen != countersign.SeenMismatch {
		k.Errorf("another body when the first is done: %+v", t)
	}
	if err := k.store.Finish(k.ctx, hash("nobody's")); err != nil {
		k.Errorf("finishing an unknown key: %v", err)
	}
	if t := k.take(&countersign.Take{}); t.Seen != countersign.SeenNever || t.Refused != nil || len(t.Rates) != 0 {
		k.Errorf("taking nothing gives %+v", t)
	}
}

func takeAbandoned(k *kit) {
	l := limit("starts", "a", 10, time.Hour)
	take := &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: time.Hour, Lease: 30 * time.Second}
	k.take(take)
	k.advance(31 * time.Second)
	again := *take
	again.ID = "ver_b"
	t := k.admitted(k.take(&again), true)
	if t.Seen != countersign.SeenAbandoned || t.SeenID != "ver_a" || len(t.Rates) != 1 || t.Rates[0].Remaining != 8 {
		k.Errorf("after the lease: %+v", t)
	}
	if t = k.take(&again); t.Seen != countersign.SeenRunning || t.SeenID != "ver_a" {
		k.Errorf("the lease was not renewed: %+v", t)
	}
	k.advance(31 * time.Second)
	other := again
	other.Body = hash("other")
	if t = k.take(&other); t.Seen != countersign.SeenMismatch {
		k.Errorf("another body after the lease: %+v", t)
	}
}

// Who carries on with a request that died is refused as anybody is where a limit has no room, and the key stays for the next try.
func takeAbandonedRefused(k *kit) {
	l := limit("starts", "a", 1, time.Hour)
	take := &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: 24 * time.Hour, Lease: 30 * time.Second}
	k.take(take)
	k.advance(31 * time.Second)
	for range 2 {
		again := *take
		again.ID = "ver_b"
		if t := k.admitted(k.take(&again), false); t.Seen != countersign.SeenNever || t.SeenID != "" {
			k.Errorf("refused, and told of the key: %+v", t)
		}
	}
	k.advance(time.Hour)
	if t := k.admitted(k.take(take), true); t.Seen != countersign.SeenAbandoned || t.SeenID != "ver_a" {
		k.Errorf("when there is room again: %+v", t)
	}
}

func takeKeyAndLimits(k *kit) {
	l := limit("starts", "a", 2, time.Hour)
	take := &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: time.Hour, Lease: time.Minute}
	k.take(take)
	for range 5 {
		if t := k.take(take); t.Seen != countersign.SeenRunning || t.Refused != nil {
			k.Fatalf("a repeat was counted: %+v", t)
		}
	}
	if err := k.store.Finish(k.ctx, take.Key); err != nil {
		k.Fatal(err)
	}
	for range 5 {
		k.take(take)
	}
	if t := k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{l}}), true); t.Rates[0].Remaining != 0 {
		k.Errorf("repeats were counted, or the first was not: %d remain", t.Rates[0].Remaining)
	}
}

func takeKeyLife(k *kit) {
	take := &countersign.Take{Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: time.Hour, Lease: time.Minute}
	k.take(take)
	if err := k.store.Finish(k.ctx, take.Key); err != nil {
		k.Fatal(err)
	}
	k.advance(59 * time.Minute)
	if t := k.take(take); t.Seen != countersign.SeenDone {
		k.Errorf("within its life the key is %d", t.Seen)
	}
	k.advance(2 * time.Minute)
	again := *take
	again.ID, again.Body = "ver_b", hash("other")
	if t := k.take(&again); t.Seen != countersign.SeenNever {
		k.Errorf("after its life the key is %d", t.Seen)
	}
}

func forgetEverything(k *kit) {
	phone := NewPhone()
	pending := k.begin(phone, counted, inApp(otherApp))
	k.spendGuesses(phone, countersign.MaxPhoneChecks)
	l := limit("starts", "a", 1, time.Hour)
	take := &countersign.Take{Limits: []countersign.Limit{l}, Key: hash("idem"), Body: hash("body"), ID: "ver_a", Lifetime: time.Hour, Lease: time.Minute}
	k.take(take)
	k.want(k.tryBegin(phone, counted), countersign.OutcomeLocked)
	k.forgetLimits()
	if o := k.lookup(pending.ID); o.Phone.ChecksLeft != countersign.MaxPhoneChecks || o.Phone.SendsLeft != countersign.MaxSendsBurst || o.Record.Status != countersign.StatusPending {
		k.Errorf("after forgetting, the phone is %+v and the record %s", o.Phone, o.Record.Status)
	}
	if t := k.take(take); t.Seen != countersign.SeenRunning {
		k.Errorf("the idempotency key was forgotten: %d", t.Seen)
	}
	k.admitted(k.take(&countersign.Take{Limits: []countersign.Limit{l}}), true)
	k.want(k.tryBegin(phone, counted), countersign.OutcomeOK)
	k.want(k.check(pending, rightCode), countersign.OutcomeApproved)
}
