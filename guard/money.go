package guard

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"countersign"
)

// This file caps money. The most that a message may cost is reserved in the step that counts it, and when a provider took
// it the difference to its price is given back: what is spent never passes a cap, and the last message that fits the cap is
// the last one that is sent (a hard stop). Days and months are those of UTC.

// Money is the caps on what messages may cost. A zero cap caps nothing.
type Money struct {
	PriceFile string // path of the prices; "" for the default ones
	Prices    *Prices
	Currency  string // of the prices and caps, ISO 4217; costs that vendors tell in another one are not used
	Instance  Cap
	App       Cap            // of each app
	Apps      map[string]Cap // of single apps instead
	Country   Cap            // of each country, over all apps
}

// Cap is the most that may be spent.
type Cap struct{ Day, Month Micros }

// Percentages of a cap that are told of once each.
func moneyWarnings() moneyMarks { return moneyMarks{50, 80, 100} }

type moneyMarks [3]int

// money adds the sums that a message counts on.
func (g *Guard) money(list []countersign.Limit, a *countersign.Attempt, country string, k *keys) []countersign.Limit {
	m := g.cfg.Money
	if m == nil {
		return list
	}
	price := m.Prices.Reserve(country, a.Channel)
	if price == 0 {
		return list
	}
	for _, l := range m.sums(a.App.ID, a.Now, k) {
		l.Cost = int(price)
		list = append(list, l)
	}
	return list
}

// sums are the caps that hold for an app's message to a country at an instant, by the keys of both.
func (m *Money) sums(app string, now time.Time, k *keys) []countersign.Limit {
	day, month := dayEnds(now), monthEnds(now)
	list := make([]countersign.Limit, 0, 6)
	add := func(name string, cap Micros, of scope, n byte, until time.Time) {
		if cap > 0 && k.has[of] {
			list = append(list, countersign.Limit{Name: name, Key: other(k.list[of], n), Burst: int(cap), Until: until})
		}
	}
	own, ok := m.Apps[app]
	if !ok {
		own = m.App
	}
	add("money_app_day", own.Day, ofApp, 8, day)
	add("money_app_month", own.Month, ofApp, 9, month)
	add("money_country_day", m.Country.Day, ofCountry, 8, day)
	add("money_country_month", m.Country.Month, ofCountry, 9, month)
	add("money_day", m.Instance.Day, ofInstance, 8, day)
	add("money_month", m.Instance.Month, ofInstance, 9, month)
	return list
}

func dayEnds(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
}

func monthEnds(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// Bill implements countersign.Biller: what was reserved too much, when it is known who sent.
func (g *Guard) Bill(limits []countersign.Limit, provider, country string, ch countersign.Channel) []countersign.Limit {
	m := g.cfg.Money
	if m == nil {
		return nil
	}
	price := int(m.Prices.Of(provider, country, ch))
	var back []countersign.Limit
	for _, l := range limits {
		if !l.Until.IsZero() && l.Cost != price {
			l.Back = l.Cost - price
			back = append(back, l)
		}
	}
	return back
}

// Settle implements countersign.Coster: the difference between the price that a message was billed at and what it did cost,
// of the sums that it was billed to and that still run.
func (g *Guard) Settle(b *countersign.Bill) []countersign.Limit {
	m := g.cfg.Money
	if m == nil || b.Cost.Currency != m.Currency {
		return nil
	}
	back := int(m.Prices.Of(b.Provider, b.Country, b.Channel)) - int(min(b.Cost.Micros, int64(maxCost)))
	if back == 0 {
		return nil
	}
	k := &keys{}
	for of, key := range map[scope]countersign.Hash{
		ofApp: b.Hash("budget_app", b.App), ofCountry: b.Hash("budget_country", b.Country), ofInstance: b.Hash("budget_instance"),
	} {
		k.list[of], k.has[of] = key, true
	}
	list := m.sums(b.App, b.Begun, k)
	list = slices.DeleteFunc(list, func(l countersign.Limit) bool { return !b.Now.Before(l.Until) })
	for i := range list {
		list[i].Cost, list[i].Back = 1, back
	}
	return list
}

// maxCost is the most that one message is believed to cost: what is above it is a vendor's mistake.
const maxCost = Micros(1000) * 1_000_000

// spent tells of the caps whose next part this message has used.
func (g *Guard) spent(app, country string, t *countersign.Taken) {
	if g.cfg.Spent == nil || t == nil {
		return
	}
	for i := range t.Rates {
		r := &t.Rates[i]
		if r.Limit.Until.IsZero() || r.Over {
			continue
		}
		after := r.Limit.Burst - r.Remaining
		before := after - r.Limit.Cost
		for _, percent := range moneyWarnings() {
			mark := r.Limit.Burst / 100 * percent
			if percent == 100 {
				mark = r.Limit.Burst - r.Limit.Cost + 1 // not one more of these fits
			}
			if before < mark && after >= mark && g.seen.warn(&r.Limit, percent) {
				g.cfg.Spent(r.Limit.Name, app, country, percent)
			}
		}
	}
}

// warned is the parts of a cap that were told of, and until when the cap runs.
type warned struct {
	parts [len(moneyMarks{})]int
	until time.Time
}

// warn says whether a part of a cap was not told of yet. What is reserved goes over a mark, and back when it is settled: that
// is one warning.
func (m *Memory) warn(l *countersign.Limit, percent int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.warned[l.Key]
	if !w.until.Equal(l.Until) {
		w = warned{until: l.Until} // one for each app and country that has a cap: a day's takes the last one's place
	}
	free := slices.Index(w.parts[:], 0)
	if slices.Contains(w.parts[:], percent) || free < 0 {
		return false
	}
	w.parts[free] = percent
	m.warned[l.Key] = w
	return true
}

func (r *reader) money(n ast.Node, path string) *Money {
	m := &Money{Apps: map[string]Cap{}, Currency: defaultCurrency}
	r.each(n, path, func(key, path string, v ast.Node) {
		switch key {
		case "prices":
			m.PriceFile = r.text(v, path)
		case "currency":
			m.Currency = r.text(v, path)
			if len(m.Currency) != 3 || strings.Trim(m.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				r.bad(v, path, "%q: expected three capital letters of ISO 4217, such as EUR", m.Currency)
			}
		case "instance":
			m.Instance = r.cap(v, path)
		case "app":
			m.App = r.cap(v, path)
		case "country":
			m.Country = r.cap(v, path)
		case "apps":
			r.each(v, path, func(app, path string, v ast.Node) { m.Apps[app] = r.cap(v, path) })
		default:
			r.unknown(path, "prices, currency, instance, app, apps, country")
		}
	})
	return m
}

// defaultCurrency is that of the default prices.
const defaultCurrency = "EUR"

// maxCap keeps sums exact in every store.
const maxCap = Micros(1_000_000_000) * 1_000_000

func (r *reader) cap(n ast.Node, path string) (c Cap) {
	r.each(n, path, func(key, path string, v ast.Node) {
		amount, err := ParseMicros(r.text(v, path))
		if err == nil && (amount == 0 || amount > maxCap) {
			err = errors.New("expected an amount above 0 and at most 1000000000")
		}
		if err != nil {
			r.bad(v, path, "%v", err)
			return
		}
		switch key {
		case "day":
			c.Day = amount
		case "month":
			c.Month = amount
		default:
			r.unknown(path, "day, month")
		}
	})
	return c
}
