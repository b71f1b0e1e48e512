package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

// redemption is a proof of one phone, by numbers.
func redemption(phone, proof int) *countersign.Redeem {
	var h countersign.Hash
	binary.BigEndian.PutUint64(h[:], uint64(phone)+1)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", phone, proof))
	id := fmt.Sprintf("ses_%x", sum[:13])
	return &countersign.Redeem{
		JTI: fmt.Sprintf("prf_%d_%d", phone, proof), JTIExpires: epoch.Add(10 * time.Minute), StaleSince: epoch.Add(-90 * 24 * time.Hour),
		User: &countersign.UserRecord{ID: fmt.Sprintf("usr_%x", sum[:13]), App: "demo", Phone: h, Sealed: []byte("sealed"), Created: epoch, Proved: epoch},
		Session: &countersign.SessionRecord{
			ID: id, App: "demo", Kind: countersign.SessionBearer, AMR: []string{"otp", "sms"}, AuthTime: epoch, Created: epoch, Seen: epoch,
			Expires: epoch.Add(countersign.SessionLifetime), Sealed: []byte("sealed"), Family: sum[:16], Current: sum[16:],
		},
	}
}

// A user speaks the language of the codes that they were sent last, as far as one was asked for.
func TestRedeemKeepsTheLanguage(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		db := open(t, source, patient)
		for n, c := range []struct{ asked, want string }{{"", ""}, {"sv-SE", "sv-SE"}, {"", "sv-SE"}, {"ja", "ja"}} {
			r := redemption(1, n)
			r.User.Locale = c.asked
			out, err := db.Redeem(t.Context(), r)
			if err != nil || out.Result != countersign.RedeemDone || out.User.Locale != c.want {
				t.Fatalf("login %d in %q: %+v, %v", n, c.asked, out, err)
			}
			if u, ok, err := db.User(t.Context(), "demo", out.User.ID); err != nil || !ok || u.Locale != c.want {
				t.Errorf("login %d: the user is %+v, %v", n, u, err)
			}
		}
		first := redemption(2, 0)
		first.User.Locale = "hi"
		if out, err := db.Redeem(t.Context(), first); err != nil || !out.Created || out.User.Locale != "hi" {
			t.Errorf("a new user: %+v, %v", out, err)
		}
	})
}

// A proof is redeemed once, by whichever node, and a number has one user: of many that come at once. The control looks
// and then writes, and must be caught by the same trials.
func TestRedeemRace(t *testing.T) {
	const trials, callers = 30, 8
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		for trial := range trials {
			var won atomic.Int64
			var users sync.Map
			race(callers, func(n int) {
				// Half of them bring the same proof, the others one of their own for the same new number.
				proof := max(0, n-callers/2)
				out, err := nodes[n%2].Redeem(context.Background(), redemption(trial, proof))
				if err != nil {
					t.Errorf("trial %d: %v", trial, err)
					return
				}
				if out.Result == countersign.RedeemDone {
					won.Add(1)
					users.Store(out.User.ID, true)
				}
			})
			if n := won.Load(); n != callers/2 {
				t.Fatalf("trial %d: %d sessions of %d proofs", trial, n, callers/2)
			}
			n := 0
			users.Range(func(any, any) bool { n++; return true })
			if n != 1 {
				t.Fatalf("trial %d: %d users of one number", trial, n)
			}
		}
		if n := lookFirst(t, source, callers); n < 2 {
			t.Errorf("control: a redemption that looks first is made %d times", n)
		}
	})
}

// Of many that use one refresh token at once one goes on, and none survives: the others were reuse.
func TestRotateRace(t *testing.T) {
	const trials, callers = 20, 6
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		for trial := range trials {
			out, err := nodes[0].Redeem(t.Context(), redemption(trial, 0))
			if err != nil {
				t.Fatal(err)
			}
			var done, reused atomic.Int64
			race(callers, func(n int) {
				r, err := nodes[n%2].Rotate(context.Background(), &countersign.Rotate{
					ID: out.Session.ID, Family: out.Session.Family, Current: out.Session.Current, Next: []byte{byte(n)}, At: epoch.Add(time.Second),
				})
				if err != nil {
					t.Errorf("trial %d: %v", trial, err)
					return
				}
				switch r.Result {
				case countersign.RotateDone:
					done.Add(1)
				case countersign.RotateReused:
					reused.Add(1)
				case countersign.RotateEnded:
				default:
					t.Errorf("trial %d: result %d", trial, r.Result)
				}
			})
			if done.Load() != 1 || reused.Load() != 1 {
				t.Fatalf("trial %d: %d went on, %d found the reuse", trial, done.Load(), reused.Load())
			}
			if s, found, err := nodes[1].Session(t.Context(), out.Session.ID); err != nil || !found || s.Ended.IsZero() || s.Reason != countersign.EndedByReuse {
				t.Fatalf("trial %d: after the reuse the session is %+v, %v", trial, s, err)
			}
		}
	})
}

// INV-11: a session that one node ends is over on the other before the call that ended it returns; the promise is a
// second. The control, a node that remembers what it read, is wrong for as long as it remembers.
func TestAnEndHoldsOnEveryNode(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		here, there := open(t, source, patient), open(t, source, patient)
		for n := range 50 {
			out, err := here.Redeem(t.Context(), redemption(n, 0))
			if err != nil {
				t.Fatal(err)
			}
			remembered, _, err := there.Session(t.Context(), out.Session.ID)
			if err != nil {
				t.Fatal(err)
			}
			if ended, err := here.EndSession(t.Context(), "demo", out.User.ID, out.Session.ID, countersign.EndedByUser, epoch); err != nil || !ended {
				t.Fatalf("EndSession: %t, %v", ended, err)
			}
			s, _, err := there.Session(t.Context(), out.Session.ID)
			if err != nil || s.Ended.IsZero() {
				t.Fatalf("session %d is alive on the other node: %v", n, err)
			}
			if !remembered.Ended.IsZero() {
				t.Error("control: what was remembered knows of the end")
			}
		}
	})
}

// A code is taken once. Who comes second gets nothing, and what the first got is revoked.
func TestTakeCodeRace(t *testing.T) {
	const trials, callers = 20, 6
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		for trial := range trials {
			out, err := d.Redeem(t.Context(), redemption(trial, 0))
			if err != nil {
				t.Fatal(err)
			}
			id, code := fmt.Sprintf("oar_%d", trial), []byte(fmt.Sprintf("code %d", trial))
			r := &countersign.AuthorizationRequest{ID: id, Client: "c", App: "demo", Binding: []byte{1}, Sealed: []byte{1}, Created: epoch, Expires: epoch.Add(time.Hour)}
			if err := d.SaveRequest(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			r.User, r.Session, r.AuthTime, r.Code = out.User.ID, out.Session.ID, epoch, code
			for _, want := range []bool{true, false} {
				if ok, err := d.AnswerRequest(t.Context(), r, epoch); err != nil || ok != want {
					t.Fatalf("AnswerRequest: %t, %v, want %t", ok, err, want)
				}
			}
			var won atomic.Int64
			race(callers, func(int) {
				_, found, err := d.TakeCode(context.Background(), code, epoch)
				if err != nil {
					t.Error(err)
				}
				if found {
					won.Add(1)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("trial %d: %d took the code", trial, won.Load())
			}
			g := &countersign.Grant{ID: "oat_" + id, Request: id, Client: "c", App: "demo", User: r.User, Session: r.Session, Created: epoch, Expires: epoch.Add(time.Minute), Refresh: code}
			if saved, err := d.SaveGrant(t.Context(), g); err != nil || !saved {
				t.Fatalf("SaveGrant: %t, %v", saved, err)
			}
			if _, found, err := d.Grant(t.Context(), g.ID, epoch); err != nil || !found {
				t.Fatalf("Grant: %t, %v", found, err)
			}
			if _, found, _ := d.TakeCode(t.Context(), code, epoch); found {
				t.Fatal("the code is good again")
			}
			if _, found, _ := d.Grant(t.Context(), g.ID, epoch); found {
				t.Fatal("after reuse of the code its token is good")
			}
		}
	})
}

// Erasing takes everything of a person, and again what was on its way to the log.
func TestEraseAndSweep(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out, err := d.Redeem(t.Context(), redemption(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Redeem(t.Context(), redemption(2, 0)); err != nil {
			t.Fatal(err)
		}
		write := func(id string, phone countersign.Hash) {
			t.Helper()
			r := &countersign.Record{ID: id, App: "demo", Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Face: countersign.FaceREST, Status: countersign.StatusApproved, Phone: phone, Created: epoch, Expires: epoch, Sealed: []byte("x"), Seq: 1}
			if err := d.Write(t.Context(), []*countersign.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
		rows := func(table string) (n int) {
			t.Helper()
			if err := raw(t, source).QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		write("ver_1", out.User.Phone)
		write("ver_2", redemption(2, 0).User.Phone)
		if found, err := d.Erase(t.Context(), "demo", out.User.ID, nil, epoch); err != nil || !found {
			t.Fatalf("Erase: %t, %v", found, err)
		}
		for table, want := range map[string]int{"users": 1, "sessions": 1, "verifications": 1, "former_numbers": 0} {
			if n := rows(table); n != want {
				t.Errorf("%d rows of %s, want %d", n, table, want)
			}
		}
		write("ver_3", out.User.Phone) // it was on its way
		if err := d.SweepAccounts(t.Context(), epoch.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n := rows("verifications"); n != 1 {
			t.Errorf("%d rows of the log after the sweep, want 1", n)
		}
		if err := d.SweepAccounts(t.Context(), epoch.Add(45*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int{"users": 1, "sessions": 0, "erasures": 0, "redeemed_proofs": 0} {
			if n := rows(table); n != want {
				t.Errorf("%d rows of %s after all retention, want %d", n, table, want)
			}
		}
	})
}

func BenchmarkRedeem(b *testing.B) {
	for _, e := range []struct{ name, source string }{{"sqlite", sqliteSource(b)}, {"postgres", shared.database(b)}} {
		b.Run(e.name, func(b *testing.B) {
			d := open(b, e.source, patient)
			var n atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := d.Redeem(context.Background(), redemption(int(n.Add(1)), 0)); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
		})
	}
}

// While the phone key is rotated two nodes may disagree for a moment on which key is in use. A number has one user all the
// same, who is found under either hash and ends under the one in use. The control does not say that the hashes are of one
// number, and makes two users.
func TestRedeemUnderTwoPhoneKeys(t *testing.T) {
	const trials, callers = 15, 6
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		under := func(trial, proof, key int, known bool) *countersign.Redeem {
			r := redemption(10_000+trial, proof)
			hashes := [2]countersign.Hash{r.User.Phone, r.User.Phone}
			hashes[1][15] = 0xff
			r.User.Phone = hashes[key]
			if known {
				r.Rekeys, r.Rotating = []countersign.Rekey{{From: hashes[1-key], To: hashes[key]}}, true
			}
			return r
		}
		users := func(trial int, known bool) int {
			var found sync.Map
			race(callers, func(n int) {
				out, err := nodes[n%2].Redeem(context.Background(), under(trial, n, n%2, known))
				if err != nil || out.Result != countersign.RedeemDone {
					t.Errorf("trial %d: %+v, %v", trial, out, err)
					return
				}
				found.Store(out.User.ID, true)
			})
			n := 0
			found.Range(func(any, any) bool { n++; return true })
			return n
		}
		for trial := range trials {
			if n := users(trial, true); n != 1 {
				t.Fatalf("trial %d: %d users of one number", trial, n)
			}
		}
		if n := users(trials, false); n != 2 {
			t.Errorf("control: %d users without the knowledge that the hashes are of one number, so this test proves nothing", n)
		}

		r := under(0, callers, 1, true)
		out, err := nodes[0].Redeem(t.Context(), r)
		if err != nil || out.Created || out.User.Phone != r.User.Phone {
			t.Fatalf("under the new key: %+v, %v", out, err)
		}
		old := r.Rekeys[0].From
		if _, found, err := nodes[1].UserByPhone(t.Context(), "demo", old); err != nil || found {
			t.Errorf("the user is still under the old key: %v", err)
		}
		if u, found, err := nodes[1].UserByPhone(t.Context(), "demo", old, r.User.Phone); err != nil || !found || u.ID != out.User.ID {
			t.Errorf("the user is not found by either hash: %+v, %v", u, err)
		}
	})
}
