// Package web holds the pages that people see in a browser: the hosted verification page, and the sandbox's start
// page, inbox and API reference. It turns a view into HTML and serves the assets that the HTML names. It knows no
// rules and no requests: an HTTP handler decides what is shown and calls it.
//
// The rules of every page:
//
//   - Plain HTML forms and links do all the work. Scripts only add comfort.
//   - No inline script, style or event handler, and nothing from another origin, so that [Pages.CSP] can forbid them.
//   - Assets have the hash of their content in their name and may be cached for ever; pages are for "no-store".
//   - Templates, translations and assets are read and checked once, by [New]: a mistake in one fails the start.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
)

//go:embed templates static messages
var embedded embed.FS

// Config says what [New] needs to know. The zero value serves the embedded files and offers no list of countries.
type Config struct {
	// Dir is for working on the pages: when set, templates, static and messages are read from this directory
	// anew for every page instead of once from the binary.
	Dir string

	// Regions are the countries offered beside the phone field, in any order; the page names and sorts them in
	// its own language. Without any, a number must be typed with its leading plus.
	Regions []Region
}

// Pages renders the pages and serves their assets. It is safe for concurrent use.
type Pages struct {
	dir     string
	loaded  *files
	regions *regionOptions
}

// New reads and checks every template, translation and asset.
func New(cfg Config) (*Pages, error) {
	p := &Pages{dir: cfg.Dir, regions: newRegionOptions(cfg.Regions)}
	loaded, err := load(p.source())
	if err != nil {
		return nil, fmt.Errorf("loading pages: %w", err)
	}
	p.loaded = loaded
	return p, nil
}

func (p *Pages) source() fs.FS {
	if p.dir != "" {
		return os.DirFS(p.dir)
	}
	return embedded
}

// files is everything that was read from one source.
type files struct {
	assets    *assets
	templates map[string]*template.Template
	catalogs  map[string]catalog
}

func load(source fs.FS) (*files, error) {
	assets, err := loadAssets(source)
	if err != nil {
		return nil, err
	}
	catalogs, err := loadCatalogs(source)
	if err != nil {
		return nil, err
	}
	f := &files{assets: assets, templates: map[string]*template.Template{}, catalogs: catalogs}
	for page, parts := range map[string][]string{
		"verify.html":  {"templates/verify.html"},
		"account.html": {"templates/account.html"},
		"home.html":    {"templates/home.html", "templates/layout.html"},
		"inbox.html":   {"templates/inbox.html", "templates/layout.html"},
		"docs.html":    {"templates/docs.html", "templates/layout.html"},
	} {
		t := template.New(page).Option("missingkey=error").Funcs(template.FuncMap{"asset": assets.url})
		if f.templates[page], err = t.ParseFS(source, parts...); err != nil {
			return nil, fmt.Errorf("parsing template: %w", err)
		}
	}
	return f, nil
}

// current is what New read, or on a development directory what is there now.
func (p *Pages) current() (*files, error) {
	if p.dir == "" {
		return p.loaded, nil
	}
	return load(p.source())
}

// render writes a whole page or nothing: a template that fails half-way must not leave half a page behind.
func (f *files) render(w io.Writer, page string, view any) error {
	var b bytes.Buffer
	if err := f.templates[page].Execute(&b, view); err != nil {
		return fmt.Errorf("rendering %s: %w", page, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// CSP is the Content-Security-Policy of every page here. A page whose form posts a proof to an app names the return
// URL, whose origin is then added to form-action; others pass nothing. Chromium holds redirects after the form to the
// same list, so an app that redirects from there to another of its origins must have that one named too. The caller
// must have checked that the URLs are the app's: this only leaves out what could break out of the directive.
func (p *Pages) CSP(formTargets ...string) string {
	formAction := []string{"'self'"}
	for _, target := range formTargets {
		if origin := formOrigin(target); origin != "" && !slices.Contains(formAction, origin) {
			formAction = append(formAction, origin)
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action " +
		strings.Join(formAction, " ") + "; base-uri 'none'; frame-ancestors 'none'"
}

// formOrigin is the origin of a web address as a source expression (CSP Level 3, section 2.3.1); empty for all others,
// which no form can be posted to.
func formOrigin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Host, "*;,'\" \t\r\n") {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
