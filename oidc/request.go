package oidc

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"countersign"
)

// asked is what a client asked for. It is stored sealed: the login hint is a number.
type asked struct {
	RedirectURI string   `json:"r"`
	State       string   `json:"s,omitempty"`
	Nonce       string   `json:"n,omitempty"`
	Scopes      []string `json:"sc"`
	Challenge   string   `json:"c,omitempty"`
	Prompt      []string `json:"p,omitempty"`
	MaxAge      *uint    `json:"m,omitempty"`
	Hint        string   `json:"h,omitempty"`
	Locales     string   `json:"l,omitempty"`
	ACR         []string `json:"a,omitempty"`
	Subject     string   `json:"u,omitempty"` // of the id_token_hint
}

// request is an authorization request as the library sees it.
type request struct {
	*countersign.AuthorizationRequest
	asked
}

func (f *Face) open(r *countersign.AuthorizationRequest) (*request, error) {
	plain, err := f.cfg.Keys().Open(r.ID, r.Sealed)
	if err != nil {
		return nil, fmt.Errorf("reading an authorization request: %w", err)
	}
	out := &request{AuthorizationRequest: r}
	return out, json.Unmarshal(plain, &out.asked)
}

func (r *request) GetID() string                      { return r.ID }
func (r *request) GetACR() string                     { return countersign.ACR(r.AMR) }
func (r *request) GetAMR() []string                   { return r.AMR }
func (r *request) GetAudience() []string              { return []string{r.Client} }
func (r *request) GetAuthTime() time.Time             { return r.AuthTime }
func (r *request) GetClientID() string                { return r.Client }
func (r *request) GetNonce() string                   { return r.Nonce }
func (r *request) GetRedirectURI() string             { return r.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }
func (r *request) GetResponseMode() oidc.ResponseMode { return "" }
func (r *request) GetScopes() []string                { return r.Scopes }
func (r *request) GetState() string                   { return r.State }
func (r *request) GetSubject() string                 { return r.User }
func (r *request) Done() bool                         { return r.User != "" }

func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.Challenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.Challenge, Method: oidc.CodeChallengeMethodS256}
}

// grant is a grant as the library sees it, when its refresh token is used.
type grant struct{ *countersign.Grant }

func (g *grant) GetAMR() []string            { return g.AMR }
func (g *grant) GetAudience() []string       { return []string{g.Client} }
func (g *grant) GetAuthTime() time.Time      { return g.AuthTime }
func (g *grant) GetClientID() string         { return g.Client }
func (g *grant) GetScopes() []string         { return g.Scopes }
func (g *grant) GetSubject() string          { return g.User }
func (g *grant) SetCurrentScopes(s []string) { g.Scopes = s }

func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
