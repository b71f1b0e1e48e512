package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file opens an SQLite file: WAL, so that readers and the one writer do not wait for each other, and
// synchronous=FULL, so that what was committed is on the disk. Writers take the lock when they begin (immediate), as
// a lock taken halfway can only fail.

// busyWait is how long SQLite itself waits for another process's write, in milliseconds. It cannot be interrupted, so
// it is short; whoever has more time asks again.
const busyWait = 50

func (d *DB) connectSQLite(ctx context.Context, path string) error {
	path, query, _ := strings.Cut(strings.TrimPrefix(path, "file:"), "?")
	if path == "" || strings.Contains(path, ":memory:") {
		return errors.New("the SQLite database must be a file: several connections share it")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("reading the options of the SQLite file: %w", err)
	}
	if params.Get("mode") != "ro" {
		if err := createPrivate(path); err != nil {
			return err
		}
	}
	params.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyWait))
	params.Add("_pragma", "synchronous(FULL)")
	// Checkpoints write a page once however often it changed: fewer of them save writes. The WAL grows to 32 MiB.
	params.Add("_pragma", "wal_autocheckpoint(8000)")
	writer := []string{
		"_txlock=immediate",
		// 16 MiB: ids and phones come in any order, so a batch touches pages all over their indexes. With fewer in memory
		// SQLite would read them again and write changed ones before it must.
		"_pragma=cache_size(-16384)",
	}
	source := func(more ...string) string {
		p := url.Values{}
		for k, v := range params {
			p[k] = append([]string(nil), v...)
		}
		for _, m := range more {
			k, v, _ := strings.Cut(m, "=")
			p.Add(k, v)
		}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + p.Encode()
	}
	if d.write, err = sql.Open("sqlite", source(writer...)); err != nil {
		return fmt.Errorf("opening the SQLite file: %w", err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", source("_pragma=query_only(1)")); err != nil {
		return errors.Join(fmt.Errorf("opening the SQLite file: %w", err), d.write.Close())
	}
	d.read.SetMaxOpenConns(d.opts.MaxConns)
	d.read.SetMaxIdleConns(d.opts.MaxConns)
	d.engine = sqliteEngine()
	return nil
}

// createPrivate makes the file for its owner's eyes; SQLite gives the files beside it the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("the database file cannot be opened for writing: check its owner and mode: %w", err)
		}
		return fmt.Errorf("opening the database file: %w", err)
	}
	return f.Close()
}

func sqliteEngine() *engine {
	return &engine{
		name: "SQLite", dialect: goose.DialectSQLite3, prepares: true,
		judge: judgeSQLite, inspect: inspectSQLite, explain: explainSQLite,
		writable: func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			_, err = tx.ExecContext(ctx, `UPDATE revisions SET n = n`)
			return err
		},
		ping: func(ctx context.Context, db *sql.DB) error {
			var n int64
			return db.QueryRowContext(ctx, `SELECT count(*) FROM revisions`).Scan(&n)
		},
		alone: func(_ context.Context, _ *sql.DB, f func() error) error { return f() },
		moved: func(error, *sql.DB) {},
	}
}

// inspectSQLite reads the whole file once (its structure, not its indexes' order): a damaged one must not be
// written to, because that is how a repairable file becomes a lost one.
func inspectSQLite(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var answer string
	if err := conn.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("the SQLite file is damaged; restore it from a backup, or move it away to start empty (quick_check: %s)", answer)
	}
	return nil
}

// setWAL is run once a file is known to be sound. Two processes that open a new file at once may meet here.
func setWAL(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the SQLite file cannot have a write-ahead log where it is (journal mode %q): it needs a local disk", mode)
	}
	return nil
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return -1
}

func judgeSQLite(err error) verdict {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return verdictBusy
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG:
		return verdictFault
	}
	return verdictUnavailable
}

func explainSQLite(err error) error {
	code := sqliteCode(err)
	if code < 0 {
		return err
	}
	switch code & 0xff {
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("the SQLite file is read-only; it and its directory must be writable: %w", err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the SQLite file is damaged or is no database; restore it from a backup, or move it away to start empty: %w", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk of the SQLite file is full; make room on it: %w", err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the SQLite file cannot be opened; its directory must exist and be writable: %w", err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another process keeps the SQLite file locked: %w", err)
	}
	return err
}
