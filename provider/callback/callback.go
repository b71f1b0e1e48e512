// Package callback is what every handler of a vendor's callbacks begins and ends with: one bounded read, and one answer
// that makes the vendor send again what was not taken.
package callback

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"countersign"
)

// MaxBody bounds a callback, in bytes.
const MaxBody = 64 << 10

// Timeout is how long the engine may take over one callback: the vendor waits, and sends it again later.
const Timeout = 2 * time.Second

// Read reads a POST's body whole. False means that it was refused and answered: 405, 413 or 400.
func Read(w http.ResponseWriter, r *http.Request) ([]byte, bool) { return ReadUpTo(w, r, MaxBody) }

// ReadUpTo is Read with a bound of the vendor's own: some gather many reports in one callback.
func ReadUpTo(w http.ResponseWriter, r *http.Request, most int64) ([]byte, bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		Respond(w, http.StatusMethodNotAllowed, nil)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		return body, true
	}
	status := http.StatusBadRequest
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	Respond(w, status, nil)
	return nil, false
}

// Acknowledge answers a report: 503 makes the vendor send it again, so it is lost only when it is not ours.
func Acknowledge(w http.ResponseWriter, err error) {
	if err != nil && !errors.Is(err, countersign.ErrNotFound) {
		w.Header().Set("Retry-After", "1")
		Respond(w, http.StatusServiceUnavailable, nil)
		return
	}
	Respond(w, http.StatusOK, struct{}{})
}

// refusals tell whoever sets a vendor up by hand what was wrong. Vendors read the status only.
var refusals = map[int]string{
	http.StatusBadRequest:            "The body could not be read, or is not of the shape that this vendor's callbacks have.",
	http.StatusUnauthorized:          "The signature or the token in the path is missing, wrong or out of date: compare the secret here with the vendor's, and the clocks.",
	http.StatusMethodNotAllowed:      "Callbacks are POSTed.",
	http.StatusRequestEntityTooLarge: "The callback is longer than any of this vendor's.",
	http.StatusServiceUnavailable:    "This could not be kept. Send it again.",
}

// Respond writes an answer as JSON; without one, a refusal's reason in words or a bare status.
func Respond(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	if v == nil {
		if reason := refusals[status]; reason != "" {
			http.Error(w, reason, status)
			return
		}
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
