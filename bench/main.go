// Command bench measures the server CPU that a start, a wrong check and an approved check cost, beside a floor handler
// that does the same outside work without any rules, in the same minute on the same machine.
//
// Requests per second depend on the machine and on what else runs on it. Server CPU a request (user and system time of
// the server's process, divided by requests) is the stable figure, and only its ratio to the floor means anything
// elsewhere.
//
// Countersign runs with its log in Postgres and with its log in SQLite, whose engine runs in our own process.
//
// It needs redis-server, Postgres and wrk: `make bench` installs them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "floor":
			return runFloor(args[1], args[2], args[3])
		case "sink":
			return runSink(args[1])
		case "logins":
			return runLogins(args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 3, "measured rounds")
	duration := flags.Duration("duration", 10*time.Second, "of one measurement")
	embedded := flags.Bool("embedded", false, "measure the embedded store only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	bed, err := newBed()
	if err != nil {
		return err
	}
	defer bed.close()
	if *embedded {
		return bed.embedded(*duration)
	}
	fmt.Printf("%d rounds of %s, %d connections; server CPU in µs a request\n\n", *rounds, *duration, connections)
	if err := bed.round(3*time.Second, nil); err != nil { // warm up
		return err
	}
	all := map[string][]sample{}
	for n := range *rounds {
		fmt.Printf("round %d\n", n+1)
		err := bed.round(*duration, func(name string, s sample) {
			all[name] = append(all[name], s)
			fmt.Printf("  %-26s %s\n", name, s)
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(report(all), bed.embedded(*duration))
}

// sample is one measurement.
type sample struct {
	requests int
	seconds  float64
	p50, p99 time.Duration
	cpu      float64 // server CPU a request, µs
	redis    float64 // of Redis
	log      float64 // of Postgres
	foreign  float64 // cores that other processes used
	rss      int     // MiB
}

func (s sample) String() string {
	return fmt.Sprintf("%7.1f µs CPU  %6.1f µs redis  %5.1f µs postgres  %6.0f req/s  p50 %-8s p99 %-8s rss %d MiB  others %.2f cores",
		s.cpu, s.redis, s.log, float64(s.requests)/s.seconds, s.p50.Round(10*time.Microsecond), s.p99.Round(10*time.Microsecond), s.rss, s.foreign)
}

// bound is what a request may cost, as a ratio to its floor.
const bound = 1.3

func report(all map[string][]sample) error {
	median := func(name string) float64 {
		var values []float64
		for _, s := range all[name] {
			values = append(values, s.cpu)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	over := 0
	for _, of := range []struct{ name, title string }{{"countersign", "log in Postgres"}, {"countersign-sqlite", "log in SQLite"}} {
		fmt.Printf("\n%-16s %10s %10s %8s\n", of.title, "floor", "ours", "ratio")
		for _, op := range []string{"start", "wrong check", "approved check"} {
			f, o := median("floor "+op), median(of.name+" "+op)
			fmt.Printf("%-16s %10.1f %10.1f %8.2f\n", op, f, o, o/f)
			if o/f > bound {
				over++
			}
		}
	}
	if over > 0 {
		return fmt.Errorf("%d of 6 cost more than %.1f times their floor", over, bound)
	}
	return nil
}
