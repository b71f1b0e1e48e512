package guard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
)

func TestMicros(t *testing.T) {
	for text, want := range map[string]guard.Micros{"0.0512": 51200, "1": 1_000_000, "12.5": 12_500_000, "0.000001": 1, "0": 0} {
		if got, err := guard.ParseMicros(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseMicros(%q) = %d (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", ".5", "1.", "1,5", "-1", "1e3", "0.0000001", "1234567890", " 1", "٣"} {
		if got, err := guard.ParseMicros(text); err == nil {
			t.Errorf("ParseMicros(%q) = %d", text, got)
		}
	}
}

const priceText = "# prices\n*,*,sms,0.10\n*,SE,sms,0.05\ncheap,SE,sms,0.03\ndear,SE,sms,0.08\n*,NO,*,0.07\n"

func TestPrices(t *testing.T) {
	p, err := guard.ParsePrices("p.csv", []byte(priceText))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		provider, country string
		channel           countersign.Channel
		price, reserve    guard.Micros
	}{
		{"cheap", "SE", countersign.ChannelSMS, 30000, 80000},
		{"dear", "SE", countersign.ChannelSMS, 80000, 80000},
		{"other", "SE", countersign.ChannelSMS, 50000, 80000},
		{"cheap", "NO", countersign.ChannelVoice, 70000, 70000},
		{"cheap", "DK", countersign.ChannelSMS, 100000, 100000},
		{"cheap", "DK", countersign.ChannelVoice, 100000, 100000}, // no price: as the dearest
	} {
		if got, reserve := p.Of(tt.provider, tt.country, tt.channel), p.Reserve(tt.country, tt.channel); got != tt.price || reserve != tt.reserve {
			t.Errorf("%s %s %s costs %s and reserves %s, want %s and %s", tt.provider, tt.country, tt.channel, got, reserve, tt.price, tt.reserve)
		}
	}
	for text, want := range map[string]string{
		"": "no prices", "*,SE,sms": "p.csv:1:1: expected provider", "\n*,SE,sms,1.": `p.csv:2:10: price: "1.": expected an amount`, "*,SE,fax,1": `p.csv:1:6: channel: "fax": expected sms`,
		"*,  Sweden,sms,1": `p.csv:1:5: country: "Sweden": expected two letters`, ",SE,sms,1": "p.csv:1:1: provider", "*,SE,sms,1\n*,SE,sms,2": "p.csv:2:1: this price is there twice",
	} {
		if _, err := guard.ParsePrices("p.csv", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
	if p := guard.DefaultPrices(); p.Reserve("SE", countersign.ChannelSMS) == 0 || p.Reserve("001", countersign.ChannelSMS) < 1_000_000 {
		t.Error("the default prices are not read")
	}
}

// Whatever is asked for, what is reserved stays within the cap, warnings come once each, and tomorrow is another day.
func TestCapsAreAHardStop(t *testing.T) {
	prices, err := guard.ParsePrices("p.csv", []byte(priceText))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	wide, shared := guard.WideBudgets()
	b := newBed(t, guard.Policy{Budgets: wide, Shadow: []string{guard.RuleSequence, guard.RulePrefixBlock}}, func(c *guard.Config) {
		c.Instance.Budgets = shared
		c.Money = &guard.Money{Prices: prices, App: guard.Cap{Day: 1_000_000, Month: 1_500_000}}
		c.Spent = func(limit, app, _ string, percent int) {
			told = append(told, fmt.Sprint(limit, " ", app, " ", percent))
		}
	})
	day := func() (sent int) {
		for i := range 40 {
			_, answer, rule := b.start(swedish(t, "4670", i*7368787%10000000))
			switch {
			case answer == countersign.DecisionAllow:
				sent++
			case !strings.HasPrefix(rule, "money_app_"):
				t.Fatalf("refused by %s", rule)
			}
		}
		return sent
	}
	if n := day(); n != 12 { // 12 × 0.08 ≤ 1
		t.Errorf("%d messages on the first day", n)
	}
	if want := "money_app_day demo 50,money_app_day demo 80,money_app_month demo 50,money_app_day demo 100"; strings.Join(told, ",") != want {
		t.Errorf("told %v", told)
	}
	b.now = b.now.Add(24 * time.Hour)
	if n := day(); n != 6 { // 18 × 0.08 ≤ 1.5
		t.Errorf("%d messages on the second day: the month's cap", n)
	}
	b.now = b.now.Add(31 * 24 * time.Hour)
	// A provider that takes less than was reserved leaves room for more.
	sent := 0
	for i := range 60 {
		a, answer, _ := b.start(swedish(t, "4670", i*7368787%10000000))
		if answer != countersign.DecisionAllow {
			break
		}
		sent++
		limits := b.limitsOf(a)
		b.counts.RefundAt(b.now, countersign.Refund{Limits: b.Bill(limits, "cheap", "SE", countersign.ChannelSMS)})
	}
	if sent != 31 { // while 0.03 × n + 0.08 ≤ 1
		t.Errorf("%d messages of a cheap provider", sent)
	}
}

func FuzzParsePrices(f *testing.F) {
	f.Add([]byte(priceText))
	f.Add([]byte("*,SE,sms,999999999.999999"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := guard.ParsePrices("p.csv", text)
		if err == nil && (p.Reserve("SE", countersign.ChannelSMS) < 0 || p.Of("x", "SE", countersign.ChannelSMS) < 0) {
			t.Error("a price below zero")
		}
	})
}
