package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"countersign"
)

// This file is what the two engines have in common; sqlite.go and postgres.go are the rest of the difference.

// verdict is what an engine's failure means for the one who asked.
type verdict uint8

const (
	verdictUnavailable verdict = iota // the engine could not answer
	verdictAgain                      // lost a race that another try may win
	verdictBusy                       // somebody else writes: try again until the time is up
	verdictFault                      // the statement itself is wrong: a mistake in this program
)

// maxRaces is how often a transaction that lost a race is run again.
const maxRaces = 3

// engine is one database engine.
type engine struct {
	name    string
	dialect goose.Dialect
	judge   func(error) verdict
	// prepares says that the INSERT of the log is prepared here and run for one row after the other: long statements cost
	// SQLite more than several short ones.
	prepares bool
	// insertRows is how many rows one INSERT carries elsewhere. Postgres pays for round trips, and its driver remembers
	// statements itself.
	insertRows int
	// inspect refuses a database that must not be used, before anything is changed in it.
	inspect func(ctx context.Context, db *sql.DB) error
	// writable fails when the database would take no write.
	writable func(ctx context.Context, db *sql.DB) error
	ping     func(ctx context.Context, db *sql.DB) error
	// explain puts what the operator can do in front of what the engine said.
	explain func(error) error
	// alone runs f while no other process migrates the same database, as far as the engine can promise that.
	alone func(ctx context.Context, db *sql.DB, f func() error) error
	// moved is told of a connection that can no longer write: the others of the pool must go too.
	moved func(err error, db *sql.DB)
}

// connect opens the pools. Nothing is asked of the database yet, so a wrong source is the only failure.
func (d *DB) connect(ctx context.Context, source string) error {
	if strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://") {
		return d.connectPostgres(source)
	}
	if strings.Contains(source, "://") {
		return errors.New("the data source must be a path, sqlite:PATH or a postgres:// URL")
	}
	return d.connectSQLite(ctx, strings.TrimPrefix(source, "sqlite:"))
}

// again runs f until it ends in something other than a lost race.
func (e *engine) again(ctx context.Context, db *sql.DB, f func() error) error {
	for races := 0; ; {
		err := f()
		if err == nil {
			return nil
		}
		var no refusal
		if errors.As(err, &no) {
			return no.err
		}
		var told *countersign.Error
		if errors.As(err, &told) {
			return err
		}
		switch v := e.judge(err); {
		case v == verdictFault:
			return fmt.Errorf("running a statement on %s: %w", e.name, err)
		case v == verdictAgain && races < maxRaces:
			races++
		case v == verdictBusy:
			// The engine waited already; the pause keeps a busy file from being asked in a tight loop.
		default:
			e.moved(err, db)
			return countersign.Unavailable(err)
		}
		if !pause(ctx, time.Duration(races+1)*2*time.Millisecond) {
			return countersign.Unavailable(err)
		}
	}
}

// pause waits, and is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
