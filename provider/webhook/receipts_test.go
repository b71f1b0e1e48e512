package webhook_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/webhook"
)

func callbacks(t testing.TB, r *webhook.Receipts, now func() time.Time) (http.Handler, *providertest.Sink) {
	t.Helper()
	cfg := bare()
	cfg.URL, cfg.Receipts = "https://sms.example.com", r
	p, err := webhook.New(cfg, webhook.WithClock(now))
	if err != nil {
		t.Fatal(err)
	}
	sink := &providertest.Sink{}
	return p.Callback(sink), sink
}

func serve(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

const delivered = `{"type":"message.status","data":{"verification":"ver_1","id":"msg_1","ref":"r","status":"delivered","detail":"E1"}}`

func TestReceipts(t *testing.T) {
	mapped := &webhook.Receipts{
		Secrets: []string{receiptSecret}, VerificationPath: "clientRef", IDPath: "x", RefPath: "messages.0.id", StatusPath: "messages.0.state",
		DetailPath: "messages.0.error", Statuses: map[string]string{"DELIVRD": "delivered", "EXPIRED": "undelivered", "3": "failed"},
	}
	own := &webhook.Receipts{Secrets: []string{receiptSecret}}
	priced := &webhook.Receipts{Secrets: []string{receiptSecret}, CostPath: "data.price.amount", Currency: "EUR"}
	sent := countersign.Receipt{ID: "ver_1", DeliveryID: "msg_1", Ref: "r", Status: "delivered", Detail: "E1"}
	costs := func(micros int64, currency string) countersign.Receipt {
		r := sent
		r.Cost = countersign.Money{Micros: micros, Currency: currency}
		return r
	}
	more := func(member string) string { return strings.Replace(delivered, `"ref"`, member+`,"ref"`, 1) }
	for _, c := range []struct {
		name string
		how  *webhook.Receipts
		body string
		code int
		want countersign.Receipt
	}{
		{"our own shape", own, delivered, 204, countersign.Receipt{ID: "ver_1", DeliveryID: "msg_1", Ref: "r", Status: "delivered", Detail: "E1"}},
		{"a cost", own, more(`"cost":"0.0075","currency":"usd"`), 204, costs(7500, "USD")},
		{"a cost as a number", own, more(`"cost":7.5e-3,"currency":"EUR"`), 204, costs(7500, "EUR")},
		{"a cost without a currency", own, more(`"cost":"0.0075"`), 204, sent},
		{"a cost that is none", own, more(`"cost":"cheap","currency":"EUR"`), 204, sent},
		{"the vendor's cost", priced, more(`"price":{"amount":0.03}`), 204, costs(30_000, "EUR")},
		{"the vendor's shape", mapped, `{"clientRef":"ver_1","messages":[{"id":17,"state":"EXPIRED","error":"unknown subscriber"}]}`, 204, countersign.Receipt{ID: "ver_1", Ref: "17", Status: "undelivered"}},
		{"a status in digits", mapped, `{"clientRef":"ver_1","messages":[{"id":17,"state":3}]}`, 204, countersign.Receipt{ID: "ver_1", Ref: "17", Status: "failed"}},
		{"a status that says nothing to us", mapped, `{"clientRef":"ver_1","messages":[{"id":17,"state":"BUFFERED"}]}`, 204, countersign.Receipt{}},
		{"approved is no delivery status", own, strings.Replace(delivered, "delivered", "approved", 1), 204, countersign.Receipt{}},
		{"a number as the reason", own, strings.Replace(delivered, "E1", "14155550123", 1), 204, countersign.Receipt{ID: "ver_1", DeliveryID: "msg_1", Ref: "r", Status: "delivered"}},
		{"no status", own, `{"data":{"verification":"ver_1","id":"msg_1"}}`, 400, countersign.Receipt{}},
		{"no verification", own, `{"data":{"status":"sent","id":"msg_1"}}`, 400, countersign.Receipt{}},
		{"no message", own, `{"data":{"status":"sent","verification":"ver_1"}}`, 400, countersign.Receipt{}},
		{"no JSON", own, `status=delivered`, 400, countersign.Receipt{}},
		{"two values", own, delivered + delivered, 400, countersign.Receipt{}},
		{"nothing", own, ``, 400, countersign.Receipt{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, sink := callbacks(t, c.how, time.Now)
			code := serve(h, signed(mustSecret(t, receiptSecret), "evt_1", time.Now(), []byte(c.body)))
			got := sink.Receipts()
			if code != c.code || (len(got) == 1) != (c.want.ID != "") {
				t.Fatalf("%d and %d receipts, want %d", code, len(got), c.code)
			}
			if len(got) == 1 && got[0] != c.want {
				t.Errorf("got %+v, want %+v", got[0], c.want)
			}
		})
	}
}

// TestReplays: one callback, from 64 sides at one time, again later, and again when it is too old.
func TestReplays(t *testing.T) {
	now := time.Now()
	h, sink := callbacks(t, &webhook.Receipts{Secrets: []string{receiptSecret}}, func() time.Time { return now })
	make := func() *http.Request {
		return signed(mustSecret(t, receiptSecret), "evt_1", now, []byte(delivered))
	}
	first := make()
	var all sync.WaitGroup
	for range 64 {
		r := make()
		all.Go(func() {
			if code := serve(h, r); code != http.StatusNoContent {
				t.Errorf("answered %d", code)
			}
		})
	}
	all.Wait()
	if n := len(sink.Receipts()); n != 1 {
		t.Errorf("the sink heard %d times", n)
	}
	// The control: a handler that remembers nothing hears every one.
	for range 3 {
		forgetful, sink := callbacks(t, &webhook.Receipts{Secrets: []string{receiptSecret}}, func() time.Time { return now })
		serve(forgetful, make())
		if len(sink.Receipts()) != 1 {
			t.Error("the callback is not good in itself: the test shows nothing")
		}
	}
	now = now.Add(webhook.Tolerance + time.Second)
	if code := serve(h, first); code != http.StatusUnauthorized {
		t.Errorf("an old callback was answered with %d", code)
	}
}

// TestOurOwnRequestIsNoReceipt: what was recorded on the way to the vendor cannot be played back at us.
func TestOurOwnRequestIsNoReceipt(t *testing.T) {
	got, _, err := send(t, bare(), answer(200, ""), providertest.NewMessage(1))
	if err != nil {
		t.Fatal(err)
	}
	h, sink := callbacks(t, &webhook.Receipts{Secrets: []string{receiptSecret}}, time.Now)
	r := httptest.NewRequest(http.MethodPost, "/hooks/acme/status", bytes.NewReader(got.Body))
	r.Header = got.Header
	if code := serve(h, r); code != http.StatusUnauthorized || len(sink.Receipts()) != 0 {
		t.Errorf("answered %d", code)
	}
	cfg := bare()
	cfg.URL, cfg.Receipts = "https://sms.example.com", &webhook.Receipts{Secrets: []string{sendSecret}}
	if err := cfg.Validate(); err == nil {
		t.Error("one secret for both ways was accepted")
	}
}

func TestCallbackAnswers(t *testing.T) {
	h, sink := callbacks(t, &webhook.Receipts{Secrets: []string{receiptSecret}}, time.Now)
	get := httptest.NewRequest(http.MethodGet, "/hooks/acme/status", nil)
	if code := serve(h, get); code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", code)
	}
	long := signed(mustSecret(t, receiptSecret), "evt_2", time.Now(), bytes.Repeat([]byte(" "), 65<<10))
	if code := serve(h, long); code != http.StatusRequestEntityTooLarge {
		t.Errorf("65 KiB: %d", code)
	}
	sink.Fail(errors.New("down"))
	r := func() *http.Request {
		return signed(mustSecret(t, receiptSecret), "evt_3", time.Now(), []byte(delivered))
	}
	if code := serve(h, r()); code != http.StatusServiceUnavailable {
		t.Errorf("sink down: %d", code)
	}
	none, _ := callbacks(t, nil, time.Now)
	if code := serve(none, r()); code != http.StatusNotFound {
		t.Errorf("no receipts configured: %d", code)
	}
}
