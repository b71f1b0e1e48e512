package sandbox_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider/sandbox"
)

func flashCall(t testing.TB, last string) *countersign.Message {
	m := message(t, last)
	m.Channel = countersign.ChannelFlashCall
	return m
}

func question(m *countersign.Message, ref string) countersign.HostedQuestion {
	return countersign.HostedQuestion{Verification: m.Verification, Ref: ref, To: m.To, Channel: m.Channel}
}

func guess(t testing.TB, text string) countersign.Guess {
	t.Helper()
	g, err := countersign.ParseGuess(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// caller is the number that the inbox shows.
func caller(t testing.TB, s *sandbox.Sandbox, m *countersign.Message) string {
	t.Helper()
	list := s.Inbox().List(m.To.Dial())
	if len(list) == 0 || list[0].Channel != "flashcall" || list[0].Provider != sandbox.HostedName {
		t.Fatalf("inbox %v", list)
	}
	return list[0].Code
}

func TestFlashCall(t *testing.T) {
	for _, c := range []struct {
		name  string
		guess func(caller string) string
		want  countersign.Status
	}{
		{"the whole number", func(c string) string { return c }, countersign.StatusApproved},
		{"the last six digits", func(c string) string { return c[len(c)-6:] }, countersign.StatusApproved},
		{"the last four", func(c string) string { return c[len(c)-4:] }, countersign.StatusPending},
		{"the last seven", func(c string) string { return c[len(c)-7:] }, countersign.StatusPending},
		{"without the plus", func(c string) string { return c[1:] }, countersign.StatusPending},
		{"our own derived code", func(string) string { return "493817" }, countersign.StatusPending},
		{"the first six", func(c string) string { return c[1:7] }, countersign.StatusPending},
		{"somebody else's number", func(string) string { return "+14155550123" }, countersign.StatusPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Config{})
			m := flashCall(t, "0123")
			h, err := s.Hosted().Send(t.Context(), m)
			if err != nil || h.Ref == "" || h.Scheme != "" {
				t.Fatalf("%+v, %v", h, err)
			}
			q := question(m, h.Ref)
			a, err := s.Hosted().Report(t.Context(), q, guess(t, c.guess(caller(t, s, m))))
			if err != nil || a.Status != c.want {
				t.Errorf("Report = %v, %v, want %s", a.Status, err, c.want)
			}
			if a, err := s.Hosted().Status(t.Context(), q); err != nil || a.Status != c.want {
				t.Errorf("Status = %v, %v, want %s", a.Status, err, c.want)
			}
		})
	}
}

func TestFlashCallScheme(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	m := flashCall(t, "0123")
	m.Signed = true
	h, err := s.Hosted().Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	c := caller(t, s, m)
	prefix := strings.Trim(h.Scheme, "(.*)")
	if prefix == "" || !strings.HasPrefix(c, "+"+prefix) || len(c)-1-len(prefix) < 4 {
		t.Errorf("the scheme %q for the caller %q tells too much or the wrong thing", h.Scheme, c)
	}
}

// TestCallersAreDrawnFromAllOfThePool: with 20,000 draws out of 10,000, about 8,647 different ones are expected.
func TestCallersAreDrawnFromAllOfThePool(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	seen := map[string]bool{}
	m := flashCall(t, "0123")
	for i := range 20_000 {
		m.Verification, m.ID = fmt.Sprintf("ver_%d", i), fmt.Sprintf("msg_%d", i)
		if _, err := s.Hosted().Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			for _, m := range s.Inbox().List("") {
				seen[m.Code] = true
			}
			s.Inbox().Clear()
		}
	}
	if n := len(seen); n < 8_500 || n > 8_800 {
		t.Errorf("%d different callers", n)
	}
}

func TestANewerVerificationEndsTheOlder(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	first, second := flashCall(t, "0123"), flashCall(t, "0123")
	second.Verification, second.ID = "ver_other", "msg_other"
	h1, err := s.Hosted().Send(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	old := caller(t, s, first)
	h2, err := s.Hosted().Send(t.Context(), second)
	if err != nil || h1.Ref == h2.Ref {
		t.Fatalf("%v, refs %q and %q", err, h1.Ref, h2.Ref)
	}
	if a, err := s.Hosted().Report(t.Context(), question(first, h1.Ref), guess(t, old)); err != nil || a.Status != countersign.StatusCanceled {
		t.Errorf("the older: %v, %v", a, err)
	}
	// Another verification's number is not looked up by a foreign reference.
	if _, err := s.Hosted().Status(t.Context(), question(first, h2.Ref)); err == nil {
		t.Error("the vendor's id of one verification answered for another")
	}
}

// TestAgainIsTheSameCall: a repeated send keeps the caller; the same message is not shown twice, a new one is.
func TestAgainIsTheSameCall(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	m := flashCall(t, "0123")
	h1, err := s.Hosted().Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	number := caller(t, s, m)
	m.Attempt = 2
	h2, err := s.Hosted().Send(t.Context(), m)
	if err != nil || h1.Ref != h2.Ref || len(s.Inbox().List("")) != 1 {
		t.Fatalf("%v, refs %q and %q, %d messages", err, h1.Ref, h2.Ref, len(s.Inbox().List("")))
	}
	m.ID = "msg_again"
	if _, err := s.Hosted().Send(t.Context(), m); err != nil || len(s.Inbox().List("")) != 2 || caller(t, s, m) != number {
		t.Errorf("%v, %d messages", err, len(s.Inbox().List("")))
	}
	// A lost answer: the vendor is found by our id alone.
	if a, err := s.Hosted().Report(t.Context(), question(m, ""), guess(t, number)); err != nil || a.Status != countersign.StatusApproved {
		t.Errorf("%v, %v", a, err)
	}
}

func TestHostedVerificationsExpire(t *testing.T) {
	var mu sync.Mutex
	instant := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return instant }
	s := sandbox.New(sandbox.Config{Now: clock})
	m := flashCall(t, "0123")
	h, err := s.Hosted().Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	instant = instant.Add(m.Lifetime)
	mu.Unlock()
	a, err := s.Hosted().Report(t.Context(), question(m, h.Ref), guess(t, caller(t, s, m)))
	if err != nil || a.Status != countersign.StatusExpired {
		t.Errorf("%v, %v", a, err)
	}
}

func TestSeamless(t *testing.T) {
	s := sandbox.New(sandbox.Config{PublicURL: "http://localhost:8080"})
	m := message(t, "0123")
	m.Channel = countersign.ChannelSeamless
	h, err := s.Hosted().Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	id, ok := strings.CutPrefix(h.Scheme, "http://localhost:8080/dev/seamless/")
	if !ok || len(id) < 26 {
		t.Fatalf("scheme %q", h.Scheme)
	}
	q := question(m, h.Ref)
	if a, err := s.Hosted().Report(t.Context(), q, guess(t, "493817")); err != nil || a.Status != countersign.StatusPending {
		t.Errorf("before it was fetched: %v, %v", a, err)
	}
	if s.Seamless("nobody") || !s.Seamless(id) || !s.Seamless(id) {
		t.Error("Seamless is wrong")
	}
	if a, err := s.Hosted().Status(t.Context(), q); err != nil || a.Status != countersign.StatusApproved {
		t.Errorf("after: %v, %v", a, err)
	}
	call := flashCall(t, "0124")
	h, err = s.Hosted().Send(t.Context(), call)
	if err != nil || s.Seamless(h.Ref) {
		t.Error("a flash call was approved by a fetch")
	}
}

func TestHostedFailsByNumberToo(t *testing.T) {
	s := sandbox.New(sandbox.Config{})
	for _, last := range []string{"0500", "0505", "0508"} {
		if _, err := s.Hosted().Send(t.Context(), flashCall(t, last)); err == nil {
			t.Errorf("%s was called", last)
		}
	}
	if _, err := s.Hosted().Send(t.Context(), message(t, "0123")); err == nil {
		t.Error("an sms went through the hosted route")
	}
	if _, err := s.Hosted().Status(t.Context(), countersign.HostedQuestion{Verification: "ver_none"}); err == nil {
		t.Error("a verification that was never started has a status")
	}
}
