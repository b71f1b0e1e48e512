package countersign

import (
	"context"
	"errors"
	"sync"
	"time"
)

// This file keeps receipts that came too early. Some vendors name a message by their own id only, and their receipt can
// overtake the answer that tells us this id. Such a receipt waits a while and is tried again.

const (
	parkedEvery = 250 * time.Millisecond
	parkedFor   = time.Minute
	parkedMost  = 10_000
	parkedTries = 500 // of one round: a storm must not keep the store from its work
)

// parked are the receipts that wait.
type parked struct {
	v    *Verifier
	mu   sync.Mutex
	list []parkedReceipt
}

type parkedReceipt struct {
	receipt Receipt
	came    time.Time // by the process's own clock
	next    time.Time
	tries   int
}

var errParkedFull = errors.New("too many receipts wait for what they are of")

// add lets a receipt wait. When too many do, the vendor is told to come again.
func (p *parked) add(r Receipt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) >= parkedMost {
		return Unavailable(errParkedFull)
	}
	now := time.Now()
	p.list = append(p.list, parkedReceipt{receipt: r, came: now, next: now})
	return nil
}

// due takes out what is to be tried now, and drops what has waited long enough.
func (p *parked) due(now time.Time) []parkedReceipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	var due []parkedReceipt
	rest := p.list[:0]
	for _, one := range p.list {
		switch {
		case now.Sub(one.came) > parkedFor && one.receipt.Status == "":
			// a price of a message that was never written down
		case now.Sub(one.came) > parkedFor:
			p.v.cfg.Observer.Observe(Event{Name: EventReceipt, Result: "unknown"})
		case len(due) < parkedTries && !now.Before(one.next):
			due = append(due, one)
		default:
			rest = append(rest, one)
		}
	}
	clear(p.list[len(rest):])
	p.list = rest
	return due
}

// retry tries what is due. Each try doubles the time to the next.
func (p *parked) retry(ctx context.Context) {
	now := time.Now()
	var again []parkedReceipt
	for _, one := range p.due(now) {
		if p.took(ctx, &one.receipt) {
			continue
		}
		one.tries++
		one.next = now.Add(parkedEvery << min(one.tries, 6))
		again = append(again, one)
	}
	if len(again) == 0 {
		return
	}
	p.mu.Lock()
	p.list = append(p.list, again...)
	p.mu.Unlock()
}

// took says whether a receipt has found what it is of.
func (p *parked) took(ctx context.Context, r *Receipt) bool {
	if r.Status == "" {
		known, err := p.v.takeCost(ctx, r)
		return known && err == nil
	}
	o, err := p.v.cfg.Store.Receipt(ctx, r)
	if err != nil || (o.Result == OutcomeUnknown && o.Record != nil) {
		return false
	}
	p.v.tookReceipt(ctx, r, o)
	return true
}
