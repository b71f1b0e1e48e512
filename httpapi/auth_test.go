package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"countersign/httpapi"
)

func TestEveryWrongCredentialGetsTheSameAnswer(t *testing.T) {
	f := newFace(t)
	bodies := map[string]bool{}
	for _, headers := range [][]string{
		{},
		{"Authorization: "},
		{"Authorization: Bearer "},
		{"Authorization: bearer undefined"},
		{"Authorization: Basic c2s6"},
		{as("sk_sandbox_demo")},
		{as(strings.Repeat("a", 9000))},
		{"Authorization: " + secret},
	} {
		a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, headers...).want(401, "unauthorized")
		if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%v: WWW-Authenticate %q", headers, a.header.Get("WWW-Authenticate"))
		}
		bodies[strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "")] = true
	}
	if len(bodies) != 1 {
		t.Errorf("%d different answers: %v", len(bodies), bodies)
	}
	if f.engine.started() != 0 {
		t.Error("the engine was asked")
	}
}

func TestKeysAreRefusedInTheAddress(t *testing.T) {
	f := newFace(t)
	f.ask("GET", "/v1/verifications?api_key="+secret, "").want(401, "unauthorized")
	f.ask("GET", "/v1/verifications?api_key="+secret, "", as(secret)).want(401, "unauthorized")
	f.ask("GET", "/v1/verifications?limit=1", "", as(secret)).want(200, "")
}

func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	f := newFace(t)
	r, err := http.NewRequest("GET", f.url+"/v1/verifications", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{"Bearer " + secret, "Bearer " + secret}
	f.do(r).want(401, "unauthorized")
}

func TestPublishableKeysComeFromAllowedOrigins(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct {
		name, key, origin string
		status            int
	}{
		{"allowed", publishable, ownOrigin, 201},
		{"no origin", publishable, "", 403},
		{"null", publishable, "null", 403},
		{"other host", publishable, "https://evil.example", 403},
		{"other scheme", publishable, "http://shop.example", 403},
		{"other port", publishable, ownOrigin + ":8443", 403},
		{"longer host", publishable, ownOrigin + ".evil.example", 403},
		{"upper case", publishable, "https://SHOP.example", 403},
		{"native without origin", native, "", 201},
		{"native from a page that is not allowed", native, ownOrigin, 403},
		{"secret key needs none", secret, "", 201},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{as(c.key)}
			if c.origin != "" {
				headers = append(headers, "Origin: "+c.origin)
			}
			a := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, headers...)
			code := ""
			if c.status == 403 {
				code = "forbidden"
			}
			a.want(c.status, code)
			allowed := a.header.Get("Access-Control-Allow-Origin")
			if want := c.status == 201 && c.origin != ""; (allowed == c.origin && want) != want || (!want && allowed != "") {
				t.Errorf("Access-Control-Allow-Origin %q", allowed)
			}
			vary := "Origin"
			if c.key == secret {
				vary = ""
			}
			if a.header.Get("Vary") != vary || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("Vary %q, credentials %q", a.header.Get("Vary"), a.header.Get("Access-Control-Allow-Credentials"))
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	f := newFace(t)
	ask := func(origin, path string) *answer {
		return f.ask("OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type").want(204, "")
	}
	a := ask(ownOrigin, "/v1/verifications")
	if a.header.Get("Access-Control-Allow-Origin") != ownOrigin || a.header.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS, POST" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
		t.Errorf("preflight answered %v", a.header)
	}
	for origin, path := range map[string]string{"https://evil.example": "/v1/verifications", "null": "/v1/verifications", ownOrigin: "/verify"} {
		if got := ask(origin, path).header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s on %s is allowed: %q", origin, path, got)
		}
	}
	if got := f.ask("OPTIONS", "/v1/verifications", "").want(204, "").header.Get("Allow"); got != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("Allow %q", got)
	}
	f.ask("OPTIONS", "/v1/nothing", "", "Origin: "+ownOrigin, "Access-Control-Request-Method: POST").want(404, "not_found")
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, origin := range []string{"*", "shop.example", "https://shop.example/", "https://Shop.example", "https://shop.example:443", "null", "https://*.example"} {
		cfg := baseConfig(t, newEngine(), &logBook{})
		cfg.Apps[0].Origins = []string{origin}
		_, err := httpapi.New(cfg)
		if origin == "https://*.example" {
			continue // a host like any other: it matches no browser
		}
		if err == nil || !strings.Contains(err.Error(), "apps.demo.origins") {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	for _, back := range []string{"/back", "javascript:alert(1)", "data:text/html,x", "https://shop.example/#x", "//shop.example"} {
		cfg := baseConfig(t, newEngine(), &logBook{})
		cfg.Apps[0].ReturnURLs = []string{back}
		if _, err := httpapi.New(cfg); err == nil || !strings.Contains(err.Error(), "apps.demo.return_urls") {
			t.Errorf("return address %q: %v", back, err)
		}
	}
	for _, public := range []string{"", "verify.example", "ftp://x", "https://x/path", "https://x?q"} {
		cfg := baseConfig(t, newEngine(), &logBook{})
		cfg.PublicURL = public
		if _, err := httpapi.New(cfg); err == nil {
			t.Errorf("public_url %q is accepted", public)
		}
	}
	cfg := baseConfig(t, newEngine(), &logBook{})
	cfg.Mounts = map[string]http.Handler{"POST /v1/checks": http.NotFoundHandler()}
	if _, err := httpapi.New(cfg); err == nil {
		t.Error("a mount over a route is accepted")
	}
	cfg = baseConfig(t, newEngine(), &logBook{})
	cfg.Engine = nil
	if _, err := httpapi.New(cfg); err == nil {
		t.Error("no engine is accepted")
	}
}
