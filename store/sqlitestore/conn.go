package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"modernc.org/sqlite"
)

// conn is one connection of the driver, without database/sql between: one goroutine at a time uses it, and its
// statements stay prepared.
type conn struct {
	raw      driver.Conn
	exec     driver.ExecerContext
	prepared []*stmt
}

// dial opens the file. Writes are on the disk when they return. They wait for other writers of the file for most of
// the timeout, so that the caller hears the reason.
func dial(path string, timeout time.Duration, pragmas ...string) (*conn, error) {
	q := url.Values{}
	for _, p := range append([]string{
		fmt.Sprintf("busy_timeout(%d)", (timeout * 3 / 4).Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
	}, pragmas...) {
		q.Add("_pragma", p)
	}
	name := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
	raw, err := (&sqlite.Driver{}).Open(name)
	if err != nil {
		return nil, explain(err)
	}
	exec, ok := raw.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver cannot execute statements"), raw.Close())
	}
	return &conn{raw: raw, exec: exec}, nil
}

// do runs SQL that is not worth preparing.
func (c *conn) do(sql string) error {
	_, err := c.exec.ExecContext(context.Background(), sql, nil)
	return err
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// stmt is a prepared statement. Its arguments and its row are reused from call to call.
type stmt struct {
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	close func() error
	args  []driver.NamedValue
	row   []driver.Value
}

// prepare compiles a statement that gives columns columns.
func (c *conn) prepare(sql string, columns int) (*stmt, error) {
	s, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", sql, err)
	}
	exec, ok := s.(driver.StmtExecContext)
	query, ok2 := s.(driver.StmtQueryContext)
	if !ok || !ok2 {
		return nil, errors.Join(errors.New("the SQLite driver cannot run prepared statements"), s.Close())
	}
	p := &stmt{exec: exec, query: query, close: s.Close, row: make([]driver.Value, columns)}
	c.prepared = append(c.prepared, p)
	return p, nil
}

func (s *stmt) bind(values []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, v := range values {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args
}

// run executes the statement.
func (s *stmt) run(values ...driver.Value) error {
	_, err := s.exec.ExecContext(context.Background(), s.bind(values))
	return err
}

// each calls visit for each row. The row is only good within visit.
func (s *stmt) each(visit func(row []driver.Value) error, values ...driver.Value) error {
	rows, err := s.query.QueryContext(context.Background(), s.bind(values))
	if err != nil {
		return err
	}
	for err == nil {
		if err = rows.Next(s.row); err == nil {
			err = visit(s.row)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

// one calls visit for the first row and says whether there was one.
func (s *stmt) one(visit func(row []driver.Value) error, values ...driver.Value) (bool, error) {
	found := false
	err := s.each(func(row []driver.Value) error {
		found = true
		return visit(row)
	}, values...)
	return found, err
}

// The columns' values come as what SQLite keeps; anything else is a damaged row and reads as zero.
func asInt(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func asText(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func asBytes(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
