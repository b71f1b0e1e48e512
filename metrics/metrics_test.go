package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/metrics"
)

func TestObserve(t *testing.T) {
	m := metrics.New()
	e := countersign.Event{App: "shop", Country: "SE", Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Provider: "sinch"}
	for _, step := range []struct {
		name   countersign.EventName
		result string
	}{
		{countersign.EventStarted, "ok"},
		{countersign.EventRefused, "rate_limited"},
		{countersign.EventSent, "accepted"},
		{countersign.EventReceipt, "delivered"},
		{countersign.EventChecked, "incorrect_code"},
		{countersign.EventEnded, "approved"},
		{countersign.EventFault, "sweeping"},
		{countersign.EventLogDelay, ""},
	} {
		e.Name, e.Result, e.Duration = step.name, step.result, 3*time.Second
		m.Observe(e)
	}
	for name, result := range map[countersign.EventName]string{
		countersign.EventFactorAdded: "totp", countersign.EventFactorRemoved: "all", countersign.EventFactorUsed: "passkey",
		countersign.EventFactorRefused: "recovery_codes", countersign.EventFactorLocked: "totp", countersign.EventPasskeyCopied: "passkey",
		countersign.EventSteppedUp: "phone", countersign.EventNumberChanged: "", countersign.EventSessionStarted: "bearer",
		countersign.EventAssessed: "deny",
	} {
		m.Observe(countersign.Event{Name: name, App: "shop", Result: result})
	}
	m.RollbackSuspected()
	m.Request("POST /v1/verifications", 201, time.Millisecond)

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`countersign_starts_total{app="shop",channel="sms",country="SE",purpose="login",result="ok"} 1`,
		`countersign_starts_total{app="shop",channel="sms",country="SE",purpose="login",result="rate_limited"} 1`,
		`countersign_sends_total{app="shop",channel="sms",country="SE",provider="sinch",status="accepted"} 1`,
		`countersign_deliveries_total{app="shop",channel="sms",country="SE",provider="sinch",status="delivered"} 1`,
		`countersign_checks_total{app="shop",channel="sms",country="SE",result="incorrect_code"} 1`,
		`countersign_verifications_total{app="shop",channel="sms",country="SE",provider="sinch",status="approved"} 1`,
		`countersign_verification_seconds_count{app="shop",channel="sms"} 1`,
		`countersign_factor_events_total{app="shop",event="added",factor="totp"} 1`,
		`countersign_factor_events_total{app="shop",event="removed",factor="all"} 1`,
		`countersign_factor_events_total{app="shop",event="used",factor="passkey"} 1`,
		`countersign_factor_events_total{app="shop",event="refused",factor="recovery_codes"} 1`,
		`countersign_factor_events_total{app="shop",event="locked",factor="totp"} 1`,
		`countersign_factor_events_total{app="shop",event="copied",factor="passkey"} 1`,
		`countersign_step_ups_total{app="shop",factor="phone"} 1`,
		`countersign_account_events_total{app="shop",event="user.number_changed"} 1`,
		`countersign_account_events_total{app="shop",event="session.started"} 1`,
		`countersign_risk_checks_total{app="shop",country="",purpose="",result="deny"} 1`,
		`countersign_faults_total{what="sweeping"} 1`,
		`countersign_log_delays_total 1`,
		`countersign_store_rollback_suspected_total 1`,
		`countersign_http_requests_total{route="POST /v1/verifications",status="201"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	m := metrics.New()
	e := countersign.Event{Name: countersign.EventStarted, App: "shop", Country: "SE", Channel: countersign.ChannelSMS, Result: "ok"}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e)
	}
}
