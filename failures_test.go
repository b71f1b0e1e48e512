package countersign_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlitestore"
)

func failing(class countersign.FailureClass) func(*countersign.Message) error {
	return func(*countersign.Message) error {
		return &countersign.Failure{Provider: "vendor", Class: class, Detail: "500"}
	}
}

func TestWhatAProvidersFailureMeans(t *testing.T) {
	for _, tt := range []struct {
		name   string
		class  countersign.FailureClass
		kind   countersign.Kind
		status countersign.Status
	}{
		{"cannot now", countersign.FailTemporary, countersign.ErrDeliveryFailed, countersign.StatusUndeliverable},
		{"cannot reach it", countersign.FailDestination, countersign.ErrDeliveryFailed, countersign.StatusUndeliverable},
		{"our account", countersign.FailOperator, countersign.ErrDeliveryFailed, countersign.StatusUndeliverable},
		{"refused", countersign.FailDenied, countersign.ErrNumberNotAllowed, countersign.StatusDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.carrier.answers(failing(tt.class))
			_, err := b.start(t, number)
			e := wantKind(t, err, tt.kind)
			got, err := b.Get(t.Context(), b.app, e.VerificationID)
			if err != nil || got.Status != tt.status {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A send whose answer was lost stays pending, can be checked, and is found out about later: the same message is handed
// over again, marked as a repetition, until the deadline.
func TestALostAnswerIsFoundOutAbout(t *testing.T) {
	b := newBench(t)
	b.carrier.answers(failing(countersign.FailUnknown))
	v := b.mustStart(t, number)
	if v.Status != countersign.StatusPending || v.Deliveries[0].Status != countersign.DeliveryQueued {
		t.Fatalf("%+v", v)
	}
	first := b.carrier.last(t)
	b.carrier.mu.Lock()
	b.carrier.sent = make(chan struct{}, 16)
	b.carrier.mu.Unlock()
	b.written(t, v.ID)
	b.advance(t, 28*time.Second)
	select {
	case <-b.carrier.sent:
		t.Fatal("a second message may be on the phone before the cooldown is over (F-11)")
	case <-time.After(600 * time.Millisecond): // two sweeps
	}
	b.advance(t, 4*time.Second) // past the lease, and what a takeover waits beyond it
	<-b.carrier.sent
	again := b.carrier.last(t)
	if again.ID != first.ID || again.Code != first.Code || again.Attempt < 2 {
		t.Errorf("taken over with message %s, attempt %d; want %s again", again.ID, again.Attempt, first.ID)
	}
	if _, err := b.check(t, v.ID, again.Code.Reveal()); err != nil {
		t.Error(err)
	}
}

// F-15: a process that dies between the step and the send is taken over by the next one, with the same code.
func TestASendIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "countersign.db")
	store, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	died := errors.New("died")
	first := newBenchOn(t, &dying{Store: store, err: died}, path)
	v, err := first.start(t, number)
	if err != nil {
		t.Fatal(err)
	}
	code := first.carrier.code(t)
	first.stop()

	second := newBenchOn(t, store, path)
	second.carrier.mu.Lock()
	second.carrier.sent = make(chan struct{}, 16)
	second.carrier.mu.Unlock()
	second.advance(t, 8*time.Second)
	<-second.carrier.sent
	if got := second.carrier.code(t); got != code {
		t.Error("the takeover sent another code")
	}
	if _, err := second.check(t, v.ID, code); err != nil {
		t.Error(err)
	}
}

// dying is a store whose process dies before it can write down a send.
type dying struct {
	countersign.Store
	err error
}

func (d *dying) Sent(context.Context, *countersign.Sent) (*countersign.Outcome, error) {
	return nil, d.err
}

func (d *dying) Sweep(context.Context, time.Duration, int) ([]*countersign.Record, error) {
	return nil, nil
}

func TestNobodyAnswersUntilTheDeadline(t *testing.T) {
	b := newBench(t)
	b.carrier.answers(failing(countersign.FailUnknown))
	v := b.mustStart(t, number)
	b.carrier.mu.Lock()
	b.carrier.sent = make(chan struct{}, 64)
	b.carrier.mu.Unlock()
	for range 30 {
		b.advance(t, 8*time.Second)
		got, err := b.Get(t.Context(), b.app, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status == countersign.StatusUndeliverable {
			return
		}
		select {
		case <-b.carrier.sent:
		case <-time.After(600 * time.Millisecond): // two sweeps: either it was sent again, or it has ended
		}
	}
	t.Error("a start that no provider answered never ended")
}

// hostedVendor makes its own codes. lost makes the next report's answer get lost after the vendor took it.
type hostedVendor struct {
	mu      sync.Mutex
	code    string
	status  countersign.Status
	reports int
	asked   int
	lost    bool
}

func (h *hostedVendor) Send(context.Context, *countersign.Message) (countersign.Handed, error) {
	return countersign.Handed{}, nil
}

func (h *hostedVendor) Report(_ context.Context, _ countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports++
	if g.Reveal() == h.code {
		h.status = countersign.StatusApproved
	}
	if h.lost {
		h.lost = false
		return countersign.HostedAnswer{}, errors.New("connection reset")
	}
	return countersign.HostedAnswer{Status: h.status}, nil
}

func (h *hostedVendor) Status(context.Context, countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	return countersign.HostedAnswer{Status: h.status}, nil
}

func TestAHostedVendorsAnswerIsOneInputOfACheck(t *testing.T) {
	b := newBench(t)
	vendor := &hostedVendor{code: "4711", status: countersign.StatusPending}
	b.carrier.hosted = vendor
	v := b.mustStart(t, number)
	for left := 4; left > 2; left-- {
		_, err := b.check(t, v.ID, "0000")
		if e := wantKind(t, err, countersign.ErrIncorrectCode); *e.ChecksLeft != left {
			t.Errorf("checks left = %d, want %d", *e.ChecksLeft, left)
		}
	}
	vendor.lost = true
	done, err := b.check(t, v.ID, "4711")
	if err != nil || done.Proof == "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if vendor.reports != 3 || vendor.asked != 1 {
		t.Errorf("%d reports and %d status reads; a lost report must be read, never repeated", vendor.reports, vendor.asked)
	}
	_, err = b.check(t, v.ID, "4711")
	wantKind(t, err, countersign.ErrVerificationClosed)
}

func TestStopAndStart(t *testing.T) {
	var b *bench
	b = newBench(t, func(cfg *countersign.Config, _ *countersign.App) {
		cfg.OptedOut = func(ctx context.Context, sender string, _ countersign.Address, phone countersign.Hash, former ...countersign.Hash) (bool, error) {
			return b.db.OptedOut(ctx, sender, phone, former...)
		}
	})
	reply := func(text string) {
		t.Helper()
		if err := b.TakeReply(t.Context(), "", address(t, number), text); err != nil {
			t.Fatal(err)
		}
	}
	for _, stop := range []string{"STOP", " stop. ", "Unsubscribe", "stop texting me", "STOPALL", "End", "quit", "arrêt", "opt out"} {
		reply(stop)
		_, err := b.start(t, number)
		wantKind(t, err, countersign.ErrOptedOut)
		if b.carrier.count() != 0 {
			t.Fatal("a message was sent after STOP")
		}
		reply("start")
	}
	for _, other := range []string{"thanks", "123456", "stopwatch", "", "I will not stopp", "\x00"} {
		reply(other)
	}
	b.mustStart(t, number)
}

// A receipt moves a delivery and nothing else: it can never approve (INV-15).
func TestReceiptsNeverApprove(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	m := b.carrier.last(t)
	for _, status := range []countersign.DeliveryStatus{countersign.DeliveryDelivered, countersign.DeliverySent, countersign.DeliveryFailed, "approved"} {
		if err := b.TakeReceipt(t.Context(), countersign.Receipt{ID: v.ID, DeliveryID: m.ID, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	for _, status := range []countersign.Status{countersign.StatusApproved, countersign.StatusPending, countersign.StatusExpired} {
		if err := b.TakeOutcome(t.Context(), v.ID, status); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"", "ver_x", "ver_000aaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if err := b.TakeReceipt(t.Context(), countersign.Receipt{ID: id, Status: countersign.DeliveryDelivered}); err != nil {
			t.Errorf("an unknown receipt: %v", err)
		}
	}
	got, err := b.Get(t.Context(), b.app, v.ID)
	if err != nil || got.Status != countersign.StatusPending || got.Deliveries[0].Status != countersign.DeliveryDelivered {
		t.Errorf("%+v, %v", got, err)
	}
}

// F-26: every store and provider call of a journey fails once, one after the other. Whatever fails, the caller hears
// of a success, a 503 or a final failure; nothing is approved without the right code, nothing twice, and a second try
// with the same keys gets through.
func TestEveryCallFailsOnce(t *testing.T) {
	for n := 1; ; n++ {
		path := filepath.Join(t.TempDir(), "countersign.db")
		store, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		faulty := &faulty{Store: store, at: n}
		b := newBenchOn(t, faulty, path)
		b.carrier.answers(func(*countersign.Message) error {
			if faulty.hit() {
				return &countersign.Failure{Provider: "vendor", Class: countersign.FailTemporary, Detail: "500"}
			}
			return nil
		})
		approvals := journey(t, b, n)
		b.stop()
		store.Close()
		if approvals > 1 {
			t.Fatalf("call %d failed: %d approvals", n, approvals)
		}
		if faulty.calls < n {
			if approvals != 1 {
				t.Errorf("nothing failed, and %d approvals", approvals)
			}
			t.Logf("%d calls of a journey failed in turn", n-1)
			return
		}
	}
}

// journey starts and checks like a client that repeats what got no answer, and counts distinct approvals.
func journey(t *testing.T, b *bench, n int) int {
	t.Helper()
	allowed := func(err error) {
		if k := countersign.KindOf(err); k != countersign.ErrUnavailable && k != countersign.ErrDeliveryFailed && k != countersign.ErrIdempotencyInProgress {
			t.Fatalf("call %d failed: the caller heard %v", n, err)
		}
	}
	var v *countersign.Verification
	for try := 0; v == nil; try++ {
		started, err := b.start(t, number, func(q *countersign.StartRequest) {
			q.Idempotency = countersign.Idempotency{Key: "start", Scope: "s", Body: []byte("{}")}
		})
		if err != nil {
			allowed(err)
			if countersign.KindOf(err) == countersign.ErrDeliveryFailed {
				return 0
			}
			if try > 3 {
				t.Fatalf("call %d failed: a repeated start never gets through: %v", n, err)
			}
			b.advance(t, 31*time.Second) // the first request's lease
			continue
		}
		v = started
	}
	wrong, err := b.check(t, v.ID, other(b.carrier.code(t)))
	if err == nil {
		t.Fatalf("call %d failed: a wrong code was approved: %+v", n, wrong)
	}
	if countersign.KindOf(err) != countersign.ErrIncorrectCode {
		allowed(err)
	}
	jtis := map[string]bool{}
	for try := range 3 {
		done, err := b.check(t, v.ID, b.carrier.code(t), func(q *countersign.CheckRequest) {
			q.Idempotency = countersign.Idempotency{Key: "check", Scope: "s", Body: []byte("{}")}
		})
		if err == nil {
			jtis[claims(t, b, done.Proof)["jti"].(string)] = true
			continue
		}
		if countersign.KindOf(err) == countersign.ErrVerificationClosed && try > 0 {
			continue
		}
		allowed(err)
	}
	return len(jtis)
}

// faulty is a store one of whose calls fails, before it does anything.
type faulty struct {
	countersign.Store
	mu    sync.Mutex
	calls int
	at    int
}

func (f *faulty) hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.at
}

func (f *faulty) fail() error {
	if f.hit() {
		return countersign.Unavailable(errors.New("injected"))
	}
	return nil
}

func (f *faulty) Begin(ctx context.Context, m *countersign.Begin) (*countersign.Outcome, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.Begin(ctx, m)
}

func (f *faulty) Sent(ctx context.Context, m *countersign.Sent) (*countersign.Outcome, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.Sent(ctx, m)
}

func (f *faulty) Check(ctx context.Context, m *countersign.Check) (*countersign.Outcome, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.Check(ctx, m)
}

func (f *faulty) Take(ctx context.Context, m *countersign.Take) (*countersign.Taken, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Store.Take(ctx, m)
}

func (f *faulty) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	return countersign.TakeThenBegin(ctx, f, t, b)
}

func (f *faulty) Finish(ctx context.Context, key countersign.Hash) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Store.Finish(ctx, key)
}

func (f *faulty) Release(ctx context.Context, m *countersign.Take) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Store.Release(ctx, m)
}

func (f *faulty) Lookup(ctx context.Context, id string) (*countersign.Outcome, bool, error) {
	if err := f.fail(); err != nil {
		return nil, false, err
	}
	return f.Store.Lookup(ctx, id)
}

// What a route sent to a number is found in the log, for receipts that name a message by the vendor's id and the number alone.
func TestSendingsTo(t *testing.T) {
	b := newBench(t)
	v := b.mustStart(t, number)
	m := b.carrier.last(t)
	var list []countersign.Sending
	for end := time.Now().Add(30 * time.Second); len(list) == 0; time.Sleep(time.Millisecond) {
		var err error
		if list, err = b.SendingsTo(t.Context(), "vendor", address(t, number)); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("the send is not in the log")
		}
	}
	if len(list) != 1 || list[0].Verification != v.ID || list[0].Delivery.ID != m.ID || list[0].Delivery.Ref != "ref-"+m.ID {
		t.Errorf("found %+v", list)
	}
	for route, to := range map[string]string{"other": number, "vendor": "+14155550199"} {
		if list, err := b.SendingsTo(t.Context(), route, address(t, to)); err != nil || len(list) != 0 {
			t.Errorf("route %s to %s: %+v, %v", route, to, list, err)
		}
	}
}
