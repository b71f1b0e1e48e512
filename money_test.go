package countersign_test

import (
	"encoding/json"
	"math"
	"testing"

	"countersign"
)

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]int64{"0.00750": 7500, "-0.0075": 7500, "0": 0, "12": 12_000_000, "0.0000001": 1, "0.0333": 33300, "0.00000100": 1} {
		if got, err := countersign.ParseMoney(text, "usd"); err != nil || got.Micros != want || got.Currency != "USD" {
			t.Errorf("ParseMoney(%q) = %v, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "1.", ".5", "1,5", "1e3", "--1", "+1", "1234567890", "٣", "NaN"} {
		if got, err := countersign.ParseMoney(text, "USD"); err == nil {
			t.Errorf("ParseMoney(%q) = %v", text, got)
		}
	}
	for _, currency := range []string{"", "EU", "EURO", "€", "E R"} {
		if got, err := countersign.ParseMoney("1", currency); err == nil {
			t.Errorf("currency %q gives %v", currency, got)
		}
	}
}

func TestMoneyOf(t *testing.T) {
	for text, want := range map[string]int64{"7.5e-3": 7500, "1E-7": 1, "0.0095": 9500, "12": 12_000_000, "1e3": 1_000_000_000, "-5e-2": 50_000, "0e0": 0} {
		if got, err := countersign.MoneyOf(json.Number(text), "EUR"); err != nil || got.Micros != want {
			t.Errorf("MoneyOf(%s) = %v, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "e", "1e", "1e999", "1e-400x", "1e15", "NaNe", "0x1e3"} {
		if got, err := countersign.MoneyOf(json.Number(text), "EUR"); err == nil {
			t.Errorf("MoneyOf(%q) = %v", text, got)
		}
	}
}

func TestMoneySums(t *testing.T) {
	euro := countersign.Money{Micros: 7500, Currency: "EUR"}
	if got := euro.Times(3); got.Micros != 22_500 || got.Currency != "EUR" {
		t.Errorf("three times %v is %v", euro, got)
	}
	if got := euro.Plus(euro); got.Micros != 15_000 || got.Currency != "EUR" {
		t.Errorf("twice %v is %v", euro, got)
	}
	most := countersign.Money{Micros: math.MaxInt64, Currency: "EUR"}
	for name, got := range map[string]countersign.Money{
		"too many": most.Times(2), "fewer than none": euro.Times(-1), "too much": most.Plus(euro), "two currencies": euro.Plus(countersign.Money{Micros: 1, Currency: "USD"}),
	} {
		if got != (countersign.Money{}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := (countersign.Money{}).Times(2); got != (countersign.Money{}) {
		t.Errorf("nothing, twice: %v", got)
	}
}

func FuzzParseMoney(f *testing.F) {
	f.Add("0.00750", "USD")
	f.Add("-999999999.9999999", "eur")
	f.Fuzz(func(t *testing.T, amount, currency string) {
		if m, err := countersign.ParseMoney(amount, currency); err == nil && (m.Micros < 0 || len(m.Currency) != 3) {
			t.Errorf("ParseMoney(%q, %q) = %v", amount, currency, m)
		}
	})
}
