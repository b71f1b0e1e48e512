package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"countersign"
)

// This file keeps further factors. What decides is the row that an UPDATE changes: a code whose step, bit or counter was
// used before changes none. Locks are taken in one order: user, factors, sessions.

var _ countersign.FactorStore = (*DB)(nil)

const factorColumns = `id, app, user_id, type, sealed, lookup, counter, created, confirmed, used`

func scanFactor(s scanner) (*countersign.FactorRecord, error) {
	var (
		f                        countersign.FactorRecord
		lookup                   []byte
		created, confirmed, used int64
	)
	if err := s.Scan(&f.ID, &f.App, &f.User, &f.Type, &f.Sealed, &lookup, &f.Counter, &created, &confirmed, &used); err != nil {
		return nil, err
	}
	f.Lookup = hashFrom(lookup)
	f.Created, f.Confirmed, f.Used = from(created), from(confirmed), from(used)
	return &f, nil
}

// factorMove runs a move of factors whose results but FactorDone leave nothing behind.
func (d *DB) factorMove(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) (countersign.FactorResult, error)) (result countersign.FactorResult, err error) {
	err = d.move(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		if result, err = f(ctx, tx); err == nil && result != countersign.FactorDone {
			return errBack
		}
		return err
	})
	return result, err
}

// AddFactor implements countersign.FactorStore.
func (d *DB) AddFactor(ctx context.Context, a *countersign.AddFactor) (countersign.FactorResult, error) {
	return d.factorMove(ctx, func(ctx context.Context, tx *sql.Tx) (countersign.FactorResult, error) {
		f := a.Factor
		if result, err := mayChange(ctx, tx, f.App, f.User, a.First); err != nil || result != countersign.FactorDone {
			return result, err
		}
		if n, err := makeRoom(ctx, tx, f, a.At); err != nil || n >= countersign.MaxFactors {
			return countersign.FactorTooMany, err
		}
		done, err := tx.ExecContext(ctx, `INSERT INTO factors (`+factorColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)
 ON CONFLICT (app, lookup) WHERE lookup IS NOT NULL DO NOTHING`,
			f.ID, f.App, f.User, string(f.Type), f.Sealed, hashBytes(f.Lookup), f.Counter, instant(f.Created), instant(f.Confirmed))
		if err != nil {
			return 0, err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return countersign.FactorTaken, err
		}
		if err := countFactors(ctx, tx, f.User); err != nil {
			return 0, err
		}
		return renew(ctx, tx, f.User, a.Renewal, a.At)
	})
}

// makeRoom deletes what a new factor takes the place of, and what was never confirmed, and counts the others.
func makeRoom(ctx context.Context, tx *sql.Tx, f *countersign.FactorRecord, at time.Time) (others int, err error) {
	_, err = tx.ExecContext(ctx, `DELETE FROM factors WHERE user_id = $1 AND confirmed = 0 AND created <= $2`,
		f.User, instant(at.Add(-countersign.FactorPending)))
	if err == nil && f.Type == countersign.FactorRecovery {
		_, err = tx.ExecContext(ctx, `DELETE FROM factors WHERE user_id = $1 AND type = $2`, f.User, string(f.Type))
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM factors WHERE user_id = $1`, f.User).Scan(&others)
	}
	return others, err
}

// mayChange locks a user and says whether their factors may change: with first, only where they have none.
func mayChange(ctx context.Context, tx *sql.Tx, app, user string, first bool) (countersign.FactorResult, error) {
	u, err := lockUser(ctx, tx, app, user)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return countersign.FactorNone, nil
	case err != nil:
		return 0, err
	case first && u.Factors > 0:
		return countersign.FactorStepUpFirst, nil
	}
	return countersign.FactorDone, nil
}

// countFactors counts the factors of a user who is locked.
func countFactors(ctx context.Context, tx *sql.Tx, user string) error {
	_, err := tx.ExecContext(ctx, `UPDATE users SET factors = (SELECT count(*) FROM factors
 WHERE user_id = $1 AND confirmed > 0 AND (type <> 'recovery_codes' OR counter < $2)) WHERE id = $1`,
		user, 1<<countersign.RecoveryCodes-1)
	return err
}

// ConfirmFactor implements countersign.FactorStore.
func (d *DB) ConfirmFactor(ctx context.Context, c *countersign.ConfirmFactor) (countersign.FactorResult, error) {
	return d.factorMove(ctx, func(ctx context.Context, tx *sql.Tx) (countersign.FactorResult, error) {
		if result, err := mayChange(ctx, tx, c.App, c.User, c.First); err != nil || result != countersign.FactorDone {
			return result, err
		}
		done, err := tx.ExecContext(ctx, `UPDATE factors SET confirmed = $5, used = $5, counter = $4
 WHERE id = $1 AND user_id = $2 AND app = $3 AND confirmed = 0 AND created > $6`,
			c.ID, c.User, c.App, c.Counter, instant(c.At), instant(c.At.Add(-countersign.FactorPending)))
		if err != nil {
			return 0, err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return countersign.FactorNone, err
		}
		if err := countFactors(ctx, tx, c.User); err != nil {
			return 0, err
		}
		return renew(ctx, tx, c.User, c.Renewal, c.At)
	})
}

// Factors implements countersign.FactorStore.
func (d *DB) Factors(ctx context.Context, app, user string) (list []*countersign.FactorRecord, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		list = nil
		rows, err := d.read.QueryContext(ctx, `SELECT `+factorColumns+` FROM factors WHERE user_id = $1 AND app = $2 ORDER BY created, id`, user, app)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			f, err := scanFactor(rows)
			if err != nil {
				return err
			}
			list = append(list, f)
		}
		return rows.Err()
	})
	return list, err
}

// FactorByLookup implements countersign.FactorStore.
func (d *DB) FactorByLookup(ctx context.Context, app string, lookup countersign.Hash) (f *countersign.FactorRecord, found bool, err error) {
	err = d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) error {
		f, err = scanFactor(d.read.QueryRowContext(ctx, `SELECT `+factorColumns+` FROM factors WHERE app = $1 AND lookup = $2 AND confirmed > 0`, app, lookup[:]))
		found = err == nil
		return unlessNone(err)
	})
	return f, found, err
}

// RemoveFactor implements countersign.FactorStore.
func (d *DB) RemoveFactor(ctx context.Context, r *countersign.RemoveFactor) (f *countersign.FactorRecord, result countersign.FactorResult, err error) {
	result, err = d.factorMove(ctx, func(ctx context.Context, tx *sql.Tx) (countersign.FactorResult, error) {
		f = nil
		if result, err := mayChange(ctx, tx, r.App, r.User, false); err != nil || result != countersign.FactorDone {
			return result, err
		}
		var err error
		f, err = scanFactor(tx.QueryRowContext(ctx, `DELETE FROM factors WHERE id = $1 AND user_id = $2 AND app = $3 RETURNING `+factorColumns, r.ID, r.User, r.App))
		if err != nil {
			return countersign.FactorNone, unlessNone(err)
		}
		if err := countFactors(ctx, tx, r.User); err != nil {
			return 0, err
		}
		return renew(ctx, tx, r.User, r.Renewal, r.At)
	})
	return f, result, err
}

// RemoveFactors implements countersign.FactorStore.
func (d *DB) RemoveFactors(ctx context.Context, app, user string, at time.Time) (found bool, err error) {
	err = d.move(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := mayChange(ctx, tx, app, user, false)
		if found = err == nil && result == countersign.FactorDone; !found {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM factors WHERE user_id = $1`, user); err != nil {
			return err
		}
		if err := forgetGuesses(ctx, tx, user); err != nil {
			return err
		}
		if err := countFactors(ctx, tx, user); err != nil {
			return err
		}
		_, err = endSessions(ctx, tx, `user_id = $3`, countersign.EndedByFactor, at, user)
		return err
	})
	return found, err
}

// CountGuess implements countersign.FactorStore. The count is committed before anything is compared.
func (d *DB) CountGuess(ctx context.Context, user string, at time.Time) (*countersign.GuessCount, error) {
	var out *countersign.GuessCount
	err := d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = &countersign.GuessCount{}
		err := tx.QueryRowContext(ctx, `INSERT INTO factor_guesses (user_id, failed, locked, at) VALUES ($1, 1, 0, $2)
 ON CONFLICT (user_id) DO UPDATE SET failed = CASE WHEN factor_guesses.at <= $3 THEN 1 ELSE factor_guesses.failed + 1 END, at = $2
 WHERE factor_guesses.locked <= $2 RETURNING failed`,
			user, instant(at), instant(at.Add(-countersign.GuessesForgotten))).Scan(&out.Failed)
		if errors.Is(err, sql.ErrNoRows) {
			var locked int64
			err := tx.QueryRowContext(ctx, `SELECT failed, locked FROM factor_guesses WHERE user_id = $1`, user).Scan(&out.Failed, &locked)
			out.Locked = from(locked)
			return err
		}
		if err != nil {
			return err
		}
		out.Allowed = true
		if wait := countersign.GuessWait(out.Failed); wait > 0 {
			out.Locked = at.Add(wait)
			_, err = tx.ExecContext(ctx, `UPDATE factor_guesses SET locked = $2 WHERE user_id = $1`, user, instant(out.Locked))
		}
		return err
	})
	return out, err
}

// Once implements countersign.FactorStore. Keys are kept as proofs are.
func (d *DB) Once(ctx context.Context, key string, expires time.Time) (fresh bool, err error) {
	err = d.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		fresh, err = consume(ctx, tx, key, expires)
		return err
	})
	return fresh, err
}

// ForgetGuesses forgets all counts of guesses, for the sandbox.
func (d *DB) ForgetGuesses(ctx context.Context) error {
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM factor_guesses`)
		return err
	})
}

func forgetGuesses(ctx context.Context, tx *sql.Tx, user string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM factor_guesses WHERE user_id = $1`, user)
	return err
}

// ShowFactor implements countersign.FactorStore.
func (d *DB) ShowFactor(ctx context.Context, s *countersign.ShowFactor) (countersign.FactorResult, error) {
	return d.factorMove(ctx, func(ctx context.Context, tx *sql.Tx) (countersign.FactorResult, error) {
		user := s.Session.User
		var result countersign.FactorResult
		var err error
		if s.Use != nil {
			result, err = useFactor(ctx, tx, s.Use, s.At)
		} else {
			result, err = useProof(ctx, tx, s)
		}
		if err != nil || result != countersign.FactorDone {
			return result, err
		}
		if s.Ends == "" {
			return countersign.FactorDone, insertSession(ctx, tx, s.Session)
		}
		return renew(ctx, tx, user, &countersign.Renewal{Ends: s.Ends, Session: s.Session}, s.At)
	})
}

// unused is what says that a factor's new counter was not used before, and what the counter is from then on.
var unused = map[countersign.FactorType]struct{ where, set string }{
	countersign.FactorTOTP:     {`counter < $5`, `$5`},
	countersign.FactorPasskey:  {`(counter < $5 OR counter = 0 AND $5 = 0)`, `$5`},
	countersign.FactorRecovery: {`(counter & $5) = 0`, `counter | $5`},
}

// useFactor consumes a factor's code in one UPDATE. Of two that bring the same, on whichever nodes, one changes the row.
func useFactor(ctx context.Context, tx *sql.Tx, u *countersign.UseFactor, at time.Time) (countersign.FactorResult, error) {
	if u.Type == countersign.FactorRecovery { // the last code of a set changes the user's row too
		if result, err := mayChange(ctx, tx, u.App, u.User, false); err != nil || result != countersign.FactorDone {
			return result, err
		}
	}
	rule, known := unused[u.Type]
	if !known {
		return countersign.FactorNone, nil
	}
	done, err := tx.ExecContext(ctx, `UPDATE factors SET counter = `+rule.set+`, used = $6, sealed = coalesce($7, sealed)
 WHERE id = $1 AND user_id = $2 AND app = $3 AND type = $4 AND confirmed > 0 AND `+rule.where,
		u.ID, u.User, u.App, string(u.Type), u.Counter, instant(at), u.Sealed)
	if err != nil {
		return 0, err
	}
	if n, err := done.RowsAffected(); err != nil {
		return 0, err
	} else if n == 0 {
		var there int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM factors WHERE id = $1 AND user_id = $2 AND app = $3 AND type = $4 AND confirmed > 0`,
			u.ID, u.User, u.App, string(u.Type)).Scan(&there)
		if there == 0 {
			return countersign.FactorNone, err
		}
		return countersign.FactorUsed, err
	}
	if u.Type == countersign.FactorRecovery {
		if err := countFactors(ctx, tx, u.User); err != nil {
			return 0, err
		}
	}
	return countersign.FactorDone, forgetGuesses(ctx, tx, u.User)
}

// useProof consumes a proof of the number that a user has.
func useProof(ctx context.Context, tx *sql.Tx, s *countersign.ShowFactor) (countersign.FactorResult, error) {
	fresh, err := consume(ctx, tx, s.JTI, s.JTIExpires)
	if err != nil {
		return 0, err
	}
	if !fresh {
		return countersign.FactorRedeemed, nil
	}
	if err := rekey(ctx, tx, s.Session.App, s.Rekeys, s.At); err != nil {
		return 0, err
	}
	done, err := tx.ExecContext(ctx, `UPDATE users SET proved = $4 WHERE id = $1 AND app = $2 AND phone = $3`,
		s.Session.User, s.Session.App, s.Phone[:], instant(s.At))
	if err != nil {
		return 0, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return countersign.FactorNone, err
	}
	return countersign.FactorDone, nil
}

// renew puts a session into the place of one of the same user. The UPDATE that ends the old one is the decision: of two
// that renew the same session one finds it alive.
func renew(ctx context.Context, tx *sql.Tx, user string, r *countersign.Renewal, at time.Time) (countersign.FactorResult, error) {
	if r == nil {
		return countersign.FactorDone, nil
	}
	n, err := endSessions(ctx, tx, `id = $3 AND user_id = $4 AND app = $5 AND expires > $1`, countersign.EndedByRenewal, at, r.Ends, user, r.Session.App)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return countersign.FactorSessionEnded, nil
	}
	if err := moveGrants(ctx, tx, user, r.Ends, r.Session.ID); err != nil {
		return 0, err
	}
	return countersign.FactorDone, insertSession(ctx, tx, r.Session)
}
