package sqlstore

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"strings"
	"time"

	"countersign"
)

// This file keeps sessions. Every use of one reads its row, so an end is known to every node that has the database
// open as soon as it is committed.

const sessionColumns = `id, app, user_id, kind, amr, auth_at, created, seen, expires, ended, reason, sealed, family, turn, factor_at`

func insertSession(ctx context.Context, tx *sql.Tx, s *countersign.SessionRecord) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, '', $10, $11, $12, $13)`,
		s.ID, s.App, s.User, string(s.Kind), strings.Join(s.AMR, " "), instant(s.AuthTime), instant(s.Created), instant(s.Seen), instant(s.Expires),
		s.Sealed, s.Family, s.Current, instant(s.FactorTime))
	return err
}

func scanSession(row scanner) (*countersign.SessionRecord, error) {
	var (
		s                                                 countersign.SessionRecord
		amr                                               string
		authAt, created, seen, expires, endedAt, factorAt int64
	)
	err := row.Scan(&s.ID, &s.App, &s.User, &s.Kind, &amr, &authAt, &created, &seen, &expires, &endedAt, &s.Reason, &s.Sealed, &s.Family, &s.Current, &factorAt)
	if err != nil {
		return nil, err
	}
	s.AMR = strings.Fields(amr)
	s.AuthTime, s.Created, s.Seen, s.Expires, s.Ended = from(authAt), from(created), from(seen), from(expires), from(endedAt)
	s.FactorTime = from(factorAt)
	return &s, nil
}

// endSessions ends the live sessions that a condition selects; its arguments start at $3.
func endSessions(ctx context.Context, tx *sql.Tx, where string, why countersign.EndReason, at time.Time, args ...any) (int, error) {
	done, err := tx.ExecContext(ctx, `UPDATE sessions SET ended = $1, reason = $2 WHERE ended = 0 AND `+where,
		append([]any{instant(at), string(why)}, args...)...)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected()
	return int(n), err
}

// Rotate implements countersign.SessionStore.
func (d *DB) Rotate(ctx context.Context, r *countersign.Rotate) (*countersign.Rotated, error) {
	var out *countersign.Rotated
	err := d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = &countersign.Rotated{}
		s, err := scanSession(tx.QueryRowContext(ctx, `UPDATE sessions SET turn = $4, seen = $5
 WHERE id = $1 AND family = $2 AND turn = $3 AND ended = 0 AND expires > $5 AND seen >= $6 AND created > $7 RETURNING `+sessionColumns,
			r.ID, r.Family, r.Current, r.Next, instant(r.At), instant(r.IdleSince), instant(r.BegunSince)))
		if err == nil {
			out.Session = s
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		s, err = scanSession(tx.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, r.ID))
		if errors.Is(err, sql.ErrNoRows) {
			out.Result = countersign.RotateUnknown
			return nil
		}
		if err != nil {
			return err
		}
		return refuseRotation(ctx, tx, r, s, out)
	})
	return out, err
}

// refuseRotation says why a token was not good, and ends the session where that follows.
func refuseRotation(ctx context.Context, tx *sql.Tx, r *countersign.Rotate, s *countersign.SessionRecord, out *countersign.Rotated) error {
	why := countersign.EndedByReuse
	switch {
	case subtle.ConstantTimeCompare(s.Family, r.Family) != 1:
		out.Result = countersign.RotateUnknown
		return nil
	case !s.Ended.IsZero():
		out.Result, out.Session = countersign.RotateEnded, s
		return nil
	case !r.At.Before(s.Expires), s.Seen.Before(r.IdleSince), !s.Created.After(r.BegunSince):
		out.Result, why = countersign.RotateEnded, countersign.EndedByTime
	default:
		out.Result = countersign.RotateReused
	}
	s.Ended, s.Reason = r.At, why
	out.Session = s
	n, err := endSessions(ctx, tx, `id = $3`, why, r.At, s.ID)
	if n == 0 {
		out.Result = countersign.RotateEnded // somebody else ended it this moment
	}
	return err
}

// Session implements countersign.SessionStore.
func (d *DB) Session(ctx context.Context, id string) (s *countersign.SessionRecord, found bool, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		s, err = scanSession(d.read.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id))
		found = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return s, found, err
}

// maxDevices bounds a device list.
const maxDevices = 200

// Sessions implements countersign.SessionStore.
func (d *DB) Sessions(ctx context.Context, app, user string) (list []*countersign.SessionRecord, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		list = nil
		rows, err := d.read.QueryContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE user_id = $1 AND app = $2 AND ended = 0
 ORDER BY created DESC, id DESC LIMIT $3`, user, app, maxDevices)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			s, err := scanSession(rows)
			if err != nil {
				return err
			}
			list = append(list, s)
		}
		return rows.Err()
	})
	return list, err
}

// EndSession implements countersign.SessionStore.
func (d *DB) EndSession(ctx context.Context, app, user, id string, why countersign.EndReason, at time.Time) (bool, error) {
	n, err := d.endSessions(ctx, `id = $3 AND user_id = $4 AND app = $5`, why, at, id, user, app)
	return n > 0, err
}

// EndSessions implements countersign.SessionStore.
func (d *DB) EndSessions(ctx context.Context, app, user, except string, why countersign.EndReason, at time.Time) (int, error) {
	return d.endSessions(ctx, `user_id = $3 AND app = $4 AND id <> $5`, why, at, user, app, except)
}

func (d *DB) endSessions(ctx context.Context, where string, why countersign.EndReason, at time.Time, args ...any) (n int, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err = endSessions(ctx, tx, where, why, at, args...)
		return err
	})
	return n, err
}
