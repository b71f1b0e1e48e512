package main

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/store/sqlstore"
)

// traces are what the database has that leads to somebody.
type traces struct {
	t  *testing.T
	db *sql.DB
}

// column reads the first column of a query, bytes as hex.
func (s *traces) column(query string, args ...any) (list []string) {
	s.t.Helper()
	rows, err := s.db.Query(query, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, printed(v))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return list
}

func printed(v any) string {
	if b, ok := v.([]byte); ok {
		return hex.EncodeToString(b)
	}
	return fmt.Sprint(v)
}

// everything is every cell of every table, but of what is in flight, whose rows run out by themselves.
func (s *traces) everything() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, table := range s.column(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'hot_%'`) {
		rows, err := s.db.Query(`SELECT * FROM ` + table)
		if err != nil {
			s.t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			s.t.Fatal(err)
		}
		var text strings.Builder
		for rows.Next() {
			cells := make([]any, len(columns))
			for n := range cells {
				cells[n] = new(any)
			}
			if err := rows.Scan(cells...); err != nil {
				s.t.Fatal(err)
			}
			for _, c := range cells {
				fmt.Fprintln(&text, printed(*c.(*any)))
			}
		}
		if err := rows.Close(); err != nil {
			s.t.Fatal(err)
		}
		all[table] = text.String()
	}
	return all
}

// A person who was erased is nowhere: no table has their id, nor that of a session, a factor, a grant or a verification of
// theirs, nor the hash of a number that they had. The control is the same search before.
func TestErasureLeavesNothing(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	const before, after = "+14155557301", "+14155557302"
	rp, b, v := newRelyingParty(t, i), newBrowser(t, i), newVisit()
	_, who, err := rp.finish(t.Context(), v, b.logIn(b.get(rp.start(v)), before))
	if err != nil {
		t.Fatal(err)
	}
	a := i.logIn(before)
	if a.user != who.Subject {
		t.Fatalf("two users of one number: %s and %s", a.user, who.Subject)
	}
	app := i.enrol(&a)
	i.onPaper(&a)
	if r := i.as(a, "POST", "/v1/sessions/step-up", `{"totp":"000000"}`); r.status != 422 {
		t.Fatalf("a wrong code: %d %v", r.status, r.body)
	}
	r := i.as(a, "POST", "/v1/sessions/step-up", fmt.Sprintf(`{"totp":%q}`, app.fresh(i)))
	a.access = r.text("access_token")
	if r := i.as(a, "POST", "/v1/me/phone_number", fmt.Sprintf(`{"proof":%q}`, i.proofOf(after, "stepup"))); r.status != 200 {
		t.Fatalf("the change of number: %d %v", r.status, r.body)
	}

	path := filepath.Join(i.dir, "countersign.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &traces{t, db}
	found := []string{a.user}
	for _, query := range []string{
		`SELECT id FROM sessions WHERE user_id = $1`, `SELECT id FROM factors WHERE user_id = $1`, `SELECT id FROM oidc_grants WHERE user_id = $1`,
		`SELECT id FROM oidc_requests WHERE user_id = $1`, `SELECT phone FROM users WHERE id = $1`, `SELECT phone FROM former_numbers WHERE user_id = $1`,
	} {
		some := s.column(query, a.user)
		if len(some) == 0 {
			t.Fatalf("control: nothing to erase: %s", query)
		}
		found = append(found, some...)
	}
	eventually(t, 30*time.Second, "the log has the verifications", func() bool {
		return len(s.column(`SELECT id FROM verifications WHERE status = 'approved'`)) >= 3
	})
	found = append(found, s.column(`SELECT id FROM verifications WHERE app = 'demo'`)...)
	where := func(trace string) (tables []string) {
		for table, text := range s.everything() {
			if strings.Contains(text, trace) {
				tables = append(tables, table)
			}
		}
		return tables
	}
	for _, trace := range found {
		if len(where(trace)) == 0 {
			t.Errorf("control: %s is found nowhere before the erasure", trace)
		}
	}
	if status, _ := i.raw("DELETE", "/v1/users/"+a.user, ""); status != 204 {
		t.Fatalf("the erasure: %d", status)
	}
	i.stop() // what was on its way to the log is written
	d, err := sqlstore.Open(t.Context(), path, sqlstore.Options{Timeout: 30 * time.Second, AnswerTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.SweepAccounts(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, trace := range found {
		for _, table := range where(trace) {
			if table != "erasures" { // for an hour, to delete what was on its way
				t.Errorf("after the erasure %s has %s", table, trace)
			}
		}
	}
	if err := d.SweepAccounts(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left := s.column(`SELECT phone FROM erasures`); len(left) > 0 {
		t.Errorf("two hours later: %v", left)
	}
}
