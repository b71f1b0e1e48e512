package storetest

import (
	"time"

	"countersign"
)

func endScenarios() []scenario {
	return []scenario{
		{"Cancel", cancelEnds},
		{"Cancel/vouched", cancelVouched},
		{"Pending", pendingLists},
	}
}

func cancelEnds(k *kit) {
	for _, to := range []countersign.Status{countersign.StatusCanceled, countersign.StatusDenied, countersign.StatusUndeliverable} {
		r := k.begin(NewPhone())
		move := func(app string) (*countersign.Outcome, error) {
			return k.store.Cancel(k.ctx, &countersign.Cancel{App: app, ID: r.ID, Status: to})
		}
		_, err := move(otherApp)
		k.wantNotFound(err)
		o, err := move("")
		k.want(must(k, o, err), countersign.OutcomeOK)
		if n := o.Record; n.Status != to || n.Seq != r.Seq+1 || !n.Lease.IsZero() || !sameInstant(n.Ended, o.Now) || o.Replayed {
			k.Errorf("after the end as %s the record is %+v", to, n)
		}
		again, err := move(testApp)
		if to == countersign.StatusCanceled { // the app's own move, which it can repeat by its request's key
			k.want(must(k, again, err), countersign.OutcomeClosed)
		} else if k.want(must(k, again, err), countersign.OutcomeOK); !again.Replayed {
			k.Errorf("the second end as %s is not told apart from the first", to)
		}
		if again.Record.Seq != o.Record.Seq || !again.Record.Ended.Equal(o.Record.Ended) {
			k.Errorf("the second end gives %+v", again.Record)
		}
		k.want(k.check(r, rightCode), countersign.OutcomeClosed)
	}
	r := k.begin(NewPhone())
	k.want(k.check(r, rightCode), countersign.OutcomeApproved)
	k.want(k.cancel(r), countersign.OutcomeClosed)
	r = k.begin(NewPhone())
	k.advance(testLifetime)
	if o := k.want(k.cancel(r), countersign.OutcomeExpired); o.Record.Status != countersign.StatusExpired {
		k.Errorf("canceled past its life the record is %s", o.Record.Status)
	}
	_, err := k.store.Cancel(k.ctx, &countersign.Cancel{ID: NewID(r.Phone), Status: countersign.StatusCanceled})
	k.wantNotFound(err)
}

// cancelVouched approves on the app's own word: the end is that of an approval, but there is no proof, nobody who may
// repeat the check, and the phone's guesses stay counted.
func cancelVouched(k *kit) {
	vouch := func(r *countersign.Record, q countersign.Request) *countersign.Outcome {
		o, err := k.store.Cancel(k.ctx, &countersign.Cancel{App: r.App, ID: r.ID, Status: countersign.StatusApproved, Request: q})
		return must(k, o, err)
	}
	phone := NewPhone()
	r := k.begin(phone)
	wrong := k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	o := k.want(vouch(r, request("one", "body")), countersign.OutcomeOK)
	n := o.Record
	if n.Status != countersign.StatusApproved || n.JTI != "" || !n.IssuedAt.IsZero() || !n.ApprovedBy.IsZero() || !sameInstant(n.Ended, o.Now) || o.Replayed {
		k.Errorf("after the app's word the record is %+v", n)
	}
	if o.Phone.ChecksLeft != wrong.Phone.ChecksLeft {
		k.Errorf("the phone has %d guesses left after the app's word, %d before", o.Phone.ChecksLeft, wrong.Phone.ChecksLeft)
	}
	for _, q := range []countersign.Request{request("one", "body"), {}} {
		if again := k.want(vouch(r, q), countersign.OutcomeOK); !again.Replayed || again.Record.Seq != n.Seq {
			k.Errorf("the second word gives %+v", again.Record)
		}
	}
	c := k.checkOf(r, rightCode)
	c.Caller = hash("caller")
	k.want(k.move(c), countersign.OutcomeClosed)
	k.want(k.cancel(r), countersign.OutcomeClosed)

	coded := k.begin(NewPhone())
	jti := k.want(k.check(coded, rightCode), countersign.OutcomeApproved).Record.JTI
	if o := k.want(vouch(coded, countersign.Request{}), countersign.OutcomeOK); !o.Replayed || o.Record.JTI != jti {
		k.Errorf("the app's word about what a code approved gives %+v", o.Record)
	}
	canceled := k.begin(NewPhone())
	k.cancel(canceled)
	k.want(vouch(canceled, countersign.Request{}), countersign.OutcomeClosed)
	reserved := k.reserve()
	k.want(vouch(reserved, countersign.Request{}), countersign.OutcomeOK)
	k.want(k.settle(&countersign.Settle{App: testApp, ID: reserved.ID, Approved: true, JTI: "prf_late"}), countersign.OutcomeClosed)
	late := k.begin(NewPhone())
	k.advance(testLifetime)
	k.want(vouch(late, countersign.Request{}), countersign.OutcomeExpired)
}

func pendingLists(k *kit) {
	phone := NewPhone()
	old := k.begin(phone)
	k.advance(testLifetime - 10*time.Second)
	login := k.begin(phone)
	k.advance(2 * time.Second)
	signup := k.begin(phone, forPurpose(countersign.PurposeSignup))
	k.advance(2 * time.Second)
	k.begin(phone, inApp(otherApp))
	done := k.begin(phone)
	k.want(k.check(done, rightCode), countersign.OutcomeApproved)
	list := func(app string, of countersign.Hash, p countersign.Purpose, want ...*countersign.Record) {
		k.Helper()
		got, err := k.store.Pending(k.ctx, app, of, p)
		must(k, got, err)
		if len(got) != len(want) {
			k.Fatalf("%d are pending for %s %s, want %d", len(got), app, p, len(want))
		}
		for i, r := range got {
			if r.ID != want[i].ID || r.Status != countersign.StatusPending {
				k.Errorf("place %d of the pending is wrong", i)
			}
			if diff := payloadDiff(want[i], r); diff != "" {
				k.Errorf("listed otherwise than saved: %s", diff)
			}
		}
	}
	list(testApp, phone, "", signup, login, old)
	list(testApp, phone, countersign.PurposeLogin, login, old)
	list(testApp, phone, countersign.PurposeStepUp)
	list("nobody", phone, "")
	list(testApp, NewPhone(), "")
	k.advance(10 * time.Second)
	list(testApp, phone, "", signup, login)
}
