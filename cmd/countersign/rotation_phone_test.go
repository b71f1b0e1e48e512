package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign"
	"countersign/config"
	"countersign/phone"
	"countersign/store/sqlstore"
)

// The phone key is rotated while two nodes serve, on simulated time: a phone whose twenty guesses are used up stays locked
// across the moment at which the new key takes the old one's place, a hard stop and an opt-out hold when the rotation is over,
// a person who logs in is who they were, and a code of before that moment approves after it, on the other node.
func TestThePhoneKeyRotatesUnderTwoNodes(t *testing.T) {
	t.Parallel()
	const informative = "mode: sandbox\nlog: {level: info}\nstore_timeout: 5s\n"
	t.Run("sqlite", func(t *testing.T) { rotatePhoneKey(t, newPlace(t, informative)) })
	t.Run("redis", func(t *testing.T) { rotatePhoneKey(t, newPlace(t, informative, newRedis(t).start().env())) })
}

func rotatePhoneKey(t *testing.T, place *place) {
	const user, guessed, stopped, quiet, pending = "+14155556001", "+14155556002", "+14155556003", "+14155556004", "+14155556005"
	here, there := place.node(t), place.node(t)
	before := here.logIn(user)
	number, err := phone.Parse(quiet, "")
	if err != nil {
		t.Fatal(err)
	}
	to := countersign.PhoneAddress(number)
	begin(t, here, there, quiet)
	stopHard(t, here, stopped)
	place.optOut(t, to)

	travelBoth := func(d time.Duration) {
		t.Helper()
		travel(t, here, d.String())
		eventually(t, 30*time.Second, "the other node has travelled too", func() bool { return !there.clock(t).Before(here.clock(t).Add(-5 * time.Second)) })
	}
	printed := place.must(t, "keys", "rotate", "phone")
	if !strings.Contains(printed, "both keys") {
		t.Errorf("the command printed %q", printed)
	}
	for _, node := range []*instanceUnderTest{here, there} {
		node.awaitLog("everything is counted under both keys")
	}
	if code, _, errs := place.command(t, "keys", "rotate", "phone"); code != exitFailed || !strings.Contains(errs, "48 hours") {
		t.Errorf("a second rotation at once: %d %s", code, errs)
	}

	// A day later, minutes before the new key takes the old one's place; the hard stop alone would be over by time now.
	travelBoth(activation(t, printed).Sub(here.clock(t)) - 50*time.Minute)
	for n := range 4 {
		node := []*instanceUnderTest{here, there}[n%2]
		wrongGuesses(t, node, guessed, countersign.MaxChecks)
		travelBoth(6 * time.Minute)
	}
	locked(t, here, guessed, "before the new key")
	travelBoth(24 * time.Minute)
	held := begin(t, here, there, pending)
	travelBoth(4 * time.Minute)
	if now := here.clock(t); now.Before(activation(t, printed)) {
		t.Fatalf("the new key is not in use before %s, and it is %s", printed, now)
	}
	locked(t, here, guessed, "under the new key")
	locked(t, there, guessed, "under the new key, on the other node")
	if err := held.finish(); err != nil {
		t.Errorf("a code of the old key: %v", err)
	}

	travelBoth(25 * time.Hour)
	for _, node := range []*instanceUnderTest{here, there} {
		node.awaitLog("everything is under the new key")
		locked(t, node, stopped, "after the rotation, the hard stop")
		if r := node.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q}`, quiet)); r.text("code") != "opted_out" {
			t.Errorf("the opted-out phone, after the rotation: %d %v", r.status, r.body)
		}
	}
	begin(t, here, there, guessed) // its day is over
	if after := there.logIn(user); after.user != before.user {
		t.Errorf("who was %s is %s after the rotation", before.user, after.user)
	}
	if r, err := here.do("GET", "/v1/users?phone_number="+strings.Replace(user, "+", "%2B", 1), ""); err != nil || !strings.Contains(fmt.Sprint(r.body), before.user) {
		t.Errorf("the user by phone: %v %v", r, err)
	}
}

// wrongGuesses begins a verification and makes wrong guesses at it.
func wrongGuesses(t *testing.T, node *instanceUnderTest, number string, n int) {
	t.Helper()
	j := begin(t, node, node, number)
	for range n {
		if r := node.mustPost("/v1/verifications/"+j.id+"/checks", `{"code":"`+other(j.code)+`"}`); r.text("code") != "incorrect_code" {
			t.Fatalf("a wrong guess: %d %v", r.status, r.body)
		}
	}
}

// stopHard makes a hundred wrong guesses in a row, over five days.
func stopHard(t *testing.T, node *instanceUnderTest, number string) {
	t.Helper()
	for range countersign.MaxPhoneStreak / countersign.MaxPhoneChecks {
		for range countersign.MaxPhoneChecks / countersign.MaxChecks {
			wrongGuesses(t, node, number, countersign.MaxChecks)
			travel(t, node, "11m")
		}
		travel(t, node, "25h")
	}
	locked(t, node, number, "after a hundred wrong guesses")
}

func locked(t *testing.T, node *instanceUnderTest, number, when string) {
	t.Helper()
	if r := node.mustPost("/v1/verifications", fmt.Sprintf(`{"to":%q}`, number)); r.text("code") != "too_many_checks" {
		t.Errorf("%s: %d %v", when, r.status, r.body)
	}
}

// clock is a node's time. To ask for it moves it by a millisecond.
func (i *instanceUnderTest) clock(t *testing.T) time.Time {
	t.Helper()
	_, a := i.call("POST", "/dev/clock", `{"advance":"1ms"}`)
	text, _ := a["now"].(string)
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("the clock says %v", a)
	}
	return now
}

// optOut writes an opt-out as an earlier release did: without the number.
func (p *place) optOut(t *testing.T, to countersign.Address) {
	t.Helper()
	path := filepath.Join(p.dir, "countersign.db")
	db, err := openDatabase(t.Context(), &config.Config{DatabaseURL: path, StoreTimeout: 5 * time.Second}, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	eventually(t, 30*time.Second, "the log has the number", func() bool {
		list, err := db.List(t.Context(), countersign.ListQuery{Phone: db.Ring().PhoneHash(to), Limit: 1})
		return err == nil && len(list) == 1
	})
	if _, err := db.OptOut(t.Context(), &countersign.OptOut{Phone: db.Ring().PhoneHash(to), Out: true, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}
