package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// firstLine sends bytes to a listener's server and returns the status line of the answer.
func firstLine(t *testing.T, l net.Listener, request string) string {
	t.Helper()
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// No client can make a 5xx: not even with what net/http refuses before it asks a handler.
func TestWhatNetHTTPRefusesIsTheClientsMistake(t *testing.T) {
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
	} {
		listen := func() net.Listener {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		if plain := firstLine(t, listen(), request); !strings.HasPrefix(plain, "HTTP/1.1 50") {
			t.Errorf("net/http answers %q by itself: this shows nothing", plain)
		}
		if got := firstLine(t, blaming{listen()}, request); got != "HTTP/1.1 400 Bad Request" {
			t.Errorf("%q is answered with %q", request, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if got := firstLine(t, blaming{l}, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); got != "HTTP/1.1 404 Not Found" {
		t.Errorf("an honest request is answered with %q", got)
	}
}
