package sqlstore

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// planOf is how SQLite would run a statement.
func planOf(t *testing.T, d *DB, statement string) []string {
	t.Helper()
	var args []any
	for strings.Contains(statement, "$"+strconv.Itoa(len(args)+1)) {
		args = append(args, nil)
	}
	rows, err := d.read.Query("EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	steps, err := gather(rows, func(step *string) []any { return []any{new(int), new(int), new(int), step} })
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// The log and the sessions have millions of rows: a statement that reads them all holds the one writer of an SQLite file up
// until its time is over, and then has deleted nothing.
func TestNothingIsDeletedByReadingAllRows(t *testing.T) {
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "plans.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	readsAll := func(statement string) (table string) {
		for _, step := range planOf(t, d, statement) {
			what, of, _ := strings.Cut(step, " ")
			of, _, _ = strings.Cut(of, " ")
			switch of {
			case "verifications", "approvals", "sessions", "redeemed_proofs", "oidc_requests", "oidc_grants", "factors", "factor_guesses", "former_numbers":
				if what == "SCAN" {
					return of
				}
			}
		}
		return ""
	}
	statements := []string{nextApp, pruneLog, pruneApprovals, eraseLog, eraseLateRows, `DELETE FROM oidc_grants WHERE user_id = $1`}
	for _, o := range oldAccounts(time.Now(), Options{}) {
		statements = append(statements, o.statement)
	}
	for _, statement := range statements {
		if table := readsAll(statement); table != "" {
			t.Errorf("%s\nreads all of %s: %q", statement, table, planOf(t, d, statement))
		}
	}
	// What is asked without an index is seen.
	for _, statement := range []string{
		`DELETE FROM verifications WHERE id IN (SELECT id FROM verifications WHERE created < $1 LIMIT $2)`,
		`DELETE FROM verifications WHERE EXISTS (SELECT 1 FROM erasures e
 WHERE e.app = verifications.app AND e.phone = verifications.phone AND verifications.created <= e.at)`,
	} {
		if readsAll(statement) == "" {
			t.Errorf("the test does not see what reads all rows: %q", planOf(t, d, statement))
		}
	}
}
