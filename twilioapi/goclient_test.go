package twilioapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	verify "github.com/twilio/twilio-go/rest/verify/v2"
)

// elsewhere sends what is meant for the vendor to the face: the library's address cannot be set.
type elsewhere struct{ to *url.URL }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "verify.twilio.com" {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = e.to.Scheme, e.to.Host, e.to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}

func goClient(t *testing.T, address string) *verify.ApiService {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &twilioclient.Client{
		Credentials: twilioclient.NewCredentials(account, token), HTTPClient: &http.Client{Transport: elsewhere{to}}, // no Timeout: the library leaves bodies open
	}
	c.SetAccountSid(account)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return verify.NewApiServiceWithClient(c)
}

func refusedWith(t *testing.T, what string, err error, status, code int) {
	t.Helper()
	e := (*twilioclient.TwilioRestError)(nil)
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		t.Errorf("%s: %v, want %d/%d", what, err, status, code)
	}
}

func TestVendorGoClient(t *testing.T) {
	n := newNode(t, nil)
	api := goClient(t, n.url)
	const to = "+12025550101"
	start := (&verify.CreateVerificationParams{}).SetTo(to).SetChannel("sms")
	v, err := api.CreateVerification(service, start)
	if err != nil || *v.Status != "pending" || v.SendCodeAttempts == nil || len(*v.SendCodeAttempts) != 1 {
		t.Fatalf("start: %+v, %v", v, err)
	}
	_, err = api.CreateVerification(service, start)
	refusedWith(t, "a start within the cooldown", err, 429, 60203)
	right := n.code(to)
	check := func(code string) (*verify.VerifyV2VerificationCheck, error) {
		return api.CreateVerificationCheck(service, (&verify.CreateVerificationCheckParams{}).SetTo(to).SetCode(code))
	}
	last := "0"
	if right[len(right)-1] == '0' {
		last = "1"
	}
	c, err := check(right[:len(right)-1] + last)
	if err != nil || *c.Status != "pending" || *c.Valid {
		t.Errorf("a wrong code: %+v, %v", c, err)
	}
	c, err = check(right)
	if err != nil || *c.Status != "approved" || !*c.Valid || *c.Sid != *v.Sid {
		t.Errorf("the right code: %+v, %v", c, err)
	}
	_, err = api.CreateVerificationCheck(service, (&verify.CreateVerificationCheckParams{}).SetVerificationSid(*v.Sid).SetCode(right))
	refusedWith(t, "the right code again", err, 404, 20404)
	if f, err := api.FetchVerification(service, *v.Sid); err != nil || *f.Status != "approved" {
		t.Errorf("fetch: %+v, %v", f, err)
	}
	if err := n.store.Advance(context.Background(), time.Minute); err != nil {
		t.Fatal(err)
	}
	second, err := api.CreateVerification(service, start)
	if err != nil || *second.Sid == *v.Sid {
		t.Fatalf("a second start: %+v, %v", second, err)
	}
	if u, err := api.UpdateVerification(service, to, (&verify.UpdateVerificationParams{}).SetStatus("canceled")); err != nil || *u.Status != "canceled" {
		t.Errorf("cancel: %+v, %v", u, err)
	}
	s, err := api.FetchService(service)
	if err != nil || *s.FriendlyName != "Demo" {
		t.Errorf("service: %+v, %v", s, err)
	}
	limit, err := api.CreateRateLimit(service, (&verify.CreateRateLimitParams{}).SetUniqueName("ip"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := api.CreateBucket(service, *limit.Sid, (&verify.CreateBucketParams{}).SetMax(1).SetInterval(60)); err != nil || b.Max != 1 {
		t.Errorf("bucket: %+v, %v", b, err)
	}
	limited := func(to string) error {
		_, err := api.CreateVerification(service, (&verify.CreateVerificationParams{}).SetTo(to).SetChannel("sms").SetRateLimits(map[string]any{"ip": "203.0.113.7"}))
		return err
	}
	if err := limited("+12025550111"); err != nil {
		t.Error(err)
	}
	refusedWith(t, "a start beyond the bucket", limited("+12025550112"), 429, 60203)
	if _, err := api.FetchVerificationAttemptsSummary(nil); err != nil {
		t.Error(err)
	}
}
