package storetest

import (
	"time"

	"countersign"
)

// model is the suite's own idea of one phone, kept as plainly as can be: whole histories, no windows cut off, no
// index. It is asked after the store, with the instant of the store's answer, and says what the answer had to be.
type model struct {
	records []*modelRecord // in the order of their beginning
	sends   []time.Time
	guesses []time.Time
	streak  int
	wrongAt time.Time

	devices  map[countersign.Hash]*modelDevice
	forgotAt map[string]time.Time // by app
}

// modelDevice is what one device has used of its own.
type modelDevice struct {
	sends   []time.Time
	guesses []time.Time
	last    time.Time // of any send
}

// own is the device's own account, or nil where it has none.
func (m *model) own(d *countersign.Device, app string, now time.Time) *modelDevice {
	if d == nil {
		return nil
	}
	if at, ok := m.forgotAt[app]; ok && !d.Issued.After(at) {
		return nil
	}
	active := 0
	for id, o := range m.devices {
		if within(o.sends, now, countersign.PhoneWindow)+within(o.guesses, now, countersign.PhoneWindow) > 0 || now.Sub(o.last) < countersign.Cooldown(1) {
			if id == d.ID {
				return o
			}
			active++
		}
	}
	if active >= countersign.MaxDevices {
		return nil
	}
	if m.devices[d.ID] == nil {
		if m.devices == nil {
			m.devices = map[countersign.Hash]*modelDevice{}
		}
		m.devices[d.ID] = &modelDevice{}
	}
	return m.devices[d.ID]
}

func (o *modelDevice) checksLeft(now time.Time) int {
	if o == nil {
		return 0
	}
	return max(0, countersign.MaxDeviceChecks-within(o.guesses, now, countersign.PhoneWindow))
}

func (o *modelDevice) sendsLeft(now time.Time) int {
	if o == nil {
		return 0
	}
	return max(0, countersign.MaxDeviceSends-within(o.sends, now, countersign.PhoneWindow))
}

// modelRecord is one verification with its code in clear.
type modelRecord struct {
	id, app   string
	purpose   countersign.Purpose
	face      countersign.Face
	code      string
	oldCodes  []string // what the code was before a resend changed it
	status    countersign.Status
	created   time.Time
	expires   time.Time
	lease     time.Time
	checks    int
	maxChecks int
	sends     int
	maxSends  int
}

// live says whether a record is pending at now, ending it when its time ran out.
func (r *modelRecord) live(now time.Time) bool {
	if r.status == countersign.StatusPending && !now.Before(r.expires) {
		r.status = countersign.StatusExpired
	}
	return r.status == countersign.StatusPending
}

// within counts the instants that are less than d old.
func within(instants []time.Time, now time.Time, d time.Duration) int {
	n := 0
	for _, at := range instants {
		if now.Sub(at) < d {
			n++
		}
	}
	return n
}

func (m *model) hard(now time.Time) bool {
	if now.Sub(m.wrongAt) >= countersign.StreakLifetime {
		m.streak = 0
	}
	return m.streak >= countersign.MaxPhoneStreak
}

func (m *model) usedUp(now time.Time) bool {
	return within(m.guesses, now, countersign.PhoneWindow) >= countersign.MaxPhoneChecks
}

func (m *model) locked(o *modelDevice, now time.Time) bool {
	return m.hard(now) || m.usedUp(now) && o.checksLeft(now) == 0
}

func (m *model) checksLeft(o *modelDevice, now time.Time) int {
	m.hard(now)
	return max(0, min(countersign.MaxPhoneChecks-within(m.guesses, now, countersign.PhoneWindow)+o.checksLeft(now), countersign.MaxPhoneStreak-m.streak))
}

func (m *model) sendsLeft(now time.Time) int {
	return max(0, min(countersign.MaxSendsBurst-within(m.sends, now, countersign.SendsBurst), countersign.MaxSendsDay-within(m.sends, now, countersign.PhoneWindow)))
}

// sendRefusal says which send limit refuses a counted send, if any.
func (m *model) sendRefusal(now time.Time) (countersign.Result, bool) {
	if n := within(m.sends, now, countersign.PhoneWindow); n > 0 && now.Before(m.sends[len(m.sends)-1].Add(countersign.Cooldown(n))) {
		return countersign.OutcomeTooSoon, true
	}
	return countersign.OutcomeTooManySends, m.sendsLeft(now) == 0
}

// sendRefusalTo is the same for a device, which has sends of its own.
func (m *model) sendRefusalTo(o *modelDevice, now time.Time) (countersign.Result, bool) {
	refusal, refused := m.sendRefusal(now)
	switch {
	case !refused || o == nil:
		return refusal, refused
	case o.sendsLeft(now) == 0:
		return refusal, true
	case now.Sub(o.last) < countersign.Cooldown(1):
		return countersign.OutcomeTooSoon, true
	}
	return countersign.OutcomeOK, false
}

func (m *model) send(o *modelDevice, now time.Time) {
	if _, refused := m.sendRefusal(now); refused {
		o.sends = append(o.sends, now)
	} else {
		m.sends = append(m.sends, now)
	}
	if o != nil {
		o.last = now
	}
}

// begin says what a start of a record must give, and starts it.
func (m *model) begin(r *modelRecord, supersede, exempt bool, lease time.Duration, d *countersign.Device, now time.Time) countersign.Result {
	o := m.own(d, r.app, now)
	if m.locked(o, now) {
		return countersign.OutcomeLocked
	}
	if refusal, refused := m.sendRefusalTo(o, now); !exempt && refused {
		return refusal
	}
	pending := 0
	for _, old := range m.records {
		if old.live(now) && old.app == r.app && (!supersede || old.face != r.face) {
			pending++
		}
	}
	if pending >= countersign.MaxPending {
		return countersign.OutcomePending
	}
	for _, old := range m.records {
		if supersede && old.live(now) && old.app == r.app && old.face == r.face {
			old.status = countersign.StatusCanceled
		}
	}
	if !exempt {
		m.send(o, now)
	}
	r.status, r.created, r.expires, r.sends, r.lease = countersign.StatusPending, now, now.Add(testLifetime), 1, now.Add(lease)
	m.records = append(m.records, r)
	return countersign.OutcomeOK
}

// resend says what another message must give, and counts it.
func (m *model) resend(r *modelRecord, newCode string, exempt bool, d *countersign.Device, now time.Time) countersign.Result {
	if refusal, over := r.over(now); over {
		return refusal
	}
	o := m.own(d, r.app, now)
	if m.locked(o, now) {
		return countersign.OutcomeLocked
	}
	switch refusal, refused := m.sendRefusalTo(o, now); {
	case r.sends >= r.maxSends:
		return countersign.OutcomeTooManySends
	case newCode == "" && r.expires.Sub(now) < countersign.MinResendLife:
		return countersign.OutcomeExpired
	case !exempt && refused:
		return refusal
	case now.Before(r.lease):
		return countersign.OutcomeBusy
	}
	if !exempt {
		m.send(o, now)
	}
	r.sends++
	r.lease = now.Add(testLease)
	if newCode != "" {
		r.oldCodes = append(r.oldCodes, r.code)
		r.code = newCode
	}
	return countersign.OutcomeOK
}

// over says how a move on a record that has ended is refused.
func (r *modelRecord) over(now time.Time) (countersign.Result, bool) {
	switch {
	case r.live(now):
		return countersign.OutcomeOK, false
	case r.status == countersign.StatusExpired:
		return countersign.OutcomeExpired, true
	}
	return countersign.OutcomeClosed, true
}

// check says what a guess must give, and counts it.
func (m *model) check(r *modelRecord, typed string, d *countersign.Device, now time.Time) (countersign.Result, int) {
	if refusal, over := r.over(now); over {
		return refusal, 0
	}
	if len(typed) != len(r.code) {
		return countersign.OutcomeShape, 0
	}
	o := m.own(d, r.app, now)
	if m.locked(o, now) {
		return countersign.OutcomeLocked, 0
	}
	m.guess(o, now)
	return m.compare(r, typed), m.left(r, o, now)
}

func (m *model) guess(o *modelDevice, now time.Time) {
	m.hard(now)
	if m.usedUp(now) {
		o.guesses = append(o.guesses, now)
	} else {
		m.guesses = append(m.guesses, now)
	}
	m.streak++
	m.wrongAt = now
}

func (m *model) compare(r *modelRecord, typed string) countersign.Result {
	r.checks++
	if typed == r.code {
		r.status, m.streak = countersign.StatusApproved, 0
		return countersign.OutcomeApproved
	}
	if r.checks >= r.maxChecks {
		r.status = countersign.StatusFailed
	}
	return countersign.OutcomeIncorrect
}

func (m *model) left(r *modelRecord, o *modelDevice, now time.Time) int {
	if r.status.Final() {
		return 0
	}
	return max(0, min(r.maxChecks-r.checks, m.checksLeft(o, now)))
}

// checkPhone says what a guess against everything pending of an app and purpose must give.
func (m *model) checkPhone(app string, purpose countersign.Purpose, typed string, d *countersign.Device, now time.Time) (result countersign.Result, approved *modelRecord) {
	var compared []*modelRecord
	pending := 0
	for _, r := range m.records {
		if r.app != app || r.purpose != purpose || !r.live(now) {
			continue
		}
		pending++
		if len(typed) == len(r.code) {
			compared = append(compared, r)
		}
	}
	o := m.own(d, app, now)
	switch {
	case pending == 0:
		return countersign.OutcomeNone, nil
	case len(compared) == 0:
		return countersign.OutcomeShape, nil
	case m.locked(o, now):
		return countersign.OutcomeLocked, nil
	}
	m.guess(o, now)
	result = countersign.OutcomeIncorrect
	for _, r := range compared {
		if m.compare(r, typed) == countersign.OutcomeApproved {
			result, approved = countersign.OutcomeApproved, r
		}
	}
	return result, approved
}
