package oidc

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"countersign"
)

// This file logs people in by passkey, and after a login by phone lets them make one. All of it is a step of the request
// that a client began, bound to its browser like the others.

// A person who said "not now" is not asked again on this browser for a while.
const (
	laterCookie   = "nopasskey"
	laterLifetime = 30 * 24 * 60 * 60 // seconds
)

// PasskeyURL is where the hosted page gets what a device is asked for, and brings a new passkey.
func PasskeyURL(issuer string) string { return issuer + passkeyPath }

// passkey serves GET /oauth2/passkey, which says what a device is asked for, and POST, to which the hosted page brings
// what a person made of the offer.
func (f *Face) passkey(w http.ResponseWriter, r *http.Request) {
	if !f.ownSite(r) {
		f.refuse(w, http.StatusForbidden, "access_denied", "This is used from the instance's own pages only.")
		return
	}
	id := r.Form.Get("id")
	if r.Method == http.MethodPost {
		id = r.PostForm.Get("state")
	}
	req, ok := f.bound(w, r, id)
	if !ok {
		return
	}
	app, ok := f.cfg.App(req.App)
	if !ok {
		f.refuse(w, http.StatusBadRequest, "invalid_request", "The app does not exist any more.")
		return
	}
	if r.Method == http.MethodPost {
		f.answerOffer(w, r, req, app)
		return
	}
	ceremony, err := f.ceremony(r, req, app)
	switch {
	case ours(err):
		f.unavailable(w, err)
		return
	case errors.Is(err, countersign.ErrRateLimited):
		f.refuse(w, http.StatusTooManyRequests, "slow_down", "Too many requests. Wait a minute.")
		return
	case err != nil:
		f.refuse(w, http.StatusBadRequest, "invalid_request", "There is no passkey to be asked for here.")
		return
	}
	f.write(w, http.StatusOK, map[string]any{"ceremony": ceremony.Token, "public_key": json.RawMessage(ceremony.Options)})
}

func (f *Face) ceremony(r *http.Request, req *request, app *countersign.App) (*countersign.Ceremony, error) {
	if r.Form.Get("new") == "" {
		return f.cfg.People.AskPasskey(r.Context(), app, f.cfg.ClientOf(r), f.nonce(r, req.ID))
	}
	s := f.session(r, req.App)
	if s == nil {
		return nil, countersign.Fail(countersign.ErrUnauthorized, "Nobody is logged in.")
	}
	return f.cfg.People.NewPasskey(r.Context(), app, s)
}

func answerOf(r *http.Request) countersign.PasskeyAnswer {
	return countersign.PasskeyAnswer{Ceremony: r.PostForm.Get("ceremony"), Credential: []byte(r.PostForm.Get("credential"))}
}

// usedPasskey takes a passkey in place of a proof. Where it does not do, the person is back at the phone form.
func (f *Face) usedPasskey(w http.ResponseWriter, r *http.Request, req *request, app *countersign.App) {
	login, err := f.cfg.People.LoginByPasskey(r.Context(), &countersign.PasskeyLogin{
		App: app, Answer: answerOf(r), To: f.nonce(r, req.ID), Kind: countersign.SessionBrowser,
		Client: f.cfg.ClientOf(r), Renews: f.session(r, req.App),
	})
	if ours(err) {
		f.unavailable(w, err)
		return
	}
	if err != nil {
		q := f.hosted(r, req)
		q.Set("problem", string(countersign.ErrPasskeyRefused))
		http.Redirect(w, r, "/verify?"+q.Encode(), http.StatusSeeOther)
		return
	}
	f.loggedIn(w, r, req, login)
}

// takesPasskeys says whether the hosted page can use an app's passkeys: they are for pages of this address.
func (f *Face) takesPasskeys(app *countersign.App) bool {
	return slices.Contains(app.Passkeys.Origins, f.cfg.Issuer)
}

// passkeyLink leads to the hosted page, which takes a passkey; "" where it does not.
func (f *Face) passkeyLink(r *http.Request, req *request, app *countersign.App) string {
	if !f.takesPasskeys(app) {
		return ""
	}
	return "/verify?" + f.hosted(r, req).Encode()
}

// offers says whether a person who has just proved their phone is to be asked whether they want a passkey. Who said no is
// asked again where a client takes nothing less.
func (f *Face) offers(r *http.Request, req *request, app *countersign.App, l *countersign.Login) bool {
	_, must := req.wantsSecond()
	return f.takesPasskeys(app) && l.User.Factors == 0 && r.PostForm.Get("passkeys") == "yes" && (must || f.cookie(r, laterCookie) == "")
}

// offer sends the browser to the hosted page, which asks.
func (f *Face) offer(w http.ResponseWriter, r *http.Request, req *request) {
	q := f.hosted(r, req)
	q.Set("offer", "passkey")
	http.Redirect(w, r, "/verify?"+q.Encode(), http.StatusSeeOther)
}

// answerOffer goes on with the login: with a passkey that was made, or without one.
func (f *Face) answerOffer(w http.ResponseWriter, r *http.Request, req *request, app *countersign.App) {
	s := f.answering(w, r, req)
	if s == nil {
		return
	}
	if r.PostForm.Get("later") != "" {
		f.setCookie(w, laterCookie, "1", laterLifetime)
		f.decide(w, r, req, s, true)
		return
	}
	answer := answerOf(r)
	_, login, err := f.cfg.People.AddPasskey(r.Context(), &countersign.EnrolRequest{App: app, Session: s}, &answer)
	if ours(err) {
		f.unavailable(w, err)
		return
	}
	if err != nil {
		f.decide(w, r, req, s, true) // the person is logged in; that they have no passkey is shown the next time
		return
	}
	f.keepSession(w, login)
	f.decide(w, r, req, login.Session, true)
}
