package sinch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"countersign/provider/hidden"
	"countersign/provider/outbound"
	"countersign/sinchauth"
)

// VerificationURL is the vendor's Verification API.
const VerificationURL = "https://verification.api.sinch.com"

// VerificationConfig is what Verification and OwnCode work with.
type VerificationConfig struct {
	Name        string // the route's; failures carry it
	Credentials sinchauth.Credentials
	BaseURL     string            // VerificationURL when empty
	Timeout     time.Duration     // of one request; outbound.DefaultTimeout when zero
	Now         func() time.Time  // the clock of signatures, out and in; time.Now when nil
	Transport   http.RoundTripper // nil for one of its own
	// CallbackPrefix is what a proxy in front takes off the path of callbacks; usually "".
	CallbackPrefix string
}

// Validate reports everything that is wrong, by the setting's name.
func (c *VerificationConfig) Validate() error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: is missing"))
	}
	if c.Credentials.Key == "" || strings.ContainsAny(c.Credentials.Key, ": \t\r\n") {
		errs = append(errs, errors.New("application_key: expected is the key of an application, as the vendor's page shows it"))
	}
	if c.Credentials.Secret.IsZero() {
		errs = append(errs, errors.New("application_secret: is missing"))
	}
	errs = append(errs, outbound.CheckAddress("base_url", c.BaseURL), checkTimeout(c.Timeout))
	return errors.Join(errs...)
}

// SMSConfig is what SMS works with. Either a service plan and its token, or a project and its key.
type SMSConfig struct {
	Name   string // the route's; failures carry it
	From   string // the sender: a short code, number or name
	Region string // us (default), eu, br, ca, au; with a project us or eu

	ServicePlan string
	Token       hidden.Text

	Project   string
	KeyID     string
	KeySecret hidden.Text

	BaseURL   string            // the region's address when empty
	AuthURL   string            // of access tokens, with a project; the vendor's when empty
	Timeout   time.Duration     // of one request; outbound.DefaultTimeout when zero
	Now       func() time.Time  // the clock of callbacks' signatures; time.Now when nil
	Transport http.RoundTripper // nil for one of its own

	// CallbackURL is where this instance takes delivery reports and replies, without the token; "" asks for none.
	CallbackURL string
	// CallbackToken is the secret last segment of the callback's path (see NewCallbackToken).
	CallbackToken hidden.Text
	// CallbackSecret verifies signed callbacks, where the vendor was asked to sign them.
	CallbackSecret hidden.Text
}

// AuthURL is where the vendor hands out access tokens.
const AuthURL = "https://auth.sinch.com"

var (
	planRegions    = []string{"us", "eu", "br", "ca", "au"}
	projectRegions = []string{"us", "eu"}
	// tokenForm is at least 128 bits in base64url, base32 or hexadecimal, and nothing that a path would escape.
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)
)

// NewCallbackToken draws the secret segment of a callback's path: more than 128 random bits.
func NewCallbackToken() hidden.Text { return hidden.Text(strings.ToLower(rand.Text())) }

// Validate reports everything that is wrong, by the setting's name.
func (c *SMSConfig) Validate() error {
	errs := []error{
		outbound.CheckAddress("base_url", c.BaseURL), outbound.CheckAddress("auth_url", c.AuthURL), outbound.CheckAddress("public_url", c.CallbackURL),
		checkTimeout(c.Timeout),
	}
	need := func(setting, value string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s: is missing", setting))
		}
	}
	need("name", c.Name)
	need("sender", c.From)
	regions := planRegions
	switch {
	case c.ServicePlan != "" && c.Project != "":
		errs = append(errs, errors.New("service_plan_id: give a service plan or a project, not both"))
	case c.Project != "":
		regions = projectRegions
		need("key_id", c.KeyID)
		need("key_secret", string(c.KeySecret))
	default:
		need("service_plan_id", c.ServicePlan)
		need("api_token", string(c.Token))
	}
	known := c.Region == ""
	for _, r := range regions {
		known = known || r == c.Region
	}
	if !known {
		errs = append(errs, fmt.Errorf("region: expected is one of %s", strings.Join(regions, ", ")))
	}
	if c.CallbackToken != "" && !tokenForm.MatchString(string(c.CallbackToken)) {
		errs = append(errs, errors.New("callback_token: expected are 22 to 128 letters, digits, - and _, drawn at random"))
	}
	if c.CallbackSecret != "" && len(c.CallbackSecret) < 16 {
		errs = append(errs, errors.New("callback_secret: at least 16 bytes"))
	}
	if c.CallbackURL != "" && c.CallbackToken == "" && c.CallbackSecret == "" {
		errs = append(errs, errors.New("callback_token: callbacks need a token or a secret, or anybody could send them"))
	}
	return errors.Join(errs...)
}

func checkTimeout(d time.Duration) error {
	if d < 0 || d > time.Minute {
		return errors.New("timeout: at most one minute")
	}
	return nil
}
