package sinch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/sinch"
)

func newSMS(t *testing.T, cfg sinch.SMSConfig) *sinch.SMS {
	t.Helper()
	p, err := sinch.NewSMS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.CloseIdleConnections)
	return p
}

func TestBatchShape(t *testing.T) {
	c := providertest.NewCarrier(plain(201, `{"id":"b1"}`))
	defer c.Close()
	cfg := smsConfig(c.URL())
	cfg.CallbackToken = sinch.NewCallbackToken()
	m := providertest.NewMessage(1)
	if _, err := newSMS(t, cfg).Send(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	r := c.Requests()[0]
	if r.Path != "/xms/v1/plan/batches" || r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("request = %s %v", r.Path, r.Header)
	}
	var got map[string]any
	if err := json.Unmarshal(r.Body, &got); err != nil {
		t.Fatal(err)
	}
	expires, err := time.Parse("2006-01-02T15:04:05.000Z", got["expire_at"].(string))
	if left := time.Until(expires); err != nil || left < 4*time.Minute || left > 5*time.Minute {
		t.Errorf("expire_at = %v, %v", got["expire_at"], err)
	}
	delete(got, "expire_at")
	want := map[string]any{
		"to": []any{"14155550101"}, "from": "12025550100", "body": m.Text, "client_reference": m.Verification + "." + m.ID,
		"delivery_report": "per_recipient", "callback_url": "https://example.com/hooks/sinch/sms/" + string(cfg.CallbackToken),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("body = %v\nwant   %v", got, want)
	}
}

func TestSMSSecondAttempt(t *testing.T) {
	m := providertest.NewMessage(1)
	m.Attempt = 2
	own := m.Verification + "." + m.ID
	tests := []struct {
		name string
		list providertest.Answer
		ref  string
	}{
		{"was taken", plain(200, `{"count":1,"batches":[{"id":"b0","client_reference":"`+own+`"}]}`), "b0"},
		{"was taken, no reference in the list", plain(200, `{"count":1,"batches":[{"id":"b0"}]}`), "b0"},
		{"was not", plain(200, `{"count":0,"batches":[]}`), "b1"},
		{"the filter is ignored", plain(200, `{"count":1,"batches":[{"id":"b7","client_reference":"other"}]}`), "b1"},
		{"nobody knows", plain(500, ``), ""},
		{"nobody may ask", plain(401, ``), ""},
		{"lost", hangUp, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := providertest.NewCarrier(func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Method == http.MethodPost {
					plain(201, `{"id":"b1"}`)(w, r, body)
					return
				}
				if r.URL.Query().Get("client_reference") != own {
					t.Errorf("looked up %s", r.URL)
				}
				tt.list(w, r, body)
			})
			defer c.Close()
			h, err := newSMS(t, smsConfig(c.URL())).Send(context.Background(), m)
			f := (*countersign.Failure)(nil)
			if h.Ref != tt.ref || (err != nil) != (tt.ref == "") || errors.As(err, &f) && f.Class != countersign.FailUnknown {
				t.Errorf("Send = %+v, %v", h, err)
			}
		})
	}
}

// A project's access token is fetched once, kept, and replaced when the vendor calls it expired.
func TestAccessTokens(t *testing.T) {
	var issued, batches atomic.Int64
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			body, _ := io.ReadAll(r.Body)
			if id, secret, _ := r.BasicAuth(); id != "kid" || secret != "ksec" || string(body) != "grant_type=client_credentials" {
				w.WriteHeader(401)
				return
			}
			fmt.Fprintf(w, `{"access_token":"t%d","expires_in":3600,"scope":"","token_type":"bearer"}`, issued.Add(1))
			return
		}
		if r.Header.Get("Authorization") == "Bearer t1" && batches.Load() == 2 {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="The token has expired"`)
			w.WriteHeader(401)
			return
		}
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"id":"b%d"}`, batches.Add(1))
	}))
	defer vendor.Close()
	cfg := sinch.SMSConfig{Name: "sinch-sms", From: "1", Project: "p", KeyID: "kid", KeySecret: "ksec", BaseURL: vendor.URL, AuthURL: vendor.URL}
	p := newSMS(t, cfg)
	for i := range 3 {
		if _, err := p.Send(context.Background(), providertest.NewMessage(i)); err != nil {
			t.Fatal(err)
		}
	}
	if issued.Load() != 2 || batches.Load() != 3 {
		t.Errorf("%d tokens for %d batches", issued.Load(), batches.Load())
	}
	cfg.KeySecret = "wrong"
	f := (*countersign.Failure)(nil)
	if _, err := newSMS(t, cfg).Send(context.Background(), providertest.NewMessage(1)); !errors.As(err, &f) || f.Class != countersign.FailOperator {
		t.Errorf("with a wrong key: %v", err)
	}
}

func recipientReport(code, status string) string {
	m := providertest.NewMessage(1)
	return fmt.Sprintf(`{"type":"recipient_delivery_report_sms","batch_id":"b1","recipient":"14155550101","code":%s,"status":%q,"at":"2022-08-30T08:16:08.930Z","operator":"x","client_reference":"%s.%s"}`,
		code, status, m.Verification, m.ID)
}

func batchReport(statuses string) string {
	m := providertest.NewMessage(1)
	return fmt.Sprintf(`{"type":"delivery_report_sms","batch_id":"b1","statuses":%s,"total_message_count":1,"client_reference":"%s.%s"}`,
		statuses, m.Verification, m.ID)
}

func TestDeliveryReports(t *testing.T) {
	const none = countersign.DeliveryStatus("")
	tests := []struct {
		name, body string
		want       countersign.DeliveryStatus
		detail     string
	}{
		{"queued", recipientReport("400", "Queued"), countersign.DeliveryAccepted, ""},
		{"dispatched", recipientReport("401", "Dispatched"), countersign.DeliverySent, ""},
		{"delivered", recipientReport("0", "Delivered"), countersign.DeliveryDelivered, ""},
		{"failed, code as text", recipientReport(`"150"`, "Failed"), countersign.DeliveryUndelivered, "Failed 150"},
		{"expired", recipientReport("406", "Expired"), countersign.DeliveryUndelivered, "Expired 406"},
		{"cancelled", recipientReport("407", "Cancelled"), countersign.DeliveryUndelivered, "Cancelled 407"},
		{"rejected", recipientReport("321", "Rejected"), countersign.DeliveryFailed, "Rejected 321"},
		{"aborted", recipientReport("402", "Aborted"), countersign.DeliveryFailed, "Aborted 402"},
		{"opted out", recipientReport("257", "Deleted"), countersign.DeliveryFailed, "Deleted 257"},
		{"unknown", recipientReport("0", "Unknown"), countersign.DeliverySent, ""},
		{"a new status", recipientReport("1", "Zzz"), none, ""},
		{"MMS", strings.Replace(recipientReport("0", "Delivered"), "_sms", "_mms", 1), countersign.DeliveryDelivered, ""},
		{"not ours", strings.Replace(recipientReport("0", "Delivered"), "ver_", "xyz_", 1), none, ""},
		{"summary", batchReport(`[{"code":0,"status":"Delivered","count":1}]`), countersign.DeliveryDelivered, ""},
		{"summary, empty line", batchReport(`[{"code":0,"status":"Delivered","count":0},{"code":402,"status":"Aborted","count":1}]`), countersign.DeliveryFailed, "Aborted 402"},
		{"full", batchReport(`[{"code":0,"status":"Delivered","count":1,"recipients":["14155550101"]}]`), countersign.DeliveryDelivered, ""},
		{"another type", `{"type":"nope"}`, none, ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{}
			w := serve(newSMS(t, smsConfig("")).Callback(e), signedWebhook(tt.body, fmt.Sprint(i), time.Now()))
			if w.Code != http.StatusOK {
				t.Fatalf("status %d", w.Code)
			}
			got := append(e.receipts, countersign.Receipt{})[0]
			if got.Status != tt.want || got.Detail != tt.detail || len(e.receipts) > 1 {
				t.Errorf("receipts = %+v, want %q %q", e.receipts, tt.want, tt.detail)
			}
			m := providertest.NewMessage(1)
			if tt.want != none && (got.ID != m.Verification || got.DeliveryID != m.ID || got.Ref != "b1") {
				t.Errorf("the receipt is about %+v", got)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	reply := func(kind, to, body string) string {
		return fmt.Sprintf(`{"type":%q,"id":"01FC","from":"+14155550101","to":%q,"body":%s,"received_at":"2019-08-24T14:17:22Z"}`, kind, to, body)
	}
	tests := []struct{ name, body, want string }{
		{"stop", reply("mo_text", "12025550100", `"STOP"`), "12025550100|+14155550101|STOP"},
		{"sender with a plus", reply("mo_text", "+12025550100", `"start"`), "12025550100|+14155550101|start"},
		{"another sender", reply("mo_text", "447700900000", `"STOP"`), "447700900000|+14155550101|STOP"},
		{"media", reply("mo_media", "12025550100", `{"message":"Stop","media":[]}`), "12025550100|+14155550101|Stop"},
		{"binary", reply("mo_binary", "12025550100", `"U1RPUA=="`), ""},
		{"from a short code", strings.Replace(reply("mo_text", "12025550100", `"STOP"`), "+14155550101", "12345", 1), ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{}
			w := serve(newSMS(t, smsConfig("")).Callback(e), signedWebhook(tt.body, fmt.Sprint(i), time.Now()))
			if got := strings.Join(e.replies, ","); w.Code != http.StatusOK || got != tt.want {
				t.Errorf("%d, replies = %q, want %q", w.Code, got, tt.want)
			}
		})
	}
}

// An old START that comes again, under a signature of its own, does not undo a STOP.
func TestRepliesCountOnce(t *testing.T) {
	e := &engine{fail: countersign.Unavailable(nil)}
	h := newSMS(t, smsConfig("")).Callback(e)
	for i, tt := range []struct {
		id, text string
		status   int
	}{{"r1", "START", 503}, {"r1", "START", 200}, {"r2", "STOP", 200}, {"r1", "START", 200}} {
		body := fmt.Sprintf(`{"type":"mo_text","id":%q,"from":"+14155550101","to":"12025550100","body":%q}`, tt.id, tt.text)
		if w := serve(h, signedWebhook(body, fmt.Sprint(i), time.Now())); w.Code != tt.status {
			t.Errorf("%s: status %d, want %d", tt.text, w.Code, tt.status)
		}
		if e.fail != nil {
			e.fail, e.replies = nil, nil
		}
	}
	if got, want := strings.Join(e.replies, ","), "12025550100|+14155550101|START,12025550100|+14155550101|STOP"; got != want {
		t.Errorf("replies = %q, want %q", got, want)
	}
}

// The worked example of a signed webhook, checked with the vendor's own validator.
func TestWebhookVector(t *testing.T) {
	const body = `{"type":"recipient_delivery_report_sms","batch_id":"01FC66621VHDBN119Z8PMV1QPQ","recipient":"12025550134","code":0,"status":"Delivered","at":"2026-01-02T03:04:05.678Z","operator_status_at":"2026-01-02T03:04:00Z","client_reference":"ref-1"}`
	at := time.Unix(1767323045, 0)
	r := signedWebhook(body, "01FJA8B4A7BM43YGWSG9GBV067", at)
	if got := r.Header.Get("x-sinch-webhook-signature"); got != "zqDaE+POmrZK+3TRoYRavWvlFmYwNtmMfomMEDO6WmA=" {
		t.Fatalf("signature = %s", got)
	}
	cfg := smsConfig("")
	cfg.Now = func() time.Time { return at.Add(4 * time.Minute) }
	if w := serve(newSMS(t, cfg).Callback(&engine{}), r); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

func TestWebhookRefusals(t *testing.T) {
	body, now := recipientReport("0", "Delivered"), time.Now()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		at     time.Time
		change func(*http.Request)
		status int
	}{
		{"nothing changed", now, func(*http.Request) {}, 200},
		{"old", now.Add(-6 * time.Minute), func(*http.Request) {}, 401},
		{"from the future", now.Add(6 * time.Minute), func(*http.Request) {}, 401},
		{"no signature", now, func(r *http.Request) { r.Header.Del("x-sinch-webhook-signature") }, 401},
		{"another nonce", now, header("x-sinch-webhook-signature-nonce", "other"), 401},
		{"another algorithm", now, header("x-sinch-webhook-signature-algorithm", "none"), 401},
		{"another body", now, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, 401},
		{"1 MiB", now, func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, 1<<20))) }, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &engine{}
			r := signedWebhook(body, "n", tt.at)
			tt.change(r)
			if w := serve(newSMS(t, smsConfig("")).Callback(e), r); w.Code != tt.status || (tt.status != 200) == (len(e.receipts) > 0) {
				t.Errorf("status %d, want %d; receipts %v", w.Code, tt.status, e.receipts)
			}
		})
	}
}

func TestWebhookToken(t *testing.T) {
	cfg := smsConfig("")
	cfg.CallbackSecret, cfg.CallbackToken = "", sinch.NewCallbackToken()
	h := newSMS(t, cfg).Callback(&engine{})
	for path, want := range map[string]int{
		"/hooks/sinch/sms/" + string(cfg.CallbackToken):        200,
		"/hooks/sinch/backup/sms/" + string(cfg.CallbackToken): 200,
		"/hooks/sinch/sms":  401,
		"/hooks/sinch/sms/": 401,
		"/hooks/sinch/sms/" + string(cfg.CallbackToken)[1:]:              401,
		"/hooks/sinch/sms/" + strings.ToUpper(string(cfg.CallbackToken)): 401,
	} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(recipientReport("0", "Delivered")))
		if w := serve(h, r); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}

func TestSMSConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sinch.SMSConfig)
		want   string
	}{
		{"good", func(*sinch.SMSConfig) {}, ""},
		{"no sender", func(c *sinch.SMSConfig) { c.From = "" }, "sender"},
		{"no token", func(c *sinch.SMSConfig) { c.Token = "" }, "api_token"},
		{"both modes", func(c *sinch.SMSConfig) { c.Project = "p" }, "service_plan_id"},
		{"project without key", func(c *sinch.SMSConfig) { c.ServicePlan, c.Project = "", "p" }, "key_id"},
		{"region", func(c *sinch.SMSConfig) { c.Region = "mars" }, "region"},
		{"project's region", func(c *sinch.SMSConfig) {
			c.ServicePlan, c.Project, c.KeyID, c.KeySecret, c.Region = "", "p", "k", "s", "br"
		}, "region"},
		{"callbacks for everybody", func(c *sinch.SMSConfig) { c.CallbackSecret = "" }, "callback_token"},
		{"short token", func(c *sinch.SMSConfig) { c.CallbackToken = "short" }, "callback_token"},
		{"short secret", func(c *sinch.SMSConfig) { c.CallbackSecret = "short" }, "callback_secret"},
	}
	for _, tt := range tests {
		c := smsConfig("")
		tt.change(&c)
		err := c.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", smsConfig(""), smsConfig(""), smsConfig("")); strings.Contains(text, "dummy-webhook") {
		t.Error("the configuration prints its secret")
	}
}

// FuzzCallbacks feeds true signatures over foreign bodies: nothing panics, and no status above 413 comes of them.
func FuzzCallbacks(f *testing.F) {
	for _, seed := range []string{
		requestEvent("sms", pendingID), resultEvent("DENIED", "Fraud"), deliveredEvent("Failed"), recipientReport("0", "Delivered"),
		batchReport(`[{"code":"0","status":"Delivered","count":1}]`), `{"type":"mo_text","from":"+14155550101","to":"1","body":"STOP"}`, `[]`, `null`, `{`,
	} {
		f.Add(seed)
	}
	sms, err := sinch.NewSMS(smsConfig(""))
	if err != nil {
		f.Fatal(err)
	}
	own, err := sinch.NewOwnCode(verificationConfig(f, ""))
	if err != nil {
		f.Fatal(err)
	}
	e := &engine{pending: pendingID}
	f.Fuzz(func(t *testing.T, body string) {
		for _, w := range []*httptest.ResponseRecorder{
			serve(sms.Callback(e), signedWebhook(body, "n", time.Now())), serve(own.Callback(e), signedCallback(t, body, time.Now())),
		} {
			if w.Code > 413 {
				t.Fatalf("status %d", w.Code)
			}
		}
		e.receipts, e.outcomes, e.replies = nil, nil, nil
	})
}
