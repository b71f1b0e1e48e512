package simulate

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"countersign"
	"countersign/guard"
	numbers "countersign/phone"
)

// world is one run: a clock, what happens next, what was counted, and the guard that is tried.
type world struct {
	now   time.Time
	end   time.Time
	rng   *rand.Rand
	queue queue

	app    *countersign.App
	judge  countersign.Guard
	counts *guard.Counts
	phones map[string]*phone
	price  func(numbers.Number) int64 // of one message, in millionths of the currency

	result Result
	chart  *chart
}

// event is something that happens at an instant. Equal instants happen in the order in which they were put.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type queue struct {
	list []event
	seq  int
}

func (q *queue) Len() int { return len(q.list) }
func (q *queue) Less(i, j int) bool {
	a, b := &q.list[i], &q.list[j]
	return a.at.Before(b.at) || a.at.Equal(b.at) && a.seq < b.seq
}
func (q *queue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }
func (q *queue) Push(x any)    { q.list = append(q.list, x.(event)) }
func (q *queue) Pop() any {
	last := len(q.list) - 1
	e := q.list[last]
	q.list[last] = event{}
	q.list = q.list[:last]
	return e
}

// at puts something on the queue. What would happen after the end does not.
func (w *world) at(t time.Time, do func()) {
	if t.After(w.end) {
		return
	}
	w.queue.seq++
	heap.Push(&w.queue, event{t, w.queue.seq, do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// run plays everything. It tells every simulated hour how far it has come, and stops early when told so.
func (w *world) run(tell func(done float64) bool) {
	began := w.now
	next := began
	for w.queue.Len() > 0 {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		if tell != nil && !w.now.Before(next) {
			next = w.now.Add(time.Hour)
			if !tell(float64(w.now.Sub(began)) / float64(w.end.Sub(began))) {
				return
			}
		}
		e.do()
	}
}

// request is one wish for a message.
type request struct {
	to      numbers.Number
	from    netip.Addr
	again   bool // a resend
	device  bool // comes with the device token of a device that has proved this number
	solves  bool // does a proof of work when asked for one
	attack  bool
	channel countersign.Channel
}

// answer is what came of it.
type answer struct {
	sent       bool
	challenged bool
	kind       countersign.Kind // of the refusal
	message    *message
}

// message is one that went out, and what the guard wants to see again when it is answered.
type message struct {
	to      numbers.Number
	marks   []byte
	created time.Time
	attack  bool
	done    bool
}

// ask is a start or a resend on its way, in the engine's order: the guard's rules, what it wants counted, the phone.
func (w *world) ask(r *request) answer {
	got := w.judged(r, w.attempt(r, 0))
	if got.kind != countersign.ErrChallengeRequired || !r.solves {
		return got
	}
	again := w.judged(r, w.attempt(r, countersign.MaxDifficulty))
	again.challenged = true
	return again
}

func (w *world) attempt(r *request, solved int) *countersign.Attempt {
	action := countersign.ActionStart
	if r.again {
		action = countersign.ActionSend
	}
	channel := r.channel
	if channel == "" {
		channel = countersign.ChannelSMS
	}
	return &countersign.Attempt{
		Action: action, App: w.app, To: countersign.PhoneAddress(r.to), Channel: channel, Purpose: countersign.PurposeLogin,
		Client: countersign.Client{Addr: r.from}, Face: countersign.FacePage, Now: w.now, Solved: solved, Proved: r.device, Hash: guard.PlainHash,
	}
}

func (w *world) judged(r *request, a *countersign.Attempt) answer {
	limits, err := w.judge.Judge(a)
	if err != nil {
		if wish := (*countersign.Demand)(nil); errors.As(err, &wish) {
			err = &countersign.Error{Kind: countersign.ErrChallengeRequired, Limit: wish.Rule}
		}
		w.judge.Decided(a, nil, err)
		return refusedBy(err)
	}
	if a.Solved > 0 {
		limits = unpaid(limits, a.Solved)
	}
	taken := w.counts.TakeAt(w.now, limits)
	if taken.Refused != nil {
		err := over(taken.Refused)
		w.judge.Decided(a, taken, err)
		return refusedBy(err)
	}
	counted := admitted(limits, taken)
	if kind := kindOf(w.phone(r.to).maySend(w.now, r.device)); kind != "" {
		w.counts.ReleaseAt(w.now, counted)
		w.judge.Decided(a, taken, kind)
		return answer{kind: kind}
	}
	w.judge.Decided(a, taken, nil)
	return answer{sent: true, message: &message{to: r.to, marks: a.Marks, created: w.now, attack: r.attack}}
}

func refusedBy(err error) answer {
	kind := countersign.KindOf(err)
	return answer{kind: kind, challenged: kind == countersign.ErrChallengeRequired}
}

// unpaid is the limits that a proof of work of this difficulty does not pass.
func unpaid(limits []countersign.Limit, solved int) []countersign.Limit {
	list := make([]countersign.Limit, 0, len(limits))
	for _, l := range limits {
		if l.Challenge == 0 || l.Challenge > solved {
			list = append(list, l)
		}
	}
	return list
}

func over(r *countersign.Rate) error {
	if r.Limit.Challenge > 0 {
		return countersign.ErrChallengeRequired
	}
	return &countersign.Error{Kind: countersign.ErrRateLimited, Limit: r.Limit.Name, RetryAfter: r.RetryIn}
}

func admitted(limits []countersign.Limit, t *countersign.Taken) []countersign.Limit {
	list := make([]countersign.Limit, 0, len(limits))
	for i := range limits {
		if !t.Rates[i].Over {
			list = append(list, limits[i])
		}
	}
	return list
}

func kindOf(r countersign.Result) countersign.Kind {
	switch r {
	case countersign.OutcomeTooSoon:
		return countersign.ErrResendTooSoon
	case countersign.OutcomeTooManySends:
		return countersign.ErrTooManySends
	case countersign.OutcomeLocked:
		return countersign.ErrTooManyChecks
	}
	return ""
}

// guess checks a code. The right one approves, and gives back to the budgets.
func (w *world) guess(m *message, right, device bool) bool {
	p := w.phone(m.to)
	if m.done || w.now.Sub(m.created) > countersign.DefaultLifetime || !p.mayGuess(w.now, device) || !right {
		return false
	}
	m.done = true
	p.streak = 0
	r := w.judge.Approved(&countersign.Conversion{
		App: w.app, To: countersign.PhoneAddress(m.to), Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin,
		Marks: m.marks, Created: m.created, Now: w.now, Hash: guard.PlainHash,
	})
	w.counts.RefundAt(w.now, r)
	return true
}

func (w *world) phone(n numbers.Number) *phone {
	p := w.phones[n.E164()]
	if p == nil {
		p = &phone{}
		w.phones[n.E164()] = p
	}
	return p
}
