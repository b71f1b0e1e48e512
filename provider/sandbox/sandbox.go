package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"sync"
	"time"

	"countersign"
)

// The names of the sandbox's routes.
const (
	FirstName  = "sandbox"
	SecondName = "sandbox-2"
	HostedName = "sandbox-hosted"
)

// RouteTimeout is the timeout that routes to the sandbox need: a slow number takes SlowAnswer, and part of a route's time is
// for asking after lost answers.
const RouteTimeout = 4800 * time.Millisecond

// SlowAnswer is how long the slow number's answer takes.
const SlowAnswer = 4 * time.Second

// Carried are the channels of First and Second.
func Carried() []countersign.Channel {
	return []countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelVoice, countersign.ChannelWhatsApp, countersign.ChannelEmail,
	}
}

// HostedChannels are the channels of Hosted.
func HostedChannels() []countersign.Channel {
	return []countersign.Channel{countersign.ChannelFlashCall, countersign.ChannelSeamless}
}

// Config is what a Sandbox works with. Every field may be left out.
type Config struct {
	// PublicURL is the instance's address, without a trailing slash, for the links of data verification.
	PublicURL string
	// Now is the clock of messages and of hosted verifications; time.Now when nil.
	Now func() time.Time
	// After is the timer of slow answers and receipts; time.After when nil.
	After func(time.Duration) <-chan time.Time
	// ReceiptDelay is how long after a message its receipts follow; 300 ms when zero. Less would tell of deliveries
	// that the engine has not written down yet.
	ReceiptDelay time.Duration
}

// Sandbox is the vendor. Run must be called for receipts to be sent.
type Sandbox struct {
	cfg      Config
	inbox    Inbox
	receipts receipts
	hosted   hosted
	first    carrier
	second   carrier
	carriage carriage
	agenda   agenda

	mu   sync.RWMutex
	sink countersign.ReceiptSink
}

// New makes a Sandbox with an empty inbox.
func New(cfg Config) *Sandbox {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.ReceiptDelay == 0 {
		cfg.ReceiptDelay = 300 * time.Millisecond
	}
	s := &Sandbox{cfg: cfg, receipts: receipts{queue: make(chan report, receiptQueue)}}
	s.first = carrier{s: s, name: FirstName}
	s.second = carrier{s: s, name: SecondName}
	s.hosted = hosted{s: s, byRef: make(map[string]*verification), byOurs: make(map[string]*verification), byPhone: make(map[string]*verification)}
	return s
}

// Inbox is where messages arrive.
func (s *Sandbox) Inbox() *Inbox { return &s.inbox }

// First is the provider of the route FirstName.
func (s *Sandbox) First() countersign.Provider { return &s.first }

// Second is the provider of the route SecondName: the same, but it takes what only the first route refuses.
func (s *Sandbox) Second() countersign.Provider { return &s.second }

// Hosted is the provider of the route HostedName: flash calls and data verification, with codes of its own.
func (s *Sandbox) Hosted() countersign.HostedProvider { return &s.hosted }

// Seamless is called when the address of a data verification is fetched: the last part of its path. It says whether
// there is such a verification, now successful.
func (s *Sandbox) Seamless(id string) bool { return s.hosted.fetched(id) }

// Attach says who hears of receipts. Until then there are none: the engine exists only after its providers.
func (s *Sandbox) Attach(sink countersign.ReceiptSink) {
	s.mu.Lock()
	s.sink = sink
	s.mu.Unlock()
}

func (s *Sandbox) attached() countersign.ReceiptSink {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sink
}

// carrier is one of the two routes that carry our code.
type carrier struct {
	s    *Sandbox
	name string
}

var _ countersign.Provider = (*carrier)(nil)

// Send implements countersign.Provider.
func (c *carrier) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	text := m.Text
	if m.Subject != "" {
		text = m.Subject + "\n\n" + m.Text
	}
	return c.s.deliver(ctx, m, c.name, Message{Text: text, Code: m.Code.Reveal()}, reference(m.ID))
}

// reference is the vendor's id of a message: the same for the same message, so that a repeated send finds it.
func reference(id string) string { return "sbx_" + id }

// deliver plays a number's fate with a message whose text and code are filled in.
func (s *Sandbox) deliver(ctx context.Context, m *countersign.Message, route string, shown Message, ref string) (countersign.Handed, error) {
	fail := func(class countersign.FailureClass, detail string, err error) (countersign.Handed, error) {
		return countersign.Handed{}, &countersign.Failure{Provider: route, Class: class, Detail: detail, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(countersign.FailTemporary, "not sent", err)
	}
	f, delay := s.decide(m, route)
	switch {
	case f == fateServerError:
		return fail(countersign.FailTemporary, "HTTP 500", nil)
	case f == fateTimeout:
		<-ctx.Done()
		return fail(countersign.FailUnknown, "no answer in time", ctx.Err())
	case f == fateRefused:
		return fail(countersign.FailDestination, "landline", nil)
	case f == fateRejected:
		return fail(countersign.FailDestination, "rejected by the carrier", nil)
	case f == fateLost:
		return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
	case f == fateOptedOut:
		return fail(countersign.FailDestination, "opted out", nil)
	case f == fateSecondRoute && route != SecondName:
		return fail(countersign.FailTemporary, "HTTP 503", nil)
	}
	var late error
	if f == fateSlow {
		select {
		case <-s.cfg.After(SlowAnswer):
		case <-ctx.Done():
			late = ctx.Err() // the vendor still delivers; only its answer comes too late
		}
	}
	shown.ID, shown.To, shown.Channel, shown.Provider, shown.At = m.ID, m.To.Dial(), string(m.Channel), route, s.cfg.Now().UTC()
	if f == fateLate {
		if err := s.agenda.add(s.cfg.Now().Add(delay), func(ctx context.Context) {
			shown.At = s.cfg.Now().UTC()
			s.inbox.add(shown, true)
			s.report(ctx, fateDelivered, m, ref, 0)
		}); err != nil {
			return fail(countersign.FailTemporary, "too busy", err)
		}
		return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
	}
	s.inbox.add(shown, m.Attempt > 1)
	if f == fateDuplicate {
		s.inbox.add(shown, false)
	}
	s.report(ctx, f, m, ref, delay)
	if f == fateAnswerLost {
		return fail(countersign.FailUnknown, "no answer", nil)
	}
	if late != nil {
		return fail(countersign.FailUnknown, "no answer in time", late)
	}
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
}

// newRef draws an id that nobody guesses: who knows that of a data verification completes it.
func newRef() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(b[:])
}
