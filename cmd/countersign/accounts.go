package main

import (
	"cmp"

	"countersign"
	"countersign/config"
	"countersign/passkey"
	"countersign/signing"
)

// makeAccounts makes the engine of users and sessions.
func (g *generation) makeAccounts() (err error) {
	i := g.i
	g.accounts, err = countersign.NewAccounts(countersign.AccountsConfig{
		Users: i.db, Sessions: i.db, Factors: i.db, Keys: i.db.Ring,
		WebAuthn: passkey.WebAuthn{}, CountCheck: g.verifier.CountCheck,
		Signer: signing.Signer{Ring: i.ring, Now: i.store.Now}, Reader: i.ring,
		Observer: observer{i.metrics, i.log, g.routes}, Issuer: g.cfg.PublicURL, App: g.apps.find, Now: i.store.Now,
		Notify: g.verifier.Notify, ForgetDevices: g.verifier.ForgetDevices,
	})
	return err
}

// sessionPolicy is the profile, made shorter where the file says so.
func sessionPolicy(a *config.App) countersign.SessionPolicy {
	s := a.Sessions
	p := countersign.SessionPolicy{Lifetime: countersign.SessionLifetime, TestLogins: s.TestLogins}
	if s.Profile == "aal2" {
		p.Lifetime, p.Idle = countersign.SessionLifetimeAAL2, countersign.SessionIdleAAL2
	}
	if s.Lifetime > 0 {
		p.Lifetime = min(p.Lifetime, s.Lifetime)
	}
	if s.Idle > 0 {
		p.Idle = min(cmp.Or(p.Idle, s.Idle), s.Idle)
	}
	return p
}
