package simulate

import (
	"net/netip"
	"time"

	numbers "countersign/phone"
)

// Scenario is a named mixture of people and attackers.
type Scenario struct {
	Name  string
	About string
	// Pumping says that the attack is after money: its messages are bounded by the budgets, and where it tries more than
	// twenty times that bound nearly all of it must be refused.
	Pumping bool
	// Flood says that it goes everywhere, so that nothing but the widest budgets bounds it.
	Flood bool

	span time.Duration
	play func(w *world)
}

// perDay is the honest traffic behind every scenario, and quiet how long it goes on before anybody attacks: a guard knows
// its people by then.
const (
	perDay = 8_000
	quiet  = 48 * time.Hour
)

const (
	// A range whose calls and messages pay whoever rents it, in a country that is dear to write to.
	paidRange  = "+99450212####"
	paidPrefix = "+99890#######"
)

// Scenarios lists all, honest ones first.
func Scenarios() []Scenario {
	day := 24 * time.Hour
	return []Scenario{
		{Name: "honest", About: "Three days of ordinary traffic in twelve countries, nobody with ill will.", span: 3 * day, play: func(*world) {}},
		{Name: "launch", About: "A product launch: twenty times the traffic within minutes, for half an hour.", span: 3 * day, play: launchDay},
		{Name: "campus", About: "3,000 students sign up in two hours behind one address, and as many on one carrier's sixteen.", span: 3 * day, play: campus},
		{Name: "premium_fast", About: "Pumping of one rented range at 1,000 a minute for two hours, from 500 residential addresses.", Pumping: true, span: 3 * day, play: premiumFast},
		{Name: "premium_slow", About: "The same range at one message every twenty seconds, all day.", Pumping: true, span: 3 * day, play: premiumSlow},
		{Name: "rotating", About: "Pumping of one range with a fresh address for each request.", Pumping: true, span: 3 * day, play: rotating},
		{Name: "random_prefix", About: "Numbers at random in one four-digit prefix, 500 addresses.", Pumping: true, span: 3 * day, play: randomPrefix},
		{Name: "thousand_prefixes", About: "Numbers at random in a thousand prefixes of many countries.", Pumping: true, Flood: true, span: 3 * day, play: thousandPrefixes},
		{Name: "converting_10", About: "An attacker who holds 1,000 numbers, writes to ten times as many and enters the codes of his own.", span: 3 * day, play: converting(10)},
		{Name: "converting_30", About: "The same with three times as many numbers as are his.", span: 3 * day, play: converting(3)},
		{Name: "familiar", About: "An attacker first proves 200 numbers of his own from forty networks, then pumps one range through these.", Pumping: true, span: 3 * day, play: familiar(false)},
		{Name: "familiar_spread", About: "The same, then numbers at random in a thousand prefixes of many countries.", Pumping: true, Flood: true, span: 3 * day, play: familiar(true)},
		{Name: "bombing", About: "One victim, 10,000 sources, all day. He logs in twice, with a device that has proved his number.", span: 3 * day, play: bombing},
		{Name: "lockout", About: "The same with guesses at every message, so that the phone's guesses are used up.", span: 3 * day, play: lockout},
		{Name: "spraying", About: "100,000 phones of a list from many countries, one message and five guesses each, from addresses used once.", Flood: true, span: 3 * day, play: spraying},
		{Name: "enumeration", About: "A program walks through a range of numbers from three addresses.", span: 3 * day, play: enumeration},
	}
}

func launchDay(w *world) {
	w.after(quiet+18*time.Hour, func() {
		end := w.now.Add(30 * time.Minute)
		rate := 20 * perDay / 86400.0
		var next func()
		next = func() {
			if w.now.After(end) {
				return
			}
			list := countries()
			w.visit(list[w.pick(list)], w.home())
			w.after(time.Duration(w.rng.ExpFloat64()/rate*float64(time.Second)), next)
		}
		next()
	})
}

// pick draws a country by its share.
func (w *world) pick(list []country) int {
	at := w.rng.Float64()
	for i, c := range list {
		if at -= c.share; at < 0 {
			return i
		}
	}
	return 0
}

func campus(w *world) {
	const people = 3000
	university := netip.MustParseAddr("198.51.100.7")
	for range people {
		us := countries()[0]
		w.after(quiet+9*time.Hour+w.upTo(2*time.Hour), func() { w.visit(us, university) })
		in := countries()[5]
		carrier := ipv4(203<<24 | 113<<8 | uint32(w.rng.IntN(16)))
		w.after(quiet+9*time.Hour+w.upTo(2*time.Hour), func() { w.visit(in, carrier) })
	}
}

func premiumFast(w *world) {
	w.launch(attack{from: 10 * time.Hour, until: 12 * time.Hour, perSecond: 16.7, to: w.within(paidRange), address: w.botnet(500)})
}

func premiumSlow(w *world) {
	w.launch(attack{until: 24 * time.Hour, perSecond: 0.05, to: w.within(paidRange), address: w.botnet(200)})
}

func rotating(w *world) {
	w.launch(attack{from: 8 * time.Hour, until: 14 * time.Hour, perSecond: 3, to: w.within(paidRange), address: w.rotating()})
}

func randomPrefix(w *world) {
	w.launch(attack{from: 8 * time.Hour, until: 12 * time.Hour, perSecond: 5, to: w.within(paidPrefix), address: w.botnet(500)})
}

func thousandPrefixes(w *world) {
	w.launch(attack{from: 6 * time.Hour, until: 16 * time.Hour, perSecond: 3, to: w.spread(1000), address: w.rotating()})
}

// converting is an attacker who answers on the numbers that he really holds, to earn budget for the others.
func converting(among int) func(w *world) {
	return func(w *world) {
		const held = 1000
		w.result.Attack.Held = held
		own := make([]numbers.Number, held)
		mine := map[string]bool{}
		for i := range own {
			own[i] = w.number(paidPrefix)
			mine[own[i].E164()] = true
		}
		to := func(n int) numbers.Number {
			if n%among == 0 {
				return own[(n/among)%held]
			}
			return w.number(paidPrefix)
		}
		converts := func(_ int, to numbers.Number) bool { return mine[to.E164()] }
		w.launch(attack{until: 24 * time.Hour, perSecond: 0.5, to: to, address: w.botnet(2000), converts: converts})
	}
}

// familiar is an attacker who makes networks known first: from each he proves numbers that he holds, on the day before.
func familiar(everywhere bool) func(w *world) {
	return func(w *world) {
		const networks, each = 40, 5
		list := make([]netip.Addr, networks)
		for i := range list {
			list[i] = w.anywhere()
			for range each {
				own := w.number(paidPrefix)
				w.after(quiet-12*time.Hour+w.upTo(10*time.Hour), func() { w.proves(own, list[i]) })
			}
		}
		a := attack{from: 8 * time.Hour, until: 12 * time.Hour, perSecond: 5, to: w.within(paidRange), address: func(int) netip.Addr { return list[w.rng.IntN(networks)] }}
		if everywhere {
			a.from, a.until, a.perSecond, a.to = 6*time.Hour, 16*time.Hour, 3, w.spread(1000)
		}
		w.launch(a)
	}
}

func bombing(w *world) { w.besiege(0) }

func lockout(w *world) { w.besiege(5) }

// besiege sends to one phone and guesses at it, while its owner tries to get in.
func (w *world) besiege(guesses int) {
	victim := w.number("+1212#######")
	w.launch(attack{until: 24 * time.Hour, perSecond: 1, to: func(int) numbers.Number { return victim }, address: w.botnet(10_000), guesses: guesses})
	for _, hour := range []int{9, 15} {
		w.after(quiet+time.Duration(hour)*time.Hour+30*time.Minute, func() {
			w.result.Owner.Tries++
			got := w.ask(&request{to: victim, from: w.residential(), device: true, solves: true})
			if !got.sent {
				return
			}
			w.after(20*time.Second, func() {
				if w.guess(got.message, true, true) {
					w.result.Owner.GotIn++
				}
			})
		})
	}
}

func spraying(w *world) {
	w.launch(attack{from: 2 * time.Hour, until: 20 * time.Hour, perSecond: 100_000 / (18 * 3600.0), to: w.spread(3000), address: w.rotating(), guesses: 5})
}

func enumeration(w *world) {
	w.launch(attack{from: 10 * time.Hour, until: 12 * time.Hour, perSecond: 2, to: w.sequence("+4670", 7, 1_000_000), address: w.botnet(3)})
}
