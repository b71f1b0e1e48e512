package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"countersign"
)

// This file deletes what need not be kept any more. Rules: no statement reads a whole table that grows with
// traffic, as the log has millions of rows and an SQLite file one writer (a test asks for the plans); of those none deletes
// more than sweepBatch rows, so that nobody waits long for its lock. Locks, blocks and signing keys are few.

const sweepBatch = 1000

// sweep is what Run does every few minutes. Whatever fails, the rest is done.
func (d *DB) sweep(ctx context.Context) error {
	now := d.opts.Now()
	_, err := d.Prune(ctx, now.Add(-d.opts.Retention))
	return errors.Join(err, d.SweepAccounts(ctx, now))
}

// Of the log and of approvals: what is older than $2 of an app, or than $1. There is no index of the log's ages over all
// apps: it would cost every write, and this needs none.
const (
	nextApp        = `SELECT min(app) FROM verifications WHERE app > $1`
	pruneLog       = `DELETE FROM verifications WHERE id IN (SELECT id FROM verifications WHERE app = $1 AND created < $2 ORDER BY created LIMIT $3)`
	pruneApprovals = `DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE at < $1 LIMIT $2)`
)

// Prune deletes rows of the log and approvals that are older than before, and signing keys, phone locks and blocks that
// have run out. It says how many rows of the log went.
func (d *DB) Prune(ctx context.Context, before time.Time) (int, error) {
	total, err := d.pruneLog(ctx, before)
	if err == nil {
		_, err = d.deleteOld(ctx, pruneApprovals, instant(before))
	}
	if err != nil {
		return total, err
	}
	now := d.opts.Now()
	return total, d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM phone_locks WHERE saved < $1 AND until_at < $2`,
			instant(now.Add(-countersign.StreakLifetime)), instant(now))
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, `DELETE FROM guard_blocks WHERE until_at < $1`, instant(now.Add(-blockKept))); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM signing_keys WHERE retired > 0 AND retired < $1`, instant(now.Add(-SigningGrace)))
		return err
	})
}

func (d *DB) pruneLog(ctx context.Context, before time.Time) (total int, err error) {
	for app := ""; ; {
		var next sql.NullString
		err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
			return d.read.QueryRowContext(ctx, nextApp, app).Scan(&next)
		})
		if err != nil || !next.Valid {
			return total, err
		}
		app = next.String
		n, err := d.deleteOld(ctx, pruneLog, app, instant(before))
		total += n
		if err != nil {
			return total, err
		}
	}
}

// old is a DELETE of what is older than an instant, which is its first argument.
type old struct {
	statement string
	before    time.Time
}

// oldAccounts are the rows of users and sessions that nobody needs at an instant any more.
func oldAccounts(now time.Time, o Options) []old {
	return []old{
		{`DELETE FROM redeemed_proofs WHERE jti IN (SELECT jti FROM redeemed_proofs WHERE expires < $1 LIMIT $2)`, now.Add(-time.Hour)},
		// A session's row stays for a while after it has ended, by itself or by its time.
		{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires < $1 LIMIT $2)`, now.Add(-o.SessionRetention)},
		{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended > 0 AND ended < $1 LIMIT $2)`, now.Add(-o.SessionRetention)},
		{`DELETE FROM oidc_requests WHERE id IN (SELECT id FROM oidc_requests WHERE expires < $1 LIMIT $2)`, now.Add(-time.Hour)},
		{`DELETE FROM oidc_grants WHERE id IN (SELECT id FROM oidc_grants WHERE created < $1 LIMIT $2)`, now.Add(-countersign.SessionLifetime)},
		{`DELETE FROM factors WHERE id IN (SELECT id FROM factors WHERE confirmed = 0 AND created < $1 LIMIT $2)`, now.Add(-countersign.FactorPending)},
		{`DELETE FROM factor_guesses WHERE user_id IN (SELECT user_id FROM factor_guesses WHERE at < $1 LIMIT $2)`, now.Add(-countersign.GuessesForgotten)},
		{`DELETE FROM former_numbers WHERE user_id IN (SELECT user_id FROM former_numbers WHERE at < $1 LIMIT $2) AND at < $1`, now.Add(-o.Retention)},
	}
}

// SweepAccounts deletes what need not be kept of users and sessions any more.
func (d *DB) SweepAccounts(ctx context.Context, now time.Time) error {
	failed := []error{d.eraseAgain(ctx, now)}
	for _, o := range oldAccounts(now, d.opts) {
		_, err := d.deleteOld(ctx, o.statement, instant(o.before))
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// eraseLateRows deletes what was written of an erased person after the erasure.
const eraseLateRows = `DELETE FROM verifications WHERE phone IN (SELECT phone FROM erasures) AND EXISTS (SELECT 1 FROM erasures e
 WHERE e.app = verifications.app AND e.phone = verifications.phone AND verifications.created <= e.at)`

// eraseAgain deletes what came late, and forgets erasures that are old enough: a verification that was pending ends within
// minutes.
func (d *DB) eraseAgain(ctx context.Context, now time.Time) error {
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, eraseLateRows); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM erasures WHERE at < $1`, instant(now.Add(-time.Hour)))
		return err
	})
}

// deleteOld runs a DELETE whose last argument is how many rows it may take, until it has nothing to do. It says how many
// rows went.
func (d *DB) deleteOld(ctx context.Context, statement string, args ...any) (total int, err error) {
	args = append(args, sweepBatch)
	for {
		var deleted int64
		err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
			done, err := tx.ExecContext(ctx, statement, args...)
			if err != nil {
				return err
			}
			deleted, err = done.RowsAffected()
			return err
		})
		if err != nil {
			return total, err
		}
		if total += int(deleted); deleted < sweepBatch {
			return total, nil
		}
	}
}
