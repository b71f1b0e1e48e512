package httpapi

import (
	"net/http"
	"reflect"

	"countersign"
)

const tagFactors = "Factors"

// factorRoutes are those of further factors.
func factorRoutes() []route {
	return []route{
		{"POST", "/v1/sessions/step-up", person, "", stepUp, stepUpDoc()},
		{"GET", "/v1/me/factors", person, "", listFactors, listFactorsDoc()},
		{"POST", "/v1/me/factors/totp", person, "", addTOTP, addTOTPDoc()},
		{"POST", "/v1/me/factors/recovery-codes", person, "", newRecoveryCodes, newRecoveryCodesDoc()},
		{"POST", "/v1/me/factors/{id}/confirm", person, "", confirmFactor, confirmFactorDoc()},
		{"DELETE", "/v1/me/factors/{id}", person, "", removeFactor, removeFactorDoc()},
		{"DELETE", "/v1/me/sessions", person, "", endOtherDevices, endOtherDevicesDoc()},
		{"DELETE", "/v1/users/{id}/factors", secretKey, "", resetFactors, resetFactorsDoc()},
	}
}

func stepUpDoc() *operation {
	return &operation{
		id: "stepUp", tag: tagSessions, summary: "Show a factor again",
		description: "Takes a code of an authenticator app, a recovery code, a passkey, or a proof of the person's number. The session goes on with new tokens; the old ones are dead on every node. A further factor raises the session to `urn:countersign:aal2` and allows to change factors for five minutes. After every fifth wrong code in a row there is a wait of a quarter of an hour, then of half an hour, and so on.",
		in:          reflect.TypeFor[stepUpBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[loginAnswer](), answer: "The user, and new tokens.",
		fails: []countersign.Kind{
			countersign.ErrInvalidCode, countersign.ErrIncorrectCode, countersign.ErrTooManyChecks, countersign.ErrProofRedeemed, countersign.ErrProofNotForLogin,
			countersign.ErrCeremonyOver, countersign.ErrPasskeyRefused, countersign.ErrPasskeyUnknown,
		},
	}
}

func listFactorsDoc() *operation {
	return &operation{
		id: "listMyFactors", tag: tagFactors, summary: "My further factors", status: http.StatusOK, out: reflect.TypeFor[factorList](), answer: "The confirmed ones.",
	}
}

func addTOTPDoc() *operation {
	return &operation{
		id: "addTOTP", tag: tagFactors, summary: "Begin an authenticator app",
		description: "Makes the secret of an authenticator app (RFC 6238), which is good for nothing until it is confirmed, within ten minutes. Where the person has a factor already, the session must have shown one within the last five minutes.",
		in:          reflect.TypeFor[enrolBody](), status: http.StatusCreated, out: reflect.TypeFor[totpAnswer](), answer: "What the app is told, once.",
		fails: []countersign.Kind{countersign.ErrStepUpRequired, countersign.ErrFactorExists, countersign.ErrNotFound},
	}
}

func confirmFactorDoc() *operation {
	return &operation{
		id: "confirmFactor", tag: tagFactors, summary: "Confirm an authenticator app",
		description: "Takes the app into use once it has shown a right code. That is a step-up too: the session goes on with new tokens, and the old ones are dead.",
		in:          reflect.TypeFor[confirmBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[confirmAnswer](), answer: "The factor, and the session's new tokens.",
		fails: []countersign.Kind{countersign.ErrInvalidCode, countersign.ErrIncorrectCode, countersign.ErrNotFound, countersign.ErrStepUpRequired},
	}
}

func newRecoveryCodesDoc() *operation {
	return &operation{
		id: "newRecoveryCodes", tag: tagFactors, summary: "Make recovery codes",
		description: "Ten codes for paper, each good once, in the place of those that there were. Where the person has a factor already, the session must have shown one within the last five minutes. The session goes on with new tokens, and the old ones are dead.",
		in:          reflect.TypeFor[enrolBody](), status: http.StatusCreated, out: reflect.TypeFor[recoveryAnswer](), answer: "The codes, once, and the session's new tokens.",
		fails: []countersign.Kind{countersign.ErrRateLimited, countersign.ErrStepUpRequired, countersign.ErrFactorExists, countersign.ErrNotFound},
	}
}

func removeFactorDoc() *operation {
	return &operation{
		id: "removeFactor", tag: tagFactors, summary: "Remove a factor",
		description: "The session must have shown a further factor within the last five minutes; a text message does not do. The session goes on with new tokens, and the old ones are dead.",
		status:      http.StatusOK, out: reflect.TypeFor[loginAnswer](), answer: "It is gone, and the person was told: the user, and new tokens.",
		fails: []countersign.Kind{countersign.ErrStepUpRequired, countersign.ErrNotFound},
	}
}

func resetFactorsDoc() *operation {
	return &operation{
		id: "resetFactors", tag: tagFactors, summary: "Take a user's factors off",
		description: "For support, when a person has lost all of them and you have found out in another way who asks. Their sessions end, wrong codes are forgotten, and the person is told. They log in by phone and add new ones themselves.",
		status:      http.StatusNoContent, answer: "They are gone.", fails: []countersign.Kind{countersign.ErrNotFound},
	}
}

func endOtherDevicesDoc() *operation {
	return &operation{
		id: "endMyOtherSessions", tag: tagSessions, summary: "Log all other devices out", description: "Worth offering after a change of factors.",
		status: http.StatusNoContent, answer: "They have ended.",
	}
}
