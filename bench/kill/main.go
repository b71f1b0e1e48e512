// Command kill kills a Countersign with kill -9 again and again while it is at work, and judges whether anything was lost;
// or takes its first vendor away while starts come in.
//
//	go build -o countersign ./cmd/countersign
//	go run ./bench/kill -binary ./countersign -cycles 1000 -history kill.jsonl
//	go run ./bench/kill -binary ./countersign -outage 60s -rate 200
//	go run ./bench/kill -judge kill.jsonl
//
// It ends with 1 when something happened that must never happen.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("kill", flag.ContinueOnError)
	s := settings{}
	flags.StringVar(&s.binary, "binary", "./countersign", "the program")
	flags.IntVar(&s.cycles, "cycles", 1000, "how often it is killed")
	flags.DurationVar(&s.outage, "outage", 0, "instead, run so long and take the first vendor away in the middle third")
	flags.BoolVar(&s.hang, "hang", false, "the vendor keeps silent instead of failing")
	flags.IntVar(&s.rate, "rate", 200, "starts a second")
	flags.StringVar(&s.redis, "redis", "", "Redis for what is in flight, as redis_url; by default the database file")
	save := flags.String("history", "", "file for the history")
	old := flags.String("judge", "", "judge this history and do nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var events []event
	if *old != "" {
		f, err := os.Open(*old)
		if err != nil {
			return err
		}
		defer f.Close()
		if events, err = readHistory(f); err != nil {
			return err
		}
	} else {
		dir, err := os.MkdirTemp("", "countersign-kill")
		if err != nil {
			return err
		}
		s.dir = dir
		r, err := s.run()
		if r != nil && *save != "" {
			err = errors.Join(err, r.h.save(*save))
		}
		if err != nil {
			return err
		}
		events = r.h.events()
		if s.outage > 0 {
			fmt.Printf("answered starts: median %s, 99th %s, slowest %s\n", r.quantile(.5), r.quantile(.99), r.quantile(1))
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	v := judge(events)
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	if len(v.Violations) > 0 {
		return errors.New("something happened that must never happen")
	}
	return nil
}

// settings are what a run is made of.
type settings struct {
	binary, dir, redis string
	cycles, rate       int
	outage             time.Duration
	hang               bool
}
