// Package phone turns what a person types into one canonical telephone number.
//
// One person must have one bucket: every spelling of a number has to meet the same counts. So text goes through a
// strict ASCII whitelist first (no extensions, letters, URIs or digits of other scripts, all of which libphonenumber
// would accept), then through libphonenumber, and comes out as E.164 or not at all.
package phone

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// MaxText is the longest text that is looked at, in bytes.
const MaxText = 64

// Why a text is not a number. The texts are sentences for people and never hold what was typed.
var (
	ErrShape   = errors.New("a phone number has digits, after an optional +, with spaces, dots, hyphens or parentheses between them, and nothing else")
	ErrRegion  = errors.New("a number without a country code needs a region")
	ErrInvalid = errors.New("this number is not assigned in any numbering plan")
)

// Number is a valid telephone number. The zero Number is none. It prints masked: E164 is the one way to the digits.
type Number struct {
	e164    string
	region  string
	country uint16
	kind    LineType
}

// Parse reads a typed number. Without a leading + it is a national number of defaultRegion (ISO 3166-1 alpha-2; ""
// for none). The error is one of ErrShape, ErrRegion and ErrInvalid.
func Parse(text, defaultRegion string) (Number, error) {
	var buf [MaxText]byte
	dialled, err := strip(buf[:0], text)
	if err != nil {
		return Number{}, err
	}
	if dialled[0] != '+' && defaultRegion == "" {
		return Number{}, ErrRegion
	}
	if northAmerican(dialled) {
		return valid(1, string(dialled[2:]))
	}
	p, err := phonenumbers.Parse(string(dialled), defaultRegion)
	if err != nil {
		return Number{}, ErrInvalid
	}
	return canonical(p)
}

// northAmerican says whether what was dialled is +1 and ten digits of which the first is 2 to 9. libphonenumber has
// nothing to find out there: the plan strips nothing but a leading 1. It saves much for the plan that most numbers are of.
func northAmerican(dialled []byte) bool {
	const digits = 10
	return len(dialled) == len("+1")+digits && dialled[0] == '+' && dialled[1] == '1' && dialled[2] >= '2'
}

// strip keeps the + and the digits of a text of the allowed shape. Spaces may stand at either end, an opening
// parenthesis before the first digit, and nothing else outside of the digits.
func strip(out []byte, text string) ([]byte, error) {
	if len(text) > MaxText {
		return nil, ErrShape
	}
	last := len(text)
	for last > 0 && text[last-1] == ' ' {
		last--
	}
	digits := 0
	for i := range last {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digits++
			out = append(out, c)
		case c == '+' && len(out) == 0:
			out = append(out, c)
		case c == ' ' || c == '(':
		case (c == '-' || c == '.' || c == ')') && digits > 0:
		default:
			return nil, ErrShape
		}
	}
	if digits == 0 || text[last-1] < '0' || text[last-1] > '9' {
		return nil, ErrShape
	}
	return out, nil
}

// canonical makes the number from what the library read. A number is valid when its region's plan knows its type.
func canonical(p *phonenumbers.PhoneNumber) (Number, error) {
	return valid(p.GetCountryCode(), phonenumbers.GetNationalSignificantNumber(p))
}

func valid(code int32, national string) (Number, error) {
	region, kind := regionAndKind(code, national)
	if kind == Unknown {
		return Number{}, ErrInvalid
	}
	return Number{e164: "+" + strconv.Itoa(int(code)) + national, region: region, country: uint16(code), kind: kind}, nil
}

// FromE164 reads a number in canonical form: + and digits. Any other spelling is an error, so that a value that was
// stored once is read back as itself or not at all.
func FromE164(text string) (Number, error) {
	n, err := Parse(text, "")
	if err != nil {
		return Number{}, err
	}
	if n.e164 != text {
		return Number{}, fmt.Errorf("%w: not in canonical form", ErrShape)
	}
	return n, nil
}

// Encode writes a number with what was found out about it, for storage that nobody else can write to: Decode believes
// it, which is a hundred times quicker than to parse the number again.
func (n Number) Encode() string {
	return n.e164 + " " + n.region + " " + strconv.Itoa(int(n.country)) + " " + strconv.Itoa(int(n.kind))
}

var errEncoded = fmt.Errorf("%w: not an encoded number", ErrShape)

// Decode reads what Encode wrote.
func Decode(text string) (Number, error) {
	e164, rest, ok := strings.Cut(text, " ")
	if !ok || len(e164) < 3 || e164[0] != '+' {
		return Number{}, errEncoded
	}
	region, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return Number{}, errEncoded
	}
	country, kind, ok := strings.Cut(rest, " ")
	c, err := strconv.ParseUint(country, 10, 16)
	k, kindErr := strconv.ParseUint(kind, 10, 8)
	if !ok || err != nil || kindErr != nil || int(k) >= len(lineTypeNames) {
		return Number{}, errEncoded
	}
	return Number{e164: e164, region: region, country: uint16(c), kind: LineType(k)}, nil
}

// E164 is the number with + and country code (ITU-T E.164), the clear text. It goes to providers and into sealed
// storage, never into a log.
func (n Number) E164() string { return n.e164 }

// Region is the ISO 3166-1 alpha-2 region the number belongs to, by the number and not by its dialling prefix, or
// "001" for the global networks (+870, +881, +882, +883, +979).
func (n Number) Region() string { return n.region }

// CountryCode is the country calling code, e.g. 44.
func (n Number) CountryCode() int { return int(n.country) }

// Type is the kind of line, as far as the numbering plan tells.
func (n Number) Type() LineType { return n.kind }

// IsZero says whether there is no number.
func (n Number) IsZero() bool { return n.e164 == "" }

// Masked is the form for logs: region and last two digits.
func (n Number) Masked() string {
	if n.IsZero() {
		return ""
	}
	return n.region + " …" + n.e164[len(n.e164)-2:]
}

// String is Masked: a number that strays into a log or an error says little.
func (n Number) String() string { return n.Masked() }

// GoString keeps %#v masked.
func (n Number) GoString() string { return n.Masked() }

// LogValue keeps slog masked.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// MarshalText keeps every encoder masked.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.Masked()), nil }

// ValidRegion says whether a region has a numbering plan of its own or shares one: "US", not "us" nor "001".
func ValidRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(region) != 0 && len(region) == 2
}

// Example is a valid mobile number of a region for forms and documentation. false where the plan has none.
func Example(region string) (Number, bool) {
	p := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
	if p == nil {
		return Number{}, false
	}
	n, err := canonical(p)
	return n, err == nil
}

// Regions lists every region that has a numbering plan, sorted.
func Regions() []string {
	supported := phonenumbers.GetSupportedRegions()
	list := make([]string, 0, len(supported))
	for r := range supported {
		list = append(list, r)
	}
	slices.Sort(list)
	return list
}

// CallingCode is the country calling code of a region, e.g. 44 for GB; 0 for none.
func CallingCode(region string) int { return phonenumbers.GetCountryCodeForRegion(region) }
