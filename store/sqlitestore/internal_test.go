package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"countersign"
	"countersign/store/storetest"
)

// fixture is a store whose machine's clock the test sets.
type fixture struct {
	*testing.T
	path  string
	wall  time.Time
	store *Store
	ring  *countersign.Keyring
}

func newFixture(t *testing.T) *fixture {
	ring, err := storetest.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, path: filepath.Join(t.TempDir(), "hot.db"), wall: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), ring: ring}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *fixture) open() {
	f.Helper()
	s, err := Open(f.Context(), f.path, Options{Timeout: 20 * time.Second, wall: func() time.Time { return f.wall }})
	if err != nil {
		f.Fatal(err)
	}
	f.store = s
}

func (f *fixture) close() {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Error(err)
	}
}

// restart closes the store, sets the machine's clock and opens it again.
func (f *fixture) restart(wall time.Time) {
	f.Helper()
	f.close()
	f.wall = wall
	f.open()
}

func (f *fixture) begin() *countersign.Record {
	f.Helper()
	o, err := f.store.Begin(f.Context(), storetest.NewBegin(f.ring, "app", storetest.NewPhone(), "314159"))
	if err != nil || o.Result != countersign.OutcomeOK {
		f.Fatal("Begin:", o, err)
	}
	return o.Record
}

func (f *fixture) check(r *countersign.Record, typed string) (*countersign.Outcome, error) {
	f.Helper()
	c, err := storetest.NewCheck(f.ring, r.App, r.ID, typed)
	if err != nil {
		f.Fatal(err)
	}
	return f.store.Check(f.Context(), c)
}

func (f *fixture) advance(d time.Duration) {
	f.Helper()
	if err := f.store.Advance(f.Context(), d); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) sweep() []*countersign.Record {
	f.Helper()
	swept, err := f.store.Sweep(f.Context(), time.Second, 100)
	if err != nil {
		f.Fatal(err)
	}
	return swept
}

// rows counts a table's rows.
func (f *fixture) rows(table string) (n int64) {
	f.Helper()
	c, err := dial(f.path, time.Second)
	if err != nil {
		f.Fatal(err)
	}
	defer c.close()
	count, err := c.prepare("SELECT count(*) FROM "+table, 1)
	if err == nil {
		_, err = count.one(func(row []driver.Value) error { n = asInt(row[0]); return nil })
	}
	if err != nil {
		f.Fatal(err)
	}
	return n
}

func near(a, b time.Time) bool { d := a.Sub(b); return d > -20*time.Second && d < 20*time.Second }

func TestClockContinues(t *testing.T) {
	f := newFixture(t)
	began := f.wall
	if !near(f.store.Now(), began) {
		t.Errorf("a new store's time is %v, the machine's %v", f.store.Now(), began)
	}
	f.advance(48 * time.Hour)
	r := f.begin()
	f.restart(began.Add(time.Hour))
	if want := began.Add(49 * time.Hour); !near(f.store.Now(), want) || f.store.ClockWasSetBack() {
		t.Errorf("after an hour's break the time is %v, want %v", f.store.Now(), want)
	}
	if o, err := f.check(r, "314159"); err != nil || o.Result != countersign.OutcomeExpired {
		t.Errorf("a code outlived the break: %+v, %v", o, err)
	}
	f.wall = f.wall.Add(10 * time.Minute) // a step forward of a running machine's clock is followed
	if want := began.Add(49*time.Hour + 10*time.Minute); !near(f.store.Now(), want) {
		t.Errorf("after a step forward the time is %v, want %v", f.store.Now(), want)
	}
	before := f.store.Now()
	f.wall = f.wall.Add(-5 * time.Hour)
	if now := f.store.Now(); now.Before(before) || !near(now, before) {
		t.Errorf("a step back of the machine's clock turned the time from %v to %v", before, now)
	}
}

// TestClockSetBack restarts with the machine's clock set back: the time does not go back, and what was pending ends.
func TestClockSetBack(t *testing.T) {
	f := newFixture(t)
	touched, seen, left := f.begin(), f.begin(), f.begin()
	done := f.begin()
	o, err := f.check(done, "314159")
	if err != nil || o.Result != countersign.OutcomeApproved {
		t.Fatal(o, err)
	}
	before := o.Now // what was said since and not written is not known after a restart
	f.restart(f.wall.Add(-time.Second))
	if f.store.ClockWasSetBack() {
		t.Error("a step of a second was taken for one that matters")
	}
	f.restart(f.wall.Add(-time.Hour))
	if !f.store.ClockWasSetBack() || f.store.Now().Before(before) {
		t.Errorf("set back by an hour: detected %v, time %v, before %v", f.store.ClockWasSetBack(), f.store.Now(), before)
	}
	found, ok, err := f.store.Lookup(t.Context(), seen.ID)
	if err != nil || !ok || found.Record.Status != countersign.StatusCanceled {
		t.Errorf("Lookup gives %+v, %v, %v", found, ok, err)
	}
	if list, err := f.store.Pending(t.Context(), "app", seen.Phone, ""); err != nil || len(list) != 0 {
		t.Errorf("%d are pending (%v)", len(list), err)
	}
	if o, err := f.check(touched, "314159"); err != nil || o.Result != countersign.OutcomeClosed || o.Record.Status != countersign.StatusCanceled {
		t.Errorf("a check of what began before gives %+v, %v", o, err)
	}
	swept := f.sweep()
	ended := map[string]countersign.Status{}
	for _, r := range swept {
		ended[r.ID] = r.Status
	}
	if len(swept) != 2 || ended[seen.ID] != countersign.StatusCanceled || ended[left.ID] != countersign.StatusCanceled {
		t.Errorf("swept: %v", ended)
	}
	fresh := f.begin()
	f.restart(f.wall.Add(time.Second))
	if f.store.ClockWasSetBack() {
		t.Error("one step back was detected twice")
	}
	if o, err := f.check(fresh, "314159"); err != nil || o.Result != countersign.OutcomeApproved {
		t.Errorf("what began after the step gives %+v, %v", o, err)
	}
}

func TestRetention(t *testing.T) {
	f := newFixture(t)
	there := func(r *countersign.Record, want bool, when string) {
		t.Helper()
		f.sweep()
		if _, ok, err := f.store.Lookup(t.Context(), r.ID); err != nil || ok != want {
			t.Errorf("%s a record is there: %v, want %v (%v)", when, ok, want, err)
		}
	}
	end := func() *countersign.Record {
		t.Helper()
		o, err := f.check(f.begin(), "314159")
		if err != nil {
			t.Fatal(err)
		}
		return o.Record
	}
	known, unknown := end(), end()
	if err := f.store.Acknowledge(t.Context(), []*countersign.Record{known}); err != nil {
		t.Fatal(err)
	}
	f.advance(countersign.EndedRetention - 30*time.Second)
	there(known, true, "before ten minutes")
	f.advance(31 * time.Second)
	there(known, false, "after ten minutes, acknowledged,")
	there(unknown, true, "after ten minutes, not acknowledged,")
	f.advance(24 * time.Hour)
	there(unknown, false, "after a day")
	if out, err := f.store.Outbox(t.Context(), 0, 10); err != nil || len(out) != 0 {
		t.Errorf("a removed record is in the outbox: %d, %v", len(out), err)
	}
}

// INV-12 on SQLite: what has run out is deleted.
// An acknowledgment comes to the same whether a move of its transaction has touched the record or not.
func TestAcknowledge(t *testing.T) {
	for _, touched := range []bool{false, true} {
		f := newFixture(t)
		b := storetest.NewBegin(f.ring, "app", storetest.NewPhone(), "123456")
		begun, err := f.store.Begin(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		ended, err := f.store.Cancel(t.Context(), &countersign.Cancel{App: "app", ID: b.Record.ID, Status: countersign.StatusCanceled})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			done *countersign.Record
			left int
		}{{begun.Record, 1}, {ended.Record, 0}} {
			err := f.store.do(t.Context(), func(m *move) error {
				if touched {
					if _, err := m.b.record(b.Record.ID); err != nil {
						return err
					}
				}
				return m.acknowledge(step.done)
			})
			if err != nil {
				t.Fatal(err)
			}
			left, err := f.store.Outbox(t.Context(), 0, 10)
			if err != nil || len(left) != step.left {
				t.Errorf("touched %v: after change %d was acknowledged the outbox has %d, %v", touched, step.done.Seq, len(left), err)
			}
		}
		var due instant
		err = f.store.do(t.Context(), func(m *move) error {
			e, err := m.record(b.Record.ID)
			if err == nil {
				due = e.due
			}
			return err
		})
		if want := instantOf(ended.Record.Ended).add(countersign.EndedRetention); err != nil || due != want {
			t.Errorf("touched %v: removed at %d, want %d (%v)", touched, due, want, err)
		}
	}
}

func TestPurge(t *testing.T) {
	f := newFixture(t)
	for i := range 3 {
		if _, err := f.check(f.begin(), "271828"); err != nil {
			t.Fatal(err)
		}
		var key countersign.Hash
		key[0] = byte(i + 1)
		if _, err := f.store.Take(t.Context(), &countersign.Take{
			Limits: []countersign.Limit{{Name: "starts", Key: key, Burst: 2, Period: time.Hour}},
			Key:    key, ID: "ver_a", Lifetime: time.Hour, Lease: time.Minute,
		}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() [4]int64 {
		return [4]int64{f.rows("hot_records"), f.rows("hot_phones"), f.rows("hot_rates"), f.rows("hot_keys")}
	}
	if got, want := count(), [4]int64{3, 3, 3, 3}; got != want {
		t.Fatalf("records, phones, rates and keys: %v, want %v", got, want)
	}
	f.advance(25 * time.Hour)
	f.sweep()
	if got, want := count(), [4]int64{3, 3, 0, 0}; got != want {
		t.Errorf("a day later: %v, want %v (a streak of wrong guesses is kept for 30 days)", got, want)
	}
	f.advance(31 * 24 * time.Hour)
	f.sweep()
	f.sweep()
	if got := count(); got != [4]int64{} {
		t.Errorf("a month later: %v", got)
	}
}

// TestFull fills the file up to a bound: moves fail and change nothing, reads go on, and with room the store goes
// on as if nothing had been.
// It is the full disk of F-19.
func TestFull(t *testing.T) {
	f := newFixture(t)
	kept := f.begin()
	pages := func(bound string) {
		t.Helper()
		if err := f.store.do(t.Context(), func(m *move) error { return m.b.t.c.do("PRAGMA max_page_count = " + bound) }); err != nil {
			t.Fatal(err)
		}
	}
	pages("1") // SQLite takes this as the file's present size
	var err error
	var answered, refused []string
	for range 400 {
		b := storetest.NewBegin(f.ring, "app", storetest.NewPhone(), "314159")
		if _, err = f.store.Begin(t.Context(), b); err != nil {
			refused = append(refused, b.Record.ID)
			break
		}
		answered = append(answered, b.Record.ID)
	}
	if !errors.Is(err, countersign.ErrUnavailable) || !errors.Is(err, ErrFull) {
		t.Fatalf("with no room left the error is %v", err)
	}
	for i, id := range append(answered, refused...) {
		if _, ok, err := f.store.Lookup(t.Context(), id); err != nil || ok != (i < len(answered)) {
			t.Fatalf("start %d of %d answered ones is there: %v, %v", i, len(answered), ok, err)
		}
	}
	pages("1000000")
	f.begin()
	if o, err := f.check(kept, "314159"); err != nil || o.Result != countersign.OutcomeApproved {
		t.Errorf("with room again: %+v, %v", o, err)
	}
}

// group runs steps in one transaction, in their order, and gives what each answered.
func (f *fixture) group(steps ...func(m *move) error) []error {
	hold, held, freed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		freed <- f.store.do(context.Background(), func(*move) error { close(held); <-hold; return nil })
	}()
	<-held
	answers := make([]chan error, len(steps))
	for i, step := range steps {
		answers[i] = make(chan error, 1)
		queued := len(f.store.queue)
		go func() { answers[i] <- f.store.do(context.Background(), step) }()
		for len(f.store.queue) == queued {
			runtime.Gosched()
		}
	}
	close(hold)
	<-freed
	errs := make([]error, len(steps))
	for i := range steps {
		errs[i] = <-answers[i]
	}
	return errs
}

// guesses gives how many guesses are counted, which must be one number for the record and its phone.
func (f *fixture) guesses(r *countersign.Record) int {
	f.Helper()
	o, _, err := f.store.Lookup(f.Context(), r.ID)
	if err != nil {
		f.Fatal(err)
	}
	if spent := countersign.MaxPhoneChecks - o.Phone.ChecksLeft; spent != o.Record.Checks {
		f.Errorf("the record has %d guesses and the phone %d", o.Record.Checks, spent)
	}
	return o.Record.Checks
}

// TestAlone has a move fail in the middle of a group. A refusal takes back that move alone; when the engine fails,
// nobody is told that his move is written, and none is.
func TestAlone(t *testing.T) {
	f := newFixture(t)
	r := f.begin()
	guess := func(failure error) func(m *move) error {
		return func(m *move) error {
			e, p, err := m.both("", r.ID)
			if err != nil {
				return err
			}
			m.count(e, p)
			m.changed(e)
			return failure
		}
	}
	errs := f.group(guess(nil), guess(countersign.Fail(countersign.ErrInternal, "on purpose")), guess(nil))
	if errs[0] != nil || !errors.Is(errs[1], countersign.ErrInternal) || errs[2] != nil {
		t.Errorf("a refusal in the middle gives %v", errs)
	}
	if n := f.guesses(r); n != 2 {
		t.Errorf("%d guesses were counted, want 2", n)
	}
	for i, err := range f.group(guess(nil), guess(errors.New("the engine broke")), guess(nil)) {
		if !errors.Is(err, countersign.ErrUnavailable) {
			t.Errorf("after an engine's failure, move %d is answered %v", i, err)
		}
	}
	if n := f.guesses(r); n != 2 {
		t.Errorf("%d guesses were counted after a failed group, want 2", n)
	}
}

// TestDamagedRow has a row that does not decode: only the moves that need it fail.
func TestDamagedRow(t *testing.T) {
	f := newFixture(t)
	bad, good := f.begin(), f.begin()
	if err := f.store.do(t.Context(), func(m *move) error {
		return m.b.t.c.do("UPDATE hot_records SET packed = x'01ff' WHERE id = '" + bad.ID + "'")
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.check(bad, "314159"); !errors.Is(err, countersign.ErrUnavailable) || !errors.Is(err, errPacked) {
		t.Errorf("a check of a damaged row gives %v", err)
	}
	if _, _, err := f.store.Lookup(t.Context(), bad.ID); !errors.Is(err, countersign.ErrUnavailable) {
		t.Errorf("a look at a damaged row gives %v", err)
	}
	f.advance(time.Hour)
	if swept := f.sweep(); len(swept) != 1 || swept[0].ID != good.ID {
		t.Errorf("beside a damaged row, %d were swept", len(swept))
	}
	if out, err := f.store.Outbox(t.Context(), 0, 10); err != nil || len(out) != 1 {
		t.Errorf("beside a damaged row, the outbox gives %d, %v", len(out), err)
	}
}

func TestNewerSchema(t *testing.T) {
	f := newFixture(t)
	if err := f.store.do(t.Context(), func(m *move) error {
		return m.b.t.c.do("UPDATE hot_meta SET version = 3")
	}); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), f.path, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer file gives %v, %v", s, err)
	}
}
