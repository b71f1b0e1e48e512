package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"countersign"
	"countersign/config"
	"countersign/guard"
	"countersign/metrics"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
)

// What the guard has blocked and lifted is in the database when the process has stopped, in the order in which it happened.
func TestBlocksOfTheLastMomentAreKept(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "hot.db"), sqlitestore.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "log.db"), sqlstore.Options{Now: store.Now, Timeout: time.Minute, AnswerTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	i := &instance{cfg: &config.Config{}, log: slog.New(slog.DiscardHandler), metrics: metrics.New(), db: db, store: store, seen: guard.NewMemory()}
	w, err := newWatch(i)
	if err != nil {
		t.Fatal(err)
	}
	tell := w.config(&tenants{})
	now := store.Now()
	for n, id := range []string{"blk_stays", "blk_lifted", "blk_lifted_too"} {
		tell.Blocked(countersign.Block{ID: id, Key: countersign.Hash{byte(n + 1)}, Rule: "prefix_block", Since: now, Until: now.Add(time.Hour), Level: 1})
		if n > 0 {
			tell.Lifted(id)
		}
	}
	byHand := countersign.Block{ID: "blk_by_hand", Key: countersign.Hash{9}, Rule: "prefix_block", Since: now, Until: now.Add(time.Hour), Level: 1}
	i.watch = w
	i.seen.Learn([]countersign.Block{byHand}, now)
	tell.Blocked(byHand)
	if ok, err := (guardFace{i: i}).Lift(t.Context(), "", byHand.ID); !ok || err != nil {
		t.Errorf("lifted by hand: %v, %v", ok, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := w.run(stopped); err != nil {
		t.Fatal(err)
	}
	list, err := db.Blocks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lasts := map[string]bool{}
	for _, b := range list {
		lasts[b.ID] = b.Until.After(store.Now())
	}
	if len(lasts) != 4 || !lasts["blk_stays"] || lasts["blk_lifted"] || lasts["blk_lifted_too"] || lasts[byHand.ID] {
		t.Errorf("after the stop these are there, true while they last: %v", lasts)
	}
}
