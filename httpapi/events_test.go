package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/httpapi"
)

// eventServer is a sandbox on a real server whose limits of time are short.
type eventServer struct {
	t      *testing.T
	server *http.Server
	inbox  *memoryInbox
	client *http.Client
	url    string
	naive  chan error // how the naive stream ended
}

// eventLimit is the limit on reading and writing here: a stream that lives longer has outlived it.
const eventLimit = 150 * time.Millisecond

func newEventServer(t *testing.T, changes ...func(*http.Server)) *eventServer {
	t.Helper()
	s := &eventServer{t: t, inbox: &memoryInbox{left: make(chan struct{}, 8)}, client: &http.Client{Transport: &http.Transport{}}, naive: make(chan error, 1)}
	cfg := baseConfig(t, newEngine(), io.Discard)
	sandboxed(s.inbox, new(time.Duration))(&cfg)
	cfg.Mounts = map[string]http.Handler{"GET /naive": http.HandlerFunc(s.streamNaively)}
	handler, err := httpapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httpapi.NewServer(handler)
	s.server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.ReadTimeout, s.server.WriteTimeout = eventLimit, eventLimit
	for _, change := range changes {
		change(s.server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + l.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.server.Serve(l)
	}()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.server.Close()
		<-served
	})
	return s
}

// streamNaively is the control: a stream under the server's own limits.
func (s *eventServer) streamNaively(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	for {
		if _, err := io.WriteString(w, ": tick\n\n"); err != nil {
			s.naive <- err
			return
		}
		if err := rc.Flush(); err != nil {
			s.naive <- err
			return
		}
		select {
		case <-r.Context().Done():
			s.naive <- r.Context().Err()
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stream is an open stream of events.
type stream struct {
	*http.Response
	lines *bufio.Scanner
	close context.CancelFunc
}

func (s *eventServer) open(path string) *stream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	opened := &stream{Response: resp, lines: bufio.NewScanner(resp.Body), close: func() { cancel(); resp.Body.Close() }}
	s.t.Cleanup(opened.close)
	return opened
}

// event is the data of the next event, or "" at the end of the stream.
func (s *stream) event() string {
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return data
		}
	}
	return ""
}

func TestInboxEvents(t *testing.T) {
	s := newEventServer(t)
	all, one := s.open("/dev/inbox/events"), s.open("/dev/inbox/events?to=+12015550123")
	if kind := all.Header.Get("Content-Type"); kind != "text/event-stream" || all.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("content type %q, cache %q", kind, all.Header.Get("Cache-Control"))
	}
	s.inbox.deliver(httpapi.InboxMessage{ID: "msg_1", To: "+447400123456", Code: "111111", Text: "two\nlines"})
	s.inbox.deliver(httpapi.InboxMessage{ID: "msg_2", To: number, Code: "222222"})
	for _, want := range []struct {
		stream *stream
		code   string
	}{{all, "111111"}, {all, "222222"}, {one, "222222"}} {
		var m struct{ Code string }
		if data := want.stream.event(); json.Unmarshal([]byte(data), &m) != nil || m.Code != want.code {
			t.Errorf("event %q, want the code %s", data, want.code)
		}
	}
	resp, err := s.client.Head(s.url + "/dev/inbox/events")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %v %v", resp, err)
	}
	resp.Body.Close()
}

// A stream lives on when the server's limits on reading and writing have cut the naive one.
func TestEventsOutliveTheServersLimits(t *testing.T) {
	s := newEventServer(t)
	ours, naive := s.open("/dev/inbox/events"), s.open("/naive")
	if _, err := io.Copy(io.Discard, naive.Body); err == nil {
		t.Error("control: the naive stream ended in good order")
	}
	if err := <-s.naive; err == nil {
		t.Error("control: the naive stream was not cut")
	}
	s.inbox.deliver(httpapi.InboxMessage{ID: "msg_1", To: number, Code: "333333"})
	if data := ours.event(); !strings.Contains(data, "333333") {
		t.Errorf("event %q", data)
	}
}

func TestEventsEndWhenTheClientHangsUp(t *testing.T) {
	s := newEventServer(t)
	s.open("/dev/inbox/events").close()
	select {
	case <-s.inbox.left:
	case <-time.After(time.Minute):
		t.Fatal("the subscription of a client that is gone was kept")
	}
}

func TestEventsDoNotDelayAShutdown(t *testing.T) {
	s := newEventServer(t)
	stream := s.open("/dev/inbox/events")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // below the pause between two lines of a quiet stream
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Errorf("a shutdown beside an open stream: %v", err)
	}
	if data := stream.event(); data != "" || stream.lines.Err() != nil {
		t.Errorf("the stream did not end in good order: %q, %v", data, stream.lines.Err())
	}

	// The control: a server whose streams do not hear of the shutdown.
	deaf := newEventServer(t, func(server *http.Server) { server.BaseContext = nil })
	deaf.open("/dev/inbox/events")
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := deaf.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("control: %v", err)
	}
}

// Requests in flight finish when the server shuts down: only streams end.
func TestAShutdownCancelsNoRequest(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	s := newEventServer(t, func(server *http.Server) {
		server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
		face := server.Handler
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/slow" {
				face.ServeHTTP(w, r)
				return
			}
			close(inside)
			<-leave
			ended <- r.Context().Err()
		})
	})
	stream := s.open("/dev/inbox/events")
	answered := make(chan error, 1)
	go func() {
		resp, err := s.client.Get(s.url + "/slow")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	<-inside
	down := make(chan error, 1)
	go func() { down <- s.server.Shutdown(t.Context()) }()
	stream.event() // its end says that the shutdown was announced
	close(leave)
	if err := <-ended; err != nil {
		t.Errorf("the context of a request in flight: %v", err)
	}
	if err := errors.Join(<-answered, <-down); err != nil {
		t.Error(err)
	}
}
