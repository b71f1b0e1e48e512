package countersign

import (
	"sync"
	"time"
)

const (
	batchWait = 5 * time.Millisecond
	batchSize = 256
)

// batch gathers what is written behind the answers: one flush of twenty costs much less than twenty round trips, each
// with a goroutine that waits for it.
type batch[T any] struct {
	v     *Verifier
	flush func([]T) // takes at most batchSize

	mu      sync.Mutex
	waiting []T
	writing bool // somebody will come for what waits
}

func (b *batch[T]) add(one T) {
	b.mu.Lock()
	b.waiting = append(b.waiting, one)
	start := !b.writing
	b.writing = true
	b.mu.Unlock()
	if !start {
		return
	}
	if err := b.v.behind.do(func() { b.write(batchWait) }); err != nil {
		b.write(0) // the process is stopping and waits only for what it has: do it now
	}
}

// write goes on until nothing waits. What a panic takes with it is lost; whatever waits behind it goes out with the next.
func (b *batch[T]) write(wait time.Duration) {
	through := false
	defer func() {
		if !through {
			b.mu.Lock()
			b.writing = false
			b.mu.Unlock()
		}
	}()
	for {
		time.Sleep(wait)
		b.mu.Lock()
		list := b.waiting
		b.waiting = nil
		b.writing = len(list) > 0
		b.mu.Unlock()
		if len(list) == 0 {
			through = true
			return
		}
		for len(list) > 0 {
			n := min(len(list), batchSize)
			b.flush(list[:n])
			list = list[n:]
		}
	}
}
