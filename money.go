package countersign

import (
	"errors"
	"strings"
)

// Money is an amount as a vendor tells it.
type Money struct {
	Micros   int64  // millionths of the currency's unit, not below zero
	Currency string // ISO 4217, such as EUR; "" says that nothing is known
}

var errNoMoney = errors.New("not an amount of money")

// ParseMoney reads a vendor's decimal, such as 0.00750 or -0.0075 (some tell a price as what they took), and its currency.
// What is smaller than a millionth is rounded up: a cap must not be passed by rounding.
func ParseMoney(amount, currency string) (Money, error) {
	amount, currency = strings.TrimPrefix(strings.TrimSpace(amount), "-"), strings.ToUpper(strings.TrimSpace(currency))
	whole, part, point := strings.Cut(amount, ".")
	if whole == "" || len(whole) > 9 || len(part) > 30 || point && part == "" || strings.Trim(whole+part, "0123456789") != "" {
		return Money{}, errNoMoney
	}
	if len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return Money{}, errNoMoney
	}
	n := int64(0)
	for _, c := range whole + (part + "000000")[:6] {
		n = n*10 + int64(c-'0')
	}
	if len(part) > 6 && strings.Trim(part[6:], "0") != "" {
		n++
	}
	return Money{n, currency}, nil
}
