package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"countersign"
	"countersign/challenge"
	"countersign/config"
	"countersign/guard"
	"countersign/httpapi"
	"countersign/provider"
	"countersign/provider/sandbox"
	"countersign/signing"
	"countersign/sinchapi"
	"countersign/web"
)

// generation is everything that a configuration's apps, providers and routes decide. A reload makes a new one beside the
// old one, turns new requests to it, and lets the old one finish what it has.
type generation struct {
	i   *instance
	cfg *config.Config

	vendors  *vendors
	routes   *provider.Routes
	apps     *tenants
	verifier *countersign.Verifier
	accounts *countersign.Accounts
	sinch    *sinchapi.Face
	handler  http.Handler

	requests sync.WaitGroup
	engine   *stage
	edges    *stage
}

// newGeneration builds one and starts nothing. The error lists every mistake that it found.
func (i *instance) newGeneration(cfg *config.Config) (*generation, error) {
	g := &generation{i: i, cfg: cfg}
	for _, step := range []func() error{g.makeVendors, g.makeEngine, g.makeAccounts, g.makeFaces} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *generation) makeVendors() error {
	var vendorsErr, appsErr error
	g.vendors, vendorsErr = newVendors(g.cfg, g.i.box)
	g.apps, appsErr = newTenants(g.cfg)
	if err := errors.Join(vendorsErr, appsErr); err != nil {
		return err
	}
	for _, w := range g.apps.warnings {
		g.i.log.Warn("message texts", "warning", w)
	}
	return nil
}

func (g *generation) makeEngine() error {
	cfg, err := routing(g.cfg, g.vendors.routes)
	if err != nil {
		return err
	}
	cfg.Observe = g.i.observeLeg
	g.routes, err = provider.New(cfg)
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	rules := g.i.watch.config(g.apps)
	if rules.ASN, err = operators(g.cfg.Guard.ASNFile); err != nil {
		return err
	}
	judge, err := guard.NewWithMemory(rules, g.i.seen)
	if err != nil {
		return placed(g.cfg, err)
	}
	i := g.i
	g.verifier, err = countersign.New(countersign.Config{
		Store: i.store, Log: i.db, Keys: i.db.Ring, Dispatcher: g.routes, Guard: judge, Challenger: challenge.Challenger{},
		Signer:   signing.Signer{Ring: i.ring, Now: i.store.Now},
		Observer: observer{i.metrics, i.log, g.routes}, Issuer: g.cfg.PublicURL, App: g.apps.find,
		OptedOut: i.optedOut, Streaks: func(ctx context.Context) ([]countersign.Streak, error) { return i.streaks(ctx, manyInARow) },
		SendTimeout: g.cfg.SendTimeout,
	})
	return err
}

func (i *instance) observeLeg(l provider.Leg) {
	i.metrics.Leg(l.App, l.Country, l.Channel, l.Route, string(l.Result))
}

// optedOut asks the opt-out list; in the sandbox one number is always on it.
func (i *instance) optedOut(ctx context.Context, sender string, to countersign.Address, phone countersign.Hash, former ...countersign.Hash) (bool, error) {
	if i.box != nil && sandbox.OptedOut(to) {
		return true, nil
	}
	return i.db.OptedOut(ctx, sender, phone, former...)
}

func (g *generation) makeFaces() error {
	pages, err := web.New(web.Config{Regions: regions()})
	if err != nil {
		return err
	}
	mounts := map[string]http.Handler{}
	for _, h := range g.vendors.hooks {
		handler := h.handler(g.verifier)
		for _, pattern := range h.patterns {
			mounts[pattern] = handler
		}
	}
	if g.sinch, err = g.makeSinchFace(); err != nil {
		return err
	}
	if g.sinch != nil {
		mounts["/verification/v1/"] = g.sinch
	}
	if err := g.mountTwilio(mounts); err != nil {
		return err
	}
	if err := g.mountOIDC(mounts, pages); err != nil {
		return err
	}
	i := g.i
	for n := range g.apps.faces {
		face := &g.apps.faces[n]
		face.Channels = pageChannels(g.routes.Channels(face.ID, face.Region))
	}
	api := httpapi.Config{
		Engine: g.verifier, Keys: keyFinder{i.db, g.cfg.IsSandbox()}, Apps: g.apps.faces, Pages: pages, PublicURL: g.cfg.PublicURL,
		Accounts: g.accounts,
		JWKS:     i.ring.JWKS, Logger: i.log, Version: version(), TrustedProxies: g.cfg.TrustedProxies,
		Routes: g.routeStates, Readiness: i.readiness, Draining: i.front.draining.Load, Mounts: mounts, Observe: i.metrics.Request,
	}
	api.Guard = guardFace{i, g.verifier}
	if g.cfg.IsSandbox() {
		api.Metrics = i.metrics.Handler()
		api.Sandbox = g.sandboxFace()
	}
	g.handler, err = httpapi.New(api)
	return err
}

// pageChannels are those that the hosted page may offer when a message does not come: with a code that is typed.
func pageChannels(served []countersign.Channel) []countersign.Channel {
	var list []countersign.Channel
	for _, ch := range []countersign.Channel{countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice} {
		if slices.Contains(served, ch) {
			list = append(list, ch)
		}
	}
	return list
}

// start begins the work behind the answers.
func (g *generation) start() {
	if g.i.box != nil {
		g.i.box.Attach(g.verifier)
	}
	g.engine = startStage(g.verifier.Run)
	var edges []runner
	if g.sinch != nil {
		edges = append(edges, g.sinch.Run)
	}
	edges = append(edges, g.vendors.sessions(g.verifier)...)
	g.edges = startStage(edges...)
}

// stop ends that work, the engine's first: what it still hands over needs the rest.
func (g *generation) stop() error {
	err := errors.Join(g.engine.stop(), g.edges.stop())
	for _, r := range g.vendors.routes {
		hangUp(r.Provider)
	}
	for _, app := range g.apps.byID {
		hangUp(app.Risk.Check)
	}
	return err
}

// hangUp closes the connections of whatever keeps some for its next request.
func hangUp(client any) {
	if c, ok := client.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// retire stops a generation that has been replaced, when its last request has been answered.
func (g *generation) retire(grace time.Duration) {
	answered := make(chan struct{})
	go func() {
		g.requests.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(grace): // somebody watches the inbox; its stream ends with the process
	}
	if err := g.stop(); err != nil {
		g.i.log.Error("the configuration before this one did not stop cleanly", "error", err)
	}
}

// switchable serves by the generation of the moment.
type switchable struct {
	mu  sync.RWMutex
	now *generation
}

// ServeHTTP implements http.Handler.
func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	g := s.now
	g.requests.Add(1)
	s.mu.RUnlock()
	defer g.requests.Done()
	g.handler.ServeHTTP(w, r)
}

// current is the generation that serves; nil before the first.
func (s *switchable) current() *generation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now
}

// to turns new requests to a generation. Those of the one before are all counted when it returns.
func (s *switchable) to(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = g
}

// reload replaces the generation. A configuration that cannot work, or that changes what only a start can change,
// leaves everything as it is.
func (i *instance) reload(cfg *config.Config) {
	if cfg.PublicURL == "" {
		cfg.PublicURL = i.cfg.PublicURL
	}
	if changed := needRestart(i.cfg, cfg); len(changed) > 0 {
		i.log.Error("the new configuration was not taken: these settings change with a restart only", "settings", changed)
		return
	}
	next, err := i.newGeneration(cfg)
	if err != nil {
		i.log.Error("the new configuration was not taken, the old one goes on", "error", err)
		return
	}
	before := i.generation
	next.start()
	i.switchable.to(next)
	i.generation, i.cfg = next, cfg
	i.retiring.Go(func() { before.retire(cfg.ShutdownGrace) })
	i.log.Info("the new configuration is in use")
}

// needRestart lists what differs between two configurations and cannot change while the process runs.
func needRestart(old, fresh *config.Config) []string {
	var changed []string
	for name, same := range map[string]bool{
		"mode":              old.Mode == fresh.Mode,
		"listen":            old.Listen == fresh.Listen,
		"operations.listen": old.Operations == fresh.Operations,
		"public_url":        old.PublicURL == fresh.PublicURL,
		"secret_key":        string(old.SecretKey) == string(fresh.SecretKey),
		"database_url":      old.DatabaseURL == fresh.DatabaseURL,
		"redis_url":         old.RedisURL == fresh.RedisURL,
		"store_timeout":     old.StoreTimeout == fresh.StoreTimeout,
		"redis":             old.AllowEviction == fresh.AllowEviction && old.AfterFailover == fresh.AfterFailover,
		"log":               old.LogFormat == fresh.LogFormat && old.LogLevel == fresh.LogLevel,
		"retention":         old.Retention == fresh.Retention,
		"guard.decisions":   old.Guard.Decisions == fresh.Guard.Decisions,
		"drain":             old.DrainDelay == fresh.DrainDelay && old.ShutdownGrace == fresh.ShutdownGrace,
	} {
		if !same {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// stage is a group of runners that stop together.
type stage struct {
	cancel context.CancelFunc
	done   chan error
	count  int
}

func startStage(runners ...runner) *stage {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stage{cancel: cancel, done: make(chan error, len(runners)), count: len(runners)}
	for _, run := range runners {
		go func() { s.done <- run(ctx) }()
	}
	return s
}

func (s *stage) stop() error {
	s.cancel()
	var errs []error
	for range s.count {
		if err := <-s.done; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
