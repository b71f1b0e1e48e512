package countersign

import (
	"slices"
	"testing"
	"time"
)

// One flush that panics must not leave everything after it waiting, in memory and for ever.
func TestABatchGoesOnAfterAPanic(t *testing.T) {
	panicked, flushed := make(chan error, 1), make(chan []int, 1)
	v := &Verifier{behind: newBehind(func(err error) { panicked <- err })}
	defer v.behind.drain()
	b := batch[int]{v: v, flush: func(list []int) {
		if slices.Contains(list, 1) {
			panic("a row that nobody expected")
		}
		flushed <- list
	}}
	b.add(1)
	select {
	case <-panicked:
	case <-time.After(30 * time.Second):
		t.Fatal("the panic was not reported")
	}
	b.add(2)
	select {
	case list := <-flushed:
		if !slices.Equal(list, []int{2}) {
			t.Errorf("flushed %v, want 2", list)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing is flushed after a panic")
	}
}
