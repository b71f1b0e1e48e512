package sqlitestore_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the child of TestKilled, which runs this binary again.
func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		runChild(path, os.Getenv(childMode) == early)
		return
	}
	goleak.VerifyTestMain(m)
}
