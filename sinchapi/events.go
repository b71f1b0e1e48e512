package sinchapi

import (
	"container/heap"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"countersign"
)

// This file tells apps what became of their verifications. Events are a courtesy: they wait in memory, are tried a
// few times and are lost with the process. The truth is what a status request reads.
//
// Who ends a verification by a report tells it at once. Every other end (expiry, a newer start, an undeliverable
// message, a handset's call of its target) and every receipt is seen by looking: each verification of an app with a
// callback is looked at, less and less often, until it has ended.

const (
	deliverers  = 4                // workers for one app, so that one app's slow server delays nobody else
	deliverTry  = 3                // times an event is tried
	maxPoll     = 15 * time.Second // the longest pause between two looks
	lookTimeout = 3 * time.Second
	drainTime   = 2 * time.Second
)

type events struct {
	cfg    Config
	client *http.Client
	close  func()
	apps   map[string]*tenant

	mu      sync.Mutex
	watched map[string]*watch
	newest  map[owner]string // the verification begun last for a number, which a newer start ends
	due     dueHeap
	wake    chan struct{}
}

// owner is whose verification a start may end: an app and a number.
type owner struct {
	t  *tenant
	to countersign.Address
}

// watch is one verification that has not ended yet as far as its app was told.
type watch struct {
	owner
	id        string
	next      time.Time
	pause     time.Duration
	delivered bool // the receipt was told
	index     int
}

func newEvents(cfg Config, apps map[string]*tenant) *events {
	e := &events{cfg: cfg, apps: apps, watched: make(map[string]*watch), newest: make(map[owner]string), wake: make(chan struct{}, 1)}
	e.client, e.close = callbackClient(cfg)
	return e
}

// Run delivers events until ctx ends; then it makes one last attempt at what waits, for at most two seconds.
func (f *Face) Run(ctx context.Context) error {
	e := f.events
	defer e.close()
	var wg sync.WaitGroup
	for _, t := range f.apps {
		if t.queue == nil {
			continue
		}
		for range deliverers {
			wg.Go(func() { e.deliver(ctx, t) })
		}
	}
	e.look(ctx)
	wg.Wait()
	return nil
}

// started watches a verification that was begun, and looks at once at the one that it may have ended.
func (e *events) started(t *tenant, v *countersign.Verification, err error) {
	if t.queue == nil {
		return
	}
	if failed := (*countersign.Error)(nil); v == nil && errors.As(err, &failed) && failed.VerificationID != "" {
		e.watch(owner{t: t}, failed.VerificationID, 0)
		return
	}
	if v == nil {
		return
	}
	o := owner{t, v.To}
	e.mu.Lock()
	if w, ok := e.watched[e.newest[o]]; ok && w.id != v.ID {
		w.next = time.Time{}
		heap.Fix(&e.due, w.index)
	}
	e.mu.Unlock()
	e.watch(o, v.ID, e.cfg.PollEvery)
}

// ended tells what a report just ended.
func (e *events) ended(t *tenant, v *countersign.Verification) {
	if t.queue == nil {
		return
	}
	e.forget(v.ID)
	e.enqueue(t, resultOf(v))
}

// guessed looks at a verification at once when a wrong guess was its last.
func (e *events) guessed(t *tenant, id string, err error) {
	wrong := (*countersign.Error)(nil)
	if t.queue == nil || !errors.As(err, &wrong) || wrong.ChecksLeft == nil || *wrong.ChecksLeft > 0 {
		return
	}
	e.watch(owner{t: t}, id, 0)
}

func (e *events) watch(o owner, id string, pause time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := time.Now().Add(pause)
	if w, ok := e.watched[id]; ok {
		w.next = next
		heap.Fix(&e.due, w.index)
	} else if len(e.watched) < e.cfg.Watched {
		w := &watch{owner: o, id: id, next: next, pause: max(pause, e.cfg.PollEvery)}
		e.watched[id], e.newest[o] = w, id
		heap.Push(&e.due, w)
	} else {
		e.cfg.Log.Warn("sinch face: too many verifications are open; events of one will not be told", "app", o.t.App.App.ID)
	}
	e.nudge()
}

// forget takes a verification off the watch and says whether it was on it.
func (e *events) forget(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.watched[id]
	if !ok {
		return false
	}
	heap.Remove(&e.due, w.index)
	delete(e.watched, id)
	if e.newest[w.owner] == id {
		delete(e.newest, w.owner)
	}
	return true
}

func (e *events) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// look examines what is due, until ctx ends.
func (e *events) look(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		w, wait := e.take()
		if w != nil {
			e.examine(ctx, w)
			if ctx.Err() == nil {
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
	}
}

// take hands out what is due and puts it back for its next look, or says how long nothing will be.
func (e *events) take() (*watch, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.due) == 0 {
		return nil, time.Hour
	}
	w := e.due[0]
	if wait := time.Until(w.next); wait > 0 {
		return nil, wait
	}
	w.pause = min(2*w.pause, maxPoll)
	w.next = time.Now().Add(w.pause)
	heap.Fix(&e.due, 0)
	return w, 0
}

func (e *events) examine(ctx context.Context, w *watch) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	v, err := e.cfg.Engine.Get(ctx, w.t.App.App, w.id)
	if errors.Is(err, countersign.ErrNotFound) {
		e.forget(w.id)
		return
	}
	if err != nil {
		return // the store is away: the next look comes
	}
	v = e.settle(ctx, w.t, v)
	if result := receiptOf(v); result != "" && !w.delivered {
		w.delivered = true
		ev := eventOf(eventDelivered, v)
		ev.SMSResult = result
		e.enqueue(w.t, ev)
	}
	if !v.Status.Final() || !e.forget(w.id) {
		return // goes on, or a report told its end in the meantime
	}
	if v.Status == countersign.StatusApproved && v.Channel != countersign.ChannelSeamless {
		return // whoever took the right code tells, maybe on another node
	}
	e.enqueue(w.t, resultOf(v))
}

// receiptOf is what the vendor calls the result of a text message; "" while there is none.
func receiptOf(v *countersign.Verification) string {
	if v.Channel != countersign.ChannelSMS || len(v.Deliveries) == 0 {
		return ""
	}
	switch v.Deliveries[len(v.Deliveries)-1].Status {
	case countersign.DeliveryDelivered:
		return "Successful"
	case countersign.DeliveryUndelivered, countersign.DeliveryFailed:
		return "Failed"
	}
	return ""
}

func (e *events) enqueue(t *tenant, ev *event) {
	select {
	case t.queue <- ev:
	default:
		e.cfg.Log.Warn("sinch face: an app's callback is too slow; an event was dropped", "app", t.App.App.ID, "event", ev.Event)
	}
}

// deliver posts one app's events until ctx ends and the queue is empty.
func (e *events) deliver(ctx context.Context, t *tenant) {
	for {
		select {
		case ev := <-t.queue:
			e.try(ctx, t, ev)
		case <-ctx.Done():
			e.drain(ctx, t)
			return
		}
	}
}

func (e *events) drain(ctx context.Context, t *tenant) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	for last.Err() == nil {
		select {
		case ev := <-t.queue:
			e.once(last, t, ev)
		default:
			return
		}
	}
}

// try posts an event a few times. What the app refuses (4xx) is not repeated.
func (e *events) try(ctx context.Context, t *tenant, ev *event) {
	pause := e.cfg.RetryAfter
	for n := 1; ; n++ {
		if e.once(context.WithoutCancel(ctx), t, ev) {
			return
		}
		if n == deliverTry {
			e.cfg.Log.Warn("sinch face: an event could not be delivered", "app", t.App.App.ID, "event", ev.Event)
			return
		}
		select {
		case <-time.After(pause):
			pause *= 4
		case <-ctx.Done():
			e.once(context.WithoutCancel(ctx), t, ev)
			return
		}
	}
}

// once says whether an event is done with: taken, or refused for good.
func (e *events) once(ctx context.Context, t *tenant, ev *event) bool {
	status, _, err := e.post(ctx, t, ev)
	return err == nil && status < http.StatusInternalServerError && status != http.StatusTooManyRequests
}

// dueHeap orders watches by their next look.
type dueHeap []*watch

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	w := x.(*watch)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return w
}
