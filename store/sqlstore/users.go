package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"countersign"
)

// This file keeps users. Every method is one transaction that decides by the rows it changes: the primary key of
// redeemed_proofs lets one redemption of a proof through, the unique index of users one holder of a number.

var (
	_ countersign.UserStore    = (*DB)(nil)
	_ countersign.SessionStore = (*DB)(nil)
)

const userColumns = `id, app, phone, sealed, created, proved, moved, factors, locale`

func scanUser(s scanner) (*countersign.UserRecord, error) {
	var (
		u                      countersign.UserRecord
		phone                  []byte
		created, proved, moved int64
	)
	if err := s.Scan(&u.ID, &u.App, &phone, &u.Sealed, &created, &proved, &moved, &u.Factors, &u.Locale); err != nil {
		return nil, err
	}
	u.Phone = hashFrom(phone)
	u.Created, u.Proved, u.Moved = from(created), from(proved), from(moved)
	return &u, nil
}

// consume takes a proof out of use; false where it was already.
func consume(ctx context.Context, tx *sql.Tx, jti string, expires time.Time) (bool, error) {
	done, err := tx.ExecContext(ctx, `INSERT INTO redeemed_proofs (jti, expires) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING`, jti, instant(expires))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// errBack rolls a move back that has an outcome.
var errBack = refusal{errors.New("rolled back")}

// move runs a transaction whose outcome may be one that leaves nothing behind.
func (d *DB) move(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	err := d.together(ctx, f)
	if errors.Is(err, errBack.err) {
		return nil
	}
	return err
}

// Redeem implements countersign.UserStore.
func (d *DB) Redeem(ctx context.Context, r *countersign.Redeem) (*countersign.Redeemed, error) {
	var out *countersign.Redeemed
	err := d.move(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = &countersign.Redeemed{}
		fresh, err := consume(ctx, tx, r.JTI, r.JTIExpires)
		if err != nil {
			return err
		}
		if !fresh {
			out.Result = countersign.RedeemRedeemed
			return errBack
		}
		if r.Rotating {
			// Whoever makes a user of the same number under the other key waits here, and finds this one.
			if _, err := tx.ExecContext(ctx, `UPDATE revisions SET n = n WHERE topic = $1`, string(topicRing)); err != nil {
				return err
			}
		}
		if err := rekey(ctx, tx, r.User.App, r.Rekeys, r.User.Proved); err != nil {
			return err
		}
		if err := d.holder(ctx, tx, r, out); err != nil {
			return err
		}
		if r.Renews != "" {
			if err := moveGrants(ctx, tx, out.User.ID, r.Renews, r.Session.ID); err != nil {
				return err
			}
			if _, err := endSessions(ctx, tx, `id = $3 AND app = $4`, countersign.EndedByRenewal, r.Session.Created, r.Renews, r.Session.App); err != nil {
				return err
			}
		}
		if r.Use != nil {
			result, err := useFactor(ctx, tx, r.Use, r.User.Proved)
			if err != nil {
				return err
			}
			if result != countersign.FactorDone || out.User.ID != r.Holder || r.Use.User != r.Holder {
				out.Result = countersign.RedeemFactorUsed
				return errBack
			}
		}
		s := *r.Session
		s.User = out.User.ID
		out.Session = &s
		return insertSession(ctx, tx, &s)
	})
	return out, err
}

// rekey finds the users of numbers under former phone keys and takes them to the key in use. What the log has of them under
// the former one is theirs still.
func rekey(ctx context.Context, tx *sql.Tx, app string, rekeys []countersign.Rekey, at time.Time) error {
	for _, r := range rekeys {
		var id string
		err := tx.QueryRowContext(ctx, `UPDATE users SET phone = $3 WHERE app = $1 AND phone = $2
 AND NOT EXISTS (SELECT 1 FROM users other WHERE other.app = $1 AND other.phone = $3) RETURNING id`, app, r.From[:], r.To[:]).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			err = remember(ctx, tx, id, r.From, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// moveGrants keeps a person's clients logged in: what they were given goes on with the session that takes the place.
func moveGrants(ctx context.Context, tx *sql.Tx, user, from, to string) error {
	_, err := tx.ExecContext(ctx, `UPDATE oidc_grants SET session_id = $1 WHERE session_id = $2 AND user_id = $3`, to, from, user)
	return err
}

// holderOf finds the holder of a number, or makes one, in one statement: a login of a new number does the work of any other
// (INV-10). It gives no row where the holder's number is stale. It is theirs still if they proved it lately ($7), showed a
// further factor ($8), or a device took part that had proved it in their time ($9 to $10: a proof is redeemed within its
// lifetime).
const holderOf = `INSERT INTO users (` + userColumns + `) VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $11)
 ON CONFLICT (app, phone) WHERE phone IS NOT NULL DO UPDATE
 SET proved = excluded.proved, locale = CASE WHEN excluded.locale = '' THEN users.locale ELSE excluded.locale END
 WHERE users.proved >= $7 OR users.id = $8 OR users.proved >= $9 AND $9 > 0 AND users.created <= $10 AND users.moved <= $10
 RETURNING ` + userColumns

// holder finds the user of the proved number, or makes one.
func (d *DB) holder(ctx context.Context, tx *sql.Tx, r *countersign.Redeem, out *countersign.Redeemed) error {
	fresh := r.User
	var known, knownUntil int64
	if !r.KnownAt.IsZero() {
		known, knownUntil = instant(r.KnownAt), instant(r.KnownAt.Add(countersign.ProofLifetime))
	}
	for {
		found, err := scanUser(tx.QueryRowContext(ctx, holderOf, fresh.ID, fresh.App, fresh.Phone[:], fresh.Sealed, instant(fresh.Created),
			instant(fresh.Proved), instant(r.StaleSince), r.Holder, known, knownUntil, fresh.Locale))
		if err == nil {
			out.User, out.Created = found, found.ID == fresh.ID
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		lost, refused, err := loseNumber(ctx, tx, fresh.App, fresh.Phone, r.StaleSince, fresh.Proved, r.Forfeit)
		if err != nil {
			return err
		}
		if refused {
			out.Result = countersign.RedeemFactorFirst
			return errBack
		}
		out.Lost = out.Lost || lost
	}
}

// loseNumber takes a number from a holder whose last proof is too old; their sessions end with it. A holder with a
// further factor is asked for that first (refused), unless the number is forfeit.
func loseNumber(ctx context.Context, tx *sql.Tx, app string, phone countersign.Hash, staleSince, at time.Time, forfeit bool) (lost, refused bool, err error) {
	var id string
	holder := `app = $1 AND phone = $2 AND proved < $3`
	if !forfeit {
		holder += ` AND factors = 0`
	}
	err = tx.QueryRowContext(ctx, `UPDATE users SET phone = NULL, sealed = NULL WHERE `+holder+` RETURNING id`,
		app, phone[:], instant(staleSince)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var n int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE app = $1 AND phone = $2 AND proved < $3`, app, phone[:], instant(staleSince)).Scan(&n)
		return false, n > 0, err
	}
	if err != nil {
		return false, false, err
	}
	if err := remember(ctx, tx, id, phone, at); err != nil {
		return false, false, err
	}
	_, err = endSessions(ctx, tx, `user_id = $3`, countersign.EndedByNumber, at, id)
	return true, false, err
}

// remember keeps a number that a user had, as long as the log may have rows of it.
func remember(ctx context.Context, tx *sql.Tx, user string, phone countersign.Hash, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO former_numbers (user_id, phone, at) VALUES ($1, $2, $3)
 ON CONFLICT (user_id, phone) DO UPDATE SET at = excluded.at`, user, phone[:], instant(at))
	return err
}

// User implements countersign.UserStore.
func (d *DB) User(ctx context.Context, app, id string) (*countersign.UserRecord, bool, error) {
	return d.findUser(ctx, `id = $1 AND app = $2`, id, app)
}

// UserByPhone implements countersign.UserStore.
func (d *DB) UserByPhone(ctx context.Context, app string, phone countersign.Hash, former ...countersign.Hash) (*countersign.UserRecord, bool, error) {
	u, found, err := d.findUser(ctx, `app = $1 AND phone = $2`, app, phone[:])
	for _, f := range former {
		if found || err != nil {
			break
		}
		u, found, err = d.findUser(ctx, `app = $1 AND phone = $2`, app, f[:])
	}
	return u, found, err
}

func (d *DB) findUser(ctx context.Context, where string, args ...any) (u *countersign.UserRecord, found bool, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		u, err = scanUser(d.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+where, args...))
		found = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return u, found, err
}

// MoveNumber implements countersign.UserStore.
func (d *DB) MoveNumber(ctx context.Context, m *countersign.MoveNumber) (countersign.MoveResult, error) {
	var result countersign.MoveResult
	back := func(r countersign.MoveResult) error {
		result = r
		return errBack
	}
	err := d.move(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result = countersign.MoveDone
		for _, jti := range m.JTIs {
			if jti == "" {
				continue
			}
			fresh, err := consume(ctx, tx, jti, m.JTIExpires)
			if err != nil {
				return err
			}
			if !fresh {
				return back(countersign.MoveRedeemed)
			}
		}
		if err := rekey(ctx, tx, m.App, m.Rekeys, m.At); err != nil {
			return err
		}
		now, err := lockUser(ctx, tx, m.App, m.User)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && now.Phone != m.From:
			return back(countersign.MoveGone)
		case err != nil:
			return err
		case !now.Moved.IsZero() && now.Moved.After(m.MovedSince):
			return back(countersign.MoveTooSoon)
		}
		taken, err := takeNumber(ctx, tx, m)
		if err != nil {
			return err
		}
		if taken {
			return back(countersign.MoveTaken)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET phone = $2, sealed = $3, proved = $4, moved = $4 WHERE id = $1`,
			m.User, m.To[:], m.Sealed, instant(m.At)); err != nil {
			return err
		}
		if !m.From.IsZero() {
			if err := remember(ctx, tx, m.User, m.From, m.At); err != nil {
				return err
			}
		}
		renewed, err := renew(ctx, tx, m.User, m.Renewal, m.At)
		if err != nil {
			return err
		}
		if renewed != countersign.FactorDone {
			return back(countersign.MoveSessionEnded)
		}
		_, err = endSessions(ctx, tx, `user_id = $3 AND id <> $4`, countersign.EndedByFactor, m.At, m.User, m.Renewal.Session.ID)
		return err
	})
	return result, err
}

// lockUser reads a user whom nobody else changes until the transaction ends.
func lockUser(ctx context.Context, tx *sql.Tx, app, id string) (*countersign.UserRecord, error) {
	return scanUser(tx.QueryRowContext(ctx, `UPDATE users SET factors = factors WHERE id = $1 AND app = $2 RETURNING `+userColumns, id, app))
}

// takeNumber makes a number free for its new holder; true where another user proved it too lately for that.
func takeNumber(ctx context.Context, tx *sql.Tx, m *countersign.MoveNumber) (taken bool, err error) {
	other, err := scanUser(tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE app = $1 AND phone = $2`, m.App, m.To[:]))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case other.ID == m.User, !other.Proved.Before(m.StaleSince):
		return true, nil
	}
	_, refused, err := loseNumber(ctx, tx, m.App, m.To, m.StaleSince, m.At, false)
	return refused, err
}

// eraseLog deletes what the log has of a user's numbers. A former one is somebody else's by now: only what was there before
// is this person's. An expression has no index: the rows are to be found by the phone, not by the app.
const eraseLog = `DELETE FROM verifications WHERE phone IN (SELECT phone FROM former_numbers WHERE user_id = $1) AND app || '' = $2
 AND EXISTS (SELECT 1 FROM former_numbers f WHERE f.user_id = $1 AND f.phone = verifications.phone AND verifications.created <= f.at)`

// rememberErasure is for eraseAgain.
const rememberErasure = `INSERT INTO erasures (app, phone, at) SELECT $2, phone, at FROM former_numbers WHERE user_id = $1
 ON CONFLICT (app, phone) DO UPDATE SET at = CASE WHEN excluded.at > erasures.at THEN excluded.at ELSE erasures.at END`

// Erase implements countersign.UserStore.
func (d *DB) Erase(ctx context.Context, app, id string, phones []countersign.Hash, at time.Time) (found bool, err error) {
	err = d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		found = false
		u, err := scanUser(tx.QueryRowContext(ctx, `DELETE FROM users WHERE id = $1 AND app = $2 RETURNING `+userColumns, id, app))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		if !u.Phone.IsZero() && !slices.Contains(phones, u.Phone) {
			phones = append(phones, u.Phone)
		}
		for _, phone := range phones {
			if err := remember(ctx, tx, id, phone, at); err != nil {
				return err
			}
		}
		// Factors before sessions, in the order in which a factor that is shown takes both.
		for _, table := range []string{"factors", "factor_guesses", "sessions", "oidc_grants", "oidc_requests"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, id); err != nil {
				return err
			}
		}
		for _, statement := range []string{eraseLog, rememberErasure} {
			if _, err := tx.ExecContext(ctx, statement, id, app); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM former_numbers WHERE user_id = $1`, id)
		return err
	})
	return found, err
}
