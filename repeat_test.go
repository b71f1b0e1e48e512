package countersign_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"countersign"
)

// losing is a store that makes one Begin and loses its answer.
type losing struct {
	countersign.Store
	lost bool
}

func (l *losing) Begin(ctx context.Context, b *countersign.Begin) (*countersign.Outcome, error) {
	o, err := l.Store.Begin(ctx, b)
	if err == nil && !l.lost {
		l.lost = true
		return nil, countersign.Unavailable(errors.New("the answer was lost"))
	}
	return o, err
}

func (l *losing) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	return countersign.TakeThenBegin(ctx, l, t, b)
}

// Sweep is kept away, so that the repeat and not the sweep carries on.
func (l *losing) Sweep(context.Context, time.Duration, int) ([]*countersign.Record, error) {
	return nil, nil
}

func withKey(key string) func(*countersign.StartRequest) {
	return func(q *countersign.StartRequest) {
		q.Idempotency = countersign.Idempotency{Key: key, Scope: "start", Body: []byte("{}")}
	}
}

// A repeat carries on with what the first request began: the code that it sends must be the one that is checked.
func TestARepeatCarriesOnWithTheSameCode(t *testing.T) {
	first := newBench(t)
	b := newBenchOn(t, &losing{Store: first.store}, t.TempDir()+"/log.db")
	_, err := b.start(t, number, withKey("k"))
	wantKind(t, err, countersign.ErrUnavailable)
	_, err = b.start(t, number, withKey("k"))
	wantKind(t, err, countersign.ErrIdempotencyInProgress)
	b.advance(t, 31*time.Second)
	v, err := b.start(t, number, withKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	if b.carrier.count() != 1 {
		t.Errorf("%d messages", b.carrier.count())
	}
	if _, err := b.check(t, v.ID, b.carrier.code(t)); err != nil {
		t.Errorf("the code that was sent: %v", err)
	}
}

// early counts how often a repeat came before its first request was written down as done.
type early struct {
	countersign.Store
	running int
}

func (e *early) Take(ctx context.Context, t *countersign.Take) (*countersign.Taken, error) {
	taken, err := e.Store.Take(ctx, t)
	if err == nil && taken.Seen == countersign.SeenRunning {
		e.running++
	}
	return taken, err
}

func (e *early) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	return countersign.TakeThenBegin(ctx, e, t, b)
}

// A repeat that comes on the heels of the answer gets the same answer, though the key is written down as done behind it.
func TestARepeatOnTheHeelsOfTheAnswer(t *testing.T) {
	first := newBench(t)
	store := &early{Store: first.store}
	b := newBenchOn(t, store, t.TempDir()+"/log.db")
	for i := range 100 {
		to := fmt.Sprintf("+1415555%04d", 37*i)
		v, err := b.start(t, to, withKey(to))
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.start(t, to, withKey(to))
		if err != nil || again.ID != v.ID || !again.Replayed {
			t.Fatalf("the repeat got %+v, %v", again, err)
		}
	}
	if store.running == 0 {
		t.Error("no repeat came early enough: this shows nothing")
	}
	if b.carrier.count() != 100 {
		t.Errorf("%d messages", b.carrier.count())
	}
}

// unfinished is a store that is never told that a key's request is done, as when a process dies right after its answer.
type unfinished struct{ countersign.Store }

func (unfinished) Finish(context.Context, countersign.Hash) error { return errors.New("died") }

// A repeat does not wait for the key's lease to end where the first request's message is known to be sent.
func TestARepeatAfterTheProcessDied(t *testing.T) {
	first := newBench(t)
	b := newBenchOn(t, unfinished{first.store}, t.TempDir()+"/log.db")
	v := b.mustStart(t, number, withKey("k"))
	b.written(t, v.ID)
	again, err := b.start(t, number, withKey("k"))
	if err != nil || again.ID != v.ID || !again.Replayed || b.carrier.count() != 1 {
		t.Fatalf("the repeat got %+v, %v; %d messages", again, err, b.carrier.count())
	}
	_, err = b.start(t, number, withKey("k"), func(q *countersign.StartRequest) { q.Idempotency.Body = []byte("other") })
	wantKind(t, err, countersign.ErrIdempotencyMismatch)
}

// A repeat that comes when the first one's verification is over sends nothing.
func TestARepeatOfWhatIsOverSendsNothing(t *testing.T) {
	first := newBench(t)
	b := newBenchOn(t, &losing{Store: first.store}, t.TempDir()+"/log.db")
	_, err := b.start(t, number, withKey("k"))
	wantKind(t, err, countersign.ErrUnavailable)
	b.advance(t, 301*time.Second)
	v, err := b.start(t, number, withKey("k"))
	if err != nil || v.Status != countersign.StatusExpired {
		t.Errorf("%+v, %v", v, err)
	}
	if b.carrier.count() != 0 {
		t.Errorf("%d messages for a verification that has expired", b.carrier.count())
	}
}

func (b *bench) resend(t *testing.T, id, key string) (*countersign.Verification, error) {
	t.Helper()
	return b.Send(t.Context(), &countersign.SendRequest{
		App: b.app, ID: id, Face: countersign.FaceREST, Wait: true,
		Idempotency: countersign.Idempotency{Key: key, Scope: "send", Body: []byte("{}")},
	})
}

// A resend's key is remembered as long as a start's, not only while the store remembers the move.
func TestAResendIsRepeatedForADay(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	b.advance(t, 31*time.Second)
	for n := range 3 {
		if _, err := b.resend(t, v.ID, "k"); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		b.advance(t, 65*time.Second)
	}
	if b.carrier.count() != 2 {
		t.Errorf("%d messages, want the start's and one resend", b.carrier.count())
	}
	other := b.mustStart(t, "+12015550199")
	_, err := b.resend(t, other.ID, "k")
	wantKind(t, err, countersign.ErrIdempotencyMismatch)
}

// A resend whose answer is lost must not end what the first message started: its code may be on the phone.
func TestALostResendEndsNothing(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	code := b.carrier.code(t)
	b.advance(t, 31*time.Second)
	b.carrier.answers(failing(countersign.FailUnknown))
	if _, err := b.resend(t, v.ID, ""); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		b.advance(t, 8*time.Second)
		if _, err := b.store.Sweep(t.Context(), time.Second, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.check(t, v.ID, code); err != nil {
		t.Errorf("the first message's code: %v", err)
	}
}

// Unknown first, refused later: the first attempt may have arrived, so the verification waits for its deadline.
func TestUnknownThenRefusedStaysPending(t *testing.T) {
	b := newBench(t)
	b.carrier.answers(failing(countersign.FailUnknown))
	v := b.mustStart(t, number)
	code := b.carrier.code(t)
	b.carrier.mu.Lock()
	b.carrier.answer, b.carrier.sent = failing(countersign.FailTemporary), make(chan struct{}, 16)
	b.carrier.mu.Unlock()
	b.written(t, v.ID)
	b.advance(t, 32*time.Second)
	<-b.carrier.sent
	if _, err := b.check(t, v.ID, code); err != nil {
		t.Errorf("the code of the attempt whose answer was lost: %v", err)
	}
}

func TestADeniedStartIsNotKept(t *testing.T) {
	b := newBench(t)
	b.carrier.answers(failing(countersign.FailDenied))
	_, err := b.start(t, number, withKey("k"))
	wantKind(t, err, countersign.ErrNumberNotAllowed)
	b.carrier.answers(nil)
	b.advance(t, 31*time.Second)
	v, err := b.start(t, number, withKey("k"))
	if err != nil || v.Status != countersign.StatusPending {
		t.Errorf("the repeat: %+v, %v", v, err)
	}
}

// What ended long ago is known as ended, not as unknown, as long as it can be read.
func TestWhatEndedLongAgoIsClosed(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	code := b.carrier.code(t)
	if _, err := b.check(t, v.ID, code); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.advance(t, 11*time.Minute)
	if _, err := b.store.Sweep(t.Context(), time.Second, 100); err != nil {
		t.Fatal(err)
	}
	_, err := b.check(t, v.ID, code)
	wantKind(t, err, countersign.ErrVerificationClosed)
	_, err = b.resend(t, v.ID, "")
	wantKind(t, err, countersign.ErrVerificationClosed)
	_, err = b.Cancel(t.Context(), &countersign.CancelRequest{App: b.app, ID: v.ID})
	wantKind(t, err, countersign.ErrVerificationClosed)
}

// A start that does not wait has answered before its message is sent: a repeat gets that answer while a slow vendor is
// still busy with it.
func TestARepeatWhileTheFirstIsBeingSentBehindItsAnswer(t *testing.T) {
	b := newBench(t)
	slow := make(chan struct{})
	b.carrier.answer = func(*countersign.Message) error { <-slow; return nil }
	behind := func(q *countersign.StartRequest) { q.Wait = false }
	v, err := b.start(t, number, withKey("k"), behind)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the repeat gets the answer", func() bool {
		again, err := b.start(t, number, withKey("k"), behind)
		return err == nil && again.ID == v.ID && again.Replayed
	})
	close(slow)
	settled(t, b, v.ID)
	if b.carrier.count() != 1 {
		t.Errorf("%d messages", b.carrier.count())
	}
}

// slowly is a store that takes its time to write a send down, and that waits until it may.
type slowly struct {
	countersign.Store
	may chan struct{}
}

func (s slowly) Sent(ctx context.Context, m *countersign.Sent) (*countersign.Outcome, error) {
	<-s.may
	time.Sleep(20 * time.Millisecond)
	return s.Store.Sent(ctx, m)
}

// Time travel right after an answer must not overtake what is written behind it; without Settle it does.
func TestSettleWaitsForWhatIsBehindTheAnswers(t *testing.T) {
	first := newBench(t)
	may := make(chan struct{})
	b := newBenchOn(t, slowly{first.store, may}, t.TempDir()+"/log.db")
	allow := sync.OnceFunc(func() { close(may) })
	t.Cleanup(allow)
	written := func(to string, settle bool) bool {
		v := b.mustStart(t, to)
		if settle {
			b.Settle(t.Context(), time.Minute)
		}
		now, ok, err := b.store.Lookup(t.Context(), v.ID)
		if err != nil || !ok {
			t.Fatal(now, err)
		}
		return len(now.Record.Deliveries) == 1
	}
	if written("+14155550101", false) {
		t.Error("the send was written down before the answer: this shows nothing")
	}
	allow()
	if !written("+14155550102", true) {
		t.Error("a send is still on its way to the store")
	}
}
