package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
)

// The invariants below race many callers against one store and count what came out. Each gives its violations as
// sentences; none means that the invariant held. A store that reads, decides and writes back breaks them.

// OneApproval races correct checks of one code: exactly one of them may approve it. It makes that many trials and
// gives one violation for each trial that went wrong (INV-1).
func OneApproval(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		b := NewBegin(ring, testApp, NewPhone(), rightCode)
		if err := begun(ctx, store, b); err != nil {
			return nil, err
		}
		results, err := race(parallel, func(i int) (countersign.Result, error) {
			c, err := NewCheck(ring, testApp, b.Record.ID, rightCode)
			if err != nil {
				return 0, err
			}
			c.Caller, c.JTI = hash(fmt.Sprint("caller", i)), fmt.Sprint("prf_", i)
			o, err := store.Check(ctx, c)
			return resultOf(o), err
		})
		if err != nil {
			return nil, err
		}
		if n := results[countersign.OutcomeApproved] + results[countersign.OutcomeRepeated]; n != 1 {
			violations = append(violations, fmt.Sprintf("trial %d: %d of %d correct checks were approved, want 1", trial, n, parallel))
		}
	}
	return violations, nil
}

// CappedGuesses races wrong guesses at one code: exactly MaxChecks of them may be compared (INV-3).
func CappedGuesses(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		b := NewBegin(ring, testApp, NewPhone(), rightCode)
		if err := begun(ctx, store, b); err != nil {
			return nil, err
		}
		results, err := race(parallel, func(int) (countersign.Result, error) { return guessWrong(ctx, store, ring, b.Record.ID) })
		if err != nil {
			return nil, err
		}
		if n := results[countersign.OutcomeIncorrect]; n != countersign.MaxChecks {
			violations = append(violations, fmt.Sprintf("trial %d: %d of %d wrong guesses were compared, want %d", trial, n, parallel, countersign.MaxChecks))
		}
	}
	return violations, nil
}

// CappedPhone races wrong guesses at one phone over that many rounds, each after a resend with a new code or, where
// the verification is used up, after a new start: exactly MaxPhoneChecks of all may be compared (INV-4).
func CappedPhone(ctx context.Context, store countersign.Store, rounds, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	phone := NewPhone()
	var id string
	compared := 0
	for range rounds {
		if id, err = sendAgain(ctx, store, ring, phone, id); err != nil {
			return nil, err
		}
		results, err := race(parallel, func(int) (countersign.Result, error) { return guessWrong(ctx, store, ring, id) })
		if err != nil {
			return nil, err
		}
		compared += results[countersign.OutcomeIncorrect]
	}
	if compared != countersign.MaxPhoneChecks {
		return []string{fmt.Sprintf("%d guesses of one phone were compared, want %d", compared, countersign.MaxPhoneChecks)}, nil
	}
	return nil, nil
}

// sendAgain resends a verification with a new code, or starts a new one when it is over. A refusal is fine: the
// guesses that follow are then made at what there is.
func sendAgain(ctx context.Context, store countersign.Store, ring *countersign.Keyring, phone countersign.Hash, id string) (string, error) {
	if id != "" {
		o, err := store.Resend(ctx, &countersign.Resend{
			App: testApp, ID: id, Exempt: true,
			NewCode: &countersign.Recode{CodeKey: 1, Nonce: []byte("fedcba9876543210"), Tag: ring.NewTag(testApp, id, countersign.NewCode("161803"))},
		})
		if err != nil || o.Result == countersign.OutcomeOK {
			return id, err
		}
	}
	b := NewBegin(ring, testApp, phone, rightCode)
	b.Supersede, b.Lease, b.Record.MaxSends = true, 0, 1000
	o, err := store.Begin(ctx, b)
	if err != nil || o.Result != countersign.OutcomeOK {
		return id, err
	}
	return b.Record.ID, nil
}

// OneStart races counted starts of one phone: exactly one is within the cooldown; and exempt ones: exactly
// MaxPending may be open at once (INV-8).
func OneStart(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		for _, exempt := range []bool{false, true} {
			phone, want := NewPhone(), 1
			if exempt {
				want = countersign.MaxPending
			}
			results, err := race(parallel, func(int) (countersign.Result, error) {
				b := NewBegin(ring, testApp, phone, rightCode)
				b.Exempt = exempt
				o, err := store.Begin(ctx, b)
				return resultOf(o), err
			})
			if err != nil {
				return nil, err
			}
			if n := results[countersign.OutcomeOK]; n != min(want, parallel) {
				violations = append(violations, fmt.Sprintf("trial %d, exempt %v: %d of %d starts were let through, want %d", trial, exempt, n, parallel, want))
			}
		}
	}
	return violations, nil
}

// OneEnd races three ends of one pending verification: the right code, the app's word that it is approved, and its cancel.
// Exactly one of them all may happen, and the record tells which: only a code leaves a proof's id.
func OneEnd(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		b := NewBegin(ring, testApp, NewPhone(), rightCode)
		if err := begun(ctx, store, b); err != nil {
			return nil, err
		}
		var coded, vouched, canceled atomic.Int64
		_, err := race(parallel, func(i int) (countersign.Result, error) {
			how, o, err := oneEnd(ctx, store, ring, b.Record.ID, i)
			if err == nil && !o.Replayed && (o.Result == countersign.OutcomeOK || o.Result == countersign.OutcomeApproved) {
				[]*atomic.Int64{&coded, &vouched, &canceled}[how].Add(1)
			}
			return resultOf(o), err
		})
		if err != nil {
			return nil, err
		}
		o, known, err := store.Lookup(ctx, b.Record.ID)
		if err != nil || !known {
			return nil, fmt.Errorf("looking an ended verification up: %t, %w", known, err)
		}
		want := [3]int64{}
		switch {
		case o.Record.Status == countersign.StatusApproved && o.Record.JTI != "":
			want[0] = 1
		case o.Record.Status == countersign.StatusApproved:
			want[1] = 1
		case o.Record.Status == countersign.StatusCanceled:
			want[2] = 1
		}
		if got := [3]int64{coded.Load(), vouched.Load(), canceled.Load()}; got != want || want == [3]int64{} {
			violations = append(violations, fmt.Sprintf("trial %d: %v ends by code, word and cancel; the record is %s with proof %q", trial, got, o.Record.Status, o.Record.JTI))
		}
	}
	return violations, nil
}

// oneEnd ends a verification in the i-th way of three.
func oneEnd(ctx context.Context, store countersign.Store, ring *countersign.Keyring, id string, i int) (how int, o *countersign.Outcome, err error) {
	switch how = i % 3; how {
	case 0:
		c, err := NewCheck(ring, testApp, id, rightCode)
		if err != nil {
			return how, nil, err
		}
		c.JTI = fmt.Sprint("prf_", i)
		o, err = store.Check(ctx, c)
		return how, o, err
	case 1:
		o, err = store.Cancel(ctx, &countersign.Cancel{App: testApp, ID: id, Status: countersign.StatusApproved})
	default:
		o, err = store.Cancel(ctx, &countersign.Cancel{App: testApp, ID: id, Status: countersign.StatusCanceled})
	}
	return how, o, err
}

// OneSettlement races settlements of one reserved check: exactly one may approve.
func OneSettlement(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	var violations []string
	for trial := range trials {
		b := NewBegin(ring, testApp, NewPhone(), rightCode)
		b.Record.Hosted, b.Record.HostedScope = "vendor", hash("scope")
		if err := begun(ctx, store, b); err != nil {
			return nil, err
		}
		check := func(int) (countersign.Result, error) { return guessWrong(ctx, store, ring, b.Record.ID) }
		reserved, err := race(parallel, check)
		if err != nil {
			return nil, err
		}
		settled, err := race(parallel, func(int) (countersign.Result, error) {
			o, err := store.Settle(ctx, &countersign.Settle{App: testApp, ID: b.Record.ID, Approved: true, JTI: "prf_settled"})
			return resultOf(o), err
		})
		if err != nil {
			return nil, err
		}
		if n, m := reserved[countersign.OutcomeReserved], settled[countersign.OutcomeApproved]; n != 1 || m != 1 {
			violations = append(violations, fmt.Sprintf("trial %d: %d reservations and %d approvals, want one of each", trial, n, m))
		}
	}
	return violations, nil
}

// OneTaker races the same idempotency key under a limit: one caller gets the key, and the limit counts one; then
// different callers under the limit: exactly its burst gets through (INV-13).
func OneTaker(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	const burst = 10
	var violations []string
	for trial := range trials {
		l := countersign.Limit{Name: "starts", Key: countersign.Hash(NewPhone()), Burst: burst, Period: time.Hour}
		key := NewPhone()
		var mu sync.Mutex
		seen, admitted := map[countersign.Seen]int{}, 0
		take := func(t *countersign.Take) (countersign.Result, error) {
			got, err := store.Take(ctx, t)
			if err != nil {
				return 0, err
			}
			mu.Lock()
			defer mu.Unlock()
			seen[got.Seen]++
			if got.Refused == nil && got.Seen == countersign.SeenNever {
				admitted++
			}
			return countersign.OutcomeOK, nil
		}
		_, err := race(parallel, func(i int) (countersign.Result, error) {
			return take(&countersign.Take{
				Limits: []countersign.Limit{l}, Key: key, Body: hash("body"), ID: fmt.Sprint("ver_", i), Lifetime: time.Hour, Lease: time.Minute,
			})
		})
		if err != nil {
			return nil, err
		}
		if seen[countersign.SeenNever] != 1 || seen[countersign.SeenRunning] != parallel-1 {
			violations = append(violations, fmt.Sprintf("trial %d: %d callers got one key", trial, seen[countersign.SeenNever]))
		}
		if _, err = race(parallel, func(int) (countersign.Result, error) {
			return take(&countersign.Take{Limits: []countersign.Limit{l}})
		}); err != nil {
			return nil, err
		}
		if want := min(burst, parallel+1); admitted != want {
			violations = append(violations, fmt.Sprintf("trial %d: %d got through a limit of %d", trial, admitted, want))
		}
	}
	return violations, nil
}

// HeldBudget races sends that do not convert over several prefixes of one country, with a few successes between: what is
// sent is at most the capacity and two for each success, on each level (INV-7).
func HeldBudget(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error) {
	const prefixes, successes = 3, 4
	var violations []string
	for trial := range trials {
		narrow, wide := countersign.Budget{Capacity: 8, Refill: 1}, countersign.Budget{Capacity: 15, Refill: 1}
		country := wide.Limit("country", countersign.Hash(NewPhone()))
		var list [prefixes]countersign.Limit
		for i := range list {
			list[i] = narrow.Limit("prefix", countersign.Hash(NewPhone()))
		}
		var sent [prefixes]atomic.Int64
		_, err := race(parallel, func(i int) (countersign.Result, error) {
			p := i % prefixes
			limits := []countersign.Limit{list[p], country}
			t, err := store.Take(ctx, &countersign.Take{Limits: limits})
			if err != nil {
				return 0, err
			}
			if t.Refused == nil {
				sent[p].Add(1)
			}
			if i < successes*prefixes && p == 0 { // the first prefix converts some
				err = store.Refund(ctx, []countersign.Refund{{Limits: limits}})
			}
			return countersign.OutcomeOK, err
		})
		if err != nil {
			return nil, err
		}
		total := int64(0)
		for p := range sent {
			most := int64(narrow.Capacity)
			if p == 0 {
				most += countersign.BudgetBack * successes
			}
			n := sent[p].Load()
			total += n
			if n > most {
				violations = append(violations, fmt.Sprintf("trial %d: %d sends through a budget of %d", trial, n, most))
			}
		}
		if most := int64(wide.Capacity + countersign.BudgetBack*successes); total > most {
			violations = append(violations, fmt.Sprintf("trial %d: %d sends through the country's budget of %d", trial, total, most))
		}
	}
	return violations, nil
}

func begun(ctx context.Context, store countersign.Store, b *countersign.Begin) error {
	o, err := store.Begin(ctx, b)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	if o.Result != countersign.OutcomeOK {
		return fmt.Errorf("beginning: %s", resultName(o.Result))
	}
	return nil
}

func guessWrong(ctx context.Context, store countersign.Store, ring *countersign.Keyring, id string) (countersign.Result, error) {
	c, err := NewCheck(ring, testApp, id, wrongCode)
	if err != nil {
		return 0, err
	}
	o, err := store.Check(ctx, c)
	return resultOf(o), err
}

func resultOf(o *countersign.Outcome) countersign.Result {
	if o == nil {
		return 0
	}
	return o.Result
}

// race runs n callers that start at once and counts their results.
func race(n int, call func(i int) (countersign.Result, error)) (map[countersign.Result]int, error) {
	var mu sync.Mutex
	var failure error
	results := map[countersign.Result]int{}
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			r, err := call(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failure = err
				return
			}
			results[r]++
		})
	}
	close(start)
	done.Wait()
	return results, failure
}
