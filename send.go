package countersign

import (
	"context"
	"errors"
	"time"
)

// This file carries messages to providers and writes down what became of them. The rule: whatever happens, a
// verification ends up sent, or in a state that says it was not; when nobody knows, its lease stays and the sweep
// finds out.

// carry hands a message to the routes within SendTimeout and reports how that went.
func (v *Verifier) carry(ctx context.Context, p Path, r *Record, m *Message) (Dispatched, error) {
	d, err := Dispatched{}, error(nil)
	defer v.keep(r, m).stop(&d.Delivery)
	ctx, cancel := context.WithTimeout(ctx, v.cfg.SendTimeout)
	defer cancel()
	began := time.Now()
	if r.Test {
		d = v.sentNowhere(r, m)
	} else {
		d, err = v.cfg.Dispatcher.Dispatch(ctx, p, m)
	}
	if d.Delivery.At.IsZero() {
		d.Delivery.At = v.Now()
	}
	v.cfg.Observer.Observe(Event{
		Name: EventSent, App: r.App, Verification: shortID(r.ID), Channel: r.Channel, Country: r.Country, Purpose: r.Purpose,
		Face: r.Face, Provider: d.Delivery.Provider, Result: string(d.Delivery.Status), Duration: time.Since(began), Err: err,
		Test: r.Test, MaybeTwice: d.MaybeTwice,
	})
	return d, err
}

// sentMove says what a send means for its record.
func sentMove(r *Record, d Dispatched, failure error) *Sent {
	s := &Sent{ID: r.ID, Channel: d.Delivery.Channel, Delivery: d.Delivery, Hosted: d.HostedRoute, HostedRef: d.HostedRef}
	var f *Failure
	switch {
	case failure == nil:
	case errors.As(failure, &f) && f.Class == FailUnknown:
		s.KeepLease, s.Hosted, s.HostedRef = true, r.Hosted, r.HostedRef
		if s.Lease = sendLease; !d.Askable {
			// To hand it over again may put another message on the phone: not before the cooldown lets one through anyway.
			s.Lease = Cooldown(r.Sends)
		}
	case errors.As(failure, &f) && f.Class == FailDenied:
		s.End = StatusDenied
	case unknownBefore(r, d) && (f == nil || f.Class == FailTemporary || f.Class == FailOperator):
		// An attempt whose answer was lost may have reached the phone. That a later one cannot be made says nothing of it.
		s.KeepLease, s.Hosted, s.HostedRef = true, r.Hosted, r.HostedRef
		s.Delivery.Status = DeliveryQueued
	case r.Sends > 1 && len(r.Deliveries) > 0:
		// An earlier message may be on its way with the same code: a failed resend ends nothing.
		s.Hosted, s.HostedRef = r.Hosted, r.HostedRef
	default:
		s.End = StatusUndeliverable
	}
	return s
}

// unknownBefore says whether this very message was handed over before and nobody knows what became of it.
func unknownBefore(r *Record, d Dispatched) bool {
	for _, have := range r.Deliveries {
		if have.ID == d.Delivery.ID {
			return have.Status == DeliveryQueued
		}
	}
	return false
}

// dispatch sends and writes down, for callers who do not wait; counted is what the message took. It says how that ended
// the verification, if it did.
func (v *Verifier) dispatch(ctx context.Context, r *Record, p Path, m *Message, counted []Limit) (end Status) {
	defer v.sending.written(r.ID) // also where a provider panics
	d, failure := v.carry(ctx, p, r, m)
	if failure == nil {
		v.bill(counted, r, &d.Delivery)
	}
	move := sentMove(r, d, failure)
	if err := v.sent(ctx, r, move); err != nil {
		v.fault("writing down a send", r, err)
	}
	return move.End
}

// sent writes down a send.
func (v *Verifier) sent(ctx context.Context, r *Record, s *Sent) error {
	defer v.sending.written(s.ID)
	o, err := v.cfg.Store.Sent(ctx, s)
	if err != nil {
		return err
	}
	v.wrote(s, o)
	return nil
}

// wrote passes on what a send made of its record.
func (v *Verifier) wrote(s *Sent, o *Outcome) {
	if o.Record == nil {
		return
	}
	v.log.add(o.Record)
	if s.End != "" && o.Record.Status == s.End {
		v.observeEnd(o.Record)
	}
}

// later runs a step behind the answer on a context of its own.
func (v *Verifier) later(ctx context.Context, step func(ctx context.Context)) {
	err := v.behind.do(func() {
		ctx = detached(ctx)
		step(ctx)
	})
	if err != nil {
		// The process is stopping and waits only for what it has: do it now.
		step(ctx)
	}
}

// ended reports a record that some move ended.
func (v *Verifier) ended(r *Record) {
	v.log.add(r)
	v.observeEnd(r)
}

func (v *Verifier) observeEnd(r *Record) {
	provider := ""
	if n := len(r.Deliveries); n > 0 {
		provider = r.Deliveries[n-1].Provider
	}
	v.cfg.Observer.Observe(Event{
		Name: EventEnded, App: r.App, Verification: shortID(r.ID), Channel: r.Channel, Country: r.Country, Purpose: r.Purpose, Test: r.Test,
		Face: r.Face, Provider: provider, Result: string(r.Status), Duration: r.Ended.Sub(r.Created),
	})
}

// SendRequest asks for the code again, maybe by another channel.
type SendRequest struct {
	App         *App
	ID          string
	Channel     Channel // "" keeps the verification's, or takes the ladder's next where it is the ladder's to choose
	Client      Client
	Face        Face
	Wait        bool
	Signed      bool
	Idempotency Idempotency
	Limits      []Limit // the caller's own, counted beside the guard's

	ChallengeResponse string // to the challenge of an earlier refusal; "" without one
	DeviceToken       string // of an earlier approval on this device; "" without one
}

// Send sends a pending verification's code again: the same code, within the same life.
func (v *Verifier) Send(ctx context.Context, q *SendRequest) (*Verification, error) {
	now, err := v.own(ctx, q.App, q.ID)
	if err != nil {
		return nil, err
	}
	sealed, to, err := v.open(now.Record)
	if err != nil {
		return nil, err
	}
	ring := v.cfg.Keys()
	path, err := v.cfg.Dispatcher.Plan(wishAgain(now.Record, sealed, to, q.Channel))
	if err != nil {
		return nil, err
	}
	channel := path.Channel
	if err := resendable(now.Record, to, channel); err != nil {
		return nil, err
	}
	device, err := v.device(ring, q.App.ID, q.DeviceToken)
	if err != nil {
		return nil, err
	}
	asked, work, limits, err := v.judgeSend(ctx, q, now.Record, to, channel, device)
	if err != nil {
		return nil, err
	}
	if now.Record.Test {
		path = Path{Channel: channel, OwnCode: true}
	}
	if now.Record.Hosted == "" {
		path.Hosted = "" // our own code is out already: it stays ours
	}

	ctx = detached(ctx)
	if err := v.refuseOptedOut(ctx, ring, path.Sender, to, ring.PhoneHash(to)); err != nil {
		v.decided(ctx, asked, nil, err)
		return nil, err
	}
	take := &Take{Limits: together(q.Limits, limits), ID: q.ID, Lifetime: idempotencyLifetime, Lease: idempotencyLease}
	take.Key, take.Body = q.Idempotency.take(ring)
	taken, done, err := v.countSend(ctx, asked, take, work)
	if done != nil || err != nil {
		return done, err
	}
	o, err := v.moveResend(ctx, ring, q, now.Record, to, path, device)
	if err != nil {
		return nil, err
	}
	if o.Result != OutcomeOK {
		v.release(ctx, take)
		err := refusal(o)
		v.decided(ctx, asked, taken, err)
		return nil, err
	}
	if o.Replayed {
		v.release(ctx, &Take{Limits: take.Limits})
		v.finishKey(ctx, take, o.Record)
		return v.describe(o)
	}
	v.decided(ctx, asked, taken, nil)
	v.log.add(o.Record)
	d, err := v.resend(ctx, q, path, o, sealed, to, take.Limits)
	if errors.Is(err, ErrDeliveryFailed) {
		v.release(ctx, &Take{Limits: budgetsOf(take.Limits)})
	}
	if err == nil || errors.Is(err, ErrDeliveryFailed) {
		v.finishKey(ctx, take, o.Record)
	}
	return d, err
}

// moveResend counts another message, if it may go out.
func (v *Verifier) moveResend(ctx context.Context, ring *Keyring, q *SendRequest, r *Record, to Address, path Path, device *Device) (*Outcome, error) {
	move := &Resend{
		App: q.App.ID, ID: q.ID, Channel: path.Channel, Hosted: path.Hosted, MinLife: MinResendLife, Lease: sendLease,
		Exempt: r.Test, Device: device, Request: request(ring, q.Idempotency),
	}
	if q.App.Policy.NewCodes && r.Hosted == "" && !r.Test {
		move.NewCode = v.newCode(ring, r, to)
	}
	var o *Outcome
	err := once(ctx, func() (_ bool, err error) {
		o, err = v.moves.Resend(ctx, move)
		return err == nil && o.Result == OutcomeBusy, err
	})
	if err != nil {
		o, err = v.forgotten(ctx, q.App, q.ID, err)
	}
	return o, err
}

// judgeSend asks the guard about a resend. What is to be counted is in the result.
func (v *Verifier) judgeSend(ctx context.Context, q *SendRequest, r *Record, to Address, ch Channel, d *Device) (*Attempt, *work, []Limit, error) {
	hash := v.cfg.Keys().LookupHash
	w, err := v.worked(ChallengeSubject{
		App: q.App.ID, Action: ActionSend, Phone: r.Phone, Purpose: r.Purpose, Network: network(q.Client.Addr), Hash: hash,
	}, q.ChallengeResponse)
	if err != nil {
		return nil, nil, nil, err
	}
	asked := &Attempt{
		Action: ActionSend, App: q.App, To: to, Channel: ch, Purpose: r.Purpose, Client: q.Client, Face: q.Face,
		Now: v.Now(), Test: r.Test, Solved: w.solved(), Proved: d.proved(r.Phone), Hash: hash,
	}
	limits, err := v.judge(asked, w)
	if err != nil {
		v.decided(ctx, asked, nil, err)
	}
	return asked, w, limits, err
}

// judge asks the guard. A demand for a challenge that hangs on no limit becomes one.
func (v *Verifier) judge(a *Attempt, w *work) ([]Limit, error) {
	limits, err := v.cfg.Guard.Judge(a)
	var demand *Demand
	if a.Test && (err == nil || errors.As(err, &demand)) {
		return nil, nil
	}
	if errors.As(err, &demand) {
		err = w.refused(&Rate{Limit: Limit{Name: demand.Rule, Challenge: demand.Difficulty}, RetryIn: demand.RetryIn})
	}
	return w.limits(limits), err
}

// resendable refuses a change of channel that a start would refuse too, and one that would change what a guess is: the
// code of a flash call is the caller's number.
func resendable(r *Record, to Address, ch Channel) error {
	if ch != r.Channel && (ch == ChannelFlashCall || r.Channel == ChannelFlashCall || r.Channel == ChannelSeamless) {
		return &Error{Kind: ErrInvalidRequest, Pointer: "/channel", Detail: "This verification's channel cannot change between a flash call and a code. Start a new one."}
	}
	q := StartRequest{To: to, Channel: ch, Purpose: r.Purpose}
	if r.Purpose == PurposeTransaction {
		q.Transaction = &Transaction{}
	}
	return q.validate()
}

// wishAgain looks for the way of another message. What was sent and has not arrived must not go the same way again.
func wishAgain(r *Record, s *Sealed, to Address, ch Channel) *Wish {
	w := &Wish{App: r.App, Channel: ch, To: to, Purpose: r.Purpose, Phone: r.Phone, Last: r.Channel, Auto: s.Auto, Missed: true}
	for _, d := range r.Deliveries {
		w.Missed = astray(r, d)
		if w.Missed && d.Provider != "" {
			w.Failed = append(w.Failed, d.Provider)
		}
	}
	return w
}

// astray says whether a message has not arrived, as far as anybody told. A vendor who owns the code is left only when it
// said so itself: with another one the code changes, and the message that is late after all would hold a wrong one.
func astray(r *Record, d Delivery) bool {
	if r.Hosted != "" && d.Provider == r.Hosted {
		return d.Status == DeliveryUndelivered || d.Status == DeliveryFailed || d.Status == DeliveryQueued
	}
	return d.Status != DeliveryDelivered
}

func (v *Verifier) newCode(ring *Keyring, r *Record, to Address) *Recode {
	fresh := *r
	fresh.Nonce = randomNonce()
	code, key := ring.NewCodeFor(subject(&fresh, to), r.Alphabet, r.Length)
	return &Recode{CodeKey: key, Nonce: fresh.Nonce, Tag: ring.NewTag(r.App, r.ID, code)}
}

func (v *Verifier) resend(ctx context.Context, q *SendRequest, path Path, o *Outcome, sealed *Sealed, to Address, counted []Limit) (*Verification, error) {
	r := o.Record
	left := r.Expires.Sub(o.Now)
	m, err := v.messageFor(q.App, r, sealed, to, left, q.Signed, r.Sends)
	if err != nil {
		return nil, err
	}
	path.Hosted = r.Hosted
	d := describe(o, sealed, to)
	if !q.Wait {
		d.Deliveries = append(d.Deliveries, Delivery{ID: m.ID, Channel: r.Channel, Status: DeliveryQueued, At: o.Now})
		v.sending.announce(r.ID, d.Deliveries[len(d.Deliveries)-1])
		v.later(ctx, func(context.Context) {
			ctx = detached(ctx)
			v.dispatch(ctx, r, path, m, counted)
		})
		return d, nil
	}
	sent, failure := v.carry(ctx, path, r, m)
	if failure == nil {
		v.bill(counted, r, &sent.Delivery)
	}
	d.Deliveries = append(d.Deliveries, sent.Delivery)
	move := sentMove(r, sent, failure)
	if err := v.sent(ctx, r, move); err != nil {
		return nil, err
	}
	if failure != nil && !move.KeepLease {
		return nil, undeliverableBecause(d.ID, failure)
	}
	return d, nil
}

// messageFor derives a record's code again and renders its message.
func (v *Verifier) messageFor(app *App, r *Record, s *Sealed, to Address, left time.Duration, signed bool, attempt int) (*Message, error) {
	code, err := v.cfg.Keys().CodeFor(r.CodeKey, subject(r, to), r.Alphabet, r.Length)
	if err != nil {
		return nil, err
	}
	text, err := render(app, r, s, code, left)
	if err != nil {
		return nil, err
	}
	return newMessage(newID(messagePrefix), r, s, to, code, text, left, signed, attempt), nil
}

// CountCheck counts that a client tries to show who somebody is by something else than a code, as the guard counts checks.
func (v *Verifier) CountCheck(ctx context.Context, app *App, client Client) error {
	limits, err := v.cfg.Guard.Judge(&Attempt{Action: ActionCheck, App: app, Client: client, Now: v.Now(), Hash: v.cfg.Keys().LookupHash})
	if err != nil {
		return err
	}
	return v.takeLimits(detached(ctx), limits)
}

// CountLogin counts that a client's browser begins a login on behalf of an OpenID Connect client.
func (v *Verifier) CountLogin(ctx context.Context, app *App, client Client) error {
	limits, err := v.cfg.Guard.Judge(&Attempt{Action: ActionLogin, App: app, Client: client, Now: v.Now(), Hash: v.cfg.Keys().LookupHash})
	if err != nil {
		return err
	}
	return v.takeLimits(detached(ctx), limits)
}

func (v *Verifier) takeLimits(ctx context.Context, limits []Limit) error {
	if len(limits) == 0 {
		return nil
	}
	taken, err := v.cfg.Store.Take(ctx, &Take{Limits: limits})
	if err != nil {
		return err
	}
	if taken.Refused != nil {
		return rateLimited(taken.Refused)
	}
	return nil
}

func request(ring *Keyring, i Idempotency) Request {
	var r Request
	r.Key, r.Body = i.take(ring)
	return r
}
