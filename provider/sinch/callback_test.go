package sinch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/sinch"
)

// engine keeps what a handler tells it, and knows one pending code.
type engine struct {
	mu       sync.Mutex
	pending  string
	fail     error
	outcomes []countersign.Status
	receipts []countersign.Receipt
	replies  []string
}

func (e *engine) TakeReceipt(_ context.Context, r countersign.Receipt) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail == nil {
		e.receipts = append(e.receipts, r)
	}
	return e.fail
}

func (e *engine) TakeOutcome(_ context.Context, _ string, s countersign.Status) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail == nil {
		e.outcomes = append(e.outcomes, s)
	}
	return e.fail
}

func (e *engine) TakeReply(_ context.Context, sender string, from countersign.Address, text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replies = append(e.replies, sender+"|"+from.Dial()+"|"+text)
	return e.fail
}

func (e *engine) CodeFor(_ context.Context, id string, _ countersign.Address) (countersign.Code, time.Duration, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return countersign.Code{}, 0, e.fail
	}
	if id != e.pending {
		return countersign.Code{}, 0, countersign.Fail(countersign.ErrNotFound, "none")
	}
	return countersign.NewCode("741853"), 250 * time.Second, nil
}

var pendingID = providertest.NewMessage(1).Verification

func requestEvent(method, reference string) string {
	return fmt.Sprintf(`{"id":"v1","event":"VerificationRequestEvent","method":%q,"identity":{"type":"number","endpoint":"+12025550134","verified":false},`+
		`"price":{"currencyId":"USD","amount":0.0308},"rate":{"currencyId":"USD","amount":0.0},"reference":%q}`, method, reference)
}

// The vendor names its price when it asks whether it may start. What it may not start costs nothing.
func TestPrices(t *testing.T) {
	for name, tt := range map[string]struct {
		body  string
		costs int64 // 0: nothing is handed on
	}{
		"allowed":           {requestEvent("sms", pendingID), 30_800},
		"with an exponent":  {strings.Replace(requestEvent("sms", pendingID), "0.0308", "3.08e-2", 1), 30_800},
		"denied":            {requestEvent("sms", "ver_000aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0},
		"without a price":   {strings.Replace(requestEvent("sms", pendingID), `"price"`, `"other"`, 1), 0},
		"without an amount": {strings.Replace(requestEvent("sms", pendingID), "0.0308", "null", 1), 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := sinch.NewOwnCode(verificationConfig(t, ""))
			if err != nil {
				t.Fatal(err)
			}
			e := &engine{pending: pendingID}
			if w := serve(p.Callback(e), signedCallback(t, tt.body, time.Now())); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			want := []countersign.Receipt{{ID: pendingID, Ref: "v1", Cost: countersign.Money{Micros: tt.costs, Currency: "USD"}}}
			if tt.costs == 0 {
				want = nil
			}
			if !slices.Equal(e.receipts, want) {
				t.Errorf("heard %+v, want %+v", e.receipts, want)
			}
		})
	}
}

func resultEvent(status, reason string) string {
	return fmt.Sprintf(`{"id":"v1","event":"VerificationResultEvent","method":"sms","identity":{"type":"number","endpoint":"+12025550134"},"status":%q,"reason":%q,"reference":%q}`,
		status, reason, pendingID)
}

func deliveredEvent(result string) string {
	return fmt.Sprintf(`{"id":"v1","event":"VerificationSmsDeliveredEvent","method":"sms","identity":{"type":"number","endpoint":"+12025550134"},"smsResult":%q,"reference":%q}`,
		result, pendingID)
}

func callbacks(t *testing.T, own bool, e *engine) http.Handler {
	t.Helper()
	if own {
		p, err := sinch.NewOwnCode(verificationConfig(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		return p.Callback(e)
	}
	p, err := sinch.NewVerification(verificationConfig(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	return p.Callback(e)
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequestEvent(t *testing.T) {
	const deny = `{"action":"deny"}`
	tests := []struct {
		name string
		own  bool
		body string
		want string
	}{
		{"hosted, ours", false, requestEvent("sms", pendingID), `{"action":"allow"}`},
		{"hosted, flash call", false, requestEvent("flashcall", pendingID), `{"action":"allow"}`},
		{"hosted, not ours", false, requestEvent("sms", "order-17"), deny},
		{"hosted, unknown", false, requestEvent("sms", providertest.NewMessage(2).Verification), deny},
		{"hosted, no reference", false, requestEvent("sms", ""), deny},
		{"own code, sms", true, requestEvent("sms", pendingID), `{"action":"allow","sms":{"code":"741853","codeType":"Numeric","expiry":"00:04:10"}}`},
		{"own code, callout", true, requestEvent("callout", pendingID), `{"action":"allow","callout":{"code":"741853"}}`},
		{"own code, flash call", true, requestEvent("flashcall", pendingID), deny},
		{"own code, unknown", true, requestEvent("sms", providertest.NewMessage(2).Verification), deny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := callbacks(t, tt.own, &engine{pending: pendingID})
			w := serve(h, signedCallback(t, tt.body, time.Now()))
			if w.Code != http.StatusOK || w.Body.String() != tt.want {
				t.Errorf("answer = %d %s, want %s", w.Code, w.Body, tt.want)
			}
		})
	}
}

// A recorded request must not give its code away; naive is what a handler without a memory would answer.
func TestRequestEventReplay(t *testing.T) {
	h := callbacks(t, true, &engine{pending: pendingID})
	r := func(at time.Time) *http.Request { return signedCallback(t, requestEvent("sms", pendingID), at) }
	at := time.Now()
	first, again, fresh := serve(h, r(at)), serve(h, r(at)), serve(h, r(at.Add(time.Second)))
	if !strings.Contains(first.Body.String(), "741853") || !strings.Contains(fresh.Body.String(), "741853") {
		t.Errorf("fresh requests got %s and %s", first.Body, fresh.Body)
	}
	if again.Code != http.StatusOK || strings.Contains(again.Body.String(), "741853") {
		t.Errorf("a replay got %d %s", again.Code, again.Body)
	}
	naive := callbacks(t, true, &engine{pending: pendingID}) // has not seen the first
	if w := serve(naive, r(at)); !strings.Contains(w.Body.String(), "741853") {
		t.Error("the control would not be caught")
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name, body string
		outcome    countersign.Status
		receipt    countersign.DeliveryStatus
	}{
		{"denied", resultEvent("DENIED", "Fraud"), countersign.StatusDenied, ""},
		{"error", resultEvent("ERROR", "SMS delivery failure"), countersign.StatusUndeliverable, ""},
		{"success approves nothing", resultEvent("SUCCESSFUL", ""), "", ""},
		{"expiry is ours to count", resultEvent("FAIL", "Expired"), "", ""},
		{"a new status", resultEvent("Zzz", "<script>"), "", ""},
		{"delivered", deliveredEvent("Successful"), "", countersign.DeliveryDelivered},
		{"not delivered", deliveredEvent("Failed"), "", countersign.DeliveryUndelivered},
		{"a new result", deliveredEvent("Zzz"), "", ""},
		{"a new event", `{"event":"Nope"}`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{}
			h := callbacks(t, false, e)
			at := time.Now()
			for range 3 { // posted three times, it counts once
				if w := serve(h, signedCallback(t, tt.body, at)); w.Code != http.StatusOK {
					t.Fatalf("status %d", w.Code)
				}
			}
			if got := append(e.outcomes, ""); got[0] != tt.outcome || len(e.outcomes) > 1 {
				t.Errorf("outcomes = %v, want %q", e.outcomes, tt.outcome)
			}
			got := append(e.receipts, countersign.Receipt{})
			if got[0].Status != tt.receipt || len(e.receipts) > 1 {
				t.Errorf("receipts = %+v, want %q", e.receipts, tt.receipt)
			}
			if tt.receipt != "" && (got[0].ID != pendingID || got[0].Ref != "v1") {
				t.Errorf("the receipt is about %+v", got[0])
			}
		})
	}
}

func TestCallbackRefusals(t *testing.T) {
	now := time.Now()
	body := requestEvent("sms", pendingID)
	tests := []struct {
		name   string
		make   func() *http.Request
		status int
	}{
		{"control: nothing is wrong", func() *http.Request { return signedCallback(t, body, now) }, 200},
		{"the body changed by a byte", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, `"method":"sms"`, `"method":"smt"`, 1)))
			return r
		}, 401},
		{"another content type", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Set("Content-Type", "text/plain")
			return r
		}, 401},
		{"no timestamp", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Del("x-timestamp")
			return r
		}, 401},
		{"an empty signature", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Set("Authorization", "Application "+appKey+":")
			return r
		}, 401},
		{"no authorization", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Del("Authorization")
			return r
		}, 401},
		{"key only", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Set("Authorization", "Application "+appKey)
			return r
		}, 401},
		{"basic", func() *http.Request {
			r := signedCallback(t, body, now)
			r.SetBasicAuth(appKey, appSecret)
			return r
		}, 401},
		{"another application", func() *http.Request {
			r := signedCallback(t, body, now)
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), appKey, "22222222-2222-3333-4444-555555555555", 1))
			return r
		}, 401},
		{"old", func() *http.Request { return signedCallback(t, body, now.Add(-6*time.Minute)) }, 401},
		{"from the future", func() *http.Request { return signedCallback(t, body, now.Add(6*time.Minute)) }, 401},
		{"another path", func() *http.Request {
			r := signedCallback(t, body, now)
			r.URL.Path, r.RequestURI = "/hooks/sinch/sms", "/hooks/sinch/sms"
			return r
		}, 401},
		{"not JSON", func() *http.Request { return signedCallback(t, "hello", now) }, 400},
		{"1 MiB", func() *http.Request { return signedCallback(t, strings.Repeat("x", 1<<20), now) }, 413},
		{"GET", func() *http.Request {
			return httptest.NewRequest(http.MethodGet, "/hooks/sinch/verification", nil)
		}, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := serve(callbacks(t, true, &engine{pending: pendingID}), tt.make())
			if w.Code != tt.status || strings.Contains(w.Body.String(), "741853") != (tt.status == 200) {
				t.Errorf("answer = %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
}

// When the store is away the vendor is asked to come again, with the same bytes if it likes.
func TestCallbackWhileTheStoreIsAway(t *testing.T) {
	for _, body := range []string{requestEvent("sms", pendingID), resultEvent("DENIED", ""), deliveredEvent("Successful")} {
		e := &engine{pending: pendingID, fail: countersign.Unavailable(errors.New("no store"))}
		h, at := callbacks(t, true, e), time.Now()
		if w := serve(h, signedCallback(t, body, at)); w.Code != http.StatusServiceUnavailable {
			t.Errorf("answer = %d", w.Code)
		}
		e.fail = nil
		if w := serve(h, signedCallback(t, body, at)); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "deny") {
			t.Errorf("repeated: %d %s", w.Code, w.Body)
		}
		if n := len(e.outcomes) + len(e.receipts); n > 1 {
			t.Errorf("applied %d times", n)
		}
	}
}
