package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// upsert names what a verification's life changes and nothing else: a column of an index that is named costs the index,
// whether its value changes or not, and that is half of the statement.
const upsert = ` ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, status = excluded.status, expires = excluded.expires,
 seq = excluded.seq, sealed = excluded.sealed, body = excluded.body WHERE excluded.seq > verifications.seq`

// sqliteRows is how many rows one transaction on an SQLite file writes. A file has one writer: whoever waits for an answer
// waits for the whole of it, some milliseconds.
const sqliteRows = 512

// Write implements countersign.Log. What a failure leaves written may be written again.
func (d *DB) Write(ctx context.Context, records []*countersign.Record) error {
	rows := newest(records)
	if len(rows) == 0 {
		return nil
	}
	if d.engine.prepares {
		return d.insertInTurns(ctx, rows)
	}
	return d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error {
		for part := range slices.Chunk(rows, d.engine.insertRows) {
			args := make([]any, 0, len(part)*columnCount)
			for _, r := range part {
				args = appendRow(args, r)
			}
			if _, err := tx.ExecContext(ctx, insertRows(len(part)), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertInTurns writes rows to a file, and lets others write in between. The rows are in the order of their ids, and so of their
// phones: two transactions change different pages of the large indexes.
func (d *DB) insertInTurns(ctx context.Context, rows []*countersign.Record) error {
	if err := d.prepareInsert(ctx); err != nil {
		return err
	}
	for part := range slices.Chunk(rows, sqliteRows) {
		err := d.change(ctx, d.opts.Timeout, func(ctx context.Context, tx *sql.Tx) error { return d.insertEach(ctx, tx, part) })
		if err != nil {
			return err
		}
	}
	return nil
}

// insertEach runs the prepared INSERT for one row after the other. A row waits for nobody, as the transaction has the
// lock, so only between rows does it look whether the time is up: a context that can end costs SQLite's driver a
// goroutine a statement.
func (d *DB) insertEach(ctx context.Context, tx *sql.Tx, rows []*countersign.Record) error {
	d.inserting.Lock()
	prepared := d.insertOne
	d.inserting.Unlock()
	insert := tx.StmtContext(ctx, prepared)
	defer func() { _ = insert.Close() }()
	endless := context.WithoutCancel(ctx)
	args := make([]any, 0, columnCount)
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		args = appendRow(args[:0], r)
		if _, err := insert.ExecContext(endless, args...); err != nil {
			return err
		}
	}
	return nil
}

// prepareInsert parses the INSERT once where the engine does not remember statements itself: parsing costs SQLite more
// than the row. It is done outside of a transaction, which would hold the only connection.
func (d *DB) prepareInsert(ctx context.Context) error {
	d.inserting.Lock()
	defer d.inserting.Unlock()
	if d.insertOne != nil {
		return nil
	}
	insert, err := d.write.PrepareContext(ctx, insertRows(1))
	if err != nil {
		return countersign.Unavailable(err)
	}
	d.insertOne = insert
	return nil
}

// newest keeps one record of each id, as an upsert may not meet an id twice, and puts them in an order that every
// node shares, as two that lock rows in different orders can lock each other out.
func newest(records []*countersign.Record) []*countersign.Record {
	rows := slices.Clone(records)
	slices.SortFunc(rows, func(a, b *countersign.Record) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
	return slices.CompactFunc(rows, func(a, b *countersign.Record) bool { return a.ID == b.ID })
}

func insertRows(n int) string {
	var b strings.Builder
	b.Grow(n*columnCount*6 + len(upsert) + 200)
	b.WriteString(`INSERT INTO verifications (` + columns + `) VALUES `)
	arg := 1
	for row := range n {
		if row > 0 {
			b.WriteString("),")
		}
		b.WriteByte('(')
		for column := range columnCount {
			if column > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(arg))
			arg++
		}
	}
	b.WriteByte(')')
	b.WriteString(upsert)
	return b.String()
}

// Get implements countersign.Log.
func (d *DB) Get(ctx context.Context, id string) (*countersign.Record, error) {
	var r *countersign.Record
	err := d.query(ctx, d.opts.AnswerTimeout, func(ctx context.Context) (err error) {
		r, err = scanRow(d.read.QueryRowContext(ctx, `SELECT `+columns+` FROM verifications WHERE id = $1`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return refusal{countersign.Fail(countersign.ErrNotFound, "There is no such verification.")}
		}
		return err
	})
	return r, err
}

// selection builds a WHERE clause with numbered placeholders.
type selection struct {
	text strings.Builder
	args []any
}

// where adds a condition; each %s stands for the next of the values.
func (s *selection) where(condition string, values ...any) {
	places := make([]any, len(values))
	for i, v := range values {
		s.args = append(s.args, v)
		places[i] = "$" + strconv.Itoa(len(s.args))
	}
	if s.text.Len() > 0 {
		s.text.WriteString(" AND ")
	}
	fmt.Fprintf(&s.text, condition, places...)
}

// List implements countersign.Log. A pending row whose time has run out counts as expired.
func (d *DB) List(ctx context.Context, q countersign.ListQuery) ([]*countersign.Record, error) {
	s := d.selectionOf(q)
	statement := `SELECT ` + columns + ` FROM verifications WHERE ` + s.text.String() + ` ORDER BY created DESC, id DESC`
	if q.Limit > 0 {
		s.args = append(s.args, q.Limit)
		statement += ` LIMIT $` + strconv.Itoa(len(s.args))
	}
	var list []*countersign.Record
	err := d.query(ctx, d.opts.Timeout, func(ctx context.Context) error {
		list = nil
		rows, err := d.read.QueryContext(ctx, statement, s.args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			r, err := scanRow(rows)
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (d *DB) selectionOf(q countersign.ListQuery) *selection {
	s := &selection{}
	switch {
	case q.App == "" && !q.Phone.IsZero(): // of any app
	case q.Phone.IsZero() && q.RefHash.IsZero():
		s.where(`app = %s`, q.App)
	default:
		// An expression has no index: SQLite would rather read all rows of the app than sort the few of a phone.
		s.where(`app || '' = %s`, q.App)
	}
	if !q.Phone.IsZero() && len(q.Former) == 0 {
		s.where(`phone = %s`, q.Phone[:])
	}
	if len(q.Former) > 0 {
		phones := []any{q.Phone[:]}
		for _, f := range q.Former {
			phones = append(phones, f[:])
		}
		s.where(`phone IN (%s`+strings.Repeat(`, %s`, len(q.Former))+`)`, phones...)
	}
	if !q.RefHash.IsZero() {
		s.where(`ref_hash = %s`, q.RefHash[:])
	}
	switch q.Status {
	case "":
	case countersign.StatusPending:
		s.where(pendingNow, instant(d.opts.Now()))
	case countersign.StatusExpired:
		s.where(expiredNow, instant(d.opts.Now()))
	default:
		s.where(`status = %s`, string(q.Status))
	}
	for _, same := range []struct{ condition, value string }{
		{`purpose = %s`, string(q.Purpose)}, {`channel = %s`, string(q.Channel)}, {`face = %s`, string(q.Face)},
	} {
		if same.value != "" {
			s.where(same.condition, same.value)
		}
	}
	if !q.CreatedAfter.IsZero() {
		s.where(`created > %s`, instant(q.CreatedAfter))
	}
	if q.Before != (countersign.Cursor{}) {
		s.where(`(created, id) < (%s, %s)`, instant(q.Before.Created), q.Before.ID)
	}
	return s
}

// Approve implements countersign.Log. The first jti of a verification stays, whichever node wrote it.
func (d *DB) Approve(ctx context.Context, id, jti string, at time.Time) (bool, error) {
	var recorded string
	err := d.change(ctx, d.opts.AnswerTimeout, func(ctx context.Context, tx *sql.Tx) error {
		// The update changes nothing; it makes RETURNING answer with the row that was there first.
		return tx.QueryRowContext(ctx, `INSERT INTO approvals (id, jti, at) VALUES ($1, $2, $3)
 ON CONFLICT (id) DO UPDATE SET id = approvals.id RETURNING jti`, id, jti, instant(at)).Scan(&recorded)
	})
	return err == nil && recorded == jti, err
}
