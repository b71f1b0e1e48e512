package oidc

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"countersign/web"
)

// Pages writes the few pages that this face shows to a person itself; *web.Pages is it.
type Pages interface {
	Account(w io.Writer, v web.AccountView) error
}

// page shows one, in the language that the person chose on the hosted page, else in one that the client asked for, else
// in their browser's.
func (f *Face) page(w http.ResponseWriter, r *http.Request, req *request, status int, v web.AccountView) {
	wanted := wantedLanguage(r)
	if req != nil {
		wanted = cmp.Or(wanted, req.Locales)
		if app, ok := f.cfg.App(req.App); ok {
			v.AppName = cmp.Or(app.Name, app.ID)
		}
	}
	v.Lang = web.MatchLanguage(wanted, r.Header.Get("Accept-Language"))
	var b bytes.Buffer
	if err := f.cfg.Pages.Account(&b, v); err != nil {
		f.unavailable(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Lang)
	h.Set("Content-Security-Policy", web.AccountCSP)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	// "no-referrer" would turn the Origin of the form into "null" (Fetch, 3.2), which is refused.
	h.Set("Referrer-Policy", "strict-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that is gone cannot be told
}

// wantedLanguage is what the person chose, else what a client asks for with a log-out; "" where nobody did.
func wantedLanguage(r *http.Request) string {
	return cmp.Or(r.Form.Get("lang"), r.Form.Get("ui_locales"))
}

// stop says that a login is over without having gone well.
func (f *Face) stop(w http.ResponseWriter, r *http.Request, req *request, why web.AccountStep) {
	f.page(w, r, req, http.StatusBadRequest, web.AccountView{Step: why})
}

func (f *Face) askConsent(w http.ResponseWriter, r *http.Request, req *request, c *Client) {
	f.page(w, r, req, http.StatusOK, web.AccountView{
		Step: web.AccountConsent, ID: req.ID, Client: cmp.Or(c.Name, c.ID), Phone: slices.Contains(req.Scopes, oidc.ScopePhone),
	})
}

func (f *Face) confirmLogout(w http.ResponseWriter, r *http.Request, q *oidc.EndSessionRequest) {
	carried := url.Values{}
	for name, value := range map[string]string{
		"id_token_hint": q.IdTokenHint, "client_id": q.ClientID, "post_logout_redirect_uri": q.PostLogoutRedirectURI, "state": q.State,
	} {
		if value != "" {
			carried.Set(name, value)
		}
	}
	if len(carried) == 0 {
		carried.Set("ui", "page")
	}
	f.page(w, r, nil, http.StatusOK, web.AccountView{Step: web.AccountLogout, Logout: carried})
}
