package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"countersign/web"
)

func TestStatic(t *testing.T) {
	p := newPages(t)
	hashed := regexp.MustCompile(`^/static/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)$`)
	types := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	for _, address := range addresses(verify(t, p, asked(web.StepPhone))) {
		name := hashed.FindStringSubmatch(address)
		if name == nil {
			t.Errorf("%s has no hash in its name", address)
			continue
		}
		plain, packed := fetch(p, http.MethodGet, address, ""), fetch(p, http.MethodGet, address, "br, gzip")
		for _, w := range []http.Header{plain.Header(), packed.Header()} {
			if w.Get("Content-Type") != types[name[1]] || w.Get("Vary") != "Accept-Encoding" ||
				w.Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s has the headers %v", address, w)
			}
		}
		unpacked, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || string(text) != plain.Body.String() || len(text) == 0 {
			t.Errorf("%s: packed and plain differ (%v)", address, err)
		}
		head := fetch(p, http.MethodHead, address, "")
		if head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(len(text)) {
			t.Errorf("HEAD %s = %d bytes, length %s", address, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

func TestStaticAcceptEncoding(t *testing.T) {
	p := newPages(t)
	address := addresses(verify(t, p, asked(web.StepPhone)))[0]
	for field, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "deflate, gzip;q=1.0, *;q=0.5": "gzip", "gzip; q=0.001": "gzip",
		"gzip;q=0": "", "gzip;q=0.000": "", "br": "", "x-gzipped": "", "*": "",
	} {
		if got := fetch(p, http.MethodGet, address, field).Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q gives Content-Encoding %q, want %q", field, got, want)
		}
	}
}

func TestStaticRefuses(t *testing.T) {
	p := newPages(t)
	address := addresses(verify(t, p, asked(web.StepPhone)))[0]
	tests := []struct {
		method, address string
		want            int
	}{
		{http.MethodGet, "/static/", http.StatusNotFound},
		{http.MethodGet, "/static/verify.css", http.StatusNotFound},
		{http.MethodGet, "/static/verify.000000000000.css", http.StatusNotFound},
		{http.MethodGet, "/static/../messages/en.json", http.StatusNotFound},
		{http.MethodPost, address, http.StatusMethodNotAllowed},
		{http.MethodDelete, address, http.StatusMethodNotAllowed},
	}
	for _, tt := range tests {
		w := fetch(p, tt.method, tt.address, "")
		if w.Code != tt.want {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.address, w.Code, tt.want)
		}
		if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow = %q", tt.method, w.Header().Get("Allow"))
		}
	}
}
