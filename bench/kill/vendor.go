package main

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// This file is two vendors, which note every message that they take.

// How a vendor behaves.
const (
	vendorUp int32 = iota
	vendorFails
	vendorHangs
)

// vendors is a server with a path for each.
type vendors struct {
	h      *history
	server *http.Server
	url    string
	state  [2]atomic.Int32 // of a and b
	codes  codes
	ended  chan struct{}
}

func newVendors(h *history) (*vendors, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &vendors{h: h, url: "http://" + l.Addr().String(), ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /a", func(w http.ResponseWriter, r *http.Request) { v.take(w, r, "a", &v.state[0]) })
	mux.HandleFunc("POST /b", func(w http.ResponseWriter, r *http.Request) { v.take(w, r, "b", &v.state[1]) })
	v.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_ = v.server.Serve(l) // until it is closed
		close(v.ended)
	}()
	return v, nil
}

func (v *vendors) close() {
	_ = v.server.Close()
	<-v.ended
}

// take is one message. What is noted was taken: the answer may still be lost.
func (v *vendors) take(w http.ResponseWriter, r *http.Request, name string, state *atomic.Int32) {
	var m struct {
		Data struct {
			ID, Verification, Code string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	switch state.Load() {
	case vendorFails:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case vendorHangs:
		<-r.Context().Done() // until the other side has had enough
		return
	}
	// It takes a moment, so that there is always something on its way; of what is cut off then, half arrives all the same.
	time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	if r.Context().Err() != nil && rand.IntN(2) == 0 {
		return
	}
	v.codes.put(m.Data.Verification, m.Data.Code)
	v.h.add(event{What: whatMessage, ID: m.Data.Verification, Code: m.Data.Code, By: name})
	w.WriteHeader(http.StatusOK)
}
