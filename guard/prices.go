package guard

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"countersign"
)

// Micros are millionths of the currency's unit. Money is counted in whole ones, never in fractions.
type Micros int64

// ParseMicros reads a decimal with at most six places, such as 0.0512.
func ParseMicros(s string) (Micros, error) {
	whole, part, point := strings.Cut(s, ".")
	if whole == "" || len(whole) > 9 || len(part) > 6 || point && part == "" || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errors.New("expected an amount such as 0.0512, with at most six places")
	}
	n := Micros(0)
	for _, c := range whole + part + strings.Repeat("0", 6-len(part)) {
		n = n*10 + Micros(c-'0')
	}
	return n, nil
}

// String is the amount as a decimal.
func (m Micros) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	text := strings.TrimRight(fmt.Sprintf("%d.%06d", m/1_000_000, m%1_000_000), "0")
	return sign + strings.TrimSuffix(text, ".")
}

// Prices is what messages cost, by provider, country and channel. "*" stands for any.
type Prices struct {
	by      map[priceOf]Micros
	highest map[priceOf]Micros // over all providers: what is reserved before it is known who sends
	most    Micros
}

type priceOf struct{ provider, country, channel string }

//go:embed prices.csv
var defaultPrices string

// DefaultPrices are rough list prices. Whoever caps money should give his own.
func DefaultPrices() *Prices {
	p, err := ParsePrices("prices.csv", []byte(defaultPrices))
	if err != nil {
		panic(err) // a test reads it
	}
	return p
}

// ParsePrices reads lines of provider,country,channel,price. Empty lines and those that begin with # say nothing. Everything
// that is wrong is told at once, each with its line and column.
func ParsePrices(name string, text []byte) (*Prices, error) {
	p := &Prices{by: map[priceOf]Micros{}, highest: map[priceOf]Micros{}}
	var errs []error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if bare := strings.TrimSpace(line); bare == "" || bare[0] == '#' {
			continue
		}
		if column, err := p.add(strings.Split(line, ",")); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d:%d: %w", name, n, column, err))
		}
	}
	if len(p.by) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: there are no prices in it", name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// add takes the fields of a line. With an error comes the column of the field that is wrong.
func (p *Prices) add(fields []string) (column int, err error) {
	if len(fields) != 4 {
		return 1, errors.New("expected provider,country,channel,price")
	}
	var columns [4]int
	for i, next := 0, 1; i < len(fields); i++ {
		field := fields[i]
		columns[i] = next + len(field) - len(strings.TrimLeft(field, " \t"))
		next += len(field) + 1
		fields[i] = strings.TrimSpace(field)
	}
	of := priceOf{fields[0], fields[1], fields[2]}
	price, err := ParseMicros(fields[3])
	if err != nil {
		return columns[3], fmt.Errorf("price: %q: %w", fields[3], err)
	}
	if ch, ok := countersign.ParseChannel(of.channel); of.channel != "*" && (!ok || ch == countersign.ChannelAuto || of.channel == "") {
		return columns[2], fmt.Errorf("channel: %q: expected sms, voice, flashcall, whatsapp, email or *", of.channel)
	}
	if of.country != "*" && (len(of.country) < 2 || len(of.country) > 3) {
		return columns[1], fmt.Errorf("country: %q: expected two letters, such as SE, 001 or *", of.country)
	}
	if of.provider == "" {
		return columns[0], errors.New("provider: expected a provider's name in the configuration, or *")
	}
	if _, twice := p.by[of]; twice {
		return 1, errors.New("this price is there twice")
	}
	p.by[of] = price
	whoever := priceOf{"", of.country, of.channel}
	p.highest[whoever] = max(p.highest[whoever], price)
	p.most = max(p.most, price)
	return 0, nil
}

// Reserve is the most that a message may cost, whoever sends it. What has no price costs as much as the dearest.
func (p *Prices) Reserve(country string, ch countersign.Channel) Micros {
	price, found := Micros(0), false
	for _, of := range [...]priceOf{{"", country, string(ch)}, {"", country, "*"}, {"", "*", string(ch)}, {"", "*", "*"}} {
		// A country's own price beats the one of all countries.
		if found && of.country == "*" {
			break
		}
		if m, ok := p.highest[of]; ok {
			price, found = max(price, m), true
		}
	}
	if !found {
		return p.most
	}
	return price
}

// Of is what a message costs that this provider sends.
func (p *Prices) Of(provider, country string, ch countersign.Channel) Micros {
	for _, of := range [...]priceOf{
		{provider, country, string(ch)},
		{provider, country, "*"},
		{"*", country, string(ch)},
		{"*", country, "*"},
		{provider, "*", string(ch)},
		{provider, "*", "*"},
		{"*", "*", string(ch)},
		{"*", "*", "*"},
	} {
		if m, ok := p.by[of]; ok {
			return m
		}
	}
	return p.most
}
