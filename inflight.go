package countersign

import (
	"context"
	"slices"
	"sync"
	"time"
)

// This file keeps the lease of a send while its process lives. The lease is short, so that what a dead process held is taken
// over within five seconds; a send that takes longer renews it, and writes down which message is on its way.

const (
	sendLease  = 1500 * time.Millisecond
	renewEvery = 600 * time.Millisecond
)

// inFlight is what this process is sending, by verification. Its own sweep must leave that alone: a process that was
// starved for a moment would else send a message a second time beside itself. A send stays here until it is written down,
// so that whoever reads the verification meanwhile sees what the start's answer said.
type inFlight struct {
	mu    sync.Mutex
	sends map[string]flight
}

// flight is the sends of one verification that are not written down yet.
type flight struct {
	carriers int      // providers that have not answered
	last     Delivery // of the newest
}

// announce says that a message will be handed over soon: the answer that names it is given before.
func (f *inFlight) announce(id string, d Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sends == nil {
		f.sends = make(map[string]flight)
	}
	f.sends[id] = flight{f.sends[id].carriers, d}
}

// add says that a provider is asked to carry a message.
func (f *inFlight) add(id string, d Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sends == nil {
		f.sends = make(map[string]flight)
	}
	f.sends[id] = flight{f.sends[id].carriers + 1, d}
}

// landed says that the provider has answered, or that nobody waits for it any more.
func (f *inFlight) landed(id string, d Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sends[id] = flight{f.sends[id].carriers - 1, d}
}

// written says that the store knows of a send, or never will.
func (f *inFlight) written(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sends[id].carriers == 0 {
		delete(f.sends, id)
	}
}

func (f *inFlight) has(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sends[id].carriers > 0
}

// deliveries are a record's, with the one that is not written down yet.
func (f *inFlight) deliveries(r *Record, now time.Time) []Delivery {
	if len(r.Deliveries) >= r.Sends {
		return r.Deliveries
	}
	f.mu.Lock()
	d := f.sends[r.ID].last
	f.mu.Unlock()
	if d.ID == "" || slices.ContainsFunc(r.Deliveries, func(have Delivery) bool { return have.ID == d.ID }) {
		return r.Deliveries
	}
	if d.At.IsZero() {
		d.At = now
	}
	return append(slices.Clip(r.Deliveries), d)
}

// renewal renews one send's lease until it is stopped.
type renewal struct {
	v     *Verifier
	r     *Record
	m     *Message
	timer *time.Timer

	mu      sync.Mutex // held while the store is asked: stop waits for that
	stopped bool
}

// keep begins to renew a send's lease. A start that waits for the app's word has none, and gets none.
func (v *Verifier) keep(r *Record, m *Message) *renewal {
	k := &renewal{v: v, r: r, m: m}
	v.sending.add(r.ID, Delivery{ID: m.ID, Channel: r.Channel, Status: DeliveryQueued})
	if !r.Lease.IsZero() {
		k.mu.Lock() // a machine that is busy may come to renew before the timer has its name
		k.timer = time.AfterFunc(renewEvery, k.renew)
		k.mu.Unlock()
	}
	return k
}

func (k *renewal) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	_, err := k.v.cfg.Store.Sent(context.Background(), &Sent{
		ID: k.r.ID, Channel: k.r.Channel, Hosted: k.r.Hosted, HostedRef: k.r.HostedRef, KeepLease: true, Lease: sendLease,
		Delivery: Delivery{ID: k.m.ID, Channel: k.r.Channel, Status: DeliveryQueued, At: k.v.Now()},
	})
	if err != nil {
		k.v.fault("renewing a send's lease", k.r, err)
	}
	k.timer.Reset(renewEvery)
}

// stop ends it, with what became of the message. Nothing of it reaches the store after that.
func (k *renewal) stop(d *Delivery) {
	if k.timer != nil && !k.timer.Stop() {
		k.mu.Lock()
		k.stopped = true
		k.timer.Stop()
		k.mu.Unlock()
	}
	k.v.sending.landed(k.r.ID, *d)
}
