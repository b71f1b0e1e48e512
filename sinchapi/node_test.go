package sinchapi_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/signing"
	"countersign/sinchapi/sinchtest"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
)

// node is a whole Countersign without its REST face: engine, store, log and routes.
type node struct {
	t        *testing.T
	app      *countersign.App
	store    *sqlitestore.Store
	verifier *countersign.Verifier
	routes   *provider.Routes
}

// silent hears nothing.
type silent struct{}

func (silent) Observe(countersign.Event) {}

func newNode(t *testing.T, list func(now func() time.Time) []provider.Route) *node {
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
	routes, err := provider.New(provider.Config{Routes: list(store.Now)})
	must(err)
	judge, err := guard.New(guard.Config{Apps: map[string]guard.Policy{"demo": {Countries: []string{"US"}}}})
	must(err)
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, time.Unix(0, 0))
		must(err)
		keys = append(keys, k)
	}
	ring, err := countersign.NewKeyring(keys, store.Now())
	must(err)
	sign, err := signing.NewKey(time.Unix(0, 0))
	must(err)
	signers, err := signing.NewRing([]signing.Key{sign})
	must(err)

	n := &node{t: t, store: store, routes: routes, app: &countersign.App{
		ID: "demo", Name: "Demo", Region: "US", Policy: countersign.Policy{}.WithDefaults(), Texts: sinchtest.Texts{},
	}}
	n.verifier, err = countersign.New(countersign.Config{
		Store: store, Log: log, Keys: func() *countersign.Keyring { return ring }, Dispatcher: routes, Guard: judge,
		Signer: signing.Signer{Ring: signers, Now: store.Now}, Observer: silent{}, Issuer: "http://127.0.0.1",
		App: func(id string) (*countersign.App, bool) { return n.app, id == "demo" },
	})
	must(err)
	var running sync.WaitGroup
	running.Go(func() { _ = n.verifier.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := errors.Join(log.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// newVendor is a node that ends in a sandbox: it plays the vendor.
func newVendor(t *testing.T) (*node, *sandbox.Sandbox) {
	t.Helper()
	var box *sandbox.Sandbox
	n := newNode(t, func(now func() time.Time) []provider.Route {
		box = sandbox.New(sandbox.Config{Now: now, ReceiptDelay: time.Millisecond})
		return []provider.Route{
			{Name: sandbox.FirstName, Provider: box.First(), Channels: sandbox.Carried(), Timeout: sandbox.RouteTimeout, NoBreaker: true},
			{Name: sandbox.HostedName, Provider: box.Hosted(), Channels: sandbox.HostedChannels(), Hosted: true, NoBreaker: true},
		}
	})
	box.Attach(n.verifier)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = box.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return n, box
}
