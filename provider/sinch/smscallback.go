package sinch

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/provider/callback"
	"countersign/sinchauth"
)

// This file takes the SMS API's webhooks: delivery reports in all their forms, and what people send back.

// Callback takes the vendor's delivery reports and replies for this plan. Where a token is configured, it is the last
// segment of the request's path.
func (s *SMS) Callback(sink countersign.ReceiptSink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := callback.Read(w, r)
		if !ok {
			return
		}
		proof, repeated, ok := s.believe(r, body)
		if !ok {
			callback.Respond(w, http.StatusUnauthorized, nil)
			return
		}
		var h webhook
		if err := json.Unmarshal(body, &h); err != nil {
			callback.Respond(w, http.StatusBadRequest, nil)
			return
		}
		if repeated {
			callback.Acknowledge(w, nil)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), callback.Timeout)
		defer cancel()
		err := s.take(ctx, sink, &h)
		if err != nil && proof != nil {
			s.nonces.Forget(proof.nonce, proof.signature, proof.at)
		}
		callback.Acknowledge(w, err)
	})
}

// The headers of a signed webhook.
const (
	signatureHeader = "X-Sinch-Webhook-Signature"
	algorithmHeader = "X-Sinch-Webhook-Signature-Algorithm"
	nonceHeader     = "X-Sinch-Webhook-Signature-Nonce"
	timeHeader      = "X-Sinch-Webhook-Signature-Timestamp"
)

// believe says whether the vendor sent this, and whether it was here before. A signature, where there is one and a
// secret to check it, decides alone; else the path's token does.
func (s *SMS) believe(r *http.Request, body []byte) (p *proof, repeated, ok bool) {
	if s.cfg.CallbackSecret != "" && r.Header.Get(signatureHeader) != "" {
		now := s.cfg.Now()
		if p, ok = s.signed(r, body, now); !ok {
			return nil, false, false
		}
		fresh, err := s.nonces.Add(p.nonce, p.signature, p.at, now)
		return p, !fresh, err == nil
	}
	if s.cfg.CallbackToken == "" {
		return nil, false, false
	}
	want, given := sha256.Sum256([]byte(s.cfg.CallbackToken)), sha256.Sum256([]byte(path.Base(r.URL.Path)))
	return nil, false, subtle.ConstantTimeCompare(want[:], given[:]) == 1
}

// proof is a true signature.
type proof struct {
	nonce     string
	signature [sha256.Size]byte
	at        time.Time
}

func (s *SMS) signed(r *http.Request, body []byte, now time.Time) (*proof, bool) {
	for _, name := range []string{signatureHeader, nonceHeader, timeHeader} {
		if len(r.Header.Values(name)) != 1 {
			return nil, false
		}
	}
	if a := r.Header.Get(algorithmHeader); a != "" && !strings.EqualFold(a, "HmacSHA256") {
		return nil, false
	}
	nonce, stamp := r.Header.Get(nonceHeader), r.Header.Get(timeHeader)
	given, err := base64.StdEncoding.Strict().DecodeString(r.Header.Get(signatureHeader))
	seconds, notTime := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(given) != sha256.Size || notTime != nil {
		return nil, false
	}
	at := time.Unix(seconds, 0)
	if d := now.Sub(at); d > sinchauth.Window || d < -sinchauth.Window {
		return nil, false
	}
	// The secret's text is the key here; unlike the Verification API's it is not decoded.
	mac := hmac.New(sha256.New, []byte(s.cfg.CallbackSecret))
	mac.Write(body)
	mac.Write([]byte("." + nonce + "." + stamp))
	if !hmac.Equal(mac.Sum(nil), given) {
		return nil, false
	}
	return &proof{nonce, [sha256.Size]byte(given), at}, true
}

// webhook is what is read of a report or a reply.
type webhook struct {
	ID        string          `json:"id"` // of a reply
	Type      string          `json:"type"`
	BatchID   string          `json:"batch_id"`
	Code      number          `json:"code"`
	Status    string          `json:"status"`
	At        string          `json:"at"`
	Statuses  []count         `json:"statuses"`
	Reference string          `json:"client_reference"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	Body      json.RawMessage `json:"body"`
}

// count is one line of a batch's report.
type count struct {
	Code   number `json:"code"`
	Status string `json:"status"`
	Count  number `json:"count"`
}

func (s *SMS) take(ctx context.Context, sink countersign.ReceiptSink, h *webhook) error {
	switch h.Type {
	case "recipient_delivery_report_sms", "recipient_delivery_report_mms":
		return s.receipt(ctx, sink, h, count{h.Code, h.Status, 1})
	case "delivery_report_sms", "delivery_report_mms":
		for _, c := range h.Statuses {
			if c.Count == 0 {
				continue
			}
			if err := s.receipt(ctx, sink, h, c); err != nil {
				return err
			}
		}
		return nil
	case "mo_text", "mo_media":
		return s.reply(ctx, sink, h)
	}
	return nil
}

// receipt applies one report. Each of our batches has one recipient, so a batch's report is that one's too.
func (s *SMS) receipt(ctx context.Context, sink countersign.ReceiptSink, h *webhook, c count) error {
	verification, message, ok := parseReference(h.Reference)
	status, known := deliveryStatus(c.Status)
	if !ok || !known {
		return nil // not ours, or a word that came after this was written
	}
	r := countersign.Receipt{ID: verification, DeliveryID: message, Ref: h.BatchID, Status: status}
	if at, err := time.Parse(time.RFC3339Nano, h.At); err == nil {
		r.At = at
	}
	if status != countersign.DeliveryDelivered && status.Rank() == countersign.DeliveryDelivered.Rank() {
		r.Detail = c.Status + " " + strconv.Itoa(int(c.Code))
	}
	return sink.TakeReceipt(ctx, r)
}

// deliveryStatus translates the vendor's status; false for a word that is not known.
func deliveryStatus(s string) (countersign.DeliveryStatus, bool) {
	switch s {
	case "Queued":
		return countersign.DeliveryAccepted, true
	case "Dispatched", "Unknown": // no receipt came: it was handed to the carrier, and that is all that is known
		return countersign.DeliverySent, true
	case "Delivered":
		return countersign.DeliveryDelivered, true
	case "Failed", "Expired", "Cancelled":
		return countersign.DeliveryUndelivered, true
	case "Rejected", "Aborted", "Deleted": // never reached a carrier
		return countersign.DeliveryFailed, true
	}
	return "", false
}

// reply hands on what a person sent back: the engine knows the words of consent.
func (s *SMS) reply(ctx context.Context, sink countersign.ReceiptSink, h *webhook) error {
	var text string
	if json.Unmarshal(h.Body, &text) != nil {
		var media struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(h.Body, &media) != nil {
			return nil
		}
		text = media.Message
	}
	from, err := phone.FromE164("+" + strings.TrimPrefix(h.From, "+"))
	if err != nil || text == "" {
		return nil // a short code or a name wrote: nobody whom we could have sent to
	}
	if h.ID != "" && !s.replies.Add(h.ID) {
		return nil // here before: an old START that comes again must not undo a STOP
	}
	sender := h.To
	if strings.TrimPrefix(h.To, "+") == strings.TrimPrefix(s.cfg.From, "+") {
		sender = s.cfg.From // the opt-out list knows it in the configured spelling
	}
	if err = sink.TakeReply(ctx, sender, countersign.PhoneAddress(from), text); err != nil {
		s.replies.Forget(h.ID)
	}
	return err
}
