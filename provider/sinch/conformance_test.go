package sinch_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/sinch"
	"countersign/sinchauth"
)

const (
	appKey    = "11111111-2222-3333-4444-555555555555"
	appSecret = "ZHVtbXktc2VjcmV0LWZvci1kb2NzLTAxMjM0NTY3ODk="
)

func credentials(t testing.TB) sinchauth.Credentials {
	t.Helper()
	s, err := sinchauth.ParseSecret(appSecret)
	if err != nil {
		t.Fatal(err)
	}
	return sinchauth.Credentials{Key: appKey, Secret: s}
}

func verificationConfig(t testing.TB, base string) sinch.VerificationConfig {
	return sinch.VerificationConfig{Name: "sinch", Credentials: credentials(t), BaseURL: base}
}

func smsConfig(base string) sinch.SMSConfig {
	return sinch.SMSConfig{
		Name: "sinch-sms", From: "12025550100", ServicePlan: "plan", Token: "token", BaseURL: base,
		CallbackURL: "https://example.com/hooks/sinch/sms", CallbackSecret: "dummy-webhook-secret",
	}
}

func vendorError(status, code int, message string) providertest.Answer {
	return plain(status, fmt.Sprintf(`{"errorCode":%d,"message":%q,"reference":"trace"}`, code, message))
}

func plain(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func verificationRefusals() []providertest.Refusal {
	r := func(class countersign.FailureClass, code int, message string) providertest.Refusal {
		return providertest.Refusal{Name: fmt.Sprintf("%d %s", code, message), Class: class, Answer: vendorError(code/100, code, message)}
	}
	return []providertest.Refusal{
		r(countersign.FailDestination, 40001, "Number +14155550102 is invalid. Too short."),
		r(countersign.FailOperator, 40002, "missing"),
		r(countersign.FailDestination, 40005, "plus"),
		r(countersign.FailOperator, 40101, "timestamp"),
		r(countersign.FailOperator, 40102, "Invalid Signature"),
		r(countersign.FailOperator, 40108, "credentials"),
		r(countersign.FailOperator, 40200, "credit"),
		r(countersign.FailOperator, 40201, "not in the table"),
		r(countersign.FailDenied, 40300, "Fraud"),
		r(countersign.FailDestination, 40300, "Seamless verification not available for given destination."),
		r(countersign.FailOperator, 40303, "Authorization requirement not met."),
		r(countersign.FailOperator, 40400, "Requested resource was not found."),
		r(countersign.FailUnknown, 40900, "conflict"),
		r(countersign.FailTemporary, 42201, "unavailable"),
		r(countersign.FailOperator, 42202, "callback"),
		r(countersign.FailTemporary, 42900, "capacity"),
		r(countersign.FailTemporary, 42901, "velocity"),
		r(countersign.FailTemporary, 50000, "internal"),
		r(countersign.FailOperator, 50100, "not implemented"),
		r(countersign.FailTemporary, 50300, "down"),
		{Name: "code as text", Class: countersign.FailOperator, Answer: plain(402, `{"errorCode":"40200","message":"credit"}`)},
		{Name: "code and status disagree", Class: countersign.FailTemporary, Answer: plain(503, `{"errorCode":40300}`)},
		{Name: "gateway timeout", Class: countersign.FailUnknown, Answer: plain(504, ``)},
		{Name: "403 without a body", Class: countersign.FailOperator, Answer: plain(403, ``)},
	}
}

func acceptStart() func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
	var refs atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
		ref := fmt.Sprintf("018c0000-0000-7000-8000-%012d", refs.Add(1))
		fmt.Fprintf(w, `{"id":%q,"method":"sms","sms":{"template":"{{CODE}}"},"_links":[]}`, ref)
		return ref
	}
}

func TestVerificationConformance(t *testing.T) {
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) {
			return sinch.NewVerification(verificationConfig(t, base))
		},
		Accept:   acceptStart(),
		Refusals: verificationRefusals(),
		Probe:    vendorError(404, 40400, "Requested resource was not found."),
	})
}

func TestOwnCodeConformance(t *testing.T) {
	providertest.Run(t, providertest.Subject{
		New:      func(base string) (countersign.Provider, error) { return sinch.NewOwnCode(verificationConfig(t, base)) },
		Accept:   acceptStart(),
		Refusals: verificationRefusals(),
		Probe:    vendorError(404, 40400, "Requested resource was not found."),
	})
}

func signedCallback(t testing.TB, body string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/sinch/verification", bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	sinchauth.SignCallback(r, []byte(body), credentials(t), at)
	return r
}

func TestSMSConformance(t *testing.T) {
	var refs, nonces atomic.Int64
	r := func(class countersign.FailureClass, status int, code string) providertest.Refusal {
		return providertest.Refusal{
			Name: strconv.Itoa(status) + " " + code, Class: class,
			Answer: plain(status, fmt.Sprintf(`{"code":%q,"text":"'+14155550102' is not good"}`, code)),
		}
	}
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return sinch.NewSMS(smsConfig(base)) },
		Accept: func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
			ref := fmt.Sprintf("01FC66621VHDBN119Z8P%06d", refs.Add(1))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"id":%q,"canceled":false}`, ref)
			return ref
		},
		Refusals: []providertest.Refusal{
			r(countersign.FailDestination, 400, "syntax_invalid_parameter_format"),
			r(countersign.FailOperator, 400, "syntax_constraint_violation"),
			r(countersign.FailOperator, 403, "missing_callback_url"),
			r(countersign.FailOperator, 403, "blocked_account"),
			r(countersign.FailDestination, 403, "illegal_number_type"),
			r(countersign.FailOperator, 402, ""),
			r(countersign.FailOperator, 404, ""),
			r(countersign.FailOperator, 415, ""),
			r(countersign.FailUnknown, 504, ""),
		},
		Probe: plain(200, `{"count":0,"batches":[]}`),
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*sinch.SMS).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				words := map[countersign.DeliveryStatus]string{
					countersign.DeliverySent: "Dispatched", countersign.DeliveryDelivered: "Delivered", countersign.DeliveryUndelivered: "Failed",
				}
				body, err := json.Marshal(map[string]any{
					"type": "recipient_delivery_report_sms", "batch_id": ref, "recipient": "14155550102", "code": 0,
					"status": words[s], "at": "2026-01-02T03:04:05.678Z", "client_reference": m.Verification + "." + m.ID,
				})
				if err != nil {
					t.Fatal(err)
				}
				return signedWebhook(string(body), fmt.Sprintf("nonce%d", nonces.Add(1)), time.Now())
			},
		},
	})
}

func FuzzSMS(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return sinch.NewSMS(smsConfig(base)) },
		`{"id":"01FC66621VHDBN119Z8P000001","canceled":false}`, `{"code":"syntax_invalid_parameter_format","text":"741853"}`, `{"count":1,"batches":[{"id":"b0"}]}`)
}

func FuzzStart(f *testing.F) {
	m := providertest.NewMessage(1)
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) {
		return sinch.NewVerification(verificationConfig(f, base))
	},
		`{"id":"018c0000-0000-7000-8000-000000000001","method":"sms"}`, `{"errorCode":40001,"message":"`+m.To.Dial()+`"}`,
		`{"id":"a","method":"sms","status":"PENDING","identity":{"type":"number","endpoint":"`+m.To.Dial()+`"}}`)
}

func signedWebhook(body, nonce string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/sinch/sms", bytes.NewReader([]byte(body)))
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte("dummy-webhook-secret"))
	mac.Write([]byte(body + "." + nonce + "." + stamp))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-sinch-webhook-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.Header.Set("x-sinch-webhook-signature-algorithm", "HmacSHA256")
	r.Header.Set("x-sinch-webhook-signature-nonce", nonce)
	r.Header.Set("x-sinch-webhook-signature-timestamp", stamp)
	return r
}
