package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// This file measures the embedded store, and what a fresh process takes: time until it is ready, and memory when
// nothing happens.

// flows is how many pairs of a start and a check fit into a second.
func flows(starts, checks sample) float64 {
	return 1 / (starts.seconds/float64(starts.requests) + checks.seconds/float64(checks.requests))
}

// embedded runs Countersign on SQLite alone.
func (b *bed) embedded(d time.Duration) error {
	t, err := b.serve("embedded", filepath.Join(b.dir, "embedded.db"), "")
	if err != nil {
		return err
	}
	fmt.Printf("\nstart to ready   %v\n", t.readyIn.Round(time.Millisecond))
	time.Sleep(2 * time.Second) // idle is when nothing happens for a while
	fmt.Printf("idle memory      %d MiB\n", rssOf(t.pid))

	ours, err := b.flows(t, d)
	if err != nil {
		return err
	}
	tutorial, err := b.tutorial()
	if err != nil {
		return err
	}
	theirs, err := b.flows(tutorial, d)
	if err != nil {
		return err
	}
	fmt.Printf("flows a second   %.0f on SQLite, %.0f by the tutorial's stack on Redis\n", ours, theirs)
	if ours < theirs {
		return fmt.Errorf("%.0f flows a second on SQLite, %.0f are wanted", ours, theirs)
	}
	return nil
}

// flows measures starts, then right checks of what was started.
func (b *bed) flows(t target, d time.Duration) (float64, error) {
	started, err := b.load(t, d, "start", strconv.Itoa(b.next), t.start, t.key)
	if err != nil {
		return 0, err
	}
	b.next += 2 * started.requests
	codes := filepath.Join(b.dir, t.name+".codes")
	if _, err := get(b.sink + "/codes?file=" + codes); err != nil {
		return 0, err
	}
	checked, err := b.load(t, d, "check", codes, t.check, t.key, "right")
	if err != nil {
		return 0, err
	}
	fmt.Printf("%-10s start  %s\n%-10s check  %s\n", t.name, started, t.name, checked)
	return flows(started, checked), nil
}

// tutorial starts the stack that tutorials build (bench/tutorial), with its packages.
func (b *bed) tutorial() (target, error) {
	dir, err := filepath.Abs("bench/tutorial")
	if err != nil {
		return target{}, err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return target{}, fmt.Errorf("npm ci in bench/tutorial: %w\n%s", err, out)
	}
	port := freePorts(1)[0]
	cmd, err := b.spawn("tutorial", "node", filepath.Join(dir, "server.mjs"), port, b.redisPort, b.sink+"/send")
	if err != nil {
		return target{}, err
	}
	t := target{name: "tutorial", address: "http://127.0.0.1:" + port, pid: cmd.Process.Pid, start: "/start", check: "/check"}
	return t, waitFor(t.address + "/readyz")
}
