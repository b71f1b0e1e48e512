package web

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Step is what the hosted page shows.
type Step string

// The steps of the hosted page.
const (
	StepPhone   Step = "phone"   // ask for the number
	StepCode    Step = "code"    // ask for the code
	StepDone    Step = "done"    // the number is verified; with a ReturnURL the proof is posted there
	StepPasskey Step = "passkey" // offer to make a passkey, after a login by phone
	StepMessage Step = "message" // say why it cannot go on, and offer to start again
)

// VerifyView is one state of the hosted page. Its forms are POSTed to /verify as
// application/x-www-form-urlencoded with the field "step":
//
//	step=phone  phone, region, form           start; phone is as typed, see [Typed]; with a Challenge that was
//	                                          solved, challenge_response: ALTCHA's base64 form
//	step=code   verification, code            check; code is as typed, see [Typed]
//	step=send   verification, channel         send again; channel is empty for the one used before; with a Challenge
//	                                          that was solved, challenge_response
//
// and with every form csrf, app, purpose, state, nonce, return_url and lang, those that are not empty. "Start again",
// "Change number" and the choice of a language are GET /verify with the same values, csrf apart, as the query. A field
// that comes back from a form proves nothing: the handler checks return_url and the rest anew.
//
// Where a login takes passkeys, forms go to it by themselves: with state, ceremony and credential to ReturnURL on
// StepPhone, to PasskeyURL on StepPasskey, where another one has state and later. On StepDone the form says in passkeys
// whether the device could make one. To the instance's own login forms bring lang too.
type VerifyView struct {
	Step    Step
	Lang    string // one of [Languages]; anything else is English
	AppName string // what the person calls the app
	Sandbox bool   // point to the inbox, and show the proof

	CSRF      string // given back as "csrf" by every form
	App       string
	Purpose   string // signup, login (also when empty), stepup or transaction
	State     string
	Nonce     string
	ReturnURL string
	OwnLogin  bool // ReturnURL is the instance's own login, which goes on in the page's language

	Form    string   // on StepPhone: given back as "form"
	Phone   string   // the number as typed, after a refusal
	Region  string   // the country chosen beforehand
	Regions []string // the countries offered; nil offers all of [Config]

	Verification string
	To           string        // where the code went, masked
	Channel      string        // how it went there; sms when empty
	CodeLength   int           // characters of a code
	Numeric      bool          // the code is made of digits only
	ResendIn     time.Duration // until another code may be asked for; zero when that is now
	ExpiresIn    time.Duration // until the code is worthless; zero hides it
	CanResend    bool          // sends are left
	Channels     []string      // other channels that may be tried: sms, voice, whatsapp, flashcall, email

	Transaction *Transaction // shown on every step where purpose is transaction
	Problem     *Problem     // why the step is shown again, or the message
	Challenge   string       // after challenge_required: the challenge, as JSON; on StepCode it is the form's that sends again
	Asked       string       // with Challenge on StepCode: the channel that was chosen
	Proof       string       // on StepDone

	Passkey    string // where the script gets what a device is asked for; "" where there are no passkeys
	PasskeyURL string // on StepPasskey: where its forms go
}

// Transaction is what the person is about to confirm, shown as it is in the message, never reformatted.
type Transaction struct {
	Payee, Amount, Currency string
}

// Problem is a failure in terms of the API. A code without a sentence of its own gets a general one.
type Problem struct {
	Code       string        // the problem's code, such as "incorrect_code"
	ChecksLeft int           // with incorrect_code
	RetryAfter time.Duration // zero where waiting does not help or is not known
}

// Verify writes the hosted page.
func (p *Pages) Verify(w io.Writer, v VerifyView) error {
	files, err := p.current()
	if err != nil {
		return err
	}
	if !slices.Contains(languages, v.Lang) {
		v.Lang = languages[0]
	}
	v.Purpose, v.Channel = cmp.Or(v.Purpose, "login"), cmp.Or(v.Channel, "sms")
	page := verifyPage{VerifyView: v, Dir: direction(v.Lang), catalog: files.catalogs[v.Lang]}
	if v.Step == StepPhone {
		page.Countries = p.regions.in(v.Lang, v.Regions, v.Region)
	}
	return files.render(w, "verify.html", page)
}

// verifyPage is what the template sees: the view, and the language's text.
type verifyPage struct {
	VerifyView
	Dir       string
	Countries template.HTML
	catalog   catalog
}

// T is the sentence of a key.
func (p verifyPage) T(key string) (string, error) {
	sentence, ok := p.catalog[key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, p.Lang)
	}
	return fill(sentence, p.Dir, "app", p.AppName, "length", strconv.Itoa(p.CodeLength)), nil
}

// Either is the sentence of a key, or of another key in its place if the first has none.
func (p verifyPage) Either(key, fallback string) (string, error) {
	if _, ok := p.catalog[key]; ok {
		return p.T(key)
	}
	return p.T(fallback)
}

// Title is the page's heading; a purpose may have its own.
func (p verifyPage) Title() (string, error) {
	key := "title_" + string(p.Step)
	return p.Either(key+"_"+p.Purpose, key)
}

// linkProblems are the failures that nobody can cause with the page's own forms: the address was made wrongly, or
// somebody plays with it. They share a sentence.
var linkProblems = []string{
	"invalid_request", "unauthorized", "forbidden", "misdirected_request", "method_not_allowed",
	"unsupported_media_type", "payload_too_large",
}

// Sentence says the problem to a person.
func (p verifyPage) Sentence() (string, error) {
	key := "problem_" + p.Problem.Code
	switch {
	case slices.Contains(linkProblems, p.Problem.Code):
		key = "problem_link"
	case p.Problem.Code == "incorrect_code" && p.Problem.ChecksLeft == 0:
		key += "_last"
	case p.Problem.RetryAfter <= 0 && p.catalog[key+"_later"] != "":
		key += "_later"
	}
	sentence, err := p.Either(key, "problem_other")
	if err != nil {
		return "", err
	}
	return fill(sentence, p.Dir,
		"wait", p.Wait(p.Problem.RetryAfter), "checks", strconv.Itoa(p.Problem.ChecksLeft)), nil
}

// Wait says a duration.
func (p verifyPage) Wait(d time.Duration) string { return p.catalog.wait(d) }

// Seconds is a duration for the script, rounded up.
func (p verifyPage) Seconds(d time.Duration) string { return roundUp(d, time.Second) }

// Alert is whether the problem is shown to everybody. One that the script sees to is shown only where there is none.
func (p verifyPage) Alert() bool { return p.Problem != nil && p.Challenge == "" }

// Asks is whether the step has the script that asks for passkeys.
func (p verifyPage) Asks() bool {
	return p.Passkey != "" && (p.Step == StepPhone || p.Step == StepPasskey)
}

// FieldProblem reports whether the problem lies in what was typed into the step's field.
func (p verifyPage) FieldProblem() bool {
	if p.Problem == nil {
		return false
	}
	switch p.Problem.Code {
	case "invalid_phone_number", "number_not_allowed", "opted_out", "invalid_code", "incorrect_code":
		return true
	}
	return false
}

// Carried are the values that every form and link of the page hands on.
func (p verifyPage) Carried() []field {
	all := []field{
		{"app", p.App},
		{"purpose", p.Purpose},
		{"state", p.State},
		{"nonce", p.Nonce},
		{"return_url", p.ReturnURL},
		{"lang", p.Lang},
	}
	return slices.DeleteFunc(all, func(f field) bool { return f.Value == "" })
}

type field struct{ Name, Value string }

// LanguageName is what the page's language calls itself.
func (p verifyPage) LanguageName() string { return ownNames[p.Lang] }

// OtherLanguages are the languages that can be chosen instead: each with its tag and its own name.
func (p verifyPage) OtherLanguages() []field {
	var others []field
	for _, lang := range languages {
		if lang != p.Lang {
			others = append(others, field{lang, ownNames[lang]})
		}
	}
	return others
}

// StartURL is the phone form, with everything the app asked for.
func (p verifyPage) StartURL() string {
	query := url.Values{}
	for _, f := range p.Carried() {
		query.Set(f.Name, f.Value)
	}
	return "/verify?" + query.Encode()
}
