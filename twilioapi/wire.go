package twilioapi

import (
	"strings"
	"time"

	"countersign"
	"countersign/phone"
)

// The shapes on the wire, as the vendor has them.

type verificationBody struct {
	SID        string        `json:"sid"`
	ServiceSID string        `json:"service_sid"`
	AccountSID string        `json:"account_sid"`
	To         string        `json:"to"`
	Channel    string        `json:"channel"`
	Status     string        `json:"status"`
	Valid      bool          `json:"valid"`
	Lookup     struct{}      `json:"lookup"`
	Amount     *string       `json:"amount"`
	Payee      *string       `json:"payee"`
	Attempts   []sendAttempt `json:"send_code_attempts"`
	SNA        *struct{}     `json:"sna"`
	Created    string        `json:"date_created"`
	Updated    string        `json:"date_updated"`
	URL        string        `json:"url"`
}

type sendAttempt struct {
	Time    string `json:"time"`
	Channel string `json:"channel"`
	SID     string `json:"attempt_sid"`
}

type checkBody struct {
	SID        string  `json:"sid"`
	ServiceSID string  `json:"service_sid"`
	AccountSID string  `json:"account_sid"`
	To         string  `json:"to"`
	Channel    string  `json:"channel"`
	Status     string  `json:"status"`
	Valid      bool    `json:"valid"`
	Amount     *string `json:"amount"`
	Payee      *string `json:"payee"`
	SNAErrors  []int   `json:"sna_attempts_error_codes"`
	Created    string  `json:"date_created"`
	Updated    string  `json:"date_updated"`
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// channels pairs the vendor's names with ours.
var channels = map[string]countersign.Channel{
	"sms": countersign.ChannelSMS, "call": countersign.ChannelVoice, "whatsapp": countersign.ChannelWhatsApp,
	"email": countersign.ChannelEmail, "auto": countersign.ChannelAuto,
}

func channelName(ch countersign.Channel) string {
	if ch == countersign.ChannelVoice {
		return "call"
	}
	return string(ch)
}

// attemptChannel is how the vendor writes a channel among attempts: SMS in capitals, others not.
func attemptChannel(ch countersign.Channel) string {
	if ch == countersign.ChannelSMS {
		return "SMS"
	}
	return channelName(ch)
}

var statuses = map[countersign.Status]string{
	countersign.StatusPending: "pending", countersign.StatusApproved: "approved", countersign.StatusCanceled: "canceled",
	countersign.StatusFailed: "max_attempts_reached", countersign.StatusExpired: "expired",
	countersign.StatusDenied: "failed", countersign.StatusUndeliverable: "failed",
}

// parseTo reads a number with its plus sign, or a mailbox. A leading space is a plus sign that nobody encoded.
func parseTo(text string) (countersign.Address, error) {
	if strings.Contains(text, "@") {
		return countersign.ParseEmail(text)
	}
	if strings.HasPrefix(text, " ") {
		text = "+" + text[1:]
	}
	if text == "" {
		return countersign.Address{}, invalid("To", "it is missing")
	}
	if text[0] != '+' {
		return countersign.Address{}, invalid("To", "the number must be in E.164 form, with its leading plus sign")
	}
	n, err := phone.Parse(text, "")
	if err != nil {
		return countersign.Address{}, &countersign.Error{Kind: countersign.ErrInvalidPhoneNumber, Pointer: "/to", Err: err}
	}
	return countersign.PhoneAddress(n), nil
}

func (c *call) describe(s *service, v *countersign.Verification) verificationBody {
	sid := c.f.sidOf("VE", c.App.App.ID, s.SID, v.ID, 0)
	b := verificationBody{
		SID: sid, ServiceSID: s.SID, AccountSID: c.Account, To: v.To.Dial(), Channel: channelName(v.Channel),
		Status: statuses[v.Status], Valid: v.Status == countersign.StatusApproved, Attempts: []sendAttempt{},
		Created: stamp(v.Created), Updated: stamp(updated(v)),
		URL: c.f.cfg.BaseURL + "/v2/Services/" + s.SID + "/Verifications/" + sid,
	}
	b.Amount, b.Payee = amountOf(v)
	for i, d := range v.Deliveries {
		if i == 15 {
			break
		}
		b.Attempts = append(b.Attempts, sendAttempt{stamp(d.At), attemptChannel(d.Channel), c.f.sidOf("VL", c.App.App.ID, c.Service, v.ID, i+1)})
	}
	return b
}

func (c *call) describeCheck(s *service, v *countersign.Verification) checkBody {
	b := checkBody{
		SID: c.f.sidOf("VE", c.App.App.ID, s.SID, v.ID, 0), ServiceSID: s.SID, AccountSID: c.Account,
		To: v.To.Dial(), Channel: channelName(v.Channel), Status: "pending", SNAErrors: []int{},
		Created: stamp(v.Created), Updated: stamp(v.Now),
	}
	b.Amount, b.Payee = amountOf(v)
	return b
}

// updated is when a verification last changed, as far as it tells.
func updated(v *countersign.Verification) time.Time {
	if !v.Ended.IsZero() {
		return v.Ended
	}
	t := v.Created
	for _, d := range v.Deliveries {
		if d.At.After(t) {
			t = d.At
		}
	}
	return t
}

func amountOf(v *countersign.Verification) (amount, payee *string) {
	if v.Transaction == nil {
		return nil, nil
	}
	sum := v.Transaction.Amount + " " + v.Transaction.Currency
	return &sum, &v.Transaction.Payee
}
