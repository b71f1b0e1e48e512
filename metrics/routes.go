package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Route is how a route stands when somebody reads the metrics.
type Route struct {
	Name     string
	Open     bool // its breaker keeps sends away
	InFlight int
	Silent   bool // its vendor's receipts have stopped
	Places   []RoutePlace
}

// RoutePlace is how it fares in one country, by one channel. Below zero is not known.
type RoutePlace struct {
	Country, Channel                                            string
	Open                                                        bool
	AcceptRate, ReceiptRate, DeliveryRate, VerifiedRate, Verify float64
}

// routes reads the routes' health at each scrape, so that nothing is counted for it on a request's way.
type routes struct {
	read func() []Route

	open, inFlight, silent                        *prometheus.Desc
	openHere, accept, receipt, delivery, verified *prometheus.Desc
	verify                                        *prometheus.Desc
}

// Routes adds gauges of the routes' health, which read gives. It is called once.
func (m *Metrics) Routes(read func() []Route) {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("countersign_"+name, help, labels, nil)
	}
	here := []string{"provider", "country", "channel"}
	m.registry.MustRegister(&routes{
		read:     read,
		open:     gauge("route_open", "1 while the route's breaker keeps sends away.", "provider"),
		inFlight: gauge("route_in_flight", "Messages that the vendor has not answered yet.", "provider"),
		silent:   gauge("receipts_silent", "1 when the vendor's receipts have stopped, or never came: alarm on it.", "provider"),
		openHere: gauge("route_country_open", "1 while the breaker of this country and channel keeps sends away.", here...),
		accept:   gauge("route_accept_ratio", "Share of messages that the vendor took, in the last half hour.", here...),
		receipt:  gauge("route_receipt_ratio", "Share of taken messages with a final receipt, in the last half hour.", here...),
		delivery: gauge("route_delivery_ratio", "Share of final receipts that say delivered, in the last half hour.", here...),
		verified: gauge("route_verified_ratio", "Share of ended verifications whose code came back, in the last half hour.", here...),
		verify:   gauge("route_verify_seconds", "Mean time from the start to the right code, in the last half hour.", here...),
	})
}

// Describe implements prometheus.Collector.
func (c *routes) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.open, c.inFlight, c.silent, c.openHere, c.accept, c.receipt, c.delivery, c.verified, c.verify} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *routes) Collect(ch chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		if v >= 0 {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
		}
	}
	for _, r := range c.read() {
		tell(c.open, one(r.Open), r.Name)
		tell(c.inFlight, float64(r.InFlight), r.Name)
		tell(c.silent, one(r.Silent), r.Name)
		for _, p := range r.Places {
			here := []string{r.Name, p.Country, p.Channel}
			tell(c.openHere, one(p.Open), here...)
			tell(c.accept, p.AcceptRate, here...)
			tell(c.receipt, p.ReceiptRate, here...)
			tell(c.delivery, p.DeliveryRate, here...)
			tell(c.verified, p.VerifiedRate, here...)
			tell(c.verify, p.Verify, here...)
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
