package simulate

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"countersign"
	numbers "countersign/phone"
)

// country is where honest people are, how many of them, and how they behave.
type country struct {
	region     string
	masks      []string // of its mobile numbers: # is any digit
	share      float64
	conversion float64 // of starts whose code is entered in the end
	shift      int     // hours from UTC, for the rhythm of the day
}

// countries are the world's. Shares add up to 1; conversions are what operators report for sign-ups and logins, from the best
// markets to the worst.
func countries() []country {
	return []country{
		{"US", []string{"+1201#######", "+1202#######", "+1206#######", "+1212#######", "+1213#######", "+1214#######", "+1215#######", "+1216#######", "+1303#######", "+1305#######", "+1310#######", "+1312#######", "+1313#######", "+1314#######", "+1317#######", "+1323#######", "+1404#######", "+1407#######", "+1408#######", "+1410#######", "+1412#######", "+1415#######", "+1480#######", "+1502#######", "+1503#######", "+1504#######", "+1510#######", "+1512#######", "+1513#######", "+1516#######", "+1602#######", "+1612#######", "+1614#######", "+1615#######", "+1617#######", "+1619#######", "+1626#######", "+1646#######", "+1650#######", "+1702#######", "+1704#######", "+1713#######", "+1714#######", "+1718#######", "+1720#######", "+1727#######", "+1732#######", "+1757#######", "+1770#######", "+1773#######", "+1781#######", "+1786#######", "+1801#######", "+1804#######", "+1813#######", "+1818#######", "+1832#######", "+1847#######", "+1904#######", "+1909#######", "+1916#######", "+1917#######", "+1919#######", "+1925#######", "+1949#######", "+1972#######"}, 0.28, 0.88, -6},
		{"GB", []string{"+4474########", "+4475########", "+4477########", "+4478########", "+4479########"}, 0.12, 0.87, 0},
		{"DE", []string{"+49151########", "+49160#######", "+49170#######", "+49176########"}, 0.10, 0.92, 1},
		{"FR", []string{"+336########", "+337########"}, 0.09, 0.90, 1},
		{"SE", []string{"+4670#######", "+4672#######", "+4673#######", "+4676#######"}, 0.05, 0.95, 1},
		{"IN", []string{"+9170########", "+9181########", "+9194########", "+9198########", "+9199########"}, 0.14, 0.75, 5},
		{"BR", []string{"+551198#######", "+552198#######", "+553199#######"}, 0.10, 0.78, -3},
		{"MX", []string{"+5255########", "+5233########", "+5281########"}, 0.05, 0.74, -6},
		{"ID", []string{"+62812#######", "+62813#######", "+62857#######"}, 0.04, 0.65, 7},
		{"NG", []string{"+234803#######", "+234806#######"}, 0.02, 0.60, 1},
		{"UZ", []string{"+99890#######", "+99893#######"}, 0.005, 0.70, 5},
		{"AZ", []string{"+99450#######", "+99455#######"}, 0.005, 0.72, 4},
	}
}

// number draws a mobile number that fits a mask.
func (w *world) number(mask string) numbers.Number {
	for range 1000 {
		digits := []byte(mask)
		for i, c := range digits {
			if c == '#' {
				digits[i] = '0' + byte(w.rng.IntN(10))
			}
		}
		if n, err := numbers.FromE164(string(digits)); err == nil && (n.Type() == numbers.Mobile || n.Type() == numbers.FixedOrMobile) {
			return n
		}
	}
	panic(fmt.Sprintf("simulate: no number fits %s", mask))
}

// rhythm is how busy an hour of the day is: little at night, most in the evening; 1 on average.
func rhythm(hour float64) float64 {
	return 1 + 0.75*math.Cos((hour-19)/24*2*math.Pi)
}

// crowd is honest traffic: perDay starts, spread over the countries and the hours of each.
func (w *world) crowd(perDay float64) {
	for _, c := range countries() {
		w.visitors(c, perDay*c.share)
	}
}

// visitors puts the next honest start of a country on the queue, and each puts the next (a Poisson process, thinned by
// the rhythm of the day).
func (w *world) visitors(c country, perDay float64) {
	const most = 1.75 // of rhythm
	gap := func() time.Duration {
		return time.Duration(w.rng.ExpFloat64() / (perDay * most) * 24 * float64(time.Hour))
	}
	var next func()
	next = func() {
		hour := math.Mod(w.now.Sub(epoch).Hours()+float64(c.shift)+48, 24)
		if w.rng.Float64()*most < rhythm(hour) {
			w.visit(c, w.home())
		}
		w.after(gap(), next)
	}
	w.after(gap(), next)
}

// home is an honest address. Half of the people are on phones: they come out of a carrier's few networks (NAT). The others
// have one address of a household in one of many.
func (w *world) home() netip.Addr {
	if w.rng.IntN(2) == 0 {
		return ipv4(100<<24 | uint32(w.rng.IntN(400))<<8 | uint32(w.rng.IntN(32)))
	}
	return w.residential()
}

// residential is an address out of a million households in 20,000 networks (/24).
func (w *world) residential() netip.Addr {
	return ipv4(81<<24 | uint32(w.rng.IntN(20_000))<<8 | uint32(w.rng.IntN(50)))
}

func ipv4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// visit is one honest person who wants to sign up or log in.
func (w *world) visit(c country, from netip.Addr) {
	p := &person{
		w: w, to: w.number(c.masks[w.rng.IntN(len(c.masks))]), from: from, converts: w.rng.Float64() < c.conversion,
		device: w.rng.Float64() < returning,
	}
	p.start()
}

// person is somebody with one phone and some patience.
type person struct {
	w        *world
	to       numbers.Number
	from     netip.Addr
	converts bool
	tries    int
	device   bool
}

// What people do, from what operators see: most logins are of people who were here before, a message in twenty does not
// come, one guess in twelve is mistyped, and those who get nothing ask again after some time.
const (
	lostMessages = 0.05
	typos        = 0.08
	returning    = 0.6 // have proved this number on this device before, and hold its token
	asksAgain    = 0.8
)

func (p *person) start() {
	h := &p.w.result.Honest
	h.Starts++
	a := p.w.ask(&request{to: p.to, from: p.from, again: p.tries > 0, device: p.device, solves: true})
	if a.challenged {
		h.Challenged++
	}
	if !a.sent {
		if a.kind != countersign.ErrResendTooSoon {
			h.Refused++
		}
		return
	}
	p.w.sent(a.message)
	arrives := p.w.rng.Float64() >= lostMessages
	switch {
	case arrives && p.converts:
		p.reads(a.message)
	case p.tries < 2 && p.w.rng.Float64() < asksAgain && (p.converts || !arrives):
		p.tries++
		p.w.after(35*time.Second+p.w.upTo(90*time.Second), p.start)
	}
}

func (p *person) reads(m *message) {
	p.w.after(6*time.Second+p.w.upTo(50*time.Second), func() {
		if p.w.rng.Float64() < typos {
			p.w.guess(m, false, p.device)
			p.w.after(5*time.Second+p.w.upTo(20*time.Second), func() { p.enters(m) })
			return
		}
		p.enters(m)
	})
}

func (p *person) enters(m *message) {
	p.w.guess(m, true, p.device)
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// sent books a message that went out.
func (w *world) sent(m *message) {
	if !m.attack {
		return
	}
	w.result.Attack.Sent++
	w.result.Attack.Money += w.price(m.to)
	if w.chart != nil {
		w.chart.sent(w.now)
	}
}
