package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// This file measures whole logins on SQLite alone: a start whose message a provider took, a check, and a session. It
// needs no other program.

// wantedLogins is what the embedded database is to carry, a second.
const wantedLogins = 500

func runLogins(args []string) error {
	flags := flag.NewFlagSet("logins", flag.ContinueOnError)
	duration := flags.Duration("duration", 10*time.Second, "of the measurement")
	workers := flags.Int("workers", 64, "people who log in at the same time")
	program := flags.String("program", "", "measure this one instead of building it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	phones := &phones{}
	provider := httptest.NewServer(phones)
	b := &bed{dir: dir, sink: provider.URL, binary: *program}
	defer provider.Close()
	defer b.close()
	if b.binary == "" {
		if err := b.build(); err != nil {
			return err
		}
	}
	t, err := b.serve("countersign", filepath.Join(dir, "logins.db"), "")
	if err != nil {
		return errors.Join(err, b.complaints())
	}
	l := &logins{target: t, phones: phones, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *workers}, Timeout: 10 * time.Second}}
	if err := l.run(*workers, time.Second); err != nil { // warm up
		return err
	}
	l.took = nil
	cpu := cpuOf(t.pid)
	if err := l.run(*workers, *duration); err != nil {
		return err
	}
	cpu = cpuOf(t.pid) - cpu
	slices.Sort(l.took)
	n := len(l.took)
	rate := float64(n) / duration.Seconds()
	fmt.Printf("%d people at once for %s: %.0f logins a second (start, check, session), p50 %s, p99 %s; %.0f µs of server CPU each\n",
		*workers, *duration, rate, l.took[n/2].Round(time.Millisecond), l.took[n*99/100].Round(time.Millisecond), float64(cpu.Microseconds())/float64(n))
	if rate < wantedLogins {
		return fmt.Errorf("%.0f logins a second, %d are wanted", rate, wantedLogins)
	}
	return nil
}

// phones takes messages as a provider does, and remembers the codes by verification.
type phones struct{ codes sync.Map }

// ServeHTTP implements http.Handler.
func (p *phones) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ ID, Code string }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.codes.Store(m.ID, m.Code)
	w.WriteHeader(http.StatusOK)
}

type logins struct {
	target target
	phones *phones
	client *http.Client
	next   atomic.Int64

	mu   sync.Mutex
	took []time.Duration
}

// run lets people log in, one after the other in each place, for a while.
func (l *logins) run(places int, d time.Duration) error {
	var all sync.WaitGroup
	failed := make(chan error, places)
	end := time.Now().Add(d)
	for range places {
		all.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				if err := l.one(); err != nil {
					failed <- err
					return
				}
				l.mu.Lock()
				l.took = append(l.took, time.Since(began))
				l.mu.Unlock()
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (l *logins) one() error {
	n := l.next.Add(1)
	// All over the country: the guard takes many numbers of one exchange for an attack. The step has no common factor with
	// the number of numbers, so none comes twice.
	place := n * 48271 % 7_000_000
	number := fmt.Sprintf("+1%s%03d%04d", areas[n%int64(len(areas))], 220+place/10_000, place%10_000)
	started, err := l.post("/v1/verifications", map[string]string{"to": number}, http.StatusCreated)
	if err != nil {
		return err
	}
	id, _ := started["id"].(string)
	code, ok := l.phones.codes.LoadAndDelete(id)
	if !ok {
		return errors.New("the message is not there")
	}
	approved, err := l.post("/v1/verifications/"+id+"/checks", map[string]string{"code": code.(string)}, http.StatusOK)
	if err != nil {
		return err
	}
	_, err = l.post("/v1/sessions", map[string]string{"proof": approved["proof"].(string)}, http.StatusCreated)
	return err
}

// areas are North American ones with ordinary numbers.
var areas = []string{"415", "212", "206", "312", "617", "202", "303", "404", "512", "602", "702", "801", "907", "919", "305", "216", "314"}

func (l *logins) post(path string, body map[string]string, want int) (map[string]any, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, l.target.address+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+l.target.key)
	r.Header.Set("Content-Type", "application/json")
	res, err := l.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != want {
		return nil, fmt.Errorf("%s: %d %s", path, res.StatusCode, text)
	}
	answer := map[string]any{}
	return answer, json.Unmarshal(text, &answer)
}
