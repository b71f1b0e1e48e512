package oidc

// This file leads a browser from a client's request to its answer. Every step is bound to the browser that began, by a
// cookie whose hash the request keeps: an attacker who begins a request and gives its address to somebody else gets
// nothing of their login, and cannot finish for them.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"countersign"
	"countersign/web"
)

type bindingKey struct{}

func bindingOf(ctx context.Context) string {
	b, _ := ctx.Value(bindingKey{}).(string)
	return b
}

// Cookies: the binding lasts as long as the browser; the session's as long as the session. On the sandbox's http they
// cannot have the prefix, which browsers take over https only.
const (
	bindingCookie = "oauth"
	sessionCookie = "sso"
	bindingLength = 26
)

func (f *Face) cookieName(name string) string {
	if f.secure {
		return "__Host-" + name
	}
	return name
}

// cookie is the value of a cookie that is there once.
func (f *Face) cookie(r *http.Request, name string) string {
	list := r.CookiesNamed(f.cookieName(name))
	if len(list) != 1 {
		return ""
	}
	return list[0].Value
}

func (f *Face) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: f.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: f.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // the way from the client to us is a cross-site navigation
	})
}

// authorize serves the authorization endpoint.
func (f *Face) authorize(w http.ResponseWriter, r *http.Request) {
	binding := f.cookie(r, bindingCookie)
	if len(binding) != bindingLength {
		binding = rand.Text()
		f.setCookie(w, bindingCookie, binding, 0)
	}
	_, known := f.clients[r.Form.Get("client_id")]
	switch {
	case !known:
		f.refuse(w, http.StatusBadRequest, "invalid_client", "There is no such client. Check client_id.")
		return
	case r.Form.Get("redirect_uri") == "":
		f.refuse(w, http.StatusBadRequest, "invalid_request", "redirect_uri is missing.")
		return
	case r.Form.Get("request") != "" || r.Form.Get("request_uri") != "":
		f.refuse(w, http.StatusBadRequest, "request_not_supported", "Send the parameters themselves, not in a request object.")
		return
	}
	ctx := withAsked(context.WithValue(r.Context(), bindingKey{}, binding), r.Form.Get("redirect_uri"))
	if refused := unserved(r.Form); refused != nil && f.returns(ctx, r.Form) {
		f.refuseTo(w, r, refused)
		return
	}
	if !f.counted(w, r) {
		return
	}
	op.Authorize(&answerWriter{ResponseWriter: w, f: f}, r.WithContext(ctx), f.provider)
}

// counted says whether a browser may begin another login.
func (f *Face) counted(w http.ResponseWriter, r *http.Request) bool {
	app, ok := f.cfg.App(f.clients[r.Form.Get("client_id")].App)
	if !ok {
		f.refuse(w, http.StatusBadRequest, "invalid_client", "The client's app does not exist any more.")
		return false
	}
	err := f.cfg.CountLogin(r.Context(), app, f.cfg.ClientOf(r))
	var e *countersign.Error
	switch {
	case err == nil:
		return true
	case errors.Is(err, countersign.ErrRateLimited) && errors.As(err, &e):
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
		f.refuse(w, http.StatusTooManyRequests, "slow_down", "Too many logins were begun from this address. Wait a minute.")
	default:
		f.unavailable(w, err)
	}
	return false
}

// unserved says what of a request is not served here, where the library would answer the browser, or in another mode than
// the query, instead of telling the client (RFC 6749, 4.1.2.1).
func unserved(q url.Values) *oidc.Error {
	bad := func(text string) *oidc.Error { return oidc.ErrInvalidRequest().WithDescription("%s", text) }
	_, err := strconv.ParseUint(q.Get("max_age"), 10, 32)
	switch mode := q.Get("response_mode"); {
	case q.Get("response_type") == "":
		return bad("response_type is missing.")
	case q.Get("response_type") != string(oidc.ResponseTypeCode):
		return &oidc.Error{ErrorType: "unsupported_response_type", Description: "The only response_type is code."}
	case mode != "" && mode != string(oidc.ResponseModeQuery):
		return bad("The only response_mode is query.")
	case q.Has("max_age") && err != nil:
		return bad("max_age is a number of seconds.")
	case q.Get("id_token_hint") != "" && !idToken(q.Get("id_token_hint")):
		return oidc.ErrLoginRequired().WithDescription("The id_token_hint is no id token of this instance.")
	}
	return nil
}

// returns says whether the redirect address of a request is its client's, so that an error may go there.
func (f *Face) returns(ctx context.Context, q url.Values) bool {
	c, ok := f.view(ctx, q.Get("client_id"))
	return ok && slices.Contains(c.RedirectURIs(), q.Get("redirect_uri"))
}

// refuseTo tells the client that its request is not served.
func (f *Face) refuseTo(w http.ResponseWriter, r *http.Request, err *oidc.Error) {
	req := &request{asked: asked{RedirectURI: r.Form.Get("redirect_uri")}}
	if state := r.Form.Get("state"); len(state) <= maxState {
		req.State = state
	}
	f.leave(w, r, req, f.failure(req, err), false)
}

// answerWriter names the issuer in every answer that goes to a client through the browser, so that a client of several
// providers knows whose it is (RFC 9207), and turns the library's plain texts into this face's errors.
type answerWriter struct {
	http.ResponseWriter
	f       *Face
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	h := w.Header()
	if to := h.Get("Location"); to != "" && !strings.HasPrefix(to, loginPath) {
		h.Set("Location", w.f.withIssuer(to))
		h.Del("Content-Type")
	}
	if status >= 400 {
		w.refused = true
		w.f.refuse(w.ResponseWriter, http.StatusBadRequest, "invalid_request", "The request is not one that this client may make: check redirect_uri, which must be exactly as configured.")
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

func (f *Face) withIssuer(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	q := u.Query()
	q.Set("iss", f.cfg.Issuer)
	u.RawQuery = q.Encode()
	return u.String()
}

// bound finds the request of an id, for the browser that began it.
func (f *Face) bound(w http.ResponseWriter, r *http.Request, id string) (*request, bool) {
	stored, found, err := f.cfg.Store.Request(r.Context(), id)
	if err != nil {
		f.unavailable(w, err)
		return nil, false
	}
	if !found || subtle.ConstantTimeCompare(stored.Binding, hashed(f.cookie(r, bindingCookie))) != 1 ||
		!f.cfg.People.Now().Before(stored.Expires) || stored.User != "" {
		f.stop(w, r, nil, web.AccountLate)
		return nil, false
	}
	req, err := f.open(stored)
	if err != nil {
		f.unavailable(w, err)
		return nil, false
	}
	return req, true
}

// login serves GET /oauth2/login, which decides whether a person must log in, and POST, to which the hosted page brings
// their proof, or a passkey that was used.
func (f *Face) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		f.proved(w, r)
		return
	}
	req, ok := f.bound(w, r, r.Form.Get("id"))
	if !ok {
		return
	}
	session := f.session(r, req.App)
	if session != nil && f.suffices(req, session) {
		f.decide(w, r, req, session, false)
		return
	}
	if slices.Contains(req.Prompt, oidc.PromptNone) {
		f.failAt(w, r, req, oidc.ErrLoginRequired().WithDescription("The person is not logged in."))
		return
	}
	http.Redirect(w, r, "/verify?"+f.hosted(r, req).Encode(), http.StatusSeeOther)
}

// hosted is what the hosted page is asked for.
func (f *Face) hosted(r *http.Request, req *request) url.Values {
	q := url.Values{
		"app": {req.App}, "purpose": {"login"}, "state": {req.ID}, "nonce": {f.nonce(r, req.ID)}, "return_url": {ReturnURL(f.cfg.Issuer)},
	}
	if req.Hint != "" {
		q.Set("login_hint", req.Hint)
	}
	if req.Locales != "" {
		q.Set("ui_locales", req.Locales)
	}
	if lang := r.Form.Get("lang"); lang != "" {
		q.Set("lang", lang) // chosen on a page before
	}
	return q
}

// nonce binds a proof to this browser and this request: nobody else's proof fits.
func (f *Face) nonce(r *http.Request, id string) string {
	sum := sha256.Sum256([]byte("nonce " + f.cookie(r, bindingCookie) + " " + id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// session is the browser's live session with an app.
func (f *Face) session(r *http.Request, app string) *countersign.Session {
	token := f.cookie(r, sessionCookie)
	if token == "" {
		return nil
	}
	s, err := f.cfg.People.Browser(r.Context(), token)
	if err != nil || s.App != app {
		return nil
	}
	return s
}

// suffices says whether a session is good for a request: of the person it wants, recent and strong enough.
func (f *Face) suffices(req *request, s *countersign.Session) bool {
	switch {
	case req.MaxAge != nil && !f.cfg.People.Now().Before(s.AuthTime.Add(time.Duration(*req.MaxAge)*time.Second)):
		return false
	case slices.Contains(req.Prompt, oidc.PromptSelectAccount), req.Subject != "" && req.Subject != s.User:
		return false
	}
	return true
}

// proved takes the proof that the hosted page brings.
func (f *Face) proved(w http.ResponseWriter, r *http.Request) {
	if !f.ownSite(r) {
		f.refuse(w, http.StatusForbidden, "access_denied", "This is used from the instance's own pages only.")
		return
	}
	if req, ok := f.bound(w, r, r.PostForm.Get("state")); ok {
		f.prove(w, r, req)
	}
}

// prove makes a session of a proof. Where the number may have another holder by now, its user's further factor is asked
// for first; the proof waits in the page.
func (f *Face) prove(w http.ResponseWriter, r *http.Request, req *request) {
	app, ok := f.app(w, r, req)
	if !ok {
		return
	}
	if r.PostForm.Get("credential") != "" {
		f.usedPasskey(w, r, req, app)
		return
	}
	q := &countersign.RedeemRequest{
		App: app, Proof: r.PostForm.Get("proof"), Nonce: f.nonce(r, req.ID), Kind: countersign.SessionBrowser,
		Client: f.cfg.ClientOf(r), Renews: f.session(r, req.App), NoFactor: r.PostForm.Get("answer") == "none",
	}
	if typed := r.PostForm.Get("code"); typed != "" && !q.NoFactor {
		code := typedFactor(typed)
		q.Factor = &code
	}
	login, err := f.cfg.People.Redeem(r.Context(), q)
	waiting := web.AccountView{Step: web.AccountStale, ID: req.ID, Proof: q.Proof, Passkey: f.passkeyLink(r, req, app)}
	switch {
	case err == nil:
	case countersign.KindOf(err) == countersign.ErrFactorRequired:
		f.page(w, r, req, http.StatusOK, waiting)
		return
	case f.factorFailed(w, r, req, err, waiting):
		return
	default:
		f.stop(w, r, req, web.AccountUsed)
		return
	}
	if f.offers(r, req, app, login) && (req.Subject == "" || req.Subject == login.User.ID) {
		f.keepSession(w, login)
		f.offer(w, r, req)
		return
	}
	f.loggedIn(w, r, req, login)
}

// loggedIn goes on with a person who has shown who they are.
func (f *Face) loggedIn(w http.ResponseWriter, r *http.Request, req *request, login *countersign.Login) {
	s := login.Session
	f.keepSession(w, login)
	if req.Subject != "" && req.Subject != s.User {
		f.leave(w, r, req, f.failure(req, oidc.ErrLoginRequired().WithDescription("Another person logged in than the one of the id_token_hint.")), true)
		return
	}
	f.decide(w, r, req, s, true)
}

// keepSession gives the browser its session's token.
func (f *Face) keepSession(w http.ResponseWriter, l *countersign.Login) {
	f.setCookie(w, sessionCookie, l.Tokens.Refresh, int(l.Session.Expires.Sub(f.cfg.People.Now())/time.Second))
}

// decide asks for a further factor and for consent where that is needed, and answers the client.
func (f *Face) decide(w http.ResponseWriter, r *http.Request, req *request, s *countersign.Session, fromForm bool) {
	if !f.askFactor(w, r, req, s, fromForm) {
		f.agree(w, r, req, s, fromForm)
	}
}

// agree asks for consent where that is needed, and answers the client.
func (f *Face) agree(w http.ResponseWriter, r *http.Request, req *request, s *countersign.Session, fromForm bool) {
	c, ok := f.clients[req.Client]
	if !ok {
		f.refuse(w, http.StatusBadRequest, "invalid_client", "The client does not exist any more.")
		return
	}
	if !c.FirstParty || slices.Contains(req.Prompt, oidc.PromptConsent) {
		if slices.Contains(req.Prompt, oidc.PromptNone) {
			f.failAt(w, r, req, &oidc.Error{ErrorType: "consent_required", Description: "The person must be asked first."})
			return
		}
		f.askConsent(w, r, req, c)
		return
	}
	f.answer(w, r, req, s, fromForm)
}

// consent serves POST /oauth2/consent: what the person said.
func (f *Face) consent(w http.ResponseWriter, r *http.Request) {
	if !f.ownSite(r) {
		f.refuse(w, http.StatusForbidden, "access_denied", "This is used from the instance's own pages only.")
		return
	}
	req, ok := f.bound(w, r, r.PostForm.Get("id"))
	if !ok {
		return
	}
	s := f.answering(w, r, req)
	if s == nil {
		return
	}
	if r.PostForm.Get("answer") != "allow" {
		f.leave(w, r, req, f.failure(req, oidc.ErrAccessDenied().WithDescription("The person said no.")), true)
		return
	}
	f.answer(w, r, req, s, true)
}

// answering is the session that a form answers a request with: one that suffices, or that was begun for it. Where there is
// none the browser goes back to the login.
func (f *Face) answering(w http.ResponseWriter, r *http.Request, req *request) *countersign.Session {
	s := f.session(r, req.App)
	if s != nil && (f.suffices(req, s) || !s.AuthTime.Before(req.Created) && (req.Subject == "" || req.Subject == s.User)) {
		return s
	}
	http.Redirect(w, r, loginPath+"?id="+url.QueryEscape(req.ID), http.StatusSeeOther)
	return nil
}

// answer gives the request its code and sends the browser back.
func (f *Face) answer(w http.ResponseWriter, r *http.Request, req *request, s *countersign.Session, fromForm bool) {
	if _, must := req.wantsSecond(); must && s.ACR() != countersign.ACRTwo {
		f.decide(w, r, req, s, fromForm) // a form that came out of its order
		return
	}
	now := f.cfg.People.Now()
	code := "oac_" + secret()
	done := *req.AuthorizationRequest
	done.User, done.Session, done.AuthTime, done.AMR = s.User, s.ID, s.AuthTime, s.AMR
	done.Code, done.Expires = hashed(code), now.Add(codeLifetime)
	answered, err := f.cfg.Store.AnswerRequest(r.Context(), &done, now)
	if err != nil {
		f.unavailable(w, err)
		return
	}
	if !answered {
		f.stop(w, r, req, web.AccountFinished)
		return
	}
	q := url.Values{"code": {code}}
	if req.State != "" {
		q.Set("state", req.State)
	}
	f.leave(w, r, req, q, fromForm)
}

// app is whose users a request is about. Where the configuration has it no more, the client is told.
func (f *Face) app(w http.ResponseWriter, r *http.Request, req *request) (*countersign.App, bool) {
	app, ok := f.cfg.App(req.App)
	if !ok {
		f.failAt(w, r, req, oidc.ErrAccessDenied().WithDescription("The app does not exist any more."))
	}
	return app, ok
}

// failAt tells the client that there is no login.
func (f *Face) failAt(w http.ResponseWriter, r *http.Request, req *request, err *oidc.Error) {
	f.leave(w, r, req, f.failure(req, err), r.Method == http.MethodPost)
}

func (f *Face) failure(req *request, err *oidc.Error) url.Values {
	q := url.Values{"error": {string(err.ErrorType)}, "error_description": {err.Description}}
	if req.State != "" {
		q.Set("state", req.State)
	}
	return q
}

// leave sends the browser back to the client. After a form of ours it goes by a page: browsers hold a redirect against
// the form's own policy (form-action), which names this site only.
func (f *Face) leave(w http.ResponseWriter, r *http.Request, req *request, q url.Values, fromForm bool) {
	u, err := url.Parse(req.RedirectURI)
	if err != nil {
		f.unavailable(w, err)
		return
	}
	all := u.Query()
	for name, values := range q {
		all[name] = values
	}
	all.Set("iss", f.cfg.Issuer)
	u.RawQuery = all.Encode()
	if !fromForm {
		http.Redirect(w, r, u.String(), http.StatusSeeOther)
		return
	}
	f.page(w, r, req, http.StatusOK, web.AccountView{Step: web.AccountLeave, Go: u.String()})
}

// ownSite says whether a form came from a page of ours. Browsers say so themselves.
func (f *Face) ownSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin, given := r.Header["Origin"]
	if !given {
		// Every browser says where a form comes from. What says nothing is none, or has had it taken out.
		return r.Method == http.MethodGet || r.Header.Get("Sec-Fetch-Site") != ""
	}
	own := f.cfg.Issuer
	if !f.secure {
		own = "http://" + r.Host // the sandbox has several names
	}
	return len(origin) == 1 && (origin[0] == own || origin[0] == f.cfg.Issuer)
}
