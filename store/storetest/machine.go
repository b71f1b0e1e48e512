package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"countersign"
)

func modelScenarios() []scenario {
	return []scenario{
		{"Model/random moves", func(k *kit) {
			rapid.Check(k.T, func(t *rapid.T) {
				m := &machine{k: k, phone: NewPhone()}
				t.Repeat(map[string]func(*rapid.T){
					"":            m.agree,
					"begin":       m.begin,
					"sent":        m.picked(m.sent),
					"resend":      m.picked(m.resend),
					"check":       m.picked(m.check),
					"check often": m.picked(m.checkOften),
					"check right": m.picked(m.checkRight),
					"check old":   m.picked(m.checkOld),
					"check phone": m.picked(m.checkPhone),
					"cancel":      m.picked(m.cancel),
					"unlock":      m.unlock,
					"forget":      m.forget,
					"sweep":       m.sweep,
					"wait":        m.wait,
				})
			})
		}},
	}
}

// machine makes the same random moves on a store and on a model, for a phone of its own (INV-2).
type machine struct {
	k     *kit
	phone countersign.Hash
	model model
	codes int
}

// device draws who makes a move: a stranger, or one of a few devices that have proved the phone.
func (m *machine) device(t *rapid.T) *countersign.Device {
	n := rapid.IntRange(-4, 6).Draw(t, "device")
	if n < 0 {
		return nil
	}
	return &countersign.Device{ID: hash(fmt.Sprint("device", n)), Phone: m.phone, Issued: m.k.store.Now().Add(-time.Duration(n)*time.Hour - time.Second/2)}
}

// forget is rare for the same reason as unlock.
func (m *machine) forget(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rare") != 0 {
		return
	}
	app := rapid.SampledFrom([]string{testApp, otherApp}).Draw(t, "app")
	if err := m.k.store.ForgetDevices(m.k.ctx, app, m.phone); err != nil {
		t.Fatalf("forgetting devices: %v", err)
	}
	if m.model.forgotAt == nil {
		m.model.forgotAt = map[string]time.Time{}
	}
	m.model.forgotAt[app] = m.k.store.Now()
	// The model knows the instant only nearly, so no device is issued near it.
	if err := m.k.store.Advance(m.k.ctx, time.Minute); err != nil {
		t.Fatalf("advancing: %v", err)
	}
}

// newCode gives a code that no verification of this phone has had.
func (m *machine) newCode() string {
	m.codes++
	return strconv.Itoa(100_000 + m.codes)
}

// picked makes an action of a move on one of the verifications so far, a recent one rather than an old one. Before
// anything has begun it does nothing.
func (m *machine) picked(move func(t *rapid.T, r *modelRecord)) func(t *rapid.T) {
	return func(t *rapid.T) {
		if n := len(m.model.records); n > 0 {
			move(t, m.model.records[n-1-rapid.IntRange(0, min(n, 4)-1).Draw(t, "back")])
		}
	}
}

// judge compares an answer about a record with what the model says of its instant. A store may forget what has
// ended for long; then there is nothing to compare, and the answer is false.
func (m *machine) judge(t *rapid.T, r *modelRecord, o *countersign.Outcome, err error, want func(now time.Time) countersign.Result) bool {
	if errors.Is(err, countersign.ErrNotFound) && !r.live(m.k.store.Now()) {
		return false
	}
	if err != nil {
		t.Fatalf("the move failed: %v", err)
	}
	now := o.Now.Truncate(time.Millisecond)
	if w := want(now); o.Result != w {
		t.Fatalf("the store says %s, want %s", resultName(o.Result), resultName(w))
	}
	return true
}

func (m *machine) begin(t *rapid.T) {
	app := rapid.SampledFrom([]string{testApp, otherApp}).Draw(t, "app")
	b := NewBegin(m.k.ring, app, m.phone, m.newCode())
	code := strconv.Itoa(100_000 + m.codes)
	b.Supersede, b.Exempt = rapid.Bool().Draw(t, "supersede"), rapid.Bool().Draw(t, "exempt")
	b.Record.Face = rapid.SampledFrom([]countersign.Face{countersign.FaceREST, countersign.FacePage}).Draw(t, "face")
	b.Record.Purpose = rapid.SampledFrom([]countersign.Purpose{countersign.PurposeLogin, countersign.PurposeSignup}).Draw(t, "purpose")
	r := &modelRecord{
		id: b.Record.ID, app: app, purpose: b.Record.Purpose, face: b.Record.Face, code: code,
		maxChecks: b.Record.MaxChecks, maxSends: b.Record.MaxSends,
	}
	b.Device = m.device(t)
	o, err := m.k.store.Begin(m.k.ctx, b)
	m.judge(t, r, o, err, func(now time.Time) countersign.Result {
		return m.model.begin(r, b.Supersede, b.Exempt, b.Lease, b.Device, now)
	})
}

func (m *machine) sent(t *rapid.T, r *modelRecord) {
	end := rapid.SampledFrom([]countersign.Status{"", "", "", countersign.StatusUndeliverable}).Draw(t, "end")
	o, err := m.k.store.Sent(m.k.ctx, &countersign.Sent{ID: r.id, Channel: countersign.ChannelSMS, Delivery: delivery("msg_"+r.id, countersign.DeliverySent), End: end})
	if err != nil {
		t.Fatalf("the move failed: %v", err)
	}
	if o.Result == countersign.OutcomeUnknown && !r.live(m.k.store.Now()) {
		return
	}
	if r.live(o.Now.Truncate(time.Millisecond)) {
		r.lease = time.Time{}
		if end != "" {
			r.status = end
		}
	}
}

func (m *machine) resend(t *rapid.T, r *modelRecord) {
	move := &countersign.Resend{App: r.app, ID: r.id, MinLife: countersign.MinResendLife, Lease: testLease, Exempt: rapid.Bool().Draw(t, "exempt")}
	fresh := ""
	if rapid.Bool().Draw(t, "new code") {
		fresh = m.newCode()
		move.NewCode = &countersign.Recode{CodeKey: 1, Nonce: []byte("fedcba9876543210"), Tag: m.k.ring.NewTag(r.app, r.id, countersign.NewCode(fresh))}
	}
	move.Device = m.device(t)
	o, err := m.k.store.Resend(m.k.ctx, move)
	m.judge(t, r, o, err, func(now time.Time) countersign.Result { return m.model.resend(r, fresh, move.Exempt, move.Device, now) })
}

func (m *machine) check(t *rapid.T, r *modelRecord) {
	m.guess(t, r, rapid.SampledFrom([]string{"999999", "999998", "9999999"}).Draw(t, "typed"))
}

// checkOften guesses wrong until a lock-out comes near.
func (m *machine) checkOften(t *rapid.T, r *modelRecord) {
	for range rapid.IntRange(2, 7).Draw(t, "times") {
		m.guess(t, r, "999999")
	}
}

func (m *machine) checkRight(t *rapid.T, r *modelRecord) {
	m.guess(t, r, r.code)
}

// checkOld types what was the code before a resend changed it.
func (m *machine) checkOld(t *rapid.T, r *modelRecord) {
	if len(r.oldCodes) > 0 {
		m.guess(t, r, rapid.SampledFrom(r.oldCodes).Draw(t, "old"))
	}
}

func (m *machine) guess(t *rapid.T, r *modelRecord, typed string) {
	c, err := NewCheck(m.k.ring, r.app, r.id, typed)
	if err != nil {
		t.Fatal(err)
	}
	c.Device = m.device(t)
	o, err := m.k.store.Check(m.k.ctx, c)
	left := 0
	compared := m.judge(t, r, o, err, func(now time.Time) (want countersign.Result) {
		want, left = m.model.check(r, typed, c.Device, now)
		return want
	})
	if compared && o.Result == countersign.OutcomeIncorrect && o.ChecksLeft != left {
		t.Fatalf("%d checks left, want %d", o.ChecksLeft, left)
	}
}

func (m *machine) checkPhone(t *rapid.T, r *modelRecord) {
	typed := rapid.SampledFrom([]string{r.code, r.code, "999999", "9999999"}).Draw(t, "typed")
	guess, err := countersign.ParseGuess(typed)
	if err != nil {
		t.Fatal(err)
	}
	move := &countersign.CheckPhone{
		App: r.app, Phone: m.phone, Purpose: r.purpose, Tags: map[string][]countersign.Tag{}, Shape: guess.Shape(), Length: guess.Len(),
		JTI: "prf_by_phone", Lease: time.Second,
	}
	for _, other := range m.model.records {
		move.Tags[other.id] = m.k.ring.TagsFor(other.app, other.id, guess)
	}
	move.Device = m.device(t)
	o, err := m.k.store.CheckPhone(m.k.ctx, move)
	var approved *modelRecord
	m.judge(t, r, o, err, func(now time.Time) (want countersign.Result) {
		want, approved = m.model.checkPhone(r.app, r.purpose, typed, move.Device, now)
		return want
	})
	if approved != nil && o.Record.ID != approved.id {
		t.Fatalf("another record was approved than the one whose code was typed")
	}
}

func (m *machine) cancel(t *rapid.T, r *modelRecord) {
	o, err := m.k.store.Cancel(m.k.ctx, &countersign.Cancel{App: r.app, ID: r.id, Status: countersign.StatusCanceled})
	m.judge(t, r, o, err, func(now time.Time) countersign.Result {
		refusal, over := r.over(now)
		if !over {
			r.status = countersign.StatusCanceled
			return countersign.OutcomeOK
		}
		return refusal
	})
}

// unlock is rare: it would keep every run away from the lock-out.
func (m *machine) unlock(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "rare") != 0 {
		return
	}
	if _, err := m.k.store.Unlock(m.k.ctx, m.phone); err != nil {
		t.Fatalf("unlocking: %v", err)
	}
	m.model.guesses, m.model.streak = nil, 0
	for _, o := range m.model.devices {
		o.guesses = nil
	}
}

// sweep ends what expired, on whatever phone, and takes leases; the model follows by what the store then says.
func (m *machine) sweep(t *rapid.T) {
	swept, err := m.k.store.Sweep(m.k.ctx, testLease, 10_000)
	if err != nil {
		t.Fatalf("sweeping: %v", err)
	}
	for _, r := range m.model.records {
		if n := find(swept, r.id); n != nil && n.Status == countersign.StatusPending {
			r.lease = n.Lease
		}
	}
}

func (m *machine) wait(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		time.Second, 11 * time.Second, 31 * time.Second, 61 * time.Second, 121 * time.Second, testLifetime, 11 * time.Minute, 13 * time.Hour,
	}).Draw(t, "wait")
	if err := m.k.store.Advance(m.k.ctx, d); err != nil {
		t.Fatalf("advancing: %v", err)
	}
}

// agree compares the last verifications and the phone, after each move.
func (m *machine) agree(t *rapid.T) {
	records := m.model.records
	for _, r := range records[max(0, len(records)-2):] {
		o, ok, err := m.k.store.Lookup(m.k.ctx, r.id)
		if err != nil {
			t.Fatalf("looking up: %v", err)
		}
		if !ok {
			if r.live(m.k.store.Now()) {
				t.Fatalf("a pending verification is not in the store")
			}
			continue
		}
		now := o.Now.Truncate(time.Millisecond)
		r.live(now)
		have := fmt.Sprintf("%s, %d checks, %d sends; the phone has %d checks and %d sends, locked %v, hard %v",
			o.Record.Status, o.Record.Checks, o.Record.Sends, o.Phone.ChecksLeft, o.Phone.SendsLeft, o.Phone.Locked, o.Phone.Hard)
		want := fmt.Sprintf("%s, %d checks, %d sends; the phone has %d checks and %d sends, locked %v, hard %v",
			r.status, r.checks, r.sends, m.model.checksLeft(nil, now), m.model.sendsLeft(now), m.model.locked(nil, now), m.model.hard(now))
		if have != want {
			t.Fatalf("the store says %s\n       want %s", have, want)
		}
	}
}
