package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"countersign"
	"countersign/config"
	"countersign/passkey"
)

// passkeyParty is for whom an app's passkeys are made: by default the instance's own host. An IP address is no domain,
// so an instance that has no name has no passkeys; the sandbox goes by localhost too, and there the app's own pages on this
// machine may make and use them.
func passkeyParty(cfg *config.Config, name string, app *config.App) (countersign.RelyingParty, error) {
	p := app.Passkeys
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Host == "" {
		return countersign.RelyingParty{}, nil // a command that serves nothing
	}
	host, own := strings.ToLower(u.Hostname()), originOf(u)
	if ip, err := netip.ParseAddr(host); err == nil {
		if !cfg.IsSandbox() || !ip.IsLoopback() {
			host, own = "", ""
		} else {
			host, own = "localhost", "http://"+net.JoinHostPort("localhost", u.Port())
		}
	}
	rp := countersign.RelyingParty{ID: p.RPID, Name: name, Origins: p.Origins}
	switch {
	case rp.ID == "" && len(rp.Origins) == 0 && host == "":
		return countersign.RelyingParty{}, nil
	case rp.ID == "":
		rp.ID = host
	}
	if len(rp.Origins) == 0 && own != "" {
		rp.Origins = []string{own}
		if cfg.IsSandbox() && rp.ID == "localhost" {
			rp.Origins = append(rp.Origins, pagesOfLocalhost(app.Origins, own)...)
		}
	}
	if err = passkey.Validate(&rp); err != nil {
		err = fmt.Errorf("passkeys.rp_id: %w", err)
	} else {
		err = checkOrigins(&rp)
	}
	if err != nil && p.RPID == "" && len(p.Origins) == 0 {
		return countersign.RelyingParty{}, nil // nobody asked for them
	}
	return rp, err
}

// pagesOfLocalhost are those origins that passkeys of localhost are for, without the instance's own.
func pagesOfLocalhost(origins []string, own string) []string {
	return slices.DeleteFunc(slices.Clone(origins), func(o string) bool {
		u, err := url.Parse(o)
		return err != nil || u.Hostname() != "localhost" || o == own
	})
}

// checkOrigins says which origins no browser would let make the passkeys of a relying party.
func checkOrigins(rp *countersign.RelyingParty) error {
	var errs []error
	for _, o := range rp.Origins {
		u, err := url.Parse(o)
		if err != nil {
			return err // checked when it was read
		}
		host := u.Hostname()
		if host != rp.ID && !strings.HasSuffix(host, "."+rp.ID) {
			errs = append(errs, fmt.Errorf("passkeys.origins: %s is not of the domain %s; set passkeys.rp_id to one that both share, or name the origins", o, rp.ID))
		}
		if u.Scheme != "https" && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			errs = append(errs, fmt.Errorf("passkeys.origins: %s is not https, and browsers have passkeys on https only", o))
		}
	}
	return errors.Join(errs...)
}

// originOf is an address's origin as browsers write it.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return u.Scheme + "://" + host
}

// offersPasskeys says whether a page of the instance itself can use an app's passkeys.
func offersPasskeys(cfg *config.Config, app *countersign.App) bool {
	u, err := url.Parse(cfg.PublicURL)
	return err == nil && slices.Contains(app.Passkeys.Origins, originOf(u))
}
