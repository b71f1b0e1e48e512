package sqlitestore

import (
	"database/sql/driver"
	"fmt"
)

// schemaVersion is of the tables below. The file is shared with the log's tables, so these have a prefix.
const schemaVersion = 2

// A record's row stays where it was inserted, so that the pages being written are the few recent ones. due is when
// Sweep next has work with it; out_at and out_seq are its outbox entry.
const schema = `
CREATE TABLE IF NOT EXISTS hot_meta (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL,
	last    INTEGER NOT NULL, -- the store's time of the last write
	wall    INTEGER NOT NULL, -- the machine's time then
	advance INTEGER NOT NULL, -- how far Advance moved the clock, in milliseconds
	cutoff  INTEGER NOT NULL  -- what began until then ends: the machine's clock was set back
) STRICT;
CREATE TABLE IF NOT EXISTS hot_records (
	place   INTEGER PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	app     TEXT NOT NULL,
	phone   BLOB NOT NULL,
	status  TEXT NOT NULL,
	expires INTEGER NOT NULL,
	due     INTEGER NOT NULL,
	out_at  INTEGER,
	out_seq INTEGER NOT NULL,
	packed  BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS hot_records_due ON hot_records (due);
CREATE INDEX IF NOT EXISTS hot_records_out ON hot_records (out_at) WHERE out_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS hot_phones (
	phone  BLOB PRIMARY KEY,
	until  INTEGER NOT NULL, -- when nothing of it is needed any more
	packed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hot_rates (
	key BLOB PRIMARY KEY,
	tat INTEGER NOT NULL, -- when the rate is full again, or the sum ends
	sum INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hot_keys (
	key   BLOB PRIMARY KEY,
	body  BLOB NOT NULL,
	id    TEXT NOT NULL,
	done  INTEGER NOT NULL,
	lease INTEGER NOT NULL,
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO hot_meta (one, version, last, wall, advance, cutoff) VALUES (1, 2, 0, 0, 0, 0) ON CONFLICT DO NOTHING;
`

// fromVersion1 gives limits that are sums a place.
const fromVersion1 = `ALTER TABLE hot_rates ADD COLUMN sum INTEGER NOT NULL DEFAULT 0; UPDATE hot_meta SET version = 2`

// prepareFile makes sure that the file is sound, ours, of this schema or none, and writable.
func prepareFile(c *conn) error {
	if err := checkSound(c); err != nil {
		return err
	}
	version, err := storedVersion(c)
	if err != nil {
		return err
	}
	if version > schemaVersion {
		return fmt.Errorf("%w (its tables are of version %d, this release knows %d)", ErrNewer, version, schemaVersion)
	}
	return inTransaction(c, func() error {
		if err := c.do(schema); err != nil {
			return fmt.Errorf("creating the tables: %w", explain(err))
		}
		if version == 1 {
			if err := c.do(fromVersion1); err != nil {
				return fmt.Errorf("changing the tables: %w", explain(err))
			}
		}
		return nil
	})
}

func checkSound(c *conn) error {
	check, err := c.prepare("PRAGMA quick_check(1)", 1)
	if err != nil {
		return explain(err)
	}
	verdict := ""
	if _, err = check.one(func(row []driver.Value) error { verdict = asText(row[0]); return nil }); err != nil {
		return explain(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w (quick_check: %s)", ErrCorrupt, verdict)
	}
	return nil
}

// storedVersion is zero for a file without our tables.
func storedVersion(c *conn) (version int64, err error) {
	ours, err := c.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'hot_meta'", 1)
	if err != nil {
		return 0, explain(err)
	}
	there, err := ours.one(func([]driver.Value) error { return nil })
	if err != nil || !there {
		return 0, explain(err)
	}
	meta, err := c.prepare("SELECT version FROM hot_meta", 1)
	if err != nil {
		return 0, explain(err)
	}
	_, err = meta.one(func(row []driver.Value) error { version = asInt(row[0]); return nil })
	return version, explain(err)
}

// inTransaction takes the write lock, runs the step and commits, or takes everything back.
func inTransaction(c *conn, step func() error) error {
	if err := c.do("BEGIN IMMEDIATE"); err != nil {
		return explain(err)
	}
	err := step()
	if err == nil {
		err = explain(c.do("COMMIT"))
	}
	if err != nil {
		rollback(c)
	}
	return err
}

// rollback ends a transaction. It fails only when SQLite has ended it already, and then there is nothing left to do.
func rollback(c *conn) { _ = c.do("ROLLBACK") }
