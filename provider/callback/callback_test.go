package callback_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"countersign/provider/callback"
)

// A refusal says what was wrong: an operator sets a vendor up by looking at these answers.
func TestRefusalsSayWhatWasWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse func(w http.ResponseWriter)
		status int
		want   string
	}{
		"method": {func(w http.ResponseWriter) { callback.Read(w, httptest.NewRequest("GET", "/", nil)) }, 405, "POSTed"},
		"length": {func(w http.ResponseWriter) {
			callback.Read(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", callback.MaxBody+1))))
		}, 413, "longer"},
		"signature": {func(w http.ResponseWriter) { callback.Respond(w, 401, nil) }, 401, "secret"},
		"shape":     {func(w http.ResponseWriter) { callback.Respond(w, 400, nil) }, 400, "shape"},
		"not kept":  {func(w http.ResponseWriter) { callback.Acknowledge(w, errors.New("away")) }, 503, "again"},
		"taken":     {func(w http.ResponseWriter) { callback.Acknowledge(w, nil) }, 200, "{}"},
	} {
		w := httptest.NewRecorder()
		tt.refuse(w)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
}
