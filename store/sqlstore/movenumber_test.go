package sqlstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

// moving is a change of a user's number, by numbers, in the session that they have.
func moving(u *countersign.Redeemed, to, proof int, at time.Time) *countersign.MoveNumber {
	next := redemption(to, 1000+proof)
	s := *next.Session
	s.User = u.User.ID
	return &countersign.MoveNumber{
		App: "demo", User: u.User.ID, From: u.User.Phone, To: next.User.Phone, Sealed: []byte("sealed"),
		JTIs: [2]string{fmt.Sprintf("prf_move_%d_%d", to, proof), ""}, JTIExpires: at.Add(10 * time.Minute), At: at,
		MovedSince: at.Add(-countersign.NumberCooloff), StaleSince: at.Add(-countersign.NumberStale),
		Renewal: &countersign.Renewal{Ends: u.Session.ID, Session: &s},
	}
}

// Several people claim one number at once, by a change of theirs or by a login, on two nodes: it has one holder after it,
// whoever that is, and whoever did not get it keeps the number and the session that they had. The control looks and then
// writes, and must be caught by the same trials.
func TestMoveNumberRace(t *testing.T) {
	const trials, movers = 20, 4
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		for trial := range trials {
			wanted := 100*trial + 99
			var people [movers]*countersign.Redeemed
			for n := range people {
				var err error
				if people[n], err = nodes[0].Redeem(t.Context(), redemption(100*trial+n, 0)); err != nil {
					t.Fatal(err)
				}
			}
			var results [movers]countersign.MoveResult
			var stranger atomic.Bool
			race(movers+1, func(n int) {
				if n == movers {
					out, err := nodes[n%2].Redeem(context.Background(), redemption(wanted, 0))
					if err != nil {
						t.Errorf("trial %d: the login: %v", trial, err)
						return
					}
					stranger.Store(out.Created)
					return
				}
				var err error
				if results[n], err = nodes[n%2].MoveNumber(context.Background(), moving(people[n], wanted, n, epoch.Add(time.Minute))); err != nil {
					t.Errorf("trial %d: a change: %v", trial, err)
				}
			})
			holders := 0
			if stranger.Load() {
				holders++
			}
			for n, p := range people {
				moved := results[n] == countersign.MoveDone
				if moved {
					holders++
				} else if results[n] != countersign.MoveTaken {
					t.Errorf("trial %d: a change came to %d", trial, results[n])
				}
				u, _, err := nodes[0].User(t.Context(), "demo", p.User.ID)
				if err != nil || (u.Phone == p.User.Phone) == moved {
					t.Errorf("trial %d: moved %t, and the number is %x, %v", trial, moved, u.Phone, err)
				}
				s, _, err := nodes[1].Session(t.Context(), p.Session.ID)
				if err != nil || s.Ended.IsZero() == moved {
					t.Errorf("trial %d: moved %t, and the session of before is %+v, %v", trial, moved, s, err)
				}
			}
			if holders != 1 {
				t.Fatalf("trial %d: %d holders of one number", trial, holders)
			}
		}
		if n := lookFirst(t, source, movers); n < 2 {
			t.Errorf("control: a change that looks first is made %d times", n)
		}
	})
}

// A proof that was used moves nothing, nor does one after another change that is too recent, nor a session that has ended.
func TestMoveNumberRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		a, err := d.Redeem(t.Context(), redemption(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		other, err := d.Redeem(t.Context(), redemption(1, 1)) // the same person on another device
		if err != nil {
			t.Fatal(err)
		}
		want := func(what string, m *countersign.MoveNumber, want countersign.MoveResult) {
			t.Helper()
			if got, err := d.MoveNumber(t.Context(), m); err != nil || got != want {
				t.Errorf("%s: %d, %v; want %d", what, got, err, want)
			}
		}
		used := moving(a, 2, 0, epoch)
		used.JTIs[0] = redemption(1, 0).JTI
		want("a proof of before", used, countersign.MoveRedeemed)
		elsewhere := moving(a, 2, 1, epoch)
		elsewhere.From = redemption(9, 0).User.Phone
		want("from a number that they do not have", elsewhere, countersign.MoveGone)
		want("control", moving(a, 2, 2, epoch), countersign.MoveDone)
		if s, _, err := d.Session(t.Context(), other.Session.ID); err != nil || s.Ended.IsZero() {
			t.Errorf("the other device's session: %+v, %v", s, err)
		}
		now := *a
		now.User.Phone, now.Session = redemption(2, 0).User.Phone, moving(a, 2, 2, epoch).Renewal.Session
		want("a second change", moving(&now, 3, 3, epoch.Add(time.Hour)), countersign.MoveTooSoon)
		ended := now
		ended.Session = a.Session
		want("in a session that has ended", moving(&ended, 3, 4, epoch.Add(73*time.Hour)), countersign.MoveSessionEnded)
		want("control: after three days", moving(&now, 3, 5, epoch.Add(73*time.Hour)), countersign.MoveDone)
	})
}
