package countersign

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config is what a Verifier works with. Every field is required unless it says otherwise.
type Config struct {
	Store      Store
	Log        Log
	Keys       func() *Keyring
	Dispatcher Dispatcher
	Guard      Guard
	Signer     Signer
	Observer   Observer
	Issuer     string // of proofs: the instance's public address
	App        func(id string) (*App, bool)

	// Challenger makes the proofs of work that let a start pass a limit. Optional: without one such a limit refuses.
	Challenger Challenger
	// OptedOut says whether the person at this address told the sender STOP. Optional.
	OptedOut func(ctx context.Context, sender string, to Address, phone Hash, former ...Hash) (bool, error)
	// Streaks lists the phones that have had more than a few wrong guesses in a row, hard stops among them. Optional: without
	// it a rotation of the phone key ends the rows of phones that nobody asks about while it goes on.
	Streaks func(ctx context.Context) ([]Streak, error)

	SendTimeout time.Duration // how long an answer waits for a provider; default 5 s
	// SendDeadline bounds how long a start may stay without a provider's answer; default 60 s, and never more than
	// half the code's lifetime.
	SendDeadline time.Duration
}

// Verifier is the engine: it starts verifications, sends and checks codes, and hands out proofs. It knows the
// rules and no HTTP, no store and no vendor.
type Verifier struct {
	cfg   Config
	moves *twice // the store's moves that count, under both phone keys while they change

	behind   *behind    // work that outlives its request
	sents    *sents     // sends on their way to the store
	refunds  *refunds   // what approvals give back, on its way to the store
	log      *logWriter // rows on their way to the log
	sending  inFlight   // sends that providers have not answered
	parked   parked     // receipts that came before what they are of
	rekeying rekeying
}

// New makes a Verifier. Run must be called for what happens behind the answers.
func New(cfg Config) (*Verifier, error) {
	switch {
	case cfg.Store == nil, cfg.Log == nil, cfg.Keys == nil, cfg.Dispatcher == nil, cfg.Guard == nil,
		cfg.Signer == nil, cfg.Observer == nil, cfg.App == nil, cfg.Issuer == "":
		return nil, errors.New("building a verifier: a required part is missing")
	}
	if cfg.SendTimeout <= 0 {
		cfg.SendTimeout = 5 * time.Second
	}
	if cfg.SendDeadline <= 0 {
		cfg.SendDeadline = 60 * time.Second
	}
	v := &Verifier{cfg: cfg, moves: &twice{cfg.Store, cfg.Keys}}
	v.behind = newBehind(func(err error) { v.fault("working behind an answer", nil, err) })
	v.log = newLogWriter(v)
	v.sents = newSents(v)
	v.refunds = newRefunds(v)
	v.parked.v = v
	return v, nil
}

// Now is the clock that everything is decided by: the store's.
func (v *Verifier) Now() time.Time { return v.cfg.Store.Now() }

// sealRecord puts what must be given back into a record.
func sealRecord(ring *Keyring, id string, s *Sealed) ([]byte, error) {
	plain, err := marshalSealed(s)
	if err != nil {
		return nil, err
	}
	return ring.Seal(id, plain)
}

// open reads a record's sealed part.
func (v *Verifier) open(r *Record) (*Sealed, Address, error) {
	return openRecord(v.cfg.Keys(), r)
}

func openRecord(ring *Keyring, r *Record) (*Sealed, Address, error) {
	plain, err := ring.Open(r.ID, r.Sealed)
	if err != nil {
		return nil, Address{}, fmt.Errorf("reading %s: %w", shortID(r.ID), err)
	}
	s, to, err := unmarshalSealed(plain)
	if err != nil {
		return nil, Address{}, fmt.Errorf("reading %s: %w", shortID(r.ID), err)
	}
	return s, to, nil
}

// shortID is as much of a verification's id as a log may hold: the id is a capability.
func shortID(id string) string {
	if len(id) <= 8 {
		return id
	}
	return id[:8]
}

// describe makes what the app sees of a record.
func (v *Verifier) describe(o *Outcome) (*Verification, error) {
	s, to, err := v.open(o.Record)
	if err != nil {
		return nil, err
	}
	d := describe(o, s, to)
	d.Deliveries = v.sending.deliveries(o.Record, o.Now)
	return d, nil
}

func describe(o *Outcome, s *Sealed, to Address) *Verification {
	r := o.Record
	d := &Verification{
		ID: r.ID, App: r.App, Status: r.Status, To: to, Channel: r.Channel, Purpose: r.Purpose, Face: r.Face,
		Reference: s.Reference, Metadata: s.Metadata, Transaction: s.Transaction, Custom: s.Custom,
		Created: r.Created, Expires: r.Expires, Ended: r.Ended,
		CodeLength: r.Length, Alphabet: r.Alphabet, Sends: r.Sends, Deliveries: r.Deliveries, Test: r.Test,
		Now: o.Now, Phone: o.Phone, Replayed: o.Replayed,
		Hosted: Hosted{Route: r.Hosted, Ref: r.HostedRef},
	}
	if r.Status == StatusPending {
		d.ChecksLeft = max(0, min(r.MaxChecks-r.Checks, o.Phone.ChecksLeft))
		d.SendsLeft = max(0, min(r.MaxSends-r.Sends, o.Phone.SendsLeft))
		if r.Sends < r.MaxSends {
			d.NextSend = o.Phone.NextSend
		}
	}
	return d
}

// behind runs work that outlives its request, so that a client who hangs up cannot undo it, and lets Run wait
// for all of it. Goroutines are kept for the next piece of work: their stacks have grown to what it needs.
type behind struct {
	mu     sync.Mutex
	closed bool
	idle   int
	busy   int // pieces of work that are not done
	work   chan func()

	panicked func(error)
	wg       sync.WaitGroup // pieces of work, then goroutines
}

// maxIdle is how many goroutines wait for more work; a burst may have more of them.
const maxIdle = 64

// errStopping is given to work that comes when the process is on its way out: its lease hands it to the next one.
var errStopping = errors.New("the process is stopping")

func newBehind(panicked func(error)) *behind {
	return &behind{work: make(chan func(), maxIdle), panicked: panicked}
}

func (b *behind) do(work func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errStopping
	}
	b.busy++
	if b.idle > 0 {
		b.idle--
		b.work <- work // never blocks: no more is in it than goroutines that wait
		return nil
	}
	b.wg.Go(func() { b.serve(work) })
	return nil
}

// serve does one piece of work after the other, until enough others wait for more.
func (b *behind) serve(work func()) {
	for ok := true; ok; {
		b.guarded(work)
		b.mu.Lock()
		b.busy--
		if b.closed || b.idle >= maxIdle {
			b.mu.Unlock()
			return
		}
		b.idle++
		b.mu.Unlock()
		work, ok = <-b.work
	}
}

// guarded keeps a panic in one piece of work from ending the process. What the work held has a lease.
func (b *behind) guarded(work func()) {
	defer func() {
		if p := recover(); p != nil {
			b.panicked(fmt.Errorf("panic: %v", p))
		}
	}()
	work()
}

// drain refuses new work and waits for what there is.
func (b *behind) drain() {
	b.mu.Lock()
	b.closed = true
	close(b.work)
	b.mu.Unlock()
	b.wg.Wait()
}

func (b *behind) idling() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy == 0
}

// Settle waits until what follows the answers so far is done, at most for a limit: before time travel, which would else
// overtake it.
func (v *Verifier) Settle(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !v.behind.idling() && ctx.Err() == nil {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// detached is a context that a client cannot cancel: to hang up must not undo a count (design, rule 9). It has no end of
// its own, because everything that is done under it has one: a store's moves, a provider's send.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// fault reports a failure of ours that no answer can carry.
func (v *Verifier) fault(what string, r *Record, err error) {
	e := Event{Name: EventFault, Result: what, Err: err}
	if r != nil {
		e.App, e.Verification, e.Channel, e.Country = r.App, shortID(r.ID), r.Channel, r.Country
	}
	v.cfg.Observer.Observe(e)
}
