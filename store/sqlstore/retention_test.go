package sqlstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"countersign"
)

// kept says of a table how long its rows stay. In row, {key} names the row (as text, in quotes, or {bytes} as bytes), {at} is
// the instant that its age counts from, and the first column is the one that has the key.
type kept struct {
	after time.Duration // how long a row stays after that; zero where it is kept
	row   string
	said  string // what docs/sessions.md calls it
	why   string // a row is kept
}

// Every table of the schema. A new one fails TestRetention until it is here.
var retained = map[string]kept{
	"verifications": {30 * 24 * time.Hour, `(id, app, purpose, channel, face, status, phone, created, expires, seq, body)
 VALUES ({key}, 'demo', 'login', 'sms', 'rest', 'approved', {bytes}, {at}, 0, 1, '{}')`, "log of verifications", ""},
	"approvals":      {30 * 24 * time.Hour, `(id, jti, at) VALUES ({key}, 'j', {at})`, "log of verifications", ""},
	"former_numbers": {30 * 24 * time.Hour, `(user_id, phone, at) VALUES ({key}, {bytes}, {at})`, "numbers that a user had", ""},
	"sessions": {countersign.SessionRetention, `(id, app, user_id, kind, amr, auth_at, created, seen, expires, ended, reason, family, turn)
 VALUES ({key}, 'demo', 'u', 'bearer', '', 0, 0, 0, 9000000000000000000, {at}, 'user', {bytes}, {bytes})`, "| session |", ""},
	"redeemed_proofs": {time.Hour, `(jti, expires) VALUES ({key}, {at})`, "redeemed proofs", ""},
	"erasures":        {time.Hour, `(app, phone, at) VALUES ({key}, {bytes}, {at})`, "an erasure", ""},
	"oidc_requests": {time.Hour, `(id, client, app, binding, sealed, created, expires, user_id, session_id, auth_at, amr, used)
 VALUES ({key}, 'c', 'demo', {bytes}, {bytes}, 0, {at}, '', '', 0, '', 0)`, "requests of OpenID Connect clients", ""},
	"oidc_grants": {countersign.SessionLifetime, `(id, request, client, app, user_id, session_id, scopes, auth_at, amr, created, expires, rotated, revoked)
 VALUES ({key}, 'r', 'c', 'demo', 'u', 's', '', 0, '', {at}, 0, 0, 0)`, "tokens of OpenID Connect clients", ""},
	"factors": {countersign.FactorPending, `(id, app, user_id, type, sealed, counter, created, confirmed, used)
 VALUES ({key}, 'demo', 'u', 'totp', {bytes}, 0, {at}, 0, 0)`, "further factors", ""},
	"factor_guesses": {countersign.GuessesForgotten, `(user_id, failed, locked, at) VALUES ({key}, 1, 0, {at})`, "wrong codes of factors", ""},
	"phone_locks":    {countersign.StreakLifetime, `(phone, streak, guesses, until_at, saved) VALUES ({bytes}, 10, '', 0, {at})`, "locks of phones", ""},
	"guard_blocks": {7 * 24 * time.Hour, `(id, key, app, rule, subject, reason, since, until_at, level)
 VALUES ({key}, {bytes}, 'demo', 'r', 's', '', 0, {at}, 1)`, "blocks of the guard", ""},

	"users":              {said: "| user |", why: "until they are erased"},
	"opt_outs":           {said: "opt-out", why: "a person's own wish"},
	"face_objects":       {said: "objects of the Twilio face", why: "until the app deletes them"},
	"api_keys":           {why: "the operator's"},
	"ring_keys":          {why: "the operator's"},
	"signing_keys":       {why: "the operator's"},
	"revisions":          {why: "counters"},
	"sql_schema_version": {why: "the schema's version"},
}

// Whatever is kept of people for a while is deleted after it, and not before.
func TestRetention(t *testing.T) {
	page, err := os.ReadFile("../../docs/sessions.md")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, source string) {
		opts := patient
		opts.Now, opts.Sweep = func() time.Time { return epoch }, 50*time.Millisecond
		d := open(t, source, opts)
		db := raw(t, source)
		list, bytes := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`, `x'%x'`
		if strings.HasPrefix(source, "postgres") {
			list, bytes = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`, `'\x%x'`
		}
		row := func(text, key string, age time.Duration) string {
			return strings.NewReplacer("{key}", "'"+key+"'", "{bytes}", fmt.Sprintf(bytes, key), "{at}", fmt.Sprint(epoch.Add(-age).UnixNano())).Replace(text)
		}
		for _, table := range column(t, db, list) {
			k, known := retained[table]
			switch {
			case !known, k.after == 0 && k.why == "":
				t.Errorf("nothing says how long rows of %s stay", table)
			case k.said != "" && !strings.Contains(string(page), k.said):
				t.Errorf("docs/sessions.md does not say how long %s stays (%q)", table, k.said)
			case k.after > 0:
				for key, age := range map[string]time.Duration{"old": k.after + time.Minute, "young": k.after - time.Minute} {
					if _, err := db.Exec(`INSERT INTO ` + table + ` ` + row(k.row, key, age)); err != nil {
						t.Fatalf("%s: %v", table, err)
					}
				}
			}
		}
		before := map[string]int{}
		for table, k := range retained {
			if k.after > 0 {
				before[table] = len(column(t, db, `SELECT 'row' FROM `+table))
			}
		}
		keepFresh(t, d)
		for table, k := range retained {
			if k.after == 0 {
				continue
			}
			first, _, _ := strings.Cut(strings.TrimPrefix(k.row, "("), ",")
			if before[table] < 2 {
				t.Fatalf("control: %s has nothing to be deleted or kept", table)
			}
			eventually(t, 30*time.Second, table+" has its young row only", func() bool {
				got := column(t, db, `SELECT `+first+` FROM `+table)
				return len(got) == 1 && got[0] == "young"
			})
		}
	})
}

// column reads one column.
func column(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
