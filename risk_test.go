package countersign_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"countersign"
)

// oracle answers what it is told to, and remembers what it was asked.
type oracle struct {
	deny  bool
	err   error
	asked []countersign.RiskQuestion
}

func (o *oracle) Assess(_ context.Context, q *countersign.RiskQuestion) (*countersign.RiskVerdict, error) {
	o.asked = append(o.asked, *q)
	if o.err != nil {
		return nil, o.err
	}
	return &countersign.RiskVerdict{Deny: o.deny, Reason: "sim_changed"}, nil
}

// B17: where an app has its numbers checked, nothing is sent to one that the check denies, and nothing where it gives no
// answer, unless the app wants that. It is asked once a verification, and only where a message would go out.
func TestRiskIsAskedBeforeASend(t *testing.T) {
	o := &oracle{}
	b := newBench(t, func(_ *countersign.Config, app *countersign.App) { app.Risk.Check = o })
	refused := func(number string, want countersign.Kind) {
		t.Helper()
		before := b.carrier.count()
		_, err := b.start(t, number)
		e := wantKind(t, err, want)
		if b.carrier.count() != before {
			t.Errorf("%s: a message went out", want)
		}
		v, err := b.Get(t.Context(), b.app, e.VerificationID)
		if err != nil || v.Status != countersign.StatusDenied {
			t.Errorf("%s: the verification is %+v, %v", want, v, err)
		}
		_, err = b.check(t, e.VerificationID, "123456")
		wantKind(t, err, countersign.ErrVerificationClosed)
	}
	o.deny = true
	refused("+12015550101", countersign.ErrNumberNotAllowed)
	o.deny, o.err = false, errors.New("no answer")
	refused("+12015550102", countersign.ErrUnavailable)
	_, err := b.start(t, "+12015550105")
	told := wantKind(t, err, countersign.ErrUnavailable).RetryAfter
	b.advance(t, told-time.Second)
	_, err = b.start(t, "+12015550105")
	wantKind(t, err, countersign.ErrResendTooSoon)
	b.advance(t, time.Second) // what was told is true
	_, err = b.start(t, "+12015550105")
	wantKind(t, err, countersign.ErrUnavailable)

	b.app.Risk.SendAnyway = true
	b.mustStart(t, "+12015550103")
	if n := b.carrier.count(); n != 1 {
		t.Errorf("without an answer that was not wanted: %d messages", n)
	}
	o.err, o.asked = nil, nil
	v := b.mustStart(t, "+12015550104", func(q *countersign.StartRequest) {
		q.Purpose, q.User, q.Client.Device = countersign.PurposeStepUp, "usr_1", "phone"
	})
	if n := b.carrier.count(); n != 2 || len(o.asked) != 1 {
		t.Fatalf("control: an allowed start sent %d messages, and asked %d times", n, len(o.asked))
	}
	if q := o.asked[0]; q.Verification != v.ID || q.App != "demo" || q.To.Dial() != "+12015550104" || q.Purpose != countersign.PurposeStepUp ||
		q.User != "usr_1" || q.Client.Device != "phone" || q.Channel != countersign.ChannelSMS {
		t.Errorf("asked: %+v", q)
	}
	// Within the cooldown nothing would be sent: nobody pays for an answer.
	_, err = b.start(t, "+12015550104")
	wantKind(t, err, countersign.ErrResendTooSoon)
	b.advance(t, countersign.Cooldown(1))
	if _, err := b.Send(t.Context(), &countersign.SendRequest{App: b.app, ID: v.ID, Face: countersign.FaceREST, Wait: true}); err != nil {
		t.Fatalf("a resend: %v", err)
	}
	if len(o.asked) != 1 {
		t.Errorf("asked %d times", len(o.asked))
	}
}
