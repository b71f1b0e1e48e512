package httpapi

// This file keeps other sites out of the pages: headers that forbid framing and foreign content, and the two checks
// of a form, that it comes from our own origin and from the browser that loaded it.

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"countersign"
)

// page renders into a buffer and writes after, so that no half page is sent.
func (c *call) page(status int, returnURL string, render func(b *bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		return err
	}
	c.pageHeaders(returnURL)
	c.WriteHeader(status)
	_, _ = c.Write(b.Bytes()) // a browser that is gone cannot be told
	return nil
}

func (c *call) pageHeaders(returnURL string) {
	h := c.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", c.s.cfg.Pages.CSP(returnURL))
	h.Set("X-Frame-Options", "DENY")
	if !strings.HasPrefix(c.r.URL.Path, "/verify") {
		// Apps open the hosted page in a window of their own and wait for it; this would cut it off from them. All that
		// they have of it is a handle: its content stays another origin's.
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	// "no-referrer" would turn the Origin of our own forms into "null" (Fetch, 3.2), which is refused below.
	h.Set("Referrer-Policy", "strict-origin")
}

// sameSite refuses a request that a page of another site made a browser send. Programs send neither of the headers;
// for forms the token decides then.
func (c *call) sameSite() error {
	refusal := countersign.Fail(countersign.ErrForbidden, "This is used from the instance's own pages only.")
	if err := c.s.cross.Check(c.r); err != nil {
		return refusal
	}
	origin, given := c.requestOrigin()
	// CrossOriginProtection compares hosts only where a browser sends no Sec-Fetch-Site; the scheme counts too.
	own := origin == c.s.origin || c.s.cfg.Sandbox != nil && origin == "http://"+c.r.Host
	if given && !own {
		return refusal
	}
	return nil
}

// The page has no session, so a form's token is compared with a cookie that only our own pages can set. The prefix
// keeps sibling hosts from planting one; browsers take it over https only.
const (
	csrfCookie      = "__Host-csrf"
	csrfCookiePlain = "csrf" // on the sandbox's http
	csrfLength      = 26
)

func (c *call) csrfName() string {
	if c.s.hsts {
		return csrfCookie
	}
	return csrfCookiePlain
}

// csrf is the browser's token, or a new one.
func (c *call) csrf() string {
	if cookie, err := c.r.Cookie(c.csrfName()); err == nil && len(cookie.Value) == csrfLength {
		return cookie.Value
	}
	return rand.Text()
}

// csrfMatches says whether a form's token is the cookie's.
func (c *call) csrfMatches(token string) bool {
	cookie, err := c.r.Cookie(c.csrfName())
	if err != nil || len(cookie.Value) != csrfLength {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(token)) == 1
}

func (c *call) setCSRF(token string) {
	http.SetCookie(c, &http.Cookie{
		Name: c.csrfName(), Value: token, Path: "/", Secure: c.s.hsts, HttpOnly: true,
		// Lax: the way from the app's site to the page is a cross-site navigation, and a second tab must not get a
		// second token that spoils the first one's form.
		SameSite: http.SameSiteLaxMode,
	})
}

// The device that proved a phone here is known again by a cookie, one for each app. It is the last phone's: a browser
// that serves two has no more than anybody for the other.
func (v *visit) deviceCookie() string {
	name := "device-" + v.app.ID
	if v.c.s.hsts {
		return "__Host-" + name
	}
	return name
}

// deviceToken is the browser's, where it has one. What is no token is none: nobody typed it.
func (v *visit) deviceToken() string {
	cookie, err := v.c.r.Cookie(v.deviceCookie())
	if err != nil || !countersign.ValidDeviceToken(cookie.Value) {
		return ""
	}
	return cookie.Value
}

func (v *visit) keepDevice(token string) {
	if token == "" {
		return
	}
	http.SetCookie(v.c, &http.Cookie{
		Name: v.deviceCookie(), Value: token, Path: "/", Secure: v.c.s.hsts, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: int(countersign.DeviceLifetime / time.Second),
	})
}
