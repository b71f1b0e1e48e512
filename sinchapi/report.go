package sinchapi

import (
	"errors"
	"net/http"

	"countersign"
)

// reportByID serves PUT /verifications/id/{id}.
func (f *Face) reportByID(_ http.ResponseWriter, c *call) (any, error) {
	v, err := f.byID(c)
	if err != nil {
		return nil, err
	}
	return f.report(c, v)
}

// reportByNumber serves PUT /verifications/number/{endpoint}: the number's newest verification.
func (f *Face) reportByNumber(_ http.ResponseWriter, c *call) (any, error) {
	if !c.signed() {
		return nil, errLevel // a stranger could use up the guesses of any number's owner
	}
	to, err := parseEndpoint(c.arg)
	if err != nil {
		return nil, err
	}
	v, err := f.cfg.Engine.Newest(c.r.Context(), c.App.App, to, countersign.FaceSinch, "")
	if err != nil {
		return nil, err
	}
	return f.report(c, v)
}

func (f *Face) report(c *call, v *countersign.Verification) (any, error) {
	var body reportBody
	if err := decode(c, &body); err != nil {
		return nil, err
	}
	guess, err := body.guess(v)
	if err != nil {
		return nil, err
	}
	done, err := f.cfg.Engine.Check(c.r.Context(), &countersign.CheckRequest{
		App: c.App.App, ID: v.ID, Purpose: v.Purpose, Code: guess, Client: f.client(c), Face: countersign.FaceSinch,
		Caller: "sinch " + c.Credentials.Key,
	})
	switch {
	case err == nil:
		f.events.ended(c.tenant, done)
		return reportAnswerOf(done), nil
	case errors.Is(err, countersign.ErrIncorrectCode):
		f.events.guessed(c.tenant, v.ID, err)
		return nil, err
	case errors.Is(err, countersign.ErrVerificationClosed), errors.Is(err, countersign.ErrVerificationExpired):
		return f.ended(c, v, err)
	}
	return nil, err
}

// guess takes the code out of the object of the method's name, which must be the verification's own.
func (b *reportBody) guess(v *countersign.Verification) (string, error) {
	m, err := parseMethod(b.Method)
	if err != nil {
		return "", err
	}
	if m.channel != v.Channel {
		return "", errWrongCode
	}
	text := ""
	switch m.channel {
	case countersign.ChannelSMS:
		text = b.SMS.Code
	case countersign.ChannelFlashCall:
		text = b.FlashCall.CLI
	case countersign.ChannelVoice:
		text = b.Callout.Code
	case countersign.ChannelWhatsApp:
		text = b.WhatsApp.Code
	case countersign.ChannelSeamless:
		return "", vendorError{code: 40001, message: "A seamless verification is not reported: the handset opens its targetUri."}
	}
	if text == "" {
		return "", vendorError{code: 40001, message: "The code is missing."}
	}
	return text, nil
}

// ended answers a report on what has ended: 200 with how it ended, as the service does. One that was approved is
// never reported as successful again: nobody compared this code.
func (f *Face) ended(c *call, v *countersign.Verification, cause error) (any, error) {
	now, err := f.cfg.Engine.Get(c.r.Context(), c.App.App, v.ID)
	if err != nil {
		return nil, err
	}
	if now.Status == countersign.StatusApproved || !now.Status.Final() {
		return nil, cause
	}
	return reportAnswerOf(now), nil
}

func reportAnswerOf(v *countersign.Verification) reportAnswer {
	status, reason := vendorStatus(v)
	a := reportAnswer{ID: v.ID, Method: methodOf(v.Channel), Status: status, Reason: reason, Reference: v.Reference}
	if isCall(v) {
		complete := v.Status.Final()
		a.CallComplete = &complete
	}
	return a
}

func isCall(v *countersign.Verification) bool {
	return v.Channel == countersign.ChannelFlashCall || v.Channel == countersign.ChannelVoice
}
