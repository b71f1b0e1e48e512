// Package storetest holds the promises of a countersign.Store as a test suite. Every store runs it.
//
// The suite moves time with Store.Advance only and judges each answer by the instant that the answer carries, so
// it does not care how fast the store is. What it asks about time to live (idempotency keys, request memory,
// windows) follows the store's clock, never the machine's.
package storetest

import (
	"testing"

	"countersign"
)

// scenario is one named part of the suite.
type scenario struct {
	name string
	run  func(k *kit)
}

// Run runs the whole suite. open gives an empty store for one part of it; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) countersign.Store) {
	for _, part := range [][]scenario{
		beginScenarios(), sendScenarios(), checkScenarios(), phoneCheckScenarios(), hostedScenarios(), memoryScenarios(),
		endScenarios(), sweepScenarios(), outboxScenarios(), phoneScenarios(), deviceScenarios(), limitScenarios(), startScenarios(), budgetScenarios(), clockScenarios(),
		parallelScenarios(), modelScenarios(),
	} {
		for _, s := range part {
			t.Run(s.name, func(t *testing.T) {
				store := open(t)
				t.Cleanup(func() {
					if err := store.Close(); err != nil {
						t.Errorf("closing the store: %v", err)
					}
				})
				s.run(newKit(t, store))
			})
		}
	}
}
