package infobip

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"countersign"
	"countersign/provider/callback"
)

const (
	maxCallback  = 256 << 10 // up to a hundred reports
	maxReports   = 500
	callbackTime = 4 * time.Second
)

// TakesReceipts says whether reports are asked for.
func (p *Provider) TakesReceipts() bool { return p.cfg.CallbackURL != "" }

// Callback is the handler of the vendor's reports. It answers 200 when all were taken, were known or say nothing to us, and
// 503 when one could not be kept: the vendor then sends all of them again, which changes nothing for those that were.
func (p *Provider) Callback(sink countersign.ReceiptSink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.TakesReceipts() {
			callback.Respond(w, http.StatusNotFound, nil)
			return
		}
		body, ok := callback.ReadUpTo(w, r, maxCallback)
		if !ok {
			return
		}
		if !p.authentic(r) {
			callback.Respond(w, http.StatusUnauthorized, nil)
			return
		}
		list, err := parseReports(body)
		if err != nil {
			callback.Respond(w, http.StatusBadRequest, nil)
			return
		}
		callback.Acknowledge(w, take(r.Context(), sink, list))
	})
}

// authentic looks for the secret at the end of the path, or as the password of Basic authentication.
func (p *Provider) authentic(r *http.Request) bool {
	given := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if _, password, ok := r.BasicAuth(); ok {
		given = password
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(p.cfg.CallbackToken)) == 1
}

func take(ctx context.Context, sink countersign.ReceiptSink, list []countersign.Receipt) error {
	ctx, cancel := context.WithTimeout(ctx, callbackTime)
	defer cancel()
	for _, r := range list {
		if err := sink.TakeReceipt(ctx, r); err != nil && !errors.Is(err, countersign.ErrNotFound) {
			return err
		}
	}
	return nil
}

// parseReports reads the receipts that are ours. The message's id is the one that we gave.
func parseReports(body []byte) ([]countersign.Receipt, error) {
	var a struct {
		Results []struct {
			ID     string `json:"messageId"`
			Data   string `json:"callbackData"`
			Done   string `json:"doneAt"`
			Status status `json:"status"`
			Parts  int    `json:"messageCount"`
			Price  price  `json:"price"`
			Error  struct {
				Name string `json:"name"`
			} `json:"error"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &a); err != nil || body[len(body)-1] != '}' {
		return nil, errors.New("not reports")
	}
	if len(a.Results) > maxReports {
		return nil, errors.New("too many reports")
	}
	var list []countersign.Receipt
	for _, one := range a.Results {
		s, known := deliveryStatus(one.Status)
		if !known || one.Data == "" || len(one.Data) > 128 || one.ID == "" || len(one.ID) > 128 {
			continue
		}
		r := countersign.Receipt{ID: one.Data, DeliveryID: one.ID, Ref: one.ID, Status: s, Cost: one.Price.of(one.Parts)}
		if at, err := time.Parse("2006-01-02T15:04:05.000Z0700", one.Done); err == nil {
			r.At = at
		}
		if s == countersign.DeliveryUndelivered || s == countersign.DeliveryFailed {
			r.Detail = detail(one.Status)
			if constant(one.Error.Name) && len(r.Detail)+len(one.Error.Name) < 63 {
				r.Detail += " " + one.Error.Name
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// price is what the vendor takes for a part of a message.
type price struct {
	Part     json.Number `json:"pricePerMessage"`
	Currency string      `json:"currency"`
}

// of is the price of a message of so many parts; a report that does not count them is about one.
func (p price) of(parts int) countersign.Money {
	part, err := countersign.MoneyOf(p.Part, p.Currency)
	if err != nil {
		return countersign.Money{}
	}
	return part.Times(max(parts, 1))
}
