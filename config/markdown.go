package config

import (
	"fmt"
	"strings"
)

// Markdown is the page docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

One YAML file (` + "`--config FILE`" + `), every value also as an environment variable, ` + "`.env`" + ` read first. Flags beat the environment, the environment
beats ` + "`.env`" + `, that beats the file, and the file beats the default. A setting that is unknown or wrong stops the start and is named with its place.
Secrets may be written as ` + "`env:NAME`" + ` or ` + "`file:PATH`" + `. ` + "`countersign serve --print-config`" + ` shows what came out, with secrets masked.
Start from [countersign.example.yaml](../countersign.example.yaml).

In paths, ` + "`*`" + ` is a name of your choice: an app's id or a provider's name.

This page is generated from the table of settings in ` + "`config/settings.go`" + ` (` + "`make docs`" + `).

| setting | variable | default | |
|---|---|---|---|
`)
	for _, s := range Settings() {
		variable := "—"
		if e := s.Env(); e != "" {
			variable = "`" + e + "`"
		}
		for _, a := range s.Aliases {
			variable += ", `" + a + "`"
		}
		def := "—"
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		doc := s.Doc
		if s.Secret {
			doc += " *Secret.*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Path, variable, def, doc)
	}
	return b.String()
}
