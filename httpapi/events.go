package httpapi

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// This file streams the sandbox's messages as they arrive (server-sent events, HTML standard, 9.2). A stream outlives
// every limit that NewServer puts on an answer, so it sets its own: each write gets a deadline, a quiet stream is
// written to now and then, and a server that shuts down ends it at once.

const (
	eventDeadline = 10 * time.Second // what a client may take to read one event
	eventPause    = 15 * time.Second // the longest silence; proxies cut connections that say nothing
)

// streamInbox serves GET /dev/inbox/events: one unnamed event for every message that arrives.
func streamInbox(c *call) error {
	// The subscription comes before the headers: whoever sees the stream open misses nothing after it.
	next, stop := c.s.cfg.Sandbox.Inbox.Subscribe(c.inboxTo())
	defer stop()
	ctx, cancel := untilClosing(c.r.Context())
	defer cancel()
	rc := http.NewResponseController(c)
	// The server's own limit on reading would pass for a client that hung up.
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	c.Header().Set("Content-Type", "text/event-stream")
	if c.r.Method == http.MethodHead {
		c.WriteHeader(http.StatusOK)
		return nil
	}
	if !c.writeEvent(rc, ": open\n\n") {
		return nil
	}
	for ctx.Err() == nil && !c.draining() {
		waiting, done := context.WithTimeout(ctx, eventPause)
		m, ok := next(waiting)
		silent := waiting.Err() != nil
		done()
		text := ": still here\n\n"
		switch {
		case ok:
			b, err := json.Marshal(describeMessage(m))
			if err != nil {
				return err
			}
			text = "data: " + string(b) + "\n\n"
		case !silent:
			return nil // the inbox ended the subscription
		}
		if !c.writeEvent(rc, text) {
			return nil
		}
	}
	return nil
}

// writeEvent sends a piece of the stream now and says whether the client took it.
func (c *call) writeEvent(rc *http.ResponseController, text string) bool {
	if err := rc.SetWriteDeadline(time.Now().Add(eventDeadline)); err != nil {
		return false
	}
	if _, err := c.Write([]byte(text)); err != nil {
		return false
	}
	return rc.Flush() == nil
}

// closingKey is where a request's context has the context of its server, which ends when the server shuts down.
type closingKey struct{}

// announceClosing lets handlers of a server find out that it shuts down. Requests' own contexts must not end then:
// what is in flight finishes.
func announceClosing(server *http.Server) {
	closing, closed := context.WithCancel(context.Background())
	server.RegisterOnShutdown(closed)
	server.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(context.Background(), closingKey{}, closing)
	}
}

// untilClosing ends with a request's context, and when its server shuts down.
func untilClosing(request context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(request)
	closing, known := request.Value(closingKey{}).(context.Context)
	if !known {
		return ctx, cancel
	}
	forget := context.AfterFunc(closing, cancel)
	return ctx, func() { forget(); cancel() }
}
