package simulate

import (
	"net/netip"
	"time"

	numbers "countersign/phone"
)

// attack is a steady stream of requests: who is written to, from where, and how often.
type attack struct {
	from, until time.Duration // of the day on which it happens
	perSecond   float64
	to          func(n int) numbers.Number // of the n-th request
	address     func(n int) netip.Addr
	converts    func(n int, to numbers.Number) bool // enters the code: the attacker holds the number; nil never
	guesses     int                                 // wrong guesses at each message
}

// launch puts an attack on the queue. Attackers are not stopped by a refusal, and do every proof of work.
func (w *world) launch(a attack) {
	gap := time.Duration(float64(time.Second) / a.perSecond)
	began := w.now.Add(quiet)
	n := 0
	var next func()
	next = func() {
		if w.now.Sub(began) >= a.until {
			return
		}
		w.strike(&a, n)
		n++
		w.after(gap, next)
	}
	w.after(quiet+a.from, next)
}

func (w *world) strike(a *attack, n int) {
	to := a.to(n)
	w.result.Attack.Attempts++
	if w.chart != nil {
		w.chart.attempt(w.now)
	}
	got := w.ask(&request{to: to, from: a.address(n), solves: true, attack: true})
	if !got.sent {
		w.result.Attack.Refused++
		return
	}
	w.sent(got.message)
	w.result.target(to, w.now)
	for range a.guesses {
		w.after(10*time.Second+w.upTo(60*time.Second), func() { w.spray(got.message) })
	}
	if a.converts != nil && a.converts(n, to) {
		w.after(10*time.Second+w.upTo(60*time.Second), func() { w.guess(got.message, true, false) })
	}
}

// proves is an attacker who answers on a number that he holds.
func (w *world) proves(own numbers.Number, from netip.Addr) {
	w.result.Attack.Held++
	w.result.Attack.Attempts++
	got := w.ask(&request{to: own, from: from, solves: true, attack: true})
	if !got.sent {
		w.result.Attack.Refused++
		return
	}
	w.sent(got.message)
	w.result.target(own, w.now)
	w.after(10*time.Second+w.upTo(60*time.Second), func() { w.guess(got.message, true, false) })
}

// spray is one guess at somebody else's code. One in a million would be right; the count says what to expect.
func (w *world) spray(m *message) {
	p := w.phone(m.to)
	if !m.done && p.mayGuess(w.now, false) {
		w.result.Attack.Guesses++
	}
}

// botnet is n residential addresses.
func (w *world) botnet(n int) func(int) netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = w.anywhere()
	}
	return func(int) netip.Addr { return list[w.rng.IntN(n)] }
}

// anywhere is an address in any network: a rented proxy that is used once.
func (w *world) anywhere() netip.Addr {
	return ipv4(uint32(11+w.rng.IntN(88))<<24 | uint32(w.rng.IntN(1<<24)))
}

func (w *world) rotating() func(int) netip.Addr { return func(int) netip.Addr { return w.anywhere() } }

func (w *world) within(mask string) func(int) numbers.Number {
	return func(int) numbers.Number { return w.number(mask) }
}

// sequence counts upwards through the numbers that a mask allows: what a program does that walks through a range.
func (w *world) sequence(prefix string, digits, first int) func(int) numbers.Number {
	at := first
	return func(int) numbers.Number {
		for {
			text := prefix + pad(at, digits)
			at++
			if n, err := numbers.FromE164(text); err == nil {
				return n
			}
		}
	}
}

func pad(n, digits int) string {
	b := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(b)
}

// spread is masks of many prefixes in many countries.
func (w *world) spread(prefixes int) func(int) numbers.Number {
	var regions []string
	for _, r := range numbers.Regions() {
		if n, ok := numbers.Example(r); ok && len(n.E164()) >= 11 && (n.Type() == numbers.Mobile || n.Type() == numbers.FixedOrMobile) {
			regions = append(regions, n.E164())
		}
	}
	masks := make([]string, 0, prefixes)
	for len(masks) < prefixes {
		example := regions[w.rng.IntN(len(regions))]
		head := []byte(example[:len(example)-4])
		for i := len(head) - 3; i < len(head); i++ {
			head[i] = '0' + byte(w.rng.IntN(10))
		}
		if n, err := numbers.FromE164(string(head) + "4321"); err == nil && n.Type() == numbers.Mobile {
			masks = append(masks, string(head)+"####")
		}
	}
	return func(int) numbers.Number { return w.number(masks[w.rng.IntN(len(masks))]) }
}
