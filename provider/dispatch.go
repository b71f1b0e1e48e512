package provider

import (
	"context"
	"errors"
	"time"

	"countersign"
)

// This file carries one message over its legs. Rules: the code never changes between legs; where the fate of a send is not
// known its vendor is asked before another one sends; nothing is tried that cannot end in time.

// minLegTime is the least time worth beginning a leg with. A vendor's answer takes a few hundred milliseconds; with
// less, a second send would only become a second unknown.
const minLegTime = 250 * time.Millisecond

// maxDetail bounds what a delivery says of a vendor's reason, in bytes.
const maxDetail = 64

// Leg is one try of one route, for metrics and the operator's alarm. It holds no personal data.
type Leg struct {
	Route    string
	App      string
	Channel  countersign.Channel
	Country  string
	Result   LegResult
	Failure  *countersign.Failure // nil when the message was taken, or the route was not tried
	Duration time.Duration
}

// LegResult is how a leg ended.
type LegResult string

// The results of a leg.
const (
	LegTaken        LegResult = "taken"
	LegTemporary    LegResult = "temporary"
	LegUnknown      LegResult = "unknown"
	LegDestination  LegResult = "destination"
	LegDenied       LegResult = "denied"
	LegOperator     LegResult = "operator"
	LegResting      LegResult = "resting"      // not tried: the breaker is open
	LegFull         LegResult = "full"         // not tried: too many sends at one time
	LegUnregistered LegResult = "unregistered" // not tried: the country has templates, and none is for this text
	LegFound        LegResult = "found"        // the answer was lost, and the vendor says that it has the message
)

func resultOf(c countersign.FailureClass) LegResult {
	switch c {
	case countersign.FailTemporary:
		return LegTemporary
	case countersign.FailDestination:
		return LegDestination
	case countersign.FailDenied:
		return LegDenied
	case countersign.FailOperator:
		return LegOperator
	}
	return LegUnknown
}

// speaksAgainst says whether a failure speaks against its route: then another leg may follow. A lost answer does too: the
// vendor was asked where that is possible, and two messages with one code are better than none.
func speaksAgainst(c countersign.FailureClass) bool {
	return c != countersign.FailDestination && c != countersign.FailDenied
}

// Dispatch implements countersign.Dispatcher.
func (r *Routes) Dispatch(ctx context.Context, p countersign.Path, m *countersign.Message) (countersign.Dispatched, error) {
	d := dispatch{routes: r, path: p, message: m, country: m.To.Country()}
	d.out.Delivery = countersign.Delivery{ID: m.ID, Channel: p.Channel, Status: countersign.DeliveryFailed}
	for _, name := range p.Routes {
		made := r.byName[name]
		if made == nil || !eligible(p, made) {
			continue // gone with the configuration before this one, or not ours to use
		}
		if done := d.leg(ctx, made); done {
			break
		}
	}
	return d.end()
}

// eligible says whether a route may carry this path's message. Of the hosted routes only the one that the store
// agreed to may: a vendor's account holds one open verification a phone, and the store has counted that one.
func eligible(p countersign.Path, made *route) bool {
	if made.Hosted {
		return made.Name == p.Hosted
	}
	return p.Hosted == "" || p.OwnCode
}

// dispatch is one message on its way.
type dispatch struct {
	routes  *Routes
	path    countersign.Path
	message *countersign.Message
	country string

	out     countersign.Dispatched
	taken   bool
	failure *countersign.Failure // of the last leg that was tried
	unknown *countersign.Failure // of the first leg whose answer was lost
	asked   *route               // the route of that leg
	skipped bool                 // a leg was left out because its route rests or is full
	late    bool                 // a leg was left out because no time was left for it
}

// leg tries one route and says whether that settled the matter.
func (d *dispatch) leg(ctx context.Context, made *route) (done bool) {
	if deadline, ok := ctx.Deadline(); ctx.Err() != nil || (ok && time.Until(deadline) < minLegTime) {
		d.late = true
		return true
	}
	template, ok := made.template(d.message, d.country)
	if !ok {
		d.skip(made, LegUnregistered)
		return false
	}
	if made.inFlight.Add(1) > int64(made.MaxInFlight) {
		made.inFlight.Add(-1)
		d.skip(made, LegFull)
		return false
	}
	defer made.inFlight.Add(-1)
	here := made.health.at(d.country, d.path.Channel)
	allowed, ok := made.allow(here)
	if !ok {
		d.skip(made, LegResting)
		return false
	}
	d.message.Sender, d.message.Template = made.Senders[d.country], template
	began := time.Now()
	handed, failure, fair := send(ctx, made, d.message)
	d.judge(allowed, failure, fair)
	d.out.Delivery.Provider = made.Name
	result := LegTaken
	if failure != nil {
		result = resultOf(failure.Class)
	}
	if result == LegUnknown {
		if found, ok := find(ctx, made, d.message); ok {
			handed, failure, result = found, nil, LegFound
		}
	}
	d.tell(made, result, failure, time.Since(began))
	if failure == nil {
		d.take(made, handed)
		return true
	}
	d.failure = failure
	if failure.Class == countersign.FailUnknown && d.unknown == nil {
		d.unknown, d.asked = failure, made
	}
	return !speaksAgainst(failure.Class)
}

// allowance is what the breakers of a route and of one country there let out.
type allowance struct {
	made              *route
	here              *place
	routeTry, hereTry int // which try of a resting one it is
}

// allow asks the breakers of the country and of the route.
func (r *route) allow(here *place) (a allowance, ok bool) {
	a = allowance{made: r, here: here}
	if r.NoBreaker {
		return a, true
	}
	if a.hereTry, ok = here.breaker.allow(); !ok {
		return a, false
	}
	if a.routeTry, ok = r.breaker.allow(); !ok {
		here.breaker.drop(a.hereTry)
	}
	return a, ok
}

func (d *dispatch) skip(made *route, why LegResult) {
	d.skipped = true
	if d.routes.observe != nil {
		d.routes.observe(Leg{Route: made.Name, App: d.message.App, Channel: d.path.Channel, Country: d.country, Result: why})
	}
}

// judge teaches the breakers. A send that had less than the route's time and got no answer says nothing about it.
func (d *dispatch) judge(a allowance, failure *countersign.Failure, fair bool) {
	a.made.health.tried(a.here, failure == nil)
	switch {
	case a.made.NoBreaker:
	case failure != nil && failure.Class == countersign.FailUnknown && !fair:
		a.made.breaker.drop(a.routeTry)
		a.here.breaker.drop(a.hereTry)
	default:
		well := failure == nil || !speaksAgainst(failure.Class)
		a.made.breaker.record(a.routeTry, well)
		a.here.breaker.record(a.hereTry, well)
	}
}

func (d *dispatch) tell(made *route, result LegResult, failure *countersign.Failure, took time.Duration) {
	if d.routes.observe != nil {
		d.routes.observe(Leg{
			Route: made.Name, App: d.message.App, Channel: d.path.Channel, Country: d.country,
			Result: result, Failure: failure, Duration: took,
		})
	}
}

func (d *dispatch) take(made *route, h countersign.Handed) {
	d.taken = true
	if h.Status == "" {
		h.Status = countersign.DeliveryAccepted
	}
	d.out.Delivery.Ref, d.out.Delivery.Status, d.out.Delivery.Detail = h.Ref, h.Status, ""
	d.out.Scheme, d.out.MaybeTwice = h.Scheme, d.unknown != nil
	if made.Hosted {
		d.out.HostedRoute, d.out.HostedRef = made.Name, h.Ref
	}
}

// end makes the answer. What was not tried for want of time, or may have gone out in an earlier attempt, is unknown
// rather than failed: the engine asks again until the message's deadline.
func (d *dispatch) end() (countersign.Dispatched, error) {
	if d.taken {
		return d.out, nil
	}
	f := d.failure
	switch {
	case d.unknown != nil:
		// Another route refused, but this one may have sent.
		f, d.out.Delivery.Provider, d.out.Askable = d.unknown, d.asked.Name, d.asked.finder != nil
	case d.late:
		f = refusal(countersign.FailUnknown, "no time for another route", f)
	case f != nil:
	case d.skipped && d.message.Attempt > 1:
		f = refusal(countersign.FailUnknown, "no route is free", nil)
	case d.skipped:
		f = refusal(countersign.FailTemporary, "no route is free", nil)
	default:
		f = refusal(countersign.FailOperator, "no route serves this channel any more", nil)
	}
	d.out.Delivery.Detail = cut(f.Detail)
	if f.Class == countersign.FailUnknown {
		d.out.Delivery.Status = countersign.DeliveryQueued
	}
	return d.out, f
}

// refusal is a failure of the routes themselves.
func refusal(class countersign.FailureClass, detail string, cause *countersign.Failure) *countersign.Failure {
	f := &countersign.Failure{Provider: "routes", Class: class, Detail: detail}
	if cause != nil {
		f.Err = cause
	}
	return f
}

// findTime is what asking a vendor about a lost answer may take. It is part of the route's time.
const findTime = 500 * time.Millisecond

// find asks a vendor whether it has a message whose answer was lost.
func find(ctx context.Context, made *route, m *countersign.Message) (countersign.Handed, bool) {
	if made.finder == nil {
		return countersign.Handed{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	h, found, err := made.finder.Find(ctx, m)
	return h, found && err == nil
}

// send makes one provider send, within the route's time. Fair says that it had all of it.
func send(ctx context.Context, made *route, m *countersign.Message) (h countersign.Handed, f *countersign.Failure, fair bool) {
	timeout := made.Timeout
	if made.finder != nil && timeout > 2*findTime {
		timeout -= findTime
	}
	deadline, ok := ctx.Deadline()
	fair = !ok || time.Until(deadline) >= timeout
	leg, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	h, err := made.Provider.Send(leg, m)
	if err == nil {
		return h, nil, fair
	}
	fair = fair && ctx.Err() == nil
	if errors.As(err, &f) {
		return countersign.Handed{}, f, fair
	}
	// A provider that does not say what happened may have sent.
	return countersign.Handed{}, &countersign.Failure{Provider: made.Name, Class: countersign.FailUnknown, Detail: "no clear answer", Err: err}, fair
}

// cut shortens a vendor's reason on a character's border.
func cut(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	end := maxDetail
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end]
}
