package countersign

import (
	"context"
	"time"
)

// refunds are what approvals give back to budgets: a check's own round trip is all that its caller waits for. One that is
// lost with its process leaves a budget emptier than it should be, never fuller.
type refunds struct{ batch[Refund] }

func newRefunds(v *Verifier) *refunds {
	return &refunds{batch[Refund]{v: v, flush: func(list []Refund) {
		if err := v.cfg.Store.Refund(context.Background(), list); err != nil {
			v.fault("refunding budgets", nil, err)
		}
	}}}
}

func (f *refunds) add(r Refund) {
	if len(r.Limits) > 0 {
		f.batch.add(r)
	}
}

// bill settles what a send reserved, when a provider took it.
func (v *Verifier) bill(limits []Limit, r *Record, d *Delivery) {
	biller, ok := v.cfg.Guard.(Biller)
	if !ok || d.Provider == "" {
		return
	}
	if back := biller.Bill(limits, d.Provider, r.Country, d.Channel); len(back) > 0 {
		v.refunds.add(Refund{Limits: back})
	}
}

// costsLifetime is how long a vendor may go on telling the same cost again.
const costsLifetime = 48 * time.Hour

// settle corrects what a message was billed at by what its receipt says that it did cost, once: vendors tell the same
// more than once, and in more than one receipt.
func (v *Verifier) settle(ctx context.Context, r *Receipt, record *Record, d *Delivery, now time.Time) {
	coster, ok := v.cfg.Guard.(Coster)
	if !ok || r.Cost.Currency == "" || r.Cost.Micros < 0 || record.Test || d.Provider == "" {
		return
	}
	hash := v.cfg.Keys().LookupHash
	limits := coster.Settle(&Bill{
		App: record.App, Country: record.Country, Provider: d.Provider, Channel: d.Channel, Begun: record.Created, Now: now, Cost: r.Cost,
		Hash: hash,
	})
	if len(limits) == 0 {
		return
	}
	once := Take{Key: hash("cost", d.ID), Body: hash("cost"), ID: record.ID, Lifetime: costsLifetime, Lease: costsLifetime}
	taken, err := v.cfg.Store.Take(ctx, &once)
	if err != nil {
		v.fault("settling what a message cost", record, err)
		return
	}
	if taken.Seen == SeenNever {
		v.refunds.add(Refund{Limits: limits})
	}
}
