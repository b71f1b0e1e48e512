package sqlitestore_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"countersign"
	"countersign/store/sqlitestore"
	"countersign/store/storetest"
)

// flows is how many callers the benchmarks keep waiting at once, on two processors.
const flows = 50

const app, code, wrong = "bench", "314159", "271828"

// bench is a store in a fresh file, with the moves that the benchmarks make.
type bench struct {
	testing.TB
	store *sqlitestore.Store
	ring  *countersign.Keyring
}

func newBench(b *testing.B) *bench {
	ring, err := storetest.NewKeyring()
	if err != nil {
		b.Fatal(err)
	}
	s := open(b, filepath.Join(b.TempDir(), "hot.db"))
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return &bench{b, s, ring}
}

func (b *bench) begin() *countersign.Record {
	o, err := b.store.Begin(context.Background(), storetest.NewBegin(b.ring, app, storetest.NewPhone(), code))
	if err != nil || o.Result != countersign.OutcomeOK {
		b.Error("Begin:", o, err)
		return nil
	}
	return o.Record
}

func (b *bench) sent(r *countersign.Record) {
	_, err := b.store.Sent(context.Background(), &countersign.Sent{
		ID: r.ID, Channel: r.Channel,
		Delivery: countersign.Delivery{ID: "msg_abcdefghijklmnopqrstuvwxyz", Channel: r.Channel, Provider: "vendor", Ref: "a-vendors-reference", Status: countersign.DeliverySent, At: r.Created},
	})
	if err != nil {
		b.Error("Sent:", err)
	}
}

func (b *bench) check(r *countersign.Record, typed string, want countersign.Result) {
	c, err := storetest.NewCheck(b.ring, app, r.ID, typed)
	if err != nil {
		b.Error(err)
		return
	}
	if o, err := b.store.Check(context.Background(), c); err != nil || o.Result != want {
		b.Error("Check:", o, err)
	}
}

// parallel runs step in flows callers at once.
func parallel(b *testing.B, step func()) {
	b.SetParallelism(flows / 2)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			step()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkBegin(b *testing.B) {
	k := newBench(b)
	parallel(b, func() { k.begin() })
}

func BenchmarkCheckWrong(b *testing.B) {
	k := newBench(b)
	records := make([]*countersign.Record, b.N/countersign.MaxChecks+1)
	for i := range records {
		records[i] = k.begin()
	}
	var next atomic.Int64
	parallel(b, func() {
		k.check(records[int(next.Add(1)-1)/countersign.MaxChecks], wrong, countersign.OutcomeIncorrect)
	})
}

func BenchmarkCheckRight(b *testing.B) {
	k := newBench(b)
	records := make([]*countersign.Record, b.N)
	for i := range records {
		records[i] = k.begin()
	}
	var next atomic.Int64
	parallel(b, func() { k.check(records[next.Add(1)-1], code, countersign.OutcomeApproved) })
}

// BenchmarkFlow is a whole verification: Begin, Sent, Check.
func BenchmarkFlow(b *testing.B) {
	k := newBench(b)
	parallel(b, func() {
		r := k.begin()
		k.sent(r)
		k.check(r, code, countersign.OutcomeApproved)
	})
}

func BenchmarkLookup(b *testing.B) {
	k := newBench(b)
	r := k.begin()
	parallel(b, func() {
		if _, ok, err := k.store.Lookup(context.Background(), r.ID); !ok || err != nil {
			b.Error("Lookup:", ok, err)
		}
	})
}
