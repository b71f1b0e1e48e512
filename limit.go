package countersign

import (
	"context"
	"time"
)

// This file is what is counted outside of a phone's slot: rates, budgets and idempotency keys, and how a store takes them.

// Limits counts what lives outside a phone's slot.
type Limits interface {
	// Take counts every limit and reserves the idempotency key, in one flush. When one limit refuses, those taken by
	// the same call are given back before it returns.
	Take(ctx context.Context, t *Take) (*Taken, error)
	// Release gives back what Take took, for a request that the next step refused, and frees its idempotency key.
	Release(ctx context.Context, t *Take) error
	// Refund gives back for successes, many in one flush.
	Refund(ctx context.Context, refunds []Refund) error
	// Finish marks the idempotency key's first request as done, so that a repeat is answered from the verification.
	Finish(ctx context.Context, key Hash) error
}

// Limit is one rate: at most Burst at once, refilled evenly over Period (GCRA). With Back it is a budget: what does
// not succeed is used up until it refills. With Until it is a sum of amounts.
type Limit struct {
	Name   string // what it counts, for headers, logs and metrics: "client_starts"
	Key    Hash   // whom it counts
	Burst  int
	Period time.Duration
	Cost   int // what one request takes; 0 means 1
	Back   int // what Refund gives back. Below zero it takes, whatever the limit says: a bill that came out higher
	// Until, when set, makes it a sum: at most Burst in all until then, when it starts anew. Period is not used.
	Until time.Time
	// Challenge is the difficulty of the proof of work that lets a start or a send pass this limit uncounted; 0: it refuses. A
	// guard may name a ceiling instead for an Attempt that has Solved enough.
	Challenge int
	Shadow    bool // it is counted while it has room, and never refuses
}

// Spends is what one request takes.
func (l *Limit) Spends() int { return max(1, l.Cost) }

// Budget is an allowance that success refunds: Capacity at once, Refill more each hour. A send takes one and a
// success gives back two, so at a conversion above one half it never runs dry, and without any it bounds what is sent in
// a day to Capacity + 24 × Refill.
type Budget struct {
	Capacity int
	Refill   int // per hour
}

// BudgetBack is what a success gives back for the one that its send took.
const BudgetBack = 2

// Limit is the budget as a store counts it.
func (b Budget) Limit(name string, key Hash) Limit {
	return Limit{
		Name: name, Key: key, Burst: b.Capacity, Period: time.Duration(b.Capacity) * time.Hour / time.Duration(max(1, b.Refill)), Back: BudgetBack,
	}
}

// Refund is what one success gives back: Back of each limit, which is never fuller than full. Once, when it is set, is
// counted as well; when it has no room, no limit gets back more than one. So the same phone approved over and over cannot
// fill what others empty.
type Refund struct {
	Once   Limit
	Limits []Limit
}

// Rate is where a limit stands after a Take.
type Rate struct {
	Limit     Limit
	Remaining int
	Reset     time.Duration // until it is full again
	RetryIn   time.Duration // until one more fits; zero when one fits now
	Over      bool          // this take did not fit, and was not counted here
}

// Take is what a request counts before its phone's own step.
type Take struct {
	Limits []Limit
	Peek   bool // only look: nothing is counted, no key is reserved

	Key      Hash          // idempotency: keyed hash of app, route, caller and key; zero without one
	Body     Hash          // keyed hash of the request's body
	ID       string        // the id that the request will give to what it makes
	Lifetime time.Duration // how long the key is remembered once done: 24 h
	Lease    time.Duration // how long the first request may run before another takes over with the same ID
}

// counted is the limits without those that had no room and did not refuse: what is to be given back when nothing comes
// of the request.
func counted(limits []Limit, t *Taken) []Limit {
	for i := range t.Rates {
		if !t.Rates[i].Over {
			continue
		}
		list := make([]Limit, 0, len(limits))
		for n := range limits {
			if n >= len(t.Rates) || !t.Rates[n].Over {
				list = append(list, limits[n])
			}
		}
		return list
	}
	return limits
}

// budgetsOf is those of the limits that a success would refund, and the sums of money: a message that never went out takes
// nothing from them.
func budgetsOf(limits []Limit) []Limit {
	list := make([]Limit, 0, len(limits))
	for i := range limits {
		if limits[i].Back > 0 || !limits[i].Until.IsZero() {
			list = append(list, limits[i])
		}
	}
	return list
}

// Taken is the answer.
type Taken struct {
	Now     time.Time
	Refused *Rate  // the limit that refused; nil when all admitted
	Rates   []Rate // all, in the order of Take.Limits

	Seen   Seen   // what the idempotency key says; SeenNever where a limit refused
	SeenID string // the id the first request gave; use it instead of a new one
}

// Seen is the state of an idempotency key.
type Seen uint8

// The states.
const (
	SeenNever     Seen = iota // ours now, or none given
	SeenRunning               // the first request still runs
	SeenDone                  // answer again from SeenID
	SeenMismatch              // the same key with another body
	SeenAbandoned             // the first request died; carry on with SeenID
)

// TakeThenBegin makes Start in two steps. An error of the second leaves what the first took, as its answer may have been lost.
func TakeThenBegin(ctx context.Context, s Store, t *Take, b *Begin) (*Taken, *Outcome, error) {
	taken, err := s.Take(ctx, t)
	if err != nil || taken.Refused != nil || taken.Seen != SeenNever {
		return taken, nil, err
	}
	o, err := s.Begin(ctx, b)
	return taken, o, err
}
