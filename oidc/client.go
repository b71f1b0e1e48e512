package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is an application that sends people here.
type Client struct {
	ID          string
	App         string // whose users it gets
	Name        string // shown on the page that asks for consent
	Secret      string // "" for a public client
	Redirects   []string
	Logouts     []string // where a person may be sent after log-out
	FirstParty  bool     // the operator's own: people are not asked whether it may know their number
	AnyLoopback bool     // any redirect to the machine itself: the sandbox's client
}

// String names the client and hides the secret.
func (c Client) String() string { return "client " + c.ID }

// GoString hides the secret from %#v.
func (c Client) GoString() string { return c.String() }

// validate reports everything that is wrong with a client.
func (c *Client) validate() error {
	var errs []error
	for _, r := range slices.Concat(c.Redirects, c.Logouts) {
		u, err := url.Parse(r)
		if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && !loopback(r) {
			errs = append(errs, fmt.Errorf("%s: %q is not an https address without a fragment", c.ID, r))
		}
	}
	if len(c.Redirects) == 0 && !c.AnyLoopback {
		errs = append(errs, fmt.Errorf("%s: name at least one redirect address", c.ID))
	}
	if c.Secret != "" && len(c.Secret) < 8 {
		errs = append(errs, fmt.Errorf("%s: the secret has less than 8 characters", c.ID))
	}
	return errors.Join(errs...)
}

// knows says whether a secret is the client's, in the same time for every wrong one.
func (c *Client) knows(secret string) bool {
	ours, theirs := sha256.Sum256([]byte(c.Secret)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(ours[:], theirs[:]) == 1 && c.Secret != ""
}

// loopback says whether an address is plain http to the machine itself.
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// view is a client as the library sees it, in one request.
type view struct {
	*Client
	asked string // the redirect address of the request, where there is one
}

var _ op.Client = view{}

type askedKey struct{}

// withAsked notes the redirect address that a request names.
func withAsked(ctx context.Context, uri string) context.Context {
	return context.WithValue(ctx, askedKey{}, uri)
}

func (f *Face) view(ctx context.Context, id string) (view, bool) {
	c, ok := f.clients[id]
	asked, _ := ctx.Value(askedKey{}).(string)
	return view{c, asked}, ok
}

func (v view) allowed(list []string) []string {
	if v.AnyLoopback && loopback(v.asked) {
		return append(slices.Clone(list), v.asked)
	}
	return list
}

func (v view) GetID() string                       { return v.ID }
func (v view) RedirectURIs() []string              { return v.allowed(v.Redirects) }
func (v view) PostLogoutRedirectURIs() []string    { return v.allowed(v.Logouts) }
func (v view) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (v view) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (v view) LoginURL(id string) string { return loginPath + "?id=" + url.QueryEscape(id) }

func (v view) AuthMethod() oidc.AuthMethod {
	if v.Secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic // the library takes the form of it too
}

func (v view) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

func (v view) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (v view) IDTokenLifetime() time.Duration      { return idTokenLifetime }
func (v view) DevMode() bool                       { return false }
func (v view) IsScopeAllowed(string) bool          { return false }
func (v view) ClockSkew() time.Duration            { return 0 }

// IDTokenUserinfoClaimsAssertion puts the number into the id token: Auth.js reads it there and nowhere else.
func (v view) IDTokenUserinfoClaimsAssertion() bool { return true }

func (v view) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (v view) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
