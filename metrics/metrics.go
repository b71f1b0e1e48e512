// Package metrics counts what the engine and its faces do, for Prometheus. Labels are closed sets (apps, countries,
// channels, routes, kinds); nothing in them names a person.
package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"countersign"
)

// Metrics implements countersign.Observer. Its zero value is not ready: use New.
type Metrics struct {
	registry *prometheus.Registry

	starts     *prometheus.CounterVec
	sends      *prometheus.CounterVec
	sendTime   *prometheus.HistogramVec
	receipts   *prometheus.CounterVec
	checks     *prometheus.CounterVec
	ended      *prometheus.CounterVec
	verifyTime *prometheus.HistogramVec
	faults     *prometheus.CounterVec
	legs       *prometheus.CounterVec
	decisions  *prometheus.CounterVec
	shadows    *prometheus.CounterVec
	unrecorded prometheus.Counter
	spent      *prometheus.CounterVec
	takeovers  *prometheus.CounterVec
	twice      *prometheus.CounterVec
	logDelays  prometheus.Counter
	rollbacks  prometheus.Counter
	factors    *prometheus.CounterVec
	stepUps    *prometheus.CounterVec
	accounts   *prometheus.CounterVec
	assessed   *prometheus.CounterVec
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
}

// Where answers usually fall: a check in a millisecond or two, a provider in a second.
var latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// New makes the metrics and registers them, with those of the process, in a registry of their own.
func New() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "countersign", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "countersign", Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		starts:     counter("starts_total", "Starts by result: ok, or the refusal's code.", "app", "country", "channel", "purpose", "result"),
		sends:      counter("sends_total", "Messages handed to a provider, by the delivery's status.", "app", "country", "channel", "provider", "status"),
		sendTime:   histogram("send_seconds", "Time until a provider answered.", latencyBuckets, "channel", "provider"),
		receipts:   counter("deliveries_total", "Receipts of providers, by delivery status.", "app", "country", "channel", "provider", "status"),
		checks:     counter("checks_total", "Checks by result: approved, or the refusal's code.", "app", "country", "channel", "result"),
		ended:      counter("verifications_total", "Verifications that ended, by status. The share that is approved is the conversion.", "app", "country", "channel", "provider", "status"),
		verifyTime: histogram("verification_seconds", "Time from start to approval.", []float64{2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600}, "app", "channel"),
		faults:     counter("faults_total", "Failures of ours behind an answer.", "what"),
		legs:       counter("legs_total", "Tries of single routes: taken, found, temporary, unknown, destination, denied, operator, resting, full, unregistered.", "app", "country", "channel", "provider", "result"),
		takeovers:  counter("takeovers_total", "Sends that were taken over from a process that died, or whose answer was lost.", "app"),
		twice:      counter("maybe_duplicates_total", "Messages that may have reached a phone twice, with one code: an answer was lost, and the message was sent again.", "app", "provider"),
		decisions:  counter("guard_decisions_total", "Decisions of the guard on starts and sends, and the rule that made them.", "app", "country", "decision", "rule"),
		shadows:    counter("guard_shadow_total", "What rules in shadow would have refused.", "app", "rule"),
		spent:      counter("guard_money_warnings_total", "Times that 50, 80 or 100 percent of a cap on money were reached.", "limit", "percent"),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "countersign", Name: "guard_unrecorded_total", Help: "Decisions that the decision log was too slow for.",
		}),
		logDelays: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "countersign", Name: "log_delays_total", Help: "Times the log could not be written; rows wait in the outbox.",
		}),
		rollbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "countersign", Name: "store_rollback_suspected_total", Help: "Times Redis came back as another process or role and may have forgotten writes.",
		}),
		factors:  counter("factor_events_total", "Further factors that were added, removed, used, refused, locked after wrong codes, or copied.", "app", "factor", "event"),
		assessed: counter("risk_checks_total", "Numbers that an app's check was asked about, by its answer.", "app", "country", "purpose", "result"),
		stepUps:  counter("step_ups_total", "Sessions in which a factor was shown again; phone raises no level.", "app", "factor"),
		accounts: counter("account_events_total", "Users and sessions: what began, changed and ended.", "app", "event"),
		requests: counter("http_requests_total", "HTTP requests, by the pattern of their route.", "route", "status"),
		latency:  histogram("http_request_seconds", "HTTP request latency.", latencyBuckets, "route"),
	}
	m.registry.MustRegister(
		m.starts, m.sends, m.sendTime, m.receipts, m.checks, m.ended, m.verifyTime, m.faults, m.legs, m.decisions, m.shadows, m.unrecorded, m.spent, m.takeovers, m.twice, m.logDelays, m.rollbacks, m.factors, m.stepUps, m.accounts, m.assessed, m.requests, m.latency,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Observe implements countersign.Observer.
func (m *Metrics) Observe(e countersign.Event) {
	channel := string(e.Channel)
	switch e.Name {
	case countersign.EventStarted, countersign.EventRefused:
		m.starts.WithLabelValues(e.App, e.Country, channel, string(e.Purpose), e.Result).Inc()
	case countersign.EventSent:
		m.sends.WithLabelValues(e.App, e.Country, channel, e.Provider, e.Result).Inc()
		m.sendTime.WithLabelValues(channel, e.Provider).Observe(e.Duration.Seconds())
		if e.MaybeTwice {
			m.twice.WithLabelValues(e.App, e.Provider).Inc()
		}
	case countersign.EventTakenOver:
		m.takeovers.WithLabelValues(e.App).Inc()
	case countersign.EventReceipt:
		m.receipts.WithLabelValues(e.App, e.Country, channel, e.Provider, e.Result).Inc()
	case countersign.EventChecked:
		m.checks.WithLabelValues(e.App, e.Country, channel, e.Result).Inc()
	case countersign.EventEnded:
		m.ended.WithLabelValues(e.App, e.Country, channel, e.Provider, e.Result).Inc()
		if e.Result == string(countersign.StatusApproved) {
			m.verifyTime.WithLabelValues(e.App, channel).Observe(e.Duration.Seconds())
		}
	case countersign.EventFactorAdded, countersign.EventFactorRemoved, countersign.EventFactorUsed, countersign.EventFactorRefused,
		countersign.EventFactorLocked, countersign.EventPasskeyCopied:
		_, event, _ := strings.Cut(string(e.Name), ".")
		m.factors.WithLabelValues(e.App, e.Result, event).Inc()
	case countersign.EventAssessed:
		m.assessed.WithLabelValues(e.App, e.Country, string(e.Purpose), e.Result).Inc()
	case countersign.EventSteppedUp:
		m.stepUps.WithLabelValues(e.App, e.Result).Inc()
	case countersign.EventUserCreated, countersign.EventUserErased, countersign.EventNumberLost, countersign.EventNumberChanged,
		countersign.EventSessionStarted, countersign.EventSessionEnded, countersign.EventSessionReused:
		m.accounts.WithLabelValues(e.App, string(e.Name)).Inc()
	case countersign.EventFault:
		m.faults.WithLabelValues(e.Result).Inc()
	case countersign.EventLogDelay:
		m.logDelays.Inc()
	}
}

// Leg counts one try of one route: a failure that the next route made good shows here only.
func (m *Metrics) Leg(app, country string, ch countersign.Channel, route, result string) {
	m.legs.WithLabelValues(app, country, string(ch), route, result).Inc()
}

// Decision counts one decision of the guard.
func (m *Metrics) Decision(app, country, decision, rule string) {
	m.decisions.WithLabelValues(app, country, decision, rule).Inc()
}

// Shadow counts what a rule in shadow would have refused.
func (m *Metrics) Shadow(app, rule string) { m.shadows.WithLabelValues(app, rule).Inc() }

// Spent counts a part of a cap on money that is used.
func (m *Metrics) Spent(limit string, percent int) {
	m.spent.WithLabelValues(limit, strconv.Itoa(percent)).Inc()
}

// Unrecorded counts a decision that is not in the decision log.
func (m *Metrics) Unrecorded() { m.unrecorded.Inc() }

// RollbackSuspected counts a store that may have forgotten writes.
func (m *Metrics) RollbackSuspected() { m.rollbacks.Inc() }

// Request counts an HTTP request. The route is its pattern, never its path.
func (m *Metrics) Request(route string, status int, d time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.latency.WithLabelValues(route).Observe(d.Seconds())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
