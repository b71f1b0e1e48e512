package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"

	"countersign"
)

// This file decides what may stand in a text besides its own words: the app's name, and what a transaction names.
// Whoever controls such a value would like to write the message himself, so letters, digits and a few signs are all
// that he gets.

// Bounds of values, in UTF-16 units, which is what they cost in a short message.
const (
	MaxName   = 32
	MaxPayee  = 32
	maxDigits = 4 // in a row; five could be a code or a number to call
	maxMarks  = 2 // on one letter

	maxWhole    = 12 // digits of an amount before the point
	maxDecimals = 4  // and behind it
)

// CheckName says whether an app's name may be in messages: 1 to 32 letters, digits, spaces and . - & ', of one script
// (Latin may stand beside most others), with no web address and no number in it.
func CheckName(name string) error {
	if fault := checkWords(name, MaxName); fault != "" {
		return errors.New("the name in messages " + fault)
	}
	return nil
}

// CheckPayee is the same for a transaction's payee, which also must not name an amount of its own. The error is a
// *countersign.Error that points at the member.
func CheckPayee(payee string) error {
	fault := checkWords(payee, MaxPayee)
	if fault == "" && namesAmount(payee) {
		fault = "must not name an amount."
	}
	if fault == "" {
		return nil
	}
	return &countersign.Error{Kind: countersign.ErrInvalidRequest, Pointer: "/transaction/payee", Detail: "The payee " + fault}
}

// CheckAmount accepts a decimal number as it will be shown: digits without leading zeros or groups, and at most four
// behind a point. The error is a *countersign.Error that points at the member.
func CheckAmount(amount string) error {
	whole, decimals, pointed := strings.Cut(amount, ".")
	good := digits(whole, maxWhole) && (whole == "0" || whole[0] != '0') && (!pointed || digits(decimals, maxDecimals))
	if good {
		return nil
	}
	return &countersign.Error{
		Kind: countersign.ErrInvalidRequest, Pointer: "/transaction/amount",
		Detail: "The amount must be a decimal number such as 49.90: up to twelve digits without leading zeros, then a point and up to four more, if any.",
	}
}

func digits(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// CheckCurrency accepts the alphabetic codes of ISO 4217, in capitals. The error is a *countersign.Error that points
// at the member.
func CheckCurrency(code string) error {
	if isCurrency(code) {
		return nil
	}
	return &countersign.Error{
		Kind: countersign.ErrInvalidRequest, Pointer: "/transaction/currency",
		Detail: "The currency must be a code of ISO 4217 in capitals, such as EUR.",
	}
}

func isCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for i := range len(code) {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	switch code {
	case "XXX", "XTS": // no currency, and one for tests
		return false
	case "MRU", "SLE", "STN", "UYW", "VED", "VES", "XCG", "ZWG": // newer than the library's list
		return true
	}
	_, err := currency.ParseISO(code)
	return err == nil
}

// checkWords says what is wrong with a name, or "". The answers never repeat what was sent.
func checkWords(s string, most int) string {
	if !utf8.ValidString(s) {
		return "must be valid UTF-8."
	}
	units, run, marks, letters := 0, 0, 0, 0
	var scripts scriptSet
	for i, r := range s {
		if units += utf16Units(r); units > most {
			return fmt.Sprintf("must have at most %d characters.", most)
		}
		switch {
		case '0' <= r && r <= '9':
			run++
			letters++
		case unicode.IsLetter(r):
			if !scripts.add(r) {
				return "must be written in one script that is in common use."
			}
			run, marks = 0, 0
			letters++
		case unicode.Is(unicode.M, r) && letters > 0:
			if marks++; marks > maxMarks {
				return "has too many marks on one letter."
			}
		case separator(r):
			if r == ' ' && (i == 0 || i+1 == len(s) || s[i+1] == ' ') {
				return "must not begin or end with a space, nor have two in a row."
			}
			if dotted(s, i) {
				return "must not look like a web address: no dot between letters."
			}
		case r == '&' || r == '\'':
			run = 0
		default:
			return "may have letters, digits, spaces and . - & ' only."
		}
		if run > maxDigits {
			return fmt.Sprintf("must not have more than %d digits in a row.", maxDigits)
		}
	}
	switch {
	case letters == 0:
		return "must have a letter or a digit."
	case !scripts.together():
		return "must not mix scripts that look alike."
	}
	return ""
}

// namesAmount finds a number beside the code of a currency, as in "1 EUR", which would read as the amount. It knows
// the codes of much-used currencies that are no words: "Top 10" is a name, though Tonga pays in TOP.
func namesAmount(s string) bool {
	if !hasDigit(s) {
		return false
	}
	words := strings.Fields(s)
	for i, w := range words {
		bare := strings.Trim(w, "0123456789.-&'")
		if !wellKnown(strings.ToUpper(bare)) {
			continue
		}
		if hasDigit(w) || i > 0 && hasDigit(words[i-1]) || i+1 < len(words) && hasDigit(words[i+1]) {
			return true
		}
	}
	return false
}

func wellKnown(code string) bool {
	switch code {
	case "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "BRL", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "MXN", "ZAR":
		return true
	}
	return false
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }
