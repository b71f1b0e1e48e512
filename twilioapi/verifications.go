package twilioapi

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// lifetime and maxSends are the vendor's defaults.
const (
	lifetime = 600 * time.Second
	maxSends = 5
)

// metaService is where a verification of a service that is not the app's own keeps its name.
const metaService = "twilio_service"

// start serves POST Verifications: a new one, or another message of the one that is pending.
func (c *call) start() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	q, err := c.startRequest(s)
	if err != nil {
		return 0, nil, err
	}
	live, err := c.live(s, q.To)
	if err != nil {
		return 0, nil, err
	}
	if live != nil && sameTransaction(live.Transaction, q.Transaction) {
		v, err := c.f.cfg.Engine.Send(c.r.Context(), &countersign.SendRequest{
			App: q.App, ID: live.ID, Channel: q.Channel, Client: q.Client, Face: q.Face, Wait: true, Signed: true,
			Idempotency: q.Idempotency, Limits: q.Limits,
		})
		if err == nil {
			return 201, c.describe(s, v), nil
		}
		if !ended(err) {
			return 0, nil, err
		}
	}
	// One that has too little time left to be sent again, or is of another transaction, gives way.
	q.Supersede = live != nil
	v, err := c.f.cfg.Engine.Start(c.r.Context(), q)
	if err != nil {
		return 0, nil, err
	}
	return 201, c.describe(s, v), nil
}

func ended(err error) bool {
	return errors.Is(err, countersign.ErrVerificationExpired) || errors.Is(err, countersign.ErrVerificationClosed) ||
		errors.Is(err, countersign.ErrNotFound)
}

func sameTransaction(a, b *countersign.Transaction) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func (c *call) startRequest(s *service) (*countersign.StartRequest, error) {
	to, err := parseTo(c.form["To"])
	if err != nil {
		return nil, err
	}
	channel, known := channels[c.form["Channel"]]
	switch {
	case c.form["Channel"] == "sna":
		return nil, vendorError{status: 400, code: 60223, message: "Delivery channel disabled: sna"}
	case !known:
		return nil, invalid("Channel", "expected is sms, call, whatsapp, email or auto")
	case c.form["CustomCode"] != "":
		return nil, errCustom
	case c.form["CustomMessage"] != "":
		return nil, vendorError{status: 400, code: 60204, message: "Service does not support this feature: CustomMessage"}
	}
	locale := c.form["Locale"]
	if !localeForm(locale) {
		return nil, invalid("Locale", "expected is a language tag such as sv or pt-BR")
	}
	q := &countersign.StartRequest{
		App: c.App.App, To: to, Channel: channel, Purpose: countersign.PurposeLogin, Face: countersign.FaceTwilio, Locale: locale,
		Wait: true, Signed: true, Idempotency: c.idempotency(), Length: s.CodeLength, Lifetime: lifetime, MaxSends: maxSends,
	}
	if s.SID != c.Service {
		q.Metadata = map[string]string{metaService: s.SID}
	}
	if q.Client, err = c.client(); err != nil {
		return nil, err
	}
	if q.Transaction, err = c.transaction(); err != nil {
		return nil, err
	}
	if q.Transaction != nil {
		if channel == countersign.ChannelVoice {
			return nil, errPSD2Call
		}
		q.Purpose = countersign.PurposeTransaction
	}
	if _, err := c.form.object("Tags", 10); err != nil {
		return nil, err
	}
	if q.Limits, err = c.limits(s); err != nil {
		return nil, err
	}
	return q, nil
}

// client is for whom the app asks, where it says so: limits by address count him.
func (c *call) client() (countersign.Client, error) {
	text := c.form["DeviceIp"]
	if text == "" {
		return countersign.Client{}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return countersign.Client{}, invalid("DeviceIp", "expected is an IPv4 or IPv6 address")
	}
	return countersign.Client{Addr: addr.Unmap()}, nil
}

// transaction reads Amount and Payee, which go together.
func (c *call) transaction() (*countersign.Transaction, error) {
	text, payee := c.form["Amount"], c.form["Payee"]
	switch {
	case text == "" && payee == "":
		return nil, nil
	case text == "" || payee == "":
		return nil, errPSD2
	}
	amount, currency, ok := parseAmount(text)
	if !ok {
		return nil, invalid("Amount", "expected is a decimal number and the code of its currency, as 39.99 EUR")
	}
	return &countersign.Transaction{Payee: payee, Amount: amount, Currency: currency}, nil
}

// parseAmount takes a sum of money apart, which the vendor has as one text: the number, and before or behind it an
// alphabetic code of ISO 4217, or one of the signs that mean a single currency. A dollar sign does not. The engine looks at
// both parts more closely.
func parseAmount(text string) (amount, currency string, ok bool) {
	if len(text) > 40 {
		return "", "", false
	}
	from, to := strings.IndexAny(text, "0123456789"), strings.LastIndexAny(text, "0123456789")
	if from < 0 {
		return "", "", false
	}
	before, behind := strings.TrimSpace(text[:from]), strings.TrimSpace(text[to+1:])
	switch {
	case (before == "") == (behind == ""):
		return "", "", false
	case before != "":
		currency = before
	default:
		currency = behind
	}
	switch currency {
	case "€":
		currency = "EUR"
	case "£":
		currency = "GBP"
	}
	return text[from : to+1], currency, len(currency) == 3 && strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func localeForm(s string) bool {
	if len(s) > 35 {
		return false
	}
	for i := range len(s) {
		if b := s[i]; (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// live is the newest pending verification of an address and service; nil for none.
func (c *call) live(s *service, to countersign.Address) (*countersign.Verification, error) {
	list, err := c.f.cfg.Engine.Live(c.r.Context(), c.App.App, to, countersign.FaceTwilio)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if c.ofThis(s, v) {
			return v, nil
		}
	}
	return nil, nil
}

// ofThis says whether a verification was begun under a service.
func (c *call) ofThis(s *service, v *countersign.Verification) bool {
	of := v.Metadata[metaService]
	if of == "" {
		of = c.Service
	}
	return v.Face == countersign.FaceTwilio && of == s.SID
}

// find reads the verification that a SID or an address names: of an address the newest, pending before ended.
func (c *call) find(s *service, which string) (*countersign.Verification, error) {
	if sidForm("VE", which) {
		id, _, _, ok := c.f.idOf("VE", c.App.App.ID, s.SID, which)
		if !ok {
			return nil, c.missing()
		}
		v, err := c.f.cfg.Engine.Get(c.r.Context(), c.App.App, id)
		if err == nil && !c.ofThis(s, v) {
			return nil, c.missing()
		}
		return v, err
	}
	to, err := parseTo(which)
	if err != nil {
		return nil, c.missing()
	}
	v, err := c.live(s, to)
	if v != nil || err != nil {
		return v, err
	}
	return c.newest(s, to)
}

// newest reads the log.
func (c *call) newest(s *service, to countersign.Address) (*countersign.Verification, error) {
	list, _, err := c.f.cfg.Engine.List(c.r.Context(), &countersign.ListRequest{
		App: c.App.App, To: to, Face: countersign.FaceTwilio, Limit: 10,
	})
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if c.ofThis(s, v) {
			return c.f.cfg.Engine.Get(c.r.Context(), c.App.App, v.ID)
		}
	}
	return nil, c.missing()
}

// fetch serves GET Verifications/{which}.
func (c *call) fetch() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	v, err := c.find(s, c.path[3])
	if err != nil {
		return 0, nil, err
	}
	if c.HideEnded && (v.Status == countersign.StatusApproved || v.Status == countersign.StatusExpired) {
		return 0, nil, c.missing()
	}
	return 200, c.describe(s, v), nil
}

// update serves POST Verifications/{which}.
func (c *call) update() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	move := c.f.cfg.Engine.Cancel
	switch c.form["Status"] {
	case "canceled":
	case "approved":
		move = c.f.cfg.Engine.Vouch
	default:
		return 0, nil, invalid("Status", "expected is canceled or approved")
	}
	v, err := c.find(s, c.path[3])
	if err != nil {
		return 0, nil, err
	}
	if v, err = move(c.r.Context(), &countersign.CancelRequest{App: c.App.App, ID: v.ID, Idempotency: c.idempotency()}); err != nil {
		return 0, nil, err
	}
	return 200, c.describe(s, v), nil
}

// check serves POST VerificationCheck.
func (c *call) check() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	if c.form["Code"] == "" {
		return 0, nil, invalid("Code", "it is missing")
	}
	claimed, err := c.transaction()
	if err != nil {
		return 0, nil, err
	}
	id, v, err := c.target(s, claimed != nil)
	if err != nil {
		return 0, nil, err
	}
	if v != nil {
		if v.Transaction != nil && claimed == nil {
			return 0, nil, errPSD2
		}
		if !sameTransaction(v.Transaction, claimed) {
			return 200, c.describeCheck(s, v), nil // no code was compared
		}
		if v.Status != countersign.StatusPending {
			return 0, nil, c.over(v)
		}
	}
	done, err := c.f.cfg.Engine.Check(c.r.Context(), &countersign.CheckRequest{
		App: c.App.App, ID: id, Code: c.form["Code"], Face: countersign.FaceTwilio, Caller: "twilio " + c.Account,
		Idempotency: c.idempotency(),
	})
	switch {
	case err == nil:
		b := c.describeCheck(s, done)
		b.Status, b.Valid, b.Updated = "approved", true, stamp(done.Ended)
		return 200, b, nil
	case errors.Is(err, countersign.ErrIncorrectCode):
		return c.wrong(s, id, v, err)
	case errors.Is(err, countersign.ErrVerificationClosed):
		now, getErr := c.f.cfg.Engine.Get(c.r.Context(), c.App.App, id)
		if getErr != nil {
			return 0, nil, getErr
		}
		return 0, nil, c.over(now)
	}
	return 0, nil, err
}

// target finds what a check is about. The verification comes along where it had to be read.
func (c *call) target(s *service, read bool) (string, *countersign.Verification, error) {
	sid, to := c.form["VerificationSid"], c.form["To"]
	switch {
	case sid != "":
		id, transaction, _, ok := c.f.idOf("VE", c.App.App.ID, s.SID, sid)
		if !ok {
			return "", nil, c.missing()
		}
		if !read && !transaction {
			return id, nil, nil
		}
		v, err := c.f.cfg.Engine.Get(c.r.Context(), c.App.App, id)
		return id, v, err
	case to == "":
		return "", nil, errTarget
	}
	address, err := parseTo(to)
	if err != nil {
		return "", nil, err
	}
	v, err := c.live(s, address)
	if v == nil && err == nil {
		v, err = c.newest(s, address)
	}
	if err != nil {
		return "", nil, err
	}
	return v.ID, v, nil
}

// attemptsLeft is our own header.
const attemptsLeft = "Countersign-Attempts-Left"

// wrong answers a guess that was compared: 200, and still pending, even when it was the last.
func (c *call) wrong(s *service, id string, v *countersign.Verification, err error) (int, any, error) {
	if e := (*countersign.Error)(nil); errors.As(err, &e) && e.ChecksLeft != nil {
		c.w.Header().Set(attemptsLeft, strconv.Itoa(*e.ChecksLeft))
	}
	if v == nil {
		if v, err = c.f.cfg.Engine.Get(c.r.Context(), c.App.App, id); err != nil {
			return 0, nil, err
		}
	}
	return 200, c.describeCheck(s, v), nil
}

// over answers a check of what has ended: its guesses used up, or not there any more.
func (c *call) over(v *countersign.Verification) error {
	if v.Status == countersign.StatusFailed && v.Now.Before(v.Expires) {
		e := errChecks
		e.retry = v.Expires.Sub(v.Now)
		return e
	}
	return c.missing()
}
