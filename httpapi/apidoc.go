package httpapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"countersign"
)

const apiIntro = "Countersign answers one question, whether the person in front of you holds this phone number right now, and hands out a proof of the answer that anyone can check.\n\n" +
	"JSON in, JSON out. Times are RFC 3339 in UTC, durations whole seconds. Unknown members are refused. Errors are RFC 9457 problem documents: branch on `code`. " +
	"Every answer has `X-Request-Id`; limited routes have `RateLimit` and `RateLimit-Policy`."

var tagIntro = map[string]string{
	tagVerifications: "A verification is one question, whether somebody holds a phone, for one purpose. It is `pending` until it is approved, expired, failed, canceled, denied or undeliverable.",
	tagProofs:        "An approval's proof is a JWT. Whoever verifies it needs no call to Countersign: check `typ`, signature, `aud`, `exp`, `purpose` and `nonce`, and use each `jti` once.",
	tagFactors:       "A text message is a restricted authenticator (NIST SP 800-63B-4): these lead off it. Once a person has a further factor, their factors change only in a session that has shown one within five minutes.",
	tagSessions:      "A verified phone is a login once its proof is redeemed. Access tokens last 900 seconds; a refresh token is good once.",
	tagUsers:         "A user is whoever holds a number, as one app knows them.",
	tagOperations:    "For balancers and monitors.",
	tagSandbox:       "In sandbox mode only.",
}

const (
	tagVerifications = "Verifications"
	tagProofs        = "Proofs"
	tagOperations    = "Operations"
	tagSandbox       = "Sandbox"
)

func startDoc() *operation {
	return &operation{
		id: "startVerification", tag: tagVerifications, summary: "Start a verification",
		description: "Makes a code and sends it. A refusal makes no verification, except `delivery_failed`, which names it.",
		in:          reflect.TypeFor[startBody](), needed: true, status: http.StatusCreated, out: reflect.TypeFor[verification](),
		answer: "The pending verification.", idempotent: true,
		fails: []countersign.Kind{
			countersign.ErrInvalidPhoneNumber, countersign.ErrInvalidEmail, countersign.ErrNumberNotAllowed, countersign.ErrOptedOut,
			countersign.ErrChallengeRequired, countersign.ErrTooManyChecks, countersign.ErrResendTooSoon, countersign.ErrTooManySends, countersign.ErrDeliveryFailed,
		},
	}
}

func getDoc() *operation {
	return &operation{
		id: "getVerification", tag: tagVerifications, summary: "Read a verification", description: "Verifications are kept for 30 days.",
		status: http.StatusOK, out: reflect.TypeFor[verification](), answer: "The verification.", fails: []countersign.Kind{countersign.ErrNotFound},
	}
}

func listDoc() *operation {
	text := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }
	enum := func(values ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: values} }
	one, most := 1.0, float64(maxPage)
	return &operation{
		id: "listVerifications", tag: tagVerifications, summary: "List verifications",
		description: "Newest first. What happened within the last second may be missing.",
		query: []queryParam{
			{"to", "A phone number or e-mail address.", text()},
			{"status", "", enum("pending", "approved", "expired", "failed", "canceled", "denied", "undeliverable")},
			{"purpose", "", enum("signup", "login", "stepup", "transaction")},
			{"created_after", "Only those made after this instant.", &huma.Schema{Type: huma.TypeString, Format: "date-time"}},
			{"limit", "How many at most.", &huma.Schema{Type: huma.TypeInteger, Minimum: &one, Maximum: &most, Default: defaultPage}},
			{"cursor", "`next_cursor` of the page before.", text()},
		},
		status: http.StatusOK, out: reflect.TypeFor[page](), answer: "One page.",
		fails: []countersign.Kind{countersign.ErrInvalidRequest, countersign.ErrInvalidPhoneNumber, countersign.ErrInvalidEmail},
	}
}

// checkFailures are what any check can answer with.
func checkFailures() []countersign.Kind {
	return []countersign.Kind{
		countersign.ErrInvalidCode, countersign.ErrNotFound, countersign.ErrIncorrectCode, countersign.ErrVerificationClosed,
		countersign.ErrVerificationExpired, countersign.ErrTooManyChecks,
	}
}

func checkDoc() *operation {
	return &operation{
		id: "checkVerification", tag: tagVerifications, summary: "Check a code",
		description: "A right code approves the verification, once, and the answer carries the proof. A wrong one is never a 2xx. The same caller may repeat a right check within 60 seconds and gets the same answer.",
		in:          reflect.TypeFor[checkBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[verification](),
		answer: "The approved verification, with `proof`.", idempotent: true, fails: checkFailures(),
	}
}

func checkByPhoneDoc() *operation {
	return &operation{
		id: "checkByPhone", tag: tagVerifications, summary: "Check a code by phone number",
		description: "Compares with everything that is pending for the phone and purpose in this app, as one guess of each. It binds no session: prefer the check by id.",
		in:          reflect.TypeFor[checkByPhoneBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[verification](),
		answer: "The approved verification, with `proof`.", idempotent: true,
		fails: append(checkFailures(), countersign.ErrInvalidPhoneNumber, countersign.ErrInvalidEmail),
	}
}

func sendDoc() *operation {
	return &operation{
		id: "sendVerification", tag: tagVerifications, summary: "Send the code again",
		description: "The same code, within the same life, maybe by another channel.",
		in:          reflect.TypeFor[sendBody](), status: http.StatusOK, out: reflect.TypeFor[verification](), answer: "The verification.", idempotent: true,
		fails: []countersign.Kind{
			countersign.ErrNotFound, countersign.ErrNumberNotAllowed, countersign.ErrVerificationClosed, countersign.ErrVerificationExpired,
			countersign.ErrChallengeRequired, countersign.ErrTooManyChecks, countersign.ErrResendTooSoon, countersign.ErrTooManySends, countersign.ErrDeliveryFailed,
		},
	}
}

func cancelDoc() *operation {
	return &operation{
		id: "cancelVerification", tag: tagVerifications, summary: "Cancel a verification", status: http.StatusOK,
		out: reflect.TypeFor[verification](), answer: "The canceled verification.", idempotent: true,
		fails: []countersign.Kind{countersign.ErrNotFound, countersign.ErrVerificationClosed, countersign.ErrVerificationExpired},
	}
}

// jwkSet is the shape of RFC 7517.
type jwkSet struct {
	_ struct{} `additionalProperties:"true"`

	Keys []map[string]string `json:"keys"`
}

func jwksDoc() *operation {
	return &operation{
		id: "getKeys", tag: tagProofs, summary: "Public keys of proofs", description: "A JWK set (RFC 7517).",
		status: http.StatusOK, out: reflect.TypeFor[jwkSet](), outType: "application/jwk-set+json", answer: "The keys.",
	}
}

func healthDoc() *operation {
	return &operation{
		id: "getHealth", tag: tagOperations, summary: "Whether the process is up",
		status: http.StatusOK, out: reflect.TypeFor[health](), answer: "It is.",
	}
}

func readyDoc() *operation {
	return &operation{
		id: "getReadiness", tag: tagOperations, summary: "Whether to send traffic here",
		status: http.StatusOK, out: reflect.TypeFor[health](), answer: "Every part works.", fails: []countersign.Kind{countersign.ErrUnavailable},
	}
}

func inboxDoc() *operation {
	return &operation{
		id: "readInbox", tag: tagSandbox, summary: "Read the inbox", description: "What the sandbox delivered, newest first.",
		query:  []queryParam{{"to", "Only messages to this number.", &huma.Schema{Type: huma.TypeString}}},
		status: http.StatusOK, out: reflect.TypeFor[inbox](), answer: "The messages.",
		fails: []countersign.Kind{countersign.ErrInvalidRequest, countersign.ErrInvalidPhoneNumber},
	}
}

func streamInboxDoc() *operation {
	return &operation{
		id: "streamInbox", tag: tagSandbox, summary: "Watch the inbox",
		description: "Server-sent events: an unnamed one for every message that arrives, whose data is the message. The stream ends when the server stops.",
		query:       []queryParam{{"to", "Only messages to this number.", &huma.Schema{Type: huma.TypeString}}},
		status:      http.StatusOK, out: reflect.TypeFor[inboxMessage](), outType: "text/event-stream", answer: "Messages as they arrive.",
	}
}

func clearInboxDoc() *operation {
	return &operation{id: "clearInbox", tag: tagSandbox, summary: "Empty the inbox", status: http.StatusNoContent, answer: "It is empty.", fails: []countersign.Kind{countersign.ErrForbidden}}
}

func forgetLimitsDoc() *operation {
	return &operation{
		id: "forgetLimits", tag: tagSandbox, summary: "Forget everything that counts",
		description: "Cooldowns, rates, budgets, guesses and locks. Limits are in force in the sandbox, so that an integrator meets them.",
		status:      http.StatusNoContent, answer: "Forgotten.",
	}
}

func clockDoc() *operation {
	return &operation{
		id: "advanceClock", tag: tagSandbox, summary: "Move time forward", in: reflect.TypeFor[clockBody](), needed: true,
		status: http.StatusOK, out: reflect.TypeFor[clockAnswer](), answer: "The new time.", fails: []countersign.Kind{countersign.ErrForbidden},
	}
}
