package redisstore

import (
	"fmt"
	"testing"

	"countersign"
	"countersign/store/storetest"
)

// BenchmarkTake counts what a start counts in its first round trip: one key, and the ten budgets and rates of the default
// policy. What the guard adds to a start is the difference, and guard's BenchmarkStart.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{1, 11} {
		b.Run(fmt.Sprint(n, " limits"), func(b *testing.B) {
			server := startRedis(b)
			s := open(b, Options{URL: server.url(), Timeout: patient})
			take := func() error {
				limits := make([]countersign.Limit, n)
				for i := range limits {
					limits[i] = countersign.Budget{Capacity: 1000000, Refill: 1000000}.Limit("budget", storetest.NewPhone())
				}
				_, err := s.Take(b.Context(), &countersign.Take{Limits: limits})
				return err
			}
			server.do("CONFIG", "RESETSTAT")
			measured(b, take)
			spent(b, server)
		})
	}
}
