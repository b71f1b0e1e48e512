package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// finish ends a call: it turns a panic into an answer and reports. It must be deferred itself, or recover would not
// see the panic.
func (c *call) finish() {
	defer c.report() // also when the panic goes on, to cut the connection
	if p := recover(); p != nil {
		c.recovered(p)
	}
}

// report writes the request's one line and tells Observe.
func (c *call) report() {
	took := time.Since(c.began)
	route := c.route()
	c.logLine(route, took)
	if c.s.cfg.Observe != nil {
		c.s.cfg.Observe(route, c.status, took)
	}
}

// recovered answers `internal` for a panic. Where an answer has begun already the connection is cut instead, because
// half an answer must not look like a whole one.
func (c *call) recovered(p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	c.s.log.LogAttrs(context.Background(), slog.LevelError, "panic",
		slog.String("request_id", c.id), slog.String("cause", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	if c.status != 0 {
		panic(http.ErrAbortHandler)
	}
	c.fail(errors.New("a handler panicked"))
}

// route is the pattern that matched: a closed set, never the path that was asked for.
func (c *call) route() string {
	switch c.r.Pattern {
	case "":
		return "refused"
	case "/":
		return "unmatched"
	}
	return c.r.Pattern
}

// logLine writes what happened in one line. Nothing in it is a client's text and nothing identifies a person: no
// address, number, user agent or path, and of a verification's id, which is a capability, 8 characters.
func (c *call) logLine(route string, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case c.status == http.StatusInternalServerError:
		level = slog.LevelError
	case c.status > http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	handler := c.s.log.Handler()
	if !handler.Enabled(context.Background(), level) {
		return
	}
	var room [14]slog.Attr
	line := append(room[:0],
		slog.String("request_id", c.id), slog.String("route", route), slog.Int("status", c.status),
		slog.Float64("ms", float64(took.Microseconds())/1000))
	if c.kind != "" {
		line = append(line, slog.String("code", string(c.kind)))
	}
	if c.app != nil {
		line = append(line, slog.String("app", c.app.ID))
	}
	if c.key.ID != "" {
		line = append(line, slog.String("key", c.key.ID))
	}
	if c.verification != "" {
		line = append(line, slog.String("verification", cut(c.verification, 8)))
	}
	if d := &c.verdict; d.Decision != "" {
		line = append(line, slog.String("decision", d.Decision))
		if d.Rule != "" {
			line = append(line, slog.String("rule", d.Rule))
		}
		if len(d.Shadow) > 0 {
			line = append(line, slog.String("shadow", strings.Join(d.Shadow, " ")))
		}
	}
	if c.factor != "" {
		line = append(line, slog.String("factor", c.factor))
	}
	if c.err != nil && c.status >= http.StatusInternalServerError {
		line = append(line, slog.String("err", c.err.Error()))
	}
	r := slog.NewRecord(c.began.Add(took), level, "request", 0) // every line comes from here: no stack is walked to say so
	r.AddAttrs(line...)
	_ = handler.Handle(context.Background(), r) // as Logger does: there is nobody to tell
}
