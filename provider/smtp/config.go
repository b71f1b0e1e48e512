package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"countersign"
	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// Bounds of a send's deadline.
const (
	DefaultTimeout = 3 * time.Second
	MaxTimeout     = 10 * time.Second
)

// Security says how the connection is protected.
type Security string

// The ways.
const (
	StartTLS Security = "starttls" // the default: without STARTTLS nothing is sent
	TLS      Security = "tls"      // from the first byte, as on port 465
	Plain    Security = "none"     // loopback, or with AllowPlain
)

// Config is one relay.
type Config struct {
	Name     string // the route's
	Host     string
	Port     int      // 587 when zero, 465 with TLS
	Security Security // StartTLS when empty
	// AllowPlain lets codes and the password go over the network in clear text to a host that is not a loopback address.
	AllowPlain bool
	Username   string // empty: no authentication
	Password   hidden.Text
	From       string // "Shop <codes@shop.example>", or the mailbox alone
	ReplyTo    string // optional, of the same form
	Hello      string // the name we say in EHLO; the domain of From when empty
	Timeout    time.Duration
	RootCAs    *tls.Config // how the relay's certificate is checked, where the system's authorities do not do
	Now        func() time.Time
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
	switch {
	case c.Host == "":
		wrong("host", "is missing: the relay's name, as in smtp.example.com")
	case !hostName(c.Host):
		wrong("host", "must be a host's name or address, without a port")
	}
	if c.Port < 0 || c.Port > 65535 {
		wrong("port", "must be from 1 to 65535")
	}
	switch c.Security {
	case "", StartTLS, TLS:
	case Plain:
		if !outbound.Loopback(c.Host) && !c.AllowPlain {
			wrong("security", "none is for loopback addresses, or with dangerously_allow_http: codes and the password would cross the network in clear text")
		}
	default:
		wrong("security", "must be starttls, tls or none")
	}
	if _, err := mailbox(c.From); err != nil {
		wrong("sender", err.Error())
	}
	if c.ReplyTo != "" {
		if _, err := mailbox(c.ReplyTo); err != nil {
			wrong("reply_to", err.Error())
		}
	}
	if c.Hello != "" && !hostName(c.Hello) {
		wrong("hello", "must be a host's name")
	}
	if (c.Username == "") != (c.Password == "") {
		wrong("username", "and password belong together")
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		wrong("timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	return errors.Join(mistakes...)
}

// mailbox reads a sender. Its mailbox must be of the form that recipients' are.
func mailbox(text string) (*mail.Address, error) {
	const form = `must be of the form codes@shop.example, or "Shop" <codes@shop.example>`
	a, err := mail.ParseAddress(text)
	if err != nil {
		return nil, errors.New(form)
	}
	if _, err := countersign.ParseEmail(a.Address); err != nil {
		return nil, errors.New(form)
	}
	a.Name = oneLine(a.Name)
	return a, nil
}

func hostName(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// oneLine makes a text that cannot end a header: control characters become spaces.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
