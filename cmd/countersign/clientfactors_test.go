package main

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/client"
	"countersign/passkey/passkeytest"
)

// The Go client's calls about people and operations, against the whole program.

// goCaller is the client with what the tests ask of it again and again.
type goCaller struct {
	*client.Client
	t *testing.T
	i *instanceUnderTest
}

func newGoCaller(t *testing.T, i *instanceUnderTest) *goCaller {
	t.Helper()
	c, err := client.New(client.Config{URL: i.url, Key: i.key})
	if err != nil {
		t.Fatal(err)
	}
	return &goCaller{c, t, i}
}

// approve proves a number.
func (c *goCaller) approve(q *client.StartRequest) string {
	c.t.Helper()
	if err := c.Sandbox().ForgetLimits(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	v, err := c.Start(c.t.Context(), q)
	if err != nil {
		c.t.Fatal(err)
	}
	box, err := c.Sandbox().Inbox(c.t.Context(), v.To)
	newest := slices.IndexFunc(box, func(m *client.InboxMessage) bool { return m.Code != "" }) // notices have none
	if err != nil || newest < 0 {
		c.t.Fatalf("the inbox of %s: %v", v.To, err)
	}
	done, err := c.Check(c.t.Context(), v.ID, &client.CheckRequest{Code: box[newest].Code})
	if err != nil {
		c.t.Fatal(err)
	}
	return done.Proof
}

func (c *goCaller) logIn(to string) *client.Session {
	c.t.Helper()
	s, err := c.Redeem(c.t.Context(), &client.RedeemRequest{Proof: c.approve(&client.StartRequest{To: to})})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// fresh is a code of an app that was not used before.
func (c *goCaller) fresh(app authenticator) string {
	c.t.Helper()
	now, err := c.Sandbox().Advance(c.t.Context(), 61*time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	return app.code(now)
}

// enrolApp gives a person an authenticator app.
func (c *goCaller) enrolApp(token string) (authenticator, *client.Renewed) {
	c.t.Helper()
	ctx := c.t.Context()
	begun, err := c.AddTOTP(ctx, token, "My phone")
	if err != nil || begun.QR == "" || begun.Expires.IsZero() {
		c.t.Fatalf("AddTOTP = %+v, %v", begun, err)
	}
	secret, err := base32.StdEncoding.DecodeString(begun.Secret)
	if err != nil {
		c.t.Fatal(err)
	}
	app := authenticator(secret)
	if _, err := c.ConfirmFactor(ctx, token, begun.ID, other(c.fresh(app))); !errors.Is(err, client.ErrIncorrectCode) {
		c.t.Errorf("a wrong code: %v", err)
	}
	renewed, err := c.ConfirmFactor(ctx, token, begun.ID, c.fresh(app))
	if err != nil || renewed.Factor.Type != client.FactorTOTP || renewed.Factor.Name != "My phone" || renewed.AccessToken == token {
		c.t.Fatalf("ConfirmFactor = %+v, %v", renewed, err)
	}
	return app, renewed
}

// makePasskey gives a person a passkey.
func (c *goCaller) makePasskey(token string, d *passkeytest.Device) *client.Renewed {
	c.t.Helper()
	offer, err := c.NewPasskey(c.t.Context(), token)
	if err != nil {
		c.t.Fatal(err)
	}
	credential, err := d.Create(offer.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	answer := client.PasskeyAnswer{Ceremony: offer.Ceremony, Credential: credential}
	renewed, err := c.AddPasskey(c.t.Context(), token, &client.NewPasskeyRequest{PasskeyAnswer: answer, Name: "Laptop"})
	if err != nil || renewed.Factor.Type != client.FactorPasskey {
		c.t.Fatalf("AddPasskey = %+v, %v", renewed, err)
	}
	return renewed
}

// usePasskey answers what a device was asked for.
func (c *goCaller) usePasskey(d *passkeytest.Device, asked *client.Ceremony, err error) *client.PasskeyAnswer {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	credential, err := d.Get(asked.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	return &client.PasskeyAnswer{Ceremony: asked.Ceremony, Credential: credential}
}

func TestTheGoClientsFactors(t *testing.T) {
	i := named(t)
	c := newGoCaller(t, i)
	ctx := t.Context()
	const to, next = "+14155554101", "+14155554102"
	s, elsewhere := c.logIn(to), c.logIn(to)
	app, renewed := c.enrolApp(s.AccessToken)
	if _, err := c.Me(ctx, s.AccessToken); !errors.Is(err, client.ErrSessionRevoked) {
		t.Errorf("the token of before: %v", err)
	}
	if _, err := c.RemoveFactor(ctx, elsewhere.AccessToken, renewed.Factor.ID); !errors.Is(err, client.ErrStepUpRequired) {
		t.Errorf("removing without a factor: %v", err)
	}
	paper, err := c.NewRecoveryCodes(ctx, renewed.AccessToken, "Paper")
	if err != nil || len(paper.Codes) != 10 {
		t.Fatalf("NewRecoveryCodes = %+v, %v", paper, err)
	}
	device := &passkeytest.Device{Origin: i.url}
	token := c.makePasskey(paper.AccessToken, device).AccessToken
	list, err := c.Factors(ctx, token)
	if err != nil || len(list) != 3 || list[0].Type != client.FactorTOTP || list[1].Remaining != 10 || list[2].Name != "Laptop" {
		t.Fatalf("Factors = %+v, %v", list, err)
	}

	if _, err := c.StepUp(ctx, token, &client.StepUpRequest{TOTP: other(c.fresh(app))}); !errors.Is(err, client.ErrIncorrectCode) {
		t.Errorf("a wrong code: %v", err)
	}
	asked, err := c.AskPasskey(ctx, &client.Person{IP: "203.0.113.7"})
	byPasskey, err := c.Redeem(ctx, &client.RedeemRequest{Passkey: c.usePasskey(device, asked, err)})
	if err != nil || byPasskey.User.ID != s.User.ID {
		t.Fatalf("a login by passkey = %+v, %v", byPasskey, err)
	}
	for name, show := range map[string]func() *client.StepUpRequest{
		"a recovery code": func() *client.StepUpRequest { return &client.StepUpRequest{RecoveryCode: paper.Codes[0]} },
		"an app":          func() *client.StepUpRequest { return &client.StepUpRequest{TOTP: c.fresh(app)} },
		"a passkey": func() *client.StepUpRequest {
			asked, err := c.AskPasskeyAgain(ctx, token)
			return &client.StepUpRequest{Passkey: c.usePasskey(device, asked, err)}
		},
		"a proof": func() *client.StepUpRequest {
			return &client.StepUpRequest{Proof: c.approve(&client.StartRequest{User: s.User.ID, Purpose: client.PurposeStepUp})}
		},
	} {
		up, err := c.StepUp(ctx, token, show())
		if err != nil {
			t.Fatalf("a step-up by %s: %v", name, err)
		}
		token = up.AccessToken
	}
	if me, err := c.Me(ctx, token); err != nil || me.Session == nil || me.Session.ACR != levelTwo || me.PhoneNumber != to {
		t.Errorf("Me = %+v, %v", me, err)
	}

	changed, err := c.ChangeNumber(ctx, token, &client.ChangeNumberRequest{Proof: c.approve(&client.StartRequest{To: next, Purpose: client.PurposeStepUp})})
	if err != nil || changed.User.PhoneNumber != next {
		t.Fatalf("ChangeNumber = %+v, %v", changed, err)
	}
	removed, err := c.RemoveFactor(ctx, changed.AccessToken, renewed.Factor.ID)
	if err != nil {
		t.Fatalf("RemoveFactor: %v", err)
	}
	for what, dead := range map[string]string{"a change of number": token, "a removal": changed.AccessToken} {
		if _, err := c.Me(ctx, dead); !errors.Is(err, client.ErrSessionRevoked) {
			t.Errorf("the token of before %s: %v", what, err)
		}
	}
	token = removed.AccessToken
	if err := c.ResetFactors(ctx, s.User.ID); err != nil {
		t.Errorf("ResetFactors: %v", err)
	}
	if _, err := c.Factors(ctx, token); !errors.Is(err, client.ErrSessionRevoked) {
		t.Errorf("the session after a reset: %v", err)
	}
	factorsAreCounted(t, i, to, next, s.User.ID, "Laptop")
}

// factorsAreCounted looks for what TestTheGoClientsFactors did in the metrics, which name nobody.
func factorsAreCounted(t *testing.T, i *instanceUnderTest, people ...string) {
	t.Helper()
	_, text := i.raw("GET", "/metrics", "")
	for _, want := range []string{
		`countersign_factor_events_total{app="demo",event="added",factor="totp"} 1`,
		`countersign_factor_events_total{app="demo",event="added",factor="recovery_codes"} 1`,
		`countersign_factor_events_total{app="demo",event="added",factor="passkey"} 1`,
		`countersign_factor_events_total{app="demo",event="used",factor="totp"} 1`,
		`countersign_factor_events_total{app="demo",event="used",factor="recovery_codes"} 1`,
		`countersign_factor_events_total{app="demo",event="used",factor="passkey"} 2`,
		`countersign_factor_events_total{app="demo",event="refused",factor="totp"} 1`,
		`countersign_factor_events_total{app="demo",event="removed",factor="totp"} 1`,
		`countersign_factor_events_total{app="demo",event="removed",factor="all"} 1`,
		`countersign_step_ups_total{app="demo",factor="totp"} 1`,
		`countersign_step_ups_total{app="demo",factor="passkey"} 1`,
		`countersign_step_ups_total{app="demo",factor="phone"} 1`,
		`countersign_account_events_total{app="demo",event="user.number_changed"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, one := range people {
		if strings.Contains(text, strings.TrimPrefix(one, "+")) {
			t.Errorf("the metrics name %s", one)
		}
	}
}

// A person acts with their own token, and a server behind the instance's own name with the cookies of a browser.
func TestTheGoClientInAPersonsHands(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	c := newGoCaller(t, i)
	ctx := t.Context()
	const to = "+14155554103"
	s, there, third := c.logIn(to), c.logIn(to), c.logIn(to)

	mine := c.As(s.AccessToken)
	if err := c.Sandbox().ForgetLimits(ctx); err != nil {
		t.Fatal(err)
	}
	coming, err := c.Sandbox().Messages(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	v, err := mine.Start(ctx, &client.StartRequest{User: "me", Purpose: client.PurposeStepUp})
	if err != nil {
		t.Fatal(err)
	}
	code := ""
	for m, err := range coming {
		if err != nil {
			t.Fatal(err)
		}
		code = m.Code
		break
	}
	proved, err := mine.Check(ctx, v.ID, &client.CheckRequest{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	up, err := mine.StepUp(ctx, "", &client.StepUpRequest{Proof: proved.Proof})
	if err != nil || up.AccessToken == s.AccessToken {
		t.Fatalf("StepUp = %+v, %v", up, err)
	}
	mine = c.As(up.AccessToken)
	all, err := mine.Devices(ctx, "")
	if err != nil || len(all) != 3 {
		t.Fatalf("Devices = %+v, %v", all, err)
	}
	at := slices.IndexFunc(all, func(d *client.Device) bool { return !d.Current })
	if err := mine.EndDevice(ctx, "", all[at].ID); err != nil {
		t.Error(err)
	}
	if err := mine.EndOtherDevices(ctx, ""); err != nil {
		t.Error(err)
	}
	for _, gone := range []*client.Session{there, third} {
		if _, err := c.Me(ctx, gone.AccessToken); !errors.Is(err, client.ErrSessionRevoked) {
			t.Errorf("another device: %v", err)
		}
	}

	inCookies, err := c.Redeem(ctx, &client.RedeemRequest{Proof: c.approve(&client.StartRequest{To: to, Nonce: "n-1"}), Nonce: "n-1", Cookie: true})
	if err != nil || inCookies.AccessToken != "" || len(inCookies.Cookies) != 2 || !inCookies.Cookies[0].HttpOnly {
		t.Fatalf("a session by cookie: %+v, %v", inCookies, err)
	}
	jar := append([]*http.Cookie{{Name: "another", Value: "x"}}, inCookies.Cookies...)
	if me, err := c.WithCookies(jar).Me(ctx, ""); err != nil || me.ID != s.User.ID || me.Session.Kind != "cookie" {
		t.Errorf("Me by cookie = %+v, %v", me, err)
	}
	next, err := c.WithCookies(jar).Refresh(ctx, "")
	if err != nil || len(next.Cookies) != 2 || next.Cookies[1].Value == inCookies.Cookies[1].Value {
		t.Fatalf("Refresh by cookie = %+v, %v", next, err)
	}
	if err := c.WithCookies(next.Cookies).EndSession(ctx, ""); err != nil {
		t.Errorf("EndSession by cookie: %v", err)
	}
	if _, err := c.WithCookies(next.Cookies).Me(ctx, ""); !errors.Is(err, client.ErrSessionRevoked) {
		t.Errorf("cookies of a session that ended: %v", err)
	}
}

func TestTheGoClientsOperations(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	c := newGoCaller(t, i)
	ctx := t.Context()
	const to = "+14155554104"
	for name, ask := range map[string]error{"Healthy": c.Healthy(ctx), "Ready": c.Ready(ctx)} {
		if ask != nil {
			t.Errorf("%s: %v", name, ask)
		}
	}
	if keys, err := c.Keys(ctx); err != nil || !json.Valid(keys) || !bytes.Contains(keys, []byte(`"ES256"`)) {
		t.Errorf("Keys = %s, %v", keys, err)
	}
	routes, err := c.Routes(ctx)
	if err != nil || len(routes.Rules) == 0 || len(routes.Rules[0].Routes) == 0 || len(routes.Routes) == 0 || routes.Routes[0].Breaker != "closed" {
		t.Errorf("Routes = %+v, %v", routes, err)
	}
	why, err := c.Explain(ctx, &client.StartRequest{To: to})
	if err != nil || why.Decision != "allow" || len(why.Rules) == 0 || why.Rules[0].Meaning == "" {
		t.Errorf("Explain = %+v, %v", why, err)
	}
	if list, err := c.Blocks(ctx); err != nil || len(list) != 0 {
		t.Errorf("Blocks = %+v, %v", list, err)
	}
	if err := c.LiftBlock(ctx, "blk_5f1d7a84db00d2fce00b31a7fc73224f"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("lifting what is not there: %v", err)
	}

	box := c.Sandbox()
	rules, err := box.SetCarrier(ctx, &client.CarrierRule{To: to, Fate: "undelivered", Times: 1})
	if err != nil || len(rules) != 1 || rules[0].Fate != "undelivered" {
		t.Fatalf("SetCarrier = %+v, %v", rules, err)
	}
	messages, err := box.Messages(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.ClearCarrier(ctx); err != nil {
		t.Error(err)
	}
	if rules, err := box.Carrier(ctx); err != nil || len(rules) != 0 {
		t.Errorf("Carrier = %+v, %v", rules, err)
	}
	v, err := c.Start(ctx, &client.StartRequest{To: to})
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range messages {
		if err != nil || m.To != to || m.Code != i.code(to) {
			t.Errorf("the message is %+v, %v", m, err)
		}
		break
	}
	if now, err := box.Advance(ctx, 10*time.Minute); err != nil || now.Before(v.Expires) {
		t.Errorf("Advance = %s, %v", now, err)
	}
	if v, err = c.Get(ctx, v.ID); err != nil || v.Status != client.StatusExpired {
		t.Errorf("after ten minutes: %+v, %v", v, err)
	}
	if err := box.EmptyInbox(ctx); err != nil {
		t.Error(err)
	}
	if left, err := box.Inbox(ctx, ""); err != nil || len(left) != 0 {
		t.Errorf("Inbox = %+v, %v", left, err)
	}
}
