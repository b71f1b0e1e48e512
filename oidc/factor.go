package oidc

// This file asks a person for a further factor: where a client wants the second level (acr_values), and where the number
// was not proved for so long that it may have another holder. The page needs no script.

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"countersign"
	"countersign/web"
)

// wantsSecond says whether a client asks for the second level, and must whether nothing less does: it lists no other.
func (r *request) wantsSecond() (wants, must bool) {
	wants = slices.Contains(r.ACR, countersign.ACRTwo)
	return wants, wants && !slices.Contains(r.ACR, countersign.ACROne)
}

var errUnmet = &oidc.Error{ErrorType: "unmet_authentication_requirements", Description: "The person has no further factor, or did not show it."}

// askFactor asks for a further factor where the request wants one that the session has not shown. False where nothing is
// to be asked; then a client that takes the first level too gets that.
func (f *Face) askFactor(w http.ResponseWriter, r *http.Request, req *request, s *countersign.Session, fromForm bool) (asked bool) {
	wants, must := req.wantsSecond()
	if !wants || s.ACR() == countersign.ACRTwo {
		return false
	}
	app, ok := f.app(w, r, req)
	if !ok {
		return true
	}
	list, err := f.cfg.People.Factors(r.Context(), app, s.User)
	switch {
	case err != nil:
		f.unavailable(w, err)
	case len(list) == 0 && !must:
		return false
	case len(list) == 0:
		f.leave(w, r, req, f.failure(req, errUnmet), fromForm)
	case slices.Contains(req.Prompt, oidc.PromptNone):
		f.failAt(w, r, req, &oidc.Error{ErrorType: "interaction_required", Description: "The person must show a further factor first."})
	default:
		v := web.AccountView{Step: web.AccountFactor, ID: req.ID, Skip: !must, Passkey: f.passkeyLink(r, req, app)}
		v.OnlyPasskey = v.Passkey != "" && !slices.ContainsFunc(list, func(one *countersign.Factor) bool { return one.Type != countersign.FactorPasskey })
		f.page(w, r, req, http.StatusOK, v)
	}
	return true
}

// typedFactor tells by its shape which code was typed: six digits are an app's, anything else is a recovery code.
func typedFactor(text string) countersign.FactorCode {
	if bare := strings.NewReplacer(" ", "", "-", "").Replace(text); len(bare) <= 8 {
		return countersign.FactorCode{TOTP: text}
	}
	return countersign.FactorCode{RecoveryCode: text}
}

// factor serves POST /oauth2/factor: what the person typed.
func (f *Face) factor(w http.ResponseWriter, r *http.Request) {
	if !f.ownSite(r) {
		f.refuse(w, http.StatusForbidden, "access_denied", "This is used from the instance's own pages only.")
		return
	}
	req, ok := f.bound(w, r, r.PostForm.Get("id"))
	if !ok {
		return
	}
	if r.PostForm.Get("proof") != "" {
		f.prove(w, r, req) // a login that waited for the factor
		return
	}
	s := f.answering(w, r, req)
	if s == nil {
		return
	}
	if r.PostForm.Get("answer") == "skip" {
		if _, must := req.wantsSecond(); must {
			f.leave(w, r, req, f.failure(req, errUnmet), true)
			return
		}
		f.agree(w, r, req, s, true)
		return
	}
	app, ok := f.app(w, r, req)
	if !ok {
		return
	}
	login, err := f.cfg.People.StepUp(r.Context(), &countersign.StepUpRequest{App: app, Session: s, Code: typedFactor(r.PostForm.Get("code"))})
	if err != nil {
		_, must := req.wantsSecond()
		v := web.AccountView{Step: web.AccountFactor, ID: req.ID, Skip: !must, Passkey: f.passkeyLink(r, req, app)}
		if !f.factorFailed(w, r, req, err, v) {
			f.stop(w, r, req, web.AccountEnded)
		}
		return
	}
	f.keepSession(w, login)
	f.decide(w, r, req, login.Session, true)
}

// factorFailed shows the page again with what was wrong about a code, and answers for a failure of ours. False for any
// other refusal: the login is over.
func (f *Face) factorFailed(w http.ResponseWriter, r *http.Request, req *request, err error, v web.AccountView) bool {
	if ours(err) {
		f.unavailable(w, err)
		return true
	}
	kind := countersign.KindOf(err)
	status := http.StatusUnprocessableEntity
	switch kind {
	case countersign.ErrTooManyChecks:
		status = http.StatusTooManyRequests
	case countersign.ErrIncorrectCode, countersign.ErrInvalidCode:
	default:
		return false
	}
	v.Problem = &web.Problem{Code: string(kind)}
	var e *countersign.Error
	if errors.As(err, &e) {
		v.Problem.RetryAfter = e.RetryAfter
	}
	f.page(w, r, req, status, v)
	return true
}
