package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// runSink serves a provider that takes every message at once. It remembers what a check needs: GET /codes?file=NAME
// writes one line "id to code" for each message since the last call, and forgets them.
func runSink(listen string) error {
	var mu sync.Mutex
	var lines []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		var m struct{ ID, To, Code string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		lines = append(lines, m.ID+" "+m.To+" "+m.Code+"\n")
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"id":"x"}`)
	})
	mux.HandleFunc("GET /codes", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		f, err := os.Create(r.URL.Query().Get("file"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		b := bufio.NewWriter(f)
		for _, l := range lines {
			b.WriteString(l)
		}
		if err := b.Flush(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		f.Close()
		fmt.Fprintln(w, len(lines))
		lines = nil
	})
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}
