package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where the database's version is written. The name leaves other users of the same file alone.
const versionTable = "sql_schema_version"

// migrateTries is how often a migration that lost a race with another process's is looked at again.
const migrateTries = 5

// ErrNewer is what Open fails with when a newer program has changed the tables.
var ErrNewer = errors.New("the database was written by a newer version of this program; install that version, or restore a backup from before the upgrade")

// migrate brings the tables up to date. On SQLite, which has no lock outside a transaction, the loser of a race fails
// on a table that exists by now, and has nothing to do when it looks again.
func (d *DB) migrate(ctx context.Context) error {
	return d.engine.alone(ctx, d.write, func() error {
		for try := 1; ; try++ {
			err := d.migrateOnce(ctx)
			if err == nil || errors.Is(err, ErrNewer) || try == migrateTries || d.engine.judge(err) != verdictFault {
				return err
			}
			if d.engine.dialect != goose.DialectSQLite3 || !pause(ctx, time.Duration(try)*20*time.Millisecond) {
				return err
			}
		}
	})
}

func (d *DB) migrateOnce(ctx context.Context) error {
	if d.engine.dialect == goose.DialectSQLite3 {
		if err := setWAL(ctx, d.write); err != nil {
			return err
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	provider, err := goose.NewProvider(d.engine.dialect, d.write, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version of the database: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w (the database has version %d, this program %d)", ErrNewer, current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}
