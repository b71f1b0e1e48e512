package oidc

import (
	"bytes"
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// pageView is one of the few things that this face says to a person itself.
type pageView struct {
	Title string
	Text  string
	Go    string // where the browser goes on at once

	Logout  url.Values // the request to log out, to be confirmed
	Consent string     // the id of the request to allow
	Client  string
	Phone   bool

	Factor string // the id of the request that waits for a further factor
	Proof  string // of a number that may have another holder by now
	Skip   bool   // the client takes a login without it
	Wrong  string // what was wrong with the code
	Wait   int    // minutes until another is taken; 0 for none

	Passkey     string // where a passkey is taken instead; "" where none is
	OnlyPasskey bool   // the person has nothing else
}

// minutes rounds up: nobody may come back too early.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// The page needs no script and no style of another file, so its policy can forbid everything.
var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
{{- if .Go}}
<meta http-equiv="refresh" content="0;url={{.Go}}">
{{- end}}
<title>{{.Title}}</title>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{- with .Text}}<p>{{.}}</p>{{end}}
{{- with .Go}}<p><a href="{{.}}">Continue</a></p>{{end}}
{{- if .Logout}}
<form method="post" action="/oauth2/logout">
{{- range $name, $values := .Logout}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
<button name="confirm" value="yes">Log out</button>
</form>
{{- end}}
{{- if .Factor}}
{{- if .Proof}}<p>This number was not used here for a long time, and may have had another holder. If the account of then is yours, confirm it.</p>{{end}}
{{- with .Wrong}}<p role="alert">{{.}}</p>{{end}}
{{- with .Wait}}<p>Codes are taken again in {{.}} minutes.</p>{{end}}
{{- with .Passkey}}<p><a href="{{.}}">Use a passkey</a></p>{{end}}
{{- if not .OnlyPasskey}}
<form method="post" action="/oauth2/factor">
<input type="hidden" name="id" value="{{.Factor}}">
{{- with .Proof}}<input type="hidden" name="proof" value="{{.}}">{{end}}
<p><label for="code">Code of your authenticator app, or a recovery code</label></p>
<p><input id="code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus></p>
<p><button>Confirm</button></p>
</form>
{{- end}}
{{- if or .Proof .Skip}}
<form method="post" action="/oauth2/factor">
<input type="hidden" name="id" value="{{.Factor}}">
{{- if .Proof}}<input type="hidden" name="proof" value="{{.Proof}}">
<p><button name="answer" value="none">It is not mine: make a new account</button></p>
{{- else}}
<p><button name="answer" value="skip">Go on without it</button></p>
{{- end}}
</form>
{{- end}}
{{- end}}
{{- if .Consent}}
<p>{{.Client}} wants to know who you are{{if .Phone}}, and your phone number{{end}}.</p>
<form method="post" action="/oauth2/consent">
<input type="hidden" name="id" value="{{.Consent}}">
<button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Do not allow</button>
</form>
{{- end}}
</main>
</body>
</html>
`))

func (f *Face) page(w http.ResponseWriter, status int, v pageView) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		f.unavailable(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	// "no-referrer" would turn the Origin of the form into "null" (Fetch, 3.2), which is refused.
	h.Set("Referrer-Policy", "strict-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that is gone cannot be told
}

func (f *Face) askConsent(w http.ResponseWriter, req *request, c *Client) {
	f.page(w, http.StatusOK, pageView{
		Title: "May this application know you?", Consent: req.ID, Client: cmp.Or(c.Name, c.ID),
		Phone: slices.Contains(req.Scopes, oidc.ScopePhone),
	})
}

func (f *Face) confirmLogout(w http.ResponseWriter, q *oidc.EndSessionRequest) {
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
	f.page(w, http.StatusOK, pageView{Title: "Log out?", Logout: carried})
}
