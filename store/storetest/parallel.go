package storetest

import (
	"context"

	"countersign"
)

// invariant is one of the invariants above.
type invariant func(ctx context.Context, store countersign.Store, trials, parallel int) ([]string, error)

func parallelScenarios() []scenario {
	held := func(check invariant, trials, parallel int) func(k *kit) {
		return func(k *kit) {
			violations, err := check(k.ctx, k.store, trials, parallel)
			if err != nil {
				k.Fatal(err)
			}
			for _, v := range violations {
				k.Error(v)
			}
		}
	}
	return []scenario{
		{"Parallel/one approval", held(OneApproval, 100, 50)},
		{"Parallel/five guesses of a code", held(CappedGuesses, 20, 100)},
		{"Parallel/twenty guesses of a phone", held(CappedPhone, 50, 20)},
		{"Parallel/five guesses of a device", held(CappedDevice, 20, 50)},
		{"Parallel/one send of a device", held(OneDeviceSend, 20, 30)},
		{"Parallel/starts", held(OneStart, 10, 30)},
		{"Parallel/one end", held(OneEnd, 20, 30)},
		{"Parallel/settlements", held(OneSettlement, 10, 30)},
		{"Parallel/takes", held(OneTaker, 10, 30)},
		{"Parallel/capped starts", held(CappedStarts, 10, 60)},
		{"Parallel/one keyed start", held(OneKeyedStart, 10, 60)},
		{"Parallel/budgets", held(HeldBudget, 20, 60)},
	}
}
