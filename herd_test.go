package countersign_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"countersign"
)

const (
	herdPhones  = 100
	herdClients = 1000 // ten a phone
)

// herdNumber is the number of a client: the phones lie all over a country, or the guard would hold the herd itself.
func herdNumber(client int) string {
	areas := [...]int{201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228}
	phone := client % herdPhones
	return fmt.Sprintf("+1%d555%04d", areas[phone%len(areas)], 1000+phone)
}

// herd lets every client act at once.
func herd(act func(client int)) {
	var wg sync.WaitGroup
	barrier := make(chan struct{})
	for client := range herdClients {
		wg.Go(func() {
			<-barrier
			act(client)
		})
	}
	close(barrier)
	wg.Wait()
}

// F-14: when a vendor is back after an outage and a thousand clients try again at the same moment, each phone gets one
// message, and nobody's start is lost in between: it is sent, or refused with a time to wait.
func TestAHerdAfterAnOutage(t *testing.T) {
	b := newBench(t)
	b.carrier.answers(failing(countersign.FailTemporary))
	for client := range herdPhones {
		_, err := b.start(t, herdNumber(client))
		wantKind(t, err, countersign.ErrDeliveryFailed)
	}
	before := b.carrier.count()

	b.carrier.answers(nil)
	b.advance(t, time.Hour)
	var mu sync.Mutex
	taken := map[string]int{}
	herd(func(client int) {
		_, err := b.start(t, herdNumber(client))
		mu.Lock()
		defer mu.Unlock()
		var refusal *countersign.Error
		switch {
		case err == nil:
			taken[herdNumber(client)]++
		case !errors.As(err, &refusal) || refusal.Kind != countersign.ErrResendTooSoon || refusal.RetryAfter <= 0:
			t.Errorf("a client is refused with %v", err)
		}
	})
	for client := range herdPhones {
		if n := taken[herdNumber(client)]; n != 1 {
			t.Errorf("%s got %d messages after the outage, want 1", herdNumber(client), n)
		}
	}
	if n := b.carrier.count() - before; n != herdPhones {
		t.Errorf("the vendor was asked for %d messages, want %d", n, herdPhones)
	}
}

// The control: a cooldown that is looked up and written down in two steps lets a herd through.
func TestAHerdFindsACooldownInTwoSteps(t *testing.T) {
	var mu sync.Mutex
	var looked sync.WaitGroup
	looked.Add(herdClients)
	last, sent := map[string]bool{}, map[string]int{}
	herd(func(client int) {
		mu.Lock()
		cooling := last[herdNumber(client)]
		mu.Unlock()
		looked.Done()
		looked.Wait() // as far as the store's answer is away
		if cooling {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		last[herdNumber(client)] = true
		sent[herdNumber(client)]++
	})
	if sent[herdNumber(0)] < 2 {
		t.Error("the naive cooldown held: the test above shows nothing")
	}
}
