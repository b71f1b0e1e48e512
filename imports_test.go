package countersign_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The root knows the rules and no adapter; adapters know the root and not each other; only commands put them
// together and touch the environment. This is what keeps each part replaceable.
func TestWhoImportsWhom(t *testing.T) {
	// What a package may import of this module, beside the root and phone.
	allowed := map[string][]string{
		"":                      {"phone"},
		"phone":                 {},
		"guard":                 {"yamlfile"},
		"challenge":             {},
		"simulate":              {"guard"},
		"metrics":               {},
		"nodetest":              {},
		"message":               {},
		"signing":               {},
		"risk":                  {"provider/outbound", "provider/webhook"},
		"passkey":               {},
		"passkey/passkeytest":   {},
		"config":                {"yamlfile"},
		"yamlfile":              {},
		"config/configdoc":      {"config"},
		"bench/kill":            {},
		"web":                   {},
		"httpapi":               {"web"},
		"client":                {},
		"client/proof":          {},
		"examples/go":           {"client", "client/proof"},
		"sinchauth":             {},
		"sinchapi":              {"sinchauth"},
		"twilioapi":             {},
		"oidc":                  {"web"},
		"provider":              {},
		"provider/providertest": {},
		"provider/sandbox":      {},
		"provider/webhook":      {"provider/outbound"},
		"provider/smtp":         {"provider/outbound", "provider/hidden"},
		"provider/smpp":         {"provider/outbound", "provider/hidden"},
		"provider/aws":          {"provider/outbound", "provider/callback", "provider/hidden"},
		"provider/infobip":      {"provider/outbound", "provider/callback", "provider/hidden"},
		"provider/sinch":        {"sinchauth", "provider/outbound", "provider/callback", "provider/hidden"},
		"provider/twilio":       {"provider/outbound", "provider/callback", "provider/hidden"},
		"provider/vonage":       {"provider/outbound", "provider/callback", "provider/hidden"},
		"provider/callback":     {},
		"provider/hidden":       {},
		"provider/outbound":     {},
		"store/storetest":       {},
		"store/postgrestest":    {},
		"store/sqlitestore":     {},
		"store/redisstore":      {},
		"store/sqlstore":        {},
		"sinchapi/sinchtest":    {"sinchapi", "sinchauth"},
		"sinchapi/sdktest":      {},
	}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		from := filepath.ToSlash(filepath.Dir(path))
		if from == "." {
			from = ""
		}
		may, known := allowed[from]
		command := strings.HasPrefix(from, "cmd/") || from == "bench"
		if !known && !command {
			t.Errorf("package %q is not in the table: say what it may import", from)
			return nil
		}
		f, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			target, ours := strings.CutPrefix(imported, "countersign/")
			if strings.HasPrefix(from, "client") && (ours || imported == "countersign") {
				t.Errorf("%s imports %s: a client knows the API only, as programs elsewhere do", path, imported)
			}
			if !ours || command || target == "phone" {
				continue
			}
			ok := false
			for _, m := range may {
				ok = ok || m == target
			}
			if !ok {
				t.Errorf("%s imports %s", path, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
