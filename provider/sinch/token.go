package sinch

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"countersign"
	"countersign/provider/outbound"
)

// tokens are what requests to the SMS API are authorised with: the plan's own token, or access tokens of a project
// (OAuth 2.0 client credentials), kept until shortly before they expire.
type tokens struct {
	cfg    SMSConfig
	client *outbound.Client

	mu    sync.Mutex
	text  string
	until time.Time
}

// early is how long before its end a token is replaced.
const early = time.Minute

// get gives a token that is good now. Requests that come while one is fetched wait for it, at most its own deadline.
func (t *tokens) get(ctx context.Context) (string, *countersign.Failure) {
	if t.cfg.Project == "" {
		return string(t.cfg.Token), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text != "" && time.Now().Before(t.until) {
		return t.text, nil
	}
	basic := base64.StdEncoding.EncodeToString([]byte(t.cfg.KeyID + ":" + string(t.cfg.KeySecret)))
	got, f := t.client.Do(ctx, &outbound.Question{
		Method: http.MethodPost, URL: strings.TrimRight(t.cfg.AuthURL, "/") + "/oauth2/token",
		Header: http.Header{"Authorization": {"Basic " + basic}, "Content-Type": {"application/x-www-form-urlencoded"}},
		Body:   []byte("grant_type=client_credentials"),
	})
	if f != nil {
		// Whatever became of this request, no message was sent.
		f.Class, f.Detail = countersign.FailTemporary, "no access token: "+f.Detail
		return "", f
	}
	if !got.OK() {
		f := smsFailure(t.client, got)
		if f.Class == countersign.FailUnknown {
			f.Class = countersign.FailTemporary
		}
		f.Detail = "no access token: " + f.Detail
		return "", f
	}
	var a struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if err := got.Into(&a); err != nil || a.Token == "" || strings.ContainsAny(a.Token, " \r\n") {
		return "", t.client.Fail(countersign.FailTemporary, "no access token in the answer", nil)
	}
	t.text, t.until = a.Token, time.Now().Add(time.Duration(a.Expires)*time.Second-early)
	return t.text, nil
}

// expired says whether a refusal means that the token's time is over, and forgets it then.
func (t *tokens) expired(a *outbound.Answer, token string) bool {
	if t.cfg.Project == "" || !strings.Contains(strings.ToLower(a.Header.Get("WWW-Authenticate")), "expired") {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text == token {
		t.text = ""
	}
	return true
}
