package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"countersign"
	"countersign/phone"
	"countersign/web"
)

// start sends the code.
func (v *visit) start() error {
	typed := strings.TrimSpace(v.values.Get("phone"))
	region := v.region()
	if !phone.ValidRegion(region) {
		region = v.app.Region
	}
	n, err := phone.Parse(web.Typed(typed), region)
	if err != nil {
		return v.phoneAgain(typed, &countersign.Error{Kind: countersign.ErrInvalidPhoneNumber, Pointer: "/phone", Err: err})
	}
	started, err := v.c.s.cfg.Engine.Start(v.c.judged(), &countersign.StartRequest{
		App: v.app.App, To: countersign.PhoneAddress(n), Channel: countersign.ChannelSMS, Purpose: v.purpose, Face: countersign.FacePage,
		Locale: v.lang, Nonce: v.nonce, Client: v.client(), Wait: true,
		ChallengeResponse: v.values.Get("challenge_response"), DeviceToken: v.deviceToken(),
		Form: &countersign.Form{Token: v.values.Get("form"), Browser: v.csrf},
	})
	if err != nil {
		return v.phoneAgain(typed, err)
	}
	return v.showCode(started, nil)
}

func (v *visit) client() countersign.Client {
	return countersign.Client{Addr: v.c.client, UserAgent: cut(v.c.r.UserAgent(), 512)}
}

// phoneAgain shows the first form with what was wrong. The number stands in its field again: whoever typed it sees it.
func (v *visit) phoneAgain(typed string, err error) error {
	status, problem := v.c.pageProblem(err)
	view := v.view(web.StepPhone)
	view.Challenge = challengeJSON(err)
	view.Problem, view.Phone, view.Region = problem, strings.ToValidUTF8(cut(typed, 64), ""), v.region()
	view.Passkey = v.passkeyOptions("")
	return v.render(status, view)
}

// check compares the code and hands out the proof.
func (v *visit) check() error {
	id, err := v.verificationID()
	if err != nil {
		return v.message(err)
	}
	approved, err := v.c.s.cfg.Engine.Check(v.c.r.Context(), &countersign.CheckRequest{
		App: v.app.App, ID: id, Code: web.Typed(v.values.Get("code")),
		Client: v.client(), Face: countersign.FacePage, Caller: "page " + v.csrf, DeviceToken: v.deviceToken(),
	})
	if err != nil {
		return v.codeAgain(id, err)
	}
	v.keepDevice(approved.DeviceToken)
	view := v.view(web.StepDone)
	view.Proof, view.Passkey = approved.Proof, v.passkeyOptions("")
	return v.render(http.StatusOK, view)
}

// send sends the code again, maybe by another channel.
func (v *visit) send() error {
	id, err := v.verificationID()
	if err != nil {
		return v.message(err)
	}
	channel := countersign.Channel(v.values.Get("channel"))
	if channel != "" && !slices.Contains(v.app.Channels, channel) {
		return v.message(invalid("/channel", "The page does not offer this channel."))
	}
	sent, err := v.c.s.cfg.Engine.Send(v.c.judged(), &countersign.SendRequest{
		App: v.app.App, ID: id, Channel: channel, Client: v.client(), Face: countersign.FacePage, Wait: true,
		ChallengeResponse: v.values.Get("challenge_response"), DeviceToken: v.deviceToken(),
	})
	if err != nil {
		return v.codeAgain(id, err)
	}
	return v.showCode(sent, nil)
}

func (v *visit) verificationID() (string, error) {
	id := v.values.Get("verification")
	if !countersign.ValidVerificationID(id) {
		return "", countersign.Fail(countersign.ErrNotFound, "There is no such verification for this app.")
	}
	v.c.verification = id
	return id, nil
}

// codeAgain shows the code form with what was wrong, as long as the verification goes on.
func (v *visit) codeAgain(id string, cause error) error {
	now, err := v.c.s.cfg.Engine.Get(v.c.r.Context(), v.app.App, id)
	if err != nil || now.Status != countersign.StatusPending || over(cause) {
		return v.message(cause)
	}
	return v.showCode(now, cause)
}

// over says whether no further code can be typed after this refusal.
func over(err error) bool {
	var e *countersign.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Kind {
	case countersign.ErrTooManyChecks, countersign.ErrVerificationClosed, countersign.ErrVerificationExpired, countersign.ErrNotFound:
		return true
	case countersign.ErrIncorrectCode:
		return e.ChecksLeft != nil && *e.ChecksLeft == 0
	}
	return false
}

// showCode is the second form. A cause says why it is shown again.
func (v *visit) showCode(d *countersign.Verification, cause error) error {
	status := http.StatusOK
	view := v.view(web.StepCode)
	if cause != nil {
		status, view.Problem = v.c.pageProblem(cause)
		view.Challenge, view.Asked = challengeJSON(cause), v.values.Get("channel")
	}
	v.c.verification = d.ID
	left := d.Expires.Sub(d.Now)
	view.Verification, view.To, view.Channel = d.ID, hint(d.To), string(d.Channel)
	view.CodeLength, view.Numeric = d.CodeLength, d.Alphabet == countersign.Digits || d.Channel == countersign.ChannelFlashCall
	view.Purpose, view.ExpiresIn = string(d.Purpose), max(0, left)
	view.CanResend = d.SendsLeft > 0 && left > countersign.MinResendLife
	if !d.NextSend.IsZero() {
		view.ResendIn = max(0, d.NextSend.Sub(d.Now))
	}
	if view.CanResend {
		view.Channels = v.otherChannels(d)
	}
	if t := d.Transaction; t != nil {
		view.Transaction = &web.Transaction{Payee: t.Payee, Amount: t.Amount, Currency: t.Currency}
	}
	return v.render(status, view)
}

// otherChannels are those of the app that this verification did not use and may use.
func (v *visit) otherChannels(d *countersign.Verification) []string {
	var names []string
	for _, ch := range v.app.Channels {
		if ch != d.Channel && ch != countersign.ChannelEmail && ch.Serves(d.Purpose) {
			names = append(names, string(ch))
		}
	}
	return names
}

// challengeJSON is the proof of work that a refusal asks for, for the page's script; "" where it asks for none.
func challengeJSON(err error) string {
	var e *countersign.Error
	if !errors.As(err, &e) || e.Challenge == nil {
		return ""
	}
	b, _ := json.Marshal(describeChallenge(e.Challenge)) // it has nothing that cannot be written
	return string(b)
}

// hint shows an address to whoever typed it: enough to notice a slip, too little for somebody who looks over a shoulder.
func hint(to countersign.Address) string {
	n, ok := to.Phone()
	if !ok {
		return to.String()
	}
	e164 := n.E164()
	return "+" + strconv.Itoa(n.CountryCode()) + " ••• " + e164[len(e164)-2:]
}
