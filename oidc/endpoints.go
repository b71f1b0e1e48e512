package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"countersign"
	"countersign/web"
)

// discovery serves /.well-known/openid-configuration: what is true of this face, and nothing that the library could do.
func (f *Face) discovery(w http.ResponseWriter, _ *http.Request) {
	at := func(path string) string { return f.cfg.Issuer + path }
	methods := []string{"client_secret_basic", "client_secret_post", "none"}
	f.write(w, http.StatusOK, map[string]any{
		"issuer": f.cfg.Issuer, "authorization_endpoint": at(authorizePath), "token_endpoint": at(tokenPath),
		"userinfo_endpoint": at(userinfoPath), "jwks_uri": at(keysPath), "revocation_endpoint": at(revokePath),
		"introspection_endpoint": at(inspectPath), "end_session_endpoint": at(logoutPath),
		"scopes_supported":         []string{oidc.ScopeOpenID, oidc.ScopePhone, oidc.ScopeOfflineAccess},
		"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": methods, "revocation_endpoint_auth_methods_supported": methods,
		"introspection_endpoint_auth_methods_supported": methods[:2],
		"code_challenge_methods_supported":              []string{"S256"},
		"claims_supported": []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "phone_number", "phone_number_verified",
		},
		"acr_values_supported":                           []string{countersign.ACROne, countersign.ACRTwo},
		"ui_locales_supported":                           web.Languages(),
		"prompt_values_supported":                        []string{"none", "login", "consent", "select_account"},
		"authorization_response_iss_parameter_supported": true,
		"request_parameter_supported":                    false, "request_uri_parameter_supported": false, "claims_parameter_supported": false,
	})
}

// token serves the token endpoint.
func (f *Face) token(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > 0 {
		// Codes and secrets in an address end up in logs.
		f.refuse(w, http.StatusBadRequest, "invalid_request", "Send the parameters in the body.")
		return
	}
	if t := r.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/x-www-form-urlencoded") {
		f.refuse(w, http.StatusBadRequest, "invalid_request", "Send the body as application/x-www-form-urlencoded.")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code", "refresh_token":
	case "":
		f.refuse(w, http.StatusBadRequest, "invalid_request", "grant_type is missing.")
		return
	default:
		f.refuse(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type is authorization_code or refresh_token here.")
		return
	}
	if !f.authenticates(w, r) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	ctx := context.WithValue(r.Context(), verifierKey{}, r.PostForm.Get("code_verifier"))
	op.Exchange(w, r.WithContext(ctx), f.provider)
}

// authenticates checks the client before its code is looked at, so that a stranger can neither use nor burn one.
func (f *Face) authenticates(w http.ResponseWriter, r *http.Request) bool {
	id, password, basic := r.BasicAuth()
	if basic {
		var err1, err2 error
		id, err1 = url.QueryUnescape(id)
		password, err2 = url.QueryUnescape(password)
		if err1 != nil || err2 != nil || r.PostForm.Has("client_secret") || r.PostForm.Has("client_id") && r.PostForm.Get("client_id") != id {
			f.refuse(w, http.StatusBadRequest, "invalid_request", "Authenticate in one way, once, as one client.")
			return false
		}
	} else {
		id, password = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	c, ok := f.clients[id]
	if !ok {
		c = &Client{Secret: "-"}
	}
	public := ok && c.Secret == "" && password == ""
	if !public && !(c.knows(password) && ok) {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauth2"`)
		f.refuse(w, http.StatusUnauthorized, "invalid_client", "The client is unknown, or this is not its secret.")
		return false
	}
	return true
}

// userinfo serves the userinfo endpoint (OpenID Connect Core, 5.3; RFC 6750).
func (f *Face) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(r.Header["Authorization"]) != 1 || !strings.EqualFold(scheme, "bearer") {
		w.Header().Set("WWW-Authenticate", "Bearer")
		f.refuse(w, http.StatusUnauthorized, "invalid_token", "Send the access token in the header Authorization.")
		return
	}
	g, err := f.grantOf(r.Context(), token)
	if errors.Is(err, errDead) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		f.refuse(w, http.StatusUnauthorized, "invalid_token", "The access token is not valid, or not any more.")
		return
	}
	info := new(oidc.UserInfo)
	if err == nil {
		err = storage{f}.claims(r.Context(), info, g.App, g.User, g.Scopes)
	}
	if err != nil {
		f.unavailable(w, err)
		return
	}
	f.write(w, http.StatusOK, info)
}

// grantOf reads an access token.
func (f *Face) grantOf(ctx context.Context, token string) (*countersign.Grant, error) {
	if len(token) > 1024 {
		return nil, errDead
	}
	plain, err := f.provider.Crypto().Decrypt(token)
	if err != nil {
		return nil, errDead
	}
	id, subject, ok := strings.Cut(plain, ":")
	if !ok {
		return nil, errDead
	}
	g, err := storage{f}.live(ctx, id)
	if err == nil && g.User != subject {
		return nil, errDead
	}
	return g, err
}

// revoke serves RFC 7009.
func (f *Face) revoke(w http.ResponseWriter, r *http.Request) {
	if f.authenticates(w, r) {
		op.Revoke(w, r, f.provider)
	}
}

// introspect serves RFC 7662, to clients with a secret and about their own tokens.
func (f *Face) introspect(w http.ResponseWriter, r *http.Request) {
	if !f.authenticates(w, r) {
		return
	}
	id, _, basic := r.BasicAuth()
	if !basic {
		id = r.PostForm.Get("client_id")
	} else if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if f.clients[id].Secret == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauth2"`)
		f.refuse(w, http.StatusUnauthorized, "invalid_client", "Introspection is for clients with a secret.")
		return
	}
	g, err := f.grantOf(r.Context(), r.PostForm.Get("token"))
	answer := new(oidc.IntrospectionResponse)
	if err == nil {
		err = storage{f}.SetIntrospectionFromToken(r.Context(), answer, g.ID, g.User, id)
		answer.Active = err == nil
	}
	if err != nil && !errors.Is(err, errDead) {
		f.unavailable(w, err)
		return
	}
	f.write(w, http.StatusOK, answer)
}

// logout serves the end of a session (OpenID Connect RP-Initiated Logout 1.0). A browser is logged out where the client
// shows an id token of the person who is logged in; else the person is asked.
func (f *Face) logout(w http.ResponseWriter, r *http.Request) {
	if r.Form.Get("done") != "" {
		f.page(w, r, nil, http.StatusOK, web.AccountView{Step: web.AccountLoggedOut})
		return
	}
	ctx := withAsked(r.Context(), r.Form.Get("post_logout_redirect_uri"))
	q := &oidc.EndSessionRequest{
		IdTokenHint: r.Form.Get("id_token_hint"), ClientID: r.Form.Get("client_id"),
		PostLogoutRedirectURI: r.Form.Get("post_logout_redirect_uri"), State: r.Form.Get("state"),
	}
	if q.PostLogoutRedirectURI != "" && q.IdTokenHint == "" && q.ClientID == "" {
		f.refuse(w, http.StatusBadRequest, "invalid_request", "With post_logout_redirect_uri comes id_token_hint or client_id.")
		return
	}
	if q.IdTokenHint != "" && !idToken(q.IdTokenHint) {
		f.refuse(w, http.StatusBadRequest, "invalid_request", "The id_token_hint is no id token of this instance.")
		return
	}
	judged := *q
	if q.IdTokenHint != "" && !f.verifies(ctx, q.IdTokenHint) {
		judged = withoutHint(q)
	}
	end, err := op.ValidateEndSessionRequest(ctx, &judged, f.provider)
	if err != nil {
		f.refuse(w, http.StatusBadRequest, "invalid_request", "Check id_token_hint, client_id and post_logout_redirect_uri, which must be exactly as configured.")
		return
	}
	// The library puts a state behind the address.
	if wanted := wantedLanguage(r); wanted != "" && strings.HasPrefix(end.RedirectURI, f.cfg.Issuer+loggedOut) {
		end.RedirectURI += "&" + url.Values{"lang": {wanted}}.Encode()
	}
	s, err := f.cfg.People.Browser(ctx, f.cookie(r, sessionCookie))
	if ours(err) {
		f.unavailable(w, err) // to say that it has ended would be a lie
		return
	}
	if s != nil && end.UserID != s.User && !(r.Method == http.MethodPost && f.ownSite(r) && r.PostForm.Get("confirm") == "yes") {
		f.confirmLogout(w, r, q)
		return
	}
	if s != nil {
		if err := f.cfg.People.End(ctx, s.App, s.User, s.ID); err != nil && !errors.Is(err, countersign.ErrNotFound) {
			f.unavailable(w, err)
			return
		}
	}
	f.setCookie(w, sessionCookie, "", -1)
	if r.Method == http.MethodPost {
		f.page(w, r, nil, http.StatusOK, web.AccountView{Step: web.AccountLoggedOut, Go: end.RedirectURI})
		return
	}
	http.Redirect(w, r, end.RedirectURI, http.StatusSeeOther)
}

// refuse answers with an error of OAuth (RFC 6749, 5.2).
func (f *Face) refuse(w http.ResponseWriter, status int, code, detail string) {
	f.write(w, status, map[string]string{"error": code, "error_description": detail})
}

// unavailable answers a failure of ours.
func (f *Face) unavailable(w http.ResponseWriter, err error) {
	f.report(err)
	w.Header().Set("Retry-After", "1")
	f.refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "The service cannot do this right now. Try again.")
}

func (f *Face) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		f.report(err)
		status, b = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone cannot be told
}

// cors lets pages of a client's site use the endpoints that take no cookie. True where the request is answered.
func (f *Face) cors(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case discoveryPath, tokenPath, userinfoPath, revokePath:
	default:
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !f.origin(origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// origin says whether a client has a redirect there.
func (f *Face) origin(origin string) bool {
	for _, c := range f.clients {
		if c.AnyLoopback && loopback(origin) {
			return true
		}
		for _, r := range c.Redirects {
			if u, err := url.Parse(r); err == nil && u.Scheme+"://"+u.Host == origin {
				return true
			}
		}
	}
	return false
}
