package countersign_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/phone"
	"countersign/store/redisstore"
)

// unguarded is a guard that asks nothing and counts nothing.
type unguarded struct{}

func (unguarded) Judge(*countersign.Attempt) ([]countersign.Limit, error)       { return nil, nil }
func (unguarded) Decided(*countersign.Attempt, *countersign.Taken, error)       {}
func (unguarded) Approved(*countersign.Conversion) (nothing countersign.Refund) { return nothing }

// processCPU is what this process has used so far.
func processCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGuardedStart is what the guard at its default policy costs a start on Redis, in CPU of this process: starts with
// it and without it in turns, each with an Idempotency-Key, so that both make the same round trip. The budgets are
// wide enough that all pass, and everything is counted that the default policy counts.
func BenchmarkGuardedStart(b *testing.B) {
	wide, shared := guard.WideBudgets()
	judge, err := guard.New(guard.Config{
		Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}, Budgets: wide, Shadow: []string{guard.RuleSequence, guard.RulePrefixBlock}}}, Instance: guard.Instance{Budgets: shared},
	})
	if err != nil {
		b.Fatal(err)
	}
	with := func(g countersign.Guard) *bench {
		store := startRedis(b).open(redisstore.Options{})
		return newBenchOn(b, store, b.TempDir()+"/log.db", func(cfg *countersign.Config, _ *countersign.App) { cfg.Guard = g })
	}
	engines := [2]*bench{with(judge), with(unguarded{})}
	var least [2]time.Duration // of a round: what else runs on the machine only ever adds
	var next atomic.Int64
	const clients, batch = 50, 10
	start := func(engine *bench) {
		n := next.Add(1)
		to, err := phone.Parse(fmt.Sprintf("+1201%07d", 2000000+n%7000000), "")
		if err != nil {
			b.Error(err)
			return
		}
		_, err = engine.Start(context.Background(), &countersign.StartRequest{
			App: engine.app, To: countersign.PhoneAddress(to), Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
			Client:      countersign.Client{Addr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})},
			Idempotency: countersign.Idempotency{Key: fmt.Sprint("k", n), Scope: "s", Body: []byte("b")},
		})
		if err != nil {
			b.Error(err)
		}
	}
	for round := 0; b.Loop(); round++ {
		for turn := range engines {
			k := (round + turn) % 2 // neither is always the first
			engine := engines[k]
			before := processCPU(b)
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for range batch {
						start(engine)
					}
				})
			}
			all.Wait()
			engine.Settle(context.Background(), time.Minute)
			if cost := processCPU(b) - before; round == 0 || cost < least[k] {
				least[k] = cost
			}
		}
	}
	each := func(k int) float64 { return float64(least[k].Nanoseconds()) / (clients * batch) / 1000 }
	b.ReportMetric(each(0), "guarded-cpu-µs/start")
	b.ReportMetric(each(1), "bare-cpu-µs/start")
	b.ReportMetric(each(0)-each(1), "guard-cpu-µs/start")
	b.ReportMetric(0, "ns/op")
}
