package countersign

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"
)

// Idempotency is a caller's key for a request, and what was asked under it. The face knows the scope (app, route,
// and the client's address with a publishable key) and puts it into Scope.
type Idempotency struct {
	Key   string // 1 to 255 visible ASCII characters; "" for none
	Scope string
	Body  []byte // the request's body, to tell another request under the same key
}

func (i Idempotency) take(ring *Keyring) (key, body Hash) {
	if i.Key == "" {
		return Hash{}, Hash{}
	}
	return ring.LookupHash("idempotency", i.Scope, i.Key), ring.LookupHash("body", string(i.Body))
}

const (
	idempotencyLifetime = 24 * time.Hour
	idempotencyLease    = 30 * time.Second
	idempotencyPause    = time.Second // before a repeat of what still runs is worth it
)

// StartRequest asks for a verification.
type StartRequest struct {
	App         *App
	To          Address
	Channel     Channel
	Purpose     Purpose
	Face        Face
	Locale      string
	Reference   string            // at most 128 characters
	Metadata    map[string]string // at most 16 pairs, 1 KiB in all
	Nonce       string            // at most 128 characters; comes back in the proof
	User        string            // whose number To is, with purpose stepup; comes back in the proof
	Transaction *Transaction
	Client      Client
	Wait        bool // the answer waits until a provider took the message
	Signed      bool // the caller proved that it holds a secret
	Idempotency Idempotency

	ChallengeResponse string // to the challenge of an earlier refusal; "" without one
	DeviceToken       string // of an earlier approval on this device; "" without one
	Form              *Form  // of ours that this came by; nil without one

	// What the vendors' faces may ask for; zero means the app's policy.
	Alphabet  Alphabet
	Length    int
	Lifetime  time.Duration
	MaxSends  int
	Custom    string
	Supersede bool
	Limits    []Limit // the caller's own, counted beside the guard's
	// Confirm, when set, is asked after the verification was begun and before anything is sent. False denies it.
	Confirm func(ctx context.Context, v *Verification) (bool, error)
}

// Start makes a code and sends it. A refusal makes no verification. When every route refused the message, the
// error is ErrDeliveryFailed and names the verification, which is undeliverable.
func (v *Verifier) Start(ctx context.Context, q *StartRequest) (*Verification, error) {
	began := time.Now()
	d, err := v.start(ctx, q)
	e := Event{
		Name: EventStarted, App: q.App.ID, Channel: q.Channel, Country: q.To.Country(), Purpose: q.Purpose, Face: q.Face,
		Result: "ok", Duration: time.Since(began),
	}
	if d != nil {
		e.Verification, e.Channel = shortID(d.ID), d.Channel
	}
	if err != nil {
		e.Result, e.Err = string(KindOf(err)), err
		if d == nil {
			e.Name = EventRefused
		}
	}
	v.cfg.Observer.Observe(e)
	return d, err
}

func (v *Verifier) start(ctx context.Context, q *StartRequest) (*Verification, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	ring := v.cfg.Keys()
	phone := ring.PhoneHash(q.To)
	path, err := v.cfg.Dispatcher.Plan(&Wish{App: q.App.ID, Channel: q.Channel, To: q.To, Purpose: q.Purpose, Phone: phone})
	if err != nil {
		return nil, err
	}
	auto := q.Channel == ChannelAuto
	if auto {
		resolved := *q
		resolved.Channel = path.Channel
		if err := resolved.validate(); err != nil {
			return nil, err
		}
		q = &resolved
	}
	s := &starting{v: v, q: q, ring: ring, path: path, phone: phone, auto: auto}
	limits, err := s.judge(ctx)
	if err != nil {
		return nil, err
	}

	// From here on things are counted, and a client that hangs up must not undo that.
	ctx = detached(ctx)
	s.take = Take{Limits: together(q.Limits, limits), ID: q.newID(s.phone), Lifetime: idempotencyLifetime, Lease: idempotencyLease}
	s.take.Key, s.take.Body = q.Idempotency.take(ring)
	if err := s.compose(s.take.ID); err != nil {
		return nil, err
	}
	o, done, err := s.open(ctx)
	if done != nil || err != nil {
		return done, err
	}
	return s.begun(ctx, o)
}

// together is the caller's own limits and the guard's.
func together(own, guards []Limit) []Limit {
	if len(own) == 0 {
		return guards
	}
	return slices.Concat(own, guards)
}

func (q *StartRequest) validate() error {
	bad := func(pointer, detail string) error {
		return &Error{Kind: ErrInvalidRequest, Pointer: pointer, Detail: detail}
	}
	_, isMail := q.To.Email()
	switch {
	case (q.Channel == ChannelEmail) != isMail:
		return bad("/channel", "The channel email goes with an e-mail address in `to`, every other channel with a phone number.")
	case !q.Channel.Serves(q.Purpose):
		pointer, detail := unserved(q.Channel)
		return bad(pointer, detail)
	case q.Purpose == PurposeTransaction && q.Transaction == nil:
		return bad("/transaction", "The purpose transaction needs a transaction: what is approved must be shown.")
	case q.Purpose != PurposeTransaction && q.Transaction != nil:
		return bad("/transaction", "A transaction goes with the purpose transaction only.")
	case utf8.RuneCountInString(q.Reference) > 128:
		return bad("/reference", "At most 128 characters.")
	case utf8.RuneCountInString(q.Nonce) > 128:
		return bad("/nonce", "At most 128 characters.")
	case len(q.Metadata) > 16:
		return bad("/metadata", "At most 16 pairs.")
	}
	size := 0
	for k, val := range q.Metadata {
		size += len(k) + len(val)
	}
	if size > 1024 {
		return bad("/metadata", "At most 1024 bytes in all.")
	}
	return nil
}

// unserved says what a caller can do where a channel does not serve a purpose.
func unserved(ch Channel) (pointer, detail string) {
	switch ch {
	case ChannelEmail:
		return "/purpose", "E-mail serves the purposes signup and login only."
	case ChannelFlashCall:
		return "/channel", "A flash call shows nothing and is too easy to guess for this purpose. Use sms."
	}
	return "/channel", "A call may be taken by a voicemail box and is not used for this purpose. Use sms."
}

func (v *Verifier) refuseOptedOut(ctx context.Context, ring *Keyring, sender string, to Address, phone Hash) error {
	if v.cfg.OptedOut == nil {
		return nil
	}
	out, err := v.cfg.OptedOut(ctx, sender, to, phone, ring.FormerHashes(to)...)
	if err != nil {
		return err
	}
	if out {
		return Fail(ErrOptedOut, "The person at this number answered STOP to our messages. Ask them to text START to the sender, or use another channel.")
	}
	return nil
}
