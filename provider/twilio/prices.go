package twilio

import (
	"context"
	"sync"
	"time"

	"countersign"
)

// This file asks what messages did cost. The vendor's callbacks do not tell it, and its own records do so only a while after
// the message went out: each is asked about later, up to three times, behind everything else.

// The times between a send and the questions about its price.
var askAfter = [...]time.Duration{time.Minute, 10 * time.Minute, time.Hour}

const (
	pricesEvery = 5 * time.Second
	mostPrices  = 10_000 // that wait; further ones are not asked about
	priceTime   = 5 * time.Second
	priceAskers = 4 // questions at one time
)

// priced is a message whose price is to be asked for.
type priced struct {
	verification, delivery, sid string
	sent                        time.Time
	tries                       int
}

// prices are the messages whose prices are to be asked for.
type prices struct {
	ask func(ctx context.Context, sid string) (countersign.Money, bool)

	mu      sync.Mutex
	sink    countersign.ReceiptSink
	waiting [len(askAfter)][]priced // by tries: each in the order of its time
}

// Attach says who takes prices. It is called before Run.
func (p *prices) Attach(sink countersign.ReceiptSink) {
	p.mu.Lock()
	p.sink = sink
	p.mu.Unlock()
}

// Run asks for prices until the context ends. What still waits then is not asked about: it stays billed at the configured
// price.
func (p *prices) Run(ctx context.Context) error {
	tick := time.NewTicker(pricesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			p.round(ctx)
		}
	}
}

// add lets a message wait for its time.
func (p *prices) add(m *countersign.Message, sid string) {
	p.put(priced{verification: m.Verification, delivery: m.ID, sid: sid, sent: time.Now()})
}

func (p *prices) put(one priced) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := 0
	for _, list := range p.waiting {
		kept += len(list)
	}
	if p.sink == nil || one.tries >= len(askAfter) || kept >= mostPrices {
		return
	}
	p.waiting[one.tries] = append(p.waiting[one.tries], one)
}

// due takes out what is to be asked now.
func (p *prices) due(now time.Time) (list []priced) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tries, after := range askAfter {
		waiting := p.waiting[tries]
		n := 0
		for n < len(waiting) && now.Sub(waiting[n].sent) >= after {
			n++
		}
		list, p.waiting[tries] = append(list, waiting[:n]...), waiting[n:]
	}
	return list
}

func (p *prices) round(ctx context.Context) {
	questions := make(chan priced)
	var all sync.WaitGroup
	for range priceAskers {
		all.Go(func() {
			for one := range questions {
				p.settle(ctx, one)
			}
		})
	}
	for _, one := range p.due(time.Now()) {
		questions <- one
	}
	close(questions)
	all.Wait()
}

// settle asks for one price and hands it on. A message without one yet is asked about again.
func (p *prices) settle(ctx context.Context, one priced) {
	ctx, cancel := context.WithTimeout(ctx, priceTime)
	defer cancel()
	p.mu.Lock()
	sink := p.sink
	p.mu.Unlock()
	cost, ok := p.ask(ctx, one.sid)
	if ok && sink.TakeReceipt(ctx, countersign.Receipt{ID: one.verification, DeliveryID: one.delivery, Cost: cost}) == nil {
		return
	}
	one.tries++
	p.put(one)
}
