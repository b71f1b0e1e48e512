package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// assets are the files under static/, known by their plain name and served under a hashed one.
type assets struct {
	byName map[string]asset
	byPath map[string]asset
}

type asset struct {
	path        string // "/static/verify.1a2b3c4d5e6f.css"
	contentType string
	content     []byte
	gzipped     []byte
}

// contentTypes is written out because the operating system's table, which package mime reads, differs from host to
// host, and a wrong type stops scripts and styles under "nosniff".
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func loadAssets(source fs.FS) (*assets, error) {
	entries, err := fs.ReadDir(source, "static")
	if err != nil {
		return nil, fmt.Errorf("listing assets: %w", err)
	}
	a := &assets{byName: map[string]asset{}, byPath: map[string]asset{}}
	for _, entry := range entries {
		name := entry.Name()
		content, err := fs.ReadFile(source, path.Join("static", name))
		if err != nil {
			return nil, fmt.Errorf("reading asset: %w", err)
		}
		ext := path.Ext(name)
		contentType, known := contentTypes[ext]
		if !known {
			return nil, fmt.Errorf("asset %s: no content type is known for %q", name, ext)
		}
		sum := sha256.Sum256(content)
		one := asset{
			path:        "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			contentType: contentType,
			content:     content,
			gzipped:     gzipped(content),
		}
		a.byName[name], a.byPath[one.path] = one, one
	}
	return a, nil
}

// url is the template function "asset": the hashed address of a file under static/.
func (a *assets) url(name string) (string, error) {
	one, ok := a.byName[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return one.path, nil
}

// gzipped is done once and as small as it gets. Only assets are: a page holds secrets beside what an attacker may have
// chosen, and its compressed length would tell of them (BREACH).
func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(content)                               // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// Static serves the assets under /static/, each under its hashed name only, cacheable for a year and immutable
// (RFC 8246). Mount it on "/static/" without stripping the prefix.
func (p *Pages) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		files, err := p.current()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		one, ok := files.assets.byPath[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		one.serve(w, r)
	})
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	content := a.content
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		content = a.gzipped
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // a reader that went away needs no answer
	}
}

// acceptsGzip reads an Accept-Encoding field (RFC 9110, section 12.5.3) as far as it names gzip.
func acceptsGzip(field string) bool {
	for coding := range strings.SplitSeq(field, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, given := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
			return !given || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
