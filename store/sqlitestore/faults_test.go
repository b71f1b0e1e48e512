package sqlitestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlitestore"
	"countersign/store/storetest"
)

// filled makes a file with some verifications in it and closes it.
func filled(t *testing.T, n int) (path string, records []*countersign.Record) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hot.db")
	s := open(t, path)
	ring, err := storetest.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		o, err := s.Begin(t.Context(), storetest.NewBegin(ring, app, storetest.NewPhone(), code))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, o.Record)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, records
}

// patch writes bytes into a file.
func patch(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err = f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenFaults opens files that cannot be used. Each error says which fault it is, and none leaves a goroutine.
func TestOpenFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T) (path string)
		want  error
	}{
		{"no directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none", "hot.db") }, sqlitestore.ErrCannotOpen},
		{"a directory", func(t *testing.T) string { return t.TempDir() }, sqlitestore.ErrCannotOpen},
		{"another format", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "hot.db")
			if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
				t.Fatal(err)
			}
			patch(t, path, 0, []byte("certainly not a database"))
			return path
		}, sqlitestore.ErrNotDatabase},
		{"damaged pages", func(t *testing.T) string {
			path, _ := filled(t, 200)
			for page := int64(4); page < 30; page++ {
				patch(t, path, page*4096, make([]byte, 512))
			}
			return path
		}, sqlitestore.ErrCorrupt},
		{"cut short", func(t *testing.T) string {
			path, _ := filled(t, 200)
			if err := os.Truncate(path, 5*4096); err != nil {
				t.Fatal(err)
			}
			return path
		}, sqlitestore.ErrCorrupt},
		{"not writable", func(t *testing.T) string {
			path, _ := filled(t, 1)
			// SQLite writes to no file whose header names a write version that it does not know.
			patch(t, path, 18, []byte{3})
			return path
		}, sqlitestore.ErrReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := sqlitestore.Open(t.Context(), c.spoil(t), sqlitestore.Options{})
			if err == nil {
				t.Fatal("it opened", s.Close())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("the error is %v,\nwant %v", err, c.want)
			}
		})
	}
}

func TestReopens(t *testing.T) {
	path, records := filled(t, 20)
	s := open(t, path)
	defer s.Close()
	for _, r := range records {
		o, ok, err := s.Lookup(t.Context(), r.ID)
		if err != nil || !ok || o.Record.Seq != r.Seq || string(o.Record.Sealed) != string(r.Sealed) {
			t.Fatalf("after reopening: %+v, %v, %v", o, ok, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v)", info.Mode(), err)
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("the error is %v, want one of kind unavailable", err)
	}
}

func TestClosed(t *testing.T) {
	path, records := filled(t, 1)
	s := open(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	ctx, r := t.Context(), records[0]
	_, err := s.Cancel(ctx, &countersign.Cancel{ID: r.ID, Status: countersign.StatusCanceled})
	wantUnavailable(t, err)
	_, _, err = s.Lookup(ctx, r.ID)
	wantUnavailable(t, err)
	_, err = s.Pending(ctx, app, r.Phone, "")
	wantUnavailable(t, err)
	wantUnavailable(t, s.Ping(ctx))
}

func TestCanceledContext(t *testing.T) {
	path, records := filled(t, 1)
	s := open(t, path)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // which of two ready things a select takes is chance
		_, err := s.Cancel(ctx, &countersign.Cancel{ID: records[0].ID, Status: countersign.StatusCanceled})
		if err != nil {
			wantUnavailable(t, err)
		}
	}
	if _, err := sqlitestore.Open(ctx, path, sqlitestore.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a canceled context: %v", err)
	}
}

// TestLockedByAnother holds the file's write lock elsewhere: moves fail within the timeout, and go on after it.
func TestLockedByAnother(t *testing.T) {
	path, records := filled(t, 1)
	s, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := lockFile(t, path)
	began := time.Now()
	move := &countersign.Cancel{ID: records[0].ID, Status: countersign.StatusCanceled}
	_, err = s.Cancel(t.Context(), move)
	wantUnavailable(t, err)
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("a locked file was told after %s", d)
	}
	if _, ok, err := s.Lookup(t.Context(), records[0].ID); !ok || err != nil {
		t.Errorf("a writer elsewhere stops reads: %v, %v", ok, err)
	}
	release()
	if o, err := s.Cancel(t.Context(), move); err != nil || o.Result != countersign.OutcomeOK || o.Replayed {
		t.Errorf("after the lock: %+v, %v", o, err)
	}
}
