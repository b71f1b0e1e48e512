package twilioapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/signing"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
	"countersign/twilioapi"
)

const (
	account = "ACdec0de00000000000000000000000001"
	token   = "sandboxdemo"
	service = "VAdec0de00000000000000000000000001"
)

// node is a whole Countersign behind the face: engine, store, log, and a sandbox that has the messages.
type node struct {
	t        testing.TB
	url      string
	app      *countersign.App
	store    *sqlitestore.Store
	verifier *countersign.Verifier
	box      *sandbox.Sandbox
	face     *twilioapi.Face
	vouched  *heard
}

// heard keeps the events of one name.
type heard struct {
	name countersign.EventName
	mu   sync.Mutex
	list []countersign.Event
}

func (h *heard) Observe(e countersign.Event) {
	if e.Name == h.name {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = append(h.list, e)
	}
}

func (h *heard) events() []countersign.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

type texts struct{}

func (texts) Notice(countersign.Notice, string) countersign.Rendered { return countersign.Rendered{} }

func (texts) Render(in countersign.Text) (countersign.Rendered, error) {
	body := "Your code is " + in.Code + "."
	if in.Transaction != nil {
		body = "Pay " + in.Transaction.Amount + " to " + in.Transaction.Payee + ": " + in.Code
	}
	return countersign.Rendered{Body: body, Locale: "en"}, nil
}

func keyring(must func(error), now time.Time) *countersign.Keyring {
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, time.Unix(0, 0))
		must(err)
		keys = append(keys, k)
	}
	ring, err := countersign.NewKeyring(keys, now)
	must(err)
	return ring
}

func newNode(t testing.TB, change func(*twilioapi.Config)) *node {
	t.Helper()
	// The clients' tests ask for neighbouring numbers; what the guard makes of that has its own test.
	return newNodeUnder(t, guard.Policy{
		Countries: []string{"US"}, Shadow: []string{guard.RuleSequence},
		Budgets: map[string]countersign.Budget{"budget_thousand": {Capacity: 60, Refill: 5}},
	}, change)
}

// newNodeUnder is newNode under a policy of the guard.
func newNodeUnder(t testing.TB, policy guard.Policy, change func(*twilioapi.Config)) *node {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	dir := t.TempDir()
	store, err := sqlitestore.Open(ctx, filepath.Join(dir, "hot.db"), sqlitestore.Options{Timeout: 20 * time.Second})
	must(err)
	log, err := sqlstore.Open(ctx, filepath.Join(dir, "log.db"), sqlstore.Options{Now: store.Now, Timeout: 20 * time.Second, AnswerTimeout: 20 * time.Second})
	must(err)
	n := &node{t: t, store: store, vouched: &heard{name: countersign.EventVouched}, app: &countersign.App{
		ID: "demo", Name: "Demo", Region: "US", Policy: countersign.Policy{}.WithDefaults(), Texts: texts{},
	}}
	n.box = sandbox.New(sandbox.Config{Now: store.Now, ReceiptDelay: time.Millisecond})
	routes, err := provider.New(provider.Config{Routes: []provider.Route{
		{Name: sandbox.FirstName, Provider: n.box.First(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
	}})
	must(err)
	judge, err := guard.New(guard.Config{Apps: map[string]guard.Policy{"demo": policy}})
	must(err)
	ring := keyring(must, store.Now())
	sign, err := signing.NewKey(time.Unix(0, 0))
	must(err)
	signers, err := signing.NewRing([]signing.Key{sign})
	must(err)
	n.verifier, err = countersign.New(countersign.Config{
		Store: store, Log: log, Keys: func() *countersign.Keyring { return ring }, Dispatcher: routes, Guard: judge,
		Signer: signing.Signer{Ring: signers, Now: store.Now}, Observer: n.vouched, Issuer: "http://127.0.0.1",
		App: func(id string) (*countersign.App, bool) { return n.app, id == "demo" },
	})
	must(err)
	n.box.Attach(n.verifier)
	server := httptest.NewUnstartedServer(nil)
	n.url = "http://" + server.Listener.Addr().String()
	cfg := twilioapi.Config{
		Engine: n.verifier, Objects: log.FaceObjects(), Keys: func() *countersign.Keyring { return ring }, BaseURL: n.url, Now: store.Now,
		Apps: []twilioapi.App{{App: n.app, Account: account, Token: token, Service: service}},
	}
	if change != nil {
		change(&cfg)
	}
	n.face, err = twilioapi.New(cfg)
	must(err)
	server.Config.Handler = n.mux()
	server.Start()
	var running sync.WaitGroup
	running.Go(func() { _ = n.verifier.Run(ctx) })
	running.Go(func() { _ = n.box.Run(ctx) })
	t.Cleanup(func() {
		server.Close()
		stop()
		running.Wait()
		if err := errors.Join(log.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// mux has the face, and for the vendor's client in another process what a phone shows and a clock that can be moved.
func (n *node) mux() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range twilioapi.Prefixes {
		mux.Handle(prefix, n.face)
	}
	mux.HandleFunc("GET /test/code", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, n.code(r.URL.Query().Get("to")))
	})
	mux.HandleFunc("POST /test/advance", func(_ http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("by"))
		if err == nil {
			err = n.store.Advance(context.Background(), d)
		}
		if err != nil {
			n.t.Error(err)
		}
	})
	return mux
}

// code is the newest that a phone shows.
func (n *node) code(to string) string {
	list := n.box.Inbox().List(to)
	if len(list) == 0 {
		n.t.Errorf("no message arrived at %s", to)
		return ""
	}
	return list[0].Code
}
