package twilioapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"countersign"
)

// This file turns failures into the vendor's errors. The text of an error without a kind stays inside the process.

// vendorError is an error in the vendor's terms. Its body never has members `type` or `title`: the vendor's Node library
// would take it for another kind of error.
type vendorError struct {
	status  int
	code    int
	message string
	allow   string        // the Allow header of a 405
	retry   time.Duration // the Retry-After header
}

func (e vendorError) Error() string { return strconv.Itoa(e.code) + " " + e.message }

var (
	errAuth     = vendorError{status: 401, code: 20003, message: "Authenticate"}
	errChecks   = vendorError{status: 429, code: 60202, message: "Max check attempts reached"}
	errSends    = vendorError{status: 429, code: 60203, message: "Max send attempts reached"}
	errFraud    = vendorError{status: 403, code: 60410, message: "Verification delivery attempt blocked"}
	errCustom   = vendorError{status: 400, code: 60204, message: "Service does not support this feature: CustomCode"}
	errTarget   = vendorError{status: 400, code: 60221, message: "No target verification specified: give To or VerificationSid"}
	errPSD2     = vendorError{status: 400, code: 60206, message: "Amount and Payee params are required for a PSD2 verification"}
	errPSD2Call = vendorError{status: 400, code: 60214, message: "The call channel is not supported with PSD2"}
	errLandline = vendorError{status: 403, code: 60205, message: "SMS is not supported by landline phone number"}
)

func invalid(name, why string) error {
	if name == "" {
		return vendorError{status: 400, code: 60200, message: "Invalid parameter: " + why}
	}
	return vendorError{status: 400, code: 60200, message: "Invalid parameter `" + name + "`: " + why}
}

// missing is the vendor's 404. Programs compare its text. A path may have been any bytes; JSON is text.
func missing(path string) error {
	return vendorError{status: 404, code: 20404, message: "The requested resource " + strings.ToValidUTF8(path, "\ufffd") + " was not found"}
}

// kinds maps what the engine says. An empty message means the engine's own sentence.
var kinds = map[countersign.Kind]vendorError{
	countersign.ErrInvalidRequest:        {status: 400, code: 60200},
	countersign.ErrInvalidPhoneNumber:    {status: 400, code: 60200, message: "Invalid parameter `To`: not a number that can be dialled"},
	countersign.ErrInvalidEmail:          {status: 400, code: 60200, message: "Invalid parameter `To`: not an e-mail address"},
	countersign.ErrInvalidCode:           {status: 400, code: 60200, message: "Invalid parameter `Code`: not of the code's shape; nothing was counted"},
	countersign.ErrUnauthorized:          errAuth,
	countersign.ErrForbidden:             errFraud,
	countersign.ErrNumberNotAllowed:      {status: 403, code: 60605, message: "Verification delivery attempt blocked: destination not permitted"},
	countersign.ErrOptedOut:              {status: 400, code: 21610, message: "Attempt to send to unsubscribed recipient"},
	countersign.ErrNotFound:              {status: 404, code: 20404},
	countersign.ErrMethodNotAllowed:      {status: 405, code: 20004},
	countersign.ErrUnsupportedMediaType:  {status: 415, code: 20415},
	countersign.ErrPayloadTooLarge:       {status: 413, code: 20413},
	countersign.ErrMisdirected:           {status: 421, code: 20421},
	countersign.ErrVerificationClosed:    {status: 404, code: 20404},
	countersign.ErrVerificationExpired:   {status: 404, code: 20404},
	countersign.ErrIncorrectCode:         {status: 404, code: 20404},
	countersign.ErrIdempotencyMismatch:   {status: 422, code: 60200},
	countersign.ErrIdempotencyInProgress: {status: 409, code: 20409},
	countersign.ErrTooManyChecks:         errChecks,
	countersign.ErrResendTooSoon:         errSends,
	countersign.ErrTooManySends:          errSends,
	countersign.ErrRateLimited:           errFraud,
	countersign.ErrChallengeRequired:     errFraud,
	countersign.ErrDeliveryFailed:        {status: 422, code: 60223, message: "Delivery channel disabled: no route took the message"},
	countersign.ErrUnavailable:           {status: 503, code: 20503, message: "Temporarily unavailable. Nothing was approved by this answer"},
	countersign.ErrInternal:              {status: 500, code: 20500, message: "Internal error"},
}

// fields names the vendor's fields for ours.
var fields = map[string]string{
	"/to": "To", "/code": "Code", "/locale": "Locale", "/transaction/amount": "Amount", "/transaction/currency": "Amount", "/transaction/payee": "Payee",
}

// translate finds the vendor's error for any failure of a request to path.
func translate(err error, path string) vendorError {
	if v := (vendorError{}); errors.As(err, &v) {
		return v
	}
	kind := countersign.KindOf(err)
	v, known := kinds[kind]
	if !known {
		v = kinds[countersign.ErrInternal]
	}
	e := (*countersign.Error)(nil)
	if errors.As(err, &e) {
		v.retry = e.RetryAfter
		v = v.refine(e, err)
		if v.message == "" && v.code != 20404 {
			v.message = e.Detail
		}
	}
	if v.code == 20404 {
		v.message = missing(path).(vendorError).message
	}
	if v.message == "" {
		v.message = http.StatusText(v.status)
	}
	return v
}

// refine looks at what a kind alone does not tell.
func (v vendorError) refine(e *countersign.Error, err error) vendorError {
	retry := v.retry
	f := (*countersign.Failure)(nil)
	switch {
	case e.Kind == countersign.ErrRateLimited && (e.Limit == "pending" || e.Limit == "hosted"):
		v = vendorError{status: 429, code: 60212, message: "Too many concurrent requests for phone number"}
	case e.Kind == countersign.ErrRateLimited && e.Limit == customLimit:
		v = errSends // the caller's own limit, as the vendor has it
	case e.Kind == countersign.ErrInvalidRequest && e.Pointer == "/channel":
		v = vendorError{status: 400, code: 60223, message: "Delivery channel disabled"}
	case e.Kind == countersign.ErrInvalidRequest && fields[e.Pointer] != "":
		v.message = "Invalid parameter `" + fields[e.Pointer] + "`: " + e.Detail
	case e.Kind == countersign.ErrDeliveryFailed && errors.As(err, &f) && f.Class == countersign.FailDestination:
		v = errLandline
	}
	v.retry = retry
	return v
}

// errorBody is an error on the wire.
type errorBody struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

func (f *Face) fail(w http.ResponseWriter, r *http.Request, err error) {
	v := translate(err, r.URL.Path[len("/v2"):])
	if v.status >= http.StatusInternalServerError {
		f.cfg.Log.ErrorContext(r.Context(), "twilio face: a request failed", "method", r.Method, "code", v.code, "error", err)
	}
	h := w.Header()
	switch v.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="Twilio API"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", v.allow)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		v.retry = max(v.retry, time.Second)
	}
	if v.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((v.retry+time.Second-1)/time.Second), 10))
	}
	write(w, v.status, errorBody{v.code, v.message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(v.code), v.status})
}

// write encodes first, so that a failure never sends half an answer.
func write(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		status, body = 500, []byte(`{"code":20500,"message":"Internal error","more_info":"https://www.twilio.com/docs/errors/20500","status":500}`)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
