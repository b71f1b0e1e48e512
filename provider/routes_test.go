package provider_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/phone"
	"countersign/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vendor is a provider whose answers a test writes.
type vendor struct {
	answer func(ctx context.Context, m *countersign.Message) (countersign.Handed, error)
	sends  atomic.Int64
	mu     sync.Mutex
	codes  []string
}

func (v *vendor) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	v.sends.Add(1)
	v.mu.Lock()
	v.codes = append(v.codes, m.Code.Reveal())
	v.mu.Unlock()
	return v.answer(ctx, m)
}

func takes(ref string) *vendor {
	return &vendor{answer: func(context.Context, *countersign.Message) (countersign.Handed, error) {
		return countersign.Handed{Ref: ref}, nil
	}}
}

func fails(class countersign.FailureClass) *vendor {
	return &vendor{answer: func(context.Context, *countersign.Message) (countersign.Handed, error) {
		return countersign.Handed{}, &countersign.Failure{Provider: "v", Class: class, Detail: "no"}
	}}
}

// hangs answers when its time is up.
func hangs() *vendor {
	return &vendor{answer: func(ctx context.Context, _ *countersign.Message) (countersign.Handed, error) {
		<-ctx.Done()
		return countersign.Handed{}, &countersign.Failure{Provider: "v", Class: countersign.FailUnknown, Detail: "late", Err: ctx.Err()}
	}}
}

// owner is a vendor that owns the code, and wants to hear of approvals.
type owner struct{ *vendor }

func (owner) Report(context.Context, countersign.HostedQuestion, countersign.Guess) (countersign.HostedAnswer, error) {
	return countersign.HostedAnswer{}, nil
}

func (owner) Status(context.Context, countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	return countersign.HostedAnswer{}, nil
}

func (owner) Complete(context.Context, countersign.HostedQuestion, countersign.Code) error {
	return nil
}

func sms() []countersign.Channel { return []countersign.Channel{countersign.ChannelSMS} }

func number(t testing.TB, e164 string) countersign.Address {
	t.Helper()
	n, err := phone.FromE164(e164)
	if err != nil {
		t.Fatal(err)
	}
	return countersign.PhoneAddress(n)
}

func message(t testing.TB) *countersign.Message {
	return &countersign.Message{
		ID: "msg_1", Verification: "ver_1", App: "demo", To: number(t, "+14155550123"), Channel: countersign.ChannelSMS,
		Code: countersign.NewCode("493817"), Attempt: 1,
	}
}

func routes(t testing.TB, cfg provider.Config) *provider.Routes {
	t.Helper()
	r, err := provider.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func route(name string, p countersign.Provider) provider.Route {
	return provider.Route{Name: name, Provider: p, Channels: sms()}
}

func planned(t testing.TB, r *provider.Routes, m *countersign.Message) countersign.Path {
	t.Helper()
	p, err := r.Plan(&countersign.Wish{App: m.App, Channel: m.Channel, To: m.To})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func classOf(t testing.TB, err error) countersign.FailureClass {
	t.Helper()
	var f *countersign.Failure
	if !errors.As(err, &f) {
		t.Fatalf("the error is no *Failure: %v", err)
	}
	return f.Class
}

// TestFailuresDecideTheNextLeg is the table of classes: who comes next, and what the engine hears.
func TestFailuresDecideTheNextLeg(t *testing.T) {
	bare := &vendor{answer: func(context.Context, *countersign.Message) (countersign.Handed, error) {
		return countersign.Handed{}, errors.New("something broke")
	}}
	for _, c := range []struct {
		name   string
		first  *vendor
		second bool // the second leg is tried and takes it
		class  countersign.FailureClass
		status countersign.DeliveryStatus
	}{
		{"taken", takes("one"), false, 0, countersign.DeliveryAccepted},
		{"temporary", fails(countersign.FailTemporary), true, 0, countersign.DeliveryAccepted},
		{"operator", fails(countersign.FailOperator), true, 0, countersign.DeliveryAccepted},
		{"unknown", fails(countersign.FailUnknown), true, 0, countersign.DeliveryAccepted},
		{"destination", fails(countersign.FailDestination), false, countersign.FailDestination, countersign.DeliveryFailed},
		{"denied", fails(countersign.FailDenied), false, countersign.FailDenied, countersign.DeliveryFailed},
		{"no class at all", bare, true, 0, countersign.DeliveryAccepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := takes("two")
			r := routes(t, provider.Config{Routes: []provider.Route{route("first", c.first), route("second", second)}})
			m := message(t)
			d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
			if d.Delivery.ID != m.ID || d.Delivery.Channel != countersign.ChannelSMS || d.Delivery.Status != c.status {
				t.Errorf("delivery %+v, want id %s and status %s", d.Delivery, m.ID, c.status)
			}
			if (second.sends.Load() == 1) != c.second || c.first.sends.Load() != 1 {
				t.Errorf("%d and %d sends", c.first.sends.Load(), second.sends.Load())
			}
			if c.status != countersign.DeliveryAccepted {
				if got := classOf(t, err); got != c.class {
					t.Errorf("class %d, want %d", got, c.class)
				}
				if d.Delivery.Provider != "first" || d.Delivery.Detail == "" {
					t.Errorf("delivery %+v does not say who refused and why", d.Delivery)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.second && (d.Delivery.Provider != "second" || d.Delivery.Ref != "two" || second.codes[0] != c.first.codes[0]) {
				t.Errorf("delivery %+v with codes %q and %q", d.Delivery, c.first.codes, second.codes)
			}
		})
	}
}

// TestAllRoutesDown is F-12: everybody refuses, at once and for good.
func TestAllRoutesDown(t *testing.T) {
	r := routes(t, provider.Config{Routes: []provider.Route{
		route("first", fails(countersign.FailTemporary)), route("second", fails(countersign.FailOperator)),
	}})
	m := message(t)
	d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
	if classOf(t, err) != countersign.FailOperator || d.Delivery.Status != countersign.DeliveryFailed || d.Delivery.Provider != "second" {
		t.Errorf("%+v, %v", d.Delivery, err)
	}
}

// TestALegHasItsTime is F-13: a vendor that keeps silent costs its own time and no more.
func TestALegHasItsTime(t *testing.T) {
	slow := route("slow", hangs())
	slow.Timeout = 30 * time.Millisecond
	r := routes(t, provider.Config{Routes: []provider.Route{slow, route("second", takes("two"))}})
	m := message(t)
	began := time.Now()
	d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if err != nil || d.Delivery.Provider != "second" || !d.MaybeTwice {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestALostAnswerStaysUnknown: when every route that is left refuses, the message may still be on its way by the one that
// did not answer, and that one is asked again.
func TestALostAnswerStaysUnknown(t *testing.T) {
	for name, second := range map[string]*vendor{
		"temporary": fails(countersign.FailTemporary), "destination": fails(countersign.FailDestination), "unknown": fails(countersign.FailUnknown),
	} {
		r := routes(t, provider.Config{Routes: []provider.Route{route("lost", fails(countersign.FailUnknown)), route("second", second)}})
		m := message(t)
		d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
		if classOf(t, err) != countersign.FailUnknown || d.Delivery.Provider != "lost" || d.Delivery.Status != countersign.DeliveryQueued {
			t.Errorf("%s: %+v, %v", name, d.Delivery, err)
		}
	}
}

// asking is a vendor that can be asked what it has.
type asking struct {
	*vendor
	has bool
	err error
}

func (a asking) Find(context.Context, *countersign.Message) (countersign.Handed, bool, error) {
	return countersign.Handed{Ref: "found"}, a.has, a.err
}

// TestAVendorThatCanBeAskedSendsOnce: a message whose answer was lost goes by another route only when the vendor does not
// have it, or cannot say.
func TestAVendorThatCanBeAskedSendsOnce(t *testing.T) {
	lost := func() *vendor { return fails(countersign.FailUnknown) }
	for _, c := range []struct {
		name  string
		first countersign.Provider
		by    string
		twice bool
	}{
		{"has it", asking{lost(), true, nil}, "first", false},
		{"has it not", asking{lost(), false, nil}, "second", true},
		{"does not say", asking{lost(), true, errors.New("no answer either")}, "second", true},
		{"control: cannot be asked", lost(), "second", true},
	} {
		var legs []provider.LegResult
		r := routes(t, provider.Config{
			Routes:  []provider.Route{route("first", c.first), route("second", takes("two"))},
			Observe: func(l provider.Leg) { legs = append(legs, l.Result) },
		})
		m := message(t)
		d, err := r.Dispatch(t.Context(), planned(t, r, m), m)
		if err != nil || d.Delivery.Provider != c.by || d.MaybeTwice != c.twice {
			t.Errorf("%s: %+v, %v", c.name, d, err)
		}
		if found := legs[0] == provider.LegFound; found != (c.by == "first") {
			t.Errorf("%s: legs %v", c.name, legs)
		}
	}
}

// TestNoTimeForAnotherLeg: what was not tried is not refused.
func TestNoTimeForAnotherLeg(t *testing.T) {
	second := takes("two")
	slow := &vendor{answer: func(ctx context.Context, _ *countersign.Message) (countersign.Handed, error) {
		<-ctx.Done()
		return countersign.Handed{}, &countersign.Failure{Provider: "v", Class: countersign.FailTemporary, Detail: "HTTP 503"}
	}}
	r := routes(t, provider.Config{Routes: []provider.Route{route("slow", slow), route("second", second)}})
	m := message(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	d, err := r.Dispatch(ctx, planned(t, r, m), m)
	if classOf(t, err) != countersign.FailUnknown || d.Delivery.Status != countersign.DeliveryQueued || second.sends.Load() != 0 {
		t.Errorf("%+v, %v, %d sends", d.Delivery, err, second.sends.Load())
	}
}

func TestPlan(t *testing.T) {
	hosted := provider.Route{Name: "hosted", Provider: owner{takes("h")}, Hosted: true, Sender: "HOST", Channels: []countersign.Channel{countersign.ChannelSMS, countersign.ChannelFlashCall}}
	own := provider.Route{Name: "own", Provider: takes("o"), Sender: "ACME", Channels: []countersign.Channel{countersign.ChannelSMS, countersign.ChannelVoice}}
	swedish := provider.Route{Name: "swedish", Provider: takes("s"), Channels: []countersign.Channel{countersign.ChannelWhatsApp}, Countries: []string{"SE"}}
	r := routes(t, provider.Config{
		Routes: []provider.Route{hosted, own, swedish},
		Apps: map[string][]provider.Rule{"bank": {
			{Channel: countersign.ChannelSMS, Countries: []string{"SE", "NO"}, Routes: []string{"own"}},
			{Channel: countersign.ChannelSMS, Countries: []string{"US"}, Routes: []string{"own", "hosted"}},
		}},
	})
	for _, c := range []struct {
		name, app string
		channel   countersign.Channel
		country   string
		want      countersign.Path
		refused   string // what the error's detail must hold
	}{
		{"declared order", "demo", countersign.ChannelSMS, "US", countersign.Path{Channel: "sms", Hosted: "hosted", OwnCode: true, Sender: "HOST"}, ""},
		{"hosted only", "demo", countersign.ChannelFlashCall, "US", countersign.Path{Channel: "flashcall", Hosted: "hosted", Sender: "HOST"}, ""},
		{"the app's rule", "bank", countersign.ChannelSMS, "SE", countersign.Path{Channel: "sms", OwnCode: true, Sender: "ACME"}, ""},
		{"the app's second rule", "bank", countersign.ChannelSMS, "US", countersign.Path{Channel: "sms", OwnCode: true, Sender: "ACME"}, ""},
		{"no rule of the app for the country", "bank", countersign.ChannelSMS, "DE", countersign.Path{}, "voice"},
		{"a channel without rules", "bank", countersign.ChannelVoice, "DE", countersign.Path{Channel: "voice", OwnCode: true, Sender: "ACME"}, ""},
		{"auto", "demo", countersign.ChannelAuto, "SE", countersign.Path{Channel: "sms", Hosted: "hosted", OwnCode: true, Sender: "HOST"}, ""},
		{"auto without sms", "bank", countersign.ChannelAuto, "DE", countersign.Path{Channel: "voice", OwnCode: true, Sender: "ACME"}, ""},
		{"a route's own countries", "demo", countersign.ChannelWhatsApp, "SE", countersign.Path{Channel: "whatsapp", OwnCode: true}, ""},
		{"not in a route's countries", "demo", countersign.ChannelWhatsApp, "US", countersign.Path{}, "sms, voice, flashcall."},
		{"nobody serves it", "demo", countersign.ChannelEmail, "", countersign.Path{}, "sms, voice, flashcall."},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := map[string]string{"US": "+14155550123", "SE": "+46701740615", "DE": "+4915123456789"}[c.country]
			w := &countersign.Wish{App: c.app, Channel: c.channel}
			if to != "" {
				w.To = number(t, to)
			}
			got, err := r.Plan(w)
			got.Routes = nil
			if c.refused == "" {
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("Plan = %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			var e *countersign.Error
			if !errors.As(err, &e) || e.Kind != countersign.ErrInvalidRequest || e.Pointer != "/channel" || !strings.Contains(e.Detail, c.refused) {
				t.Errorf("Plan = %v, want invalid_request at /channel that names %q", err, c.refused)
			}
		})
	}
}

// TestHostedLegs: the vendor that the store agreed to is the only one that may own the code.
func TestHostedLegs(t *testing.T) {
	for _, c := range []struct {
		name    string
		path    countersign.Path
		down    bool // the first hosted vendor
		by      string
		hosted  string
		refused bool
	}{
		{"hosted", countersign.Path{Channel: "sms", Hosted: "one", OwnCode: true}, false, "one", "one", false},
		{"away from it, with our code", countersign.Path{Channel: "sms", Hosted: "one", OwnCode: true}, true, "own", "", false},
		{"away from it, without", countersign.Path{Channel: "sms", Hosted: "one"}, true, "", "", true},
		{"taken by another scope: our code", countersign.Path{Channel: "sms", OwnCode: true}, false, "own", "", false},
		{"a route that is gone", countersign.Path{Channel: "sms", Hosted: "gone"}, false, "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := takes("ref1"), takes("ref2")
			if c.down {
				one = fails(countersign.FailTemporary)
			}
			hostedRoute := func(name string, v *vendor) provider.Route {
				return provider.Route{Name: name, Provider: owner{v}, Hosted: true, Channels: sms()}
			}
			r := routes(t, provider.Config{Routes: []provider.Route{hostedRoute("one", one), hostedRoute("two", two), route("own", takes("ref3"))}})
			c.path.Routes = []string{"one", "two", "own"}
			d, err := r.Dispatch(t.Context(), c.path, message(t))
			if two.sends.Load() > 0 {
				t.Error("a second vendor was asked, whose account nobody counted")
			}
			if c.refused {
				if err == nil {
					t.Errorf("went out by %q", d.Delivery.Provider)
				}
				return
			}
			if err != nil || d.Delivery.Provider != c.by || d.HostedRoute != c.hosted || (d.HostedRef != "") != (c.hosted != "") {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

func TestLookingUpProviders(t *testing.T) {
	r := routes(t, provider.Config{Routes: []provider.Route{
		{Name: "hosted", Provider: owner{takes("")}, Hosted: true, Channels: sms()},
		{Name: "carried", Provider: owner{takes("")}, Channels: sms()},
		route("plain", takes("")),
	}})
	for name, want := range map[string][2]bool{"hosted": {true, true}, "carried": {false, true}, "plain": {false, false}, "none": {false, false}} {
		_, hosted := r.Hosted(name)
		_, completer := r.Completer(name)
		if got := [2]bool{hosted, completer}; got != want {
			t.Errorf("%s: hosted, completer = %v, want %v", name, got, want)
		}
	}
	if s := r.States(); len(s) != 3 || s[0].Name != "hosted" || !s[0].Hosted || s[2].Resting {
		t.Errorf("States = %+v", s)
	}
}

func TestMistakesAreAllReported(t *testing.T) {
	_, err := provider.New(provider.Config{
		Routes: []provider.Route{
			{Name: "Bad Name", Provider: takes(""), Channels: sms()},
			{Name: "a", Channels: sms()},
			{Name: "a", Provider: takes(""), Channels: sms(), Hosted: true},
			{Name: "b", Provider: takes(""), Channels: []countersign.Channel{"auto", "fax", "flashcall"}},
			{Name: "c", Provider: takes(""), Countries: []string{"se"}, Timeout: time.Minute, MaxInFlight: -1},
		},
		Rules: []provider.Rule{
			{Channel: "auto", Routes: []string{"a"}},
			{Channel: "voice", Routes: []string{"a", "nobody"}},
			{Channel: "sms", Routes: []string{"a", "a"}, Countries: []string{"XX"}},
			{Channel: "sms"},
		},
		Apps: map[string][]provider.Rule{"demo": {{Channel: "sms", Routes: []string{"x"}}}},
		Auto: []countersign.Channel{"email"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, path := range []string{
		"routes.0.name", "routes.1.provider", "routes.2.name", "routes.2.hosted", "routes.3.channels.0", "routes.3.channels.1",
		"routes.3.channels.2", "routes.4.channels", "routes.4.countries.0", "routes.4.timeout", "routes.4.max_in_flight",
		"rules.0.channel", "rules.1.routes.0", "rules.1.routes.1", "rules.2.countries.0", "rules.2.routes.1", "rules.3.routes",
		"apps.demo.rules.0.routes.0", "auto.0",
	} {
		if !strings.Contains(err.Error(), path+": ") {
			t.Errorf("no mistake at %s in:\n%v", path, err)
		}
	}
	if _, err := provider.New(provider.Config{}); err == nil {
		t.Error("no routes at all were accepted")
	}
}
