package countersign

import (
	"errors"
	"time"
)

// Kind is a class of failure. Its text is the `code` of a problem document and the last segment of the
// problem's type, so renaming one breaks the API. A Kind is itself an error: errors.Is(err, ErrExpired).
type Kind string

// The kinds that the engine and its faces answer with. A face maps each to a status in one table.
const (
	ErrInvalidRequest        Kind = "invalid_request"
	ErrInvalidPhoneNumber    Kind = "invalid_phone_number"
	ErrInvalidEmail          Kind = "invalid_email"
	ErrInvalidCode           Kind = "invalid_code"
	ErrUnauthorized          Kind = "unauthorized"
	ErrForbidden             Kind = "forbidden"
	ErrNumberNotAllowed      Kind = "number_not_allowed"
	ErrOptedOut              Kind = "opted_out"
	ErrNotFound              Kind = "not_found"
	ErrMethodNotAllowed      Kind = "method_not_allowed"
	ErrUnsupportedMediaType  Kind = "unsupported_media_type"
	ErrPayloadTooLarge       Kind = "payload_too_large"
	ErrMisdirected           Kind = "misdirected_request"
	ErrVerificationClosed    Kind = "verification_closed"
	ErrVerificationExpired   Kind = "verification_expired"
	ErrIncorrectCode         Kind = "incorrect_code"
	ErrIdempotencyMismatch   Kind = "idempotency_mismatch"
	ErrIdempotencyInProgress Kind = "idempotency_in_progress"
	ErrTooManyChecks         Kind = "too_many_checks"
	ErrResendTooSoon         Kind = "resend_too_soon"
	ErrTooManySends          Kind = "too_many_sends"
	ErrRateLimited           Kind = "rate_limited"
	ErrChallengeRequired     Kind = "challenge_required"
	ErrProofRedeemed         Kind = "proof_redeemed"
	ErrProofNotForLogin      Kind = "proof_not_for_login"
	ErrFactorRequired        Kind = "factor_required"
	ErrStepUpRequired        Kind = "step_up_required"
	ErrFactorExists          Kind = "factor_exists"
	ErrSessionRevoked        Kind = "session_revoked"
	ErrNumberTaken           Kind = "number_taken"
	ErrPasskeyUnknown        Kind = "passkey_unknown"
	ErrPasskeyRefused        Kind = "passkey_refused"
	ErrCeremonyOver          Kind = "ceremony_over"
	ErrDeliveryFailed        Kind = "delivery_failed"
	ErrUnavailable           Kind = "unavailable"
	ErrInternal              Kind = "internal"
)

// Error makes a Kind usable as a sentinel.
func (k Kind) Error() string { return string(k) }

// Error is a failure that may be told to the caller. Every other error is a fault of ours and its text stays
// inside the process.
type Error struct {
	Kind   Kind
	Detail string // one sentence: what was wrong and what to do; never holds what the caller sent

	Pointer    string        // JSON pointer to the offending member, on invalid input
	RetryAfter time.Duration // when trying again can help; zero where waiting does not
	ChecksLeft *int          // guesses that remain, where a check was answered
	PhoneLeft  *int          // those of the phone over all its verifications, for the limit headers
	Limit      string        // which limit refused; a face hides it from publishable keys
	Challenge  *Challenge    // what to solve first, with ErrChallengeRequired

	VerificationID string // the verification concerned, where one was made
	Err            error  // the cause, for the log only
}

// Error implements error. The text is for logs; faces build their own from the fields.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Detail != "" && (e.Err == nil || e.Kind != ErrUnavailable) { // that one tells a caller what to do, and the operator nothing
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap yields the kind and the cause, so that errors.Is works on both.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// KindOf returns the kind of err; anything without one is ErrInternal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ErrInternal
}

// Fail builds an *Error with a detail sentence.
func Fail(kind Kind, detail string) *Error { return &Error{Kind: kind, Detail: detail} }

// Unavailable wraps a failure of a store or another dependency without which nothing may be approved or sent.
func Unavailable(cause error) *Error {
	return &Error{
		Kind:       ErrUnavailable,
		Detail:     "The service cannot reach its store right now. Nothing was approved by this answer; try again, with the same Idempotency-Key if there was one.",
		RetryAfter: time.Second,
		Err:        cause,
	}
}
