package client

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Code is a kind of refusal. It is an error itself: errors.Is(err, client.ErrIncorrectCode).
type Code string

// Error implements error.
func (c Code) Error() string { return string(c) }

// The codes. A newer server may answer with others; each is described where its problem's Type leads.
const (
	ErrInvalidRequest        Code = "invalid_request"
	ErrInvalidPhoneNumber    Code = "invalid_phone_number"
	ErrInvalidEmail          Code = "invalid_email"
	ErrInvalidCode           Code = "invalid_code" // not of a code's shape; not counted
	ErrUnauthorized          Code = "unauthorized"
	ErrForbidden             Code = "forbidden"
	ErrNumberNotAllowed      Code = "number_not_allowed"
	ErrOptedOut              Code = "opted_out"
	ErrNotFound              Code = "not_found"
	ErrMethodNotAllowed      Code = "method_not_allowed"
	ErrVerificationClosed    Code = "verification_closed"
	ErrIdempotencyInProgress Code = "idempotency_in_progress"
	ErrVerificationExpired   Code = "verification_expired"
	ErrProofRedeemed         Code = "proof_redeemed"
	ErrProofNotForLogin      Code = "proof_not_for_login"
	ErrFactorRequired        Code = "factor_required"
	ErrStepUpRequired        Code = "step_up_required"
	ErrFactorExists          Code = "factor_exists"
	ErrSessionRevoked        Code = "session_revoked"
	ErrNumberTaken           Code = "number_taken"
	ErrPasskeyUnknown        Code = "passkey_unknown" // not, or not any more
	ErrPasskeyRefused        Code = "passkey_refused"
	ErrCeremonyOver          Code = "ceremony_over" // used, or too old: ask for options again
	ErrPayloadTooLarge       Code = "payload_too_large"
	ErrUnsupportedMediaType  Code = "unsupported_media_type"
	ErrMisdirected           Code = "misdirected_request"
	ErrIncorrectCode         Code = "incorrect_code"
	ErrIdempotencyMismatch   Code = "idempotency_mismatch"
	ErrChallengeRequired     Code = "challenge_required"
	ErrTooManyChecks         Code = "too_many_checks"
	ErrResendTooSoon         Code = "resend_too_soon"
	ErrTooManySends          Code = "too_many_sends"
	ErrRateLimited           Code = "rate_limited"
	ErrInternal              Code = "internal"
	ErrDeliveryFailed        Code = "delivery_failed"
	ErrUnavailable           Code = "unavailable" // nothing was approved by this answer
)

// Problem is a refusal (RFC 9457). Every answer that is not a success is one; where the body was none of ours, as from
// a proxy in between, Code is empty and Status says what is known.
type Problem struct {
	Type      string       `json:"type"`  // leads to a description of Code
	Title     string       `json:"title"` // the same for every problem of this Code
	Status    int          `json:"status"`
	Code      Code         `json:"code"`
	Detail    string       `json:"detail"`     // what was wrong here, and what to do
	RequestID string       `json:"request_id"` // to quote when asking the operator
	Errors    []FieldError `json:"errors"`     // which members of the request were wrong

	RetryAfter     Seconds         `json:"retry_after"` // when trying again can help; 0 where waiting does not
	ChecksLeft     *int            `json:"checks_left"` // guesses that remain, where a guess was wrong
	Limit          string          `json:"limit"`       // which limit refused
	VerificationID string          `json:"verification_id"`
	Parts          []string        `json:"parts"`     // what is not ready
	Challenge      json.RawMessage `json:"challenge"` // the proof of work to hand to the person's browser

	Raw json.RawMessage `json:"-"` // the document as it came; nil where the answer was none
}

// FieldError is one wrong member of a request.
type FieldError struct {
	Pointer string `json:"pointer"` // a JSON pointer (RFC 6901)
	Detail  string `json:"detail"`
}

// Seconds is a span in whole seconds, as the API writes spans.
type Seconds int

// Duration is the span as Go writes it.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Error implements error.
func (p *Problem) Error() string {
	if p.Code == "" {
		return "the server answered " + strconv.Itoa(p.Status) + " " + http.StatusText(p.Status) + " and not in the API's own words"
	}
	return string(p.Code) + ": " + p.Detail
}

// Unwrap gives the code, so that errors.Is finds it.
func (p *Problem) Unwrap() error {
	if p.Code == "" {
		return nil
	}
	return p.Code
}

// readProblem makes a Problem of any answer that is no success.
func readProblem(res *http.Response, body []byte) *Problem {
	p := &Problem{Raw: body}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" || json.Unmarshal(body, p) != nil {
		p = &Problem{}
	}
	p.Status = res.StatusCode
	if p.RequestID == "" {
		p.RequestID = res.Header.Get("X-Request-Id")
	}
	if p.RetryAfter <= 0 {
		p.RetryAfter = 0
		if after, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && after > 0 {
			p.RetryAfter = Seconds(after)
		}
	}
	return p
}
