package providertest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"countersign"
)

// answered is an answer that a fuzzer wrote.
type answered struct {
	status int
	kind   string
	body   string
}

// Fuzz answers sends with whatever the fuzzer makes of the seeds (an HTTP status, a content type, a body): a send never
// panics, takes nothing that has no id or that was refused, and its failure says what it must and quotes neither the code
// nor the number. A lost answer is looked up as well where the provider can.
func Fuzz(f *testing.F, newProvider func(baseURL string) (countersign.Provider, error), bodies ...string) {
	f.Helper()
	for _, body := range append(bodies, "", "null", `[[{"id":[]}]]`, "\x00\xff", `{"id":1e999}`, "<html>741853</html>") {
		f.Add(http.StatusOK, "application/json", body)
		f.Add(http.StatusBadRequest, "text/html", body)
	}
	var next atomic.Pointer[answered]
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := next.Load()
		w.Header()["Content-Type"] = []string{a.kind}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	f.Cleanup(vendor.Close)
	p, err := newProvider(vendor.URL)
	if err != nil {
		f.Fatal(err)
	}
	if idle, ok := p.(interface{ CloseIdleConnections() }); ok {
		f.Cleanup(idle.CloseIdleConnections)
	}
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		if status < 200 || status > 599 || strings.ContainsAny(kind, "\r\n\x00") {
			return
		}
		next.Store(&answered{status, kind, body})
		m := NewMessage(1)
		h, took, err := send(p, m, sendTime)
		if err == nil && (h.Ref == "" || status > 299) {
			t.Errorf("%d %q was taken as %+v", status, body, h)
		}
		if err != nil {
			said := []countersign.FailureClass{
				countersign.FailTemporary, countersign.FailUnknown, countersign.FailDestination, countersign.FailDenied, countersign.FailOperator,
			}
			if err := wants(err, m, said...); err != nil {
				t.Errorf("after %s, %d %q: %v", took, status, body, err)
			}
		}
		finder, ok := p.(countersign.Finder)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), sendTime)
		defer cancel()
		if h, found, err := finder.Find(ctx, m); found && (err != nil || h.Ref == "") {
			t.Errorf("%d %q was found as %+v, %v", status, body, h, err)
		} else if err != nil && quiet(err, m) != nil {
			t.Errorf("%d %q: the look-up's error names the code or the number", status, body)
		}
	})
}
