package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/store/postgrestest"
	"countersign/store/sqlstore"
)

// This file has what only a server can do: fail a transaction, run out of connections, die, turn into a standby.

// Lost races are run again, three times and no more. The triggers fail a known number of times; a sequence counts,
// as it is not rolled back.
func TestSerializationFailures(t *testing.T) {
	source := shared.database(t)
	d, db := open(t, source, sqlstore.Options{}), raw(t, source)
	if _, err := db.Exec(`CREATE SEQUENCE tries;
CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trip BEFORE INSERT ON verifications FOR EACH ROW EXECUTE FUNCTION trip()`); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code  string
		fails int
		want  error
	}{
		{"40001", 3, nil},
		{"40P01", 3, nil},
		{"23505", 3, nil},
		{"40001", 4, countersign.ErrUnavailable},
		{"53100", 1, countersign.ErrUnavailable}, // disk full
		{"23514", 1, countersign.ErrInternal},    // a broken rule is a mistake of ours, and not worth a retry
	} {
		t.Run(fmt.Sprintf("%s times %d", tt.code, tt.fails), func(t *testing.T) {
			if _, err := db.Exec(fmt.Sprintf(`ALTER SEQUENCE tries RESTART;
CREATE OR REPLACE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
 IF nextval('tries') <= %d THEN RAISE EXCEPTION 'tripped' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$`, tt.fails, tt.code)); err != nil {
				t.Fatal(err)
			}
			err := d.Write(t.Context(), []*countersign.Record{bare("ver_a", epoch)})
			switch {
			case tt.want == nil && err != nil:
				t.Errorf("Write = %v", err)
			case tt.want == countersign.ErrInternal && (err == nil || countersign.KindOf(err) != countersign.ErrInternal):
				t.Errorf("Write = %v, want a fault of ours", err)
			case tt.want != nil && tt.want != countersign.ErrInternal && !errors.Is(err, tt.want):
				t.Errorf("Write = %v, want %v", err, tt.want)
			}
		})
	}
}

// All connections wait for a lock: who needs one is refused in time.
func TestExhaustedPool(t *testing.T) {
	source := shared.database(t)
	opts := hasty
	opts.MaxConns, opts.Timeout = 2, 2*time.Second
	d := open(t, source, opts)
	tx, err := raw(t, source).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`LOCK TABLE verifications IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 2)
	for i := range 2 {
		go func() {
			waiting <- d.Write(context.Background(), []*countersign.Record{bare(fmt.Sprintf("ver_%d", i), epoch)})
		}()
	}
	blocked := raw(t, source)
	eventually(t, 2*time.Second, "both connections wait", func() bool {
		var n int
		_ = blocked.QueryRow(`SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&n)
		return n == 2
	})
	begun := time.Now()
	if _, err := d.Get(t.Context(), "ver_a"); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("Get = %v, want %v", err, countersign.ErrUnavailable)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the refusal took %s", took)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-waiting; err != nil {
			t.Errorf("a write that waited: %v", err)
		}
	}
}

// Postgres dies and comes back: refusals at once, nothing that was acknowledged is lost, and no restart of ours.
func TestPostgresRestart(t *testing.T) {
	server, err := postgrestest.Start("fsync=off", "max_connections=60")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Remove()
	opts := hasty
	opts.Timeout, opts.AnswerTimeout = 2*time.Second, time.Second
	d := open(t, server.URL("postgres"), opts)
	keepFresh(t, d)
	if ours, err := d.Approve(t.Context(), "ver_a", "prf_a", epoch); err != nil || !ours {
		t.Fatalf("Approve = %t, %v", ours, err)
	}
	_, key, err := d.NewKey(t.Context(), "demo", sqlstore.KeySecret, "")
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	everyUnavailable(t, d, 500*time.Millisecond)
	if err := d.Ping(t.Context()); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("Ping = %v, want %v", err, countersign.ErrUnavailable)
	}
	if _, ok := d.FindKey(key); !ok {
		t.Error("a key is not found while the database is away")
	}
	eventually(t, 3*time.Second, "memory is known to be old", func() bool { return d.Age() > time.Second })
	if _, err := d.OptedOut(t.Context(), "s", hash(1)); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("OptedOut from old memory = %v, want %v", err, countersign.ErrUnavailable)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "it works again", func() bool { return d.Ping(t.Context()) == nil && d.Age() < time.Second })
	for jti, want := range map[string]bool{"prf_a": true, "prf_b": false} {
		if ours, err := d.Approve(t.Context(), "ver_a", jti, epoch); err != nil || ours != want {
			t.Errorf("after the restart Approve(%s) = %t, %v, want %t", jti, ours, err, want)
		}
	}
}

// A primary that has become a standby takes no more writes; connections to it are thrown away.
func TestPostgresBecomesReadOnly(t *testing.T) {
	source := shared.database(t)
	d := open(t, source, hasty)
	db := raw(t, source)
	name := source[strings.LastIndex(source[:strings.Index(source, "?")], "/")+1 : strings.Index(source, "?")]
	admin := raw(t, shared.URL("postgres"))
	set := func(value string) {
		t.Helper()
		if _, err := admin.Exec(`ALTER DATABASE ` + name + ` SET default_transaction_read_only = ` + value); err != nil {
			t.Fatal(err)
		}
	}
	set("on")
	if _, err := db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countersign'`); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "Ping says so", func() bool {
		err := d.Ping(t.Context())
		return err != nil && strings.Contains(err.Error(), "read-only")
	})
	everyUnavailable(t, d, time.Second)
	set("off") // holds for connections that are opened from now on
	eventually(t, 5*time.Second, "a write works again", func() bool {
		return d.Write(t.Context(), []*countersign.Record{bare("ver_a", epoch)}) == nil
	})
}
