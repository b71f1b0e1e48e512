package sqlstore_test

import "testing"

// Nodes that start at once on nothing all come up, whoever makes the tables.
func TestManyNodesMigrateAtOnce(t *testing.T) {
	for range 2 {
		onBoth(t, func(t *testing.T, source string) {
			race(5, func(int) { open(t, source, patient) })
		})
	}
}
