package countersign

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// find reads a verification from the store or, once that has forgotten it, from the log. "Expired" is computed.
func (v *Verifier) find(ctx context.Context, id string) (*Outcome, error) {
	if !ValidVerificationID(id) {
		return nil, notFound()
	}
	o, ok, err := v.cfg.Store.Lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	if ok {
		return o, nil
	}
	r, err := v.cfg.Log.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, notFound()
	}
	if err != nil {
		return nil, err
	}
	return v.fromLog(r), nil
}

// fromLog describes a row of the log. What its phone has left is not in the log: the numbers are upper bounds there.
func (v *Verifier) fromLog(r *Record) *Outcome {
	now := v.Now()
	if r.Status == StatusPending && !now.Before(r.Expires) {
		expired := *r
		expired.Status, expired.Ended = StatusExpired, r.Expires
		r = &expired
	}
	return &Outcome{Record: r, Now: now, Phone: PhoneState{ChecksLeft: MaxPhoneChecks, SendsLeft: MaxSendsDay}}
}

// own finds a verification of this app; another app's does not exist for it.
func (v *Verifier) own(ctx context.Context, app *App, id string) (*Outcome, error) {
	o, err := v.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Record.App != app.ID {
		return nil, notFound()
	}
	return o, nil
}

// Get reads one verification of an app.
func (v *Verifier) Get(ctx context.Context, app *App, id string) (*Verification, error) {
	o, err := v.own(ctx, app, id)
	if err != nil {
		return nil, err
	}
	return v.describe(o)
}

// ListRequest selects an app's verifications, newest first. Zero fields select everything.
type ListRequest struct {
	App          *App
	To           Address
	Status       Status
	Purpose      Purpose
	Channel      Channel
	Face         Face
	Reference    string
	CreatedAfter time.Time
	Limit        int
	Before       Cursor
}

// List reads the log, which may lag behind by up to a second. What is pending is shown as the store has it. The cursor is
// zero on the last page.
func (v *Verifier) List(ctx context.Context, q *ListRequest) ([]*Verification, Cursor, error) {
	rows, next, err := v.rows(ctx, q)
	if err != nil {
		return nil, Cursor{}, err
	}
	list := make([]*Verification, 0, len(rows))
	for _, o := range v.asTheyStand(ctx, rows) {
		if q.Status == StatusPending && o.Record.Status != q.Status {
			continue // it has ended, and the log does not know yet
		}
		d, err := v.describe(o)
		if err != nil {
			return nil, Cursor{}, err
		}
		list = append(list, d)
	}
	return list, next, nil
}

// readTogether is how many rows of a list are looked up at a time.
const readTogether = 16

// asTheyStand puts in the place of each pending row what the store has of it, as what its phone has left is nowhere else.
// Without the store the rows stay as the log has them.
func (v *Verifier) asTheyStand(ctx context.Context, rows []*Record) []*Outcome {
	list := make([]*Outcome, len(rows))
	for i, r := range rows {
		list[i] = v.fromLog(r)
	}
	var failed atomic.Bool
	for part := range slices.Chunk(list, readTogether) {
		var wg sync.WaitGroup
		for i, o := range part {
			if o.Record.Status != StatusPending || failed.Load() {
				continue
			}
			wg.Go(func() {
				now, ok, err := v.cfg.Store.Lookup(ctx, o.Record.ID)
				if err != nil {
					failed.Store(true)
				} else if ok {
					part[i] = now
				}
			})
		}
		wg.Wait()
	}
	return list
}

func (v *Verifier) rows(ctx context.Context, q *ListRequest) ([]*Record, Cursor, error) {
	ring := v.cfg.Keys()
	query := ListQuery{
		App: q.App.ID, Status: q.Status, Purpose: q.Purpose, Channel: q.Channel, Face: q.Face,
		CreatedAfter: q.CreatedAfter, Limit: q.Limit + 1, Before: q.Before,
	}
	if !q.To.IsZero() {
		query.Phone, query.Former = ring.PhoneHash(q.To), ring.FormerHashes(q.To)
	}
	if q.Reference != "" {
		query.RefHash = ring.LookupHash("reference", q.App.ID, q.Reference)
	}
	rows, err := v.cfg.Log.List(ctx, query)
	if err != nil {
		return nil, Cursor{}, err
	}
	var next Cursor
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[len(rows)-1]
		next = Cursor{Created: last.Created, ID: last.ID}
	}
	return rows, next, nil
}

// Newest finds the newest verification of an address on a face and channel ("" means any): what is pending first,
// then what has ended.
func (v *Verifier) Newest(ctx context.Context, app *App, to Address, face Face, ch Channel) (*Verification, error) {
	pending, err := v.moves.pending(ctx, v.cfg.Keys(), app.ID, to, "")
	if err != nil {
		return nil, err
	}
	for _, r := range pending {
		if r.Face == face && (ch == "" || r.Channel == ch) {
			return v.Get(ctx, app, r.ID)
		}
	}
	v.log.flush(ctx) // what has just ended is found as well
	rows, _, err := v.rows(ctx, &ListRequest{App: app, To: to, Face: face, Channel: ch, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, notFound()
	}
	return v.Get(ctx, app, rows[0].ID)
}

// ByReference finds the newest verification that carries the app's reference. It reads the log.
func (v *Verifier) ByReference(ctx context.Context, app *App, reference string, face Face) (*Verification, error) {
	v.log.flush(ctx)
	rows, _, err := v.rows(ctx, &ListRequest{App: app, Reference: reference, Face: face, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, notFound()
	}
	return v.Get(ctx, app, rows[0].ID)
}

// Unlock lifts the lock-out and the hard stop of an address, for the operator. It says whether there was one.
func (v *Verifier) Unlock(ctx context.Context, to Address) (bool, error) {
	return Unlock(ctx, v.cfg.Store, v.cfg.Keys(), to)
}
