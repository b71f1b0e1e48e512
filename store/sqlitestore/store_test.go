package sqlitestore_test

import (
	"path/filepath"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlitestore"
	"countersign/store/storetest"
)

// INV-1 to INV-4, INV-8 and INV-13 are scenarios of the suite; their control is storetest's TestControl.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) countersign.Store { return open(t, filepath.Join(t.TempDir(), "hot.db")) })
}

// open opens a file; the caller closes it.
func open(t testing.TB, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
