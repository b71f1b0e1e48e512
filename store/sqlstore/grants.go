package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"countersign"
)

// This file keeps authorization requests and grants of OpenID Connect. A code and a refresh token are good once: the
// UPDATE that takes one is the decision, and whoever comes second has everything of that authorization revoked in the
// same transaction (RFC 6749, 4.1.2; RFC 9700, 4.14.2).

const requestColumns = `id, client, app, binding, sealed, created, expires, user_id, session_id, auth_at, amr, code`

func scanRequest(row scanner) (*countersign.AuthorizationRequest, error) {
	var (
		r                      countersign.AuthorizationRequest
		created, expires, auth int64
		amr                    string
	)
	err := row.Scan(&r.ID, &r.Client, &r.App, &r.Binding, &r.Sealed, &created, &expires, &r.User, &r.Session, &auth, &amr, &r.Code)
	r.Created, r.Expires, r.AuthTime, r.AMR = from(created), from(expires), from(auth), strings.Fields(amr)
	return &r, err
}

// SaveRequest keeps a new authorization request.
func (d *DB) SaveRequest(ctx context.Context, r *countersign.AuthorizationRequest) error {
	return d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO oidc_requests (`+requestColumns+`, used) VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', 0, '', NULL, 0)`,
			r.ID, r.Client, r.App, r.Binding, r.Sealed, instant(r.Created), instant(r.Expires))
		return err
	})
}

// Request reads one; false where there is none.
func (d *DB) Request(ctx context.Context, id string) (r *countersign.AuthorizationRequest, found bool, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		r, err = scanRequest(d.read.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM oidc_requests WHERE id = $1`, id))
		found = err == nil
		return unlessNone(err)
	})
	return r, found, err
}

func unlessNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// AnswerRequest says who the person is and gives the request its code, once; false where it has one, or its time ran
// out. Expires is the code's from then on.
func (d *DB) AnswerRequest(ctx context.Context, r *countersign.AuthorizationRequest, at time.Time) (answered bool, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE oidc_requests SET user_id = $2, session_id = $3, auth_at = $4, amr = $5, code = $6, expires = $7
 WHERE id = $1 AND code IS NULL AND expires > $8`,
			r.ID, r.User, r.Session, instant(r.AuthTime), strings.Join(r.AMR, " "), r.Code, instant(r.Expires), instant(at))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		answered = n > 0
		return err
	})
	return answered, err
}

// TakeCode consumes a code. Found is false for one that never was or is too old; one that was taken before is not found
// either, and all that came of it is revoked.
func (d *DB) TakeCode(ctx context.Context, code []byte, at time.Time) (r *countersign.AuthorizationRequest, found bool, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r, err = scanRequest(tx.QueryRowContext(ctx, `UPDATE oidc_requests SET used = $2 WHERE code = $1 AND used = 0 AND expires > $2 RETURNING `+requestColumns,
			code, instant(at)))
		found = err == nil
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE oidc_grants SET revoked = $2 WHERE revoked = 0 AND request IN
 (SELECT id FROM oidc_requests WHERE code = $1 AND used > 0)`, code, instant(at))
		return err
	})
	return r, found, err
}

const grantColumns = `id, request, client, app, user_id, session_id, scopes, auth_at, amr, created, expires, refresh, rotated`

func scanGrant(row scanner) (*countersign.Grant, error) {
	var (
		g                                            countersign.Grant
		scopes, amr                                  string
		auth, created, expires, rotated, began, seen int64
	)
	err := row.Scan(&g.ID, &g.Request, &g.Client, &g.App, &g.User, &g.Session, &scopes, &auth, &amr, &created, &expires, &g.Refresh, &rotated, &began, &seen)
	g.Scopes, g.AMR, g.Rotated = strings.Fields(scopes), strings.Fields(amr), rotated > 0
	g.AuthTime, g.Created, g.Expires, g.Began, g.Seen = from(auth), from(created), from(expires), from(began), from(seen)
	return &g, err
}

func insertGrant(ctx context.Context, tx *sql.Tx, g *countersign.Grant) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO oidc_grants (`+grantColumns+`, revoked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0)`,
		g.ID, g.Request, g.Client, g.App, g.User, g.Session, strings.Join(g.Scopes, " "), instant(g.AuthTime), strings.Join(g.AMR, " "),
		instant(g.Created), instant(g.Expires), g.Refresh)
	return err
}

// grantSession is when a grant's session began, and when it was used last.
const grantSession = `, coalesce((SELECT s.created FROM sessions s WHERE s.id = oidc_grants.session_id), 0),
 coalesce((SELECT s.seen FROM sessions s WHERE s.id = oidc_grants.session_id), 0)`

// A grant lives no longer than the session that it came of. How long that may last, and stand idle, is its app's policy, which the
// face knows.
const liveGrant = ` AND revoked = 0 AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = oidc_grants.session_id AND s.ended = 0 AND s.expires > $2)`

// SaveGrant keeps a new grant of a session that still lives; false where it does not.
func (d *DB) SaveGrant(ctx context.Context, g *countersign.Grant) (saved bool, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		saved, err = touchSession(ctx, tx, g)
		if err != nil || !saved {
			return err
		}
		return insertGrant(ctx, tx, g)
	})
	return saved, err
}

// touchSession notes that a grant's session is in use; false where it has ended.
func touchSession(ctx context.Context, tx *sql.Tx, g *countersign.Grant) (bool, error) {
	done, err := tx.ExecContext(ctx, `UPDATE sessions SET seen = $2 WHERE id = $1 AND ended = 0 AND expires > $2`, g.Session, instant(g.Created))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Grant reads a live grant; false where there is none.
func (d *DB) Grant(ctx context.Context, id string, at time.Time) (*countersign.Grant, bool, error) {
	return d.findGrant(ctx, `id = $1`, id, at)
}

// GrantByRefresh reads the live grant of a refresh token, one that was used too; false where there is none.
func (d *DB) GrantByRefresh(ctx context.Context, refresh []byte, at time.Time) (*countersign.Grant, bool, error) {
	return d.findGrant(ctx, `refresh = $1`, refresh, at)
}

func (d *DB) findGrant(ctx context.Context, where string, key any, at time.Time) (g *countersign.Grant, found bool, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		g, err = scanGrant(d.read.QueryRowContext(ctx, `SELECT `+grantColumns+grantSession+` FROM oidc_grants WHERE `+where+liveGrant, key, instant(at)))
		found = err == nil
		return unlessNone(err)
	})
	return g, found, err
}

// RotateGrant puts a grant in the place of the one whose refresh token is given, once. A token that was used before
// revokes all of its authorization; then, and where there is no such token, it is false.
func (d *DB) RotateGrant(ctx context.Context, refresh []byte, next *countersign.Grant) (rotated bool, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rotated = false
		done, err := tx.ExecContext(ctx, `UPDATE oidc_grants SET rotated = $2 WHERE refresh = $1 AND rotated = 0`+liveGrant, refresh, instant(next.Created))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			_, err := tx.ExecContext(ctx, `UPDATE oidc_grants SET revoked = $2 WHERE revoked = 0 AND request IN
 (SELECT request FROM oidc_grants WHERE refresh = $1 AND rotated > 0)`, refresh, instant(next.Created))
			return err
		}
		if rotated, err = touchSession(ctx, tx, next); err != nil || !rotated {
			return err
		}
		return insertGrant(ctx, tx, next)
	})
	return rotated, err
}

// RevokeGrants revokes all that came of one authorization.
func (d *DB) RevokeGrants(ctx context.Context, request string, at time.Time) error {
	return d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE oidc_grants SET revoked = $2 WHERE request = $1 AND revoked = 0`, request, instant(at))
		return err
	})
}
