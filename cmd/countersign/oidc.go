package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"countersign"
	"countersign/config"
	"countersign/httpapi"
	"countersign/oidc"
)

// The sandbox's client. Everybody knows it, and every other mode refuses it.
const (
	sandboxClient       = "demo"
	sandboxClientSecret = "sandboxdemo"
)

// oidcClients are those of the file, and the sandbox's.
func oidcClients(cfg *config.Config) ([]oidc.Client, error) {
	var list []oidc.Client
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(cfg.OIDCClients)) {
		c := cfg.OIDCClients[id]
		a := cfg.Apps[c.App]
		switch {
		case a == nil:
			errs = append(errs, fmt.Errorf("oidc.clients.%s.app: there is no app %q", id, c.App))
		case !a.HostedPage:
			errs = append(errs, fmt.Errorf("oidc.clients.%s: people log in on the hosted page: set apps.%s.hosted_page", id, c.App))
		case c.Public == (c.Secret != ""):
			errs = append(errs, fmt.Errorf("oidc.clients.%s: give it a secret, or say that it is public", id))
		case c.Secret == sandboxClientSecret && !cfg.IsSandbox():
			errs = append(errs, fmt.Errorf("oidc.clients.%s.secret: everybody knows the sandbox's secret; make one with: openssl rand -base64 32", id))
		}
		list = append(list, oidc.Client{
			ID: id, App: c.App, Name: c.Name, Secret: c.Secret, Redirects: c.Redirects, Logouts: c.Logouts, FirstParty: !c.ThirdParty,
		})
	}
	if _, taken := cfg.OIDCClients[sandboxClient]; cfg.IsSandbox() && !taken {
		list = append(list, oidc.Client{
			ID: sandboxClient, App: sandboxApp, Name: "Demo", Secret: sandboxClientSecret, FirstParty: true, AnyLoopback: true,
		})
	}
	return list, errors.Join(errs...)
}

// mountOIDC makes the OpenID Connect face, where there is a client for it.
func (g *generation) mountOIDC(mounts map[string]http.Handler, pages oidc.Pages) error {
	clients, err := oidcClients(g.cfg)
	if err != nil || len(clients) == 0 {
		return err
	}
	i := g.i
	face, err := oidc.New(oidc.Config{
		Issuer: g.cfg.PublicURL, Clients: clients, Store: i.db, People: g.accounts, Keys: i.db.Ring, JWKS: i.ring.JWKS, App: g.apps.find,
		SigningKey: func() (string, any, error) {
			k, err := i.ring.Current(i.store.Now())
			return k.ID, k.Private, err
		},
		ClientOf:   func(r *http.Request) countersign.Client { return httpapi.ClientOf(r, g.cfg.TrustedProxies) },
		CountLogin: g.verifier.CountLogin,
		Report:     func(err error) { i.log.Error("OpenID Connect", "error", err) },
		Pages:      pages,
	})
	if err != nil {
		return err
	}
	for _, pattern := range oidc.Patterns() {
		mounts[pattern] = face
	}
	for _, c := range clients {
		for n := range g.apps.faces {
			if app := &g.apps.faces[n]; app.ID == c.App {
				app.ReturnURLs = append(app.ReturnURLs, oidc.ReturnURL(g.cfg.PublicURL))
				if offersPasskeys(g.cfg, app.App) {
					app.PasskeyLogin, app.PasskeyURL = oidc.ReturnURL(g.cfg.PublicURL), oidc.PasskeyURL(g.cfg.PublicURL)
				}
			}
		}
	}
	return nil
}
