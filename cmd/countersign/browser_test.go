package main

import (
	"path/filepath"
	"testing"
)

// The pages in a real Chromium, against the real program: with script and without, in both colour schemes and several
// languages, with axe. The tests themselves are in web/browsertest.
// Each file has a browser and a program of its own, because some of them turn the program's clock.
func TestPagesInABrowser(t *testing.T) {
	files, err := filepath.Glob("../../web/browsertest/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			browserTests(t, serve(t, quiet), "", filepath.Base(file))
		})
	}
}

// Passkeys on the hosted page and through the SDK, with Chromium's virtual authenticator. They need a domain: the sandbox
// goes by localhost here.
func TestPasskeysInABrowser(t *testing.T) {
	t.Parallel()
	buildSDK(t)
	browserTests(t, named(t), "http://localhost:3000", "passkeys/passkey.mjs")
}
