package provider

import (
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
)

// This file knows how each route fares, by country and channel: what its vendor takes, what it reports as delivered, and
// how many people come back with the code. The counts of the last half hour decide nothing by themselves; a breaker keeps
// sends away from a route that refuses in one country, and a route whose messages do not arrive there is tried last.

const (
	bucketTime = 5 * time.Minute
	buckets    = 6 // the window is half an hour

	maxPlaces = 1024 // countries and channels of one route that are counted apart; more are counted as one

	// A route's receipts have stopped when so many messages were taken since the last one, over so long a time.
	silentAfter = 20
	silentFor   = 2 * time.Minute

	distrustFor = time.Minute // how long a route whose messages do not arrive is tried last
)

// Health is how a route fares in one country, by one channel, in the last half hour.
type Health struct {
	Country string
	Channel countersign.Channel
	Breaker BreakerState // of this country and channel
	Last    bool         // its messages do not arrive here: other routes are tried before it

	Tried       int // sends that the vendor was asked for
	Accepted    int
	Delivered   int // receipts
	Undelivered int
	Verified    int           // verifications that ended with the right code
	Unverified  int           // that expired or failed
	VerifyTime  time.Duration // mean, from the start to the right code
}

// Rates. They are below zero where there is nothing to divide.

// AcceptRate is the share of sends that the vendor took.
func (h *Health) AcceptRate() float64 { return share(h.Accepted, h.Tried) }

// ReceiptRate is the share of taken messages of which a receipt tells how they ended. A doubled receipt counts twice.
func (h *Health) ReceiptRate() float64 { return share(h.Delivered+h.Undelivered, h.Accepted) }

// DeliveryRate is the share of these receipts that tell of a delivery.
func (h *Health) DeliveryRate() float64 { return share(h.Delivered, h.Delivered+h.Undelivered) }

// VerifiedRate is the share of ended verifications whose code came back.
func (h *Health) VerifiedRate() float64 { return share(h.Verified, h.Verified+h.Unverified) }

// VerifySeconds is VerifyTime for those who show it.
func (h *Health) VerifySeconds() float64 {
	if h.Verified == 0 {
		return -1
	}
	return h.VerifyTime.Seconds()
}

func share(part, whole int) float64 {
	if whole == 0 {
		return -1
	}
	return min(1, float64(part)/float64(whole))
}

// ReceiptState says whether a vendor's reports on deliveries come in.
type ReceiptState string

// The states of receipts.
const (
	ReceiptsNone    ReceiptState = "none"    // the route takes none
	ReceiptsWaiting ReceiptState = "waiting" // none yet, and too few messages to say more
	ReceiptsComing  ReceiptState = "coming"
	ReceiptsSilent  ReceiptState = "silent" // they have stopped, or never came: look at the vendor's callback address
)

// spot is what health is counted by.
type spot struct {
	country string
	channel countersign.Channel
}

// health is one route's.
type health struct {
	now func() time.Time

	places atomic.Pointer[map[spot]*place] // copied when one is added, so that reading takes no lock
	grow   sync.Mutex

	receipts atomic.Int64 // since the process began
	mu       sync.Mutex
	unheard  int       // messages taken since the last receipt
	since    time.Time // when the first of them was taken
}

// place is one route in one country, by one channel.
type place struct {
	breaker breaker
	trust   trust

	mu      sync.Mutex
	buckets [buckets]bucket
}

type bucket struct {
	epoch                                                         int64 // which five minutes
	tried, accepted, delivered, undelivered, verified, unverified int
	took                                                          time.Duration
}

// at finds a place, or makes it.
func (h *health) at(country string, ch countersign.Channel) *place {
	s := spot{country, ch}
	if p := h.known(s); p != nil {
		return p
	}
	h.grow.Lock()
	defer h.grow.Unlock()
	var grown map[spot]*place
	if old := h.places.Load(); old != nil {
		if p := (*old)[s]; p != nil {
			return p
		}
		if len(*old) >= maxPlaces {
			s = spot{channel: ch}
			if p := (*old)[s]; p != nil {
				return p
			}
		}
		grown = maps.Clone(*old)
	} else {
		grown = make(map[spot]*place)
	}
	p := &place{breaker: breaker{now: h.now}}
	grown[s] = p
	h.places.Store(&grown)
	return p
}

func (h *health) known(s spot) *place {
	if all := h.places.Load(); all != nil {
		return (*all)[s]
	}
	return nil
}

// ailing says whether other routes should be tried before this one. Of a route that is not trusted that is false once a
// minute, to whoever asks then.
func (h *health) ailing(country string, ch countersign.Channel) bool {
	p := h.known(spot{country, ch})
	return p != nil && (p.breaker.resting() || !p.trust.pass(h.now()))
}

// count changes the bucket of the moment.
func (p *place) count(now time.Time, change func(b *bucket)) {
	epoch := now.UnixNano() / int64(bucketTime)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.buckets[epoch%buckets]
	if b.epoch != epoch {
		*b = bucket{epoch: epoch}
	}
	change(b)
}

// tried counts a send that the vendor was asked for.
func (h *health) tried(p *place, accepted bool) {
	now := h.now()
	p.count(now, func(b *bucket) {
		b.tried++
		if accepted {
			b.accepted++
		}
	})
	if !accepted {
		return
	}
	h.mu.Lock()
	if h.unheard++; h.unheard == 1 {
		h.since = now
	}
	h.mu.Unlock()
}

// heard counts a receipt.
func (h *health) heard(country string, ch countersign.Channel, status countersign.DeliveryStatus) {
	h.receipts.Add(1)
	h.mu.Lock()
	h.unheard = 0
	h.mu.Unlock()
	delivered := status == countersign.DeliveryDelivered
	if !delivered && status != countersign.DeliveryUndelivered && status != countersign.DeliveryFailed {
		return
	}
	now, p := h.now(), h.at(country, ch)
	p.trust.record(now, delivered)
	p.count(now, func(b *bucket) {
		if delivered {
			b.delivered++
		} else {
			b.undelivered++
		}
	})
}

// ended counts a verification whose last message went this way.
func (h *health) ended(country string, ch countersign.Channel, verified bool, took time.Duration) {
	h.at(country, ch).count(h.now(), func(b *bucket) {
		if !verified {
			b.unverified++
			return
		}
		b.verified++
		b.took += took
	})
}

// receiptState tells whether receipts come in.
func (h *health) receiptState(expected bool) ReceiptState {
	h.mu.Lock()
	unheard, since := h.unheard, h.since
	h.mu.Unlock()
	switch {
	case !expected && h.receipts.Load() == 0:
		return ReceiptsNone
	case unheard >= silentAfter && h.now().Sub(since) >= silentFor:
		return ReceiptsSilent
	case h.receipts.Load() == 0:
		return ReceiptsWaiting
	}
	return ReceiptsComing
}

// list sums the buckets of every place, by country and channel.
func (h *health) list() []Health {
	all := h.places.Load()
	if all == nil {
		return nil
	}
	now := h.now()
	oldest := now.UnixNano()/int64(bucketTime) - buckets
	list := make([]Health, 0, len(*all))
	for s, p := range *all {
		one := Health{Country: s.country, Channel: s.channel, Breaker: p.breaker.state(), Last: p.trust.lost(now)}
		p.mu.Lock()
		for _, b := range p.buckets {
			if b.epoch <= oldest {
				continue
			}
			one.Tried += b.tried
			one.Accepted += b.accepted
			one.Delivered += b.delivered
			one.Undelivered += b.undelivered
			one.Verified += b.verified
			one.Unverified += b.unverified
			one.VerifyTime += b.took
		}
		p.mu.Unlock()
		if one.Verified > 0 {
			one.VerifyTime /= time.Duration(one.Verified)
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Health) int {
		if a.Country != b.Country {
			return strings.Compare(a.Country, b.Country)
		}
		return strings.Compare(string(a.Channel), string(b.Channel))
	})
	return list
}

// trust remembers of the last messages whether they arrived. It never keeps a message back: people with their phones
// switched off, or an attacker with numbers that do not exist, must not be able to close a route. It only puts the route
// behind others, and lets one message a minute find out whether that is still right.
type trust struct {
	mu    sync.Mutex
	bits  uint32 // the newest lowest; 1 is a message that did not arrive
	seen  int
	lapse time.Time // when the next message may try; zero while the route is trusted
}

// record takes a final receipt. Three quarters of the last twenty must not have arrived.
func (t *trust) record(now time.Time, arrived bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bits = t.bits << 1 & (1<<window - 1)
	if !arrived {
		t.bits |= 1
	}
	t.seen = min(t.seen+1, window)
	lost := t.seen == window && 4*bits.OnesCount32(t.bits) >= 3*window
	switch {
	case !t.lapse.IsZero() && arrived:
		t.bits, t.seen, t.lapse = 0, 0, time.Time{}
	case t.lapse.IsZero() && lost:
		t.lapse = now.Add(distrustFor)
	}
}

// pass says whether a message may go this way first. Of a route that is not trusted one a minute may.
func (t *trust) pass(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lapse.IsZero() {
		return true
	}
	if now.Before(t.lapse) {
		return false
	}
	t.lapse = now.Add(distrustFor)
	return true
}

func (t *trust) lost(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.lapse)
}

// Heard takes what the engine observed: receipts and ends tell how a route fares.
func (r *Routes) Heard(e countersign.Event) {
	if e.Name != countersign.EventReceipt && e.Name != countersign.EventEnded {
		return
	}
	made := r.byName[e.Provider]
	if made == nil {
		return
	}
	switch {
	case e.Name == countersign.EventReceipt:
		made.health.heard(e.Country, e.Channel, countersign.DeliveryStatus(e.Result))
	case e.Result == string(countersign.StatusApproved):
		made.health.ended(e.Country, e.Channel, true, e.Duration)
	case e.Result == string(countersign.StatusExpired), e.Result == string(countersign.StatusFailed):
		made.health.ended(e.Country, e.Channel, false, 0)
	}
}

// State is how a route stands now, for the operator.
type State struct {
	Name      string
	Channels  []countersign.Channel
	Countries []string // empty: every country
	Hosted    bool
	Sender    string
	Senders   map[string]string // by country
	Breaker   BreakerState
	Resting   bool // its vendor failed too often: it is left out for some seconds
	InFlight  int
	Receipts  ReceiptState
	Health    []Health
}

// States lists all routes as declared.
func (r *Routes) States() []State {
	list := make([]State, 0, len(r.routes))
	for _, made := range r.routes {
		list = append(list, State{
			Name: made.Name, Channels: made.Channels, Countries: made.Countries, Hosted: made.Hosted, Sender: made.Sender, Senders: made.Senders,
			Breaker: made.breaker.state(), Resting: made.breaker.resting(), InFlight: int(made.inFlight.Load()),
			Receipts: made.health.receiptState(made.Receipts), Health: made.health.list(),
		})
	}
	return list
}

// Way is one rule of an app, as its messages meet it.
type Way struct {
	Channel   countersign.Channel
	Countries []string // empty: every country
	Prefixes  []string // empty: every number
	Routes    []string
	Weights   []int // of the routes; nil: in their order
}

// Ways lists an app's rules in the order in which they are looked at.
func (r *Routes) Ways(app string) []Way {
	t, ok := r.apps[app]
	if !ok {
		t = r.general
	}
	var list []Way
	for _, ch := range slices.Sorted(maps.Keys(t)) {
		for i := range t[ch] {
			l := &t[ch][i]
			list = append(list, Way{
				Channel: ch, Countries: slices.Sorted(maps.Keys(l.countries)), Prefixes: l.prefixes, Routes: l.names, Weights: l.weights,
			})
		}
	}
	return list
}
