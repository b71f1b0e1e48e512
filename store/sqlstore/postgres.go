package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// This file opens a Postgres database. Connections are pooled by database/sql; one that has become a standby's after
// a failover is thrown away with its whole pool.

const (
	connectTimeout = 2 * time.Second
	connLifetime   = 30 * time.Minute
	// migrationLock is the advisory lock of those who migrate: "cntrsign" in ASCII.
	migrationLock int64 = 0x636e74727369676e
)

func (d *DB) connectPostgres(source string) error {
	config, err := pgx.ParseConfig(source)
	if err != nil {
		// The error repeats the URL with its password hidden, but only the well-formed part of it.
		return errors.New("the Postgres URL cannot be read; it must look like postgres://user:password@host:5432/name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "countersign"
	}
	d.write = stdlib.OpenDB(*config)
	d.write.SetMaxOpenConns(max(d.opts.MaxConns, 2)) // migrating takes two
	d.write.SetMaxIdleConns(d.opts.MaxConns)
	d.write.SetConnMaxLifetime(connLifetime)
	d.read = d.write
	d.engine = postgresEngine(d.opts.MaxConns)
	return nil
}

func postgresEngine(idle int) *engine {
	return &engine{
		name: "Postgres", dialect: goose.DialectPostgres, insertRows: 32,
		judge: judgePostgres, explain: explainPostgres, alone: lockPostgres,
		inspect: func(ctx context.Context, db *sql.DB) error {
			if err := db.PingContext(ctx); err != nil {
				return err
			}
			return writablePostgres(ctx, db)
		},
		writable: writablePostgres,
		ping:     writablePostgres,
		moved: func(err error, db *sql.DB) {
			if postgresCode(err) == "25006" { // read_only_sql_transaction
				db.SetMaxIdleConns(-1)
				db.SetMaxIdleConns(idle)
			}
		},
	}
}

var errReadOnly = errors.New("the Postgres database is read-only: it is a standby, or default_transaction_read_only is on; connect to the primary")

func writablePostgres(ctx context.Context, db *sql.DB) error {
	var readOnly string
	if err := db.QueryRowContext(ctx, `SHOW transaction_read_only`).Scan(&readOnly); err != nil {
		return err
	}
	if readOnly != "off" {
		return errReadOnly
	}
	return nil
}

// lockPostgres holds an advisory lock on a connection of its own for as long as f runs.
func lockPostgres(ctx context.Context, db *sql.DB, f func() error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return fmt.Errorf("waiting for another process to migrate: %w", err)
	}
	defer func() {
		_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
		err = errors.Join(err, unlock)
	}()
	return f()
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// judgePostgres goes by the class of the SQLSTATE (PostgreSQL manual, appendix A).
func judgePostgres(err error) verdict {
	code := postgresCode(err)
	if code == "" {
		return verdictUnavailable
	}
	switch code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return verdictAgain
	case "23505": // unique_violation: another one wrote between a look and a write, and is seen the next time
		return verdictAgain
	}
	switch code[:2] {
	case "22", "23", "42": // data, constraint, syntax or access
		return verdictFault
	}
	return verdictUnavailable
}

func explainPostgres(err error) error {
	var refused *pgconn.ConnectError
	switch code := postgresCode(err); {
	case code == "25006":
		return fmt.Errorf("%w: %w", errReadOnly, err)
	case code == "3D000":
		return fmt.Errorf("the Postgres database does not exist; create it first: %w", err)
	case code == "28P01" || code == "28000":
		return fmt.Errorf("the Postgres server refuses the user or the password: %w", err)
	case code == "42501":
		return fmt.Errorf("the Postgres user may not create tables; grant CREATE on the schema: %w", err)
	case errors.As(err, &refused):
		return fmt.Errorf("the Postgres server cannot be reached: %w", err)
	}
	return err
}
