package httpapi

import (
	"net/http"
	"net/url"

	"countersign/web"
)

// This file lets the hosted page offer passkeys. A passkey makes a session, not a proof, so the page offers one only where
// what it returns to is a login of ours, which has all the rest.

// takesPasskeys says whether the page can offer them: the app has some, and the login that it returns to takes them.
func (v *visit) takesPasskeys() bool {
	return v.returnURL != "" && v.returnURL == v.app.PasskeyLogin
}

// passkeyOptions is where the page's script gets what a device is asked for; "" where passkeys are not offered.
func (v *visit) passkeyOptions(more string) string {
	if !v.takesPasskeys() {
		return ""
	}
	return v.app.PasskeyURL + "?id=" + url.QueryEscape(v.state) + more
}

// offerPasskey is the step after a login by phone: next time without a code.
func (v *visit) offerPasskey() error {
	view := v.view(web.StepPasskey)
	view.Passkey, view.PasskeyURL = v.passkeyOptions("&new=1"), v.app.PasskeyURL
	return v.render(http.StatusOK, view)
}
