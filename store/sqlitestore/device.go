package sqlitestore

import (
	"context"
	"slices"

	"countersign"
)

// device is what is counted of one device that has proved the phone, beside what is counted of the phone. Its methods
// take nil for a stranger, who has nothing of his own.
type device struct {
	id      countersign.Hash
	sends   []instant // of its own, in the last PhoneWindow
	guesses []instant // of its own, in the last PhoneWindow
	last    instant   // what it had sent last, on whose account ever
}

// forgot says that an app's devices that were issued up to an instant count for nothing.
type forgot struct {
	app string
	at  instant
}

// ask takes a move's device, if it is one of this phone.
func (p *phone) ask(d *countersign.Device, app string) {
	p.asking = nil
	if d == nil || d.Phone != p.hash {
		return
	}
	for _, f := range p.forgot {
		if f.app == app && instantOf(d.Issued) <= f.at {
			return
		}
	}
	for _, known := range p.devices {
		if known.id == d.ID {
			p.asking = known
			return
		}
	}
	if len(p.devices) < countersign.MaxDevices {
		p.asking = &device{id: d.ID}
	}
}

// keep lists a device that has counted something.
func (p *phone) keep(d *device) {
	if !slices.Contains(p.devices, d) {
		p.devices = append(p.devices, d)
	}
}

func (p *phone) ageDevices(now instant) {
	from := now.add(-countersign.PhoneWindow)
	p.devices = slices.DeleteFunc(p.devices, func(d *device) bool {
		d.sends, d.guesses = since(d.sends, from), since(d.guesses, from)
		return d.until() <= now
	})
	p.forgot = slices.DeleteFunc(p.forgot, func(f forgot) bool { return f.at.add(countersign.DeviceLifetime) <= now })
}

func (d *device) checksLeft() int {
	if d == nil {
		return 0
	}
	return max(0, countersign.MaxDeviceChecks-len(d.guesses))
}

func (d *device) sendsLeft() int {
	if d == nil {
		return 0
	}
	return max(0, countersign.MaxDeviceSends-len(d.sends))
}

// nextSend is when the device's own budget lets a send through.
func (d *device) nextSend() instant {
	var next instant
	if d.last > 0 {
		next = d.last.add(countersign.Cooldown(1))
	}
	if n := len(d.sends); n >= countersign.MaxDeviceSends {
		next = max(next, d.sends[n-countersign.MaxDeviceSends].add(countersign.PhoneWindow))
	}
	return next
}

// until is when nothing of this is needed any more.
func (d *device) until() instant {
	var until instant
	if d.last > 0 {
		until = d.last.add(countersign.Cooldown(1))
	}
	for _, list := range [][]instant{d.sends, d.guesses} {
		if n := len(list); n > 0 {
			until = max(until, list[n-1].add(countersign.PhoneWindow))
		}
	}
	return until
}

func copyDevices(list []*device) []*device {
	if len(list) == 0 {
		return nil
	}
	copies := make([]*device, len(list))
	for i, d := range list {
		c := *d
		c.sends, c.guesses = slices.Clone(d.sends), slices.Clone(d.guesses)
		copies[i] = &c
	}
	return copies
}

// deviceSize and forgotSize are the least that a packed device and a packed forgot take.
const (
	deviceSize = countersign.HashSize + 3
	forgotSize = 2
)

func (k *packer) devices(list []*device) {
	k.int(int64(len(list)))
	for _, d := range list {
		k.hash(d.id)
		k.instants(d.sends)
		k.instants(d.guesses)
		k.instant(d.last)
	}
}

func (u *unpacker) devices() []*device {
	var list []*device
	for range u.count(deviceSize) {
		list = append(list, &device{id: u.hash(), sends: u.instants(), guesses: u.instants(), last: u.instant()})
	}
	return list
}

func (k *packer) forgot(list []forgot) {
	k.int(int64(len(list)))
	for _, f := range list {
		k.text(f.app)
		k.instant(f.at)
	}
}

func (u *unpacker) forgot() []forgot {
	var list []forgot
	for range u.count(forgotSize) {
		list = append(list, forgot{app: u.text(), at: u.instant()})
	}
	return list
}

// ForgetDevices implements countersign.Moves.
func (s *Store) ForgetDevices(ctx context.Context, app string, hash countersign.Hash) error {
	return s.do(ctx, func(m *move) error {
		p, err := m.phone(hash)
		if err != nil {
			return err
		}
		p.forgot = slices.DeleteFunc(p.forgot, func(f forgot) bool { return f.app == app })
		p.forgot = append(p.forgot, forgot{app, m.now})
		p.unwritten = true
		return nil
	})
}
