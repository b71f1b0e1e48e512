package providertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// naive is a provider as one writes it in an afternoon. The suite must find what is wrong with it.
type naive struct {
	base   string
	client *http.Client
	sink   countersign.ReceiptSink
}

func newNaive(base string) *naive {
	return &naive{base: base, client: &http.Client{Timeout: time.Second, Transport: &http.Transport{}}}
}

func (n *naive) CloseIdleConnections() { n.client.CloseIdleConnections() }

func (n *naive) Send(_ context.Context, m *countersign.Message) (countersign.Handed, error) {
	body, err := json.Marshal(map[string]string{"to": m.To.Dial(), "text": m.Text})
	if err != nil {
		return countersign.Handed{}, err
	}
	response, err := n.client.Post(n.base+"/send", "application/json", bytes.NewReader(body))
	if err != nil {
		return countersign.Handed{}, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return countersign.Handed{}, err
	}
	if response.StatusCode >= 400 {
		return countersign.Handed{}, fmt.Errorf("sending to %s: %s", m.To.Dial(), answer)
	}
	var taken struct{ ID string }
	_ = json.Unmarshal(answer, &taken)
	return countersign.Handed{Ref: taken.ID}, nil
}

func (n *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var said countersign.Receipt
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	_ = n.sink.TakeReceipt(r.Context(), said)
}

// leaky never closes an answer's body, and gives every message the id of the newest.
type leaky struct {
	*naive
	mu   sync.Mutex
	last string
}

func (l *leaky) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base, nil)
	if err != nil {
		return countersign.Handed{}, err
	}
	response, err := l.client.Do(r)
	if err != nil {
		return countersign.Handed{}, err
	}
	var taken struct{ ID string }
	_ = json.NewDecoder(io.LimitReader(response.Body, 4)).Decode(&taken)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		l.last = m.ID
	}
	return countersign.Handed{Ref: l.last}, nil
}

// eager sends twice when it is not sure, and believes every answer.
type eager struct{ *naive }

func (e *eager) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	if _, err := e.naive.Send(ctx, m); err == nil {
		return countersign.Handed{Ref: "mine"}, nil
	}
	if _, err := e.naive.Send(ctx, m); err != nil {
		return countersign.Handed{}, &countersign.Failure{Provider: "eager", Class: countersign.FailTemporary, Detail: "failed", Err: errors.New("twice")}
	}
	return countersign.Handed{Ref: "mine"}, nil
}

func subject(make func(base string) countersign.Provider) providertest.Subject {
	var refs atomic.Int64
	return providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return make(base), nil },
		Accept: func(w http.ResponseWriter, _ *http.Request, _ []byte) string {
			ref := strconv.FormatInt(refs.Add(1), 10)
			fmt.Fprintf(w, `{"ID":%q,"pad":"%0100d"}`, ref, 0)
			return ref
		},
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				n := p.(interface{ handler() *naive }).handler()
				n.sink = sink
				return n
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				body, err := json.Marshal(countersign.Receipt{ID: m.Verification, DeliveryID: m.ID, Ref: ref, Status: s})
				if err != nil {
					panic(err)
				}
				return httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			},
		},
	}
}

func (n *naive) handler() *naive { return n }

// TestNaiveProvidersFail is the control of the suite: each demand is one that somebody's provider does not meet.
func TestNaiveProvidersFail(t *testing.T) {
	var mu sync.Mutex
	failed := map[string]bool{}
	check := func(name string, cases []providertest.Case) {
		for _, c := range cases {
			if err := c.Check(); err != nil {
				mu.Lock()
				failed[c.Name] = true
				mu.Unlock()
				t.Logf("%s, %s: %v", name, c.Name, err)
			}
		}
	}
	var all sync.WaitGroup
	for name, make := range map[string]func(base string) countersign.Provider{
		"naive": func(base string) countersign.Provider { return newNaive(base) },
		"leaky": func(base string) countersign.Provider { return &leaky{naive: newNaive(base)} },
		"eager": func(base string) countersign.Provider { return &eager{newNaive(base)} },
	} {
		all.Go(func() { check(name, providertest.Cases(subject(make))) })
	}
	all.Wait()
	demands := providertest.Cases(subject(func(base string) countersign.Provider { return newNaive(base) }))
	if len(demands) < 20 {
		t.Errorf("the suite has %d cases", len(demands))
	}
	for _, c := range demands {
		// All three report in this order by accident: they keep nothing that could mix it up.
		if !failed[c.Name] && c.Name != "receipts twice and out of order" {
			t.Errorf("no naive provider failed %q: the case demands nothing", c.Name)
		}
	}
}

func TestNewMessagesDiffer(t *testing.T) {
	seen := map[string]int{}
	for i := range 400 {
		m := providertest.NewMessage(i)
		if !countersign.ValidVerificationID(m.Verification) {
			t.Fatalf("message %d has the id %q, which is none", i, m.Verification)
		}
		for _, key := range []string{m.ID, m.Verification, m.To.Dial(), m.Code.Reveal()} {
			if j, there := seen[key]; there {
				t.Fatalf("messages %d and %d share %q", i, j, key)
			}
			seen[key] = i
		}
	}
}
