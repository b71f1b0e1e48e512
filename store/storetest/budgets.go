package storetest

import (
	"math"
	"math/rand/v2"
	"time"

	"countersign"
)

func budgetScenarios() []scenario {
	return []scenario{
		{"Budget/success refunds", budgetRefund},
		{"Budget/never fuller than full", budgetFull},
		{"Budget/one phone refunds once", budgetOnce},
		{"Budget/sum", budgetSum},
		{"Budget/a bill that came out higher", budgetCharge},
		{"Budget/shadow", budgetShadow},
		{"Budget/peek", budgetPeek},
		{"Budget/release gives back the cost", budgetRelease},
		{"Budget/reference model", budgetModel},
		{"ForgetLimits/budgets", forgetBudgets},
		{"PhoneState", phoneStands},
	}
}

func (k *kit) takeOnly(limits ...countersign.Limit) *countersign.Taken {
	k.Helper()
	return k.take(&countersign.Take{Limits: limits})
}

func (k *kit) refund(limits ...countersign.Limit) {
	k.Helper()
	if err := k.store.Refund(k.ctx, []countersign.Refund{{Limits: limits}}); err != nil {
		k.Fatalf("refunding: %v", err)
	}
}

func (k *kit) remaining(l countersign.Limit, want int) {
	k.Helper()
	t := k.take(&countersign.Take{Limits: []countersign.Limit{l}, Peek: true})
	if got := t.Rates[0].Remaining; got != want {
		k.Errorf("of the limit %s remain %d, want %d", l.Name, got, want)
	}
}

func budgetRefund(k *kit) {
	b := countersign.Budget{Capacity: 4, Refill: 1}.Limit("prefix", hash("p"))
	app := countersign.Budget{Capacity: 100, Refill: 1}.Limit("app", hash("app"))
	for range 4 {
		k.admitted(k.takeOnly(app, b), true)
	}
	if t := k.admitted(k.takeOnly(app, b), false); t.Refused.Limit != b || t.Refused.RetryIn <= 59*time.Minute {
		k.Errorf("refused: %+v", t.Refused)
	}
	k.refund(app, b)
	k.remaining(b, 2)
	k.remaining(app, 98)
	for range 2 {
		k.admitted(k.takeOnly(app, b), true)
	}
	k.admitted(k.takeOnly(app, b), false)
	k.remaining(app, 96)
	k.advance(time.Hour + time.Second)
	k.admitted(k.takeOnly(app, b), true)
	k.admitted(k.takeOnly(app, b), false)
}

func budgetFull(k *kit) {
	b := countersign.Budget{Capacity: 3, Refill: 1}.Limit("prefix", hash("p"))
	k.refund(b)
	k.remaining(b, 3)
	k.takeOnly(b)
	k.refund(b, countersign.Limit{Name: "none", Key: hash("q"), Burst: 1, Period: time.Hour})
	k.refund(b)
	k.refund()
	for range 3 {
		k.admitted(k.takeOnly(b), true)
	}
	k.admitted(k.takeOnly(b), false)
}

func budgetOnce(k *kit) {
	b := countersign.Budget{Capacity: 9, Refill: 1}.Limit("prefix", hash("p"))
	other := countersign.Budget{Capacity: 9, Refill: 1}.Limit("country", hash("c"))
	once := func(phone string) countersign.Refund {
		return countersign.Refund{Once: limit("phone_refunds", phone, 1, 24*time.Hour), Limits: []countersign.Limit{b, other}}
	}
	refund := func(refunds ...countersign.Refund) {
		if err := k.store.Refund(k.ctx, refunds); err != nil {
			k.Fatal(err)
		}
	}
	for range 9 {
		k.takeOnly(b, other)
	}
	refund(once("one"))
	k.remaining(b, 2)
	refund(once("one"), once("two"))
	k.remaining(b, 5)
	k.remaining(other, 5)
	refund()
	refund(once("two"))
	k.remaining(b, 6)
	k.advance(24 * time.Hour)
	for range 9 {
		k.takeOnly(b, other)
	}
	refund(once("one"))
	k.remaining(other, 2)
}

func (k *kit) sum(most, cost int, ends time.Duration) countersign.Limit {
	now := k.take(&countersign.Take{Limits: []countersign.Limit{limit("clock", "clock", 1, time.Hour)}, Peek: true}).Now
	return countersign.Limit{Name: "spend_day", Key: hash("money"), Burst: most, Cost: cost, Until: now.Add(ends).Truncate(time.Second)}
}

func budgetSum(k *kit) {
	l := k.sum(100_000_000_000_000, 30_000_000_000_000, time.Hour)
	for i := range 3 {
		if t := k.admitted(k.takeOnly(l), true); t.Rates[0].Remaining != 100_000_000_000_000-(i+1)*l.Cost || t.Rates[0].Reset <= 0 {
			k.Errorf("after %d: %+v", i+1, t.Rates[0])
		}
	}
	if t := k.admitted(k.takeOnly(l), false); t.Refused.RetryIn < 50*time.Minute || t.Refused.RetryIn > time.Hour || t.Refused.Remaining != 10_000_000_000_000 {
		k.Errorf("refused: %+v", t.Refused)
	}
	small := l
	small.Cost = 10_000_000_000_000
	k.admitted(k.takeOnly(small), true)
	small.Cost = 1
	k.admitted(k.takeOnly(small), false)
	k.advance(time.Hour)
	l.Until = l.Until.Add(time.Hour)
	k.remaining(l, l.Burst)
	k.admitted(k.takeOnly(l), true)
}

func budgetCharge(k *kit) {
	l := k.sum(100, 40, time.Hour)
	k.takeOnly(l)
	l.Back = -70 // it cost 110
	k.refund(l)
	k.remaining(l, 0)
	l.Back = 15
	k.refund(l)
	k.remaining(l, 5)
}

func budgetShadow(k *kit) {
	trial, real := limit("trial", "t", 2, time.Hour), limit("real", "r", 5, time.Hour)
	trial.Shadow = true
	for i := range 5 {
		t := k.admitted(k.takeOnly(trial, real), true)
		if over := i >= 2; t.Rates[0].Over != over || t.Rates[1].Over {
			k.Errorf("at the %d. take: %+v", i+1, t.Rates)
		}
	}
	k.advance(31 * time.Minute)
	if t := k.takeOnly(trial); t.Rates[0].Over {
		k.Error("what a shadow limit has no room for was counted")
	}
	for range 5 {
		k.takeOnly(real)
	}
	if t := k.takeOnly(trial, real); t.Refused == nil || t.Refused.Limit != real {
		k.Errorf("beside a shadow limit: %+v", t.Refused)
	}
}

func budgetPeek(k *kit) {
	l := limit("starts", "a", 1, time.Hour)
	peek := &countersign.Take{Limits: []countersign.Limit{l}, Peek: true}
	for range 3 {
		if t := k.admitted(k.take(peek), true); t.Rates[0].Remaining != 1 || t.Rates[0].Over {
			k.Fatalf("peeking counted: %+v", t.Rates)
		}
	}
	k.takeOnly(l)
	for range 3 {
		if t := k.admitted(k.take(peek), false); !t.Rates[0].Over || t.Rates[0].Remaining != 0 || t.Rates[0].RetryIn <= 0 {
			k.Fatalf("peeking at what is used up: %+v", t.Rates)
		}
	}
}

func budgetRelease(k *kit) {
	l := limit("starts", "a", 10, time.Hour)
	l.Cost = 4
	s := k.sum(100, 60, time.Hour)
	for range 3 {
		k.admitted(k.takeOnly(l, s), true)
		if err := k.store.Release(k.ctx, &countersign.Take{Limits: []countersign.Limit{l, s}}); err != nil {
			k.Fatal(err)
		}
	}
	k.remaining(l, 10)
	k.remaining(s, 100)
}

func forgetBudgets(k *kit) {
	b := countersign.Budget{Capacity: 1, Refill: 1}.Limit("prefix", hash("p"))
	s := k.sum(10, 10, time.Hour)
	k.admitted(k.takeOnly(b, s), true)
	k.admitted(k.takeOnly(b, s), false)
	k.forgetLimits()
	k.admitted(k.takeOnly(b, s), true)
}

func phoneStands(k *kit) {
	stater, ok := k.store.(countersign.PhoneStater)
	if !ok {
		k.Fatal("the store does not tell how a phone stands")
	}
	phone := NewPhone()
	stands := func(sends, checks int) {
		k.Helper()
		p, now, err := stater.PhoneState(k.ctx, phone)
		if err != nil || p.SendsLeft != sends || p.ChecksLeft != checks || now.IsZero() {
			k.Errorf("the phone stands at %+v, %v; want %d sends and %d checks", p, err, sends, checks)
		}
	}
	stands(countersign.MaxSendsBurst, countersign.MaxPhoneChecks)
	r := k.begin(phone, counted)
	k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	stands(countersign.MaxSendsBurst-1, countersign.MaxPhoneChecks-1)
	stands(countersign.MaxSendsBurst-1, countersign.MaxPhoneChecks-1)
}

// bucket is a budget as one writes it down first: a level that rises with time. A GCRA must not be told from it.
type bucket struct {
	level float64
	at    time.Time
}

func (b *bucket) fill(l countersign.Limit, now time.Time) {
	if b.at.IsZero() {
		b.level = float64(l.Burst)
	} else {
		b.level += float64(now.Sub(b.at)) / float64(l.Period) * float64(l.Burst)
	}
	b.level, b.at = math.Min(b.level, float64(l.Burst)), now
}

// budgetModel plays takes, refunds and time against buckets. A step may only be judged where rounding to a millisecond
// cannot decide it.
func budgetModel(k *kit) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	limits := []countersign.Limit{
		countersign.Budget{Capacity: 5, Refill: 60}.Limit("a", hash("a")),
		countersign.Budget{Capacity: 3, Refill: 10}.Limit("b", hash("b")),
		countersign.Budget{Capacity: 40, Refill: 400}.Limit("c", hash("c")),
	}
	limits[2].Cost = 7
	buckets := make([]bucket, len(limits))
	admitted, refused := 0, 0
	for step := range 400 {
		switch r.IntN(8) {
		case 0:
			k.advance(time.Duration(r.IntN(5*60_000)) * time.Millisecond)
		case 1:
			// Time for the bucket must be the store's: a peek has it.
			now := k.take(&countersign.Take{Limits: limits, Peek: true}).Now
			k.refund(limits...)
			for i, l := range limits {
				buckets[i].fill(l, now)
				buckets[i].level = math.Min(buckets[i].level+float64(l.Back), float64(l.Burst))
			}
		default:
			t := k.takeOnly(limits...)
			fits, edge := true, false
			for i, l := range limits {
				buckets[i].fill(l, t.Now)
				room := buckets[i].level - float64(l.Spends())
				fits = fits && room >= 0
				edge = edge || math.Abs(room) < 0.01
			}
			if got := t.Refused == nil; got != fits && !edge {
				k.Fatalf("seed %d, step %d: admitted %v, the buckets say %v: %+v", seed, step, got, fits, buckets)
			}
			if t.Refused != nil {
				refused++
				continue
			}
			admitted++
			for i, l := range limits {
				buckets[i].level -= float64(l.Spends())
			}
		}
	}
	if admitted < 20 || refused < 20 {
		k.Fatalf("seed %d proves little: %d admitted, %d refused", seed, admitted, refused)
	}
}
