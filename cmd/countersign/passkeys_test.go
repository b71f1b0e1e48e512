package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"countersign"
	"countersign/config"
)

// For whom passkeys are made, by what the operator says and by what there is.
func TestPasskeyParty(t *testing.T) {
	pages := []string{"http://127.0.0.1:8080", "http://localhost:8080", "http://localhost:3000", "http://127.0.0.1:3000"} // with calls across origins
	for name, c := range map[string]struct {
		public  string
		sandbox bool
		set     config.Passkeys
		id      string
		origins string
		wrong   string
	}{
		"the instance's own host":         {public: "https://verify.example.com", id: "verify.example.com", origins: "https://verify.example.com"},
		"in capitals, with a port":        {public: "https://Verify.Example.com:443", id: "verify.example.com", origins: "https://verify.example.com"},
		"a domain above it":               {public: "https://verify.example.com", set: config.Passkeys{RPID: "example.com"}, id: "example.com", origins: "https://verify.example.com"},
		"other pages of the domain":       {public: "https://verify.example.com", set: config.Passkeys{RPID: "example.com", Origins: []string{"https://www.example.com"}}, id: "example.com", origins: "https://www.example.com"},
		"an IP address":                   {public: "https://192.0.2.7"},
		"an IP address and a domain":      {public: "https://192.0.2.7", set: config.Passkeys{RPID: "example.com", Origins: []string{"https://example.com"}}, id: "example.com", origins: "https://example.com"},
		"plain http":                      {public: "http://verify.example.com"},
		"the sandbox by number":           {public: "http://127.0.0.1:8080", sandbox: true, id: "localhost", origins: "http://localhost:8080 http://localhost:3000"},
		"the sandbox by name":             {public: "http://localhost:8080", sandbox: true, id: "localhost", origins: "http://localhost:8080 http://localhost:3000"},
		"the sandbox, and origins named":  {public: "http://localhost:8080", sandbox: true, set: config.Passkeys{Origins: []string{"http://localhost:3001"}}, id: "localhost", origins: "http://localhost:3001"},
		"by number, and no sandbox":       {public: "http://127.0.0.1:8080"},
		"a command that serves nothing":   {},
		"another domain":                  {public: "https://verify.example.com", set: config.Passkeys{RPID: "example.org"}, wrong: "not of the domain"},
		"a domain that only ends alike":   {public: "https://notexample.com", set: config.Passkeys{RPID: "example.com"}, wrong: "not of the domain"},
		"pages of another domain":         {public: "https://verify.example.com", set: config.Passkeys{Origins: []string{"https://www.example.com"}}, wrong: "not of the domain"},
		"pages by http":                   {public: "https://verify.example.com", set: config.Passkeys{Origins: []string{"http://verify.example.com"}}, wrong: "not https"},
		"an IP address as the domain":     {public: "https://verify.example.com", set: config.Passkeys{RPID: "192.0.2.7"}, wrong: "passkeys.rp_id"},
		"an address as the domain":        {public: "https://verify.example.com", set: config.Passkeys{RPID: "https://example.com"}, wrong: "passkeys.rp_id"},
		"a domain with pages at a number": {public: "https://192.0.2.7", set: config.Passkeys{RPID: "example.com"}, wrong: "passkeys"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &config.Config{PublicURL: c.public, Mode: config.Production}
			if c.sandbox {
				cfg.Mode = config.Sandbox
			}
			rp, err := passkeyParty(cfg, "Shop", &config.App{Passkeys: c.set, Origins: pages})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%+v, %v", rp, err)
				}
				return
			}
			if err != nil || rp.ID != c.id || strings.Join(rp.Origins, " ") != c.origins {
				t.Errorf("%+v, %v", rp, err)
			}
			own := offersPasskeys(cfg, &countersign.App{Passkeys: rp})
			if want := slices.Contains(rp.Origins, strings.ToLower(strings.TrimSuffix(c.public, ":443"))); own != want {
				t.Errorf("on pages of its own: %v", own)
			}
		})
	}
}

// The page offers a passkey where it is the login of a client and goes by a name; an app that wants a proof gets none.
func TestPasskeysAreOfferedWhereTheyWork(t *testing.T) {
	byName, byNumber := named(t), newPlace(t, quiet).node(t)
	offers := func(i *instanceUnderTest, page *shown) bool {
		t.Helper()
		if page.fields("phone") == nil {
			t.Fatalf("no page at %s: %d", page.at, page.status)
		}
		return strings.Contains(page.body, "data-passkey")
	}
	app := url.Values{"app": {"demo"}, "return_url": {"http://localhost:3000/verified"}, "state": {"s"}, "nonce": {"n"}}
	if b := newBrowser(t, byName); !offers(byName, b.get(newRelyingParty(t, byName).start(newVisit()))) {
		t.Error("control: the login does not offer it")
	} else if offers(byName, b.get(byName.url+"/verify?"+app.Encode())) || offers(byName, b.get(byName.url+"/verify?offer=passkey&"+app.Encode())) || offers(byName, b.get(byName.url+"/verify")) {
		t.Error("a page for a proof offers it")
	}
	if b := newBrowser(t, byNumber); offers(byNumber, b.get(newRelyingParty(t, byNumber).start(newVisit()))) {
		t.Error("by an IP address it is offered")
	}
}
