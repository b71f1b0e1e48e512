package twilio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/twilio"
)

const (
	accountSID = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	authToken  = "0123456789abcdef0123456789abcdef"
	service    = "VAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	callback   = "https://example.com/hooks/twilio/status"
)

func account() twilio.Account { return twilio.Account{SID: accountSID, Token: authToken} }

func messagingConfig(base string) twilio.MessagingConfig {
	return twilio.MessagingConfig{Name: "twilio", Account: account(), From: "+12025550100", BaseURL: base, CallbackURL: callback}
}

func verifyConfig(base string) twilio.VerifyConfig {
	return twilio.VerifyConfig{Name: "twilio-verify", Account: account(), Service: service, BaseURL: base}
}

func plain(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func vendorError(status, code int) providertest.Answer {
	return plain(status, fmt.Sprintf(`{"code":%d,"message":"+14155550102 is not good","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status))
}

func refusals(pairs map[[2]int]countersign.FailureClass) []providertest.Refusal {
	var list []providertest.Refusal
	for pair, class := range pairs {
		list = append(list, providertest.Refusal{Name: fmt.Sprint(pair), Class: class, Answer: vendorError(pair[0], pair[1])})
	}
	return append(
		list,
		providertest.Refusal{Name: "code and status disagree", Class: countersign.FailTemporary, Answer: vendorError(503, 21211)},
		providertest.Refusal{Name: "gateway timeout", Class: countersign.FailUnknown, Answer: plain(504, ``)},
		providertest.Refusal{Name: "403 without a body", Class: countersign.FailOperator, Answer: plain(403, ``)},
		providertest.Refusal{Name: "200 with an error body", Class: countersign.FailUnknown, Answer: plain(200, `{"code":20003,"status":401}`)},
		providertest.Refusal{Name: "201 of another kind", Class: countersign.FailUnknown, Answer: plain(201, `<html>captive portal</html>`)},
	)
}

func TestVerifyConformance(t *testing.T) {
	var sids atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return twilio.NewVerify(verifyConfig(base)) },
		Accept: func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
			sid := fmt.Sprintf("VE%032x", sids.Add(1))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid":%q,"status":"pending","valid":false}`, sid)
			return sid
		},
		Probe: plain(200, `{"sid":"`+service+`"}`),
		Refusals: refusals(map[[2]int]countersign.FailureClass{
			{400, 60200}: countersign.FailDestination, {429, 60203}: countersign.FailTemporary, {403, 60205}: countersign.FailDestination,
			{429, 60212}: countersign.FailTemporary, {400, 60223}: countersign.FailOperator, {403, 60410}: countersign.FailDenied,
			{403, 60605}: countersign.FailOperator, {401, 20003}: countersign.FailOperator, {404, 20404}: countersign.FailOperator,
			{400, 60238}: countersign.FailDenied, {400, 99999}: countersign.FailOperator,
		}),
	})
}

func TestMessagingConformance(t *testing.T) {
	var sids atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return twilio.NewMessaging(messagingConfig(base)) },
		Accept: func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
			sid := fmt.Sprintf("SM%032x", sids.Add(1))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"sid":%q,"status":"queued","error_code":null,"price":null,"price_unit":"USD"}`, sid)
			return sid
		},
		Probe: plain(200, `{"messages":[]}`),
		Refusals: append(refusals(map[[2]int]countersign.FailureClass{
			{400, 21211}: countersign.FailDestination, {400, 21408}: countersign.FailOperator, {400, 21610}: countersign.FailDestination,
			{400, 21612}: countersign.FailTemporary, {400, 21614}: countersign.FailDestination, {400, 21606}: countersign.FailOperator,
			{429, 20429}: countersign.FailTemporary, {429, 21611}: countersign.FailTemporary,
		}), providertest.Refusal{
			Name: "taken and failed at once", Class: countersign.FailDestination,
			Answer: plain(201, `{"sid":"SM00000000000000000000000000000001","status":"failed","error_code":21614}`),
		}),
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*twilio.Messaging).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				return report("/hooks/twilio/status/"+m.Verification+"."+m.ID, url.Values{
					"MessageSid": {ref}, "MessageStatus": {string(s)}, "To": {m.To.Dial()}, "From": {"+12025550100"}, "AccountSid": {accountSID},
				})
			},
		},
	})
}

// report is a callback as the vendor sends it.
func report(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", twilio.Signature(authToken, "https://example.com"+path, form))
	return r
}

func FuzzMessaging(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return twilio.NewMessaging(messagingConfig(base)) },
		`{"sid":"SM00000000000000000000000000000001","status":"queued","error_code":null}`, `{"sid":"SM1","status":"failed","error_code":21614}`,
		`{"code":21211,"status":400}`, `{"messages":[{"sid":"SM00000000000000000000000000000001","to":"+14155550101","body":"Demo: 741853 is your code."}]}`)
}

func FuzzVerifyStart(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return twilio.NewVerify(verifyConfig(base)) },
		`{"sid":"VE00000000000000000000000000000001","status":"pending","to":"+14155550101","send_code_attempts":[{"time":"2026-01-02T03:04:05Z","attempt_sid":"VL00000000000000000000000000000001"}]}`,
		`{"code":60200,"status":400}`)
}
