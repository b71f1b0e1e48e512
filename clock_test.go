package countersign_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/store/redisstore"
	"countersign/store/sqlitestore"
)

// This file is F-20: the clock that decides jumps by an hour. No code lives longer than its time and a second, and
// what the instance signs goes by the store's clock.

// clockwork is a store whose machine's clock a test can set. It begins an hour ahead of this machine's.
type clockwork interface {
	// begin makes an engine.
	begin(t *testing.T) *bench
	// step sets the clock and gives the engine that goes on.
	step(t *testing.T, b *bench, d time.Duration) *bench
}

// onSQLite sets the clock in the file, where the last reading is kept: forward while the engine runs, as another
// process on the file would; back over a restart, which is when a machine's clock can go back unseen.
type onSQLite struct {
	path  string
	close func()
}

func (s *onSQLite) begin(t *testing.T) *bench {
	t.Helper()
	s.path = filepath.Join(t.TempDir(), "countersign.db")
	b := s.open(t)
	b.advance(t, time.Hour)
	return b
}

func (s *onSQLite) open(t *testing.T) *bench {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), s.path, sqlitestore.Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.close = sync.OnceFunc(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.close)
	return newBenchOn(t, store, s.path)
}

func (s *onSQLite) step(t *testing.T, b *bench, d time.Duration) *bench {
	t.Helper()
	if d >= 0 {
		s.set(t, `UPDATE hot_meta SET advance = advance + ?1`, d)
		return b
	}
	b.stop()
	s.close()
	s.set(t, `UPDATE hot_meta SET advance = advance + ?1, wall = wall - ?1`, d) // what a clock that was ahead would have left
	return s.open(t)
}

func (s *onSQLite) set(t *testing.T, statement string, d time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", s.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, d.Milliseconds()); err != nil {
		t.Fatal(err)
	}
}

// onRedisClock sets the offset that every process adds to the time of the server.
type onRedisClock struct {
	server *redisServer
	store  *redisstore.Store
}

func (r *onRedisClock) begin(t *testing.T) *bench {
	t.Helper()
	r.server = startRedis(t)
	r.store = r.server.open(redisstore.Options{})
	b := newBenchOn(t, r.store, filepath.Join(t.TempDir(), "countersign.db"))
	b.advance(t, time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (r *onRedisClock) step(t *testing.T, b *bench, d time.Duration) *bench {
	t.Helper()
	before := r.store.Now()
	r.server.ask("HINCRBY", "cs:clock", "offset", strconv.FormatInt(d.Milliseconds(), 10))
	eventually(t, "the process has seen the step", func() bool { return (r.store.Now().Sub(before) - d).Abs() < time.Minute })
	return b
}

func TestTheClockJumps(t *testing.T) {
	for name, build := range map[string]func() clockwork{
		"sqlite": func() clockwork { return &onSQLite{} },
		"redis":  func() clockwork { return &onRedisClock{} },
	} {
		for _, tt := range []struct {
			step   time.Duration
			want   countersign.Kind // "" is an approval: without a jump the same check goes well
			status countersign.Status
		}{
			{0, "", countersign.StatusApproved},
			{time.Hour, countersign.ErrVerificationExpired, countersign.StatusExpired},
			{-time.Hour, countersign.ErrVerificationClosed, countersign.StatusCanceled},
		} {
			t.Run(fmt.Sprintf("%s %s", name, tt.step), func(t *testing.T) {
				t.Parallel() // it mostly waits
				clock := build()
				b := clock.begin(t)
				v := b.mustStart(t, number)
				code := b.carrier.code(t)
				settled(t, b, v.ID)

				b = clock.step(t, b, tt.step)
				if tt.step < 0 {
					// The control: by the machine's clock, which is right again, this code has more than an hour to live.
					if left := time.Until(v.Expires); left <= b.app.Policy.Lifetime+time.Second {
						t.Fatalf("control: a code that goes by the machine's clock has only %s left", left)
					}
				}
				_, err := b.check(t, v.ID, code)
				if tt.want != "" {
					wantKind(t, err, tt.want)
				} else if err != nil {
					t.Fatal(err)
				}
				if got, err := b.Get(t.Context(), b.app, v.ID); err != nil || got.Status != tt.status {
					t.Errorf("after the jump: %+v, %v; want %s", got, err, tt.status)
				}
				provesByTheStoresClock(t, b, "+12015550102")
				livesItsTime(t, b)
			})
		}
	}
}

// provesByTheStoresClock checks that a proof begins now and ends in ten minutes, by the store's clock.
func provesByTheStoresClock(t *testing.T, b *bench, number string) {
	t.Helper()
	v := b.mustStart(t, number)
	earliest := b.store.Now().Add(-2 * time.Second) // seconds are whole, and a store's time is known to its last answer
	done, err := b.check(t, v.ID, b.carrier.code(t))
	if err != nil {
		t.Fatal(err)
	}
	latest := b.store.Now().Add(time.Second)
	c := claims(t, b, done.Proof)
	issued, expires := time.Unix(int64(c["iat"].(float64)), 0), time.Unix(int64(c["exp"].(float64)), 0)
	if issued.Before(earliest) || issued.After(latest) || expires.Sub(issued) != countersign.ProofLifetime {
		t.Errorf("a proof of %s to %s is valid from %s to %s", earliest, latest, issued, expires)
	}
}

// livesItsTime checks a code shortly before and a second after its end, by steps that the engine makes itself.
func livesItsTime(t *testing.T, b *bench) {
	t.Helper()
	early, late := b.mustStart(t, "+12015550103"), b.mustStart(t, "+12015550104")
	codes := map[string]string{}
	for _, m := range b.carrier.all() {
		codes[m.Verification] = m.Code.Reveal()
	}
	b.advance(t, b.app.Policy.Lifetime-20*time.Second) // a loaded machine takes its time
	if _, err := b.check(t, early.ID, codes[early.ID]); err != nil {
		t.Errorf("a code died early: %v", err)
	}
	b.advance(t, 21*time.Second)
	_, err := b.check(t, late.ID, codes[late.ID])
	wantKind(t, err, countersign.ErrVerificationExpired)
}

// all is every message so far.
func (c *carrier) all() []countersign.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]countersign.Message(nil), c.messages...)
}
