package countersign

import (
	"context"
	"sync"
	"time"
)

// This file keeps the lease of a send while its process lives. The lease is short, so that what a dead process held is taken
// over within five seconds; a send that takes longer renews it, and writes down which message is on its way.

const (
	sendLease  = 1500 * time.Millisecond
	renewEvery = 600 * time.Millisecond
)

// inFlight is what this process is sending. Its own sweep must leave that alone: a process that was starved for a moment
// would else send a message a second time beside itself.
type inFlight struct {
	mu  sync.Mutex
	ids map[string]int
}

func (f *inFlight) add(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids == nil {
		f.ids = make(map[string]int)
	}
	f.ids[id]++
}

func (f *inFlight) done(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids[id]--; f.ids[id] <= 0 {
		delete(f.ids, id)
	}
}

func (f *inFlight) has(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ids[id] > 0
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
	v.sending.add(r.ID)
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

// stop ends it. Nothing of it reaches the store after that.
func (k *renewal) stop() {
	if k.timer != nil && !k.timer.Stop() {
		k.mu.Lock()
		k.stopped = true
		k.timer.Stop()
		k.mu.Unlock()
	}
	k.v.sending.done(k.r.ID)
}
