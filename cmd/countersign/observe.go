package main

import (
	"context"
	"log/slog"

	"countersign"
	"countersign/metrics"
	"countersign/provider"
)

// observer counts every event, and logs those that no request's own line tells of.
type observer struct {
	metrics *metrics.Metrics
	log     *slog.Logger
	routes  *provider.Routes
}

// Observe implements countersign.Observer.
func (o observer) Observe(e countersign.Event) {
	o.metrics.Observe(e)
	o.routes.Heard(e)
	level := slog.LevelInfo
	switch e.Name {
	case countersign.EventFault, countersign.EventLogDelay:
		level = slog.LevelError
	case countersign.EventSent:
		if e.Err == nil {
			level = slog.LevelDebug
		} else {
			level = slog.LevelWarn
		}
	case countersign.EventStarted, countersign.EventRefused, countersign.EventChecked, countersign.EventReceipt:
		level = slog.LevelDebug
	case countersign.EventAssessed:
		level = slog.LevelWarn
		if e.Result == countersign.DecisionAllow {
			level = slog.LevelDebug
		}
	case countersign.EventSessionReused, countersign.EventNumberLost, countersign.EventPasskeyCopied:
		level = slog.LevelWarn
	case countersign.EventEnded:
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	for _, a := range [...]slog.Attr{
		slog.String("app", e.App), slog.String("verification", e.Verification), slog.String("channel", string(e.Channel)),
		slog.String("country", e.Country), slog.String("purpose", string(e.Purpose)), slog.String("provider", e.Provider),
		slog.String("result", e.Result),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Name == countersign.EventVouched {
		attrs = append(attrs, slog.String("approved_by", "app"))
	}
	if e.Test {
		attrs = append(attrs, slog.Bool("test", true))
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("took", e.Duration))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, level, string(e.Name), attrs...)
}
