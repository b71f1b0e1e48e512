package httpapi

// This file serves the hosted page: GET /verify shows the phone form, POST /verify takes a step. Every form carries all
// that the next step needs, so the page works without script and the server remembers nothing. What comes back from a
// form proves nothing: the app, the return address and the rest are checked anew with every step. The verification's id
// in a form is a capability, like anywhere else.

import (
	"bytes"
	"cmp"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"countersign"
	"countersign/web"
)

// visit is one request for the page, with what the app asked for.
type visit struct {
	c         *call
	app       *App
	values    url.Values
	csrf      string
	lang      string
	purpose   countersign.Purpose
	state     string
	nonce     string
	returnURL string
}

// showPage serves GET /verify.
func showPage(c *call) error {
	v := c.visit(c.r.URL.Query())
	if err := v.ask(); err != nil {
		return v.refuse(err)
	}
	if v.values.Get("offer") == "passkey" && v.takesPasskeys() {
		return v.offerPasskey()
	}
	view := v.view(web.StepPhone)
	view.Region, view.Passkey = v.region(), v.passkeyOptions("")
	if v.values.Get("problem") == string(countersign.ErrPasskeyRefused) {
		view.Problem = &web.Problem{Code: string(countersign.ErrPasskeyRefused)}
	}
	if hint := v.values.Get("login_hint"); printable(hint, 64) {
		view.Phone = hint
	}
	return v.render(http.StatusOK, view)
}

// refusePage serves addresses below /verify, of which there are none. What is wrong with the query is said first.
func refusePage(c *call) error {
	v := c.visit(c.r.URL.Query())
	if err := v.ask(); err != nil {
		return v.refuse(err)
	}
	return v.refuse(noSuchPath())
}

// submitPage serves POST /verify.
func submitPage(c *call) error {
	values, err := readForm(c.r)
	v := c.visit(values)
	if err != nil {
		return v.refuse(err)
	}
	if err := c.sameSite(); err != nil {
		return v.refuse(err)
	}
	if err := v.ask(); err != nil {
		return v.refuse(err)
	}
	if !c.csrfMatches(values.Get("csrf")) {
		return v.stale()
	}
	switch values.Get("step") {
	case "phone":
		return v.start()
	case "code":
		return v.check()
	case "send":
		return v.send()
	}
	return v.refuse(invalid("/step", "There is no such step."))
}

func (c *call) visit(values url.Values) *visit {
	if values == nil {
		values = url.Values{}
	}
	return &visit{c: c, values: values, csrf: c.csrf(), lang: web.MatchLanguage(cmp.Or(values.Get("lang"), values.Get("ui_locales")), c.r.Header.Get("Accept-Language"))}
}

// readForm reads a small urlencoded body.
func readForm(r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, countersign.Fail(countersign.ErrUnsupportedMediaType, "A form is sent as application/x-www-form-urlencoded.")
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, countersign.Fail(countersign.ErrInvalidRequest, "The body could not be read to its end.")
	}
	if len(body) > maxBody {
		return nil, tooLarge()
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid("", "The form is not well-formed.")
	}
	return values, nil
}

// Bounds of what an app hands through the page, in bytes.
const (
	maxState     = 512
	maxPageNonce = 128
)

// ask reads and checks what the app asked for.
func (v *visit) ask() error {
	if _, err := url.ParseQuery(v.c.r.URL.RawQuery); err != nil {
		return invalid("", "The query is not well-formed.") // what cannot be read must not be overlooked: it may be the nonce
	}
	for name, values := range v.values {
		if len(values) > 1 {
			return invalid(queryPointer(name), "This parameter is there twice.")
		}
	}
	if err := v.findApp(); err != nil {
		return err
	}
	purpose, ok := countersign.ParsePurpose(v.values.Get("purpose"))
	if !ok || purpose == countersign.PurposeTransaction {
		// What is approved must come from the app's server, not from an address that anybody can write.
		return invalid("/purpose", "A purpose is signup, login or stepup here.")
	}
	v.purpose = purpose
	state, nonce := v.values.Get("state"), v.values.Get("nonce")
	switch {
	case state != "" && !printable(state, maxState):
		return invalid("/state", "A state has at most 512 printable characters.")
	case nonce != "" && !printable(nonce, maxPageNonce):
		return invalid("/nonce", "A nonce has at most 128 printable characters.")
	}
	v.state, v.nonce = state, nonce
	back := v.values.Get("return_url")
	switch {
	case back == "":
		return nil
	case !slices.Contains(v.app.ReturnURLs, back):
		return invalid("/return_url", "This is not one of the app's return addresses.")
	case state == "" || nonce == "":
		return invalid("/state", "With a return_url come state and nonce, so that the app knows its own answer again.")
	}
	v.returnURL = back
	return nil
}

// findApp takes the app named, or the only one there is.
func (v *visit) findApp() error {
	id := v.values.Get("app")
	if id == "" {
		if len(v.c.s.apps) != 1 {
			return invalid("/app", "Say which app.")
		}
		for only := range v.c.s.apps {
			id = only
		}
	}
	app, ok := v.c.s.apps[id]
	if !ok || !app.HostedPage {
		return countersign.Fail(countersign.ErrNotFound, "There is no such page.")
	}
	v.app, v.c.app = app, app
	return nil
}

// region is the country chosen beforehand: the one that was sent, else the app's.
func (v *visit) region() string { return cmp.Or(v.values.Get("region"), v.app.Region) }

// view is what every step shows.
func (v *visit) view(step web.Step) web.VerifyView {
	view := web.VerifyView{
		Step: step, Lang: v.lang, AppName: "Countersign", Sandbox: v.c.s.cfg.Sandbox != nil, CSRF: v.csrf,
		Purpose: string(v.purpose), State: v.state, Nonce: v.nonce, ReturnURL: v.returnURL,
		OwnLogin: strings.HasPrefix(v.returnURL, v.c.s.cfg.PublicURL+"/"),
	}
	if v.app != nil {
		view.App, view.AppName, view.Regions = v.app.ID, cmp.Or(v.app.Name, v.app.ID), v.app.Countries
		if step == web.StepPhone {
			view.Form = v.c.s.cfg.Engine.FormToken(v.app.App, v.csrf)
		}
	}
	return view
}

func (v *visit) render(status int, view web.VerifyView) error {
	v.c.setCSRF(v.csrf)
	return v.c.page(status, view.ReturnURL, func(b *bytes.Buffer) error { return v.c.s.cfg.Pages.Verify(b, view) })
}

// refuse answers a request that the page cannot serve: to a browser with a page, to a program with a problem.
func (v *visit) refuse(err error) error {
	if !strings.Contains(v.c.r.Header.Get("Accept"), "text/html") {
		return err
	}
	return v.message(err)
}

// message is the step that says why it cannot go on.
func (v *visit) message(err error) error {
	status, problem := v.c.pageProblem(err)
	view := v.view(web.StepMessage)
	view.Problem = problem
	return v.render(status, view)
}

// stale answers a form without the browser's own token: an old page, or somebody else's form.
func (v *visit) stale() error {
	err := countersign.Fail(countersign.ErrForbidden, "This form does not belong to a page that was loaded here before. Load the page again.")
	if !strings.Contains(v.c.r.Header.Get("Accept"), "text/html") {
		return err
	}
	v.c.kind, v.c.err = err.Kind, err
	view := v.view(web.StepMessage)
	view.Problem = &web.Problem{Code: "stale_page"}
	return v.render(http.StatusForbidden, view)
}

// pageProblem is an error in the page's terms, kept for the log.
func (c *call) pageProblem(err error) (int, *web.Problem) {
	e, row := c.classify(err)
	c.kind, c.err = e.Kind, err
	p := &web.Problem{Code: string(e.Kind), RetryAfter: e.RetryAfter}
	if e.ChecksLeft != nil {
		p.ChecksLeft = *e.ChecksLeft
	}
	if s := wholeSeconds(e.RetryAfter); s > 0 {
		c.Header().Set("Retry-After", strconv.Itoa(s))
	}
	return row.status, p
}
