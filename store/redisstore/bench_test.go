package redisstore

import (
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

// cpu is what this process has used so far, in ns.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// measured runs calls from many goroutines and reports the CPU that this process spends on each.
func measured(b *testing.B, call func() error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(50 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	before := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric((cpu(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}

// spent reports what the server says a script took on average since its statistics were reset.
func spent(b *testing.B, server *redisServer) {
	b.Helper()
	for line := range strings.Lines(server.do("INFO", "commandstats")) {
		if _, rest, ok := strings.Cut(line, "cmdstat_evalsha:"); ok {
			_, rest, _ = strings.Cut(rest, "usec_per_call=")
			text, _, _ := strings.Cut(rest, ",")
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				b.ReportMetric(v, "redis-µs/op")
			}
		}
	}
}

// BenchmarkBare is the floor: one EVALSHA over rueidis with as many bytes, of a script that does nothing.
func BenchmarkBare(b *testing.B) {
	server := startRedis(b)
	s := open(b, Options{URL: server.url(), Timeout: patient})
	bare := &script{name: "bare", text: "return {0, 1, 2, 3, 4, ARGV[14], 6, 7, 8, 9, 10, 11}"}
	bare.sha = server.do("SCRIPT", "LOAD", bare.text)
	c := *s.connected.Load()
	args := make([]string, 14)
	args[13] = string(make([]byte, 300))
	server.do("CONFIG", "RESETSTAT")
	measured(b, func() error {
		return c.Do(b.Context(), c.B().Evalsha().Sha1(bare.sha).Numkeys(1).Key("cs:{abc}:v:x").Arg(args...).Build()).Error()
	})
	spent(b, server)
}

func BenchmarkBegin(b *testing.B) {
	server := startRedis(b)
	s := open(b, Options{URL: server.url(), Timeout: patient})
	ring, err := storetest.NewKeyring()
	if err != nil {
		b.Fatal(err)
	}
	server.do("CONFIG", "RESETSTAT")
	measured(b, func() error {
		_, err := s.Begin(b.Context(), storetest.NewBegin(ring, app, storetest.NewPhone(), code))
		return err
	})
	spent(b, server)
}

// BenchmarkCheckRight consumes a fresh code each time.
func BenchmarkCheckRight(b *testing.B) { benchmarkCheck(b, code) }

// BenchmarkCheckWrong makes the first wrong guess at a fresh code each time.
func BenchmarkCheckWrong(b *testing.B) { benchmarkCheck(b, "000000") }

func benchmarkCheck(b *testing.B, typed string) {
	server := startRedis(b)
	s := open(b, Options{URL: server.url(), Timeout: patient})
	ring, err := storetest.NewKeyring()
	if err != nil {
		b.Fatal(err)
	}
	checks := make(chan *countersign.Check, b.N)
	for range b.N {
		begin := storetest.NewBegin(ring, app, storetest.NewPhone(), code)
		if _, err := s.Begin(b.Context(), begin); err != nil {
			b.Fatal(err)
		}
		c, err := storetest.NewCheck(ring, app, begin.Record.ID, typed)
		if err != nil {
			b.Fatal(err)
		}
		checks <- c
	}
	server.do("CONFIG", "RESETSTAT")
	measured(b, func() error {
		_, err := s.Check(b.Context(), <-checks)
		return err
	})
	spent(b, server)
}

func BenchmarkUnpackRecord(b *testing.B) {
	raw := packRecord(storetest.NewBegin(mustRing(b), app, storetest.NewPhone(), code).Record)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unpackRecord(7, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func mustRing(t testing.TB) *countersign.Keyring {
	t.Helper()
	ring, err := storetest.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// BenchmarkSweepIdle is a sweep with nothing due: four of them a second run in every process.
func BenchmarkSweepIdle(b *testing.B) {
	server := startRedis(b)
	s := open(b, Options{URL: server.url(), Timeout: patient})
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if _, err := s.Sweep(b.Context(), time.Second, 64); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}
