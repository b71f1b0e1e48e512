package aws

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"countersign/provider/outbound"
)

// This file decides whether a certificate is SNS' own. SNS serves the leaf alone, without the authority between it and the
// root. That one is fetched from where the certificate says that its issuer's is (AIA); what comes from there needs no
// protection on its way, for the chain up to a root of this machine proves it.

// issuers are the authorities of Amazon's certificates, whose servers are asked and no others: Amazon Trust Services, and
// DigiCert for the regions in China and older ones.
var issuers = []string{".amazontrust.com", ".digicert.com"}

// maxIssuers bounds how many authorities there may be between a certificate and a root.
const maxIssuers = 3

// trusted makes a signer of a PEM file of a certificate, and of those above it where they are there.
func (t *topic) trusted(ctx context.Context, file []byte, now time.Time) (*signer, error) {
	var leaf, top *x509.Certificate
	between := x509.NewCertPool()
	for n := 0; n <= maxIssuers; n++ {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			return nil, errForged
		}
		if top = c; leaf == nil {
			leaf = c
			continue
		}
		between.AddCert(c)
	}
	if leaf == nil || !t.named(leaf) {
		return nil, errForged
	}
	key, isRSA := leaf.PublicKey.(*rsa.PublicKey)
	if !isRSA || key.N.BitLen() < 2048 {
		return nil, errForged
	}
	until, err := t.chain(ctx, leaf, top, between, now)
	if err != nil {
		return nil, err
	}
	return &signer{key, leaf.NotBefore, until}, nil
}

// named says whether a certificate is in a name of SNS: of its region, or of all of them.
func (t *topic) named(c *x509.Certificate) bool {
	_, everywhere, _ := strings.Cut(t.host, t.region+".")
	return c.VerifyHostname(t.host) == nil || c.VerifyHostname("sns."+everywhere) == nil || c.VerifyHostname("sns.amazonaws.com") == nil
}

// chain verifies a certificate up to a root of this machine, fetching the authorities above the topmost that is here, and says
// how long all of it holds.
func (t *topic) chain(ctx context.Context, leaf, top *x509.Certificate, between *x509.CertPool, now time.Time) (time.Time, error) {
	for n := 0; ; n++ {
		chains, err := leaf.Verify(x509.VerifyOptions{
			Roots: t.cfg.Roots, Intermediates: between, CurrentTime: now,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // it signs messages; what else it is for is the authority's concern
		})
		if err == nil {
			until := leaf.NotAfter
			for _, c := range chains[0] {
				if c.NotAfter.Before(until) {
					until = c.NotAfter
				}
			}
			return until, nil
		}
		if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) || n == maxIssuers {
			return time.Time{}, errForged
		}
		if top, err = t.issuer(ctx, top); err != nil {
			return time.Time{}, err
		}
		between.AddCert(top)
	}
}

// issuer fetches the certificate above one.
func (t *topic) issuer(ctx context.Context, c *x509.Certificate) (*x509.Certificate, error) {
	for _, address := range c.IssuingCertificateURL {
		if !issuerURL(address) {
			continue
		}
		got, f := t.client.Do(ctx, &outbound.Question{Method: http.MethodGet, URL: address})
		if f != nil || got.Status >= 500 {
			return nil, errKey
		}
		der := got.Body
		if block, _ := pem.Decode(der); block != nil {
			der = block.Bytes
		}
		above, err := x509.ParseCertificate(der)
		if err != nil || !got.OK() || !above.IsCA {
			return nil, errForged
		}
		return above, nil
	}
	return nil, errForged
}

func issuerURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Port() != "" || u.User != nil {
		return false
	}
	for _, of := range issuers {
		if strings.HasSuffix(strings.ToLower(u.Hostname()), of) {
			return true
		}
	}
	return false
}
