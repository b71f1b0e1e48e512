package httpapi

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"countersign"
)

const (
	tagSessions = "Sessions"
	tagUsers    = "Users"
)

// accountRoutes are those of users and sessions.
func accountRoutes() []route {
	return []route{
		{"POST", "/v1/sessions", anyKey, "", createSession, createSessionDoc()},
		{"POST", "/v1/sessions/refresh", public, "", refreshSession, refreshDoc()},
		{"DELETE", "/v1/sessions/current", person, "", endCurrentSession, endCurrentDoc()},
		{"GET", "/v1/me", person, "", getMe, meDoc()},
		{"GET", "/v1/me/sessions", person, "", listDevices, devicesDoc()},
		{"DELETE", "/v1/me/sessions/{id}", person, "", endDevice, endDeviceDoc()},
		{"POST", "/v1/me/phone_number", person, "", changeNumber, changeNumberDoc()},
		{"GET", "/v1/users", secretKey, "", findUsers, findUsersDoc()},
		{"GET", "/v1/users/{id}", secretKey, "", getUser, getUserDoc()},
		{"DELETE", "/v1/users/{id}", secretKey, "", eraseUser, eraseUserDoc()},
	}
}

func createSessionDoc() *operation {
	return &operation{
		id: "createSession", tag: tagSessions, summary: "Log in",
		description: "Finds or makes the user of the proved phone and begins a session. A proof is redeemed once. A number that was not proved for 90 days may have another holder by now: where its user has a further factor the answer is `factor_required`, and the same proof is sent again with `factor`. A passkey in the place of the proof begins a session of urn:countersign:aal2 for its user. With `cookie` the tokens are set as cookies that no script can read.",
		in:          reflect.TypeFor[sessionBody](), needed: true, status: http.StatusCreated, out: reflect.TypeFor[loginAnswer](), answer: "The user, and the session's tokens.",
		fails: []countersign.Kind{
			countersign.ErrProofNotForLogin, countersign.ErrProofRedeemed, countersign.ErrFactorRequired, countersign.ErrInvalidCode, countersign.ErrIncorrectCode, countersign.ErrTooManyChecks,
			countersign.ErrCeremonyOver, countersign.ErrPasskeyRefused, countersign.ErrPasskeyUnknown, countersign.ErrRateLimited,
		},
	}
}

func refreshDoc() *operation {
	return &operation{
		id: "refreshSession", tag: tagSessions, summary: "Refresh a session",
		description: "Gives new tokens for a refresh token, which is dead from then on. An old one ends the whole session: somebody has a copy. Needs no key.",
		in:          reflect.TypeFor[refreshBody](), status: http.StatusOK, out: reflect.TypeFor[loginAnswer](), answer: "The user, and new tokens.",
		fails: []countersign.Kind{countersign.ErrUnauthorized, countersign.ErrSessionRevoked, countersign.ErrForbidden, countersign.ErrUnavailable, countersign.ErrInternal},
	}
}

func endCurrentDoc() *operation {
	return &operation{
		id: "endCurrentSession", tag: tagSessions, summary: "Log out", description: "Ends the session that asks, on every node at once.",
		status: http.StatusNoContent, answer: "It has ended.",
	}
}

func meDoc() *operation {
	return &operation{id: "getMe", tag: tagUsers, summary: "Who I am", status: http.StatusOK, out: reflect.TypeFor[me](), answer: "The user, and the session that asks."}
}

func devicesDoc() *operation {
	return &operation{id: "listMySessions", tag: tagSessions, summary: "Where I am logged in", status: http.StatusOK, out: reflect.TypeFor[devices](), answer: "The live sessions."}
}

func endDeviceDoc() *operation {
	return &operation{
		id: "endMySession", tag: tagSessions, summary: "Log a device out", status: http.StatusNoContent, answer: "It has ended.",
		fails: []countersign.Kind{countersign.ErrNotFound},
	}
}

func changeNumberDoc() *operation {
	return &operation{
		id: "changeMyPhoneNumber", tag: tagUsers, summary: "Change my number",
		description: "Takes a proof of the new number and one of the present one or, for whoever has a further factor, a session that has shown it within the last five minutes. The session goes on with new tokens, all others end, the old number is told, and there is no second change for three days.",
		in:          reflect.TypeFor[numberBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[loginAnswer](), answer: "The user with the new number, and new tokens.",
		fails: []countersign.Kind{
			countersign.ErrProofRedeemed, countersign.ErrProofNotForLogin, countersign.ErrStepUpRequired, countersign.ErrNumberTaken, countersign.ErrRateLimited, countersign.ErrNotFound,
		},
	}
}

func findUsersDoc() *operation {
	return &operation{
		id: "findUsers", tag: tagUsers, summary: "Find the user of a number",
		query:  []queryParam{{"phone_number", "In E.164, or as a person of the app's region types it.", &huma.Schema{Type: huma.TypeString}}},
		status: http.StatusOK, out: reflect.TypeFor[usersPage](), answer: "None, or one.",
		fails: []countersign.Kind{countersign.ErrInvalidRequest, countersign.ErrInvalidPhoneNumber},
	}
}

func getUserDoc() *operation {
	return &operation{
		id: "getUser", tag: tagUsers, summary: "Read a user", status: http.StatusOK, out: reflect.TypeFor[user](), answer: "The user.",
		fails: []countersign.Kind{countersign.ErrNotFound},
	}
}

func eraseUserDoc() *operation {
	return &operation{
		id: "eraseUser", tag: tagUsers, summary: "Erase a person",
		description: "Deletes the user, their sessions and what the log has of their numbers. Counters under a keyed hash run out by themselves; an opt-out stays.",
		status:      http.StatusNoContent, answer: "They are gone.", fails: []countersign.Kind{countersign.ErrNotFound},
	}
}
