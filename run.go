package countersign

import (
	"context"
	"errors"
	"sync"
	"time"
)

// This file is the engine's work in the background: it ends what has expired, takes over sends whose process
// died, and carries outcomes from the store's outbox to the log.

const (
	sweepEvery  = 250 * time.Millisecond
	sweepBatch  = 64
	outboxEvery = time.Second
	outboxAge   = 3 * time.Second // younger entries are on their way in the process that made them
	outboxBatch = 500
)

// Run works until ctx ends, then hands over or finishes what is in flight: it returns when every send and every
// step behind an answer is done. Cancel ctx only when no more requests come in.
func (v *Verifier) Run(ctx context.Context) error {
	var log, work sync.WaitGroup
	log.Go(v.log.run)
	work.Go(func() { every(ctx, sweepEvery, v.sweep) })
	work.Go(func() { every(ctx, parkedEvery, v.parked.retry) })
	work.Go(func() { every(ctx, rekeyEvery, v.rekey) })
	work.Go(func() { every(ctx, outboxEvery, v.drainOutbox) }) // a slow log must not keep sends from being taken over
	work.Wait()
	v.behind.drain()
	v.log.close()
	log.Wait()
	return nil
}

// every does something again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, step func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			step(ctx)
		}
	}
}

// sweep goes on while there is more than one batch, so that a busy hour's expiries do not pile up.
func (v *Verifier) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		claimed, err := v.cfg.Store.Sweep(ctx, sendLease, sweepBatch)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrUnavailable) {
				v.fault("sweeping", nil, err)
			}
			return
		}
		for _, r := range claimed {
			if r.Status.Final() {
				v.ended(r)
				continue
			}
			if v.sending.has(r.ID) {
				continue // ours: it renews the lease itself
			}
			if err := v.behind.do(func() { v.takeOver(ctx, r) }); err != nil {
				return // its lease runs out again, and the next process finds it
			}
		}
		if len(claimed) < sweepBatch {
			return
		}
	}
}

// takeOver sends for a process that died, or asks what became of a send whose answer was lost: the dispatcher
// looks a message up by its reference before it sends it a second time.
func (v *Verifier) takeOver(ctx context.Context, r *Record) {
	ctx = detached(ctx)
	if v.Now().Sub(r.Created) > min(v.cfg.SendDeadline, r.Expires.Sub(r.Created)/2) {
		if reached(r) {
			v.giveUpSend(ctx, r)
			return
		}
		if _, err := v.end(ctx, r.ID, StatusUndeliverable); err != nil {
			v.fault("ending an undeliverable verification", r, err)
		}
		return
	}
	v.cfg.Observer.Observe(Event{Name: EventTakenOver, App: r.App, Verification: shortID(r.ID), Channel: r.Channel, Country: r.Country, Face: r.Face})
	if err := v.sendAgain(ctx, r); err != nil {
		v.fault("taking over a send", r, err)
	}
}

// reached says whether any message of a verification was taken by a provider: its code may be on a phone.
func reached(r *Record) bool {
	for _, d := range r.Deliveries {
		if rank := d.Status.Rank(); rank > DeliveryQueued.Rank() && d.Status != DeliveryFailed {
			return true
		}
	}
	return false
}

// giveUpSend ends the search for a resend's lost answer. The verification goes on with what was sent before.
func (v *Verifier) giveUpSend(ctx context.Context, r *Record) {
	last := r.Deliveries[len(r.Deliveries)-1]
	if last.Status == DeliveryQueued {
		last.Status, last.Detail = DeliveryFailed, "no answer"
	}
	err := v.sent(ctx, r, &Sent{ID: r.ID, Channel: r.Channel, Delivery: last, Hosted: r.Hosted, HostedRef: r.HostedRef})
	if err != nil {
		v.fault("giving up a send", r, err)
	}
}

func (v *Verifier) sendAgain(ctx context.Context, r *Record) error {
	app, ok := v.cfg.App(r.App)
	if !ok {
		_, err := v.end(ctx, r.ID, StatusUndeliverable)
		return err
	}
	sealed, to, err := v.open(r)
	if err != nil {
		return err
	}
	m, err := v.messageFor(app, r, sealed, to, r.Expires.Sub(v.Now()), false, r.Sends+1)
	if err != nil {
		return err
	}
	w := wishAgain(r, sealed, to, r.Channel)
	if n := len(r.Deliveries); n > 0 && r.Deliveries[n-1].Status == DeliveryQueued {
		m.ID, w.First = r.Deliveries[n-1].ID, r.Deliveries[n-1].Provider
	}
	path, err := v.cfg.Dispatcher.Plan(w)
	if err != nil {
		return err
	}
	path.Hosted = r.Hosted
	v.dispatch(ctx, r, path, m, nil)
	return nil
}

// drainOutbox writes what a dead process left.
func (v *Verifier) drainOutbox(ctx context.Context) {
	for ctx.Err() == nil {
		rows, err := v.cfg.Store.Outbox(ctx, outboxAge, outboxBatch)
		if err == nil && len(rows) > 0 {
			if err = v.cfg.Log.Write(ctx, rows); err == nil {
				err = v.cfg.Store.Acknowledge(ctx, rows)
			}
		}
		if err != nil && ctx.Err() == nil {
			v.cfg.Observer.Observe(Event{Name: EventLogDelay, Err: err})
		}
		if err != nil || len(rows) < outboxBatch {
			return
		}
	}
}

// logWriter gathers rows for the log, so that many changes of one verification become one row and many rows one
// transaction. It holds nothing that is not in the store's outbox too: when the log is slow it drops rows, and
// drainOutbox writes them later.
type logWriter struct {
	v       *Verifier
	rows    chan *Record
	flushes chan chan struct{}
	stop    chan struct{}
}

const (
	logQueue   = 8192
	logBatch   = 4096 // rows of one transaction at most
	logFew     = 32   // rows that are written at the next tick
	logEvery   = 250 * time.Millisecond
	logLongest = 4 // ticks that more rows wait for others: one transaction of many changes each page once
	logTimeout = 5 * time.Second
)

func newLogWriter(v *Verifier) *logWriter {
	return &logWriter{v: v, rows: make(chan *Record, logQueue), flushes: make(chan chan struct{}), stop: make(chan struct{})}
}

func (w *logWriter) add(r *Record) {
	select {
	case w.rows <- r:
	default:
		// The outbox has it.
	}
}

// flush waits until what was added before is written, so that a read finds what this process has answered.
func (w *logWriter) flush(ctx context.Context) {
	done := make(chan struct{})
	select {
	case w.flushes <- done:
	case <-w.stop:
		return
	case <-ctx.Done():
		return
	case <-time.After(logTimeout): // nobody runs it
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (w *logWriter) close() { close(w.stop) }

func (w *logWriter) run() {
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	batch := make(map[string]*Record, logBatch)
	gather := func(r *Record) {
		if old, ok := batch[r.ID]; !ok || r.Seq > old.Seq {
			batch[r.ID] = r
		}
	}
	waited := 0
	write := func() {
		w.write(batch)
		waited = 0
	}
	for {
		select {
		case r := <-w.rows:
			gather(r)
			if len(batch) >= logBatch {
				write()
			}
		case <-tick.C:
			if waited++; len(batch) <= logFew || waited >= logLongest {
				write()
			}
		case done := <-w.flushes:
			w.drain(gather)
			write()
			close(done)
		case <-w.stop:
			w.drain(gather)
			w.write(batch)
			return
		}
	}
}

// drain takes what waits.
func (w *logWriter) drain(gather func(r *Record)) {
	for {
		select {
		case r := <-w.rows:
			gather(r)
		default:
			return
		}
	}
}

func (w *logWriter) write(batch map[string]*Record) {
	if len(batch) == 0 {
		return
	}
	rows := make([]*Record, 0, len(batch))
	for _, r := range batch {
		rows = append(rows, r)
	}
	clear(batch)
	ctx, cancel := context.WithTimeout(context.Background(), logTimeout)
	defer cancel()
	if err := w.v.cfg.Log.Write(ctx, rows); err != nil {
		w.v.cfg.Observer.Observe(Event{Name: EventLogDelay, Err: err})
		return
	}
	if err := w.v.cfg.Store.Acknowledge(ctx, rows); err != nil {
		// Written twice at worst: the log keeps the highest Seq of an id.
		w.v.cfg.Observer.Observe(Event{Name: EventLogDelay, Err: err})
	}
}
