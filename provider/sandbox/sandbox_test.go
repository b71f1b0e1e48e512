package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/phone"
	"countersign/provider/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink hands receipts on as they come.
type sink struct{ got chan countersign.Receipt }

func newSink() *sink { return &sink{make(chan countersign.Receipt, 64)} }

func (s *sink) TakeReceipt(_ context.Context, r countersign.Receipt) error {
	s.got <- r
	return nil
}

func (*sink) TakeOutcome(context.Context, string, countersign.Status) error { return nil }

func (*sink) TakeReply(context.Context, string, countersign.Address, string) error { return nil }

func (*sink) CodeFor(context.Context, string, countersign.Address) (countersign.Code, time.Duration, error) {
	return countersign.Code{}, 0, countersign.ErrNotFound
}

// timers is a clock whose timers a test releases.
type timers struct {
	asked chan time.Duration
	fire  chan time.Time
}

func newTimers() *timers {
	return &timers{make(chan time.Duration, 64), make(chan time.Time, 64)}
}

func (c *timers) After(d time.Duration) <-chan time.Time {
	c.asked <- d
	return c.fire
}

func at(t testing.TB, last string) countersign.Address {
	t.Helper()
	n, err := phone.FromE164("+1415555" + last)
	if err != nil {
		t.Fatal(err)
	}
	return countersign.PhoneAddress(n)
}

func message(t testing.TB, last string) *countersign.Message {
	return &countersign.Message{
		ID: "msg_" + last, Verification: "ver_" + last, App: "demo", To: at(t, last), Channel: countersign.ChannelSMS,
		Text: "Demo: 493817 is your code.", Code: countersign.NewCode("493817"), Lifetime: 5 * time.Minute, Attempt: 1,
	}
}

// now is a timer that is always over.
func now(time.Duration) <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}

// running starts a sandbox with its receipts.
func running(t *testing.T, cfg sandbox.Config) (*sandbox.Sandbox, *sink) {
	t.Helper()
	s, to := sandbox.New(cfg), newSink()
	s.Attach(to)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, to
}

func TestFailingNumbers(t *testing.T) {
	type statuses []countersign.DeliveryStatus
	for _, c := range []struct {
		last     string
		class    countersign.FailureClass
		fails    bool
		second   bool // the second route takes it
		receipts statuses
	}{
		{"0123", 0, false, true, statuses{"sent", "delivered"}},
		{"0500", countersign.FailTemporary, true, false, nil},
		{"0501", countersign.FailUnknown, true, false, nil},
		{"0502", 0, false, true, statuses{"sent", "undelivered"}},
		{"0503", 0, false, true, statuses{"sent", "delivered"}},
		{"0504", 0, false, true, statuses{"sent", "delivered", "delivered"}},
		{"0505", countersign.FailDestination, true, false, nil},
		{"0506", 0, false, true, nil},
		{"0507", 0, false, true, statuses{"delivered"}},
		{"0508", countersign.FailTemporary, true, true, nil},
		{"0509", countersign.FailDestination, true, false, nil},
		{"0510", 0, false, true, statuses{"sent", "delivered"}},
	} {
		t.Run(c.last, func(t *testing.T) {
			s, to := running(t, sandbox.Config{After: now})
			m := message(t, c.last)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			h, err := s.First().Send(ctx, m)
			var f *countersign.Failure
			if c.fails != (err != nil) || (c.fails && (!errors.As(err, &f) || f.Class != c.class)) {
				t.Fatalf("Send = %+v, %v", h, err)
			}
			if !c.fails && (h.Ref == "" || len(s.Inbox().List(m.To.Dial())) != 1) {
				t.Errorf("%+v with %d messages in the inbox", h, len(s.Inbox().List("")))
			}
			if c.fails && len(s.Inbox().List("")) != 0 {
				t.Error("a refused message is in the inbox")
			}
			for _, want := range c.receipts {
				got := <-to.got
				if got.Status != want || got.ID != m.Verification || got.DeliveryID != m.ID || got.Ref != h.Ref {
					t.Errorf("receipt %+v, want %s", got, want)
				}
			}
			ctx2, cancel2 := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel2()
			if _, err := s.Second().Send(ctx2, m); (err == nil) != c.second {
				t.Errorf("the second route: %v", err)
			}
			if sandbox.OptedOut(m.To) != (c.last == "0509") {
				t.Error("OptedOut is wrong")
			}
		})
	}
}

// TestNoReceiptMeansNone: the control of the receipts that come, by one that follows them.
func TestNoReceiptMeansNone(t *testing.T) {
	s, to := running(t, sandbox.Config{After: now})
	for _, last := range []string{"0506", "0507"} {
		if _, err := s.First().Send(t.Context(), message(t, last)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-to.got; got.DeliveryID != "msg_0507" {
		t.Errorf("a receipt for %s", got.DeliveryID)
	}
}

// TestReceiptBeforeTheAnswer: it is there when Send returns, without Run.
func TestReceiptBeforeTheAnswer(t *testing.T) {
	s, to := sandbox.New(sandbox.Config{}), newSink()
	s.Attach(to)
	if _, err := s.First().Send(t.Context(), message(t, "0507")); err != nil {
		t.Fatal(err)
	}
	if len(to.got) != 1 {
		t.Error("no receipt before the answer")
	}
}

func TestSlowNumberTakesFourSeconds(t *testing.T) {
	c := newTimers()
	s := sandbox.New(sandbox.Config{After: c.After})
	done := make(chan error)
	m := message(t, "0503")
	go func() {
		_, err := s.First().Send(context.Background(), m)
		done <- err
	}()
	if d := <-c.asked; d != sandbox.SlowAnswer || len(s.Inbox().List("")) != 0 {
		t.Errorf("waits %s", d)
	}
	c.fire <- time.Time{}
	if err := <-done; err != nil || len(s.Inbox().List("")) != 1 {
		t.Errorf("%v", err)
	}
}

// TestSlowNumberBeyondTheDeadline: the answer is lost, the message is not, and a repeated send finds it instead of
// sending another.
func TestSlowNumberBeyondTheDeadline(t *testing.T) {
	never := func(time.Duration) <-chan time.Time { return nil }
	s := sandbox.New(sandbox.Config{After: never})
	m := message(t, "0503")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.First().Send(ctx, m)
	var f *countersign.Failure
	if !errors.As(err, &f) || f.Class != countersign.FailUnknown {
		t.Fatal(err)
	}
	m.Attempt = 2
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _ = s.First().Send(ctx, m)
	if n := len(s.Inbox().List("")); n != 1 {
		t.Errorf("%d messages in the inbox for one", n)
	}
}

// TestReceiptsFollowAfterTheirDelay: they wait for the engine to have written the delivery down.
func TestReceiptsFollowAfterTheirDelay(t *testing.T) {
	c := newTimers()
	s, to := running(t, sandbox.Config{After: c.After, ReceiptDelay: time.Hour})
	if _, err := s.First().Send(t.Context(), message(t, "0123")); err != nil {
		t.Fatal(err)
	}
	if d := <-c.asked; d <= 59*time.Minute || d > time.Hour || len(to.got) != 0 {
		t.Errorf("waits %s with %d receipts given", d, len(to.got))
	}
	c.fire <- time.Time{}
	if got := <-to.got; got.Status != countersign.DeliverySent {
		t.Errorf("first %s", got.Status)
	}
	if got := <-to.got; got.Status != countersign.DeliveryDelivered {
		t.Errorf("then %s", got.Status)
	}
}

func TestInbox(t *testing.T) {
	s := sandbox.New(sandbox.Config{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	all, end := s.Inbox().Subscribe("")
	mine, endMine := s.Inbox().Subscribe("+14155550002")
	three := []*countersign.Message{message(t, "0000"), message(t, "0001"), message(t, "0002")}
	for i := range 1003 {
		m := three[i%3]
		m.ID = fmt.Sprintf("msg_%d", i)
		if _, err := s.First().Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	list := s.Inbox().List("")
	if len(list) != 1000 || list[0].ID != "msg_1002" || list[999].ID != "msg_3" {
		t.Fatalf("%d messages, %v to %v", len(list), list[0], list[len(list)-1])
	}
	want := sandbox.Message{
		ID: "msg_1002", To: "+14155550000", Channel: "sms", Provider: "sandbox", Text: "Demo: 493817 is your code.", Code: "493817",
		At: time.Unix(1_800_000_000, 0).UTC(),
	}
	if list[0] != want {
		t.Errorf("got %#v", list[0])
	}
	if got := s.Inbox().List("+14155550001"); len(got) != 333 || got[0].ID != "msg_1000" {
		t.Errorf("%d messages of one number", len(got))
	}
	if m := <-all; m.ID != "msg_0" {
		t.Errorf("subscribed, first %v", m)
	}
	if m := <-mine; m.ID != "msg_2" {
		t.Errorf("subscribed to one number, first %v", m)
	}
	end()
	end()
	endMine()
	heard := 1
	for range all {
		heard++
	}
	if heard > 100 {
		t.Errorf("a slow subscriber had %d messages kept for him", heard)
	}
	s.Inbox().Clear()
	if len(s.Inbox().List("")) != 0 {
		t.Error("not empty after Clear")
	}
}

func TestInboxFromManySides(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	var all sync.WaitGroup
	for i := range 16 {
		to, m := "+14155550100", message(t, fmt.Sprintf("%04d", 100+i))
		all.Go(func() {
			c, end := s.Inbox().Subscribe(to)
			defer end()
			for range 100 {
				if _, err := s.Second().Send(context.Background(), m); err != nil {
					t.Error(err)
				}
				s.Inbox().List(to)
				select {
				case <-c:
				default:
				}
			}
		})
	}
	all.Wait()
	if n := len(s.Inbox().List("")); n != 1000 {
		t.Errorf("%d messages", n)
	}
}

func TestMessagesPrintNothing(t *testing.T) {
	m := sandbox.Message{ID: "msg_1", To: "+14155550123", Text: "493817", Code: "493817"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "m", m)
	for _, text := range []string{fmt.Sprint(m), fmt.Sprintf("%#v", m), fmt.Sprintf("%+v", m), log.String()} {
		if strings.Contains(text, "493817") || strings.Contains(text, "0123") || !strings.Contains(text, "msg_1") {
			t.Errorf("prints %q", text)
		}
	}
}

func TestMailNeverFails(t *testing.T) {
	to, err := countersign.ParseEmail("a0500@example.com")
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Config{})
	m := message(t, "0123")
	m.To, m.Channel, m.Subject = to, countersign.ChannelEmail, "Your code"
	if _, err := s.First().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := s.Inbox().List("a0500@example.com"); len(got) != 1 || !strings.HasPrefix(got[0].Text, "Your code\n") {
		t.Errorf("%d messages", len(got))
	}
}

func BenchmarkSend(b *testing.B) {
	s := sandbox.New(sandbox.Config{})
	m := message(b, "0123")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.First().Send(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
