package vonage

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/provider/callback"
)

// This file takes delivery reports, and what people send back.

// freshness is how old a callback's token may be. The vendor's pages do not say whether one that is sent again has a new
// token, and an hour of our absence must not lose receipts.
const freshness = time.Hour

// Callback takes the vendor's signed webhooks: status and inbound.
func (p *Messages) Callback(sink countersign.ReceiptSink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := callback.Read(w, r)
		if !ok {
			return
		}
		if !p.believe(r, body) {
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
		callback.Acknowledge(w, p.take(ctx, sink, &e))
	})
}

// believe checks the JWT: HS256 by the signature secret, of this account, fresh, and over this very body.
func (p *Messages) believe(r *http.Request, body []byte) bool {
	given := r.Header.Values("Authorization")
	if p.api.cfg.SignatureSecret == "" || len(given) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	parts := strings.Split(token, ".")
	if !strings.EqualFold(scheme, "Bearer") || len(parts) != 3 {
		return false
	}
	mac := hmac.New(sha256.New, []byte(p.api.cfg.SignatureSecret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !hmac.Equal(mac.Sum(nil), signature) {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Issued  int64  `json:"iat"`
		APIKey  string `json:"api_key"`
		Payload string `json:"payload_hash"`
	}
	if !decode(parts[0], &header) || !decode(parts[1], &claims) || header.Alg != "HS256" || claims.APIKey != p.api.cfg.Key {
		return false
	}
	age := p.api.cfg.Now().Sub(time.Unix(claims.Issued, 0))
	hash := sha256.Sum256(body)
	want, err := hex.DecodeString(claims.Payload)
	return err == nil && hmac.Equal(hash[:], want) && age <= freshness && age >= -5*time.Minute
}

func decode(part string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, v) == nil
}

// event is what is read of a webhook.
type event struct {
	UUID      string `json:"message_uuid"`
	ClientRef string `json:"client_ref"`
	Status    string `json:"status"`
	Timestamp string `json:"timestamp"`
	From      string `json:"from"`
	To        string `json:"to"`
	Text      string `json:"text"`
	Error     struct {
		Type string `json:"type"`
	} `json:"error"`
	Usage struct {
		Price    amount `json:"price"` // of the whole message, whatever its parts
		Currency string `json:"currency"`
	} `json:"usage"`
}

// amount is a decimal, which the vendor writes as a text. A price that is written in another way is none, and spoils no
// receipt.
type amount string

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(b []byte) error {
	*a = amount(strings.Trim(string(b), `"`))
	return nil
}

var deliveries = map[string]countersign.DeliveryStatus{
	"submitted": countersign.DeliverySent, "delivered": countersign.DeliveryDelivered, "read": countersign.DeliveryDelivered,
	"undeliverable": countersign.DeliveryUndelivered, "rejected": countersign.DeliveryFailed,
}

func (p *Messages) take(ctx context.Context, sink countersign.ReceiptSink, e *event) error {
	if e.Status == "" {
		return p.reply(ctx, sink, e)
	}
	status, known := deliveries[e.Status]
	verification, delivery, ok := strings.Cut(e.ClientRef, ".")
	if !known || !ok || !countersign.ValidVerificationID(verification) {
		return nil // not ours, or a word that came after this was written
	}
	r := countersign.Receipt{ID: verification, DeliveryID: delivery, Ref: e.UUID, Status: status}
	if at, err := time.Parse(time.RFC3339Nano, e.Timestamp); err == nil {
		r.At = at
	}
	if _, code, ok := strings.Cut(e.Error.Type, "#"); ok && len(code) <= 6 && strings.Trim(code, "0123456789") == "" {
		r.Detail = code
	}
	if cost, err := countersign.MoneyOf(json.Number(e.Usage.Price), e.Usage.Currency); err == nil {
		r.Cost = cost
	}
	return sink.TakeReceipt(ctx, r)
}

// reply hands on what a person sent back. One that was here before counts once, so that an old START, played back, does
// not undo a STOP.
func (p *Messages) reply(ctx context.Context, sink countersign.ReceiptSink, e *event) error {
	from, err := phone.FromE164("+" + strings.TrimPrefix(e.From, "+"))
	if err != nil || e.Text == "" || e.UUID == "" || !p.seen.Add(e.UUID) {
		return nil
	}
	sender := e.To
	if strings.TrimPrefix(sender, "+") == strings.TrimPrefix(p.api.cfg.From, "+") {
		sender = p.api.cfg.From // the opt-out list knows it in the configured spelling
	}
	if err = sink.TakeReply(ctx, sender, countersign.PhoneAddress(from), e.Text); err != nil {
		p.seen.Forget(e.UUID)
	}
	return err
}
