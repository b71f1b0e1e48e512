package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/config"
)

const production = `
public_url: https://verify.example.com
secret_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
providers:
  hook: {type: webhook, channels: [sms], url: https://sms.example.com/send}
apps:
  shop:
    region: SE
    countries: [SE, NO]
    lifetime: 2m
    routes: {sms: [hook]}
    texts:
      sms:
        login:
          en: "{{code}} is yours"
`

func load(t *testing.T, src config.Source) *config.Config {
	t.Helper()
	c, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNothingIsTheSandbox(t *testing.T) {
	c := load(t, config.Source{Environ: []string{"REDIS_URL=redis://localhost", "PORT=9999", "HOME=/root"}})
	if !c.IsSandbox() || c.Listen != "127.0.0.1:9999" || c.RedisURL != "redis://localhost" || c.SendTimeout != 5*time.Second {
		t.Errorf("got mode %s listen %s redis %q send timeout %s", c.Mode, c.Listen, c.RedisURL, c.SendTimeout)
	}
	if c.DrainDelay != 0 || !slices.ContainsFunc(c.Resolved(), func(r config.Resolved) bool { return r.Path == "drain_delay" && r.Text == "0s" }) {
		t.Errorf("the sandbox drains for %s", c.DrainDelay)
	}
	if c = load(t, config.Source{Environ: []string{"COUNTERSIGN_DRAIN_DELAY=3s"}}); !c.IsSandbox() || c.DrainDelay != 3*time.Second {
		t.Errorf("a delay that was asked for is %s", c.DrainDelay)
	}
}

func TestFile(t *testing.T) {
	c := load(t, config.Source{Name: "c.yaml", File: []byte(production)})
	shop := c.Apps["shop"]
	if c.IsSandbox() || shop.Region != "SE" || strings.Join(shop.Countries, " ") != "SE NO" || shop.Lifetime != 2*time.Minute {
		t.Errorf("got %s %+v", c.Mode, shop)
	}
	if got := shop.Texts[config.TextKey{Channel: "sms", Purpose: "login", Locale: "en"}]; got != "{{code}} is yours" {
		t.Errorf("text = %q", got)
	}
	if got := shop.Routing.Routes; len(got) != 1 || got[0].Channel != "sms" || len(got[0].Providers) != 1 || got[0].Providers[0] != "hook" {
		t.Errorf("routes = %+v", got)
	}
}

func TestFlagsBeatEnvironmentBeatsDotEnvBeatsFile(t *testing.T) {
	src := config.Source{Name: "c.yaml", File: []byte("listen: 127.0.0.1:1\nmode: sandbox\n")}
	if c := load(t, src); c.Listen != "127.0.0.1:1" {
		t.Errorf("file: %s", c.Listen)
	}
	src.DotEnv = map[string]string{"COUNTERSIGN_LISTEN": "127.0.0.1:2"}
	if c := load(t, src); c.Listen != "127.0.0.1:2" {
		t.Errorf(".env: %s", c.Listen)
	}
	src.Environ = []string{"COUNTERSIGN_LISTEN=127.0.0.1:3"}
	if c := load(t, src); c.Listen != "127.0.0.1:3" {
		t.Errorf("environment: %s", c.Listen)
	}
	src.Flags = map[string]string{"listen": "127.0.0.1:4"}
	if c := load(t, src); c.Listen != "127.0.0.1:4" {
		t.Errorf("flag: %s", c.Listen)
	}
}

func TestVendorCredentialsLeaveTheSandbox(t *testing.T) {
	env := []string{"SINCH_APP_KEY=k", "SINCH_APP_SECRET=s"}
	_, err := config.Load(config.Source{Environ: env})
	if err == nil || !strings.Contains(err.Error(), "secret_key") || !strings.Contains(err.Error(), "public_url") || !strings.Contains(err.Error(), "apps:") {
		t.Fatalf("got %v", err)
	}
	c := load(t, config.Source{Environ: append(
		env, "COUNTERSIGN_SECRET_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"COUNTERSIGN_PUBLIC_URL=https://v.example.com", "COUNTERSIGN_APPS_MY_SHOP_REGION=US", "COUNTERSIGN_APPS_MY_SHOP_ROUTES_SMS=sinch",
	)})
	p := c.Providers["sinch"]
	if p == nil || p.Type != "sinch" || p.ApplicationKey != "k" || p.ApplicationSecret != "s" {
		t.Errorf("provider = %+v", p)
	}
	if a := c.Apps["my_shop"]; a == nil || a.Region != "US" || len(a.Routing.Routes) != 1 {
		t.Errorf("apps = %+v", c.Apps)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	tests := []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"typo", "lisen: 127.0.0.1:8080\n", nil, []string{"c.yaml:1", "lisen is not a setting", "did you mean listen?"}},
		{"nested typo", "mode: sandbox\napps:\n  shop:\n    regin: US\n", nil, []string{"c.yaml:4", "apps.shop.regin", "did you mean apps.*.region?"}},
		{"wrong value", "mode: sandbox\napps: {shop: {lifetime: 1h}}\n", nil, []string{"c.yaml:2", "apps.shop.lifetime", "30s to 10m"}},
		{"wrong value, example", "mode: sandbox\napps: {shop: {lifetime: 1h}}\n", nil, []string{"such as 30s"}},
		{"neither true nor false", "mode: sandbox\napps: {shop: {native: yes}}\n", nil, []string{"c.yaml:2: apps.shop.native: expected true or false"}},
		{"an origin's usual port", "mode: sandbox\napps: {shop: {origins: ['https://a.example:443']}}\n", nil, []string{"c.yaml:2: apps.shop.origins", "not the scheme's own"}},
		{"a provider's country", "mode: sandbox\nproviders: {p: {type: webhook, countries: [se]}}\n", nil, []string{"c.yaml:2: providers.p.countries", "in capitals"}},
		{"half an IPv4 network", "mode: sandbox\ntrusted_proxies: ['::ffff:10.0.0.0/90']\n", nil, []string{"c.yaml:2: trusted_proxies"}},
		{"public address with a path", "mode: sandbox\npublic_url: https://v.example.com/x\n", nil, []string{"c.yaml:2: public_url", "nothing after them"}},
		{"two at once", "mode: wrong\nsend_timeout: fast\n", nil, []string{"c.yaml:1: mode", "c.yaml:2: send_timeout"}},
		{"not Redis", "mode: sandbox\nredis_url: https://u:secret@h\n", nil, []string{"c.yaml:2: redis_url", "redis://"}},
		{"not Redis, from outside", "mode: sandbox\n", []string{"REDIS_URL=localhost:6379"}, []string{"environment REDIS_URL: redis_url", "redis://"}},
		{"nested without end", strings.Repeat("[", 5000), nil, []string{"c.yaml: lists or maps are nested more than 100 deep"}},
		{"lists in a row without end", strings.Repeat("- ", 5000), nil, []string{"nested more than 100 deep"}},
		{"a port that is none", "mode: sandbox\n", []string{"PORT=abc"}, []string{"environment PORT: expected the number of a port"}},
		{"no database of ours", "mode: sandbox\ndatabase_url: mysql://u:secret@h/d\n", nil, []string{"c.yaml:2: database_url", "postgres://"}},
		{"a route that the sandbox has not", "mode: sandbox\napps:\n  shop:\n    routes:\n      sms: [sandbox, sandbx]\n", nil, []string{"c.yaml:5: apps.shop.routes.sms", "sandbx"}},
		{"a list for one value", "mode: sandbox\nlisten: [127.0.0.1:1, 127.0.0.1:2]\n", nil, []string{"c.yaml:2: listen"}},
		{"not YAML", "a: [b\n", nil, []string{"c.yaml:1:4: this is not YAML"}},
		{"a key twice", "mode: sandbox\nmode: production\n", nil, []string{"mode"}},
		{"an alias", "mode: &m sandbox\nlisten: *m\n", nil, []string{"c.yaml"}},
		{"a list of maps", "trusted_proxies: [{a: b}]\n", nil, []string{"c.yaml:1", "trusted_proxies"}},
		{"app id", "mode: sandbox\napps: {\"A B\": {region: US}}\n", nil, []string{"apps.A B.region", "an app's id"}},
		{"variable typo", "mode: sandbox\n", []string{"COUNTERSIGN_LISTENN=x"}, []string{"COUNTERSIGN_LISTENN is not a setting", "COUNTERSIGN_LISTEN"}},
		{"missing secret", "mode: sandbox\nsecret_key: env:NOPE\n", nil, []string{"c.yaml:2", "secret_key", "NOPE is not set"}},
		{"secret file", "mode: sandbox\nsecret_key: file:/does/not/exist\n", nil, []string{"secret_key", "cannot be read"}},
		{"http beyond loopback", "mode: sandbox\npublic_url: http://example.com\n", nil, []string{"public_url", "https"}},
		{"origin with a path", "mode: sandbox\napps: {a: {origins: [\"https://x.example/\"]}}\n", nil, []string{"apps.a.origins"}},
		{"unknown provider in a route", production + "    name: x\n" + "  other:\n    routes: {sms: [nope]}\n", nil, []string{"apps.other.routes.sms", "nope"}},
		{"region", "mode: sandbox\napps: {a: {region: XX}}\n", nil, []string{"apps.a.region", "XX"}},
		{"half a face", "mode: sandbox\napps: {a: {faces: {twilio: {auth_token: abc}}}}\n", nil, []string{"c.yaml:2: apps.a.faces.twilio", "belong together"}},
		{"the sandbox's credentials elsewhere", production + `    faces:
      sinch: {key: dec0de00-0000-4000-8000-000000000001, secret: c2FuZGJveC1kZW1vLXNlY3JldA==}
      twilio: {account_sid: ACdec0de00000000000000000000000001, auth_token: sandboxdemo, service_sid: VAdec0de00000000000000000000000001}
`, nil, []string{
			"apps.shop.faces.sinch.key: this is the sandbox's", "apps.shop.faces.sinch.secret: this", "apps.shop.faces.twilio.account_sid: this",
			"apps.shop.faces.twilio.auth_token: this is the sandbox's", "apps.shop.faces.twilio.service_sid: this", "openssl rand -hex",
		}},
		{"provider without a type", "mode: sandbox\nproviders: {p: {channels: [sms]}}\n", nil, []string{"providers.p.type"}},
		{"production without anything", "mode: production\n", nil, []string{"secret_key", "public_url", "apps", "providers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(config.Source{Name: "c.yaml", File: []byte(tt.file), Environ: tt.env})
			if err == nil {
				t.Fatal("the configuration was taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// What some editors write before the first character is no part of the first name, and an IPv4 network in IPv6's form is
// that network.
func TestWhatEditorsAndNetworksAddIsRead(t *testing.T) {
	c := load(t, config.Source{Name: "c.yaml", File: []byte("\ufeffmode: sandbox\ntrusted_proxies: ['::ffff:10.0.0.0/104']\n")})
	if !c.IsSandbox() || len(c.TrustedProxies) != 1 || c.TrustedProxies[0].String() != "10.0.0.0/8" {
		t.Errorf("got %s, %v", c.Mode, c.TrustedProxies)
	}
}

// A guess at what was meant is made only where it is one: every short name is a few letters from another.
func TestNoWildGuesses(t *testing.T) {
	_, err := config.Load(config.Source{Name: "c.yaml", File: []byte("mode: sandbox\nfoo: 1\n"), Environ: []string{"COUNTERSIGN_FOO=1"}})
	if err == nil || !strings.Contains(err.Error(), "foo is not a setting") || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("it says: %v", err)
	}
}

func TestSecretsAreFollowedAndMasked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	const secret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"env:MASTER", "file:" + path, secret} {
		c := load(t, config.Source{Name: "c.yaml", File: []byte("mode: sandbox\nsecret_key: " + ref + "\n"), Environ: []string{"MASTER=" + secret}})
		if string(c.SecretKey) != "01234567890123456789012345678901" {
			t.Errorf("%s: key = %q", ref, c.SecretKey)
		}
		for _, r := range c.Resolved() {
			if strings.Contains(r.Text, secret) {
				t.Errorf("%s: %s prints its secret", ref, r.Path)
			}
		}
	}
}

// An error about a file must not quote the lines around the mistake: a secret may stand there.
func TestABrokenFileIsNotQuoted(t *testing.T) {
	text := "mode: production\nproviders:\n  p:\n    api_token: SECRETVALUE\n  q: [broken\napps: {}\n"
	_, err := config.Load(config.Source{Name: "c.yaml", File: []byte(text)})
	if err == nil || strings.Contains(err.Error(), "SECRETVALUE") || !strings.Contains(err.Error(), "c.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestListsOfSecrets(t *testing.T) {
	file := "mode: sandbox\nproviders: {w: {type: webhook, secrets: [env:A, env:B]}}\n"
	c := load(t, config.Source{Name: "c.yaml", File: []byte(file), Environ: []string{"A=one", "B=two", "COUNTERSIGN_PROVIDERS_W_RECEIPTS_SECRETS=three,four"}})
	w := c.Providers["w"]
	if strings.Join(w.Secrets, " ") != "one two" || strings.Join(w.ReceiptSecrets, " ") != "three four" {
		t.Errorf("secrets %q, receipts %q", w.Secrets, w.ReceiptSecrets)
	}
}

func TestOwnNamesBeatAliases(t *testing.T) {
	c := load(t, config.Source{Environ: []string{"COUNTERSIGN_LISTEN=0.0.0.0:9999", "PORT=8081", "DATABASE_URL=", "REDIS_URL="}})
	if c.Listen != "0.0.0.0:9999" || c.DatabaseURL != "./countersign.db" || c.RedisURL != "" {
		t.Errorf("listen %s, database %q, redis %q", c.Listen, c.DatabaseURL, c.RedisURL)
	}
	c = load(t, config.Source{Name: "c.yaml", File: []byte("mode: sandbox\nlisten: 0.0.0.0:80\n"), Environ: []string{"PORT=8081"}})
	if c.Listen != "0.0.0.0:8081" {
		t.Errorf("PORT beside a file: %s", c.Listen)
	}
}

func TestMistakesFoundLaterHaveTheirPlaceToo(t *testing.T) {
	_, err := config.Load(config.Source{Name: "c.yaml", File: []byte("mode: sandbox\napps:\n  a:\n    region: XX\n")})
	if err == nil || !strings.HasPrefix(err.Error(), "c.yaml:4: apps.a.region") {
		t.Errorf("got %v", err)
	}
}

func TestNoTwoSettingsShareAName(t *testing.T) {
	seen := map[string]string{}
	for _, s := range config.Settings() {
		for _, name := range append([]string{s.Path, s.Env()}, s.Aliases...) {
			if name == "" {
				continue
			}
			if other, ok := seen[name]; ok {
				t.Errorf("%s and %s share the name %s", other, s.Path, name)
			}
			seen[name] = s.Path
		}
		if s.Doc == "" {
			t.Errorf("%s has no documentation", s.Path)
		}
	}
}

func TestTheExampleIsValid(t *testing.T) {
	text, err := os.ReadFile("../countersign.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, config.Source{Name: "countersign.example.yaml", File: text, Environ: []string{
		"MASTER_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "SINCH_SECRET=x", "LOCAL_WEBHOOK_SECRET=y",
	}})
	if c.IsSandbox() || c.Apps["shop"] == nil {
		t.Errorf("got %+v", c)
	}
}

func TestTheDocumentationIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != config.Markdown() {
		t.Error("docs/configuration.md differs from the table of settings; run: make docs")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(production))
	f.Add([]byte("a: &x [1, *x]\n"))
	f.Add([]byte("apps: {a: {texts: {sms: {\"*\": {en: x}}}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := config.Load(config.Source{Name: "c.yaml", File: text}); err == nil && c.Mode == "" {
			t.Fatal("a configuration without a mode was taken")
		}
	})
}
