package sqlstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

// somebody is a user who is logged in.
func somebody(t *testing.T, d *sqlstore.DB, n int) *countersign.Redeemed {
	t.Helper()
	out, err := d.Redeem(t.Context(), redemption(n, 0))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// factorOf makes a confirmed factor, by numbers.
func factorOf(t *testing.T, d *sqlstore.DB, user string, kind countersign.FactorType, n int) *countersign.FactorRecord {
	t.Helper()
	f := &countersign.FactorRecord{
		ID: fmt.Sprintf("fac_%d_%s", n, user), App: "demo", User: user, Type: kind, Sealed: []byte("sealed"), Created: epoch, Confirmed: epoch,
	}
	if kind == countersign.FactorPasskey {
		f.Lookup[0], f.Lookup[1] = byte(n), byte(n>>8)
		f.Lookup[15] = 1
	}
	add(t, d, &countersign.AddFactor{Factor: f, At: epoch}, countersign.FactorDone)
	return f
}

func add(t *testing.T, d *sqlstore.DB, a *countersign.AddFactor, want countersign.FactorResult) {
	t.Helper()
	if got, err := d.AddFactor(t.Context(), a); err != nil || got != want {
		t.Fatalf("AddFactor: %d, %v, want %d", got, err, want)
	}
}

func factorsOf(t *testing.T, d *sqlstore.DB, user string) int {
	t.Helper()
	u, found, err := d.User(t.Context(), "demo", user)
	if err != nil || !found {
		t.Fatalf("User: %t, %v", found, err)
	}
	return u.Factors
}

var sessionsMade atomic.Int64

// renewal is a session in the place of another.
func renewal(s *countersign.SessionRecord, at time.Time) *countersign.SessionRecord {
	next := *s
	n := sessionsMade.Add(1)
	next.ID, next.Family, next.Current = fmt.Sprintf("ses_next_%d", n), fmt.Appendf(nil, "family %d", n), fmt.Appendf(nil, "turn %d", n)
	next.AMR, next.AuthTime, next.FactorTime = append(slices.Clone(s.AMR), "mfa"), at, at
	return &next
}

func use(f *countersign.FactorRecord, counter int64) *countersign.UseFactor {
	return &countersign.UseFactor{App: f.App, User: f.User, ID: f.ID, Type: f.Type, Counter: counter}
}

// A code of an app and one of a set are taken once, by whichever node, of many that bring the same at once, each in a
// session of its own. The control reads the row, decides and then writes, and must be caught by the same trials.
func TestUseFactorRace(t *testing.T) {
	const trials, callers = 100, 6
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		out := somebody(t, nodes[0], 1)
		app := factorOf(t, nodes[0], out.User.ID, countersign.FactorTOTP, 1)
		for trial := range trials {
			f, counter := app, int64(trial+1)
			if trial%2 == 1 { // the last code of each set too
				f, counter = factorOf(t, nodes[0], out.User.ID, countersign.FactorRecovery, 1000+trial), 1<<(trial/2%countersign.RecoveryCodes)
			}
			var won, used atomic.Int64
			race(callers, func(n int) {
				show := &countersign.ShowFactor{Use: use(f, counter), Session: renewal(out.Session, epoch), At: epoch}
				result, err := nodes[n%2].ShowFactor(context.Background(), show)
				switch {
				case err != nil:
					t.Errorf("trial %d: %v", trial, err)
				case result == countersign.FactorDone:
					won.Add(1)
				case result == countersign.FactorUsed:
					used.Add(1)
				}
			})
			if won.Load() != 1 || used.Load() != callers-1 {
				t.Fatalf("trial %d (%s): %d won, %d were told that it was used", trial, f.Type, won.Load(), used.Load())
			}
		}
		doubled := 0
		for range trials {
			if naiveUse(t, nodes, app, callers) > 1 {
				doubled++
			}
		}
		if doubled < trials*9/10 {
			t.Errorf("control: a use that looks first was caught in %d of %d trials", doubled, trials)
		}
	})
}

// naiveUse lets callers read a factor's counter and then take a step that is greater: how many did.
func naiveUse(t *testing.T, nodes []*sqlstore.DB, f *countersign.FactorRecord, callers int) int64 {
	var taken atomic.Int64
	var looked sync.WaitGroup
	looked.Add(callers)
	race(callers, func(n int) {
		list, err := nodes[n%2].Factors(context.Background(), f.App, f.User)
		looked.Done()
		looked.Wait()
		if err != nil {
			t.Error(err)
			return
		}
		i := slices.IndexFunc(list, func(one *countersign.FactorRecord) bool { return one.ID == f.ID })
		if list[i].Counter < 1<<40 {
			taken.Add(1)
		}
	})
	return taken.Load()
}

// What was used is not good again, and what is older neither.
func TestUseFactor(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out := somebody(t, d, 1)
		kinds := []countersign.FactorType{countersign.FactorTOTP, countersign.FactorPasskey, countersign.FactorRecovery}
		made := map[countersign.FactorType]*countersign.FactorRecord{}
		for n, kind := range kinds {
			made[kind] = factorOf(t, d, out.User.ID, kind, n)
		}
		const done, used, none = countersign.FactorDone, countersign.FactorUsed, countersign.FactorNone
		for n, c := range []struct {
			kind    countersign.FactorType
			counter int64
			want    countersign.FactorResult
		}{
			{countersign.FactorTOTP, 100, done},
			{countersign.FactorTOTP, 100, used},
			{countersign.FactorTOTP, 99, used},
			{countersign.FactorTOTP, 101, done},
			{countersign.FactorPasskey, 0, done},
			{countersign.FactorPasskey, 0, done}, // one that does not count
			{countersign.FactorPasskey, 7, done},
			{countersign.FactorPasskey, 7, used},
			{countersign.FactorPasskey, 0, used}, // a copy of it
			{countersign.FactorRecovery, 1, done},
			{countersign.FactorRecovery, 1, used},
			{countersign.FactorRecovery, 4, done},
			{countersign.FactorRecovery, 2, done},
		} {
			show := &countersign.ShowFactor{Use: use(made[c.kind], c.counter), Session: renewal(out.Session, epoch), At: epoch}
			if got, err := d.ShowFactor(t.Context(), show); err != nil || got != c.want {
				t.Errorf("%d: %s %d: %d, %v, want %d", n, c.kind, c.counter, got, err, c.want)
			}
			_, begun, err := d.Session(t.Context(), show.Session.ID)
			if err != nil || begun != (c.want == done) {
				t.Errorf("%d: a session has begun: %t, %v", n, begun, err)
			}
		}
		for name, change := range map[string]func(*countersign.UseFactor){
			"another user's": func(u *countersign.UseFactor) { u.User = "usr_other" },
			"another app's":  func(u *countersign.UseFactor) { u.App = "other" },
			"another kind":   func(u *countersign.UseFactor) { u.Type = countersign.FactorPasskey },
			"no kind":        func(u *countersign.UseFactor) { u.Type = "" },
			"another":        func(u *countersign.UseFactor) { u.ID = "fac_other" },
		} {
			u := use(made[countersign.FactorTOTP], 1000)
			change(u)
			if got, err := d.ShowFactor(t.Context(), &countersign.ShowFactor{Use: u, Session: renewal(out.Session, epoch), At: epoch}); err != nil || got != none {
				t.Errorf("%s: %d, %v, want %d", name, got, err, none)
			}
		}
		f, found, err := d.FactorByLookup(t.Context(), "demo", made[countersign.FactorPasskey].Lookup)
		if err != nil || !found || f.Counter != 7 || f.ID != made[countersign.FactorPasskey].ID {
			t.Errorf("FactorByLookup: %+v, %t, %v", f, found, err)
		}
	})
}

// INV-11: a step-up gives a session other tokens, once: what was before is dead on every node.
func TestShowFactorRenews(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		here, there := open(t, source, patient), open(t, source, patient)
		out := somebody(t, here, 1)
		f := factorOf(t, here, out.User.ID, countersign.FactorTOTP, 1)
		const callers = 6
		var done, ended atomic.Int64
		race(callers, func(n int) { // with a code each, as if the limit on guesses were not there
			show := &countersign.ShowFactor{Use: use(f, int64(n+1)), Ends: out.Session.ID, Session: renewal(out.Session, epoch.Add(time.Minute)), At: epoch.Add(time.Minute)}
			result, err := []*sqlstore.DB{here, there}[n%2].ShowFactor(context.Background(), show)
			switch {
			case err != nil:
				t.Error(err)
			case result == countersign.FactorDone:
				done.Add(1)
			case result == countersign.FactorSessionEnded:
				ended.Add(1)
			}
		})
		if done.Load() != 1 {
			t.Fatalf("%d sessions took the place of one", done.Load())
		}
		old, _, err := there.Session(t.Context(), out.Session.ID)
		if err != nil || old.Ended.IsZero() || old.Reason != countersign.EndedByRenewal {
			t.Errorf("the old session: %+v, %v", old, err)
		}
		list, err := there.Sessions(t.Context(), "demo", out.User.ID)
		if err != nil || len(list) != 1 || !list[0].FactorTime.Equal(epoch.Add(time.Minute)) || !slices.Contains(list[0].AMR, "mfa") {
			t.Errorf("the sessions now: %+v, %v", list, err)
		}
		rotated, err := here.Rotate(t.Context(), &countersign.Rotate{
			ID: out.Session.ID, Family: out.Session.Family, Current: out.Session.Current, Next: []byte("x"), At: epoch.Add(2 * time.Minute),
		})
		if err != nil || rotated.Result != countersign.RotateEnded {
			t.Errorf("the old refresh token: %+v, %v", rotated, err)
		}
	})
}

// A proof counts where the user has its number, once.
func TestShowProof(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out := somebody(t, d, 1)
		show := func(jti string, phone countersign.Hash) countersign.FactorResult {
			t.Helper()
			result, err := d.ShowFactor(t.Context(), &countersign.ShowFactor{
				JTI: jti, JTIExpires: epoch.Add(time.Hour), Phone: phone, Session: renewal(out.Session, epoch), At: epoch,
			})
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		if got := show("a", countersign.Hash{9}); got != countersign.FactorNone {
			t.Errorf("another number's: %d", got)
		}
		if got := show("a", out.User.Phone); got != countersign.FactorDone {
			t.Errorf("after a refusal, which leaves nothing behind: %d", got)
		}
		if got := show("a", out.User.Phone); got != countersign.FactorRedeemed {
			t.Errorf("again: %d", got)
		}
	})
}

// The number of a user's factors is right after whatever changes it.
func TestFactorsAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out := somebody(t, d, 1)
		user := out.User.ID
		count := func(when string, want int) {
			t.Helper()
			if got := factorsOf(t, d, user); got != want {
				t.Errorf("%s: %d factors, want %d", when, got, want)
			}
		}
		count("at first", 0)
		pending := &countersign.FactorRecord{ID: "fac_pending", App: "demo", User: user, Type: countersign.FactorTOTP, Sealed: []byte("x"), Created: epoch}
		late := *pending
		late.ID = "fac_late"
		add(t, d, &countersign.AddFactor{Factor: pending, First: true, At: epoch}, countersign.FactorDone)
		add(t, d, &countersign.AddFactor{Factor: &late, First: true, At: epoch}, countersign.FactorDone)
		count("pending", 0)
		confirm := func(id string, first bool, at time.Time) countersign.FactorResult {
			t.Helper()
			got, err := d.ConfirmFactor(t.Context(), &countersign.ConfirmFactor{App: "demo", User: user, ID: id, Counter: 5, First: first, At: at})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := confirm("fac_pending", true, epoch.Add(countersign.FactorPending)); got != countersign.FactorNone {
			t.Errorf("too late: %d", got)
		}
		if got := confirm("fac_pending", true, epoch.Add(time.Minute)); got != countersign.FactorDone {
			t.Errorf("confirm: %d", got)
		}
		if got := confirm("fac_pending", false, epoch.Add(time.Minute)); got != countersign.FactorNone {
			t.Errorf("twice: %d", got)
		}
		count("confirmed", 1)
		if got := confirm("fac_late", true, epoch.Add(time.Minute)); got != countersign.FactorStepUpFirst {
			t.Errorf("one that was begun when there was none, by somebody who has shown nothing: %d", got)
		}
		add(t, d, &countersign.AddFactor{Factor: &countersign.FactorRecord{ID: "fac_3", App: "demo", User: user, Type: countersign.FactorTOTP, Sealed: []byte("x"), Created: epoch}, First: true, At: epoch}, countersign.FactorStepUpFirst)
		key := factorOf(t, d, user, countersign.FactorPasskey, 1)
		taken := *key
		taken.ID = "fac_taken"
		add(t, d, &countersign.AddFactor{Factor: &taken, At: epoch}, countersign.FactorTaken)
		factorOf(t, d, user, countersign.FactorRecovery, 2)
		set := factorOf(t, d, user, countersign.FactorRecovery, 3) // in the place of the other
		count("a passkey and codes", 3)
		for n := range countersign.RecoveryCodes {
			show := &countersign.ShowFactor{Use: use(set, 1<<n), Session: renewal(out.Session, epoch), At: epoch}
			if got, err := d.ShowFactor(t.Context(), show); err != nil || got != countersign.FactorDone {
				t.Fatalf("code %d: %d, %v", n, got, err)
			}
		}
		count("no code is left", 2)
		remove := &countersign.RemoveFactor{App: "demo", User: user, ID: key.ID, Renewal: &countersign.Renewal{Ends: "ses_none", Session: &countersign.SessionRecord{App: "demo"}}, At: epoch}
		if _, got, err := d.RemoveFactor(t.Context(), remove); err != nil || got != countersign.FactorSessionEnded {
			t.Errorf("RemoveFactor in a session that has ended: %d, %v", got, err)
		}
		count("not removed", 2)
		remove.Renewal = nil
		if f, got, err := d.RemoveFactor(t.Context(), remove); err != nil || got != countersign.FactorDone || f.Type != countersign.FactorPasskey {
			t.Errorf("RemoveFactor: %+v, %d, %v", f, got, err)
		}
		if _, got, err := d.RemoveFactor(t.Context(), &countersign.RemoveFactor{App: "demo", User: "usr_other", ID: "fac_pending", At: epoch}); err != nil || got != countersign.FactorNone {
			t.Errorf("another user's: %d, %v", got, err)
		}
		count("removed", 1)
		for n := 10; ; n++ {
			f := *pending
			f.ID = fmt.Sprintf("fac_%d", n)
			got, err := d.AddFactor(t.Context(), &countersign.AddFactor{Factor: &f, At: epoch})
			if err != nil || n > 40 {
				t.Fatalf("%d: %v", n, err)
			}
			if got == countersign.FactorTooMany {
				break
			}
		}
		if list, err := d.Factors(t.Context(), "demo", user); err != nil || len(list) != countersign.MaxFactors {
			t.Errorf("%d factors, %v", len(list), err)
		}
		if found, err := d.Erase(t.Context(), "demo", user, nil, epoch); err != nil || !found {
			t.Fatalf("Erase: %t, %v", found, err)
		}
		if list, err := d.Factors(t.Context(), "demo", user); err != nil || len(list) != 0 {
			t.Errorf("after the erasure: %d factors, %v", len(list), err)
		}
	})
}

// Guesses are counted before they are compared: of many at once exactly as many as the rule says are compared. The
// control compares first and counts what was wrong, and lets more through.
func TestCountGuessRace(t *testing.T) {
	const trials, callers = 20, 16
	onBoth(t, func(t *testing.T, source string) {
		nodes := []*sqlstore.DB{open(t, source, patient), open(t, source, patient)}
		for trial := range trials {
			user, at := fmt.Sprintf("usr_%d", trial), epoch
			for _, wait := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour} {
				var allowed atomic.Int64
				race(callers, func(n int) {
					g, err := nodes[n%2].CountGuess(context.Background(), user, at)
					if err != nil {
						t.Error(err)
					} else if g.Allowed {
						allowed.Add(1)
					}
				})
				if allowed.Load() != countersign.GuessesPerWait {
					t.Fatalf("trial %d: %d guesses were compared", trial, allowed.Load())
				}
				g, err := nodes[0].CountGuess(t.Context(), user, at.Add(wait-1))
				if err != nil || g.Allowed || !g.Locked.Equal(at.Add(wait)) {
					t.Fatalf("trial %d: just before the wait of %s is over: %+v, %v", trial, wait, g, err)
				}
				at = at.Add(wait)
			}
		}
		if n := naiveGuesses(callers); n <= countersign.GuessesPerWait {
			t.Errorf("control: of %d at once, one that counts afterwards compared %d", callers, n)
		}
	})
}

// naiveGuesses is how many a limit lets through that counts after the comparison.
func naiveGuesses(callers int) (compared int64) {
	var failed, passed atomic.Int64
	var looked sync.WaitGroup
	looked.Add(callers)
	race(callers, func(int) {
		open := failed.Load() < countersign.GuessesPerWait
		looked.Done()
		looked.Wait()
		if open {
			passed.Add(1)
			failed.Add(1)
		}
	})
	return passed.Load()
}

// What is right takes the count back; a hundred wrong ones in a row end it for a month.
func TestGuessesEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out := somebody(t, d, 1)
		f := factorOf(t, d, out.User.ID, countersign.FactorTOTP, 1)
		count := func(at time.Time) *countersign.GuessCount {
			t.Helper()
			g, err := d.CountGuess(t.Context(), out.User.ID, at)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		count(epoch)
		if g := count(epoch); g.Failed != 2 {
			t.Errorf("the second: %+v", g)
		}
		if got, err := d.ShowFactor(t.Context(), &countersign.ShowFactor{Use: use(f, 1), Session: renewal(out.Session, epoch), At: epoch}); err != nil || got != countersign.FactorDone {
			t.Fatalf("ShowFactor: %d, %v", got, err)
		}
		at, compared := epoch, 0
		for {
			g := count(at)
			if g.Allowed {
				compared++
			}
			if g.Failed >= countersign.MaxGuesses {
				break
			}
			if !g.Locked.IsZero() {
				at = g.Locked
			}
		}
		if compared != countersign.MaxGuesses {
			t.Errorf("%d guesses in a row were compared", compared)
		}
		t.Logf("a hundred guesses take %s", at.Sub(epoch))
		if g := count(at.Add(countersign.GuessesForgotten - 1)); g.Allowed {
			t.Errorf("after almost a month: %+v", g)
		}
		if g := count(at.Add(countersign.GuessesForgotten)); !g.Allowed || g.Failed != 1 {
			t.Errorf("after a month: %+v", g)
		}
	})
}

// What was begun and never confirmed goes, and so do counts that are old.
func TestSweepFactors(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		d := open(t, source, patient)
		out := somebody(t, d, 1)
		kept := factorOf(t, d, out.User.ID, countersign.FactorTOTP, 1)
		add(t, d, &countersign.AddFactor{Factor: &countersign.FactorRecord{ID: "fac_pending", App: "demo", User: out.User.ID, Type: countersign.FactorTOTP, Sealed: []byte("x"), Created: epoch}, At: epoch}, countersign.FactorDone)
		if _, err := d.CountGuess(t.Context(), out.User.ID, epoch); err != nil {
			t.Fatal(err)
		}
		if err := d.SweepAccounts(t.Context(), epoch.Add(countersign.GuessesForgotten+time.Minute)); err != nil {
			t.Fatal(err)
		}
		list, err := d.Factors(t.Context(), "demo", out.User.ID)
		if err != nil || len(list) != 1 || list[0].ID != kept.ID {
			t.Errorf("after the sweep: %+v, %v", list, err)
		}
		var n int
		if err := raw(t, source).QueryRow(`SELECT count(*) FROM factor_guesses`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d counts after the sweep, %v", n, err)
		}
	})
}
