package sqlitestore

import (
	"time"

	"countersign"
)

// phone is what is counted about one phone, over all apps, and the list of what is pending for it. Its windows are
// lists of instants, oldest first.
type phone struct {
	hash     countersign.Hash
	sends    []instant // in the last PhoneWindow
	guesses  []instant // in the last PhoneWindow
	streak   int       // wrong guesses in a row
	streakAt instant   // the last of them
	pending  []pending // in the order of their beginning
	memory   memory    // of CheckPhone
	devices  []*device // that counted something of their own lately
	forgot   []forgot

	asking    *device // the device that makes the move; nil for a stranger
	unwritten bool
}

// pending is what a move on the phone must know of each verification that has not ended.
type pending struct {
	id, app, hosted string
	face            countersign.Face
	purpose         countersign.Purpose
	scope           countersign.Hash
	expires         instant
}

func (p *phone) copy() *phone {
	c := *p
	c.sends = append([]instant(nil), p.sends...)
	c.guesses = append([]instant(nil), p.guesses...)
	c.pending = append([]pending(nil), p.pending...)
	c.memory = p.memory.copy()
	c.devices, c.asking = copyDevices(p.devices), nil
	c.forgot = append([]forgot(nil), p.forgot...)
	return &c
}

// age drops what is over.
func (p *phone) age(now instant) {
	p.sends = since(p.sends, now.add(-countersign.PhoneWindow))
	p.guesses = since(p.guesses, now.add(-countersign.PhoneWindow))
	if p.streak > 0 && now >= p.streakAt.add(countersign.StreakLifetime) {
		p.streak = 0
	}
	p.ageDevices(now)
}

// since cuts off the instants up to and including from.
func since(list []instant, from instant) []instant {
	for i, at := range list {
		if at > from {
			return list[i:]
		}
	}
	return nil
}

func (p *phone) hard() bool { return p.streak >= countersign.MaxPhoneStreak }

func (p *phone) locked() bool { return p.hard() || p.usedUp() && p.asking.checksLeft() == 0 }

// usedUp says whether only a device's own guesses are left.
func (p *phone) usedUp() bool { return len(p.guesses) >= countersign.MaxPhoneChecks }

// lockedFor is how long the lock-out lasts; zero for the hard stop.
func (p *phone) lockedFor(now instant) time.Duration {
	if p.hard() || !p.locked() {
		return 0
	}
	return p.lockedUntil().until(now)
}

func (p *phone) lockedUntil() instant {
	until := p.guesses[len(p.guesses)-countersign.MaxPhoneChecks].add(countersign.PhoneWindow)
	if p.asking != nil {
		until = min(until, p.asking.guesses[len(p.asking.guesses)-countersign.MaxDeviceChecks].add(countersign.PhoneWindow))
	}
	return until
}

func (p *phone) checksLeft() int {
	return max(0, min(countersign.MaxPhoneChecks-len(p.guesses)+p.asking.checksLeft(), countersign.MaxPhoneStreak-p.streak))
}

func (p *phone) guess(now instant) {
	if p.usedUp() && p.asking != nil {
		p.asking.guesses = append(p.asking.guesses, now)
		p.keep(p.asking)
	} else {
		p.guesses = append(p.guesses, now)
	}
	p.streak++
	p.streakAt = now
}

// nextSend is when a send is let through, by the phone's limits or the device's own; zero when it is now.
func (p *phone) nextSend(now instant) instant {
	next := p.nextOfAll(now)
	if p.asking != nil && next > 0 {
		next = min(next, p.asking.nextSend())
	}
	if next <= now {
		return 0
	}
	return next
}

// nextOfAll is when the cooldown and both windows let a send of anybody through; zero when they do now.
func (p *phone) nextOfAll(now instant) instant {
	n := len(p.sends)
	if n == 0 {
		return 0
	}
	next := p.cooled()
	if n >= countersign.MaxSendsBurst {
		next = max(next, p.sends[n-countersign.MaxSendsBurst].add(countersign.SendsBurst))
	}
	if n >= countersign.MaxSendsDay {
		next = max(next, p.sends[n-countersign.MaxSendsDay].add(countersign.PhoneWindow))
	}
	if next <= now {
		return 0
	}
	return next
}

// cooled is when the cooldown after the last send ends.
func (p *phone) cooled() instant {
	n := len(p.sends)
	if n == 0 {
		return 0
	}
	return p.sends[n-1].add(countersign.Cooldown(n))
}

func (p *phone) sendsLeft(now instant) int {
	burst := len(since(p.sends, now.add(-countersign.SendsBurst)))
	return max(0, min(countersign.MaxSendsBurst-burst, countersign.MaxSendsDay-len(p.sends))) + p.asking.sendsLeft()
}

// send counts a message, on the phone or, where that is full, on the device.
func (p *phone) send(now instant) {
	if p.nextOfAll(now) == 0 {
		p.sends = append(p.sends, now)
	} else {
		p.asking.sends = append(p.asking.sends, now)
	}
	if p.asking != nil {
		p.asking.last = now
		p.keep(p.asking)
	}
	p.unwritten = true
}

// refuseSend applies the send limits. It gives OutcomeOK when another send may go out.
func (p *phone) refuseSend(now instant) (countersign.Result, time.Duration) {
	next := p.nextSend(now)
	switch {
	case next == 0:
		return countersign.OutcomeOK, 0
	case now < p.cooled() || p.asking.sendsLeft() > 0:
		return countersign.OutcomeTooSoon, next.until(now)
	}
	return countersign.OutcomeTooManySends, next.until(now)
}

// state is the phone as the outside sees it.
func (p *phone) state(now instant) countersign.PhoneState {
	s := countersign.PhoneState{
		ChecksLeft: p.checksLeft(), SendsLeft: p.sendsLeft(now), NextSend: p.nextSend(now).time(), Locked: p.locked(), Hard: p.hard(),
	}
	if s.Locked && !s.Hard {
		s.LockedUntil = p.lockedUntil().time()
	}
	if n := len(p.sends); n > 0 {
		s.SendsReset = p.sends[n-1].add(countersign.PhoneWindow).until(now)
	}
	return s
}

// find gives the place of a pending record, or -1.
func (p *phone) find(id string) int {
	for i := range p.pending {
		if p.pending[i].id == id {
			return i
		}
	}
	return -1
}

func (p *phone) drop(id string) {
	if i := p.find(id); i >= 0 {
		p.pending = append(p.pending[:i], p.pending[i+1:]...)
	}
}

// until is when nothing of this is needed any more; zero when that is so already.
func (p *phone) until() instant {
	var until instant
	if n := len(p.sends); n > 0 {
		until = p.sends[n-1].add(countersign.PhoneWindow)
	}
	if n := len(p.guesses); n > 0 {
		until = max(until, p.guesses[n-1].add(countersign.PhoneWindow))
	}
	if p.streak > 0 {
		until = max(until, p.streakAt.add(countersign.StreakLifetime))
	}
	for _, d := range p.devices {
		until = max(until, d.until())
	}
	for i := range p.forgot {
		until = max(until, p.forgot[i].at.add(countersign.DeviceLifetime))
	}
	for i := range p.memory {
		until = max(until, p.memory[i].at.add(memoryLife))
	}
	if len(p.pending) > 0 {
		return forever // each of them is dropped from the list when it ends
	}
	return until
}

// forever is later than any instant.
const forever instant = 1 << 62

// pendingSize is the least that a packed pending record takes.
const pendingSize = countersign.HashSize + 6

func (p *phone) pack(buffer []byte) []byte {
	k := packer{append(buffer, phoneVersion)}
	k.instants(p.sends)
	k.instants(p.guesses)
	k.int(int64(p.streak))
	k.instant(p.streakAt)
	k.int(int64(len(p.pending)))
	for i := range p.pending {
		e := &p.pending[i]
		k.text(e.id)
		k.text(e.app)
		k.text(e.hosted)
		k.text(string(e.face))
		k.text(string(e.purpose))
		k.hash(e.scope)
		k.instant(e.expires)
	}
	k.memory(p.memory)
	k.devices(p.devices)
	k.forgot(p.forgot)
	return k.b
}

func (p *phone) unpack(b []byte) error {
	u := unpacker{b: b}
	version := u.byte()
	if version < 1 || version > phoneVersion {
		return errPacked
	}
	p.sends = u.instants()
	p.guesses = u.instants()
	p.streak = int(u.int())
	p.streakAt = u.instant()
	for range u.count(pendingSize) {
		p.pending = append(p.pending, pending{
			id: u.text(), app: u.text(), hosted: u.text(), face: countersign.Face(u.text()), purpose: countersign.Purpose(u.text()),
			scope: u.hash(), expires: u.instant(),
		})
	}
	p.memory = u.memory()
	if version >= 2 {
		p.devices, p.forgot = u.devices(), u.forgot()
	}
	return u.err()
}
