package countersign

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
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

// MoneyOf reads an amount that a vendor gives as a JSON number, which may have an exponent: 7.5e-3.
func MoneyOf(amount json.Number, currency string) (Money, error) {
	text := string(amount)
	if strings.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Money{}, errNoMoney
		}
		text = strconv.FormatFloat(f, 'f', -1, 64) // the shortest text of this very number: no digit is made up
	}
	return ParseMoney(text, currency)
}

// Times is what n of the same cost, for vendors who tell the price of a part. It is no amount (a zero Money) where that is
// more than can be written, or n is negative.
func (m Money) Times(n int) Money {
	if n < 0 || n > 0 && m.Micros > math.MaxInt64/int64(n) {
		return Money{}
	}
	return Money{m.Micros * int64(n), m.Currency}
}

// Plus adds an amount of the same currency; of another it is no amount.
func (m Money) Plus(other Money) Money {
	if m.Currency != other.Currency || m.Micros > math.MaxInt64-other.Micros {
		return Money{}
	}
	return Money{m.Micros + other.Micros, m.Currency}
}
