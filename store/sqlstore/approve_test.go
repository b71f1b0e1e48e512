package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

func TestApproveOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		for _, step := range []struct {
			id, jti string
			want    bool
		}{
			{"ver_a", "prf_1", true},
			{"ver_a", "prf_1", true}, // the same approval, asked again
			{"ver_a", "prf_2", false},
			{"ver_b", "prf_2", true},
		} {
			if got, err := d.Approve(t.Context(), step.id, step.jti, epoch); err != nil || got != step.want {
				t.Errorf("Approve(%s, %s) = %t, %v, want %t", step.id, step.jti, got, err, step.want)
			}
		}
	})
}

// INV-1 for approvals that are in SQL: of many that come to two nodes at once, one stays. The control approves by
// reading and then writing, and must be caught by the same trials.
func TestApproveRace(t *testing.T) {
	const trials, callers = 100, 8
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		winners := func(trial int, approve func(node int, id, jti string) (bool, error)) int {
			var won atomic.Int64
			race(callers, func(n int) {
				ours, err := approve(n%2, fmt.Sprintf("ver_%d", trial), fmt.Sprintf("prf_%d", n))
				if err != nil {
					t.Errorf("trial %d: %v", trial, err)
				}
				if ours {
					won.Add(1)
				}
			})
			return int(won.Load())
		}
		for trial := range trials {
			if n := winners(trial, func(node int, id, jti string) (bool, error) {
				return nodes[node].Approve(context.Background(), id, jti, epoch)
			}); n != 1 {
				t.Fatalf("trial %d: %d approvals, want 1", trial, n)
			}
		}

		if n := lookFirst(t, source, callers); n < 2 {
			t.Errorf("control: an approval that looks first is made %d times", n)
		}
	})
}

func naiveApprove(db *sql.DB, id, jti string, looked *sync.WaitGroup) (bool, error) {
	var recorded string
	err := db.QueryRow(`SELECT jti FROM naive WHERE id = $1`, id).Scan(&recorded)
	looked.Done()
	looked.Wait()
	if !errors.Is(err, sql.ErrNoRows) {
		return recorded == jti, err
	}
	for {
		_, err = db.Exec(`INSERT INTO naive (id, jti) VALUES ($1, $2)`, id, jti)
		if err == nil || !strings.Contains(err.Error(), "locked") {
			return err == nil, err
		}
	}
}

// race calls f from n goroutines that start together.
func race(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			f(i)
		}()
	}
	close(start)
	wg.Wait()
}

// lookFirst is the control of races over something that one caller may have: it looks in the database whether it is free and
// then takes it, in two steps. It says how many have it.
func lookFirst(t *testing.T, source string, callers int) int64 {
	t.Helper()
	db := raw(t, source)
	if _, err := db.Exec(`CREATE TABLE naive (id TEXT, jti TEXT)`); err != nil {
		t.Fatal(err)
	}
	var have atomic.Int64
	var looked sync.WaitGroup // a network is as slow as it likes: all look before the first writes
	looked.Add(callers)
	race(callers, func(n int) {
		ours, err := naiveApprove(db, "one", fmt.Sprint(n), &looked)
		if err != nil {
			t.Error(err)
		}
		if ours {
			have.Add(1)
		}
	})
	return have.Load()
}

func BenchmarkApprove(b *testing.B) {
	for _, e := range []struct{ name, source string }{{"sqlite", sqliteSource(b)}, {"postgres", shared.database(b)}} {
		b.Run(e.name, func(b *testing.B) {
			d := open(b, e.source, patient)
			var n atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := d.Approve(context.Background(), fmt.Sprintf("ver_%d", n.Add(1)), "prf", epoch); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// A crowd at a slow disk is told so. What was given up has not happened, and does not happen later.
func TestNobodyWaitsForeverForTheirTurn(t *testing.T) {
	opts, turn := patient, gate{make(chan struct{}, 1), make(chan struct{})}
	opts.Turn, opts.Timeout = turn, time.Second
	source := sqliteSource(t)
	d, other := open(t, source, opts), open(t, source, patient)
	first := make(chan error, 1)
	go func() { _, err := d.Once(context.Background(), "first", epoch); first <- err }()
	<-turn.asked // it has begun, and holds everybody up
	if _, err := d.Once(t.Context(), "second", epoch); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("behind a move that stands still: %v, want %s", err, countersign.ErrUnavailable)
	}
	close(turn.open)
	if err := <-first; err != nil {
		t.Errorf("the move that had begun: %v", err)
	}
	if fresh, err := other.Once(t.Context(), "second", epoch); err != nil || !fresh {
		t.Errorf("what was given up happened all the same: fresh %t, %v", fresh, err)
	}
}
