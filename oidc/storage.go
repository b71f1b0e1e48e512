package oidc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"countersign"
)

// This file is the library's storage. The library's own clock is the wall's; what decides here is the store's.

// Lifetimes.
const (
	requestLifetime = 30 * time.Minute // from authorize to the answer: a person types a number and a code
	codeLifetime    = 2 * time.Minute  // RFC 6749 recommends at most ten
	idTokenLifetime = time.Hour
)

// maxState bounds a state, in bytes: it comes back in an address.
const maxState = 1024

var errUnknownClient = errors.New("there is no such client")

type storage struct{ f *Face }

var (
	_ op.Storage                   = storage{}
	_ op.CanSetUserinfoFromRequest = storage{}
)

// serverError is a failure of ours; its cause goes to the log.
func (s storage) serverError(err error) error {
	s.f.report(err)
	return oidc.ErrServerError().WithDescription("The service cannot reach its store right now. Try again.")
}

func (s storage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	v, ok := s.f.view(ctx, id)
	if !ok {
		return nil, errUnknownClient
	}
	return v, nil
}

func (s storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.f.clients[id]
	if !ok {
		c = &Client{} // whoever guesses learns nothing from the time taken
	}
	if !c.knows(secret) || !ok {
		return errUnknownClient
	}
	return nil
}

// CreateAuthRequest refuses what the library lets through and this face does not serve, and keeps the rest.
func (s storage) CreateAuthRequest(ctx context.Context, q *oidc.AuthRequest, subject string) (op.AuthRequest, error) {
	c := s.f.clients[q.ClientID]
	if err := serves(c, q); err != nil {
		return nil, err
	}
	now := s.f.cfg.People.Now()
	r := &countersign.AuthorizationRequest{
		ID: countersign.NewAuthorizationID(), Client: c.ID, App: c.App, Binding: hashed(bindingOf(ctx)),
		Created: now, Expires: now.Add(requestLifetime),
	}
	a := asked{
		RedirectURI: q.RedirectURI, State: q.State, Nonce: q.Nonce, Scopes: granted(q.Scopes), Challenge: q.CodeChallenge,
		Prompt: q.Prompt, MaxAge: q.MaxAge, Hint: q.LoginHint, ACR: q.ACRValues, Subject: subject,
	}
	var locales []string
	for _, l := range q.UILocales {
		locales = append(locales, l.String())
	}
	a.Locales = strings.Join(locales, " ")
	plain, err := json.Marshal(a)
	if err == nil {
		r.Sealed, err = s.f.cfg.Keys().Seal(r.ID, plain)
	}
	if err == nil {
		err = s.f.cfg.Store.SaveRequest(ctx, r)
	}
	if err != nil {
		return nil, s.serverError(err)
	}
	return &request{AuthorizationRequest: r, asked: a}, nil
}

// granted are the scopes that mean something here.
func granted(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(scope string) bool {
		return scope != oidc.ScopeOpenID && scope != oidc.ScopePhone && scope != oidc.ScopeOfflineAccess
	})
}

// serves says why a request is not served.
func serves(c *Client, q *oidc.AuthRequest) error {
	bad := func(text string) error { return oidc.ErrInvalidRequest().WithDescription("%s", text) }
	switch {
	case !slices.Contains(q.Scopes, oidc.ScopeOpenID):
		return oidc.ErrInvalidScope().WithDescription("The scope openid is missing.")
	case q.CodeChallenge != "" && q.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return bad("The only code_challenge_method is S256.")
	case q.CodeChallenge == "" && c.Secret == "":
		return bad("A public client needs PKCE: send code_challenge.")
	case q.CodeChallenge == "" && q.Nonce == "":
		return bad("Send code_challenge (PKCE), or at least a nonce, so that a stolen code is worth nothing.")
	case q.CodeChallenge != "" && len(q.CodeChallenge) != base64.RawURLEncoding.EncodedLen(32):
		return bad("A code_challenge is the SHA-256 of the verifier in base64url: 43 characters.")
	case len(q.State) > maxState || len(q.Nonce) > 1024 || len(q.LoginHint) > 128:
		return bad("state and nonce have at most 1024 bytes, login_hint 128.")
	}
	return nil
}

// AuthRequestByID is not used: this face answers its requests itself.
func (s storage) AuthRequestByID(context.Context, string) (op.AuthRequest, error) {
	return nil, errors.New("there is no such request")
}

type verifierKey struct{}

// AuthRequestByCode takes a code out of use, whatever comes of it.
func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	stored, found, err := s.f.cfg.Store.TakeCode(ctx, hashed(code), s.f.cfg.People.Now())
	if err != nil {
		return nil, s.serverError(err)
	}
	if !found {
		return nil, errors.New("there is no such code")
	}
	r, err := s.f.open(stored)
	if err != nil {
		return nil, s.serverError(err)
	}
	if verifier, _ := ctx.Value(verifierKey{}).(string); r.Challenge == "" && verifier != "" {
		// RFC 9700, 2.1.1: somebody took the challenge out of the authorization request.
		return nil, errors.New("there was no code_challenge")
	}
	return r, nil
}

func (s storage) SaveAuthCode(context.Context, string, string) error     { return nil }
func (s storage) DeleteAuthRequest(context.Context, string) error        { return nil }
func (s storage) TerminateSession(context.Context, string, string) error { return nil }

// CreateAccessToken keeps a new access token; the library makes its text of the id.
func (s storage) CreateAccessToken(ctx context.Context, q op.TokenRequest) (string, time.Time, error) {
	id, _, expires, err := s.save(ctx, q, "", false)
	return id, expires, err
}

// CreateAccessAndRefreshTokens keeps both. With a refresh token it rotates that one.
func (s storage) CreateAccessAndRefreshTokens(ctx context.Context, q op.TokenRequest, current string) (string, string, time.Time, error) {
	return s.save(ctx, q, current, true)
}

const refreshPrefix = "ort_"

func (s storage) save(ctx context.Context, q op.TokenRequest, current string, refresh bool) (id, token string, expires time.Time, err error) {
	now := s.f.cfg.People.Now()
	g := &countersign.Grant{
		ID: countersign.NewGrantID(), User: q.GetSubject(), Scopes: q.GetScopes(),
		Created: now, Expires: now.Add(countersign.AccessLifetime),
	}
	switch from := q.(type) {
	case *request:
		g.Request, g.Client, g.App, g.Session, g.AuthTime, g.AMR = from.ID, from.Client, from.App, from.Session, from.AuthTime, from.AMR
	case *grant:
		g.Request, g.Client, g.App, g.Session, g.AuthTime, g.AMR = from.Request, from.Client, from.App, from.Session, from.AuthTime, from.AMR
	default:
		return "", "", time.Time{}, oidc.ErrUnsupportedGrantType()
	}
	if refresh {
		token = refreshPrefix + secret()
		g.Refresh = hashed(token)
	}
	saved := false
	if current != "" {
		saved, err = s.f.cfg.Store.RotateGrant(ctx, hashed(current), g)
	} else {
		saved, err = s.f.cfg.Store.SaveGrant(ctx, g)
	}
	if err != nil {
		return "", "", time.Time{}, s.serverError(err)
	}
	if !saved {
		return "", "", time.Time{}, oidc.ErrInvalidGrant().WithDescription("The session has ended, or the token was used before.")
	}
	return g.ID, token, time.Now().Add(countersign.AccessLifetime), nil
}

// secret is 256 random bits.
func secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (s storage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	now := s.f.cfg.People.Now()
	g, found, err := s.f.cfg.Store.GrantByRefresh(ctx, hashed(token), now)
	if err != nil {
		return nil, s.serverError(err)
	}
	if !found || s.over(g, now) {
		return nil, op.ErrInvalidRefreshToken
	}
	if g.Rotated {
		if err := s.f.cfg.Store.RevokeGrants(ctx, g.Request, now); err != nil {
			return nil, s.serverError(err)
		}
		return nil, op.ErrInvalidRefreshToken
	}
	g.AMR = countersign.MeansAt(g.AMR, g.AuthTime, now)
	return &grant{g}, nil
}

// over says whether a grant's session has lasted, or was not used, for longer than its app allows: then it has ended, and no
// client brings it back to life (NIST SP 800-63B-4, 2.2.3).
func (s storage) over(g *countersign.Grant, now time.Time) bool {
	app, ok := s.f.cfg.App(g.App)
	return !ok || app.Sessions.WithDefaults().Over(g.Began, g.Seen, now)
}

// live finds the grant of an access token.
func (s storage) live(ctx context.Context, id string) (*countersign.Grant, error) {
	now := s.f.cfg.People.Now()
	g, found, err := s.f.cfg.Store.Grant(ctx, id, now)
	if err != nil {
		return nil, s.serverError(err)
	}
	if !found || !now.Before(g.Expires) || s.over(g, now) {
		return nil, errDead
	}
	g.AMR = countersign.MeansAt(g.AMR, g.AuthTime, now)
	return g, nil
}

var errDead = errors.New("the token is not valid")

// RevokeToken revokes all that came of the token's authorization. A client revokes its own only; what is no token of
// its is no error (RFC 7009, 2.2).
func (s storage) RevokeToken(ctx context.Context, token, _, client string) *oidc.Error {
	now := s.f.cfg.People.Now()
	g, found, err := s.f.cfg.Store.Grant(ctx, token, now)
	if err == nil && !found {
		g, found, err = s.f.cfg.Store.GrantByRefresh(ctx, hashed(token), now)
	}
	if err == nil && found && g.Client == client {
		err = s.f.cfg.Store.RevokeGrants(ctx, g.Request, now)
	}
	if err != nil {
		s.f.report(err)
		return oidc.ErrServerError().WithDescription("The service cannot reach its store right now. Try again.")
	}
	return nil
}

func (s storage) GetRefreshTokenInfo(ctx context.Context, client, token string) (user, id string, err error) {
	g, found, err := s.f.cfg.Store.GrantByRefresh(ctx, hashed(token), s.f.cfg.People.Now())
	if err != nil {
		return "", "", s.serverError(err)
	}
	if !found || g.Client != client {
		return "", "", op.ErrInvalidRefreshToken
	}
	return g.User, g.ID, nil
}

// signingKey is the instance's key of the moment.
type signingKey struct {
	id  string
	key any
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Algorithm() jose.SignatureAlgorithm          { return jose.ES256 }
func (k signingKey) Use() string                                 { return "sig" }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

func (s storage) SigningKey(context.Context) (op.SigningKey, error) {
	id, key, err := s.f.cfg.SigningKey()
	if err != nil {
		return nil, s.serverError(err)
	}
	return signingKey{id, key}, nil
}

func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s storage) KeySet(context.Context) ([]op.Key, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.f.cfg.JWKS(), &set); err != nil {
		return nil, s.serverError(err)
	}
	keys := make([]op.Key, len(set.Keys))
	for i, k := range set.Keys {
		keys[i] = signingKey{k.KeyID, k.Key}
	}
	return keys, nil
}

func (s storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest puts the number into an id token.
func (s storage) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, q op.IDTokenRequest, scopes []string) error {
	c, ok := s.f.clients[q.GetClientID()]
	if !ok {
		return errUnknownClient
	}
	return s.claims(ctx, info, c.App, q.GetSubject(), scopes)
}

// claims are what a client may know of a person.
func (s storage) claims(ctx context.Context, info *oidc.UserInfo, app, user string, scopes []string) error {
	a, ok := s.f.cfg.App(app)
	if !ok {
		return errUnknownClient
	}
	u, err := s.f.cfg.People.User(ctx, a, user)
	if errors.Is(err, countersign.ErrNotFound) {
		return oidc.ErrInvalidGrant().WithDescription("The user does not exist any more.")
	}
	if err != nil {
		return s.serverError(err)
	}
	info.Subject = u.ID
	if slices.Contains(scopes, oidc.ScopePhone) && !u.Phone.IsZero() {
		info.PhoneNumber, info.PhoneNumberVerified = u.Phone.Dial(), true
	}
	return nil
}

// SetUserinfoFromToken is not used: this face serves userinfo itself.
func (s storage) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return errDead
}

// SetIntrospectionFromToken says what a live token is, to the client that it was given to.
func (s storage) SetIntrospectionFromToken(ctx context.Context, i *oidc.IntrospectionResponse, id, subject, client string) error {
	g, err := s.live(ctx, id)
	if err != nil {
		return err
	}
	if g.Client != client || g.User != subject {
		return errDead
	}
	i.Subject, i.ClientID, i.Scope, i.TokenType = g.User, g.Client, g.Scopes, oidc.BearerToken
	i.Issuer, i.Audience = s.f.cfg.Issuer, []string{g.Client}
	i.Expiration, i.IssuedAt, i.AuthTime = oidc.FromTime(g.Expires), oidc.FromTime(g.Created), oidc.FromTime(g.AuthTime)
	i.AuthenticationMethodsReferences = g.AMR
	return nil
}

func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errors.New("clients have no keys here")
}

func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errors.New("this grant is not served")
}

func (s storage) Health(context.Context) error { return nil }
