package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/oidc"
	"countersign/web"
)

// people is a store of sessions that cannot be reached, or has none.
type people struct {
	oidc.People
	err error
}

func (p people) Browser(context.Context, string) (*countersign.Session, error) { return nil, p.err }
func (people) Now() time.Time                                                  { return time.Now() }

// Nobody is told that they are logged out while their session may go on.
func TestLogoutWithoutAStore(t *testing.T) {
	now := time.Now()
	var keys []countersign.Key
	for _, use := range []countersign.KeyUse{countersign.KeyCode, countersign.KeyTag, countersign.KeySeal, countersign.KeyPhone} {
		k, err := countersign.NewKey(use, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	ring, err := countersign.NewKeyring(keys, now)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err    error
		status int
	}{
		{countersign.Unavailable(context.DeadlineExceeded), http.StatusServiceUnavailable},
		{countersign.Fail(countersign.ErrUnauthorized, "Nobody is logged in."), http.StatusOK},
	} {
		face, err := oidc.New(oidc.Config{
			Issuer: "http://localhost:8080", Clients: []oidc.Client{{ID: "demo", App: "demo", Secret: "sandboxdemo", AnyLoopback: true}},
			Store: struct{ oidc.Store }{}, People: people{err: c.err}, Keys: func() *countersign.Keyring { return ring },
			SigningKey: func() (string, any, error) { return "", nil, nil }, JWKS: func() []byte { return []byte(`{"keys":[]}`) },
			App:      func(id string) (*countersign.App, bool) { return &countersign.App{ID: id}, true },
			ClientOf: func(*http.Request) countersign.Client { return countersign.Client{} }, Report: func(error) {}, Pages: pages,
			CountLogin: func(context.Context, *countersign.App, countersign.Client) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "http://localhost:8080/oauth2/logout", strings.NewReader("confirm=yes"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: "sso", Value: "rft_x"})
		w := httptest.NewRecorder()
		face.ServeHTTP(w, r)
		if gone := w.Header().Get("Set-Cookie") != ""; w.Code != c.status || gone != (c.status == http.StatusOK) {
			t.Errorf("%v: answered %d, cookie taken away: %t: %s", c.err, w.Code, gone, w.Body)
		}
	}
}
