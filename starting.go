package countersign

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file is a start on its way: judged, composed, counted, begun and sent. Start puts the steps in their order.

// starting is one start on its way through the engine.
type starting struct {
	v     *Verifier
	q     *StartRequest
	ring  *Keyring
	path  Path
	phone Hash

	device *Device // nil for a stranger
	work   *work
	asked  *Attempt
	auto   bool       // the ladder chose the channel
	fixed  TestNumber // the zero one for other numbers
	take   Take
	taken  *Taken // nil until something was counted

	record  *Record
	sealed  *Sealed
	code    Code
	text    Rendered
	left    time.Duration // of the code's life, for the message
	attempt int           // above 1, the message may be out already
}

// judge finds out who asks, and what the guard and the person at the number have to say to it. What is to be counted is
// in the result.
func (s *starting) judge(ctx context.Context) ([]Limit, error) {
	v, q := s.v, s.q
	now, test := v.Now(), false
	if s.fixed, test = q.App.testNumber(q.To, now); test {
		s.path = Path{Channel: s.path.Channel, OwnCode: true}
	}
	var err error
	if s.device, err = v.device(s.ring, q.App.ID, q.DeviceToken); err != nil {
		return nil, err
	}
	s.work, err = v.worked(ChallengeSubject{
		App: q.App.ID, Action: ActionStart, Phone: s.phone, Purpose: q.Purpose, Network: network(q.Client.Addr), Hash: s.ring.LookupHash,
	}, q.ChallengeResponse)
	if err != nil {
		return nil, err
	}
	s.asked = &Attempt{
		Action: ActionStart, App: q.App, To: q.To, Channel: q.Channel, Purpose: q.Purpose, Client: q.Client, Face: q.Face,
		Now: now, Test: test, Solved: s.work.solved(), Proved: s.device.proved(s.phone), Hash: s.ring.LookupHash,
		FilledIn: v.filledIn(s.ring, q, now),
	}
	limits, err := v.judge(s.asked, s.work)
	if err == nil {
		err = v.refuseOptedOut(ctx, s.ring, s.path.Sender, q.To, s.phone)
	}
	if err != nil {
		s.decided(ctx, err)
	}
	return limits, err
}

// compose makes the record, its code and its text, so that whatever cannot be sent is refused before it counts.
func (s *starting) compose(id string) error {
	q, policy := s.q, s.q.App.Policy
	r := &Record{
		ID: id, App: q.App.ID, Purpose: q.Purpose, Channel: s.path.Channel, Face: q.Face, Status: StatusPending,
		Phone: s.phone, Country: q.To.Country(), Alphabet: q.Alphabet, Length: q.Length,
		Nonce: randomNonce(), MaxChecks: MaxChecks, MaxSends: policy.MaxSends, Hosted: s.path.Hosted,
	}
	if r.Alphabet == 0 {
		r.Alphabet = policy.Alphabet
	}
	if r.Length == 0 {
		r.Length = policy.CodeLength
	}
	if s.asked.Test {
		s.fix(r)
	}
	if q.MaxSends != 0 {
		r.MaxSends = q.MaxSends
	}
	if r.Channel == ChannelFlashCall {
		// Four digits of a pool of 10⁴ numbers are guessed far more easily than a code (decisions, "Flash call").
		r.MaxChecks = 2
	}
	if q.Transaction != nil {
		r.TxnHash = q.Transaction.Hash()
	}
	if q.Reference != "" {
		r.RefHash = s.ring.LookupHash("reference", q.App.ID, q.Reference)
	}
	if r.Hosted != "" {
		r.HostedScope = s.ring.LookupHash("scope", q.App.ID, string(q.Purpose), string(r.TxnHash))
	}
	s.code, r.CodeKey = s.ring.NewCodeFor(subject(r, q.To), r.Alphabet, r.Length)
	if r.Test {
		s.code = s.fixed.Code
	}
	r.Tag = s.ring.NewTag(r.App, r.ID, s.code)
	s.sealed = &Sealed{
		To: q.To.encode(), Locale: q.Locale, Reference: q.Reference, Metadata: q.Metadata, Nonce: q.Nonce,
		Transaction: q.Transaction, Custom: q.Custom, Auto: s.auto, Marks: s.asked.Marks, User: q.User,
	}
	var err error
	if s.text, err = render(q.App, r, s.sealed, s.code, s.lifetime()); err != nil {
		return err
	}
	if r.Sealed, err = sealRecord(s.ring, r.ID, s.sealed); err != nil {
		return err
	}
	s.record, s.left, s.attempt = r, s.lifetime(), 1
	return nil
}

// lease is how long nobody else sends this. A start that waits for the app's word, or for that of its check of the number,
// has none: until the word is there nothing may be sent, by anybody, and if this process dies before it the verification
// expires unsent.
func (s *starting) lease() time.Duration {
	if s.q.Confirm != nil || s.asksRisk() {
		return 0
	}
	return sendLease
}

func (s *starting) lifetime() time.Duration {
	if s.q.Lifetime > 0 {
		return min(s.q.Lifetime, MaxLifetime)
	}
	return s.q.App.Policy.Lifetime
}

func subject(r *Record, to Address) CodeSubject {
	return CodeSubject{App: r.App, ID: r.ID, Phone: to.Dial(), Purpose: r.Purpose, TxnHash: r.TxnHash, Nonce: r.Nonce}
}

func render(app *App, r *Record, s *Sealed, c Code, left time.Duration) (Rendered, error) {
	t, err := app.Texts.Render(Text{
		Channel: r.Channel, Purpose: r.Purpose, Locale: s.Locale, Code: c.Reveal(), Lifetime: left, Transaction: s.Transaction,
	})
	if err != nil {
		return Rendered{}, fmt.Errorf("rendering a message: %w", err)
	}
	return t, nil
}

// open counts what lives outside of the phone's slot and begins. A verification in the result is the answer to a repeated
// request.
func (s *starting) open(ctx context.Context) (*Outcome, *Verification, error) {
	if len(s.take.Limits) == 0 && s.take.Key.IsZero() {
		o, err := s.v.moves.Begin(ctx, s.move())
		return o, nil, err
	}
	taken, o, err := s.v.startOnce(ctx, &s.take, s.move())
	if err != nil {
		// The answer may have been lost after the step was taken. The key's lease ends by itself and a repeat then finds out.
		return nil, nil, err
	}
	switch taken.Seen {
	case SeenDone:
		done, err := s.v.again(ctx, taken.SeenID)
		return nil, done, err
	case SeenRunning:
		done, err := s.v.sentBefore(ctx, taken.SeenID)
		return nil, done, err
	case SeenMismatch:
		return nil, nil, mismatch()
	case SeenAbandoned:
		// The first request died: carry on with its id, so that at most one verification ever comes of this key.
		s.take.ID = taken.SeenID
		s.took(taken)
		if err := s.compose(taken.SeenID); err != nil {
			return nil, nil, err
		}
		o, err := s.v.moves.Begin(ctx, s.move())
		return o, nil, err
	}
	s.took(taken)
	if taken.Refused != nil {
		err := s.work.refused(taken.Refused)
		s.decided(ctx, err)
		return nil, nil, err
	}
	return o, nil, nil
}

// move is the step in the phone's slot.
func (s *starting) move() *Begin {
	return &Begin{
		Record: s.record, Lifetime: s.lifetime(), Lease: s.lease(), Supersede: s.q.Supersede, OwnCode: s.path.OwnCode,
		Exempt: s.record.Test, Device: s.device,
	}
}

func (s *starting) took(t *Taken) { s.taken, s.take.Limits = t, counted(s.take.Limits, t) }

// decided tells the guard what became of the attempt that it judged.
func (s *starting) decided(ctx context.Context, err error) { s.v.decided(ctx, s.asked, s.taken, err) }

// unsent gives back the budgets of a message that nobody took: what was not sent costs nothing.
func (s *starting) unsent(ctx context.Context) {
	s.v.release(ctx, &Take{Limits: budgetsOf(s.take.Limits)})
}

func rateLimited(r *Rate) error {
	return &Error{Kind: ErrRateLimited, Limit: r.Limit.Name, RetryAfter: max(r.RetryIn, time.Second), Detail: "Too many requests. Wait, then try again."}
}

// begun goes on from what the store made of the move: it confirms and sends, or refuses.
func (s *starting) begun(ctx context.Context, o *Outcome) (*Verification, error) {
	for _, r := range o.Ended {
		s.v.ended(r)
	}
	if o.Result != OutcomeOK {
		s.v.release(ctx, &s.take)
		err := refusal(o)
		s.decided(ctx, err)
		return nil, err
	}
	s.decided(ctx, nil)
	s.record = o.Record
	s.v.log.add(o.Record)
	if o.Replayed {
		if done, err := s.carryOn(ctx, o); done != nil || err != nil {
			return done, err
		}
	}
	if err := s.confirm(ctx, o); err != nil {
		return nil, err
	}
	if s.path.Hosted != o.Record.Hosted {
		s.path.Hosted = o.Record.Hosted
	}
	if !s.q.Wait {
		return s.sendBehind(ctx, o)
	}
	return s.send(ctx, o)
}

// confirm asks the app's check of the number and its callback, where it has them, and denies the verification if one of
// them says no.
func (s *starting) confirm(ctx context.Context, o *Outcome) error {
	refused := s.assess(ctx, o)
	if refused == nil {
		refused = s.callback(ctx, o)
	}
	if refused == nil {
		return nil
	}
	s.freeKey(ctx)
	s.unsent(ctx)
	if _, err := s.v.end(ctx, o.Record.ID, StatusDenied); err != nil {
		return errors.Join(refused, err)
	}
	return refused
}

func (s *starting) callback(ctx context.Context, o *Outcome) error {
	if s.q.Confirm == nil {
		return nil
	}
	ok, err := s.q.Confirm(ctx, describe(o, s.sealed, s.q.To))
	if err == nil && !ok {
		err = &Error{Kind: ErrForbidden, VerificationID: o.Record.ID, Detail: "The app's callback denied this verification."}
	}
	return err
}

// sendBehind answers at once and sends after.
func (s *starting) sendBehind(ctx context.Context, o *Outcome) (*Verification, error) {
	d := describe(o, s.sealed, s.q.To)
	d.Deliveries = []Delivery{{ID: newID(messagePrefix), Channel: s.record.Channel, Status: DeliveryQueued, At: o.Now}}
	// The answer is given: a repeat of the key gets it too, however long the send takes. The record sees to that.
	if !s.take.Key.IsZero() {
		s.v.later(ctx, s.finish)
	}
	work := func() {
		ctx = detached(ctx)
		if end := s.v.dispatch(ctx, s.record, s.path, s.message(d.Deliveries[0].ID), s.take.Limits); end != "" {
			s.unsent(ctx)
		}
	}
	s.v.sending.announce(s.record.ID, d.Deliveries[0])
	if err := s.v.behind.do(work); err != nil {
		// The process is stopping. The record's lease runs out and another one sends it.
		s.v.sending.written(s.record.ID)
	}
	return d, nil
}

// send waits for a provider, at most SendTimeout.
func (s *starting) send(ctx context.Context, o *Outcome) (*Verification, error) {
	sent, failure := s.v.carry(ctx, s.path, s.record, s.message(newID(messagePrefix)))
	if failure == nil {
		s.v.bill(s.take.Limits, s.record, &sent.Delivery)
	}
	d := describe(o, s.sealed, s.q.To)
	d.Deliveries = append(d.Deliveries, sent.Delivery)
	d.Hosted = Hosted{Route: sent.HostedRoute, Ref: sent.HostedRef, Scheme: sent.Scheme}
	move := sentMove(s.record, sent, failure)
	if move.End == "" && sent.HostedRoute == "" && s.record.Hosted == "" && !s.record.Test {
		step := sentStep{record: s.record, move: move}
		if !s.take.Key.IsZero() {
			step.after = s.finish
		}
		s.v.sents.add(ctx, step)
		return d, nil
	}
	// What the next request depends on is written before the answer: the vendor's id, that the code is ours now and not
	// the vendor's, or the end. A test number is sent to again without a pause.
	if err := s.v.sent(ctx, s.record, move); err != nil {
		return nil, err
	}
	if move.End != "" {
		s.unsent(ctx)
	}
	if move.End == StatusDenied {
		s.freeKey(ctx)
		d.Status = move.End
		return d, deniedByProvider(d.ID, failure)
	}
	s.finish(ctx)
	if move.End == "" {
		return d, nil
	}
	d.Status = move.End
	return d, undeliverableBecause(d.ID, failure)
}

func (s *starting) message(id string) *Message {
	return newMessage(id, s.record, s.sealed, s.q.To, s.code, s.text, s.left, s.q.Signed, s.attempt)
}

func newMessage(id string, r *Record, s *Sealed, to Address, c Code, t Rendered, left time.Duration, signed bool, attempt int) *Message {
	return &Message{
		ID: id, Verification: r.ID, App: r.App, To: to, Channel: r.Channel, Purpose: r.Purpose,
		Subject: t.Subject, Text: t.Body, Code: c, Alphabet: r.Alphabet, Locale: t.Locale, Custom: s.Custom,
		Lifetime: left, Signed: signed, Attempt: attempt,
	}
}

// finish marks the idempotency key's request as done.
func (s *starting) finish(ctx context.Context) { s.v.finishKey(ctx, &s.take, s.record) }

// freeKey forgets the idempotency key of a start that was denied: a refusal is not kept.
func (s *starting) freeKey(ctx context.Context) {
	s.v.release(ctx, &Take{Key: s.take.Key, Body: s.take.Body, ID: s.take.ID})
}

func deniedByProvider(id string, cause error) error {
	return &Error{Kind: ErrNumberNotAllowed, VerificationID: id, Detail: "The provider refused this verification.", Err: cause}
}

func undeliverable(id string) error { return undeliverableBecause(id, nil) }

func undeliverableBecause(id string, cause error) error {
	detail := "No provider would take the message. Try another channel, or again later."
	var f *Failure
	if errors.As(cause, &f) && f.Class == FailDestination {
		detail = "This address cannot be reached by this channel. Try another channel or another number."
	}
	return &Error{Kind: ErrDeliveryFailed, VerificationID: id, Detail: detail, Err: cause}
}
