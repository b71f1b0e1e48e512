package countersign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// TakeReceipt implements ReceiptSink. A receipt can never approve anything.
func (v *Verifier) TakeReceipt(ctx context.Context, r Receipt) error {
	if !ValidVerificationID(r.ID) {
		v.cfg.Observer.Observe(Event{Name: EventReceipt, Result: "unknown"})
		return nil
	}
	if len(r.Detail) > 64 {
		r.Detail = r.Detail[:64]
	}
	r.Detail = strings.ToValidUTF8(r.Detail, "")
	ctx = detached(ctx)
	if r.Status == "" {
		known, err := v.takeCost(ctx, &r)
		if err != nil || known {
			return err
		}
		return v.parked.add(r)
	}
	o, err := v.cfg.Store.Receipt(ctx, &r)
	if err != nil {
		return err
	}
	if o.Result == OutcomeUnknown && o.Record != nil {
		return v.parked.add(r) // of a message that we do not know of yet
	}
	v.tookReceipt(ctx, &r, o)
	return nil
}

// tookReceipt passes on what a receipt made of its record.
func (v *Verifier) tookReceipt(ctx context.Context, r *Receipt, o *Outcome) {
	e := Event{Name: EventReceipt, Result: string(r.Status)}
	if o.Record == nil {
		e.Result = "unknown"
	} else {
		e.App, e.Verification, e.Channel, e.Country = o.Record.App, shortID(o.Record.ID), o.Record.Channel, o.Record.Country
		for _, d := range o.Record.Deliveries {
			if d.ID == r.DeliveryID || (d.Ref == r.Ref && r.Ref != "") {
				e.Provider = d.Provider
				v.settle(ctx, r, o.Record, &d, o.Now)
			}
		}
		v.log.add(o.Record)
	}
	v.cfg.Observer.Observe(e)
}

// takeCost settles what a message did cost, and does nothing else. It is false for a message that is not known yet.
func (v *Verifier) takeCost(ctx context.Context, r *Receipt) (known bool, err error) {
	o, err := v.find(ctx, r.ID)
	if errors.Is(err, ErrNotFound) {
		return true, nil // it never will be
	}
	if err != nil {
		return false, err
	}
	for _, d := range o.Record.Deliveries {
		if d.ID == r.DeliveryID || (d.Ref == r.Ref && r.Ref != "") {
			v.settle(ctx, r, o.Record, &d, o.Now)
			return true, nil
		}
	}
	return o.Record.Status.Final(), nil
}

// Sending is a message that was handed to a vendor.
type Sending struct {
	Verification string
	Delivery     Delivery
}

// sendingsFor and mostSendings bound what SendingsTo looks at: a phone gets at most ten messages a day.
const (
	sendingsFor  = 24 * time.Hour
	mostSendings = 20
)

// SendingsTo lists what a route sent to an address within a day, newest first, for vendors whose receipts name a message
// by their own id and the number alone. It reads the log, so another process' messages are there, and those of before a
// restart; what was sent within the last second may be missing.
func (v *Verifier) SendingsTo(ctx context.Context, route string, to Address) ([]Sending, error) {
	ring := v.cfg.Keys()
	rows, err := v.cfg.Log.List(ctx, ListQuery{Phone: ring.PhoneHash(to), Former: ring.FormerHashes(to), CreatedAfter: v.Now().Add(-sendingsFor), Limit: mostSendings})
	if err != nil {
		return nil, err
	}
	var list []Sending
	for _, r := range rows {
		for _, d := range slices.Backward(r.Deliveries) {
			if d.Provider == route && d.Ref != "" {
				list = append(list, Sending{r.ID, d})
			}
		}
	}
	return list, nil
}

// TakeOutcome implements ReceiptSink. Of what a hosted vendor reports on its own account only a refusal or a
// failed delivery ends a verification: guesses and time are ours to count.
func (v *Verifier) TakeOutcome(ctx context.Context, verification string, status Status) error {
	if !ValidVerificationID(verification) || (status != StatusDenied && status != StatusUndeliverable) {
		return nil
	}
	ctx = detached(ctx)
	_, err := v.end(ctx, verification, status)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// CodeFor implements ReceiptSink.
func (v *Verifier) CodeFor(ctx context.Context, verification string, to Address) (Code, time.Duration, error) {
	if !ValidVerificationID(verification) {
		return Code{}, 0, notFound()
	}
	o, ok, err := v.cfg.Store.Lookup(ctx, verification)
	if err != nil {
		return Code{}, 0, err
	}
	if !ok || o.Record.Status != StatusPending || o.Record.Test {
		return Code{}, 0, notFound()
	}
	_, ours, err := v.open(o.Record)
	if err != nil {
		return Code{}, 0, err
	}
	if ours.Dial() != to.Dial() {
		return Code{}, 0, notFound()
	}
	r := o.Record
	code, err := v.cfg.Keys().CodeFor(r.CodeKey, subject(r, to), r.Alphabet, r.Length)
	if err != nil {
		return Code{}, 0, err
	}
	return code, r.Expires.Sub(o.Now), nil
}

// TakeReply implements ReceiptSink.
func (v *Verifier) TakeReply(ctx context.Context, sender string, from Address, text string) error {
	out, known := optOutWish(text)
	if !known {
		return nil
	}
	ctx = detached(ctx)
	ring := v.cfg.Keys()
	o := &OptOut{Sender: sender, Phone: ring.PhoneHash(from), Former: ring.FormerHashes(from), Out: out, At: v.Now()}
	var err error
	if o.Sealed, err = ring.Seal(optOutOwner(sender), []byte(from.encode())); err != nil {
		return err
	}
	_, err = v.cfg.Log.OptOut(ctx, o)
	return err
}

// Words by which a person takes back consent, and gives it again. The FCC's rule of 2024 (47 CFR 64.1200(a)(10))
// names the first seven and adds "any reasonable means"; ARRET is Canada's.
var (
	stopWords  = []string{"STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE", "STOPALL", "STOP ALL", "OPTOUT", "OPT-OUT", "ARRET", "ARRÊT"}
	startWords = []string{"START", "UNSTOP", "YES", "RESUME", "SUBSCRIBE"}
)

// optOutWish reads a reply. Free text that holds the word stop or unsubscribe counts as a wish to stop: to go on
// sending is the worse mistake, and START takes it back.
func optOutWish(text string) (out, known bool) {
	folded := strings.ToUpper(strings.Join(strings.Fields(strings.Trim(text, " \t\r\n.!\"'")), " "))
	for _, w := range startWords {
		if folded == w {
			return false, true
		}
	}
	for _, w := range stopWords {
		if folded == w {
			return true, true
		}
	}
	for _, w := range strings.FieldsFunc(folded, func(r rune) bool { return r < 'A' || r > 'Z' && r < 0x80 }) {
		if w == "STOP" || w == "UNSUBSCRIBE" {
			return true, true
		}
	}
	return false, false
}
