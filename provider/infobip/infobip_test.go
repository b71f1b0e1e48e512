package infobip_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/provider/infobip"
	"countersign/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const callbackToken = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"

func config(base string) infobip.Config {
	return infobip.Config{
		Name: "infobip", BaseURL: base, APIKey: "key-1", From: "Shop", CallbackURL: "https://verify.example.com/hooks/infobip/sms", CallbackToken: callbackToken,
	}
}

func answer(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func standing(group int, name string) string {
	return fmt.Sprintf(`{"bulkId":"b","messages":[{"messageId":"m","status":{"groupId":%d,"groupName":"G","id":1,"name":%q,"description":"+14155550102 741854"},"destination":"14155550102"}]}`, group, name)
}

func report(m *countersign.Message, ref string, s countersign.DeliveryStatus) string {
	group, name := 3, "DELIVERED_TO_HANDSET"
	switch s {
	case countersign.DeliverySent:
		name = "DELIVERED_TO_OPERATOR"
	case countersign.DeliveryUndelivered:
		group, name = 2, "UNDELIVERABLE_NOT_DELIVERED"
	}
	return fmt.Sprintf(`{"results":[{"bulkId":"b","messageId":%q,"to":%q,"doneAt":"2026-07-25T10:00:00.000+0000","callbackData":%q,"status":{"groupId":%d,"name":%q},"error":{"groupId":0,"name":"EC_ABSENT_SUBSCRIBER","permanent":false}}]}`,
		ref, m.To.Dial()[1:], m.Verification, group, name)
}

func TestConformance(t *testing.T) {
	var refs atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return infobip.New(config(base)) },
		Accept: func(w http.ResponseWriter, r *http.Request, body []byte) string {
			ref := "m-" + strconv.FormatInt(refs.Add(1), 10)
			if len(body) > 0 {
				asked(t, r, body)
			}
			fmt.Fprintf(w, `{"messages":[{"messageId":%q,"status":{"groupId":1,"name":"PENDING_ACCEPTED"}}]}`, ref)
			return ref
		},
		Refusals: []providertest.Refusal{
			{Name: "credits", Class: countersign.FailOperator, Answer: answer(200, standing(5, "REJECTED_NOT_ENOUGH_CREDITS"))},
			{Name: "sender", Class: countersign.FailOperator, Answer: answer(200, standing(5, "REJECTED_SOURCE"))},
			{Name: "no coverage", Class: countersign.FailTemporary, Answer: answer(200, standing(5, "REJECTED_NETWORK"))},
			{Name: "number", Class: countersign.FailDestination, Answer: answer(200, standing(5, "REJECTED_DESTINATION"))},
			{Name: "prefix", Class: countersign.FailDestination, Answer: answer(200, standing(5, "REJECTED_PREFIX_MISSING"))},
			{Name: "fraud", Class: countersign.FailDenied, Answer: answer(200, standing(5, "SIGNALS_BLOCKED"))},
			{Name: "operator said no", Class: countersign.FailTemporary, Answer: answer(200, standing(2, "UNDELIVERABLE_REJECTED_OPERATOR"))},
			{Name: "a new reason", Class: countersign.FailOperator, Answer: answer(200, standing(5, "+14155550102"))},
			{Name: "a new group", Class: countersign.FailUnknown, Answer: answer(200, standing(9, "NEW"))},
			{Name: "known id at the first attempt", Class: countersign.FailUnknown, Answer: answer(200, standing(5, "REJECTED_DUPLICATE_MESSAGE_ID"))},
			{Name: "200 with an error body", Class: countersign.FailUnknown, Answer: answer(200, `{"errorCode":"E500","description":"741854"}`)},
			{Name: "no messages", Class: countersign.FailUnknown, Answer: answer(200, `{"messages":[]}`)},
			{Name: "the number is malformed", Class: countersign.FailDestination, Answer: answer(400, `{"errorCode":"E400","violations":[{"property":"messages[0].destinations[0].to","violation":"x"}]}`)},
			{Name: "the text", Class: countersign.FailOperator, Answer: answer(400, `{"errorCode":"E400","violations":[{"property":"messages[0].content.text","violation":"x"}]}`)},
			{Name: "forbidden", Class: countersign.FailOperator, Answer: answer(403, `{"errorCode":"E403"}`)},
			{Name: "gateway timeout", Class: countersign.FailUnknown, Answer: answer(504, ``)},
		},
		Probe: answer(200, `{"results":[]}`),
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*infobip.Provider).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				r := httptest.NewRequest(http.MethodPost, "/hooks/infobip/sms", strings.NewReader(report(m, ref, s)))
				r.SetBasicAuth("infobip", callbackToken)
				return r
			},
			ByRef: true,
		},
	})
}

// asked says what is wrong with a request.
func asked(t *testing.T, r *http.Request, body []byte) {
	var a struct {
		Messages []struct {
			Sender       string
			Destinations []struct{ To, MessageID string }
			Content      struct{ Text string }
			Options      struct{ ValidityPeriod struct{ Amount int } }
			Webhooks     struct {
				Delivery     struct{ URL string }
				CallbackData string
			}
		}
	}
	if err := json.Unmarshal(body, &a); err != nil || len(a.Messages) != 1 || r.URL.Path != "/sms/3/messages" || r.Header.Get("Authorization") != "App key-1" {
		t.Errorf("%s %v %s", r.URL.Path, err, body)
		return
	}
	m := a.Messages[0]
	if m.Sender != "Shop" || len(m.Destinations) != 1 || !strings.HasPrefix(m.Destinations[0].To, "1415555") || !strings.HasPrefix(m.Destinations[0].MessageID, "msg_") ||
		m.Options.ValidityPeriod.Amount != 5 || !strings.HasSuffix(m.Webhooks.Delivery.URL, "/sms/"+callbackToken) || !strings.HasPrefix(m.Webhooks.CallbackData, "ver_") {
		t.Errorf("asked %s", body)
	}
}

// TestLostAnswer: a message that the vendor knows already was taken the first time.
func TestLostAnswer(t *testing.T) {
	c := providertest.NewCarrier(answer(200, standing(5, "REJECTED_DUPLICATE_MESSAGE_ID")))
	defer c.Close()
	p, err := infobip.New(config(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	m := providertest.NewMessage(1)
	m.Attempt = 2
	if h, err := p.Send(t.Context(), m); err != nil || h.Ref != m.ID {
		t.Errorf("%+v, %v", h, err)
	}
}

// found is a log with the first test message.
func found(group int, name string) string {
	return fmt.Sprintf(`{"results":[{"messageId":%q,"destination":"14155550101","status":{"groupId":%d,"name":%q}}]}`, providertest.NewMessage(1).ID, group, name)
}

func TestACountrysSender(t *testing.T) {
	c := providertest.NewCarrier(answer(200, standing(1, "PENDING_ACCEPTED")))
	defer c.Close()
	p, err := infobip.New(config(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	m := providertest.NewMessage(1)
	m.Sender = "Butik"
	if _, err := p.Send(t.Context(), m); err != nil || !strings.Contains(string(c.Requests()[0].Body), `"sender":"Butik"`) {
		t.Errorf("%v, sent %s", err, c.Requests()[0].Body)
	}
}

// A message whose answer was lost is looked up by its id, which is ours.
func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name       string
		answer     providertest.Answer
		found, err bool
	}{
		{"on its way", answer(200, found(1, "PENDING_ENROUTE")), true, false},
		{"delivered", answer(200, found(3, "DELIVERED_TO_HANDSET")), true, false},
		{"rejected", answer(200, found(5, "REJECTED_NETWORK")), false, false},
		{"nobody has it", answer(200, `{"results":[]}`), false, false},
		{"another's", answer(200, strings.Replace(found(1, "PENDING_ENROUTE"), `"messageId":"msg_`, `"messageId":"x`, 1)), false, false},
		{"the key may not read the log", answer(403, `{"errorCode":"E403"}`), false, true},
		{"nonsense", answer(200, `[]`), false, true},
		{"of no log", answer(200, `{}`), false, true},
	} {
		c := providertest.NewCarrier(tt.answer)
		p, err := infobip.New(config(c.URL()))
		if err != nil {
			t.Fatal(err)
		}
		m := providertest.NewMessage(1)
		h, ok, err := p.Find(t.Context(), m)
		var f *countersign.Failure
		if ok != tt.found || (err != nil) != tt.err || tt.err && (!errors.As(err, &f) || f.Class != countersign.FailUnknown) || tt.found && h.Ref != m.ID {
			t.Errorf("%s: %+v, %v, %v", tt.name, h, ok, err)
		}
		if asked := c.Requests(); len(asked) != 1 || asked[0].Path != "/sms/3/logs?limit=1&messageId="+m.ID || asked[0].Method != http.MethodGet {
			t.Errorf("%s: asked %+v", tt.name, asked)
		}
		p.CloseIdleConnections()
		c.Close()
	}
}

func TestCosts(t *testing.T) {
	m := providertest.NewMessage(1)
	for price, want := range map[string]countersign.Money{
		`"messageCount":1,"price":{"pricePerMessage":0.0095,"currency":"EUR"}`:   {Micros: 9500, Currency: "EUR"},
		`"messageCount":3,"price":{"pricePerMessage":9.5E-3,"currency":"EUR"}`:   {Micros: 28_500, Currency: "EUR"},
		`"price":{"pricePerMessage":0.0095,"currency":"EUR"}`:                    {Micros: 9500, Currency: "EUR"},
		`"messageCount":2,"price":{"pricePerMessage":null,"currency":"UNKNOWN"}`: {},
		`"messageCount":2`: {},
	} {
		p, err := infobip.New(config("http://127.0.0.1:1"))
		if err != nil {
			t.Fatal(err)
		}
		sink := &providertest.Sink{}
		body := strings.Replace(report(m, m.ID, countersign.DeliveryDelivered), `"bulkId":"b"`, price, 1)
		w := httptest.NewRecorder()
		p.Callback(sink).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/infobip/sms/"+callbackToken, strings.NewReader(body)))
		if got := sink.Receipts(); w.Code != 200 || len(got) != 1 || got[0].Cost != want {
			t.Errorf("%s: %d, %+v", price, w.Code, got)
		}
	}
}

func TestReports(t *testing.T) {
	m := providertest.NewMessage(1)
	good := report(m, m.ID, countersign.DeliveryUndelivered)
	for _, c := range []struct {
		name, path, password, body string
		status, receipts           int
	}{
		{"secret in the path", "/hooks/infobip/sms/" + callbackToken, "", good, 200, 1},
		{"secret as a password", "/hooks/infobip/sms", callbackToken, good, 200, 1},
		{"no secret", "/hooks/infobip/sms", "", good, 401, 0},
		{"another secret", "/hooks/infobip/sms/" + callbackToken[1:], "", good, 401, 0},
		{"right path, wrong password", "/hooks/infobip/sms/" + callbackToken, "x", good, 401, 0},
		{"not JSON", "/hooks/infobip/sms/" + callbackToken, "", "<html>", 400, 0},
		{"empty", "/hooks/infobip/sms/" + callbackToken, "", "", 400, 0},
		{"another's", "/hooks/infobip/sms/" + callbackToken, "", strings.Replace(good, m.Verification, "", 1), 200, 0},
		{"a new group", "/hooks/infobip/sms/" + callbackToken, "", strings.Replace(good, `"groupId":2`, `"groupId":9`, 1), 200, 0},
		{"two", "/hooks/infobip/sms/" + callbackToken, "", `{"results":[` + good[12:len(good)-2] + `,` + good[12:len(good)-2] + `]}`, 200, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := infobip.New(config("http://127.0.0.1:1"))
			if err != nil {
				t.Fatal(err)
			}
			sink := &providertest.Sink{}
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			if c.password != "" {
				r.SetBasicAuth("x", c.password)
			}
			w := httptest.NewRecorder()
			p.Callback(sink).ServeHTTP(w, r)
			got := sink.Receipts()
			if w.Code != c.status || len(got) != c.receipts {
				t.Fatalf("answer %d, %d receipts", w.Code, len(got))
			}
			if len(got) > 0 && (got[0].ID != m.Verification || got[0].DeliveryID != m.ID || got[0].Detail != "UNDELIVERABLE_NOT_DELIVERED EC_ABSENT_SUBSCRIBER" || got[0].At.IsZero()) {
				t.Errorf("%+v", got[0])
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	err := (&infobip.Config{BaseURL: "http://api.infobip.com", APIKey: "a b", CallbackURL: "x", CallbackToken: "short", Timeout: time.Minute}).Validate()
	for _, at := range []string{"name", "base_url", "api_token", "sender", "callback_token", "timeout"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s in %v", at, err)
		}
	}
}

func FuzzReports(f *testing.F) {
	m := providertest.NewMessage(1)
	f.Add(report(m, m.ID, countersign.DeliveryDelivered))
	f.Add(`{"results":null}`)
	f.Add(``)
	p, err := infobip.New(config("http://127.0.0.1:1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sink := &providertest.Sink{}
		w := httptest.NewRecorder()
		p.Callback(sink).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/infobip/sms/"+callbackToken, strings.NewReader(text)))
		for _, r := range sink.Receipts() {
			if r.ID == "" || r.Status == "" || len(r.Detail) > 64 {
				t.Errorf("%q is read as %+v", text, r)
			}
		}
		if w.Code/100 == 5 {
			t.Errorf("%q was answered with %d", text, w.Code)
		}
	})
}

// FuzzAnswer: whatever the vendor answers, a send tells the truth and quotes nothing.
func FuzzAnswer(f *testing.F) {
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return infobip.New(config(base)) },
		standing(1, "PENDING_ACCEPTED"), standing(5, "REJECTED_DESTINATION"), `{"errorCode":"741854"}`, found(1, "PENDING_ENROUTE"))
}
