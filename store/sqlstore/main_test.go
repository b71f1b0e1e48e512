package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"countersign/store/postgrestest"
	"countersign/store/sqlstore"
)

// The tests run on an SQLite file and on a Postgres of their own. A machine without the Postgres programs fails them.

var shared *cluster

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	server, err := postgrestest.Start("fsync=off", "max_connections=60")
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting Postgres for the tests:", err)
		return 1
	}
	shared = &cluster{Server: server}
	defer func() {
		server.Remove()
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// cluster is the tests' Postgres server.
type cluster struct {
	*postgrestest.Server
	made atomic.Int64
}

// database makes an empty one and gives its URL.
func (c *cluster) database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", c.made.Add(1))
	db, err := sql.Open("pgx", c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return c.URL(name)
}

// onBoth runs a test on each engine, on an empty database.
func onBoth(t *testing.T, f func(t *testing.T, source string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, sqliteSource(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, shared.database(t))
	})
}

func sqliteSource(t testing.TB) string { return filepath.Join(t.TempDir(), "a b#%41.db") }

// open opens a database and closes it with the test. What the background reports fails the test, unless opts say otherwise.
func open(t testing.TB, source string, opts sqlstore.Options) *sqlstore.DB {
	t.Helper()
	if opts.Report == nil {
		opts.Report = func(err error) { t.Errorf("reported: %v", err) }
	}
	d, err := sqlstore.Open(context.Background(), source, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// keepFresh runs d.Run until the test ends.
func keepFresh(t testing.TB, d *sqlstore.DB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// raw is a connection past the store, for looking and for breaking things.
func raw(t testing.TB, source string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if !strings.HasPrefix(source, "postgres") {
		driver, source = "sqlite", "file:"+(&url.URL{Path: source}).EscapedPath()
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// eventually waits until f is true; the bound is the promise under test.
func eventually(t testing.TB, within time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
