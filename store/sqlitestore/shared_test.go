package sqlitestore_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of database/sql

	"countersign"
	"countersign/store/storetest"
)

// lockFile takes the file's write lock, as the log's transactions do.
func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pair is two stores on one file, as two processes are; each check goes to the other one.
type pair struct {
	countersign.Store
	other countersign.Store
	turn  atomic.Int64
}

// Check implements countersign.Moves.
func (p *pair) Check(ctx context.Context, c *countersign.Check) (*countersign.Outcome, error) {
	if p.turn.Add(1)%2 == 0 {
		return p.other.Check(ctx, c)
	}
	return p.Store.Check(ctx, c)
}

// TestTwoOnOneFile races two stores on one file: together they approve once and compare five times.
func TestTwoOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hot.db")
	a, b := open(t, path), open(t, path)
	defer a.Close()
	defer b.Close()
	both := &pair{Store: a, other: b}
	for name, check := range map[string]func(ctx context.Context, s countersign.Store, trials, parallel int) ([]string, error){
		"one approval": storetest.OneApproval, "five guesses": storetest.CappedGuesses, "twenty guesses": storetest.CappedPhone,
	} {
		violations, err := check(t.Context(), both, 20, 16)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, v := range violations {
			t.Errorf("%s: %s", name, v)
		}
	}
	before := b.Now()
	if err := a.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := b.Now().Sub(before); d < time.Hour {
		t.Errorf("the other store's clock moved by %s after an hour's advance", d)
	}
}
