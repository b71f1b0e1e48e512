package twilio

import (
	"errors"
	"net/http"
	"regexp"
	"time"

	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// The vendor's addresses.
const (
	MessagingURL = "https://api.twilio.com"
	VerifyURL    = "https://verify.twilio.com"
)

// Account is how this instance signs in.
type Account struct {
	SID    string      // AC…
	Token  hidden.Text // signs callbacks, too
	KeySID string      // SK…, with KeySecret: signs in instead of the token
	// KeySecret is the API key's.
	KeySecret hidden.Text
}

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	keySID     = regexp.MustCompile(`^SK[0-9a-fA-F]{32}$`)
	serviceSID = regexp.MustCompile(`^VA[0-9a-fA-F]{32}$`)
	poolSID    = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
)

func (a *Account) validate() []error {
	var errs []error
	if !accountSID.MatchString(a.SID) {
		errs = append(errs, errors.New("account_sid: expected is AC and 32 hexadecimal digits"))
	}
	switch {
	case a.KeySID == "" && a.Token == "":
		errs = append(errs, errors.New("auth_token: is missing"))
	case a.KeySID != "" && !keySID.MatchString(a.KeySID):
		errs = append(errs, errors.New("key_id: expected is SK and 32 hexadecimal digits"))
	case a.KeySID != "" && a.KeySecret == "":
		errs = append(errs, errors.New("key_secret: is missing"))
	}
	return errs
}

func (a *Account) sign(r *http.Request, _ []byte) {
	if a.KeySID != "" {
		r.SetBasicAuth(a.KeySID, string(a.KeySecret))
		return
	}
	r.SetBasicAuth(a.SID, string(a.Token))
}

// MessagingConfig is what Messaging works with.
type MessagingConfig struct {
	Name    string // the route's; failures carry it
	Account Account
	// From is a number or name; Pool (a messaging service, MG…) lets the vendor choose one. Either is needed.
	From, Pool string
	// Template is the content (HX…) of WhatsApp messages, whose variable 1 is the code. Required for that channel.
	Template string

	BaseURL   string            // MessagingURL when empty
	Timeout   time.Duration     // of one request
	Transport http.RoundTripper // nil for one of its own

	// CallbackURL is where this instance takes delivery reports, https in production; "" asks for none.
	CallbackURL string
}

// Validate reports everything that is wrong, by the setting's name.
func (c *MessagingConfig) Validate() error {
	errs := c.Account.validate()
	if c.Name == "" {
		errs = append(errs, errors.New("name: is missing"))
	}
	if (c.From == "") == (c.Pool == "") {
		errs = append(errs, errors.New("sender: expected is a sender or a messaging_service_sid, not both"))
	}
	if c.Pool != "" && !poolSID.MatchString(c.Pool) {
		errs = append(errs, errors.New("messaging_service_sid: expected is MG and 32 hexadecimal digits"))
	}
	if c.CallbackURL != "" && c.Account.Token == "" {
		errs = append(errs, errors.New("auth_token: is missing; it verifies the vendor's delivery reports"))
	}
	errs = append(errs, outbound.CheckAddress("base_url", c.BaseURL), outbound.CheckAddress("public_url", c.CallbackURL))
	return errors.Join(errs...)
}

// VerifyConfig is what Verify works with.
type VerifyConfig struct {
	Name    string // the route's; failures carry it
	Account Account
	Service string // VA…

	BaseURL   string            // VerifyURL when empty
	Timeout   time.Duration     // of one request
	Transport http.RoundTripper // nil for one of its own
}

// Validate reports everything that is wrong, by the setting's name.
func (c *VerifyConfig) Validate() error {
	errs := c.Account.validate()
	if c.Name == "" {
		errs = append(errs, errors.New("name: is missing"))
	}
	if !serviceSID.MatchString(c.Service) {
		errs = append(errs, errors.New("service_sid: expected is VA and 32 hexadecimal digits"))
	}
	return errors.Join(append(errs, outbound.CheckAddress("base_url", c.BaseURL))...)
}
