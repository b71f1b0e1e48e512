package countersign

import (
	"encoding/json"
	"log/slog"
	"strings"

	"countersign/phone"
)

// Address is where a code goes: a telephone number, or an e-mail address on that channel. It prints masked;
// Dial is the only way to the clear text.
type Address struct {
	number phone.Number
	email  string
}

// PhoneAddress is the address of a number.
func PhoneAddress(n phone.Number) Address { return Address{number: n} }

// ParseEmail accepts a mailbox of the plain form local@domain (a subset of RFC 5321, 4.1.2: no quoting, no
// comments, no address literals), at most 254 bytes. The domain is lowered, and the local part too: two
// spellings of one mailbox must not have two budgets.
func ParseEmail(text string) (Address, error) {
	s, at := "", -1
	if len(text) <= 254 {
		s = strings.ToLower(text)
		at = strings.LastIndexByte(s, '@')
	}
	if len(s) != len(text) || at < 1 || at > 64 || !mailLocal(s[:at]) || !mailDomain(s[at+1:]) {
		return Address{}, &Error{
			Kind: ErrInvalidEmail, Pointer: "/to",
			Detail: "This is not an e-mail address of the form name@example.com.",
		}
	}
	return Address{email: s}, nil
}

func mailLocal(s string) bool {
	if s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !asciiAlnum(c) && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~.-", rune(c)) {
			return false
		}
	}
	return true
}

func mailDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return false
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false // no domain ends so, but every IPv4 address does
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			if !asciiAlnum(l[i]) && l[i] != '-' {
				return false
			}
		}
	}
	return true
}

func asciiAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// Phone is the number, and whether the address is one.
func (a Address) Phone() (phone.Number, bool) { return a.number, !a.number.IsZero() }

// Email is the mailbox, and whether the address is one.
func (a Address) Email() (string, bool) { return a.email, a.email != "" }

// IsZero says whether there is no address.
func (a Address) IsZero() bool { return a == Address{} }

// Dial is the clear text: E.164, or the mailbox. It goes to providers, to the owner's answer and into sealed
// storage; never into a log.
func (a Address) Dial() string {
	if a.email != "" {
		return a.email
	}
	return a.number.E164()
}

// Country is the number's ISO 3166-1 alpha-2 region, or "" for a mailbox.
func (a Address) Country() string {
	if a.number.IsZero() {
		return ""
	}
	return a.number.Region()
}

// String is the masked form, for people and logs.
func (a Address) String() string {
	switch {
	case a.email != "":
		return a.email[:1] + "…@" + a.email[strings.LastIndexByte(a.email, '@')+1:]
	case a.number.IsZero():
		return ""
	}
	return a.number.Masked()
}

// GoString keeps %#v masked as well.
func (a Address) GoString() string { return a.String() }

// LogValue keeps slog masked.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON keeps an address that strays into JSON masked; answers write Dial on purpose.
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }
