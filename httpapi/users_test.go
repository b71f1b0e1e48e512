package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPIDescribesUsersAndSessions makes good and bad calls of every operation of users and sessions, and checks the
// answers against the document.
func TestOpenAPIDescribesUsersAndSessions(t *testing.T) {
	w := newWhole(t)
	doc := w.document()
	l, other := w.login(number), w.login("+12015550124")
	bearer, id := as(text(l, "access_token")), text(l["user"].(map[string]any), "id")
	session := claims(t, text(other, "access_token"))["sid"].(string)
	proof := w.proof(number, "")
	made := map[string]bool{}
	for _, c := range []struct{ method, pattern, path, body, who string }{
		{"POST", "/v1/sessions", "/v1/sessions", `{"proof":"` + proof + `"}`, as(secret)},
		{"POST", "/v1/sessions", "/v1/sessions", `{"proof":"` + proof + `"}`, as(secret)},
		{"POST", "/v1/sessions", "/v1/sessions", `{"proof":"x"}`, as(secret)},
		{"POST", "/v1/sessions", "/v1/sessions", `{"proof":null}`, as(secret)},
		{"POST", "/v1/sessions", "/v1/sessions", `{"prof":"x"}`, as(publishable)},
		{"POST", "/v1/sessions", "/v1/sessions", `{"proof":"x"}`, "X: y"},
		{"POST", "/v1/sessions/refresh", "/v1/sessions/refresh", `{"refresh_token":"` + text(l, "refresh_token") + `"}`, "X: y"},
		{"POST", "/v1/sessions/refresh", "/v1/sessions/refresh", `{"refresh_token":"x"}`, "X: y"},
		{"POST", "/v1/sessions/refresh", "/v1/sessions/refresh", "", "X: y"},
		{"GET", "/v1/me", "/v1/me", "", bearer},
		{"GET", "/v1/me", "/v1/me", "", as(secret)},
		{"GET", "/v1/me/sessions", "/v1/me/sessions", "", bearer},
		{"DELETE", "/v1/me/sessions/{id}", "/v1/me/sessions/" + session, "", bearer},
		{"DELETE", "/v1/me/sessions/{id}", "/v1/me/sessions/" + session, "", as(text(other, "access_token"))},
		{"POST", "/v1/me/phone_number", "/v1/me/phone_number", `{"proof":"x"}`, bearer},
		{"POST", "/v1/me/phone_number", "/v1/me/phone_number", `{"proof":"` + w.proof("+12015550125", `,"purpose":"stepup"`) + `","current_proof":"` + w.proof(number, `,"purpose":"stepup"`) + `"}`, bearer},
		{"GET", "/v1/users", "/v1/users?phone_number=" + url.QueryEscape("+12015550125"), "", as(secret)},
		{"GET", "/v1/users", "/v1/users?phone_number=1", "", as(secret)},
		{"GET", "/v1/users", "/v1/users?phone=1", "", as(secret)},
		{"GET", "/v1/users", "/v1/users", "", as(publishable)},
		{"GET", "/v1/users/{id}", "/v1/users/" + id, "", as(secret)},
		{"GET", "/v1/users/{id}", "/v1/users/x", "", as(secret)},
		{"DELETE", "/v1/users/{id}", "/v1/users/" + id, "", as(secret)},
		{"DELETE", "/v1/users/{id}", "/v1/users/" + id, "", as(secret)},
		{"DELETE", "/v1/sessions/current", "/v1/sessions/current", "", bearer},
	} {
		op, ok := doc.Paths[c.pattern][strings.ToLower(c.method)]
		if !ok {
			t.Errorf("%s %s is not in the document", c.method, c.pattern)
			continue
		}
		made[op.OperationID] = true
		a := w.ask(c.method, c.path, c.body, c.who)
		if a.status >= 500 {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		for _, wrong := range doc.describes(op, a) {
			t.Errorf("%s %s %d: %s", c.method, c.path, a.status, wrong)
		}
	}
	w.ask("DELETE", "/v1/sessions/current", "", as(text(w.login(number), "access_token"))).want(204, "")
	if len(made) != 10 {
		t.Errorf("%d operations were called", len(made))
	}
}

// INV-10: whether a number has a user is told to nobody who has not proved it. Start, check and their refusals are equal
// for both; a session's answer differs in nothing but its values.
func TestKnownAndUnknownNumbersLookAlike(t *testing.T) {
	w := newWhole(t)
	const unknown = "+12015550124"
	w.login(number)
	shape := func(m map[string]any) string {
		var names []string
		for name, v := range m {
			if inner, ok := v.(map[string]any); ok {
				for n := range inner {
					names = append(names, name+"."+n)
				}
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	var shapes [2][]string
	for n, to := range []string{number, unknown} {
		a := w.ask("POST", "/v1/verifications", `{"to":"`+to+`"}`, as(publishable), "Origin: "+ownOrigin).want(201, "")
		id := text(a.json(), "id")
		wrong := w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+another(w.codeOf(to))+`"}`, as(publishable), "Origin: "+ownOrigin)
		right := w.ask("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+w.codeOf(to)+`"}`, as(publishable), "Origin: "+ownOrigin)
		session := w.ask("POST", "/v1/sessions", `{"proof":"`+text(right.json(), "proof")+`"}`, as(publishable), "Origin: "+ownOrigin)
		for _, one := range []*answer{a, wrong, right, session} {
			shapes[n] = append(shapes[n], fmt.Sprint(one.status, " ", shape(one.json())))
		}
		w.forget()
	}
	for i := range shapes[0] {
		if shapes[0][i] != shapes[1][i] {
			t.Errorf("known:   %s\nunknown: %s", shapes[0][i], shapes[1][i])
		}
	}
	// The control: the look-up that does tell takes a secret key.
	w.ask("GET", "/v1/users?phone_number=%2B"+number[1:], "", as(publishable), "Origin: "+ownOrigin).want(403, "forbidden")
}
