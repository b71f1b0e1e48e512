// Command configdoc prints docs/configuration.md from the table of settings.
package main

import (
	"fmt"
	"os"

	"countersign/config"
)

func main() {
	if _, err := os.Stdout.WriteString(config.Markdown()); err != nil {
		fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}
