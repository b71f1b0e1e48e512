package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// This file is the load, and what happens to the program under it.

// runner is one run.
type runner struct {
	s       settings
	h       *history
	vendors *vendors
	program *program

	next     atomic.Int64 // numbers
	alive    atomic.Bool
	requests sync.WaitGroup

	mu       sync.Mutex
	accepted []string
	took     []time.Duration
}

func (s settings) run() (*runner, error) {
	r := &runner{s: s, h: newHistory()}
	r.next.Store(rand.Int64N(1_000_000))
	var err error
	if r.vendors, err = newVendors(r.h); err != nil {
		return nil, err
	}
	defer r.vendors.close()
	if r.program, err = newProgram(s.binary, s.dir, r.vendors.url, s.redis); err != nil {
		return r, err
	}
	defer r.program.log.Close()
	defer func() { _ = r.program.kill() }()
	if s.outage > 0 {
		err = r.outage()
	} else {
		err = r.kills()
	}
	if err != nil {
		return r, err
	}
	return r, r.settle()
}

// number is one that nobody had before, in the plan of North America.
func (r *runner) number() string {
	areas := [...]string{"201", "202", "212", "213", "305", "312", "415", "503", "617", "702"}
	n := r.next.Add(1)
	return fmt.Sprintf("+1%s%03d%04d", areas[n%10], 200+n/10%700, 1000+n/7000%9000)
}

// kills kills the program in the midst of its work, at moments that nobody can foresee.
func (r *runner) kills() error {
	for n := range r.s.cycles {
		if err := r.up(); err != nil {
			return err
		}
		stop := r.load()
		life := time.Duration(20+rand.IntN(280)) * time.Millisecond
		if n%25 == 24 {
			life += 3 * time.Second // long enough to take over what the ones before left, and to die in the midst of that
		}
		time.Sleep(life)
		r.alive.Store(false)
		r.h.add(event{What: whatKill})
		if err := r.program.kill(); err != nil {
			return err
		}
		stop()
	}
	return r.up()
}

// outage takes the first vendor away in the middle third of the run.
func (r *runner) outage() error {
	if err := r.up(); err != nil {
		return err
	}
	stop := r.load()
	defer stop()
	state := vendorFails
	if r.s.hang {
		state = vendorHangs
	}
	time.Sleep(r.s.outage / 3)
	r.vendors.state[0].Store(state)
	time.Sleep(r.s.outage / 3)
	r.vendors.state[0].Store(vendorUp)
	time.Sleep(r.s.outage / 3)
	return nil
}

func (r *runner) up() error {
	if err := r.program.up(); err != nil {
		return err
	}
	r.h.add(event{What: whatUp})
	r.alive.Store(true)
	return nil
}

// load starts verifications at the rate, until the function that it returns is called; that waits for every answer.
func (r *runner) load() (stop func()) {
	ended := make(chan struct{})
	var source sync.WaitGroup
	source.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(r.s.rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ended:
				return
			case <-tick.C:
				r.requests.Go(func() { r.flow(n) })
			}
		}
	})
	return func() {
		close(ended)
		source.Wait()
		r.requests.Wait()
	}
}

// flow starts a verification, and checks the code of every third: what was approved must stay used.
func (r *runner) flow(n int) {
	began := time.Now()
	a, err := r.program.call("POST", "/v1/verifications", map[string]any{"to": r.number(), "wait": n%2 == 0})
	if err != nil {
		return // killed: nobody was promised anything
	}
	switch a.status {
	case 201:
	case 429:
		_, _ = r.program.call("DELETE", "/dev/limits", nil) // budgets are not what is tried here
		return
	case 502:
		r.h.add(event{What: whatRead, ID: a.body.ID, Result: "undeliverable"})
		return
	default:
		return
	}
	r.h.add(event{What: whatAccepted, ID: a.body.ID})
	r.mu.Lock()
	r.accepted = append(r.accepted, a.body.ID)
	if n%2 == 0 {
		r.took = append(r.took, time.Since(began))
	}
	r.mu.Unlock()
	if n%3 == 0 && n%2 == 0 {
		r.check(a.body.ID)
	}
}

// check tries the code that was sent, and notes what the answer was. No answer is no approval.
func (r *runner) check(id string) {
	code := r.vendors.codes.get(id)
	if code == "" {
		return
	}
	a, err := r.program.call("POST", "/v1/verifications/"+id+"/checks", map[string]string{"code": code})
	if err != nil {
		return
	}
	result := a.body.Code
	if a.status == 200 {
		result = resultApproved
	}
	r.h.add(event{What: whatChecked, ID: id, Code: code, Result: result})
}

// settle waits until everything that was accepted was sent or has ended, at most as long as a send may take, and then
// tries every code.
func (r *runner) settle() error {
	waiting := slices.Clone(r.accepted)
	for end := time.Now().Add(75 * time.Second); len(waiting) > 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		waiting = slices.DeleteFunc(waiting, func(id string) bool { return r.vendors.codes.get(id) != "" || r.ended(id) })
	}
	work := make(chan string)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for id := range work {
				r.check(id)
			}
		})
	}
	for _, id := range r.accepted {
		work <- id
	}
	close(work)
	all.Wait()
	return nil
}

// ended reads a verification that no message was seen of.
func (r *runner) ended(id string) bool {
	a, err := r.program.call("GET", "/v1/verifications/"+id, nil)
	if err != nil || a.status != 200 || a.body.Status == "pending" {
		return false
	}
	r.h.add(event{What: whatRead, ID: id, Result: a.body.Status})
	return true
}

// quantile is of the times that starts which waited took.
func (r *runner) quantile(q float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	list := slices.Sorted(slices.Values(r.took))
	return list[min(len(list)-1, int(q*float64(len(list))))].Round(time.Millisecond)
}
