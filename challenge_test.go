package countersign_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"countersign"
	"countersign/challenge"
)

// wary is a guard that lets one start or send a minute through, and any other that has solved enough.
type wary struct{ difficulty int }

func (w *wary) Judge(a *countersign.Attempt) ([]countersign.Limit, error) {
	if a.Action == countersign.ActionCheck {
		return nil, nil
	}
	return []countersign.Limit{{Name: "wary", Key: a.Hash("wary"), Burst: 1, Period: time.Minute, Challenge: w.difficulty}}, nil
}

func (w *wary) Decided(*countersign.Attempt, *countersign.Taken, error) {}

func (w *wary) Approved(*countersign.Conversion) countersign.Refund { return countersign.Refund{} }

var puzzles = challenge.Challenger{Base: 200}

func guarded(w *wary) option {
	return func(cfg *countersign.Config, _ *countersign.App) { cfg.Guard, cfg.Challenger = w, puzzles }
}

// from is a start by a client, with an answer to a challenge.
func from(addr, response string) func(*countersign.StartRequest) {
	return func(q *countersign.StartRequest) {
		q.Client.Addr, q.ChallengeResponse = netip.MustParseAddr(addr), response
	}
}

func solve(t testing.TB, err error) string {
	t.Helper()
	e := wantKind(t, err, countersign.ErrChallengeRequired)
	if e.Challenge == nil || e.Limit != "" {
		t.Fatalf("the refusal is %+v", e)
	}
	response, ok := challenge.Solve(e.Challenge)
	if !ok {
		t.Fatalf("%+v has no solution", e.Challenge)
	}
	return response
}

const (
	home    = "203.0.113.7"
	nearby  = "203.0.113.200"
	faraway = "198.51.100.7"
	second  = "+12015550124"
	third   = "+12015550125"
)

func TestAChallengeLetsAStartThroughOnce(t *testing.T) {
	b := newBench(t, guarded(&wary{1}))
	b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, second, from(home, ""))
	if e := wantKind(t, err, countersign.ErrChallengeRequired); e.RetryAfter <= 50*time.Second || e.RetryAfter > time.Minute {
		t.Errorf("retry after %s: who cannot solve it may wait", e.RetryAfter)
	}
	response := solve(t, err)
	b.mustStart(t, second, from(nearby, response)) // of the same network
	if n := b.carrier.count(); n != 2 {
		t.Fatalf("%d messages", n)
	}

	// The phone's own cooldown is over, the challenge is not old, and yet it is worth nothing any more.
	b.advance(t, 31*time.Second)
	_, err = b.start(t, second, from(home, response))
	if e := wantKind(t, err, countersign.ErrChallengeRequired); e.RetryAfter != 0 {
		t.Errorf("retry after %s: to wait does not make it new", e.RetryAfter)
	}
	b.mustStart(t, second, from(home, solve(t, err)))
}

// forgetful is the control of the test above: it counts everything but what makes a response work once.
type forgetful struct{ countersign.Store }

func (f forgetful) Take(ctx context.Context, t *countersign.Take) (*countersign.Taken, error) {
	all := *t
	all.Limits = slices.DeleteFunc(slices.Clone(t.Limits), func(l countersign.Limit) bool { return l.Name == "challenge" })
	return f.Store.Take(ctx, &all)
}

func (f forgetful) Start(ctx context.Context, t *countersign.Take, b *countersign.Begin) (*countersign.Taken, *countersign.Outcome, error) {
	return countersign.TakeThenBegin(ctx, f, t, b)
}

func TestAStoreThatDoesNotCountResponsesIsReplayed(t *testing.T) {
	b := newBench(t, guarded(&wary{1}), func(cfg *countersign.Config, _ *countersign.App) { cfg.Store = forgetful{cfg.Store} })
	b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, second, from(home, ""))
	response := solve(t, err)
	b.mustStart(t, second, from(home, response))
	b.advance(t, 31*time.Second)
	if _, err := b.start(t, second, from(home, response)); err != nil {
		t.Errorf("the control refused the replay: %v", err)
	}
}

func TestAResponseIsGoodForItsRequestOnly(t *testing.T) {
	w := &wary{1}
	b := newBench(t, guarded(w))
	v := b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, second, from(home, ""))
	response := solve(t, err)

	refused := func(what string, err error) {
		t.Helper()
		if countersign.KindOf(err) != countersign.ErrChallengeRequired {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = b.start(t, third, from(home, response))
	refused("another phone", err)
	_, err = b.start(t, second, from(faraway, response))
	refused("another network", err)
	_, err = b.start(t, second, from(home, response), func(q *countersign.StartRequest) { q.Purpose = countersign.PurposeSignup })
	refused("another purpose", err)
	_, err = b.start(t, second, from(home, response), func(q *countersign.StartRequest) {
		other := *b.app
		other.ID = "other"
		q.App = &other
	})
	refused("another app", err)
	b.advance(t, 30*time.Second)
	_, err = b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Client: client(home), ChallengeResponse: response, Wait: true})
	refused("a resend", err)

	w.difficulty = 2
	_, err = b.start(t, second, from(home, response))
	refused("a limit that asks for more", err)
	harder := solve(t, err)
	w.difficulty = 1
	b.mustStart(t, second, from(home, harder)) // more than enough
}

func TestAResponseRunsOut(t *testing.T) {
	b := newBench(t, guarded(&wary{1}))
	b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, second, from(home, ""))
	response := solve(t, err)
	b.advance(t, challenge.Lifetime)
	b.mustStart(t, third, from(home, "")) // the limit is used up again
	_, err = b.start(t, second, from(home, response))
	solve(t, err)
}

func client(addr string) countersign.Client {
	return countersign.Client{Addr: netip.MustParseAddr(addr)}
}

func TestAResendIsChallengedToo(t *testing.T) {
	b := newBench(t, guarded(&wary{1}))
	v := b.mustStart(t, number, from(home, ""))
	b.advance(t, 30*time.Second)
	send := func(response string) error {
		_, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Client: client(home), ChallengeResponse: response, Wait: true})
		return err
	}
	response := solve(t, send(""))
	if err := send(response); err != nil {
		t.Fatal(err)
	}
	b.advance(t, 60*time.Second)
	b.mustStart(t, second, from(home, ""))
	solve(t, send(response))
}

func TestARefusedStartDoesNotSpendTheResponse(t *testing.T) {
	b := newBench(t, guarded(&wary{1}))
	b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, number, from(home, ""))
	response := solve(t, err)
	_, err = b.start(t, number, from(home, response))
	wantKind(t, err, countersign.ErrResendTooSoon)
	b.Settle(t.Context(), time.Minute) // what was counted is given back behind the answer
	b.advance(t, 30*time.Second)
	b.mustStart(t, number, from(home, response))
}

func TestAResponseThatIsNoneIsSaid(t *testing.T) {
	b := newBench(t, guarded(&wary{1}))
	_, err := b.start(t, number, from(home, "not base64!"))
	if e := wantKind(t, err, countersign.ErrInvalidRequest); e.Pointer != "/challenge_response" {
		t.Errorf("points at %q", e.Pointer)
	}
	if b.carrier.count() != 0 {
		t.Error("a message went out")
	}
}

func TestWithoutAChallengerTheLimitRefuses(t *testing.T) {
	b := newBench(t, guarded(&wary{1}), func(cfg *countersign.Config, _ *countersign.App) { cfg.Challenger = nil })
	b.mustStart(t, number, from(home, ""))
	_, err := b.start(t, second, from(home, "e30="))
	wantKind(t, err, countersign.ErrRateLimited)
}
