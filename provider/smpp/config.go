package smpp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// Bounds and defaults.
const (
	DefaultTimeout = 3 * time.Second
	MaxTimeout     = 10 * time.Second
	DefaultWindow  = 10
	DefaultEnquire = 30 * time.Second
)

// Config is one account at an SMSC.
type Config struct {
	Name string // the route's
	Host string
	Port int  // 2775 when zero, 3550 with TLS
	TLS  bool // SMPP itself has no protection: without TLS only loopback, or AllowPlain
	// AllowPlain lets codes and the password cross a network in clear text, as within a tunnel.
	AllowPlain bool
	RootCAs    *tls.Config // how the SMSC's certificate is checked, where the system's authorities do not do

	SystemID   string      // at most 15 bytes
	Password   hidden.Text // at most 8 bytes by the standard; longer ones are sent as they are
	SystemType string      // at most 12 bytes
	From       string      // a number in E.164, a short code, or a name of at most 11 characters
	TON, NPI   int         // of From; -1: by its form
	Latin1     bool        // the SMSC's default alphabet is ISO 8859-1 (data_coding 3) instead of GSM 03.38 (data_coding 0)

	Window  int           // unanswered submits; DefaultWindow when zero
	Enquire time.Duration // between enquire_links; DefaultEnquire when zero
	Timeout time.Duration // of one send; DefaultTimeout when zero
	// Classes are meanings of command statuses ("0x0410" or "1040") that go before the package's table.
	Classes map[string]string
	Now     func() time.Time
}

// Validate reports every mistake, joined; each is a *countersign.Mistake.
func (c *Config) Validate() error {
	var mistakes []error
	wrong := func(path, problem string) {
		mistakes = append(mistakes, &countersign.Mistake{Path: path, Problem: problem})
	}
	if c.Name == "" {
		wrong("name", "is missing")
	}
	if c.Host == "" || strings.ContainsAny(c.Host, "/ \r\n\t") {
		wrong("host", "must be the SMSC's name or address")
	}
	if c.Port < 0 || c.Port > 65535 {
		wrong("port", "must be from 1 to 65535")
	}
	if !c.TLS && !c.AllowPlain && !outbound.Loopback(c.Host) {
		wrong("security", "must be tls: without it codes and the password cross the network in clear text (none is for loopback addresses, or with dangerously_allow_http)")
	}
	if !octets(c.SystemID, 1, 15) {
		wrong("username", "must be the system_id: 1 to 15 characters of ASCII")
	}
	if !octets(string(c.Password), 1, 64) {
		wrong("password", "must be 1 to 64 characters of ASCII")
	}
	if !octets(c.SystemType, 0, 12) {
		wrong("system_type", "must be at most 12 characters of ASCII")
	}
	if _, _, _, err := source(c.From); err != nil {
		wrong("sender", err.Error())
	}
	if c.TON < -1 || c.TON > 6 || c.NPI < -1 || c.NPI > 18 {
		wrong("source_ton", "must be from 0 to 6, and source_npi from 0 to 18")
	}
	if c.Window < 0 || c.Window > 1000 {
		wrong("window", "must be from 1 to 1000")
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		wrong("timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	for code, name := range c.Classes {
		if _, err := strconv.ParseUint(code, 0, 32); err != nil {
			wrong("answer.error_classes."+code, "must be a command status such as 0x0410")
		}
		if _, ok := classNamed(name); !ok {
			wrong("answer.error_classes."+code, "must be temporary, unknown, destination, denied or operator")
		}
	}
	return errors.Join(mistakes...)
}

func octets(s string, low, high int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) >= low && len(s) <= high
}

// source reads a sender: type of number, numbering plan and the address as it goes over the wire.
func source(from string) (ton, npi byte, address string, err error) {
	digits := strings.TrimPrefix(from, "+")
	number := digits != "" && strings.Trim(digits, "0123456789") == ""
	switch {
	case number && (from != digits || len(digits) > 8) && len(digits) <= 15:
		return 1, 1, digits, nil // international, ISDN
	case number && len(digits) <= 8:
		return 3, 0, digits, nil // network specific: a short code
	case !number && octets(from, 1, 11):
		return 5, 0, from, nil // alphanumeric
	}
	return 0, 0, "", errors.New("must be a number (+46701234567), a short code, or a name of at most 11 ASCII characters")
}

func classNamed(name string) (countersign.FailureClass, bool) {
	switch name {
	case "temporary":
		return countersign.FailTemporary, true
	case "unknown":
		return countersign.FailUnknown, true
	case "destination":
		return countersign.FailDestination, true
	case "denied":
		return countersign.FailDenied, true
	case "operator":
		return countersign.FailOperator, true
	}
	return 0, false
}
