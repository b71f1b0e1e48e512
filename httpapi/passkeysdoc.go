package httpapi

import (
	"net/http"
	"reflect"

	"countersign"
)

// passkeyRoutes are those of passkeys.
func passkeyRoutes() []route {
	return []route{
		{"POST", "/v1/passkeys/options", anyKey, "", passkeyOptions, passkeyOptionsDoc()},
		{"POST", "/v1/sessions/step-up/options", person, "", stepUpOptions, stepUpOptionsDoc()},
		{"POST", "/v1/me/factors/passkeys/options", person, "", newPasskeyOptions, newPasskeyOptionsDoc()},
		{"POST", "/v1/me/factors/passkeys", person, "", addPasskey, addPasskeyDoc()},
	}
}

func passkeyOptionsDoc() *operation {
	return &operation{
		id: "askPasskey", tag: tagSessions, summary: "Ask for a passkey",
		description: "What a browser is asked for when somebody logs in by passkey. Nobody need say who they are first: the device offers the passkeys that it has for the app. The answer goes to `POST /v1/sessions` as `passkey`.",
		in:          reflect.TypeFor[askBody](), status: http.StatusOK, out: reflect.TypeFor[ceremonyAnswer](), answer: "The ceremony and the browser's options.",
		fails: []countersign.Kind{countersign.ErrNotFound, countersign.ErrRateLimited},
	}
}

func stepUpOptionsDoc() *operation {
	return &operation{
		id: "askPasskeyAgain", tag: tagSessions, summary: "Ask for one of my passkeys",
		description: "What a browser is asked for in a step-up: one of the person's own passkeys. The answer goes to `POST /v1/sessions/step-up` as `passkey`.",
		in:          reflect.TypeFor[nothing](), status: http.StatusOK, out: reflect.TypeFor[ceremonyAnswer](), answer: "The ceremony and the browser's options.",
		fails: []countersign.Kind{countersign.ErrNotFound},
	}
}

func newPasskeyOptionsDoc() *operation {
	return &operation{
		id: "newPasskey", tag: tagFactors, summary: "Begin a passkey",
		description: "What a browser is asked for to make a passkey. Where the person has a factor already, the session must have shown one within the last five minutes.",
		in:          reflect.TypeFor[nothing](), status: http.StatusOK, out: reflect.TypeFor[ceremonyAnswer](), answer: "The ceremony and the browser's options.",
		fails: []countersign.Kind{countersign.ErrNotFound, countersign.ErrStepUpRequired},
	}
}

func addPasskeyDoc() *operation {
	return &operation{
		id: "addPasskey", tag: tagFactors, summary: "Add a passkey",
		description: "Takes the passkey that a browser has made. That is a step-up too: the session goes on with new tokens, and the old ones are dead.",
		in:          reflect.TypeFor[newPasskeyBody](), needed: true, status: http.StatusCreated, out: reflect.TypeFor[confirmAnswer](), answer: "The factor, and the session's new tokens.",
		fails: []countersign.Kind{countersign.ErrCeremonyOver, countersign.ErrPasskeyRefused, countersign.ErrStepUpRequired, countersign.ErrFactorExists, countersign.ErrNotFound},
	}
}
