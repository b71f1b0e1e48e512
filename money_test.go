package countersign_test

import (
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

func FuzzParseMoney(f *testing.F) {
	f.Add("0.00750", "USD")
	f.Add("-999999999.9999999", "eur")
	f.Fuzz(func(t *testing.T, amount, currency string) {
		if m, err := countersign.ParseMoney(amount, currency); err == nil && (m.Micros < 0 || len(m.Currency) != 3) {
			t.Errorf("ParseMoney(%q, %q) = %v", amount, currency, m)
		}
	})
}
