package providertest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"countersign"
)

// This file is about answers that say nothing: lost, cut, garbled or endless. The vendor had the request, so the
// message may have been sent, and only "unknown" is true.

type lostAnswer struct {
	name   string
	answer Answer
	limit  time.Duration
}

func lostAnswers() []lostAnswer {
	const short = 300 * time.Millisecond
	return []lostAnswer{
		{"no answer in time", silence, short},
		{"answer trickles", trickle, short},
		{"hangs up before the answer", func(w http.ResponseWriter, _ *http.Request, _ []byte) { hangUp(w) }, sendTime},
		{"nonsense instead of HTTP", noHTTP, sendTime},
		{"hangs up inside the answer", half, sendTime},
		{"nonsense instead of JSON", status(http.StatusOK, `{"id":"x`+"\x00\xff"), sendTime},
		{"a web page instead of JSON", status(http.StatusOK, "<html><body>Please log in to the network.</body></html>"), sendTime},
		{"status 200 with an error's body", status(http.StatusOK, `{"status":"error","code":"E1","error":{"code":1,"message":"no"},"message":"no"}`), sendTime},
		{"another content type", plainOK, sendTime},
		{"an empty answer", status(http.StatusOK, ""), sendTime},
		{"JSON of another shape", status(http.StatusOK, `[[{"id":{"id":[]}}]]`), sendTime},
		{"JSON of great depth", status(http.StatusOK, strings.Repeat("[", 60_000)), sendTime},
	}
}

func (s *Subject) lost(l lostAnswer) error {
	m := s.Message(6)
	c, p, end, err := s.meet(l.answer)
	if err != nil {
		return err
	}
	defer end()
	_, took, err := send(p, m, l.limit)
	if took > l.limit+lateness {
		return fmt.Errorf("the provider took %s and had %s", took, l.limit)
	}
	if err := wants(err, m, countersign.FailUnknown); err != nil {
		return err
	}
	return once(c)
}

// noHTTP answers with the request's own body where a status line should be: whoever quotes it quotes the code.
func noHTTP(w http.ResponseWriter, _ *http.Request, body []byte) {
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = out.Write(append(bytes.ReplaceAll(body, []byte("\n"), []byte(" ")), "\r\n\r\n"...))
	_ = out.Flush()
}

func plainOK(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-16")
	_, _ = io.WriteString(w, "OK")
}

// half promises more than it sends.
func half(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "400")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, `{"id":"abc",`)
	_ = http.NewResponseController(w).Flush()
	hangUp(w)
}

// trickle answers a byte at a time, for longer than anybody should wait.
func trickle(w http.ResponseWriter, r *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// endless offers far more than a provider may read. What the sockets hold is all that should ever leave it.
func (s *Subject) endless() error {
	const offered, tolerated = 64 << 20, 24 << 20
	var left atomic.Int64
	block := bytes.Repeat([]byte(" "), 1<<20)
	m := s.Message(7)
	_, p, end, err := s.meet(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		for left.Load() < offered {
			n, err := w.Write(block)
			left.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	_, took, err := send(p, m, sendTime)
	end() // waits for the carrier's handler: what it wrote is final after this
	if took > sendTime {
		return fmt.Errorf("the provider took %s", took)
	}
	if n := left.Load(); n > tolerated {
		return fmt.Errorf("the provider let %d MiB come", n>>20)
	}
	return wants(err, m, countersign.FailUnknown)
}
