package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"countersign"
)

// FaceObjects keeps what apps make through a face. It is no part of the log, and is read only when a request names one.
type FaceObjects struct{ db *DB }

// FaceObjects is the database's table of them.
func (d *DB) FaceObjects() FaceObjects { return FaceObjects{d} }

const objectColumns = `app, sid, kind, parent, name, body, created, updated`

// Put writes one. countersign.ErrObjectExists when another has its name.
func (f FaceObjects) Put(ctx context.Context, o *countersign.FaceObject) error {
	return f.db.change(ctx, f.db.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		var other string
		err := tx.QueryRowContext(ctx, `SELECT sid FROM face_objects WHERE app = $1 AND kind = $2 AND parent = $3 AND name = $4`,
			o.App, o.Kind, o.Parent, o.Name).Scan(&other)
		switch {
		case err == nil && other != o.SID:
			return countersign.ErrObjectExists
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		// A second writer of the same name at the same moment changes nothing, and sees so.
		done, err := tx.ExecContext(ctx, `INSERT INTO face_objects (`+objectColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
 ON CONFLICT (app, kind, parent, name) DO UPDATE SET body = excluded.body, updated = excluded.updated
 WHERE face_objects.sid = excluded.sid`,
			o.App, o.SID, o.Kind, o.Parent, o.Name, o.Body, instant(o.Created), instant(o.Updated))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, countersign.ErrObjectExists)
		}
		return nil
	})
}

// Get reads one; ErrNotFound otherwise.
func (f FaceObjects) Get(ctx context.Context, app, sid string) (*countersign.FaceObject, error) {
	list, err := f.read(ctx, `app = $1 AND sid = $2`, app, sid)
	if err == nil && len(list) == 0 {
		return nil, countersign.Fail(countersign.ErrNotFound, "There is no such object for this app.")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// List reads all of an app, kind and parent, oldest first.
func (f FaceObjects) List(ctx context.Context, app, kind, parent string) ([]*countersign.FaceObject, error) {
	return f.read(ctx, `app = $1 AND kind = $2 AND parent = $3 ORDER BY created, sid LIMIT 1000`, app, kind, parent)
}

func (f FaceObjects) read(ctx context.Context, where string, args ...any) ([]*countersign.FaceObject, error) {
	var list []*countersign.FaceObject
	err := f.db.query(ctx, f.db.opts.Timeout, func(ctx context.Context) error {
		list = nil
		rows, err := f.db.read.QueryContext(ctx, `SELECT `+objectColumns+` FROM face_objects WHERE `+where, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			o := &countersign.FaceObject{}
			var created, updated int64
			if err := rows.Scan(&o.App, &o.SID, &o.Kind, &o.Parent, &o.Name, &o.Body, &created, &updated); err != nil {
				return err
			}
			o.Created, o.Updated = from(created), from(updated)
			list = append(list, o)
		}
		return rows.Err()
	})
	return list, err
}

// Delete removes one and everything under it; false when there was none.
func (f FaceObjects) Delete(ctx context.Context, app, sid string) (bool, error) {
	var gone bool
	err := f.db.change(ctx, f.db.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		const under = `SELECT sid FROM face_objects WHERE app = $1 AND parent = $2`
		if _, err := tx.ExecContext(ctx, `DELETE FROM face_objects WHERE app = $1 AND parent IN (`+under+`)`, app, sid); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM face_objects WHERE app = $1 AND parent = $2`, app, sid); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM face_objects WHERE app = $1 AND sid = $2`, app, sid)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		gone = n > 0
		return err
	})
	return gone, err
}
