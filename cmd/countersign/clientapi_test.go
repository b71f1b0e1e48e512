package main

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"countersign/client"
	"countersign/client/proof"
)

// The Go client against the whole program, in the sandbox.
func TestTheGoClient(t *testing.T) {
	i := serve(t, quiet)
	ctx := t.Context()
	c, err := client.New(client.Config{URL: i.url, Key: i.key})
	if err != nil {
		t.Fatal(err)
	}
	const to = "+14155550123"
	transaction := &client.Transaction{Payee: "ACME AB", Amount: "49.90", Currency: "EUR"}
	v, err := c.Start(ctx, &client.StartRequest{
		To: "(415) 555-0123", Region: "US", Purpose: client.PurposeTransaction, Transaction: transaction, Nonce: "n-1", Reference: "order-17",
		Metadata: map[string]string{"basket": "3"}, Client: &client.Person{IP: "203.0.113.7", UserAgent: "test"}, IdempotencyKey: "once",
	})
	if err != nil {
		t.Fatal(err)
	}
	if v.To != to || v.Status != client.StatusPending || v.ExpiresIn.Duration() != 5*time.Minute || v.Created.IsZero() || len(v.Deliveries) != 1 ||
		v.Metadata["basket"] != "3" || *v.Transaction != *transaction || len(v.Raw) == 0 {
		t.Errorf("the verification is %+v", v)
	}
	if _, err := c.Start(ctx, &client.StartRequest{To: to, IdempotencyKey: "once"}); !errors.Is(err, client.ErrIdempotencyMismatch) {
		t.Errorf("another start with the same key: %v", err)
	}
	var p *client.Problem
	if _, err := c.Send(ctx, v.ID, nil); !errors.Is(err, client.ErrResendTooSoon) || !errors.As(err, &p) || p.RetryAfter == 0 {
		t.Errorf("sending again at once: %v", err)
	}
	code := i.code(to)
	if _, err := c.Check(ctx, v.ID, &client.CheckRequest{Code: other(code)}); !errors.Is(err, client.ErrIncorrectCode) || !errors.As(err, &p) || p.ChecksLeft == nil || *p.ChecksLeft != 4 {
		t.Errorf("a wrong code: %v", err)
	}
	done, err := c.Check(ctx, v.ID, &client.CheckRequest{Code: code[:3] + " " + code[3:]})
	if err != nil {
		t.Fatal(err)
	}

	verifier := &proof.Verifier{Issuer: i.url, App: sandboxApp, Keys: proof.NewKeys(i.url)}
	want := proof.Want{Purpose: "transaction", Nonce: "n-1", Transaction: &proof.Transaction{Payee: "ACME AB", Amount: "49.90", Currency: "EUR"}}
	claims, err := verifier.Verify(ctx, done.Proof, want)
	if err != nil || claims.PhoneNumber != to || claims.VerificationID != v.ID || claims.Reference != "order-17" {
		t.Errorf("the proof says %+v, %v", claims, err)
	}
	want.Transaction.Amount = "4990"
	if _, err := verifier.Verify(ctx, done.Proof, want); !errors.Is(err, proof.ErrRefused) {
		t.Errorf("the proof of another transaction: %v", err)
	}
	if _, err := c.Get(ctx, "ver_none"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("reading what is not there: %v", err)
	}
}

func TestTheGoClientByPhoneAndInLists(t *testing.T) {
	i := serve(t, quiet)
	ctx := t.Context()
	c, err := client.New(client.Config{URL: i.url, Key: i.key})
	if err != nil {
		t.Fatal(err)
	}
	const to, gone = "+14155550124", "+14155550125"
	v, err := c.Start(ctx, &client.StartRequest{To: to, Purpose: client.PurposeSignup})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CheckByPhone(ctx, &client.PhoneCheckRequest{To: to, Code: i.code(to), Purpose: client.PurposeLogin}); err == nil {
		t.Error("a code of another purpose passed")
	}
	if done, err := c.CheckByPhone(ctx, &client.PhoneCheckRequest{To: to, Code: i.code(to), Purpose: client.PurposeSignup}); err != nil || done.ID != v.ID || done.Proof == "" {
		t.Errorf("CheckByPhone = %+v, %v", done, err)
	}
	left, err := c.Start(ctx, &client.StartRequest{To: gone})
	if err != nil {
		t.Fatal(err)
	}
	if left, err = c.Cancel(ctx, left.ID); err != nil || left.Status != client.StatusCanceled {
		t.Errorf("Cancel = %+v, %v", left, err)
	}
	if left, err = c.Get(ctx, left.ID); err != nil || left.Status != client.StatusCanceled {
		t.Errorf("Get = %+v, %v", left, err)
	}
	eventually(t, 5*time.Second, "both are in the list", func() bool {
		count := 0
		for _, err := range c.All(ctx, &client.ListQuery{Limit: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			count++
		}
		return count == 2
	})
	list, err := c.List(ctx, &client.ListQuery{To: gone, Status: client.StatusCanceled, CreatedAfter: time.Now().Add(-time.Hour)})
	if err != nil || len(list.Data) != 1 || list.Data[0].ID != left.ID {
		t.Errorf("List = %+v, %v", list, err)
	}
}

// A kind of refusal that is missing in the client could not be told apart by a caller in Go.
func TestTheGoClientKnowsEveryCode(t *testing.T) {
	codes := func(file, typ string) []string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, m := range regexp.MustCompile(`(?m)^\tErr\w+\s+`+typ+`\s+= "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			list = append(list, m[1])
		}
		slices.Sort(list)
		return list
	}
	kinds, known := codes("../../errors.go", "Kind"), codes("../../client/problem.go", "Code")
	if len(kinds) < 26 {
		t.Fatalf("only %d kinds were found: does the expression still fit?", len(kinds))
	}
	for _, kind := range kinds {
		if !slices.Contains(known, kind) {
			t.Errorf("client/problem.go has no constant for %q", kind)
		}
	}
}

func TestTheGoClientsSessions(t *testing.T) {
	i := serve(t, quiet)
	ctx := t.Context()
	c, err := client.New(client.Config{URL: i.url, Key: i.key})
	if err != nil {
		t.Fatal(err)
	}
	const to = "+14155550126"
	v, err := c.Start(ctx, &client.StartRequest{To: to, Nonce: "n-1"})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = c.Check(ctx, v.ID, &client.CheckRequest{Code: i.code(to)}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Redeem(ctx, &client.RedeemRequest{Proof: v.Proof, Nonce: "n-1", Client: &client.Person{IP: "203.0.113.7", Device: "laptop"}})
	if err != nil || s.User.PhoneNumber != to || s.ExpiresIn == 0 {
		t.Fatalf("Redeem = %+v, %v", s, err)
	}
	if _, err := c.Redeem(ctx, &client.RedeemRequest{Proof: v.Proof, Nonce: "n-1"}); !errors.Is(err, client.ErrProofRedeemed) {
		t.Errorf("a proof that was redeemed: %v", err)
	}
	if me, err := c.Me(ctx, s.AccessToken); err != nil || me.ID != s.User.ID {
		t.Errorf("Me = %+v, %v", me, err)
	}
	list, err := c.Devices(ctx, s.AccessToken)
	if err != nil || len(list) != 1 || !list[0].Current || list[0].Device != "laptop" {
		t.Errorf("Devices = %+v, %v", list, err)
	}
	if u, err := c.LookupUser(ctx, to); err != nil || u == nil || u.ID != s.User.ID {
		t.Errorf("LookupUser = %+v, %v", u, err)
	}
	if u, err := c.LookupUser(ctx, "+14155550127"); err != nil || u != nil {
		t.Errorf("LookupUser of nobody = %+v, %v", u, err)
	}
	next, err := c.Refresh(ctx, s.RefreshToken)
	if err != nil || next.RefreshToken == s.RefreshToken {
		t.Fatalf("Refresh = %+v, %v", next, err)
	}
	if err := c.EndSession(ctx, next.AccessToken); err != nil {
		t.Error(err)
	}
	if _, err := c.Me(ctx, next.AccessToken); !errors.Is(err, client.ErrSessionRevoked) {
		t.Errorf("a session that was ended: %v", err)
	}
	if err := c.EraseUser(ctx, s.User.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.User(ctx, s.User.ID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a user who was erased: %v", err)
	}
}
