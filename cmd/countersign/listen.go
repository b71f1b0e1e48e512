package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"countersign/config"
	"countersign/provider/outbound"
)

// addresses are where a running instance can be reached.
type addresses struct {
	API        string
	Operations string // "" in the sandbox
}

func loopbackListen(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && outbound.Loopback(host)
}

// front is the listeners: the public one and, outside the sandbox, that of operations.
type front struct {
	log      *slog.Logger
	draining atomic.Bool
	delay    time.Duration
	grace    time.Duration

	servers   []*http.Server
	listeners []net.Listener
}

func newFront(cfg *config.Config, log *slog.Logger) *front {
	return &front{log: log, delay: cfg.DrainDelay, grace: cfg.ShutdownGrace}
}

// add listens; serving starts in run.
func (f *front) add(ctx context.Context, address string, server *http.Server) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("cannot listen on %s; is another process there? %w", address, err)
	}
	f.servers, f.listeners = append(f.servers, server), append(f.listeners, blaming{l})
	return l.Addr().String(), nil
}

// blaming is a listener for net/http, which answers a transfer encoding or a version of HTTP that it does not know with
// 501 and 505 before any handler is asked. What a client sends is the client's mistake: these answers become 400, and every
// 5xx that is counted somewhere is ours.
type blaming struct{ net.Listener }

func (l blaming) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return blamingConn{tcp}, err
	}
	return c, err
}

type blamingConn struct{ *net.TCPConn }

func (c blamingConn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 501 ")) && !bytes.HasPrefix(p, []byte("HTTP/1.1 505 ")) {
		return c.TCPConn.Write(p)
	}
	_, rest, _ := bytes.Cut(p, []byte("\r\n"))
	if _, err := c.TCPConn.Write(append([]byte("HTTP/1.1 400 Bad Request\r\n"), rest...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// closeListeners undoes add when the start fails later.
func (f *front) closeListeners() {
	for _, l := range f.listeners {
		l.Close()
	}
}

// run serves until ctx ends, then drains: /readyz says 503 for the delay, so that a load balancer looks elsewhere;
// then the listeners close and what is in flight may finish.
func (f *front) run(ctx context.Context) error {
	failed := make(chan error, len(f.servers))
	for i, s := range f.servers {
		go func() {
			if err := s.Serve(f.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving %s: %w", f.listeners[i].Addr(), err)
			}
		}()
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	f.draining.Store(true)
	if failure == nil && f.delay > 0 {
		f.log.Info("draining", "for", f.delay)
		<-time.After(f.delay)
	}
	// The public listener first: operations can be asked until the end.
	end, cancel := context.WithTimeout(context.Background(), f.grace)
	defer cancel()
	for _, s := range f.servers {
		if err := s.Shutdown(end); err != nil {
			f.log.Error("requests in flight did not finish in time", "error", err)
			s.Close()
		}
	}
	return failure
}
