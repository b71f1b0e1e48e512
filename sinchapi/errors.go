package sinchapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"countersign"
	"countersign/sinchauth"
)

// This file turns failures into the vendor's errors. The first three digits of an errorCode are the status. No other
// file writes a status other than 200, and the text of an error without a kind stays inside the process.

// vendorError is an error in the vendor's terms.
type vendorError struct {
	code    int
	message string
	allow   string        // the Allow header of a 405
	retry   time.Duration // the Retry-After header
}

func (e vendorError) Error() string { return strconv.Itoa(e.code) + " " + e.message }

// Errors with the vendor's own words.
var (
	errNoResource = vendorError{code: 40400, message: "Requested resource was not found."}
	errWrongCode  = vendorError{code: 40003, message: "Invalid identity or code."}
	errLevel      = vendorError{code: 40303, message: "Authorization requirement not met."}
	errNoPlus     = vendorError{code: 40005, message: "The number must be in E.164 form, with its leading plus sign."}
	errNumber     = vendorError{code: 40001, message: "The number is invalid."}
)

func methodError(have map[string]handler) error {
	var names []string
	for name := range have {
		names = append(names, name)
	}
	slices.Sort(names)
	return vendorError{code: 40500, message: "The method is not allowed here.", allow: strings.Join(names, ", ")}
}

// notAvailable is what the vendor says of a method that cannot reach a number.
func notAvailable(method string) vendorError {
	return vendorError{code: 40300, message: strings.ToUpper(method[:1]) + method[1:] + " verification not available for given destination."}
}

// refusals maps what authentication says. An unknown key is answered like a wrong signature.
var refusals = map[sinchauth.Refusal]int{
	sinchauth.ErrMissing:    40100,
	sinchauth.ErrMalformed:  40100,
	sinchauth.ErrTimestamp:  40101,
	sinchauth.ErrStale:      40101,
	sinchauth.ErrSignature:  40102,
	sinchauth.ErrReplayed:   40102,
	sinchauth.ErrCredential: 40108,
	sinchauth.ErrFull:       42900,
}

// kinds maps what the engine says. An empty message means the engine's own sentence.
var kinds = map[countersign.Kind]vendorError{
	countersign.ErrInvalidRequest:        {code: 40001},
	countersign.ErrInvalidPhoneNumber:    errNumber,
	countersign.ErrInvalidEmail:          errNumber,
	countersign.ErrInvalidCode:           errWrongCode, // another length or alphabet: not counted, still pending
	countersign.ErrUnauthorized:          {code: 40107},
	countersign.ErrForbidden:             {code: 40300},
	countersign.ErrNumberNotAllowed:      {code: 40300, message: "Verification not available for given destination."},
	countersign.ErrOptedOut:              {code: 40300, message: "Verification not available for given destination."},
	countersign.ErrNotFound:              errNoResource,
	countersign.ErrMethodNotAllowed:      {code: 40500},
	countersign.ErrUnsupportedMediaType:  {code: 40001},
	countersign.ErrPayloadTooLarge:       {code: 41300},
	countersign.ErrMisdirected:           {code: 40300},
	countersign.ErrVerificationClosed:    {code: 40900},
	countersign.ErrVerificationExpired:   {code: 40900},
	countersign.ErrIncorrectCode:         errWrongCode,
	countersign.ErrIdempotencyMismatch:   {code: 40900},
	countersign.ErrIdempotencyInProgress: {code: 40900},
	countersign.ErrTooManyChecks:         {code: 42901},
	countersign.ErrResendTooSoon:         {code: 42901},
	countersign.ErrTooManySends:          {code: 42901},
	countersign.ErrRateLimited:           {code: 42900},
	countersign.ErrChallengeRequired:     {code: 42900, message: "Too many requests. Wait, then try again."},
	countersign.ErrDeliveryFailed:        {code: 42201},
	countersign.ErrUnavailable:           {code: 50300, message: "Temporarily unavailable. Nothing was approved by this answer."},
	countersign.ErrInternal:              {code: 50000, message: "Internal error."},
}

// translate finds the vendor's error for any failure.
func translate(err error) vendorError {
	if v := (vendorError{}); errors.As(err, &v) {
		return v
	}
	if r := sinchauth.Refusal(""); errors.As(err, &r) {
		v := vendorError{code: refusals[r], message: sentence(string(r))}
		if v.code == 42900 {
			v.retry = time.Minute
		}
		if r == sinchauth.ErrSignature {
			v.message = "Invalid Signature"
		}
		return v
	}
	v := kinds[countersign.KindOf(err)]
	e := (*countersign.Error)(nil)
	if !errors.As(err, &e) {
		return v
	}
	if v.message == "" {
		v.message = e.Detail
	}
	v.retry = e.RetryAfter
	if e.Kind == countersign.ErrRateLimited && (e.Limit == "pending" || e.Limit == "hosted") {
		v.code = 42901 // it is about this number
	}
	return v
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// errorBody is an error on the wire.
type errorBody struct {
	ErrorCode int    `json:"errorCode"`
	Message   string `json:"message"`
	Reference string `json:"reference,omitempty"` // the request's id, for support
}

func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	v := translate(err)
	status := v.code / 100
	if status >= http.StatusInternalServerError {
		f.cfg.Log.ErrorContext(r.Context(), "sinch face: a request failed", "method", r.Method, "code", v.code, "error", err)
	}
	if v.allow != "" {
		w.Header().Set("Allow", v.allow)
	}
	if v.retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((v.retry+time.Second-1)/time.Second), 10))
	}
	write(w, status, errorBody{ErrorCode: v.code, Message: v.message, Reference: w.Header().Get("X-Request-Id")})
}

// write encodes first, so that a failure never sends half an answer.
func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(fmt.Sprintf(`{"errorCode":%d,"message":"Internal error."}`, 50000))
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
