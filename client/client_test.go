package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"countersign/client"
)

const pending = `{"id":"ver_1","status":"pending","expires_in":300}`

// answers plays an instance: one answer a call, in their order.
type answers struct {
	t    *testing.T
	list []func(*http.Request) (*http.Response, error)
	got  []*http.Request
	when []time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(a.got) == len(a.list) {
		a.t.Errorf("%s %s: a call too many", r.Method, r.URL.Path)
		return nil, errors.New("no answer left")
	}
	a.got, a.when = append(a.got, r), append(a.when, time.Now())
	return a.list[len(a.got)-1](r)
}

func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			rec.Header().Set("Content-Type", "application/problem+json")
		}
		for i := 0; i+1 < len(header); i += 2 {
			rec.Header().Set(header[i], header[i+1])
		}
		rec.WriteHeader(status)
		if _, err := rec.WriteString(body); err != nil {
			return nil, err
		}
		return rec.Result(), nil
	}
}

func broken(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func problem(status int, code string, members ...string) func(*http.Request) (*http.Response, error) {
	return answer(status, fmt.Sprintf(`{"type":"https://x/problems/%s","title":"T","status":%d,"code":%q,"detail":"What to do.","request_id":"req_1"%s}`,
		code, status, code, strings.Join(members, "")))
}

func newClient(t *testing.T, list ...func(*http.Request) (*http.Response, error)) (*client.Client, *answers) {
	t.Helper()
	a := &answers{t: t, list: list}
	c, err := client.New(client.Config{URL: "https://verify.example.com/", Key: "sk_test", HTTP: &http.Client{Transport: a}})
	if err != nil {
		t.Fatal(err)
	}
	return c, a
}

func TestARefusalIsAProblem(t *testing.T) {
	c, _ := newClient(t, problem(422, "incorrect_code", `,"checks_left":3`))
	_, err := c.Check(t.Context(), "ver_1", &client.CheckRequest{Code: "123456"})
	if !errors.Is(err, client.ErrIncorrectCode) || errors.Is(err, client.ErrInvalidCode) {
		t.Errorf("the error is %v", err)
	}
	var p *client.Problem
	if !errors.As(err, &p) || p.ChecksLeft == nil || *p.ChecksLeft != 3 || p.Status != 422 || p.RequestID != "req_1" || p.Error() != "incorrect_code: What to do." {
		t.Errorf("the problem is %+v", p)
	}
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	for name, reply := range map[string]func(*http.Request) (*http.Response, error){
		"a proxy's page":            answer(404, "<h1>Not found</h1>", "Content-Type", "text/html"),
		"another's problem":         answer(404, `{"code":"`, "Content-Type", "application/problem+json"),
		"a redirect":                answer(307, "", "Location", "https://elsewhere.example/v1/verifications"),
		"a success without content": answer(200, `{}`),
		"a success that is none":    answer(200, `<html>`),
		"too much":                  answer(200, `{"id":"`+strings.Repeat("x", 1<<20)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			c, a := newClient(t, reply)
			v, err := c.Start(t.Context(), &client.StartRequest{To: "+14155550123"})
			if err == nil || v != nil {
				t.Errorf("Start = %v, %v", v, err)
			}
			if len(a.got) != 1 {
				t.Errorf("it was tried %d times", len(a.got))
			}
		})
	}
}

// A check that is answered without error is approved, whatever a server says.
func TestACheckWithoutErrorIsApproved(t *testing.T) {
	c, _ := newClient(t, answer(200, pending), answer(200, `{"id":"ver_1","status":"approved","proof":"p","device_token":"dev_1"}`))
	if _, err := c.Check(t.Context(), "ver_1", &client.CheckRequest{Code: "123456"}); err == nil {
		t.Error("a pending verification passed as approved")
	}
	v, err := c.Check(t.Context(), "ver_1", &client.CheckRequest{Code: "123456"})
	if err != nil || v.Proof != "p" || v.DeviceToken != "dev_1" {
		t.Errorf("Check = %+v, %v", v, err)
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	start := func(ctx context.Context, c *client.Client) error {
		_, err := c.Start(ctx, &client.StartRequest{To: "+14155550123"})
		return err
	}
	check := func(ctx context.Context, c *client.Client) error {
		_, err := c.Check(ctx, "ver_1", &client.CheckRequest{Code: "123456"})
		return err
	}
	get := func(ctx context.Context, c *client.Client) error {
		_, err := c.Get(ctx, "ver_1")
		return err
	}
	for _, test := range []struct {
		name  string
		call  func(context.Context, *client.Client) error
		first func(*http.Request) (*http.Response, error)
		again bool
	}{
		{"a start that got no answer", start, broken(reset), true},
		{"a start that was never received", start, broken(dial), true},
		{"a start while the store is away", start, problem(503, "unavailable", `,"retry_after":1`), true},
		{"a start that still runs", start, problem(409, "idempotency_in_progress", `,"retry_after":1`), true},
		{"a start that a balancer could not place", start, answer(502, "", "Content-Type", "text/html"), true},
		{"a start after which one has to wait", start, problem(429, "resend_too_soon", `,"retry_after":30`), false},
		{"a start that no route took", start, problem(502, "delivery_failed"), false},
		{"a start that is wrong", start, problem(400, "invalid_request"), false},
		{"a start while the store is away for long", start, problem(503, "unavailable", `,"retry_after":60`), false},
		{"a check that got no answer", check, broken(reset), false},
		{"a check that was never received", check, broken(dial), true},
		{"a check while the store is away", check, problem(503, "unavailable", `,"retry_after":1`), false},
		{"a wrong check", check, problem(422, "incorrect_code"), false},
		{"a read that got no answer", get, broken(reset), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list := []func(*http.Request) (*http.Response, error){test.first}
				if test.again {
					list = append(list, answer(200, `{"id":"ver_1","status":"approved"}`))
				}
				c, a := newClient(t, list...)
				if err := test.call(t.Context(), c); (err == nil) != test.again {
					t.Errorf("the error is %v", err)
				}
				if len(a.got) != len(list) {
					t.Fatalf("it was tried %d times, want %d", len(a.got), len(list))
				}
				if test.again && a.got[0].Header.Get("Idempotency-Key") != a.got[1].Header.Get("Idempotency-Key") {
					t.Error("the second try has another Idempotency-Key")
				}
			})
		})
	}
}

func TestTriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := problem(503, "unavailable", `,"retry_after":2`)
		c, a := newClient(t, away, away, away)
		_, err := c.Start(t.Context(), &client.StartRequest{To: "+14155550123", IdempotencyKey: "mine"})
		if !errors.Is(err, client.ErrUnavailable) || len(a.got) != 3 {
			t.Errorf("%d tries, then %v", len(a.got), err)
		}
		for i, r := range a.got {
			if r.Header.Get("Idempotency-Key") != "mine" {
				t.Errorf("try %d: the caller's key is not used", i)
			}
			if i > 0 && a.when[i].Sub(a.when[i-1]) < 2*time.Second {
				t.Errorf("try %d came earlier than the server asked", i)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, a = newClient(t, away)
		if _, err := c.Start(ctx, &client.StartRequest{To: "+14155550123"}); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("a caller with less time than the pause got %v", err)
		}
		if time.Since(a.when[0]) > 0 {
			t.Error("the caller waited for nothing")
		}
	})
}

func TestTheKeyIsKeptSecret(t *testing.T) {
	c, err := client.New(client.Config{URL: "https://verify.example.com", Key: "sk_very_secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, c); strings.Contains(text, "secret") {
			t.Errorf("%s prints %s", format, text)
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("followed to %s", r.URL) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if c, err = client.New(client.Config{URL: server.URL, Key: "sk_very_secret"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "ver_1"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Get = %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []client.Config{
		{},
		{URL: "verify.example.com", Key: "sk"},
		{URL: "ftp://x", Key: "sk"},
		{URL: "https://x?y", Key: "sk"},
		{URL: "https://u:p@x", Key: "sk"},
		{URL: "https://x"},
		{URL: "https://x", Key: "sk\n"},
		{URL: "https://x", Key: "sk", Attempts: -1},
	} {
		if _, err := client.New(cfg); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("New(%+v) = %v", cfg, err)
		}
	}
}

func TestAnIDStaysInItsPlace(t *testing.T) {
	c, a := newClient(t, answer(200, pending))
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.Cancel(t.Context(), id); err == nil {
			t.Errorf("the id %q was used", id)
		}
	}
	if _, err := c.Get(t.Context(), "../checks?x=1#"); err != nil {
		t.Fatal(err)
	}
	if got := a.got[0].URL.EscapedPath() + a.got[0].URL.RawQuery; got != "/v1/verifications/..%2Fchecks%3Fx=1%23" {
		t.Errorf("the path is %s", got)
	}
}

func TestAllReadsEveryPage(t *testing.T) {
	c, a := newClient(t,
		answer(200, `{"data":[{"id":"ver_3"},{"id":"ver_2"}],"next_cursor":"c/1"}`),
		answer(200, `{"data":[{"id":"ver_1"}],"next_cursor":null}`),
		problem(401, "unauthorized"),
	)
	var ids []string
	for v, err := range c.All(t.Context(), &client.ListQuery{To: "+1 415", Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	if got := strings.Join(ids, " "); got != "ver_3 ver_2 ver_1" {
		t.Errorf("the list is %s", got)
	}
	if q := a.got[1].URL.Query(); q.Get("cursor") != "c/1" || q.Get("to") != "+1 415" || q.Get("limit") != "2" {
		t.Errorf("the second page was asked for with %s", a.got[1].URL.RawQuery)
	}
	count := 0
	for _, err := range c.All(t.Context(), &client.ListQuery{}) {
		if count++; !errors.Is(err, client.ErrUnauthorized) {
			t.Errorf("the error is %v", err)
		}
	}
	if count != 1 {
		t.Errorf("an error came %d times", count)
	}
}

// What was left empty is not sent: the server has its own defaults, and refuses what it does not know.
func TestABodyHoldsWhatWasSaid(t *testing.T) {
	c, a := newClient(t, answer(201, pending))
	if _, err := c.Start(t.Context(), &client.StartRequest{To: "+14155550123"}); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.got[0].Body)
	if err != nil || string(body) != `{"to":"+14155550123"}` {
		t.Errorf("the body is %s (%v)", body, err)
	}
}
