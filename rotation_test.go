package countersign_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/redisstore"
	"countersign/store/sqlitestore"
)

// phoneKeys is a ring whose phone key is rotated at an instant of the store's clock.
type phoneKeys struct {
	now   func() time.Time
	keys  []countersign.Key
	made  atomic.Pointer[countersign.Keyring]
	turns []time.Time // when the ring changes
	last  atomic.Int64
	naive bool // the control: the new key takes the old one's place at once, and nothing is counted under both
}

// ring is the key ring now: the same one as long as nothing changes, as a node has it.
func (p *phoneKeys) ring() *countersign.Keyring {
	now, turn := p.now(), int64(0)
	for _, at := range p.turns {
		if !at.After(now) {
			turn++
		}
	}
	if ring := p.made.Load(); ring != nil && p.last.Load() == turn {
		return ring
	}
	keys := p.keys
	if turn == 0 {
		keys = keys[:4]
	}
	if p.naive && turn >= 2 {
		keys = append(append([]countersign.Key{}, keys[:3]...), keys[4])
	} else if p.naive {
		keys = keys[:4]
	}
	ring, err := countersign.NewKeyring(keys, now)
	if err != nil {
		panic(err)
	}
	p.made.Store(ring)
	p.last.Store(turn)
	return ring
}

// rotate begins a rotation now.
func (p *phoneKeys) rotate(t testing.TB) {
	t.Helper()
	now := p.now()
	k, err := countersign.NewKey(countersign.KeyPhone, 2, now.Add(countersign.PhoneSwitch))
	if err != nil {
		t.Fatal(err)
	}
	p.keys = append(p.keys, k)
	p.turns = []time.Time{now, k.Activates, countersign.PhoneRotated(k.Activates)}
}

// rotating is a bench whose phone key can be rotated.
func rotating(t *testing.T, store countersign.Store, naive bool, more ...option) (*bench, *phoneKeys) {
	keys := &phoneKeys{now: store.Now, keys: fullSet(t, 1, time.Time{}), naive: naive}
	var b *bench
	b = newBenchOn(t, store, filepath.Join(t.TempDir(), "countersign.db"), append([]option{func(cfg *countersign.Config, _ *countersign.App) {
		cfg.Keys = keys.ring
		cfg.OptedOut = func(ctx context.Context, sender string, _ countersign.Address, phone countersign.Hash, former ...countersign.Hash) (bool, error) {
			return b.db.OptedOut(ctx, sender, phone, former...)
		}
		cfg.Streaks = func(ctx context.Context) ([]countersign.Streak, error) {
			if s, ok := store.(*sqlitestore.Store); ok {
				return s.Streaks(ctx, 11)
			}
			return nil, nil
		}
	}}, more...)...)
	return b, keys
}

// onStores runs a test on SQLite and on Redis.
func onStores(t *testing.T, test func(t *testing.T, open func() countersign.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func() countersign.Store {
			store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "hot.db"), sqlitestore.Options{Timeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			return store
		})
	})
	t.Run("redis", func(t *testing.T) {
		test(t, func() countersign.Store { return startRedis(t).open(redisstore.Options{}) })
	})
}

// guessWrong makes wrong guesses of a phone, over as many verifications as that takes, and gives the last answer.
func (b *bench) guessWrong(t testing.TB, number string, n int) error {
	t.Helper()
	var err error
	for n > 0 {
		v := b.mustStart(t, number)
		for range min(n, countersign.MaxChecks) {
			_, err = b.check(t, v.ID, other(b.carrier.code(t)))
			n--
		}
		b.advance(t, 6*time.Minute)
	}
	return err
}

// Guesses that are used up stay used up when the phone key is rotated: before the new key takes the old one's place, across
// that moment, and after it. The control rotates the key as the others are rotated, and loses them.
func TestGuessesOutliveAPhoneKey(t *testing.T) {
	onStores(t, func(t *testing.T, open func() countersign.Store) {
		for _, naive := range []bool{false, true} {
			b, keys := rotating(t, open(), naive)
			keys.rotate(t)
			b.advance(t, countersign.PhoneSwitch-40*time.Minute)
			old := keys.ring().PhoneHash(address(t, number))
			wantKind(t, b.guessWrong(t, number, countersign.MaxPhoneChecks), countersign.ErrIncorrectCode)
			_, err := b.start(t, number)
			wantKind(t, err, countersign.ErrTooManyChecks)
			b.advance(t, 30*time.Minute)
			if keys.ring().PhoneHash(address(t, number)) == old {
				t.Fatal("the new key is not in use")
			}
			_, err = b.start(t, number)
			if naive {
				if err != nil {
					t.Errorf("control: a naive rotation lost nothing (%v), so this test proves nothing", err)
				}
				continue
			}
			if e := wantKind(t, err, countersign.ErrTooManyChecks); e.RetryAfter < 22*time.Hour || e.RetryAfter > 24*time.Hour {
				t.Errorf("locked for %s", e.RetryAfter)
			}
			if lifted, err := b.Unlock(t.Context(), address(t, number)); err != nil || !lifted {
				t.Errorf("Unlock = %t, %v", lifted, err)
			}
			v := b.mustStart(t, number)
			if _, err := b.check(t, v.ID, b.carrier.code(t)); err != nil {
				t.Errorf("after the lock was lifted: %v", err)
			}
		}
	})
}

// What began under the old key goes on when the new one takes its place: it is found by its phone, counts as pending, takes
// its code, and a guess at it is a guess of the phone under either key.
func TestPendingVerificationsOutliveAPhoneKey(t *testing.T) {
	onStores(t, func(t *testing.T, open func() countersign.Store) {
		b, keys := rotating(t, open(), false)
		to := address(t, number)
		keys.rotate(t)
		b.advance(t, countersign.PhoneSwitch-time.Minute)
		before := b.mustStart(t, number)
		code := b.carrier.code(t)
		b.advance(t, 90*time.Second)
		after := b.mustStart(t, number, func(q *countersign.StartRequest) { q.Purpose = countersign.PurposeSignup })
		if live, err := b.Live(t.Context(), b.app, to, countersign.FaceREST); err != nil || len(live) != 2 || live[0].ID != after.ID || live[1].ID != before.ID {
			t.Fatalf("pending are %v, %v", live, err)
		}
		for n := range 4 {
			_, err := b.check(t, before.ID, other(code))
			if e := wantKind(t, err, countersign.ErrIncorrectCode); *e.ChecksLeft != 4-n || *e.PhoneLeft != 19-n {
				t.Errorf("after %d guesses at the old one %d and %d are left", n+1, *e.ChecksLeft, *e.PhoneLeft)
			}
		}
		_, err := b.check(t, after.ID, other(b.carrier.code(t)))
		if e := wantKind(t, err, countersign.ErrIncorrectCode); *e.PhoneLeft != 15 {
			t.Errorf("a guess at the new one leaves %d of the phone's, want 15", *e.PhoneLeft)
		}
		_, err = b.check(t, "", code, func(q *countersign.CheckRequest) { q.To, q.Purpose = to, countersign.PurposeLogin })
		if err != nil {
			t.Errorf("the code of before, by phone: %v", err)
		}
		if _, err := b.check(t, after.ID, b.carrier.code(t)); err != nil {
			t.Errorf("the code of after: %v", err)
		}
		// The third send within ten minutes is the last, over both keys.
		b.advance(t, 2*time.Minute)
		b.mustStart(t, number)
		b.advance(t, 2*time.Minute)
		_, err = b.start(t, number)
		wantKind(t, err, countersign.ErrTooManySends)
		list, _, err := b.List(t.Context(), &countersign.ListRequest{App: b.app, To: to, Limit: 10})
		for end := time.Now().Add(30 * time.Second); err == nil && len(list) < 3 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			list, _, err = b.List(t.Context(), &countersign.ListRequest{App: b.app, To: to, Limit: 10})
		}
		if err != nil || len(list) != 3 {
			t.Errorf("the log has %d verifications of the phone, %v; want 3", len(list), err)
		}
	})
}

// INV-3 across the moment at which the new key takes the old one's place: of guesses at verifications of both sides, all at
// once, twenty are compared. The control counts under one key each and compares more.
func TestOnePhoneHasTwentyGuessesOverBothKeys(t *testing.T) {
	onStores(t, func(t *testing.T, open func() countersign.Store) {
		for _, naive := range []bool{false, true} {
			b, keys := rotating(t, open(), naive, withTestNumber("246802", 48*time.Hour))
			keys.rotate(t)
			b.advance(t, countersign.PhoneSwitch-time.Minute)
			var open []string
			for n := range 5 {
				if n == 2 {
					b.advance(t, 2*time.Minute)
				}
				open = append(open, b.mustStart(t, testPhone).ID)
			}
			_, err := b.start(t, testPhone)
			if !naive {
				wantKind(t, err, countersign.ErrRateLimited)
			}
			compared := 0
			var mu sync.Mutex
			guess := func(id string) {
				_, err := b.check(t, id, "999999")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, countersign.ErrIncorrectCode):
					compared++
				case !errors.Is(err, countersign.ErrTooManyChecks) && !errors.Is(err, countersign.ErrVerificationClosed):
					t.Errorf("a check: %v", err)
				}
			}
			var all sync.WaitGroup
			ready := make(chan struct{})
			for n := range 60 {
				all.Go(func() {
					<-ready
					guess(open[n%len(open)])
				})
			}
			close(ready)
			all.Wait()
			if !naive && compared > countersign.MaxPhoneChecks {
				t.Errorf("%d guesses were compared at once", compared)
			}
			// What was counted for a moment and refused is given back: one after the other, all twenty can be made.
			for n := range 25 {
				guess(open[n%len(open)])
			}
			if naive && compared <= countersign.MaxPhoneChecks {
				t.Errorf("control: a naive rotation compared %d guesses only, so this test proves nothing", compared)
			}
			if !naive && compared != countersign.MaxPhoneChecks {
				t.Errorf("%d guesses were compared, want %d", compared, countersign.MaxPhoneChecks)
			}
		}
	})
}

// A hard stop and an opt-out are brought under the new key, and hold when the old one is gone: the hash in use alone is
// looked at here.
func TestHardStopsAndOptOutsAreRekeyed(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "hot.db"), sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	b, keys := rotating(t, store, false)
	stopped, quiet, shut := address(t, number), address(t, "+14155550177"), address(t, "+14155550178")
	v := b.mustStart(t, number)
	eventually(t, "the log knows the number", func() bool { _, err := b.db.Get(t.Context(), v.ID); return err == nil })
	now := store.Now()
	if _, err := store.Count(t.Context(), &countersign.Count{Phone: keys.ring().PhoneHash(stopped), What: countersign.CountStreak, Streak: countersign.MaxPhoneStreak, At: now}); err != nil {
		t.Fatal(err)
	}
	if err := b.TakeReply(t.Context(), "46700", quiet, "STOP"); err != nil {
		t.Fatal(err)
	}
	// One of an earlier release has no number, and one that nobody verified in a month is not in the log: it stays, and is found.
	if _, err := b.db.OptOut(t.Context(), &countersign.OptOut{Sender: "46700", Phone: keys.ring().PhoneHash(shut), Out: true, At: now}); err != nil {
		t.Fatal(err)
	}
	old := keys.ring()
	keys.rotate(t)
	rekey := func() {
		t.Helper()
		if err := b.Rekey(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rekey()
	b.advance(t, countersign.PhoneRotation+time.Hour)
	rekey()
	ring := keys.ring()
	if ring.Rotating() || ring.PhoneHash(stopped) == old.PhoneHash(stopped) {
		t.Fatal("the rotation is not over")
	}
	_, err = b.start(t, number)
	if e := wantKind(t, err, countersign.ErrTooManyChecks); e.RetryAfter != 0 {
		t.Errorf("the hard stop became a lock-out of %s", e.RetryAfter)
	}
	opted := func(to countersign.Address, hashes ...countersign.Hash) bool {
		t.Helper()
		out, err := b.db.OptedOut(t.Context(), "46700", hashes[0], hashes[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !opted(quiet, ring.PhoneHash(quiet)) || opted(quiet, old.PhoneHash(quiet)) {
		t.Error("the opt-out is not under the new key alone")
	}
	if opted(shut, ring.PhoneHash(shut)) || !opted(shut, append([]countersign.Hash{ring.PhoneHash(shut)}, ring.FormerHashes(shut)...)...) {
		t.Error("an opt-out without a number is not found under the old key")
	}
	for _, to := range []countersign.Address{quiet, shut} {
		if err := b.TakeReply(t.Context(), "46700", to, "START"); err != nil {
			t.Fatal(err)
		}
		if opted(to, append([]countersign.Hash{ring.PhoneHash(to)}, ring.FormerHashes(to)...)...) {
			t.Error("START did not lift it")
		}
	}
}

// A device that has proved a phone under the old key has proved it still: its proof says so, by which the user of a number
// that was not proved for long stays theirs.
func TestDevicesOutliveAPhoneKey(t *testing.T) {
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "hot.db"), sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	b, keys := rotating(t, store, false)
	v := b.mustStart(t, number)
	v, err = b.check(t, v.ID, b.carrier.code(t))
	if err != nil {
		t.Fatal(err)
	}
	token := v.DeviceToken
	keys.rotate(t)
	b.advance(t, countersign.PhoneRotation+time.Hour)
	for _, c := range []struct {
		token string
		known bool
	}{{token, true}, {"", false}} {
		v := b.mustStart(t, number)
		v, err := b.check(t, v.ID, b.carrier.code(t), func(q *countersign.CheckRequest) { q.DeviceToken = c.token })
		if err != nil {
			t.Fatal(err)
		}
		if known := claims(t, b, v.Proof)["known_at"] != nil; known != c.known {
			t.Errorf("with the token %t the proof says %v", c.token != "", claims(t, b, v.Proof))
		}
		b.advance(t, time.Hour)
	}
}
