package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"countersign/nodetest"
)

// The TypeScript SDK: its own tests, and itself against the whole program. The tests are in sdk/js/test.

var update = flag.Bool("update", false, "write what is generated from the program into the repository")

const sdkDir = "../../sdk/js"

var builtSDK sync.Once

// buildSDK compiles sdk/js/src into sdk/js/dist, which the examples use. Once is enough for all tests.
func buildSDK(t *testing.T) {
	t.Helper()
	builtSDK.Do(func() {
		nodetest.Install(t, sdkDir)
		nodetest.Run(t, sdkDir, nil, "npm", "run", "--silent", "build")
	})
}

func TestTheJavaScriptSDK(t *testing.T) {
	t.Parallel()
	buildSDK(t)
	i := serve(t, quiet+"apps: {demo: {origins: ['http://localhost:3000']}}\n")
	nodetest.Run(t, sdkDir, []string{"COUNTERSIGN_URL=" + i.url, "ORIGIN=http://localhost:3000"}, "npx", "--no-install", "vitest", "run")
}

// The types of the SDK are those of the API now. With -update (make sdk) they are written anew.
func TestTheJavaScriptTypesAreTheAPIs(t *testing.T) {
	nodetest.Install(t, sdkDir)
	i := serve(t, quiet)
	file := filepath.Join(t.TempDir(), "api.ts")
	committed := filepath.Join(sdkDir, "src", "api.ts")
	if *update {
		file = committed
	}
	nodetest.Run(t, sdkDir, nil, "node", "scripts/types.mjs", i.url+"/openapi.json", must(t, filepath.Abs, file))
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("sdk/js/src/api.ts is not what the OpenAPI document gives: run make sdk")
	}
}

func must(t *testing.T, f func(string) (string, error), arg string) string {
	t.Helper()
	s, err := f(arg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
