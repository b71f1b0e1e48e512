package outbound

import (
	"errors"
	"net/netip"
	"net/url"
)

// CheckAddress says what is wrong with a setting that is a vendor's address: keys and codes go there, so it is https, or
// http to this machine itself. "" is none.
func CheckAddress(setting, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.RawQuery != "", u.Fragment != "", u.User != nil, u.Scheme != "https" && u.Scheme != "http":
		return errors.New(setting + ": expected is an https address without user, query and fragment")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return errors.New(setting + ": http is taken for this machine's own addresses only; expected is https")
	}
	return nil
}

// Loopback says whether a host is this machine itself, so that nobody between it and us reads what is sent.
func Loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
