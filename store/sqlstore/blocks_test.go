package sqlstore_test

import (
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

// What one node blocks or lifts, another one reads; the same thing is there once, and what ended long ago is forgotten.
func TestBlocksAreShared(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		now := epoch
		opts := sqlstore.Options{Now: func() time.Time { return now }}
		one, other := open(t, source, opts), open(t, source, opts)
		block := countersign.Block{
			ID: "blk_01", Key: countersign.Hash{1}, App: "demo", Rule: "prefix_blocked", Subject: "+120255…", Reason: "too little was confirmed",
			Since: now, Until: now.Add(time.Hour),
		}
		longer := block
		longer.Level, longer.Since, longer.Until = 1, now.Add(2*time.Hour), now.Add(4*time.Hour)
		for _, b := range []countersign.Block{block, longer, {ID: "blk_02", Key: countersign.Hash{2}, Rule: "network_blocked", Since: now, Until: now.Add(time.Hour)}} {
			if err := one.SaveBlock(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		list := func() []countersign.Block {
			t.Helper()
			list, err := other.Blocks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		got := list()
		if len(got) != 2 || !got[0].Until.Equal(longer.Until) || !got[0].Since.Equal(longer.Since) || got[0].Level != 1 ||
			got[0].Key != block.Key || got[0].App != "demo" || got[0].Subject != block.Subject || got[0].Reason != block.Reason || got[1].Rule != "network_blocked" {
			t.Fatalf("the other node reads %+v", got)
		}
		for _, want := range []bool{true, false} { // lifted once
			if ended, err := other.EndBlock(t.Context(), "blk_01", now.Add(time.Minute)); err != nil || ended != want {
				t.Errorf("EndBlock = %t, %v, want %t", ended, err, want)
			}
		}
		if b, err := one.Blocks(t.Context()); err != nil || !b[0].Until.Equal(now.Add(time.Minute)) {
			t.Errorf("after it was lifted elsewhere: %+v, %v", b, err)
		}
		now = now.Add(9 * 24 * time.Hour)
		if err := one.SaveBlock(t.Context(), countersign.Block{ID: "blk_03", Key: countersign.Hash{3}, Since: now, Until: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if got := list(); len(got) != 1 || got[0].ID != "blk_03" {
			t.Errorf("nine days later: %+v", got)
		}
	})
}
