package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"countersign"
	"countersign/config"
	"countersign/guard"
	"countersign/httpapi"
	"countersign/metrics"
	"countersign/provider/sandbox"
	"countersign/signing"
	"countersign/store/sqlstore"
)

// instance is a running Countersign: what lives as long as the process. What the file says of apps and providers is in
// its generation, which a reload replaces.
type instance struct {
	cfg     *config.Config
	log     *slog.Logger
	metrics *metrics.Metrics

	db       *sqlstore.DB
	ring     *signing.Ring
	store    countersign.Store
	runStore runner
	box      *sandbox.Sandbox // nil outside the sandbox
	seen     *guard.Memory    // what the guard has seen; it outlives a reload
	watch    *watch

	front      *front
	switchable *switchable
	generation *generation
	retiring   sync.WaitGroup // generations that finish what they have
	at         addresses
}

// assemble makes every part and listens. What it made is closed again when a later part fails.
func assemble(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *instance, err error) {
	i := &instance{cfg: cfg, log: log, metrics: metrics.New(), front: newFront(cfg, log), switchable: &switchable{}, seen: guard.NewMemory()}
	defer func() {
		if err != nil {
			i.front.closeListeners()
			err = errors.Join(err, i.close())
		}
	}()
	slog.SetDefault(log) // the OpenID Connect library knows no other
	if i.at.API, err = i.front.add(ctx, cfg.Listen, httpapi.NewServer(i.switchable)); err != nil {
		return nil, err
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://" + i.at.API
		if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && host == "localhost" {
			cfg.PublicURL = "http://" + net.JoinHostPort(host, port(i.at.API)) // the name, which passkeys need
		}
	}
	if err := i.openStores(ctx); err != nil {
		return nil, err
	}
	if cfg.IsSandbox() {
		i.box = sandbox.New(sandbox.Config{PublicURL: cfg.PublicURL, Now: i.store.Now})
	} else if i.at.Operations, err = i.front.add(ctx, cfg.Operations, httpapi.NewServer(i.operationsHandler())); err != nil {
		return nil, err
	}
	if i.watch, err = newWatch(i); err != nil {
		return nil, err
	}
	i.metrics.Routes(i.routeGauges)
	i.generation, err = i.newGeneration(cfg)
	return i, err
}

func (i *instance) openStores(ctx context.Context) error {
	i.ring = &signing.Ring{}
	turn := &sync.Mutex{} // the log and the store may write to one file
	db, err := openDatabase(ctx, i.cfg, sqlstore.Options{
		Now:    i.now,
		Turn:   turn,
		Report: func(err error) { i.log.Error("database", "error", err) },
		SigningChanged: func(stored []sqlstore.SigningKey) {
			if len(stored) == 0 {
				return // before the first start has made one
			}
			keys, err := signingKeys(stored)
			if err == nil {
				err = i.ring.Replace(keys)
			}
			if err != nil {
				i.log.Error("new signing keys were not taken", "error", err)
			}
		},
	})
	if err != nil {
		return err
	}
	i.db = db
	keys, err := signingKeys(db.SigningKeys())
	if err != nil {
		return err
	}
	if err := i.ring.Replace(keys); err != nil {
		return err
	}
	i.store, i.runStore, err = openStore(ctx, i.cfg, db, turn, i.metrics, func(err error) { i.log.Error("store", "error", err) })
	return err
}

// now is the store's clock, and until it is open the machine's: keys come into use by the clock that counts.
func (i *instance) now() time.Time {
	if i.store == nil {
		return time.Now()
	}
	return i.store.Now()
}

// operationsHandler serves what an operator asks, on a listener of its own.
func (i *instance) operationsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", i.metrics.Handler())
	mux.Handle("GET /healthz", i.switchable)
	mux.Handle("GET /readyz", httpapi.ForOperators(i.switchable))
	return mux
}

// readiness asks every store, all at once.
func (i *instance) readiness(ctx context.Context) []httpapi.Part {
	parts := []httpapi.Part{{Name: "store"}, {Name: "database"}}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		parts[0].Err = i.store.Ping(ctx)
	}()
	parts[1].Err = i.db.Ping(ctx)
	<-done
	return parts
}

// run serves until ctx ends, then stops the parts in the order in which they depend on each other: what the engine
// still has to write needs the parts below it. A value from reload brings a new configuration.
func (i *instance) run(ctx context.Context, reload <-chan *config.Config) error {
	below := []runner{i.db.Run, i.watch.run}
	if i.runStore != nil {
		below = append(below, i.runStore)
	}
	if i.box != nil {
		below = append(below, i.box.Run)
	}
	stores := startStage(below...)
	i.generation.start()
	i.switchable.to(i.generation)

	served := make(chan error, 1)
	go func() { served <- i.front.run(ctx) }()
	for {
		select {
		case cfg := <-reload:
			i.reload(cfg)
		case err := <-served:
			i.retiring.Wait()
			return errors.Join(err, i.generation.stop(), stores.stop(), i.close())
		}
	}
}

// close closes the stores.
func (i *instance) close() error {
	var errs []error
	if i.store != nil {
		errs = append(errs, i.store.Close())
	}
	if i.db != nil {
		errs = append(errs, i.db.Close())
	}
	return errors.Join(errs...)
}

// port is the port of an address that something listens on.
func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return p
}
