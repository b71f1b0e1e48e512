package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/twilio"
)

const vl = "VL00000000000000000000000000000001"

// ledger is a vendor that knows a price only from some question on.
type ledger struct {
	mu    sync.Mutex
	began time.Time
	from  int // the question, from 1, that has an answer
	at    []time.Duration
	price string
}

// RoundTrip implements http.RoundTripper: simulated time and sockets do not go together.
func (l *ledger) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusCreated, fmt.Sprintf(`{"sid":%q,"status":"queued","price":null}`, sm)
	switch {
	case strings.HasSuffix(r.URL.Path, "/Verifications"):
		body = fmt.Sprintf(`{"sid":%q,"status":"pending","send_code_attempts":[{"time":"2026-01-02T03:04:05Z","attempt_sid":%q}]}`, ve, vl)
	case r.Method == http.MethodGet:
		l.mu.Lock()
		l.at = append(l.at, time.Since(l.began).Round(time.Minute))
		known := len(l.at) >= l.from
		l.mu.Unlock()
		status, body = http.StatusOK, fmt.Sprintf(`{"sid":%q,"price":null,"price_unit":"USD"}`, sm)
		switch {
		case strings.HasSuffix(r.URL.Path, "/Attempts/"+vl) && known:
			body = fmt.Sprintf(`{"sid":%q,"price":{"value":%q,"currency":"usd"}}`, vl, l.price)
		case strings.HasSuffix(r.URL.Path, "/Messages/"+sm+".json") && known:
			body = fmt.Sprintf(`{"sid":%q,"price":%q,"price_unit":"USD"}`, sm, l.price)
		case strings.HasSuffix(r.URL.Path, "/Attempts/"+vl):
			body = fmt.Sprintf(`{"sid":%q,"price":null}`, vl)
		case !strings.HasSuffix(r.URL.Path, "/Messages/"+sm+".json"):
			return nil, errors.New("nothing is there")
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// asker is a provider that asks for prices.
type asker interface {
	countersign.Provider
	Attach(sink countersign.ReceiptSink)
	Run(ctx context.Context) error
}

// A message's price is asked for behind its send, again while the vendor does not know it, three times at most.
func TestPrices(t *testing.T) {
	for name, made := range map[string]func(http.RoundTripper) (asker, error){
		"messaging": func(rt http.RoundTripper) (asker, error) {
			cfg := messagingConfig("https://api.example")
			cfg.Transport = rt
			return twilio.NewMessaging(cfg)
		},
		"verify": func(rt http.RoundTripper) (asker, error) {
			cfg := verifyConfig("https://verify.example")
			cfg.Transport = rt
			return twilio.NewVerify(cfg)
		},
	} {
		for _, tt := range []struct {
			name  string
			from  int
			price string
			asked []time.Duration
			costs int64
		}{
			{"known at once", 1, "-0.00790", []time.Duration{time.Minute}, 7900},
			{"known later", 2, "0.05", []time.Duration{time.Minute, 10 * time.Minute}, 50_000},
			{"never known", 9, "", []time.Duration{time.Minute, 10 * time.Minute, time.Hour}, 0},
			{"no amount", 1, "cheap", []time.Duration{time.Minute, 10 * time.Minute, time.Hour}, 0},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := &ledger{began: time.Now(), from: tt.from, price: tt.price}
					p, err := made(l)
					if err != nil {
						t.Fatal(err)
					}
					sink := &providertest.Sink{}
					p.Attach(sink)
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					go func() { ended <- p.Run(ctx) }()
					m := providertest.NewMessage(1)
					if _, err := p.Send(ctx, m); err != nil {
						t.Fatal(err)
					}
					time.Sleep(3 * time.Hour)
					cancel()
					if err := <-ended; !errors.Is(err, context.Canceled) {
						t.Errorf("Run = %v", err)
					}
					if fmt.Sprint(l.at) != fmt.Sprint(tt.asked) {
						t.Errorf("asked after %v, want %v", l.at, tt.asked)
					}
					got := sink.Receipts()
					if tt.costs == 0 && len(got) == 0 {
						return
					}
					want := countersign.Receipt{ID: m.Verification, DeliveryID: m.ID, Cost: countersign.Money{Micros: tt.costs, Currency: "USD"}}
					if len(got) != 1 || got[0] != want {
						t.Errorf("heard %+v, want %+v", got, want)
					}
				})
			})
		}
	}
}
