package countersign_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"countersign"
	"countersign/store/redisstore"
)

// This file is F-05 and F-06: a Redis that comes back with older data has forgotten approvals that were answered. With
// `approvals: sql` the log remembers them. The controls run without it and must see a code approved twice.

// onRedis is an engine whose hot store is a Redis and whose log is a file.
func onRedis(t *testing.T, server *redisServer, o redisstore.Options, sql bool) *bench {
	t.Helper()
	return newBenchOn(t, server.open(o), filepath.Join(t.TempDir(), "countersign.db"), func(_ *countersign.Config, a *countersign.App) {
		a.Policy.SQLApprove = sql
	})
}

// settled waits until a start has written down its send: nothing of it is under way any more.
func settled(t *testing.T, b *bench, id string) {
	t.Helper()
	eventually(t, "the send is written down", func() bool {
		v, err := b.Get(t.Context(), b.app, id)
		return err == nil && len(v.Deliveries) == 1 && v.Deliveries[0].Status == countersign.DeliveryAccepted
	})
}

func answers(t *testing.T, store countersign.Store) {
	t.Helper()
	eventually(t, "the store answers", func() bool { return store.Ping(t.Context()) == nil })
}

func TestAnApprovalThatRedisForgets(t *testing.T) {
	for _, how := range []struct {
		name     string
		rollBack func(s *redisServer) (back func())
	}{
		{"keys put back", func(s *redisServer) func() {
			list := s.dump()
			return func() { s.restore(list) }
		}},
		{"an older snapshot", func(s *redisServer) func() {
			s.ask("SAVE")
			return func() {
				s.kill()
				s.start()
			}
		}},
	} {
		for _, sql := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, approvals sql %t", how.name, sql), func(t *testing.T) {
				server := startRedis(t)
				b := onRedis(t, server, redisstore.Options{}, sql)
				unused := b.mustStart(t, "+12015550101")
				unusedCode := b.carrier.code(t)
				v := b.mustStart(t, number)
				code := b.carrier.code(t)
				settled(t, b, unused.ID)
				settled(t, b, v.ID)

				back := how.rollBack(server)
				first, err := b.check(t, v.ID, code)
				if err != nil {
					t.Fatal(err)
				}
				back()
				answers(t, b.store)
				if got, err := b.Get(t.Context(), b.app, v.ID); err != nil || got.Status != countersign.StatusPending {
					t.Fatalf("Redis has not forgotten the approval: %+v, %v", got, err)
				}

				again, err := b.check(t, v.ID, code, fromClient)
				if sql {
					wantKind(t, err, countersign.ErrVerificationClosed)
					// Redis has approved it now, for this caller, who may repeat that; the log still says no.
					_, err = b.check(t, v.ID, code, fromClient)
					wantKind(t, err, countersign.ErrVerificationClosed)
				} else if err != nil || claims(t, b, again.Proof)["jti"] == claims(t, b, first.Proof)["jti"] {
					t.Fatalf("control: without SQL the code was not approved twice: %+v, %v", again, err)
				}
				// What was never approved is as good as before.
				if _, err := b.check(t, unused.ID, unusedCode); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The app's own word and a code are one approval: whichever Redis has forgotten, the other is refused. The controls run without
// SQL and must see both.
func TestAWordThatRedisForgets(t *testing.T) {
	for _, sql := range []bool{true, false} {
		t.Run(fmt.Sprintf("approvals sql %t", sql), func(t *testing.T) {
			server := startRedis(t)
			b := onRedis(t, server, redisstore.Options{}, sql)
			byCode := b.mustStart(t, "+12015550101")
			theirs := b.carrier.code(t)
			byWord := b.mustStart(t, number)
			code := b.carrier.code(t)
			settled(t, b, byCode.ID)
			settled(t, b, byWord.ID)
			vouch := func(id string) error {
				_, err := b.Vouch(t.Context(), &countersign.CancelRequest{App: b.app, ID: id})
				return err
			}

			list := server.dump()
			if _, err := b.check(t, byCode.ID, theirs); err != nil {
				t.Fatal(err)
			}
			if err := vouch(byWord.ID); err != nil {
				t.Fatal(err)
			}
			server.restore(list)
			for _, id := range []string{byCode.ID, byWord.ID} {
				if got, err := b.Get(t.Context(), b.app, id); err != nil || got.Status != countersign.StatusPending {
					t.Fatalf("Redis has not forgotten the approval: %+v, %v", got, err)
				}
			}
			word := vouch(byCode.ID)
			checked, err := b.check(t, byWord.ID, code)
			if !sql {
				if word != nil || err != nil || checked.Proof == "" {
					t.Fatalf("control: without SQL there are not two approvals: %v; %+v, %v", word, checked, err)
				}
				return
			}
			wantKind(t, word, countersign.ErrVerificationClosed)
			wantKind(t, err, countersign.ErrVerificationClosed)
			if checked != nil && checked.Proof != "" {
				t.Error("a proof of what the app approved on its word")
			}
		})
	}
}

// fromClient names a caller that may repeat a correct check.
func fromClient(q *countersign.CheckRequest) {
	q.Client.Addr = netip.MustParseAddr("192.0.2.1")
}

// The server is killed in a burst of checks and comes back without what it had not brought to the disk (appendfsync
// everysec loses up to a second when the machine goes down too). No code is approved twice of those whose approval was
// answered.
func TestRedisLosesItsLastSecond(t *testing.T) {
	for _, sql := range []bool{true, false} {
		t.Run(fmt.Sprintf("approvals sql %t", sql), func(t *testing.T) {
			// On a busy machine the server may write so late that nothing or everything is lost: then it is tried again.
			for range 5 {
				if lastSecondIsLost(t, sql) {
					return
				}
			}
			t.Error("five crashes lost nothing, or everything: the test shows nothing")
		})
	}
}

// lastSecondIsLost says whether the crash fell so that it shows something.
func lastSecondIsLost(t *testing.T, sql bool) bool {
	t.Helper()
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "everysec")
	b := onRedis(t, server, redisstore.Options{}, sql)
	tries := begun(t, b, 40)
	aof := filepath.Join(server.dir, "appendonlydir", "appendonly.aof.1.incr.aof")
	// While the disk is slow the server keeps what it has to write: the starts must be in the file.
	eventually(t, "the server has written the starts", func() bool {
		info := server.ask("INFO", "persistence")
		text, err := info.ToString()
		return err == nil && strings.Contains(text, "aof_buffer_length:0\r\n")
	})
	saved, err := os.Stat(aof)
	if err != nil {
		t.Fatal(err)
	}

	burst(t, b, tries, 15, server.kill)
	if err := os.Truncate(aof, saved.Size()); err != nil {
		t.Fatal(err)
	}
	server.start()
	answers(t, b.store)
	before, forgotten := 0, 0
	for _, try := range tries {
		if try.approvals.Load() == 0 {
			continue
		}
		before++
		if v, err := b.Get(t.Context(), b.app, try.id); err == nil && v.Status == countersign.StatusPending {
			forgotten++
		}
	}
	if before == 0 || before == len(tries) || forgotten == 0 {
		t.Logf("of %d codes %d were approved before the crash, and %d of those forgotten", len(tries), before, forgotten)
		return false
	}

	burst(t, b, tries, len(tries)+1, nil)
	twice, never := 0, 0
	for _, try := range tries {
		switch try.approvals.Load() {
		case 0:
			never++
		case 1:
		default:
			twice++
		}
	}
	if sql && twice > 0 {
		t.Errorf("%d codes were approved twice", twice)
	}
	if !sql && twice == 0 {
		t.Error("control: no code was approved twice")
	}
	if !sql && never > 0 { // with SQL an approval whose writing was not answered in time is nobody's
		t.Errorf("%d codes were never approved, though all were checked again", never)
	}
	return true
}

// try is a code on its way to a check.
type try struct {
	id, code  string
	approvals atomic.Int32 // that were answered
}

// begun begins n verifications, and waits until nothing of them is under way.
func begun(t *testing.T, b *bench, n int) []*try {
	t.Helper()
	var tries []*try
	for i := range n {
		v := b.mustStart(t, fmt.Sprintf("+120155501%02d", i))
		tries = append(tries, &try{id: v.ID, code: b.carrier.code(t)})
	}
	for _, try := range tries {
		settled(t, b, try.id)
	}
	return tries
}

// burst checks every code once, eight at a time. After some approvals it calls then, in the midst of the others.
func burst(t *testing.T, b *bench, tries []*try, after int, then func()) {
	t.Helper()
	work := make(chan *try)
	var answered atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for try := range work {
				_, err := b.check(t, try.id, try.code)
				switch {
				case err == nil:
					try.approvals.Add(1)
					if int(answered.Add(1)) == after {
						then()
					}
				case countersign.KindOf(err) != countersign.ErrUnavailable && countersign.KindOf(err) != countersign.ErrVerificationClosed:
					t.Errorf("a check in the burst: %v", err)
				}
			}
		})
	}
	for _, try := range tries {
		work <- try
	}
	close(work)
	all.Wait()
}

// after_failover: cancel ends what was begun before the restart; keep, the control, does not. What was approved stays
// approved under both, and what begins afterwards is not touched.
func TestAfterFailover(t *testing.T) {
	for _, cancel := range []bool{true, false} {
		t.Run(fmt.Sprintf("cancel %t", cancel), func(t *testing.T) {
			server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
			var suspected atomic.Int32
			b := onRedis(t, server, redisstore.Options{AfterFailoverCancel: cancel, Suspected: func() { suspected.Add(1) }}, false)
			used := b.mustStart(t, "+12015550101")
			usedCode := b.carrier.code(t)
			open := b.mustStart(t, number)
			code := b.carrier.code(t)
			if _, err := b.check(t, used.ID, usedCode); err != nil {
				t.Fatal(err)
			}
			server.kill()
			server.start()
			answers(t, b.store)

			_, err := b.check(t, open.ID, code)
			want := countersign.StatusApproved
			if cancel {
				wantKind(t, err, countersign.ErrVerificationClosed)
				want = countersign.StatusCanceled
			} else if err != nil {
				t.Errorf("control: %v", err)
			}
			for id, status := range map[string]countersign.Status{open.ID: want, used.ID: countersign.StatusApproved} {
				if got, err := b.Get(t.Context(), b.app, id); err != nil || got.Status != status {
					t.Errorf("after the restart: %+v, %v; want %s", got, err, status)
				}
			}
			_, err = b.check(t, used.ID, usedCode)
			wantKind(t, err, countersign.ErrVerificationClosed)
			if n := suspected.Load(); n != 1 {
				t.Errorf("the restart was suspected %d times, want once", n)
			}
			fresh := b.mustStart(t, "+12015550102")
			if _, err := b.check(t, fresh.ID, b.carrier.code(t)); err != nil {
				t.Errorf("what began after the restart: %v", err)
			}
		})
	}
}
