package sqlstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"countersign"
	"countersign/store/sqlstore"
)

// patient is for tests that crowd one disk on purpose.
var patient = sqlstore.Options{AnswerTimeout: 20 * time.Second, Timeout: 20 * time.Second}

func TestAPIKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		now := epoch
		d := open(t, source, sqlstore.Options{Now: func() time.Time { return now }})
		secret, text, err := d.NewKey(t.Context(), "demo", sqlstore.KeySecret, "backend")
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		public, publicText, err := d.NewKey(t.Context(), "demo", sqlstore.KeyPublishable, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.NewKey(t.Context(), "other", sqlstore.KeySecret, "x"); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "sk_") || !strings.HasPrefix(publicText, "pk_") || len(text) != 46 || len(publicText) != 46 {
			t.Errorf("keys look like %.3s… (%d) and %.3s… (%d)", text, len(text), publicText, len(publicText))
		}
		if want := "sk_…" + text[42:]; secret.Display != want || secret.App != "demo" || !secret.Created.Equal(epoch) {
			t.Errorf("NewKey = %+v, want display %q, created %s", secret, want, epoch)
		}
		if k, ok := d.FindKey(text); !ok || k != secret {
			t.Errorf("FindKey = %+v, %t, want %+v", k, ok, secret)
		}
		for _, wrong := range []string{"", "sk_", text[:45], text + "x", strings.ToUpper(text), publicText[:3] + text[3:]} {
			if _, ok := d.FindKey(wrong); ok {
				t.Error("FindKey found a key that was not made")
			}
		}
		if err := d.RevokeKey(t.Context(), secret.ID); err != nil {
			t.Fatal(err)
		}
		secret.Revoked = now
		now = now.Add(time.Hour)
		if err := d.RevokeKey(t.Context(), secret.ID); err != nil {
			t.Errorf("revoking twice = %v", err)
		}
		if err := d.RevokeKey(t.Context(), "key_none"); !errors.Is(err, countersign.ErrNotFound) {
			t.Errorf("revoking what never was = %v, want %v", err, countersign.ErrNotFound)
		}
		if _, ok := d.FindKey(text); ok {
			t.Error("a revoked key is found on the node that revoked it")
		}
		list, err := d.Keys(t.Context(), "demo")
		if diff := cmp.Diff([]sqlstore.KeyInfo{secret, public}, list); err != nil || diff != "" {
			t.Errorf("Keys: %v (-want +got):\n%s", err, diff)
		}
		if all, err := d.Keys(t.Context(), ""); err != nil || len(all) != 3 {
			t.Errorf("Keys of all apps: %d, %v, want 3", len(all), err)
		}
	})
}

func TestNewKeyRefuses(t *testing.T) {
	d := open(t, sqliteSource(t), sqlstore.Options{})
	for _, tt := range []struct {
		name, app string
		kind      sqlstore.KeyKind
		label     string
	}{
		{"no app", "", sqlstore.KeySecret, "x"},
		{"no kind", "demo", "", "x"},
		{"a long name", "demo", sqlstore.KeySecret, strings.Repeat("x", 65)},
		{"a name with a line break", "demo", sqlstore.KeySecret, "a\nb"},
		{"a name that is not UTF-8", "demo", sqlstore.KeySecret, "\xff"},
	} {
		if _, _, err := d.NewKey(t.Context(), tt.app, tt.kind, tt.label); !errors.Is(err, countersign.ErrInvalidRequest) {
			t.Errorf("%s: %v, want %v", tt.name, err, countersign.ErrInvalidRequest)
		}
	}
}

// A key's text and its secret half are nowhere in the file.
func TestNoKeyInClear(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		_, text, err := d.NewKey(t.Context(), "demo", sqlstore.KeySecret, "canary-name")
		if err != nil {
			t.Fatal(err)
		}
		dump := dumpTable(t, source, "api_keys")
		if !strings.Contains(dump, "canary-name") {
			t.Fatal("the dump does not show the row: the test looks in the wrong place")
		}
		if strings.Contains(dump, text) || strings.Contains(dump, text[3:30]) {
			t.Error("the table holds the key's text")
		}
	})
}

// What one node changes, all know within a second.
func TestChangesReachOtherNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		here, there := open(t, source, sqlstore.Options{}), open(t, source, sqlstore.Options{})
		keepFresh(t, there)
		k, text, err := here.NewKey(t.Context(), "demo", sqlstore.KeySecret, "")
		if err != nil {
			t.Fatal(err)
		}
		found := func() bool { _, ok := there.FindKey(text); return ok }
		eventually(t, time.Second, "a new key works on the other node", found)
		if err := here.RevokeKey(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, "a revoked key is dead on the other node", func() bool { return !found() })

		out := func(sender string) bool {
			stopped, err := there.OptedOut(t.Context(), sender, hash(1))
			if err != nil {
				t.Fatal(err)
			}
			return stopped
		}
		if _, err := here.OptOut(t.Context(), &countersign.OptOut{Sender: "46700", Phone: hash(1), Out: true, At: epoch}); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, "a STOP holds on the other node", func() bool { return out("46700") })
		if out("other") {
			t.Error("a STOP to one sender stopped another")
		}
		if _, err := here.OptOut(t.Context(), &countersign.OptOut{Sender: "46700", Phone: hash(1), Out: false, At: epoch}); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, "a START lifts it on the other node", func() bool { return !out("46700") })
	})
}

// gate is a writer's turn that does not come before it is opened.
type gate struct{ asked, open chan struct{} }

func (g gate) Lock() {
	select {
	case g.asked <- struct{}{}:
	default:
	}
	<-g.open
}

func (gate) Unlock() {}

// A deletion that takes long must not keep a node from what others change: a revoked key is dead on it all the same.
func TestMemoryIsFreshWhileSomethingIsDeleted(t *testing.T) {
	source := sqliteSource(t)
	here := open(t, source, patient)
	_, text, err := here.NewKey(t.Context(), "demo", sqlstore.KeySecret, "")
	if err != nil {
		t.Fatal(err)
	}
	opts, turn := patient, gate{make(chan struct{}, 1), make(chan struct{})}
	opts.Turn, opts.Sweep = turn, time.Millisecond
	there := open(t, source, opts)
	keepFresh(t, there)
	t.Cleanup(func() { close(turn.open) })
	if _, ok := there.FindKey(text); !ok {
		t.Fatal("the key is not known on the other node")
	}
	<-turn.asked // it wants to delete, and waits from now on
	keys, err := here.Keys(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := here.RevokeKey(t.Context(), keys[0].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the key is dead on the other node", func() bool { _, ok := there.FindKey(text); return !ok })
}

func TestOptOut(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, sqlstore.Options{})
		for i, step := range []struct {
			phone        byte
			out, changed bool
		}{
			{1, false, false}, {1, true, true}, {1, true, false}, {2, true, true}, {1, false, true}, {1, false, false}, {1, true, true},
		} {
			changed, err := d.OptOut(t.Context(), &countersign.OptOut{Sender: "sender", Phone: hash(step.phone), Out: step.out, At: epoch})
			if err != nil || changed != step.changed {
				t.Errorf("step %d: OptOut = %t, %v, want %t", i, changed, err, step.changed)
			}
			if got, err := d.OptedOut(t.Context(), "sender", hash(step.phone)); err != nil || got != step.out {
				t.Errorf("step %d: OptedOut = %t, %v, want %t", i, got, err, step.out)
			}
		}
		again := open(t, source, sqlstore.Options{})
		for phone, want := range map[byte]bool{1: true, 2: true, 3: false} {
			if got, err := again.OptedOut(t.Context(), "sender", hash(phone)); err != nil || got != want {
				t.Errorf("after a restart OptedOut(%d) = %t, %v, want %t", phone, got, err, want)
			}
		}
	})
}

// Memory that nobody keeps fresh is not trusted: the database is asked.
func TestOptedOutWithoutRun(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		here, there := open(t, source, sqlstore.Options{}), open(t, source, sqlstore.Options{})
		eventually(t, 5*time.Second, "memory grows old", func() bool { return there.Age() > time.Second })
		if _, err := here.OptOut(t.Context(), &countersign.OptOut{Sender: "s", Phone: hash(1), Out: true, At: epoch}); err != nil {
			t.Fatal(err)
		}
		if got, err := there.OptedOut(t.Context(), "s", hash(1)); err != nil || !got {
			t.Errorf("OptedOut = %t, %v, want true", got, err)
		}
		if got, err := there.OptedOut(t.Context(), "s", hash(2)); err != nil || got {
			t.Errorf("OptedOut of somebody else = %t, %v, want false", got, err)
		}
	})
}

func TestLocks(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		now := epoch
		d := open(t, source, sqlstore.Options{Now: func() time.Time { return now }})
		a := sqlstore.PhoneLock{Phone: hash(1), Streak: 100, Guesses: []time.Time{epoch, epoch.Add(time.Second)}, Until: epoch.Add(time.Hour)}
		b := sqlstore.PhoneLock{Phone: hash(2), Streak: 12}
		old := sqlstore.PhoneLock{Phone: hash(2), Streak: 11}
		gone := sqlstore.PhoneLock{Phone: hash(3), Streak: 3}
		save := func(locks ...sqlstore.PhoneLock) {
			t.Helper()
			if err := d.SaveLocks(t.Context(), locks); err != nil {
				t.Fatal(err)
			}
		}
		want := func(locks ...sqlstore.PhoneLock) {
			t.Helper()
			got, err := d.Locks(t.Context())
			if diff := cmp.Diff(append([]sqlstore.PhoneLock{}, locks...), got); err != nil || diff != "" {
				t.Errorf("Locks: %v (-want +got):\n%s", err, diff)
			}
		}
		save(gone, old, a, b)
		want(a, b, gone)
		save(sqlstore.PhoneLock{Phone: hash(3)})
		want(a, b)
		now = epoch.Add(countersign.StreakLifetime + time.Minute)
		if _, err := d.Prune(t.Context(), epoch); err != nil {
			t.Fatal(err)
		}
		want()
	})
}

func dumpTable(t *testing.T, source, table string) string {
	t.Helper()
	rows, err := raw(t, source).Query(`SELECT * FROM ` + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			if raw, ok := c.([]byte); ok {
				c = string(raw)
			}
			fmt.Fprintf(&b, "%v|", c)
		}
	}
	return b.String()
}
