package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"

	"countersign/web"
)

// everyRegion is the most that a page can be asked to offer.
func everyRegion() (all []web.Region) {
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if r, err := language.ParseRegion(code); err == nil && r.IsCountry() && r.String() == code {
				all = append(all, web.Region{Code: code, CallingCode: "999"})
			}
		}
	}
	return all
}

// headRoom is left for the headers of the answers: about a KiB of the page's, a few hundred bytes of each asset's. What
// comes over the wire in fact is measured in a browser.
const headRoom = 7 << 9

func TestWeight(t *testing.T) {
	p, err := web.New(web.Config{Regions: everyRegion()})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range web.Languages() {
		for _, step := range []web.Step{web.StepPhone, web.StepCode, web.StepDone, web.StepPasskey} {
			v := asked(step)
			v.Lang, v.Proof = lang, strings.Repeat("x", 1200)
			v.CanResend, v.ResendIn, v.ExpiresIn, v.Sandbox = true, time.Minute, time.Minute, true
			v.Passkey = "https://app.example/oauth2/passkey?id=1"
			got := verify(t, p, v)
			total := len(got.text)
			for _, address := range addresses(got) {
				total += fetch(p, http.MethodGet, address, "gzip").Body.Len()
			}
			if total > 30<<10-headRoom {
				t.Errorf("%s, %s: %d bytes, want at most 30 KiB with headers", lang, step, total)
			}
		}
	}
}

// addresses are the assets that a page names.
func addresses(p *page) (all []string) {
	for _, e := range p.elements {
		for _, name := range []string{"src", "href"} {
			if strings.HasPrefix(e.attr[name], "/static/") && !slices.Contains(all, e.attr[name]) {
				all = append(all, e.attr[name])
			}
		}
	}
	return all
}

func fetch(p *web.Pages, method, address, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	p.Static().ServeHTTP(w, r)
	return w
}

func TestCSP(t *testing.T) {
	p := newPages(t)
	tests := []struct {
		name    string
		targets []string
		want    string
	}{
		{"none", nil, "form-action 'self';"},
		{"empty", []string{""}, "form-action 'self';"},
		{"one", []string{"https://app.example/return?x=1"}, "form-action 'self' https://app.example;"},
		{"port", []string{"http://localhost:3000/r"}, "form-action 'self' http://localhost:3000;"},
		{"two, one twice", []string{"https://a.example/1", "https://b.example/", "https://a.example/2"}, "form-action 'self' https://a.example https://b.example;"},
		{"own scheme", []string{"com.acme.app:/return"}, "form-action 'self';"},
		{"script", []string{"javascript:alert(1)"}, "form-action 'self';"},
		{"breaks out", []string{"https://a.example; script-src *"}, "form-action 'self';"},
		{"wildcard", []string{"https://*.example/"}, "form-action 'self';"},
		{"not an address", []string{"https://a b"}, "form-action 'self';"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.CSP(tt.targets...)
			if !strings.Contains(got, tt.want) {
				t.Errorf("CSP(%q) = %q, want it to hold %q", tt.targets, got, tt.want)
			}
			if !strings.HasPrefix(got, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(got, "unsafe") {
				t.Errorf("CSP(%q) = %q, want nothing but own scripts and styles", tt.targets, got)
			}
		})
	}
}

// copied is a directory with the package's own files, for a test to spoil.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"templates", "static", "messages"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(part)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func spoil(t *testing.T, file, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefusesMistakes(t *testing.T) {
	tests := []struct{ name, file, old, replacement, want string }{
		{"template", "templates/home.html", "{{.App}}", "{{.App", "parsing template"},
		{"no JSON", "messages/sv.json", "{", "", "sv.json"},
		{"text missing", "messages/de.json", `"confirm"`, `"confrim"`, `"confirm" is missing`},
		{"text too many", "messages/de.json", `"confirm"`, `"confrim"`, `"confrim" is not a key`},
		{"text empty", "messages/ja.json", `"continue": "続ける"`, `"continue": ""`, `"continue" is missing`},
		{"fills in another name", "messages/fr.json", "{checks}", "{check}", "fills in [{check}], want [{checks}]"},
		{"fills in too little", "messages/zh.json", "{wait}", "", "fills in [], want [{wait}]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := copied(t)
			spoil(t, filepath.Join(dir, tt.file), tt.old, tt.replacement)
			if _, err := web.New(web.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, want an error with %q", err, tt.want)
			}
		})
	}
	dir := copied(t)
	if err := os.WriteFile(filepath.Join(dir, "static", "face.woff"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := web.New(web.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no content type") {
		t.Errorf("New with an asset of an unknown type = %v", err)
	}
	if _, err := web.New(web.Config{Dir: t.TempDir()}); err == nil {
		t.Error("New with an empty directory = nil error")
	}
}

func TestDirIsReadAnew(t *testing.T) {
	dir := copied(t)
	p, err := web.New(web.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	before := addresses(verify(t, p, asked(web.StepPhone)))
	spoil(t, filepath.Join(dir, "static", "verify.css"), ":root", "html")
	spoil(t, filepath.Join(dir, "messages", "en.json"), "Send code", "Send the code")
	got := verify(t, p, asked(web.StepPhone))
	if !strings.Contains(got.text, "Send the code") {
		t.Error("the old text is shown")
	}
	if slices.Equal(before, addresses(got)) {
		t.Error("a changed asset kept its name")
	}
	for _, address := range addresses(got) {
		if w := fetch(p, http.MethodGet, address, ""); w.Code != http.StatusOK {
			t.Errorf("%s = %d", address, w.Code)
		}
	}
	spoil(t, filepath.Join(dir, "templates", "verify.html"), "{{.Lang}}", "{{.Lang")
	if err := p.Verify(io.Discard, asked(web.StepPhone)); err == nil {
		t.Error("a broken template renders")
	}
}

func BenchmarkVerify(b *testing.B) {
	p, err := web.New(web.Config{Regions: everyRegion()})
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []web.Step{web.StepPhone, web.StepCode} {
		b.Run(string(step), func(b *testing.B) {
			v := asked(step)
			for b.Loop() {
				if err := p.Verify(io.Discard, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
