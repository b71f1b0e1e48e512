package sinch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"countersign"
	"countersign/phone"
	"countersign/provider/callback"
	"countersign/sinchauth"
)

// This file takes the Verification API's callbacks. Nothing here can approve a verification: of what the vendor says
// about one only a refusal or a failed delivery has an effect.

type events struct {
	api     *api
	sink    countersign.ReceiptSink
	ownCode bool
}

// event is what is read of a callback; it has more.
type event struct {
	ID        string `json:"id"`
	Event     string `json:"event"`
	Method    string `json:"method"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	SMSResult string `json:"smsResult"`
	Price     struct {
		Amount   json.Number `json:"amount"`
		Currency string      `json:"currencyId"`
	} `json:"price"`
	bearer
}

// bearer is whose verification it is, by the vendor's word.
type bearer struct {
	Identity identity `json:"identity"`
}

// of says whether it is this address'. Anybody who can start verifications at the vendor can give one of his own our
// reference, so a reference alone proves nothing.
func (i *bearer) of(to countersign.Address) bool { return i.Identity.Endpoint == to.Dial() }

// ServeHTTP implements http.Handler.
func (c *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := callback.Read(w, r)
	if !ok {
		return
	}
	id, err := c.api.hooks.Verify(r, body)
	replayed := errors.Is(err, sinchauth.ErrReplayed)
	switch {
	case errors.Is(err, sinchauth.ErrFull):
		callback.Respond(w, http.StatusServiceUnavailable, nil)
		return
	case err != nil && !replayed, id.Level != sinchauth.LevelApplication:
		callback.Respond(w, http.StatusUnauthorized, nil)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		callback.Respond(w, http.StatusBadRequest, nil)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callback.Timeout)
	defer cancel()
	if e.Event == "VerificationRequestEvent" {
		if !c.request(ctx, w, &e, replayed) {
			c.api.hooks.Forget(r)
		}
		return
	}
	if replayed {
		callback.Acknowledge(w, nil) // it was taken the first time
		return
	}
	err = c.take(ctx, &e)
	if err != nil {
		c.api.hooks.Forget(r)
	}
	callback.Acknowledge(w, err)
}

// decision is the answer to a VerificationRequestEvent.
type decision struct {
	Action  string    `json:"action"`
	SMS     *codeText `json:"sms,omitempty"`
	Callout *codeText `json:"callout,omitempty"`
}

type codeText struct {
	Code     string `json:"code"`
	CodeType string `json:"codeType,omitempty"`
	Expiry   string `json:"expiry,omitempty"`
}

// request answers whether the vendor may start, and with which code. Only a start of ours that is pending may. A
// repeated callback is denied: whoever recorded one must not get a code for it. False when nothing could be decided.
func (c *events) request(ctx context.Context, w http.ResponseWriter, e *event, replayed bool) bool {
	d, err := decision{Action: "deny"}, error(nil)
	if !replayed && countersign.ValidVerificationID(e.Reference) {
		d, err = c.decide(ctx, e)
	}
	if err != nil {
		callback.Respond(w, http.StatusServiceUnavailable, nil)
		return false
	}
	callback.Respond(w, http.StatusOK, d)
	if d.Action == "allow" {
		_ = http.NewResponseController(w).Flush() // the vendor waits for the answer, and not for what follows
		c.costs(ctx, e)
	}
	return true
}

// costs hands on the price that the vendor names when it asks whether it may start. It is a price in advance: what a call's
// duration adds is told by no callback. One that cannot be kept is missed.
func (c *events) costs(ctx context.Context, e *event) {
	if cost, err := countersign.MoneyOf(e.Price.Amount, e.Price.Currency); err == nil && e.ID != "" {
		_ = c.sink.TakeReceipt(ctx, countersign.Receipt{ID: e.Reference, Ref: e.ID, Cost: cost})
	}
}

func (c *events) decide(ctx context.Context, e *event) (decision, error) {
	number, err := phone.FromE164(e.Identity.Endpoint)
	if err != nil {
		return decision{Action: "deny"}, nil
	}
	code, left, err := c.sink.CodeFor(ctx, e.Reference, countersign.PhoneAddress(number))
	switch {
	case errors.Is(err, countersign.ErrNotFound):
		return decision{Action: "deny"}, nil
	case err != nil:
		return decision{}, err
	case !c.ownCode:
		return decision{Action: "allow"}, nil
	}
	switch strings.ToLower(e.Method) {
	case "sms":
		return decision{Action: "allow", SMS: &codeText{
			Code: code.Reveal(), CodeType: typeOf(code.Reveal()), Expiry: clockText(left),
		}}, nil
	case "callout":
		return decision{Action: "allow", Callout: &codeText{Code: code.Reveal()}}, nil
	}
	return decision{Action: "deny"}, nil // this route starts no other method, so somebody else did
}

func typeOf(code string) string {
	switch {
	case strings.Trim(code, "0123456789") == "":
		return "Numeric"
	case strings.ContainsAny(code, "0123456789"):
		return "Alphanumeric"
	}
	return "Alpha"
}

// take applies what the vendor reports.
func (c *events) take(ctx context.Context, e *event) error {
	switch e.Event {
	case "VerificationResultEvent":
		switch e.Status {
		case "DENIED":
			return c.sink.TakeOutcome(ctx, e.Reference, countersign.StatusDenied)
		case "ERROR":
			return c.sink.TakeOutcome(ctx, e.Reference, countersign.StatusUndeliverable)
		}
	case "VerificationSmsDeliveredEvent":
		r := countersign.Receipt{ID: e.Reference, Ref: e.ID}
		switch e.SMSResult {
		case "Successful":
			r.Status = countersign.DeliveryDelivered
		case "Failed":
			r.Status, r.Detail = countersign.DeliveryUndelivered, "Failed"
		default:
			return nil
		}
		return c.sink.TakeReceipt(ctx, r)
	}
	return nil
}
