package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"countersign"
)

// This file is the sandbox as a vendor who owns the code. It behaves like the real ones: one open verification a
// phone, a newer one ends the older; a guess can be asked about, and the state read.

const (
	maxVerifications = 10_000
	// Callers of flash calls are +1 815 555 0000 to 9999: no subscribers, and ten thousand of them, the least that
	// makes a caller's last digits worth something.
	callerPrefix = "+1815555"
	callerCount  = 10_000
)

// hosted is the provider. All fields below mu belong to it.
type hosted struct {
	s *Sandbox

	mu      sync.Mutex
	byRef   map[string]*verification
	byOurs  map[string]*verification
	byPhone map[string]*verification // the open one
	order   []*verification          // oldest first, to forget
}

// verification is one of the vendor's own.
type verification struct {
	ref, ours, phone string
	channel          countersign.Channel
	caller           string // flash call: who calls
	digits           int    // flash call: how many last digits of the caller's number are enough
	expires          time.Time
	status           countersign.Status
}

var _ countersign.HostedProvider = (*hosted)(nil)

// Send implements countersign.Provider: it starts a verification, or carries one on when it knows it.
func (h *hosted) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	if m.Channel != countersign.ChannelFlashCall && m.Channel != countersign.ChannelSeamless {
		return countersign.Handed{}, &countersign.Failure{Provider: HostedName, Class: countersign.FailOperator, Detail: "channel not served"}
	}
	v := h.start(m)
	shown, scheme := h.shown(m, v)
	handed, err := h.s.deliver(ctx, m, HostedName, shown, v.ref)
	if err != nil {
		return countersign.Handed{}, err
	}
	handed.Scheme = scheme
	return handed, nil
}

// shown is what the inbox shows, and what the client is told to expect.
func (h *hosted) shown(m *countersign.Message, v verification) (shown Message, scheme string) {
	if m.Channel == countersign.ChannelSeamless {
		link := h.s.cfg.PublicURL + "/dev/seamless/" + v.ref
		return Message{Text: link}, link
	}
	if m.Signed {
		// A pattern of the pool, not of the caller: the client picks the call out, and learns the code from the call only.
		scheme = "(.*)" + strings.TrimPrefix(callerPrefix, "+") + "(.*)"
	}
	return Message{Text: "Missed call from " + v.caller, Code: v.caller}, scheme
}

// start finds the verification of a message or makes it. The copy is the caller's own.
func (h *hosted) start(m *countersign.Message) verification {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.s.cfg.Now()
	if v := h.byOurs[m.Verification]; v != nil && v.channel == m.Channel {
		h.age(v, now)
		if v.status == countersign.StatusPending {
			return *v
		}
	}
	v := &verification{
		ref: newRef(), ours: m.Verification, phone: m.To.Dial(), channel: m.Channel,
		expires: now.Add(m.Lifetime), status: countersign.StatusPending,
	}
	if m.Channel == countersign.ChannelFlashCall {
		v.caller, v.digits = newCaller(), len(m.Code.Reveal())
	}
	if old := h.byPhone[v.phone]; old != nil && old.status == countersign.StatusPending {
		old.status = countersign.StatusCanceled
	}
	h.byRef[v.ref], h.byOurs[v.ours], h.byPhone[v.phone] = v, v, v
	h.order = append(h.order, v)
	if len(h.order) > maxVerifications {
		h.forget(h.order[0])
		h.order = h.order[1:]
	}
	return *v
}

func (h *hosted) forget(v *verification) {
	delete(h.byRef, v.ref)
	if h.byOurs[v.ours] == v {
		delete(h.byOurs, v.ours)
	}
	if h.byPhone[v.phone] == v {
		delete(h.byPhone, v.phone)
	}
}

// age expires a verification whose time has come.
func (h *hosted) age(v *verification, now time.Time) {
	if v.status == countersign.StatusPending && !now.Before(v.expires) {
		v.status = countersign.StatusExpired
	}
}

// newCaller draws one of the pool. 2⁶⁴ is so much more than the pool that the remainder favours nobody measurably.
func newCaller() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return fmt.Sprintf("%s%04d", callerPrefix, binary.BigEndian.Uint64(b[:])%callerCount)
}

var errNotStarted = errors.New("the sandbox has no such verification")

// asked finds what a question is about. The lock must be held.
func (h *hosted) asked(q countersign.HostedQuestion) (*verification, error) {
	v := h.byRef[q.Ref]
	if v == nil {
		v = h.byOurs[q.Verification]
	}
	if v == nil || v.ours != q.Verification {
		return nil, &countersign.Failure{Provider: HostedName, Class: countersign.FailTemporary, Detail: "not found", Err: errNotStarted}
	}
	h.age(v, h.s.cfg.Now())
	return v, nil
}

// Report implements countersign.HostedProvider. A caller's number is right in full, or by its last digits, as many as
// the app's codes have. Data verification takes no guess: what counts is that its address was fetched.
func (h *hosted) Report(ctx context.Context, q countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	if err := ctx.Err(); err != nil {
		return countersign.HostedAnswer{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	v, err := h.asked(q)
	if err != nil {
		return countersign.HostedAnswer{}, err
	}
	if v.status == countersign.StatusPending && v.channel == countersign.ChannelFlashCall && v.isCaller(g.Reveal()) {
		v.status = countersign.StatusApproved
	}
	return countersign.HostedAnswer{Status: v.status}, nil
}

func (v *verification) isCaller(guess string) bool {
	if strings.HasPrefix(guess, "+") {
		return guess == v.caller
	}
	return len(guess) == v.digits && strings.HasSuffix(v.caller, guess)
}

// Status implements countersign.HostedProvider.
func (h *hosted) Status(ctx context.Context, q countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	if err := ctx.Err(); err != nil {
		return countersign.HostedAnswer{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	v, err := h.asked(q)
	if err != nil {
		return countersign.HostedAnswer{}, err
	}
	return countersign.HostedAnswer{Status: v.status}, nil
}

// fetched completes a data verification.
func (h *hosted) fetched(ref string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.byRef[ref]
	if v == nil || v.channel != countersign.ChannelSeamless {
		return false
	}
	h.age(v, h.s.cfg.Now())
	if v.status == countersign.StatusPending {
		v.status = countersign.StatusApproved
	}
	return v.status == countersign.StatusApproved
}
