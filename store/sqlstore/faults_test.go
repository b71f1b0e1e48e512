package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

// This file breaks the database in the ways that it breaks in service.

func openFails(t *testing.T, source string, want ...string) {
	t.Helper()
	d, err := sqlstore.Open(context.Background(), source, sqlstore.Options{})
	if err == nil {
		_ = d.Close()
		t.Fatalf("Open succeeded, want a failure about %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open = %q, want it to say %q", err, w)
		}
	}
}

func TestOpenRefusesANewerDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		open(t, source, sqlstore.Options{})
		if _, err := raw(t, source).Exec(`INSERT INTO sql_schema_version (version_id, is_applied) VALUES (999, $1)`, true); err != nil {
			t.Fatal(err)
		}
		openFails(t, source, "newer version", "999")
	})
}

func TestOpenRefusesSources(t *testing.T) {
	for source, want := range map[string]string{
		"":                           "must be a file",
		":memory:":                   "must be a file",
		"sqlite::memory:":            "must be a file",
		"mysql://x/y":                "postgres:// URL",
		"postgres://u:s3cret@h:a/":   "cannot be read",
		t.TempDir() + "/no/dir/x.db": "opening the database file",
		t.TempDir() + "/x.db?%zz":    "options",
	} {
		openFails(t, source, want)
	}
	_, err := sqlstore.Open(t.Context(), "postgres://u:s3cret@h:a/", sqlstore.Options{})
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestOpenPostgresThatIsNotThere(t *testing.T) {
	openFails(t, "postgres://postgres:s3cret@/x?host="+url.QueryEscape(t.TempDir()), "cannot be reached")
	openFails(t, shared.URL("nowhere"), "does not exist")
	openFails(t, shared.database(t)+"&options="+url.QueryEscape("-cdefault_transaction_read_only=on"), "read-only")
}

// F-19: a damaged file is not opened.
func TestOpenDamagedSQLite(t *testing.T) {
	source := sqliteSource(t)
	d := open(t, source, sqlstore.Options{})
	rows := make([]*countersign.Record, 500)
	for i := range rows {
		rows[i] = full(fmt.Sprintf("ver_%d", i), epoch)
	}
	if err := d.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, source).Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func([]byte) []byte{
		"pages of noise": func(b []byte) []byte {
			for i := 10 * 4096; i < 20*4096; i++ {
				b[i] = byte(i * 7)
			}
			return b
		},
		"no database":   func([]byte) []byte { return []byte(strings.Repeat("this is a text file\n", 500)) },
		"half the file": func(b []byte) []byte { return b[:len(b)/2] },
	}
	for name, damage := range tests {
		path := t.TempDir() + "/damaged.db"
		if err := os.WriteFile(path, damage(append([]byte(nil), sound...)), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		openFails(t, path, "damaged")
	}
	path := t.TempDir() + "/sound.db" // the control: the same bytes, undamaged
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path, sqlstore.Options{})
}

func TestOpenReadOnlySQLite(t *testing.T) {
	source := sqliteSource(t)
	open(t, source, sqlstore.Options{})
	openFails(t, source+"?mode=ro", "read-only")
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	source := sqliteSource(t)
	d := open(t, "sqlite:"+source, sqlstore.Options{})
	if err := d.Write(t.Context(), []*countersign.Record{bare("ver_a", epoch)}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(source + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %o, want 600", suffix, info.Mode().Perm())
		}
	}
	var mode string
	var sync int
	db := raw(t, source)
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v, want wal", mode, err)
	}
	if err := db.QueryRow(`PRAGMA synchronous`).Scan(&sync); err != nil || sync != 2 {
		t.Errorf("synchronous %d, %v, want 2 (FULL)", sync, err)
	}
}

// every calls each method that asks the database, and wants them all to fail as unavailable, in time.
func everyUnavailable(t *testing.T, d *sqlstore.DB, within time.Duration) {
	t.Helper()
	ctx := context.Background()
	calls := map[string]func() error{
		"Write":   func() error { return d.Write(ctx, []*countersign.Record{bare("ver_z", epoch)}) },
		"Approve": func() error { _, err := d.Approve(ctx, "ver_z", "prf_z", epoch); return err },
		"OptOut": func() error {
			_, err := d.OptOut(ctx, &countersign.OptOut{Sender: "s", Phone: hash(9), Out: true, At: epoch})
			return err
		},
		"NewKey": func() error { _, _, err := d.NewKey(ctx, "demo", sqlstore.KeySecret, ""); return err },
		"Prune":  func() error { _, err := d.Prune(ctx, epoch); return err },
		"SaveLocks": func() error {
			return d.SaveLocks(ctx, []sqlstore.PhoneLock{{Phone: hash(1), Streak: 1}})
		},
	}
	for name, call := range calls {
		begun := time.Now()
		if err := call(); !errors.Is(err, countersign.ErrUnavailable) {
			t.Errorf("%s = %v, want %v", name, err, countersign.ErrUnavailable)
		}
		if took := time.Since(begun); took > within {
			t.Errorf("%s took %s, want at most %s", name, took, within)
		}
	}
}

var hasty = sqlstore.Options{Timeout: 200 * time.Millisecond, AnswerTimeout: 100 * time.Millisecond, Report: func(error) {}}

// Somebody else holds the lock: the answer is a refusal in time, and when the lock is gone everything works again.
func TestLockedDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, hasty)
		reader := open(t, source, patient) // its answer counts, not how soon a busy machine gives it
		conn, err := raw(t, source).Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lock := []string{`BEGIN IMMEDIATE`}
		if strings.HasPrefix(source, "postgres") {
			lock = []string{`BEGIN`, `LOCK TABLE verifications, approvals, opt_outs, api_keys, phone_locks, revisions IN EXCLUSIVE MODE`}
		}
		for _, statement := range lock {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		everyUnavailable(t, d, time.Second)
		if _, err := reader.Get(t.Context(), "ver_z"); !errors.Is(err, countersign.ErrNotFound) {
			t.Errorf("a reader waits for a writer: Get = %v", err)
		}
		if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		// Connecting anew may take longer than hasty allows, where the machine has much else to do.
		write := func() error { return d.Write(t.Context(), []*countersign.Record{bare("ver_z", epoch)}) }
		for err, end := write(), time.Now().Add(time.Minute); err != nil; err = write() {
			if time.Now().After(end) {
				t.Fatalf("after the lock: %v", err)
			}
		}
	})
}

// A write that waits for a short lock gets through, well within its time.
func TestShortLock(t *testing.T) {
	source := sqliteSource(t)
	d := open(t, source, patient)
	conn, err := raw(t, source).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Write(context.Background(), []*countersign.Record{bare("ver_z", epoch)}) }()
	select {
	case err := <-done:
		t.Fatalf("Write did not wait: %v", err)
	case <-time.After(120 * time.Millisecond): // more than SQLite waits by itself
	}
	if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := <-done; err != nil {
		t.Errorf("Write = %v", err)
	}
}

// F-19: a full disk fails a write, and the next one after room was made goes well.
func TestFullDisk(t *testing.T) {
	source := t.TempDir() + "/full.db"
	d := open(t, source+"?_pragma=max_page_count(80)", hasty)
	var written int
	for {
		rows := make([]*countersign.Record, 20)
		for i := range rows {
			rows[i] = full(fmt.Sprintf("ver_%d_%d", written, i), epoch)
		}
		err := d.Write(t.Context(), rows)
		if err != nil {
			if !errors.Is(err, countersign.ErrUnavailable) {
				t.Fatalf("Write on a full disk = %v, want %v", err, countersign.ErrUnavailable)
			}
			break
		}
		written++
	}
	list, err := d.List(t.Context(), countersign.ListQuery{App: "demo"})
	if err != nil || len(list) != 20*written || written == 0 {
		t.Errorf("%d rows can be read (%v), want the %d that were acknowledged and none of the last batch", len(list), err, 20*written)
	}
}
