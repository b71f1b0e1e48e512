package webhook_test

import (
	"bytes"
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
	"countersign/provider/webhook"
)

const (
	sendSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	receiptSecret = "whsec_cmVjZWlwdHMgYXJlIHNpZ25lZCB3aXRoIHRoaXM="
)

func config(base string) webhook.Config {
	return webhook.Config{
		Name: "acme", URL: base + "/send", Secrets: []string{sendSecret},
		Answer: webhook.Answer{
			RefPath: "message.id", ErrorPath: "error.code",
			ErrorClasses: map[string]string{"BLOCKED": "denied", "NO_CREDIT": "operator"},
		},
		Receipts: &webhook.Receipts{Secrets: []string{receiptSecret}},
	}
}

func answer(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestConformance(t *testing.T) {
	secret := mustSecret(t, receiptSecret)
	var refs, callbacks atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return webhook.New(config(base)) },
		Accept: func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
			ref := "acme-" + strconv.FormatInt(refs.Add(1), 10)
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintf(w, `{"message":{"id":%q}}`, ref)
			return ref
		},
		Refusals: []providertest.Refusal{
			{Name: "400", Class: countersign.FailDestination, Answer: answer(400, `{"error":{"code":"LANDLINE"}}`)},
			{Name: "404", Class: countersign.FailDestination, Answer: answer(404, ``)},
			{Name: "422", Class: countersign.FailDestination, Answer: answer(422, `{"error":{"code":"+14155550102 741854"}}`)},
			{Name: "402", Class: countersign.FailOperator, Answer: answer(402, `<html>`)},
			{Name: "403", Class: countersign.FailOperator, Answer: answer(403, ``)},
			{Name: "415", Class: countersign.FailOperator, Answer: answer(415, ``)},
			{Name: "vendor's code goes before the status", Class: countersign.FailDenied, Answer: answer(400, `{"error":{"code":"BLOCKED"}}`)},
			{Name: "200 with an error body", Class: countersign.FailOperator, Answer: answer(200, `{"error":{"code":"NO_CREDIT"}}`)},
			{Name: "the code as a reason", Class: countersign.FailDestination, Answer: answer(400, `{"error":{"code":"741854"}}`)},
		},
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*webhook.Provider).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				body, err := json.Marshal(map[string]any{"type": "message.status", "data": map[string]any{
					"verification": m.Verification, "id": m.ID, "ref": ref, "status": s, "detail": "E30",
				}})
				if err != nil {
					t.Fatal(err)
				}
				return signed(secret, fmt.Sprintf("evt_%d", callbacks.Add(1)), time.Now(), body)
			},
		},
	})
}

func signed(secret webhook.Secret, id string, at time.Time, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/acme/status", bytes.NewReader(body))
	webhook.Sign(r.Header, id, at, body, secret)
	return r
}

func mustSecret(t testing.TB, text string) webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
