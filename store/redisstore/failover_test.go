package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

// turn counts round.
type turn struct{ n atomic.Int64 }

func (t *turn) take(n int) int { return int(t.n.Add(1)) % n }

// memoryMirror is SQL for the tests.
type memoryMirror struct {
	mu    sync.Mutex
	locks map[countersign.Hash]PhoneLock
	down  bool
}

func (m *memoryMirror) SaveLocks(_ context.Context, locks []PhoneLock) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("the mirror is down")
	}
	for _, l := range locks {
		if l.Until.IsZero() {
			delete(m.locks, l.Phone)
		} else {
			m.locks[l.Phone] = l
		}
	}
	return nil
}

func (m *memoryMirror) Locks(context.Context) ([]PhoneLock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errors.New("the mirror is down")
	}
	return slices.Collect(maps.Values(m.locks)), nil
}

func (m *memoryMirror) of(phone countersign.Hash) (PhoneLock, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.locks[phone]
	return l, ok
}

func (m *memoryMirror) set(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// spend makes n wrong guesses at a phone.
func spend(t *testing.T, s *Store, phone countersign.Hash, n int) {
	t.Helper()
	ring := mustRing(t)
	for n > 0 {
		b := storetest.NewBegin(ring, app, phone, code)
		b.Supersede = true
		if o, err := s.Begin(t.Context(), b); err != nil || o.Result != countersign.OutcomeOK {
			t.Fatalf("beginning: %v, %+v", err, o)
		}
		for range min(n, countersign.MaxChecks) {
			c, err := storetest.NewCheck(ring, app, b.Record.ID, "000000")
			if err != nil {
				t.Fatal(err)
			}
			if o, err := s.Check(t.Context(), c); err != nil || o.Result != countersign.OutcomeIncorrect {
				t.Fatalf("checking: %v, %+v", err, o)
			}
			n--
		}
	}
}

func locked(t *testing.T, s *Store, phone countersign.Hash) bool {
	t.Helper()
	o, err := s.Begin(t.Context(), storetest.NewBegin(mustRing(t), app, phone, code))
	if err != nil {
		t.Fatal(err)
	}
	return o.Result == countersign.OutcomeLocked
}

// running runs the store's own work until the test ends.
func running(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// A locked phone stays locked when the server comes back empty: its counts were mirrored, and the server has them
// again before it answers the first check. Without a mirror it is forgotten, which is the control.
func TestLocksSurvive(t *testing.T) {
	t.Parallel() // it mostly waits
	server := startRedis(t)
	mirror := &memoryMirror{locks: map[countersign.Hash]PhoneLock{}}
	s := open(t, Options{URL: server.url(), Timeout: patient, Mirror: mirror})
	running(t, s)
	attacked, lifted, quiet := storetest.NewPhone(), storetest.NewPhone(), storetest.NewPhone()
	spend(t, s, attacked, countersign.MaxPhoneChecks)
	spend(t, s, lifted, countersign.MaxPhoneChecks)
	spend(t, s, quiet, 3)
	eventually(t, "both locks are mirrored", func() bool {
		a, _ := mirror.of(attacked)
		b, _ := mirror.of(lifted)
		return len(a.Guesses) == countersign.MaxPhoneChecks && a.Streak == countersign.MaxPhoneChecks && len(b.Guesses) == countersign.MaxPhoneChecks
	})
	if _, ok := mirror.of(quiet); ok {
		t.Error("a phone with three guesses was mirrored")
	}
	if was, err := s.Unlock(t.Context(), lifted); err != nil || !was {
		t.Fatalf("unlocking: %v, %v", was, err)
	}
	eventually(t, "the lifted lock is forgotten", func() bool { _, ok := mirror.of(lifted); return !ok })

	server.kill()
	server.start()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if !locked(t, s, attacked) {
		t.Error("the restart lifted a lock")
	}
	if locked(t, s, lifted) {
		t.Error("the restart brought a lifted lock back")
	}

	server.kill()
	server.start()
	control := open(t, Options{URL: server.url(), Timeout: patient})
	if locked(t, control, attacked) {
		t.Error("the control is locked: the test shows nothing")
	}
}

// While the mirror cannot be read, a server that may have lost counts is not used.
func TestMirrorDown(t *testing.T) {
	server := startRedis(t)
	mirror := &memoryMirror{locks: map[countersign.Hash]PhoneLock{}}
	s := open(t, Options{URL: server.url(), Mirror: mirror})
	v := begin(t, s)
	mirror.set(true)
	server.kill()
	server.start()
	for range 10 {
		refused(t, silence, func() error { _, err := v.check(code); return err })
	}
	mirror.set(false)
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
}

// F-06: a replica takes the master's place, without the last writes. Sentinel says so, the store goes there, gives the
// locks back first, and tells its owner.
func TestSentinelFailover(t *testing.T) {
	t.Parallel() // it mostly waits
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.port), "--repl-diskless-sync-delay", "0", "--replica-priority", "1")
	replica.eventually("the replica is in sync", func() bool { return contains(replica.do("INFO", "replication"), "master_link_status:up") })
	sentinel := startConfigured(t, fmt.Sprintf("sentinel monitor m 127.0.0.1 %d 1\nsentinel down-after-milliseconds m 500\nsentinel failover-timeout m 2000\n",
		master.port), "--sentinel")
	mirror := &memoryMirror{locks: map[countersign.Hash]PhoneLock{}}
	var suspected atomic.Int32
	s := open(t, Options{
		URL: fmt.Sprintf("redis+sentinel://%s/m", sentinel.addr()), Timeout: time.Second, Mirror: mirror,
		AfterFailoverCancel: true, Suspected: func() { suspected.Add(1) },
	})
	running(t, s)
	sentinel.eventually("the sentinel knows the replica", func() bool { return contains(sentinel.do("INFO", "sentinel"), "slaves=1") })
	v := begin(t, s)
	attacked := storetest.NewPhone()
	spend(t, s, attacked, countersign.MaxPhoneChecks)
	eventually(t, "the lock is mirrored", func() bool { l, _ := mirror.of(attacked); return len(l.Guesses) == countersign.MaxPhoneChecks })
	replica.eventually("the replica has it all", func() bool {
		return replica.do("EXISTS", recordKey(v.r.ID)) == "1" && replica.do("DBSIZE") == master.do("DBSIZE")
	})
	master.kill()
	eventually(t, "the store answers", func() bool { return s.Ping(t.Context()) == nil })
	if n := suspected.Load(); n != 1 {
		t.Errorf("the failover was suspected %d times, want once", n)
	}
	if !locked(t, s, attacked) {
		t.Error("the failover lifted a lock")
	}
	v.must(code, countersign.OutcomeClosed)
	begin(t, s).must(code, countersign.OutcomeApproved)
}

// F-06 on a cluster: one of three masters dies and its replica takes over. The store gives the replica the locks before
// it answers, and nothing else is disturbed. A replica is never asked anything before that.
func TestClusterFailover(t *testing.T) {
	t.Parallel() // it mostly waits
	nodes := startCluster(t, 3)
	dying := nodes[0]
	replica := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")
	replica.do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(dying.port))
	name := dying.do("CLUSTER", "MYID")
	replica.eventually("the replica knows its master", func() bool {
		_, err := replica.try("CLUSTER", "REPLICATE", name)
		return err == nil
	})
	replica.eventually("the replica is in sync", func() bool { return contains(replica.do("INFO", "replication"), "master_link_status:up") })
	mirror := &memoryMirror{locks: map[countersign.Hash]PhoneLock{}}
	var suspected atomic.Int32
	s := open(t, Options{
		URL: "redis+cluster://" + nodes[1].addr() + "," + dying.addr(), Timeout: time.Second, Mirror: mirror,
		Suspected: func() { suspected.Add(1) },
	})
	running(t, s)
	attacked := storetest.NewPhone()
	for !owns(dying, phoneKey(attacked)) {
		attacked = storetest.NewPhone()
	}
	spend(t, s, attacked, countersign.MaxPhoneChecks)
	eventually(t, "the lock is mirrored", func() bool { l, _ := mirror.of(attacked); return len(l.Guesses) == countersign.MaxPhoneChecks })
	replica.eventually("the replica has it all", func() bool { return replica.do("DBSIZE") == dying.do("DBSIZE") })
	nodes[1].eventually("all nodes know the replica", func() bool {
		return contains(nodes[1].do("CLUSTER", "NODES"), "slave "+name) && contains(nodes[2].do("CLUSTER", "NODES"), "slave "+name)
	})
	dying.kill()
	eventually(t, "the phone's slot answers", func() bool {
		_, err := s.Pending(t.Context(), app, attacked, "")
		return err == nil
	})
	if !locked(t, s, attacked) {
		t.Error("the failover lifted a lock")
	}
	if n := suspected.Load(); n != 1 {
		t.Errorf("the failover was suspected %d times, want once", n)
	}
}

// owns says whether a key's slot is a node's own.
func owns(node *redisServer, key string) bool {
	_, err := node.try("GET", key)
	return err == nil
}

// A clock that was set back by more than two seconds ends what is pending; by less it changes nothing.
func TestClockSetBack(t *testing.T) {
	server := startRedis(t)
	s := open(t, Options{URL: server.url(), Timeout: patient})
	if err := s.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	v, other := begin(t, s), begin(t, s)
	server.do("HINCRBY", clockKey, "offset", "-1000")
	if err := s.readClock(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if o := v.must("000000", countersign.OutcomeIncorrect); o.Now.Before(v.r.Created) {
		t.Errorf("a check is at %s, its record of %s", o.Now, v.r.Created)
	}
	server.do("HINCRBY", clockKey, "offset", "-60000")
	if err := s.readClock(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if o := v.must(code, countersign.OutcomeClosed); o.Record.Status != countersign.StatusCanceled {
		t.Errorf("after the clock was set back the record is %s", o.Record.Status)
	}
	other.must(code, countersign.OutcomeClosed)
	begin(t, s).must(code, countersign.OutcomeApproved)
}

// An advance beside other moves is not taken for a clock that was set back: nothing that is pending ends of it.
func TestAdvanceBesideOtherMoves(t *testing.T) {
	s := open(t, Options{URL: startRedis(t).url(), Timeout: patient})
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	there := begin(t, s).r.ID
	for range 4 {
		busy.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = s.Lookup(ctx, there)
			}
		})
	}
	for range 100 {
		if err := s.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		begin(t, s).must(code, countersign.OutcomeApproved)
	}
}

// A second process that has not heard of an advance takes it over when it meets a record that is ahead.
func TestAdvanceIsShared(t *testing.T) {
	server := startRedis(t)
	a := open(t, Options{URL: server.url(), Timeout: patient})
	b := open(t, Options{URL: server.url(), Timeout: patient})
	if err := a.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	v := begin(t, a)
	v.s = b
	v.must("000000", countersign.OutcomeIncorrect)
	v.must(code, countersign.OutcomeApproved)
	if d := a.Now().Sub(b.Now()).Abs(); d > time.Second {
		t.Errorf("the clocks are %s apart", d)
	}
	later := open(t, Options{URL: server.url(), Timeout: patient})
	if d := later.Now().Sub(a.Now()).Abs(); d > time.Second {
		t.Errorf("a process that starts later is %s off", d)
	}
}
