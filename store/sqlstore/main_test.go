package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

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
	var err error
	if shared, err = startCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "starting Postgres for the tests:", err)
		return 1
	}
	defer func() {
		shared.remove()
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

// cluster is a Postgres server on a socket in a directory of its own.
type cluster struct {
	dir, bin string
	who      *syscall.Credential
	server   *exec.Cmd
	ended    chan struct{}
	made     atomic.Int64
}

func startCluster() (*cluster, error) {
	c := &cluster{}
	var err error
	if c.bin, err = postgresDir(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // Postgres refuses to run as root
		if err := c.lowerTo("postgres"); err != nil {
			return nil, err
		}
	}
	init := c.command("initdb", "-D", c.dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return c, c.start()
}

func postgresDir() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("initdb is not on this machine: install postgresql")
	}
	return filepath.Dir(slices.Max(found)), nil
}

func (c *cluster) lowerTo(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c.who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, uid, gid)
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.who, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// start returns when the server says that it takes connections.
func (c *cluster) start() error {
	c.server = c.command("postgres", "-D", c.dir+"/data", "-k", c.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60")
	log, err := c.server.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.server.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	c.ended = ended
	go func() {
		defer close(ended)
		told := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if !told && strings.Contains(lines.Text(), "ready to accept connections") {
				told = true
				close(ready)
			}
		}
	}()
	select {
	case <-ready:
		return nil
	case <-ended:
		return errors.New("postgres ended before it was ready")
	case <-time.After(30 * time.Second):
		return errors.New("postgres was not ready in time")
	}
}

// stop ends the server as a crash would.
func (c *cluster) stop() {
	_ = c.server.Process.Signal(syscall.SIGQUIT)
	<-c.ended
	_ = c.server.Wait()
}

func (c *cluster) remove() {
	c.stop()
	_ = os.RemoveAll(c.dir)
}

func (c *cluster) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(c.dir)
}

// database makes an empty one and gives its URL.
func (c *cluster) database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", c.made.Add(1))
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return c.url(name)
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
