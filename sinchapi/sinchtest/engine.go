// Package sinchtest has a small engine in memory for tests of the Sinch face: it keeps verifications, knows one code
// for each alphabet, and fails on demand. It counts no limits; the real engine's tests do.
package sinchtest

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"time"

	"countersign"
)

// The codes that are right, by what was asked for.
const (
	DigitsCode       = "123456"
	LettersCode      = "ABCDEF"
	AlphanumericCode = "A2C4E6"
	CallerCode       = "+18156540001" // of a flash call
)

// Engine is an engine in memory. Its fields may be set before use; methods are safe for concurrent use.
type Engine struct {
	// Fail answers a start or a check with this error, when not nil.
	Fail error
	// Seamless opens the seamless channel, which is closed otherwise.
	Seamless bool

	mu     sync.Mutex
	offset time.Duration
	list   []*countersign.Verification // oldest first
	starts []countersign.StartRequest
}

// Now is the engine's clock.
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now()
}

func (e *Engine) now() time.Time { return time.Now().Add(e.offset) }

// Advance moves the clock forward.
func (e *Engine) Advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.offset += d
}

// Starts lists what was asked for, oldest first.
func (e *Engine) Starts() []countersign.StartRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.starts)
}

// Set changes a verification.
func (e *Engine) Set(id string, change func(*countersign.Verification)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.list {
		if v.ID == id {
			change(v)
		}
	}
}

// Start makes a verification whose code is one of the constants.
func (e *Engine) Start(ctx context.Context, q *countersign.StartRequest) (*countersign.Verification, error) {
	if e.Fail != nil {
		return nil, e.Fail
	}
	if q.Channel == countersign.ChannelSeamless && !e.Seamless {
		return nil, &countersign.Error{Kind: countersign.ErrInvalidRequest, Pointer: "/channel", Detail: "No route serves this channel."}
	}
	v := e.begin(q)
	if q.Confirm != nil {
		ok, err := q.Confirm(ctx, &v)
		if !ok || err != nil {
			e.Set(v.ID, func(v *countersign.Verification) { v.Status = countersign.StatusDenied })
			if err == nil {
				err = &countersign.Error{Kind: countersign.ErrForbidden, VerificationID: v.ID, Detail: "The app's callback denied this verification."}
			}
			return nil, err
		}
	}
	e.Set(v.ID, func(v *countersign.Verification) {
		v.Deliveries = []countersign.Delivery{{ID: "msg_1", Channel: v.Channel, Status: countersign.DeliveryAccepted}}
	})
	return &v, nil
}

func (e *Engine) begin(q *countersign.StartRequest) countersign.Verification {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.starts = append(e.starts, *q)
	if q.Supersede {
		for _, old := range e.list {
			if old.App == q.App.ID && old.To == q.To && old.Face == q.Face && old.Status == countersign.StatusPending {
				old.Status = countersign.StatusCanceled
			}
		}
	}
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	now, lifetime := e.now(), q.Lifetime
	if lifetime == 0 {
		lifetime = countersign.DefaultLifetime
	}
	v := &countersign.Verification{
		ID:  "ver_abc" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:])),
		App: q.App.ID, Status: countersign.StatusPending, To: q.To, Channel: q.Channel, Purpose: q.Purpose, Face: q.Face,
		Reference: q.Reference, Custom: q.Custom, Created: now, Now: now, Expires: now.Add(lifetime),
		CodeLength: 6, Alphabet: max(q.Alphabet, countersign.Digits), ChecksLeft: countersign.MaxChecks, Sends: 1,
	}
	switch q.Channel {
	case countersign.ChannelFlashCall:
		v.Hosted = countersign.Hosted{Route: "fake", Scheme: "(.*)8156(.*)"}
	case countersign.ChannelSeamless:
		v.Hosted = countersign.Hosted{Route: "fake", Scheme: "/dev/seamless/" + v.ID}
	}
	e.list = append(e.list, v)
	return *v
}

func rightCode(v *countersign.Verification) string {
	switch {
	case v.Channel == countersign.ChannelFlashCall:
		return CallerCode
	case v.Alphabet == countersign.Letters:
		return LettersCode
	case v.Alphabet == countersign.Alphanumeric:
		return AlphanumericCode
	}
	return DigitsCode
}

// Check compares one guess.
func (e *Engine) Check(_ context.Context, q *countersign.CheckRequest) (*countersign.Verification, error) {
	if e.Fail != nil {
		return nil, e.Fail
	}
	guess, err := countersign.ParseGuess(q.Code)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.find(func(v *countersign.Verification) bool { return v.ID == q.ID && v.App == q.App.ID })
	switch {
	case v == nil:
		return nil, notFound()
	case v.Status == countersign.StatusExpired:
		return nil, countersign.Fail(countersign.ErrVerificationExpired, "The code's time ran out. Start a new verification.")
	case v.Status != countersign.StatusPending:
		return nil, countersign.Fail(countersign.ErrVerificationClosed, "This verification has ended. Start a new one.")
	case v.Channel != countersign.ChannelFlashCall && !guess.Fits(v.Alphabet, v.CodeLength):
		return nil, countersign.Fail(countersign.ErrInvalidCode, "This is not of the code's shape.")
	}
	if guess.Reveal() != rightCode(v) {
		if v.ChecksLeft--; v.ChecksLeft == 0 {
			v.Status = countersign.StatusFailed
		}
		left := v.ChecksLeft
		return nil, &countersign.Error{Kind: countersign.ErrIncorrectCode, ChecksLeft: &left, VerificationID: v.ID, Detail: "The code is not right."}
	}
	v.Status = countersign.StatusApproved
	done := *v
	return &done, nil
}

// Get reads one verification.
func (e *Engine) Get(_ context.Context, app *countersign.App, id string) (*countersign.Verification, error) {
	return e.read(func(v *countersign.Verification) bool { return v.App == app.ID && v.ID == id })
}

// Newest finds the newest verification of an address.
func (e *Engine) Newest(_ context.Context, app *countersign.App, to countersign.Address, face countersign.Face, ch countersign.Channel) (*countersign.Verification, error) {
	return e.read(func(v *countersign.Verification) bool {
		return v.App == app.ID && v.To == to && v.Face == face && (ch == "" || v.Channel == ch)
	})
}

// ByReference finds the newest verification of a reference.
func (e *Engine) ByReference(_ context.Context, app *countersign.App, reference string, face countersign.Face) (*countersign.Verification, error) {
	return e.read(func(v *countersign.Verification) bool {
		return v.App == app.ID && v.Reference == reference && v.Face == face
	})
}

func (e *Engine) read(match func(*countersign.Verification) bool) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.find(match)
	if v == nil {
		return nil, notFound()
	}
	found := *v
	found.Now = e.now()
	return &found, nil
}

// find gives the newest match, expired if its time is over. The lock is held.
func (e *Engine) find(match func(*countersign.Verification) bool) *countersign.Verification {
	for _, v := range slices.Backward(e.list) {
		if !match(v) {
			continue
		}
		if v.Status == countersign.StatusPending && !e.now().Before(v.Expires) {
			v.Status = countersign.StatusExpired
		}
		return v
	}
	return nil
}

func notFound() error {
	return countersign.Fail(countersign.ErrNotFound, "There is no such verification for this app.")
}

// Texts renders a message in two languages.
type Texts struct{}

// Notice implements countersign.Texts.
func (Texts) Notice(countersign.Notice, string) countersign.Rendered { return countersign.Rendered{} }

// Render implements countersign.Texts.
func (Texts) Render(in countersign.Text) (countersign.Rendered, error) {
	if strings.HasPrefix(in.Locale, "sv") {
		return countersign.Rendered{Body: "Din verifieringskod är " + in.Code + ".", Locale: "sv"}, nil
	}
	return countersign.Rendered{Body: "Your code is " + in.Code + ".", Locale: "en"}, nil
}

// Reset forgets everything.
func (e *Engine) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.starts = nil, nil
}
