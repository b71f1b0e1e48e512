package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"countersign"
)

var wanted = &countersign.Error{
	Kind: countersign.ErrChallengeRequired, RetryAfter: 6 * time.Second, Limit: "client_starts",
	Challenge: &countersign.Challenge{Algorithm: "SHA-256", Challenge: strings.Repeat("0a", 32), MaxNumber: 100000, Salt: "5a?expires=1&level=1&", Signature: "51"},
}

func TestAChallengeIsInTheAnswer(t *testing.T) {
	f := newFace(t)
	v := f.ask("POST", "/v1/verifications", `{"to":"`+number+`"}`, as(secret)).want(201, "").json()
	f.engine.fail = wanted
	for _, headers := range [][]string{{as(secret)}, {as(publishable), "Origin: https://shop.example"}} {
		for _, path := range []string{"/v1/verifications", "/v1/verifications/" + v["id"].(string) + "/sends"} {
			body := `{"challenge_response":"e30="}`
			if path == "/v1/verifications" {
				body = `{"to":"` + number + `","challenge_response":"e30="}`
			}
			got := f.ask("POST", path, body, headers...).want(428, "challenge_required")
			problem := got.json()
			challenge, _ := problem["challenge"].(map[string]any)
			for name, want := range map[string]any{
				"algorithm": "SHA-256", "challenge": strings.Repeat("0a", 32), "maxnumber": 100000.0, "salt": "5a?expires=1&level=1&", "signature": "51",
			} {
				if challenge[name] != want {
					t.Errorf("%s: %s is %v, want %v", path, name, challenge[name], want)
				}
			}
			if problem["retry_after"] != 6.0 || got.header.Get("Retry-After") != "6" {
				t.Errorf("%s: %v, Retry-After %s", path, problem["retry_after"], got.header.Get("Retry-After"))
			}
		}
	}
	if n := len(f.engine.starts); f.engine.starts[n-1].ChallengeResponse != "e30=" || f.engine.sends[len(f.engine.sends)-1].ChallengeResponse != "e30=" {
		t.Error("the engine did not get the response")
	}
}

func TestTheDocumentNamesTheResponse(t *testing.T) {
	doc := newFace(t).ask("GET", "/openapi.json", "").want(200, "").body
	if n := strings.Count(doc, `"challenge_response"`); n != 2 {
		t.Errorf("challenge_response is in %d bodies, want those of start and resend", n)
	}
	if !strings.Contains(doc, `"maxnumber"`) {
		t.Error("a problem has no challenge")
	}
}
