package guard_test

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

func newRing(t testing.TB) *countersign.Keyring {
	t.Helper()
	keys := make([]countersign.Key, 0, 4)
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	ring, err := countersign.NewKeyring(keys, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// cpu is what the process has used: on a machine that others use too, time says little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStart is what the default policy costs a start beside its store: to be judged, and told of the outcome.
func BenchmarkStart(b *testing.B) {
	g, err := guard.New(guard.Config{Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}}}})
	if err != nil {
		b.Fatal(err)
	}
	ring, app := newRing(b), &countersign.App{ID: "demo", Region: "SE"}
	numbers := make([]countersign.Address, 1000)
	for i := range numbers {
		numbers[i] = swedish(b, "4670", i*7368787%10000000)
	}
	b.ReportAllocs()
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1000, "cpu-µs/op") }()
	for i := 0; b.Loop(); i++ {
		a := &countersign.Attempt{
			Action: countersign.ActionStart, App: app, To: numbers[i%1000], Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
			Client: countersign.Client{Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
			Now:    morning.Add(time.Duration(i) * time.Millisecond), Hash: ring.LookupHash,
		}
		if _, err := g.Judge(a); err != nil {
			b.Fatal(err)
		}
		g.Decided(a, nil, nil)
	}
}
