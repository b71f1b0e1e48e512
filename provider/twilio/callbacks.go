package twilio

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // the vendor's choice; HMAC does not need its collision resistance
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"countersign"
	"countersign/phone"
	"countersign/provider/callback"
	"countersign/provider/hidden"
)

// This file takes the vendor's delivery reports, and what people send back.

// signatureHeader holds base64(HMAC-SHA1(auth token, address + sorted names and values of the form)).
const signatureHeader = "X-Twilio-Signature"

// Signature is the vendor's over a form that is posted to an address of ours. Of a name that comes several times each
// different value counts once, in order, as in the vendor's own libraries.
func Signature(token hidden.Text, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := slices.Sorted(slices.Values(form[name]))
		for _, value := range slices.Compact(values) {
			mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Callback takes the vendor's delivery reports, whose address ends in VERIFICATION.MESSAGE, and replies to our senders,
// whose address does not. It must be mounted under the path of MessagingConfig.CallbackURL.
func (p *Messaging) Callback(sink countersign.ReceiptSink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := callback.Read(w, r)
		if !ok {
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form) > maxFields {
			callback.Respond(w, http.StatusBadRequest, nil)
			return
		}
		if !p.believe(r, form) {
			callback.Respond(w, http.StatusUnauthorized, nil)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), callback.Timeout)
		defer cancel()
		callback.Acknowledge(w, p.take(ctx, sink, r, form))
	})
}

const maxFields = 100

// believe says whether the vendor sent this. A report that is played again is one that was taken already: statuses only go
// up.
func (p *Messaging) believe(r *http.Request, form url.Values) bool {
	given := r.Header.Values(signatureHeader)
	if p.cfg.Account.Token == "" || p.cfg.CallbackURL == "" || len(given) != 1 {
		return false
	}
	address, err := url.Parse(p.cfg.CallbackURL)
	if err != nil {
		return false
	}
	// The address as the vendor was told it, not as this process sees it behind a proxy. The vendor signs some addresses with
	// their port and some without, whatever was configured; its own libraries take either, too.
	for _, host := range []string{address.Host, withoutPort(address), withPort(address)} {
		outside := address.Scheme + "://" + host + r.URL.RequestURI()
		if hmac.Equal([]byte(Signature(p.cfg.Account.Token, outside, form)), []byte(given[0])) {
			return true
		}
	}
	return false
}

func withoutPort(u *url.URL) string {
	return strings.TrimSuffix(u.Host, ":"+u.Port())
}

func withPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "http":
		return withoutPort(u) + ":80"
	}
	return withoutPort(u) + ":443"
}

// deliveries are the vendor's statuses that say more than "taken".
var deliveries = map[string]countersign.DeliveryStatus{
	"sent": countersign.DeliverySent, "delivered": countersign.DeliveryDelivered, "read": countersign.DeliveryDelivered,
	"undelivered": countersign.DeliveryUndelivered, "failed": countersign.DeliveryFailed,
}

func (p *Messaging) take(ctx context.Context, sink countersign.ReceiptSink, r *http.Request, form url.Values) error {
	if form.Get("MessageStatus") == "" && form.Get("Body") != "" {
		return p.reply(ctx, sink, form)
	}
	status, known := deliveries[form.Get("MessageStatus")]
	if !known {
		return nil // on its way
	}
	verification, delivery, ok := strings.Cut(path.Base(r.URL.Path), ".")
	if !ok || !countersign.ValidVerificationID(verification) || !messageSID.MatchString(form.Get("MessageSid")) {
		return countersign.ErrNotFound
	}
	receipt := countersign.Receipt{ID: verification, DeliveryID: delivery, Ref: form.Get("MessageSid"), Status: status}
	if code, err := strconv.Atoi(form.Get("ErrorCode")); err == nil && code > 0 {
		receipt.Detail = strconv.Itoa(code)
	}
	return sink.TakeReceipt(ctx, receipt)
}

// reply is STOP, START and the like. The vendor says what it made of the text; both are shown to the engine. A message that
// was here before counts once: a signature has no time in it, and an old START that is played back must not undo a STOP.
func (p *Messaging) reply(ctx context.Context, sink countersign.ReceiptSink, form url.Values) error {
	number, err := phone.FromE164(strings.TrimPrefix(form.Get("From"), "whatsapp:"))
	sid := form.Get("MessageSid")
	if err != nil || !messageSID.MatchString(sid) {
		return countersign.ErrNotFound
	}
	if !p.replies.Add(sid) {
		return nil
	}
	text := form.Get("Body")
	if form.Get("OptOutType") == "STOP" {
		text = "STOP"
	}
	sender := strings.TrimPrefix(form.Get("To"), "whatsapp:")
	if p.cfg.Pool != "" && form.Get("MessagingServiceSid") == p.cfg.Pool {
		sender = p.cfg.Pool // an opt-out holds for the whole pool
	}
	err = sink.TakeReply(ctx, sender, countersign.PhoneAddress(number), text)
	if errors.Is(err, countersign.ErrInvalidRequest) {
		return nil
	}
	if err != nil {
		p.replies.Forget(sid) // it comes again
	}
	return err
}
