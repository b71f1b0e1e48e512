package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign/httpapi"
)

// raw sends bytes as they are and reads one answer.
func (f *face) raw(text string) *http.Response {
	f.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	// The server may answer and close before it has taken everything.
	go func() { _, _ = conn.Write([]byte(text)) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		f.t.Fatalf("no answer to %.80q: %v", text, err)
	}
	f.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// read takes a raw answer apart.
func read(t *testing.T, resp *http.Response) *answer {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{t: t, status: resp.StatusCode, header: resp.Header, body: string(b)}
}

// post is the head of a start, up to its framing.
func post(framing string) string {
	return "POST /v1/verifications HTTP/1.1\r\nHost: verify.example\r\nAuthorization: Bearer " + secret + "\r\nContent-Type: application/json\r\n" + framing + "\r\n\r\n"
}

func TestFraming(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"negative length", post("Content-Length: -1"), 400},
		{"length beyond 64 bits", post("Content-Length: 99999999999999999999"), 400},
		{"two lengths", post("Content-Length: 5\r\nContent-Length: 6") + "hello", 400},
		{"chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 5") + "hello\r\n0\r\n\r\n", 400},
		{"bad chunk size", post("Transfer-Encoding: chunked") + "0x5\r\nhello\r\n0\r\n\r\n", 400},
		{"unknown coding", post("Transfer-Encoding: gzip") + "x", 501},
		{"2 MiB of headers", "GET /v1/verifications HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", 431},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 405},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204},
		{"continue for 10 MiB", post("Expect: 100-continue\r\nContent-Length: 10485760"), 413},
		{"chunks without end", post("Transfer-Encoding: chunked") + strings.Repeat("400\r\n"+strings.Repeat("a", 1024)+"\r\n", 8), 413},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"path up", "GET /v1/verifications/../admin HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"escaped path up", "GET /v1/%2e%2e/admin HTTP/1.1\r\nHost: x\r\n\r\n", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := f.raw(c.text).StatusCode; got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
		})
	}
	if f.engine.started() != 0 {
		t.Error("the engine was asked")
	}
}

// TestSlowBodiesAreCut waits for the real timeout, shortened; the server's own figures are checked beside it.
func TestSlowBodiesAreCut(t *testing.T) {
	own := httpapi.NewServer(nil)
	if own.ReadTimeout != 10*time.Second || own.ReadHeaderTimeout != 5*time.Second || own.MaxHeaderBytes != 16<<10 {
		t.Errorf("the server's limits are %s, %s and %d bytes", own.ReadTimeout, own.ReadHeaderTimeout, own.MaxHeaderBytes)
	}
	f := newFaceWithin(t, time.Second)
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(post("Content-Length: 100") + "{")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := conn.SetReadDeadline(began.Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("cut after %s, want 1 s", took)
	}
}
