package web

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"
)

// AccountStep is what a page shows that the OpenID Connect face has beside the hosted page.
type AccountStep string

// The steps of such pages.
const (
	AccountFactor    AccountStep = "factor"    // ask for a further factor
	AccountStale     AccountStep = "stale"     // ask whose a number is that was not proved for long
	AccountConsent   AccountStep = "consent"   // ask whether a client may know the person
	AccountLogout    AccountStep = "logout"    // ask whether to log out
	AccountLoggedOut AccountStep = "loggedout" // say that it is done
	AccountLeave     AccountStep = "leave"     // go on to the client
	AccountLate      AccountStep = "late"      // the login took too long, or is another browser's
	AccountEnded     AccountStep = "ended"     // the session ended meanwhile
	AccountUsed      AccountStep = "used"      // the verification is not one of this login
	AccountFinished  AccountStep = "finished"  // the login was finished before
)

// AccountView is one of these pages. None has a script, and their forms are POSTed as
// application/x-www-form-urlencoded with the field lang:
//
//	/oauth2/factor   id, code (and proof on AccountStale), or answer=skip or none
//	/oauth2/consent  id, answer=allow or deny
//	/oauth2/logout   confirm=yes, and what is in Logout
type AccountView struct {
	Step    AccountStep
	Lang    string // one of [Languages]; anything else is English
	AppName string // what the person calls the app; "" leaves it out

	ID          string   // of the login that waits
	Proof       string   // on AccountStale
	Skip        bool     // on AccountFactor: the client takes a login without it
	Problem     *Problem // what was wrong with the code: incorrect_code, invalid_code or too_many_checks
	Passkey     string   // where a passkey is taken instead; "" where none is
	OnlyPasskey bool     // the person has nothing else

	Client string // on AccountConsent: its name
	Phone  bool   // on AccountConsent: it wants the number too

	Logout url.Values // on AccountLogout: the request to be confirmed
	Go     string     // where the browser goes on at once; "" where it stays
}

// Account writes such a page.
func (p *Pages) Account(w io.Writer, v AccountView) error {
	files, err := p.current()
	if err != nil {
		return err
	}
	if !slices.Contains(languages, v.Lang) {
		v.Lang = languages[0]
	}
	return files.render(w, "account.html", accountPage{AccountView: v, Dir: direction(v.Lang), catalog: files.catalogs[v.Lang]})
}

// AccountCSP is the Content-Security-Policy of these pages.
const AccountCSP = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// accountPage is what the template sees: the view, and the language's text.
type accountPage struct {
	AccountView
	Dir     string
	catalog catalog
}

// T is the sentence of a key.
func (p accountPage) T(key string) (string, error) {
	sentence, ok := p.catalog[key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, p.Lang)
	}
	return fill(sentence, p.Dir, "app", p.AppName, "client", p.Client), nil
}

// Lead is what is said below the heading; "" where nothing is.
func (p accountPage) Lead() string {
	key := "lead_" + string(p.Step)
	if p.Step == AccountConsent && p.Phone {
		key += "_phone"
	}
	return fill(p.catalog[key], p.Dir, "app", p.AppName, "client", p.Client)
}

// Sentence says what was wrong with a code.
func (p accountPage) Sentence() (string, error) {
	key := "factor_" + p.Problem.Code
	if _, ok := p.catalog[key]; !ok {
		key = "factor_incorrect_code"
	}
	if p.Problem.RetryAfter > 0 { // also after the last wrong code of several
		key = "factor_too_many_checks"
	}
	if key == "factor_too_many_checks" {
		return fill(p.catalog[key], p.Dir, "wait", p.catalog.wait(max(p.Problem.RetryAfter, time.Second))), nil
	}
	return p.T(key)
}

// Stopped says whether the login is over without having gone well.
func (p accountPage) Stopped() bool {
	return slices.Contains([]AccountStep{AccountLate, AccountEnded, AccountUsed, AccountFinished}, p.Step)
}

// Asks says whether the step asks for a factor.
func (p accountPage) Asks() bool { return p.Step == AccountFactor || p.Step == AccountStale }
