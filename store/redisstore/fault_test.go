package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

const (
	app  = "shop"
	code = "271828"
)

// silence is how long a move may take at a server that does not answer: the timeout, and what a busy machine adds.
const silence = defaultTimeout + 250*time.Millisecond

// try is a phone with a verification of the usual code.
type try struct {
	t    testing.TB
	s    *Store
	ring *countersign.Keyring
	r    *countersign.Record
}

func begin(t testing.TB, s *Store) *try {
	t.Helper()
	ring, err := storetest.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	b := storetest.NewBegin(ring, app, storetest.NewPhone(), code)
	var o *countersign.Outcome
	// The first move connects and gives the server its scripts. A store that waits no longer than one in service may not
	// get that done at once on a busy machine.
	eventually(t, "the store answers", func() bool {
		o, err = s.Begin(t.Context(), b)
		return countersign.KindOf(err) != countersign.ErrUnavailable
	})
	if err != nil || o.Result != countersign.OutcomeOK {
		t.Fatalf("beginning: %v, %+v", err, o)
	}
	return &try{t, s, ring, o.Record}
}

func (v *try) check(typed string) (*countersign.Outcome, error) {
	v.t.Helper()
	c, err := storetest.NewCheck(v.ring, app, v.r.ID, typed)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.s.Check(v.t.Context(), c)
}

// must checks a code and stops the test unless the answer is as told.
func (v *try) must(typed string, want countersign.Result) *countersign.Outcome {
	v.t.Helper()
	o, err := v.check(typed)
	if err != nil || o.Result != want {
		v.t.Fatalf("checking: %v, %+v; want the result %d", err, o, want)
	}
	return o
}

// refused wants ErrUnavailable within a time, in one of three calls: a busy machine may keep any one of them waiting.
func refused(t testing.TB, within time.Duration, call func() error) error {
	t.Helper()
	var took [3]time.Duration
	for i := range took {
		began := time.Now()
		err := call()
		took[i] = time.Since(began)
		if !errors.Is(err, countersign.ErrUnavailable) {
			t.Errorf("the error is %v, want one of kind unavailable", err)
			return err
		}
		if took[i] <= within {
			return err
		}
	}
	t.Errorf("refused after %s, want at most %s", took, within)
	return countersign.ErrUnavailable
}

// F-01: a server that is away does not keep a store from opening, and is found within two seconds of its return.
func TestDownAtStart(t *testing.T) {
	server := startRedis(t)
	server.kill()
	s := open(t, Options{URL: server.url()})
	err := refused(t, 100*time.Millisecond, func() error { return s.Ping(t.Context()) })
	if !strings.Contains(err.Error(), "refused") {
		t.Errorf("Ping does not say why: %v", err)
	}
	server.start()
	back := time.Now()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if took := time.Since(back); took > 2*time.Second {
		t.Errorf("the server was back for %s before the store answered", took)
	}
	begin(t, s).must(code, countersign.OutcomeApproved)
}

// F-02: a server that goes away during traffic gives refusals at once, and nothing is approved without a count.
func TestDownInTraffic(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url()})
	v := begin(t, s)
	server.kill()
	for range 20 {
		refused(t, 100*time.Millisecond, func() error { _, err := v.check(code); return err })
	}
	refused(t, 10*time.Millisecond, func() error { _, err := v.check(code); return err })
	server.start()
	back := time.Now()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if took := time.Since(back); took > 2*time.Second {
		t.Errorf("the server was back for %s before the store answered", took)
	}
	if _, err := v.check(code); !errors.Is(err, countersign.ErrNotFound) {
		t.Errorf("a server without data answers %v", err)
	}
}

// F-03: a slow or silent server costs at most the timeout, and nothing once that is known.
func TestSlow(t *testing.T) {
	for name, fault := range map[string]func(*proxy){
		"slow":   func(p *proxy) { p.delay = 500 * time.Millisecond },
		"silent": func(p *proxy) { p.silent = true },
	} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			p := startProxy(t, server.addr())
			s := open(t, Options{URL: p.url()})
			v := begin(t, s)
			p.set(func() { fault(p) })
			for range breakAfter {
				refused(t, silence, func() error { _, err := v.check(code); return err })
			}
			quick := 0
			for range 20 {
				began := time.Now()
				refused(t, silence, func() error { _, err := v.check(code); return err })
				if time.Since(began) < 10*time.Millisecond {
					quick++
				}
			}
			if quick < 18 {
				t.Errorf("%d of 20 refusals were quick with the breaker open", quick)
			}
			p.set(func() { p.delay, p.silent = 0, false })
			eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
		})
	}
}

// F-04: an answer is lost after the script ran. The guess stays counted, no repeat is made, and the same request asked
// again is answered from memory.
func TestLostAnswer(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.addr())
	s := open(t, Options{URL: p.url()})
	v := begin(t, s)
	c, err := storetest.NewCheck(v.ring, app, v.r.ID, code)
	if err != nil {
		t.Fatal(err)
	}
	c.Request = countersign.Request{Key: countersign.Hash{1}, Body: countersign.Hash{2}}
	wrong, err := storetest.NewCheck(v.ring, app, v.r.ID, "000000")
	if err != nil {
		t.Fatal(err)
	}
	v.must("000000", countersign.OutcomeIncorrect) // the script is known and the connection stands

	for _, move := range []*countersign.Check{wrong, c} {
		p.set(func() { p.lose = 1 })
		refused(t, silence, func() error { _, err := s.Check(t.Context(), move); return err })
		<-p.lost
	}
	o, ok, err := s.Lookup(t.Context(), v.r.ID)
	if err != nil || !ok || o.Record.Checks != 3 || o.Record.Status != countersign.StatusApproved {
		t.Fatalf("after two lost answers: %+v, %v", o.Record, err)
	}
	o, err = s.Check(t.Context(), c)
	if err != nil || o.Result != countersign.OutcomeApproved || !o.Replayed || o.Record.Checks != 3 {
		t.Errorf("the same request again gives %+v, %v", o, err)
	}
	v.must(code, countersign.OutcomeClosed)
}

// F-04 under load: answers are lost at random while many check one code. At most one success is heard, exactly one
// record is approved.
func TestLostAnswersUnderLoad(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.addr())
	s := open(t, Options{URL: p.url()})
	for trial := range 8 {
		v := begin(t, s)
		var approved atomic.Int32
		var all sync.WaitGroup
		p.set(func() { p.lose = 2 })
		for range 30 {
			all.Go(func() {
				if o, err := v.check(code); err == nil && o.Result == countersign.OutcomeApproved {
					approved.Add(1)
				}
			})
		}
		all.Wait()
		p.set(func() { p.lose = 0 })
		for len(p.lost) > 0 {
			<-p.lost
		}
		if n := approved.Load(); n > 1 {
			t.Fatalf("trial %d: %d successes", trial, n)
		}
		eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	}
}

// F-05: the server is killed and comes back with its append-only file. What was approved and written stays approved, a
// guess that was answered stays counted (INV-5), and the owner hears that data may be lost.
func TestKilledWithAOF(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	var suspected atomic.Int32
	s := open(t, Options{URL: server.url(), Suspected: func() { suspected.Add(1) }})
	used, open := begin(t, s), begin(t, s)
	used.must(code, countersign.OutcomeApproved)
	left := 0
	for range countersign.MaxChecks - 1 {
		left = open.must("111111", countersign.OutcomeIncorrect).Phone.ChecksLeft
	}
	server.kill()
	server.start()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	used.must(code, countersign.OutcomeClosed)
	if o, _, err := s.Lookup(t.Context(), open.r.ID); err != nil || o.Record.Checks != countersign.MaxChecks-1 || o.Phone.ChecksLeft != left {
		t.Errorf("after the kill: %+v, %v; want %d guesses counted, %d left of the phone", o, err, countersign.MaxChecks-1, left)
	}
	if n := suspected.Load(); n != 1 {
		t.Errorf("a restart was suspected %d times, want once", n)
	}
	open.must(code, countersign.OutcomeApproved)
}

// With AfterFailoverCancel nothing that began before the restart can be approved.
func TestCancelAfterFailover(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, Options{URL: server.url(), AfterFailoverCancel: true})
	v, swept := begin(t, s), begin(t, s)
	server.kill()
	server.start()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if o := v.must(code, countersign.OutcomeClosed); o.Record.Status != countersign.StatusCanceled {
		t.Errorf("a verification of before the restart is %s", o.Record.Status)
	}
	if o, _, err := s.Lookup(t.Context(), swept.r.ID); err != nil || o.Record.Status != countersign.StatusCanceled {
		t.Errorf("Lookup says %+v, %v", o, err)
	}
	begin(t, s).must(code, countersign.OutcomeApproved)
}

// F-07: a full server refuses writes. Nothing changes, and the check that could not be counted is not answered.
func TestFull(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url()})
	v := begin(t, s)
	server.do("CONFIG", "SET", "maxmemory", "1000000")
	err := refused(t, 100*time.Millisecond, func() error { _, err := v.check(code); return err })
	if !strings.Contains(err.Error(), "OOM") {
		t.Errorf("the error does not say why: %v", err)
	}
	refused(t, 100*time.Millisecond, func() error { return s.Ping(t.Context()) })
	server.do("CONFIG", "SET", "maxmemory", "0")
	if o := v.must("000000", countersign.OutcomeIncorrect); o.Record.Checks != 1 || o.Record.Seq != v.r.Seq+1 {
		t.Errorf("the refused check changed the record: %+v", o.Record)
	}
	v.must(code, countersign.OutcomeApproved)
}

// F-08: a server that may evict keys is refused, with the cure.
func TestEvicting(t *testing.T) {
	server := startRedis(t, "--maxmemory-policy", "allkeys-lru")
	_, err := Open(t.Context(), Options{URL: server.url()})
	if err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Fatalf("Open says %v", err)
	}
	s := open(t, Options{URL: server.url(), UnsafeAllowEviction: true})
	begin(t, s).must(code, countersign.OutcomeApproved)

	server.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	strict := open(t, Options{URL: server.url()})
	server.do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	if err := strict.poll(t.Context()); err == nil {
		t.Error("the watch does not see that the policy was changed")
	}
	refused(t, 100*time.Millisecond, func() error { return strict.Ping(t.Context()) })
}

// F-09: scripts that a server forgot are sent again; a server that cannot serve is unavailable, and found again.
func TestServerStates(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url()})
	v := begin(t, s)
	server.do("SCRIPT", "FLUSH")
	v.must("000000", countersign.OutcomeIncorrect)
	server.do("SCRIPT", "FLUSH")
	if err := s.Acknowledge(t.Context(), []*countersign.Record{v.r}); err != nil {
		t.Errorf("a flush after SCRIPT FLUSH: %v", err)
	}
	server.do("CONFIG", "SET", "min-replicas-to-write", "1")
	refused(t, 100*time.Millisecond, func() error { _, err := v.check(code); return err })
	server.do("CONFIG", "SET", "min-replicas-to-write", "0")
	server.do("REPLICAOF", "127.0.0.1", fmt.Sprint(freePorts(t, 1)[0]))
	refused(t, 100*time.Millisecond, func() error { _, err := v.check(code); return err })
	server.do("REPLICAOF", "NO", "ONE")
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if o := v.must(code, countersign.OutcomeApproved); o.Record.Checks != 2 {
		t.Errorf("%d checks were counted, want 2: refused moves count nothing", o.Record.Checks)
	}
}

// A server that loads its data refuses everything; the store waits for it.
func TestLoading(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--key-load-delay", "1500", "--loading-process-events-interval-bytes", "1024")
	s := open(t, Options{URL: server.url()})
	v := begin(t, s)
	for i := range 1000 {
		server.do("SET", fmt.Sprint("filler", i), "x")
	}
	server.do("BGREWRITEAOF") // the delay is for each key of the snapshot that the file then begins with
	eventually(t, "the file is rewritten", func() bool {
		info := server.do("INFO", "persistence")
		return contains(info, "aof_rewrite_in_progress:0") && contains(info, "aof_rewrite_scheduled:0") && !contains(info, "aof_base_size:0\r")
	})
	server.kill()
	server.run()
	loading := false
	eventually(t, "the store answers", func() bool {
		err := s.Ping(t.Context())
		if err != nil && strings.Contains(err.Error(), "loading") {
			loading = true
		}
		return err == nil
	})
	if !loading {
		t.Error("the server was never seen loading")
	}
	v.must(code, countersign.OutcomeApproved)
}

// A client that goes away does not open the breaker, and its move is not lost on the others.
func TestCanceledCaller(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url()})
	v := begin(t, s)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * breakAfter {
		if _, _, err := s.Lookup(gone, v.r.ID); err == nil {
			t.Error("a canceled caller got an answer")
		}
	}
	v.must(code, countersign.OutcomeApproved)
}
