package sandbox

import (
	"context"
	"sync"
	"time"

	"countersign"
)

// This file sends the sandbox's receipts: behind the answer, in order for each message, by a fixed number of workers.

const (
	receiptQueue   = 16_384 // more are lost, as vendors lose them
	receiptWorkers = 4
	receiptTimeout = 5 * time.Second
)

type receipts struct{ queue chan report }

// report is everything that is told of one message.
type report struct {
	due      time.Time
	receipts []countersign.Receipt
}

// report tells of a message what its number's fate is. A receipt that comes first is given before this returns.
func (s *Sandbox) report(ctx context.Context, f fate, m *countersign.Message, ref string, delay time.Duration) {
	say := func(status countersign.DeliveryStatus, detail string) countersign.Receipt {
		return countersign.Receipt{ID: m.Verification, DeliveryID: m.ID, Ref: ref, Status: status, Detail: detail, At: s.cfg.Now()}
	}
	delivered := say(countersign.DeliveryDelivered, "")
	list := []countersign.Receipt{say(countersign.DeliverySent, ""), delivered}
	switch f {
	case fateNoReceipt:
		return
	case fateReceiptFirst:
		s.give(context.WithoutCancel(ctx), delivered)
		return
	case fateUndelivered:
		list[1] = say(countersign.DeliveryUndelivered, "absent subscriber")
	case fateReceiptsReversed:
		list[0], list[1] = list[1], list[0]
	case fateReceiptLate:
		// A full agenda loses them, as vendors lose them.
		_ = s.agenda.add(s.cfg.Now().Add(delay), func(ctx context.Context) {
			for _, one := range list {
				s.give(ctx, one)
			}
		})
		return
	case fateReceiptTwice, fateDuplicate:
		list = append(list, delivered)
	}
	select {
	case s.receipts.queue <- report{time.Now().Add(s.cfg.ReceiptDelay), list}:
	default:
	}
}

// give hands a receipt over. A failure is nobody's to hear: the sandbox repeats nothing, and the engine has reported
// what went wrong with it.
func (s *Sandbox) give(ctx context.Context, r countersign.Receipt) {
	sink := s.attached()
	if sink == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, receiptTimeout)
	defer cancel()
	_ = sink.TakeReceipt(ctx, r)
}

// Run sends receipts until ctx ends. What is still queued then is lost.
func (s *Sandbox) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range receiptWorkers {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Go(func() { s.keep(ctx) })
	workers.Wait()
	return nil
}

func (s *Sandbox) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.receipts.queue:
			if wait := time.Until(r.due); wait > 0 {
				select {
				case <-ctx.Done():
					return
				case <-s.cfg.After(wait):
				}
			}
			for _, one := range r.receipts {
				s.give(ctx, one)
			}
		}
	}
}
