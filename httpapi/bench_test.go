package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/httpapi"
	"countersign/phone"
)

// idle is an engine that does nothing: what is left is the face.
type idle struct {
	httpapi.Engine
	v *countersign.Verification
}

func (e *idle) Start(context.Context, *countersign.StartRequest) (*countersign.Verification, error) {
	return e.v, nil
}

func (e *idle) Check(context.Context, *countersign.CheckRequest) (*countersign.Verification, error) {
	return e.v, nil
}

// sink is a ResponseWriter that keeps nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func newIdle(b testing.TB, log *slog.Logger) http.Handler {
	n, err := phone.Parse(number, "")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	cfg := baseConfig(b, &idle{v: &countersign.Verification{
		ID: "ver_0a3aaaaaaaaaaaaaaaaaaaaaaaaaa", App: "demo", Status: countersign.StatusPending, To: countersign.PhoneAddress(n), Channel: countersign.ChannelSMS,
		Purpose: countersign.PurposeLogin, Created: now, Expires: now.Add(300 * time.Second), CodeLength: 6, ChecksLeft: 5, Sends: 1, SendsLeft: 2, Now: now,
		Deliveries: []countersign.Delivery{{ID: "msg_one", Channel: countersign.ChannelSMS, Provider: "main", Status: countersign.DeliveryAccepted, At: now}},
	}}, io.Discard)
	cfg.Logger = log
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	h, err := httpapi.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// run measures a handler without a connection.
func run(b *testing.B, h http.Handler, path, body string) {
	r := httptest.NewRequest("POST", path, nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		r.Pattern = ""
		r.Body = io.NopCloser(strings.NewReader(body))
		h.ServeHTTP(&sink{h: http.Header{}}, r)
	}
}

func BenchmarkStart(b *testing.B) {
	run(b, newIdle(b, slog.New(slog.NewJSONHandler(io.Discard, nil))), "/v1/verifications", `{"to":"`+number+`","reference":"order-17"}`)
}

// BenchmarkStartMailbox is a start without a number to parse, which is the largest part of the one above.
func BenchmarkStartMailbox(b *testing.B) {
	run(b, newIdle(b, slog.New(slog.NewJSONHandler(io.Discard, nil))), "/v1/verifications", `{"to":"a@b.example","channel":"email"}`)
}

func BenchmarkCheck(b *testing.B) {
	run(b, newIdle(b, slog.New(slog.NewJSONHandler(io.Discard, nil))), "/v1/verifications/ver_0a3aaaaaaaaaaaaaaaaaaaaaaaaaa/checks", `{"code":"123456"}`)
}

func BenchmarkCheckWithoutLog(b *testing.B) {
	run(b, newIdle(b, slog.New(slog.DiscardHandler)), "/v1/verifications/ver_0a3aaaaaaaaaaaaaaaaaaaaaaaaaa/checks", `{"code":"123456"}`)
}

// BenchmarkFloor is what any handler of this kind does at least: a mux, a body read, an answer written.
func BenchmarkFloor(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/verifications/{id}/checks", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(`{"status":"approved"}`))
	})
	run(b, mux, "/v1/verifications/x/checks", `{"code":"123456"}`)
}
