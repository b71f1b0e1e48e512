package sinchapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/provider/sinch"
	"countersign/sinchapi"
)

// Here one Countersign is the other's Sinch: the client's engine sends through provider/sinch, over HTTP, to the face
// on the vendor's engine, which ends in a sandbox; the vendor's callbacks come back to the provider's handler.

type pair struct {
	t       *testing.T
	client  *node
	vendor  *node
	box     *sandbox.Sandbox
	network *network
	face    *kit // for requests past the provider
}

// network loses answers on demand: the vendor has acted, and nobody hears of it.
type network struct {
	http.RoundTripper
	lose atomic.Pointer[string] // the method whose next answer is lost
	lost atomic.Int64
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := n.RoundTripper.RoundTrip(r)
	if want := n.lose.Load(); err == nil && want != nil && *want == r.Method {
		n.lose.Store(nil)
		n.lost.Add(1)
		_ = a.Body.Close()
		return nil, errors.New("the connection was reset")
	}
	return a, err
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, network: &network{RoundTripper: &http.Transport{}}}
	p.vendor, p.box = newVendor(t)

	face, hooks := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	address := func(s *httptest.Server) string { return "http://" + s.Listener.Addr().String() }
	var carrier *sinch.Verification
	p.client = newNode(t, func(func() time.Time) []provider.Route {
		var err error
		carrier, err = sinch.NewVerification(sinch.VerificationConfig{
			Name: "sinch", Credentials: credentials(t), BaseURL: address(face), Transport: p.network,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Route{{Name: "sinch", Provider: carrier, Hosted: true, Channels: []countersign.Channel{
			countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelWhatsApp, countersign.ChannelFlashCall, countersign.ChannelSeamless,
		}}}
	})
	hooks.Config.Handler = carrier.Callback(p.client.verifier)

	p.face = newKit(t, func(c *sinchapi.Config) {
		// Signatures are judged by the wall clock: those who sign know no other.
		c.Engine, c.BaseURL, c.Now, c.Hosted = p.vendor.verifier, address(face), time.Now, p.vendor.routes.Hosted
		c.Apps[0].App, c.Apps[0].CallbackURL = p.vendor.app, address(hooks)+"/hooks/sinch/verification"
	})
	p.face.run()
	mux := http.NewServeMux()
	mux.Handle(sinchapi.Prefix, p.face.face)
	mux.HandleFunc("GET /dev/seamless/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !p.box.Seamless(r.PathValue("id")) {
			http.NotFound(w, r)
		}
	})
	face.Config.Handler = mux
	for _, s := range []*httptest.Server{face, hooks} {
		s.Start()
		t.Cleanup(s.Close)
	}
	t.Cleanup(p.network.RoundTripper.(*http.Transport).CloseIdleConnections)
	return p
}

func mustNumber(t *testing.T, text string) countersign.Address {
	t.Helper()
	n, err := phone.FromE164(text)
	if err != nil {
		t.Fatal(err)
	}
	return countersign.PhoneAddress(n)
}

func (p *pair) start(to string, ch countersign.Channel) (*countersign.Verification, error) {
	return p.client.verifier.Start(context.Background(), &countersign.StartRequest{
		App: p.client.app, To: mustNumber(p.t, to), Channel: ch, Purpose: countersign.PurposeLogin, Face: countersign.FaceREST,
		Wait: true, Signed: true, Locale: "sv",
	})
}

func (p *pair) check(id, code string) (*countersign.Verification, error) {
	return p.client.verifier.Check(context.Background(), &countersign.CheckRequest{
		App: p.client.app, ID: id, Purpose: countersign.PurposeLogin, Code: code, Face: countersign.FaceREST,
	})
}

// code is what the person reads.
func (p *pair) code(to string) string {
	p.t.Helper()
	list := p.box.Inbox().List(to)
	if len(list) == 0 {
		p.t.Fatal("no message arrived")
	}
	return list[0].Code
}

// another is a guess of the same shape that is not the code.
func another(code string) string {
	last := byte('0')
	if code[len(code)-1] == '0' {
		last = '1'
	}
	return code[:len(code)-1] + string(last)
}

func TestEndToEnd(t *testing.T) {
	p := newPair(t)
	for i, ch := range []countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelWhatsApp, countersign.ChannelFlashCall,
	} {
		t.Run(string(ch), func(t *testing.T) {
			to := "+1201555012" + string(rune('1'+i))
			v, err := p.start(to, ch)
			if err != nil || v.Status != countersign.StatusPending || v.Hosted.Ref == "" {
				t.Fatalf("Start = %+v, %v", v, err)
			}
			if ch == countersign.ChannelFlashCall && v.Hosted.Scheme == "" {
				t.Error("a signed caller got no filter")
			}
			code := p.code(to)
			if _, err := p.check(v.ID, another(code)); !errors.Is(err, countersign.ErrIncorrectCode) {
				t.Errorf("a wrong code: %v", err)
			}
			done, err := p.check(v.ID, code)
			if err != nil || done.Status != countersign.StatusApproved || done.Proof == "" {
				t.Errorf("the right code: %+v, %v", done, err)
			}
			theirs, err := p.vendor.verifier.Get(context.Background(), p.vendor.app, v.Hosted.Ref)
			if err != nil || theirs.Status != countersign.StatusApproved || theirs.Reference != v.ID {
				t.Errorf("the vendor's: %+v, %v", theirs, err)
			}
			if _, err := p.check(v.ID, code); !errors.Is(err, countersign.ErrVerificationClosed) {
				t.Errorf("the right code again: %v", err)
			}
		})
	}
}

func TestEndToEndSeamless(t *testing.T) {
	p := newPair(t)
	v, err := p.start("+12015550125", countersign.ChannelSeamless)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.check(v.ID, "000000"); !errors.Is(err, countersign.ErrIncorrectCode) {
		t.Errorf("before the handset came: %v", err)
	}
	r, err := http.Get(v.Hosted.Scheme)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("fetching %s: %v %v", v.Hosted.Scheme, r, err)
	}
	_ = r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	done, err := p.check(v.ID, "000000")
	if err != nil || done.Status != countersign.StatusApproved {
		t.Errorf("after the handset came: %+v, %v", done, err)
	}
}

// A start whose answer is lost is found again by its reference: one message, one verification at the vendor.
func TestEndToEndLostStart(t *testing.T) {
	const to = "+12015550126"
	p := newPair(t)
	lose := http.MethodPost
	p.network.lose.Store(&lose)
	v, err := p.start(to, countersign.ChannelSMS)
	if err != nil || v.Status != countersign.StatusPending || p.network.lost.Load() != 1 {
		t.Fatalf("Start = %+v, %v", v, err)
	}
	// The vendor's reads by reference lag a little; then the send's lease ends and somebody asks.
	wait(t, "the vendor's reference", func() bool {
		_, err := p.vendor.verifier.ByReference(context.Background(), p.vendor.app, v.ID, countersign.FaceSinch)
		return err == nil
	})
	if err := p.client.store.Advance(context.Background(), 8*time.Second); err != nil {
		t.Fatal(err)
	}
	wait(t, "the vendor's id", func() bool {
		now, err := p.client.verifier.Get(context.Background(), p.client.app, v.ID)
		return err == nil && now.Hosted.Ref != ""
	})
	if n := len(p.box.Inbox().List(to)); n != 1 {
		t.Errorf("%d messages", n)
	}
	if done, err := p.check(v.ID, p.code(to)); err != nil || done.Status != countersign.StatusApproved {
		t.Errorf("Check = %+v, %v", done, err)
	}
}

// A report whose answer is lost is settled by the vendor's status: the right code is not used up for nothing.
func TestEndToEndLostReport(t *testing.T) {
	const to = "+12015550127"
	p := newPair(t)
	v, err := p.start(to, countersign.ChannelSMS)
	if err != nil {
		t.Fatal(err)
	}
	lose := http.MethodPut
	p.network.lose.Store(&lose)
	done, err := p.check(v.ID, p.code(to))
	if err != nil || done.Status != countersign.StatusApproved || p.network.lost.Load() != 1 {
		t.Errorf("Check = %+v, %v", done, err)
	}
}

func TestEndToEndEnds(t *testing.T) {
	p := newPair(t)
	const to = "+12015550128"
	v, err := p.start(to, countersign.ChannelSMS)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.vendor.store.Advance(context.Background(), 6*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := p.check(v.ID, p.code(to)); err == nil {
		t.Error("a code that had expired at the vendor was right")
	}
	now, err := p.client.verifier.Get(context.Background(), p.client.app, v.ID)
	if err != nil || now.Status != countersign.StatusExpired {
		t.Errorf("ours is %+v, %v", now, err)
	}

	// A start that is not the client's own is denied by its callback.
	a := p.face.do(http.MethodPost, base, strings.Replace(startBody("sms", `,"reference":"stranger"`), endpoint, "+12015550129", 1))
	if a.errorCode(t) != 40300 || len(p.box.Inbox().List("+12015550129")) > 0 {
		t.Errorf("a stranger's start: %d %s", a.Code, a.Body)
	}

	// The vendor's limits come out as a refusal, and nothing is sent.
	if _, err := p.start("+442079460000", countersign.ChannelSMS); err == nil {
		t.Error("a country that nobody allows was sent to")
	}
}

// wait waits for something that happens behind the answers.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
