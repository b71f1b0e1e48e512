package webhook

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"countersign"
)

// This file takes the vendor's receipts. A callback is believed when it is signed and fresh. The same callback twice is
// answered like the first time and does nothing; one that could not be kept is forgotten again, so that the vendor's
// repetition counts. What a receipt may change, the engine decides: it never approves anything.

const (
	maxCallback = 64 << 10
	// maxRemembered bounds the replay memory. A forgotten callback that is played back again within Tolerance raises a
	// status to where it already is.
	maxRemembered = 50_000
)

// receipts is a compiled Receipts.
type receipts struct {
	secrets                               []Secret
	verification, id, ref, status, detail path
	cost, currency                        path
	always                                string // the currency of all costs; "" when callbacks name it
	statuses                              map[string]countersign.DeliveryStatus
	outcomes                              map[string]countersign.Status // hosted: what ends a verification
}

// Callback is the handler of the vendor's receipts, for POST /hooks/<route>/status. It answers 204 when a receipt was
// taken, was known or says nothing to us, 400 when a signed callback cannot be read, 401 when it is not signed, and 503
// when it could not be kept and should be sent again. Without configured receipts it answers 404.
func (p *Provider) Callback(sink countersign.ReceiptSink) http.Handler {
	return &callback{r: p.c.receipts, sink: sink, now: p.now, seen: memory{ids: make(map[string]time.Time)}}
}

type callback struct {
	r    *receipts
	sink countersign.ReceiptSink
	now  func() time.Time
	seen memory
}

// ServeHTTP implements http.Handler.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case c.r == nil:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Callbacks are POSTed.", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			http.Error(w, "A callback has at most 64 KiB.", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "The body could not be read.", http.StatusBadRequest)
		return
	}
	now := c.now()
	id, err := Verify(r.Header, body, now, c.r.secrets...)
	if err != nil {
		http.Error(w, "The signature is missing, wrong or out of date.", http.StatusUnauthorized)
		return
	}
	c.take(w, r, id, body, now)
}

// take handles a callback that is the vendor's.
func (c *callback) take(w http.ResponseWriter, r *http.Request, id string, body []byte, now time.Time) {
	report, known, problem := c.r.read(body)
	switch {
	case problem != "":
		http.Error(w, problem, http.StatusBadRequest)
		return
	case !known || !c.seen.add(id, now):
		w.WriteHeader(http.StatusNoContent)
		return
	}
	err := error(nil)
	if report.outcome != "" {
		err = c.sink.TakeOutcome(r.Context(), report.ID, report.outcome)
	} else {
		err = c.sink.TakeReceipt(r.Context(), report.Receipt)
	}
	if err != nil {
		c.seen.remove(id)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "The receipt could not be kept. Send it again.", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// report is what a callback says: how a delivery went, or that a hosted verification has ended.
type report struct {
	countersign.Receipt
	outcome countersign.Status
}

// read finds a report in a callback, or says in a sentence why there is none. known is false for a status that means
// nothing to us.
func (r *receipts) read(body []byte) (out report, known bool, problem string) {
	v, err := parseJSON(body)
	if err != nil {
		return out, false, "The body is not one JSON value."
	}
	word, ok := r.status.find(v)
	if !ok {
		return out, false, "There is no status where the configuration says: receipts.status_path."
	}
	out.ID, ok = r.verification.find(v)
	if !ok {
		return out, false, "There is no verification where the configuration says: receipts.verification_path."
	}
	if out.outcome, ok = r.outcomes[word]; ok {
		return out, true, ""
	}
	out.DeliveryID, _ = r.id.find(v)
	out.Ref, _ = r.ref.find(v)
	if out.DeliveryID == "" && out.Ref == "" {
		return out, false, "There is neither our id nor yours: receipts.id_path, receipts.ref_path."
	}
	if out.Status, known = r.statuses[word]; !known {
		return out, false, ""
	}
	if detail, ok := r.detail.find(v); ok && printable(detail) {
		out.Detail = strings.Clone(detail)
	}
	out.Cost = r.costOf(v)
	return out, true, ""
}

// costOf reads what a message did cost. What is no amount is none: it spoils no receipt.
func (r *receipts) costOf(v any) countersign.Money {
	amount, _ := r.cost.find(v)
	currency, _ := r.currency.find(v)
	cost, err := countersign.MoneyOf(json.Number(amount), cmp.Or(r.always, currency))
	if err != nil {
		return countersign.Money{}
	}
	return cost
}

// memory holds the ids of callbacks that were taken, for as long as they could be played back.
type memory struct {
	mu    sync.Mutex
	ids   map[string]time.Time
	order []string // oldest first; may name ids that were removed
}

// add remembers an id, unless it is there.
func (m *memory) add(id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.order) > 0 {
		oldest := m.order[0]
		at, there := m.ids[oldest]
		if there && len(m.order) < maxRemembered && now.Sub(at) <= 2*Tolerance {
			break
		}
		delete(m.ids, oldest)
		m.order = m.order[1:]
	}
	if _, there := m.ids[id]; there {
		return false
	}
	m.ids[id] = now
	m.order = append(m.order, id)
	return true
}

func (m *memory) remove(id string) {
	m.mu.Lock()
	delete(m.ids, id)
	m.mu.Unlock()
}
