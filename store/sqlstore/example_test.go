package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"countersign/store/sqlstore"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	db, err := sqlstore.Open(ctx, filepath.Join(dir, "countersign.db"), sqlstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()

	_, text, err := db.NewKey(ctx, "demo", sqlstore.KeySecret, "backend") // the text is shown once
	if err != nil {
		fmt.Println(err)
		return
	}
	key, ok := db.FindKey(text)
	fmt.Println(key.App, key.Kind, key.Name, ok)
	// Output: demo secret backend true
}
