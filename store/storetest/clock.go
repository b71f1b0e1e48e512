package storetest

import (
	"time"

	"countersign"
)

func clockScenarios() []scenario {
	return []scenario{
		{"Clock/advances", clockAdvances},
		{"Ping", pingAnswers},
	}
}

func clockAdvances(k *kit) {
	before := k.store.Now()
	if before.IsZero() {
		k.Fatalf("the store has no time")
	}
	k.advance(time.Hour)
	after := k.store.Now()
	if d := after.Sub(before); d < time.Hour || d > time.Hour+time.Minute {
		k.Errorf("an hour's advance moved the clock by %s", d)
	}
	for _, d := range []time.Duration{-time.Millisecond, -time.Hour} {
		if err := k.store.Advance(k.ctx, d); err == nil {
			k.Errorf("the clock was moved by %s", d)
		}
	}
	last := k.store.Now()
	if last.Before(after) {
		k.Errorf("a refused advance moved the clock back")
	}
	for range 100 {
		now := k.store.Now()
		if now.Before(last) {
			k.Fatalf("the clock went back from %v to %v", last, now)
		}
		last = now
	}
	r := k.begin(NewPhone())
	o := k.want(k.check(r, rightCode), countersign.OutcomeApproved)
	if d := k.store.Now().Sub(o.Now); d < -time.Second || d > 5*time.Second {
		k.Errorf("Now is %s off the last answer", d)
	}
	if o.Now.Before(r.Created) || r.Created.Sub(before) < time.Hour {
		k.Errorf("a move is at %v, its record is of %v, the clock was at %v before the advance", o.Now, r.Created, before)
	}
}

func pingAnswers(k *kit) {
	if err := k.store.Ping(k.ctx); err != nil {
		k.Errorf("Ping: %v", err)
	}
}
