package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign"
	"countersign/store/sqlstore"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func hash(n byte) (h countersign.Hash) {
	for i := range h {
		h[i] = n + byte(i)
	}
	return h
}

// full is a record with every field set.
func full(id string, created time.Time) *countersign.Record {
	r := &countersign.Record{
		ID: id, App: "demo", Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Face: countersign.FaceREST,
		Status: countersign.StatusApproved, Phone: hash(1), Country: "US", Created: created, Expires: created.Add(5 * time.Minute),
		Ended: created.Add(time.Minute), Alphabet: countersign.Alphanumeric, Length: 8,
		CodeKey: 3, Nonce: []byte("0123456789abcdef"), Tag: countersign.Tag{Key: 4}, TxnHash: []byte(strings.Repeat("x", 32)),
		Sealed: []byte{0, 1, 255, 0}, RefHash: hash(2), Hosted: "sinch", HostedRef: "abc", HostedScope: hash(3), Test: true,
		Checks: 2, MaxChecks: 5, Sends: 1, MaxSends: 3, Lease: created.Add(time.Second),
		JTI: "prf_x", ApprovedBy: hash(4), IssuedAt: created.Add(time.Minute), Seq: 7,
		Deliveries: []countersign.Delivery{{
			ID: "msg_1", Channel: countersign.ChannelSMS, Provider: "sinch", Ref: "r\x00\xff'\"", Status: countersign.DeliverySent, At: created, Detail: "ünï",
		}},
	}
	copy(r.Tag.Sum[:], "tagtagtagtagtagtag")
	r.Deliveries[0].Ref = "r'\"\\"
	return r
}

// bare is a record as a start writes it.
func bare(id string, created time.Time) *countersign.Record {
	return &countersign.Record{
		ID: id, App: "demo", Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Face: countersign.FaceREST,
		Status: countersign.StatusPending, Phone: hash(1), Created: created, Expires: created.Add(5 * time.Minute), Seq: 1,
	}
}

func TestGetReturnsWhatWriteGot(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		for _, want := range []*countersign.Record{full("ver_full", epoch), bare("ver_bare", epoch)} {
			if err := d.Write(t.Context(), []*countersign.Record{want}); err != nil {
				t.Fatal(err)
			}
			got, err := d.Get(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Get(%s) differs (-written +read):\n%s", want.ID, diff)
			}
		}
		if _, err := d.Get(t.Context(), "ver_none"); !errors.Is(err, countersign.ErrNotFound) {
			t.Errorf("Get of a missing id = %v, want %v", err, countersign.ErrNotFound)
		}
	})
}

func TestTheHighestSeqStays(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		step := func(seq int, status countersign.Status) *countersign.Record {
			r := bare("ver_a", epoch)
			r.Seq, r.Status = seq, status
			return r
		}
		for _, batch := range [][]*countersign.Record{
			{step(2, countersign.StatusPending), step(5, countersign.StatusApproved), step(3, countersign.StatusPending)},
			{step(4, countersign.StatusFailed)},
			{step(5, countersign.StatusFailed)},
		} {
			if err := d.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			got, err := d.Get(t.Context(), "ver_a")
			if err != nil {
				t.Fatal(err)
			}
			if got.Seq != 5 || got.Status != countersign.StatusApproved {
				t.Errorf("after the batch the row is %s with seq %d, want approved with 5", got.Status, got.Seq)
			}
		}
	})
}

// Two nodes write the same rows in different orders, with different seqs: no deadlock, and the highest stays.
func TestTwoNodesWriteTheSameRows(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		const rows, rounds = 100, 6
		var wg sync.WaitGroup
		for n, d := range nodes {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for round := range rounds {
					batch := make([]*countersign.Record, rows)
					for i, j := range rand.Perm(rows) {
						batch[i] = bare(fmt.Sprintf("ver_%03d", j), epoch)
						batch[i].Seq = 2*round + n + 1
					}
					if err := d.Write(context.Background(), batch); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		wg.Wait()
		list, err := nodes[0].List(t.Context(), countersign.ListQuery{App: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != rows {
			t.Fatalf("%d rows, want %d", len(list), rows)
		}
		for _, r := range list {
			if r.Seq != 2*rounds {
				t.Errorf("%s has seq %d, want %d", r.ID, r.Seq, 2*rounds)
			}
		}
	})
}

// mixed are rows that differ in one thing each, a minute apart.
func mixed(now time.Time) []*countersign.Record {
	rows := make([]*countersign.Record, 0, 9)
	add := func(id string, change func(*countersign.Record)) {
		r := bare(id, epoch.Add(time.Duration(len(rows))*time.Minute))
		r.Status, r.Expires = countersign.StatusApproved, now
		change(r)
		rows = append(rows, r)
	}
	add("a", func(r *countersign.Record) { r.Phone = hash(9) })
	add("b", func(r *countersign.Record) { r.Purpose = countersign.PurposeSignup })
	add("c", func(r *countersign.Record) { r.Channel = countersign.ChannelVoice })
	add("d", func(r *countersign.Record) { r.Face = countersign.FaceSinch })
	add("e", func(r *countersign.Record) { r.RefHash = hash(7) })
	add("f", func(r *countersign.Record) { r.Status, r.Expires = countersign.StatusPending, now.Add(time.Second) })
	add("g", func(r *countersign.Record) { r.Status, r.Expires = countersign.StatusPending, now })
	add("h", func(r *countersign.Record) { r.Status = countersign.StatusExpired })
	add("other", func(r *countersign.Record) { r.App = "other" })
	return rows
}

func TestListFilters(t *testing.T) {
	now := epoch.Add(time.Hour)
	tests := []struct {
		name string
		q    countersign.ListQuery
		want string
	}{
		{"all", countersign.ListQuery{}, "h g f e d c b a"},
		{"phone", countersign.ListQuery{Phone: hash(9)}, "a"},
		{"purpose", countersign.ListQuery{Purpose: countersign.PurposeSignup}, "b"},
		{"channel", countersign.ListQuery{Channel: countersign.ChannelVoice}, "c"},
		{"face", countersign.ListQuery{Face: countersign.FaceSinch}, "d"},
		{"reference", countersign.ListQuery{RefHash: hash(7)}, "e"},
		{"pending is what still lives", countersign.ListQuery{Status: countersign.StatusPending}, "f"},
		{"expired is what ran out too", countersign.ListQuery{Status: countersign.StatusExpired}, "h g"},
		{"status", countersign.ListQuery{Status: countersign.StatusApproved, Limit: 2}, "e d"},
		{"created after", countersign.ListQuery{CreatedAfter: epoch.Add(5 * time.Minute)}, "h g"},
		{"after a cursor", countersign.ListQuery{Before: countersign.Cursor{Created: epoch.Add(2 * time.Minute), ID: "c"}}, "b a"},
		{"together", countersign.ListQuery{Phone: hash(1), Status: countersign.StatusApproved, Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Face: countersign.FaceREST, RefHash: hash(7), CreatedAfter: epoch, Limit: 5}, "e"},
		{"nothing", countersign.ListQuery{Phone: hash(200)}, ""},
		{"a phone of every app", countersign.ListQuery{Phone: hash(1), CreatedAfter: epoch.Add(5 * time.Minute)}, "other h g"},
	}
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{Now: func() time.Time { return now }})
		if err := d.Write(t.Context(), mixed(now)); err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			if tt.name != "a phone of every app" {
				tt.q.App = "demo"
			}
			list, err := d.List(t.Context(), tt.q)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			ids := make([]string, len(list))
			for i, r := range list {
				ids[i] = r.ID
			}
			if got := strings.Join(ids, " "); got != tt.want {
				t.Errorf("%s: List = %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

// Pages of any size give every row once, also where many were made in the same instant.
func TestPagesMeet(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		const total = 97
		rows := make([]*countersign.Record, total)
		for i := range rows {
			rows[i] = bare(fmt.Sprintf("ver_%02d", i), epoch.Add(time.Duration(i/10)))
		}
		if err := d.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 7, 50, 200} {
			seen := map[string]bool{}
			var at countersign.Cursor
			for {
				page, err := d.List(t.Context(), countersign.ListQuery{App: "demo", Limit: size, Before: at})
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					if seen[r.ID] {
						t.Fatalf("page size %d: %s came twice", size, r.ID)
					}
					seen[r.ID] = true
				}
				last := page[len(page)-1]
				at = countersign.Cursor{Created: last.Created, ID: last.ID}
			}
			if len(seen) != total {
				t.Errorf("page size %d: %d rows, want %d", size, len(seen), total)
			}
		}
	})
}

// The lists that people ask for must not read the whole table.
func TestListsUseAnIndex(t *testing.T) {
	source := sqliteSource(t)
	open(t, source, sqlstore.Options{})
	db := raw(t, source)
	for filter, index := range map[string]string{
		`app = 'a'`:                              "verifications_by_app",
		`app = 'a' AND (created, id) < (5, 'x')`: "verifications_by_app",
		`app || '' = 'a' AND phone = x'00'`:      "verifications_by_phone",
		`app || '' = 'a' AND ref_hash = x'00'`:   "verifications_by_reference",
	} {
		rows, err := db.Query(`EXPLAIN QUERY PLAN SELECT * FROM verifications WHERE ` + filter + ` ORDER BY created DESC, id DESC LIMIT 20`)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var a, b, c int
			var line string
			if err := rows.Scan(&a, &b, &c, &line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "; ")
		}
		_ = rows.Close()
		// Of a phone or a reference there are few rows: those of one instant may be sorted.
		sorts := strings.ReplaceAll(plan.String(), "TEMP B-TREE FOR LAST TERM OF ORDER BY", "")
		if index == "verifications_by_app" {
			sorts = plan.String()
		}
		if !strings.Contains(plan.String(), index+" ") || strings.Contains(sorts, "TEMP B-TREE") {
			t.Errorf("WHERE %s: plan is %q, want %s and no sorting", filter, plan.String(), index)
		}
	}
}

func TestPrune(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		opts := patient
		opts.Now, opts.Sweep = func() time.Time { return epoch }, time.Millisecond
		d := open(t, source, opts)
		const old = 2400 // more than a batch of each app
		rows := make([]*countersign.Record, 0, old+2)
		for i := range old {
			rows = append(rows, bare(fmt.Sprintf("ver_old%04d", i), epoch.Add(-31*24*time.Hour)))
			if i%2 == 0 {
				rows[i].App = "another"
			}
		}
		cut := epoch.Add(-30 * 24 * time.Hour)
		rows = append(rows, bare("ver_edge", cut), bare("ver_new", epoch))
		if err := d.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		for id, at := range map[string]time.Time{"ver_old0001": cut.Add(-1), "ver_edge": cut} {
			if _, err := d.Approve(t.Context(), id, "prf_1", at); err != nil {
				t.Fatal(err)
			}
		}
		db := raw(t, source)
		keepFresh(t, d) // which prunes soon, and often: a node that is restarted every day must do it too
		eventually(t, 30*time.Second, "everything old is deleted", func() bool {
			var n int
			err := db.QueryRow(`SELECT count(*) FROM verifications`).Scan(&n) // may find the file busy
			return err == nil && n == 2
		})
		if n, err := d.Prune(t.Context(), cut); err != nil || n != 0 {
			t.Fatalf("Prune = %d, %v after everything old is deleted", n, err)
		}
		list, err := d.List(t.Context(), countersign.ListQuery{App: "demo"})
		if err != nil || len(list) != 2 {
			t.Errorf("%d rows are left (%v), want 2", len(list), err)
		}
		if ours, err := d.Approve(t.Context(), "ver_edge", "prf_2", epoch); err != nil || ours {
			t.Errorf("an approval within the retention was forgotten: %t, %v", ours, err)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, e := range []struct{ name, source string }{{"sqlite", sqliteSource(b)}, {"postgres", shared.database(b)}} {
		b.Run(e.name, func(b *testing.B) {
			d := open(b, e.source, sqlstore.Options{})
			const size = 512
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				rows := make([]*countersign.Record, size)
				for i := range rows {
					n++
					rows[i] = full(fmt.Sprintf("ver_%s%08d", countersign.Hash{byte(n)}.Shard(), n), epoch.Add(time.Duration(n)*time.Millisecond))
				}
				if err := d.Write(context.Background(), rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
