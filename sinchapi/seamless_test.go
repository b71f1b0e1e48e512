package sinchapi_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"countersign"
	"countersign/sinchapi"
)

// carrier is a vendor of data verification: it knows whether the handset opened the address.
type carrier struct {
	countersign.HostedProvider
	opened atomic.Bool
}

func (c *carrier) Status(context.Context, countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	if c.opened.Load() {
		return countersign.HostedAnswer{Status: countersign.StatusApproved}, nil
	}
	return countersign.HostedAnswer{Status: countersign.StatusPending}, nil
}

// settling is an engine whose checks of data verifications ask the carrier.
type settling struct {
	sinchapi.Engine
	checks atomic.Int64
	set    func(id string)
}

func (s *settling) Check(ctx context.Context, q *countersign.CheckRequest) (*countersign.Verification, error) {
	s.checks.Add(1)
	s.set(q.ID)
	return s.Get(ctx, q.App, q.ID)
}

func TestSeamless(t *testing.T) {
	a, c, engine := newApp(t), &carrier{}, &settling{}
	k := newKit(t, func(cfg *sinchapi.Config) {
		withCallback(a)(cfg)
		engine.Engine, cfg.Engine = cfg.Engine, engine
		cfg.Hosted = func(route string) (countersign.HostedProvider, bool) { return c, route == "fake" }
	})
	k.engine.Seamless = true
	engine.set = func(id string) {
		k.engine.Set(id, func(v *countersign.Verification) { v.Status = countersign.StatusApproved })
	}
	id := k.start("seamless")
	for range 3 {
		if got := k.do(http.MethodGet, base+"/id/"+id, "").field(t, "status"); got != "PENDING" {
			t.Fatalf("before the handset came: %s", got)
		}
	}
	if n := engine.checks.Load(); n != 0 {
		t.Errorf("reading the status counted %d guesses", n)
	}
	if got := k.do(http.MethodPut, base+"/id/"+id, `{"method":"seamless"}`).errorCode(t); got != 40001 {
		t.Errorf("a report of a seamless verification: %d", got)
	}
	c.opened.Store(true)
	for range 3 {
		if got := k.do(http.MethodGet, base+"/id/"+id, "").field(t, "status"); got != "SUCCESSFUL" {
			t.Errorf("after the handset came: %s", got)
		}
	}
	if n := engine.checks.Load(); n != 1 {
		t.Errorf("%d checks settled it", n)
	}

	// Without anybody reading, the app is told.
	c.opened.Store(false)
	unread := k.start("seamless")
	k.run()
	c.opened.Store(true)
	for e := a.next(t, "VerificationResultEvent"); e["id"] != unread; e = a.next(t, "VerificationResultEvent") {
		if e["status"] != "SUCCESSFUL" || e["method"] != "seamless" {
			t.Errorf("event = %v", e)
		}
	}
}
