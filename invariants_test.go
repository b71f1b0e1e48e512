package countersign_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/invariants.md says which test shows which promise. Every test that it names must be there, every name must stand in one
// of the tests that are named for it, or in the suite that they run, and no name may be missing.
func TestEveryPromiseHasItsTest(t *testing.T) {
	page, err := os.ReadFile("docs/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, name := range strings.Fields("INV-1 INV-2 INV-3 INV-4 INV-5 INV-6 INV-9 INV-10 INV-12 INV-13 INV-16 INV-17 INV-18 INV-19 " +
		"F-01 F-02 F-03 F-04 F-05 F-06 F-07 F-08 F-09 F-17 F-19 F-20 F-22 F-26") {
		missing[name] = true
	}
	row := regexp.MustCompile(`(?m)^\| ((?:INV|F)-\d+) \|(.*)$`)
	shown := regexp.MustCompile("`([a-z_/]+_test\\.go)`|\\b(Test[A-Z]\\w+)")
	for _, r := range row.FindAllStringSubmatch(string(page), -1) {
		name, file, text, labelled := r[1], "", "", false
		delete(missing, name)
		label := regexp.MustCompile(`\b` + name + `\b`)
		for _, m := range shown.FindAllStringSubmatch(r[2], -1) {
			switch {
			case m[1] != "":
				b, err := os.ReadFile(m[1])
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				file, text = m[1], string(b)
				labelled = labelled || label.MatchString(text)
			case m[2] == "TestMain": // of each package
			case !strings.Contains(text, "\nfunc "+m[2]+"("):
				t.Errorf("%s: %s has no %s", name, file, m[2])
			case m[2] == "TestStore":
				labelled = labelled || suiteNames(t, label)
			}
		}
		if !labelled {
			t.Errorf("%s stands in none of the tests that are named for it", name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no row for %v", missing)
	}
}

// suiteNames says whether the suite of all stores names a promise.
func suiteNames(t *testing.T, label *regexp.Regexp) bool {
	t.Helper()
	files, err := os.ReadDir("store/storetest")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile("store/storetest/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if label.Match(b) {
			return true
		}
	}
	return false
}
