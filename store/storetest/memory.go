package storetest

import (
	"fmt"
	"time"

	"countersign"
)

func memoryScenarios() []scenario {
	return []scenario{
		{"Memory/check", memoryCheck},
		{"Memory/resend", memoryResend},
		{"Memory/cancel", memoryCancel},
		{"Memory/refusals are not kept", memoryRefusals},
		{"Memory/the last eight", memoryEight},
	}
}

func memoryCheck(k *kit) {
	r := k.begin(NewPhone())
	wrong := k.checkOf(r, wrongCode)
	wrong.Request = request("one", "wrong")
	first := k.want(k.move(wrong), countersign.OutcomeIncorrect)
	k.want(k.check(r, wrongCode), countersign.OutcomeIncorrect)
	again := k.want(k.move(wrong), countersign.OutcomeIncorrect)
	if first.Replayed || !again.Replayed || again.ChecksLeft != first.ChecksLeft || again.Record.Checks != 2 {
		k.Errorf("the repeat gives %d left (first %d) and %+v", again.ChecksLeft, first.ChecksLeft, again.Record)
	}
	mismatch := k.checkOf(r, rightCode)
	mismatch.Request = request("one", "right")
	k.want(k.move(mismatch), countersign.OutcomeMismatch)
	right := k.checkOf(r, rightCode)
	right.Request = request("two", "right")
	k.want(k.move(right), countersign.OutcomeApproved)
	right.JTI = "prf_other"
	again = k.want(k.move(right), countersign.OutcomeApproved)
	if !again.Replayed || again.Record.JTI == "prf_other" || again.Record.Checks != 3 {
		k.Errorf("the repeat of a right check gives %+v", again.Record)
	}
	if again = k.want(k.move(wrong), countersign.OutcomeIncorrect); !again.Replayed || again.Record.Status != countersign.StatusApproved {
		k.Errorf("the repeat after the end gives %s", again.Record.Status)
	}
	if left := k.lookup(r.ID).Phone.ChecksLeft; left != countersign.MaxPhoneChecks-3 {
		k.Errorf("three guesses leave the phone %d", left)
	}
	k.advance(61 * time.Second)
	k.want(k.move(right), countersign.OutcomeClosed)
}

func memoryResend(k *kit) {
	r := k.ready()
	m := resendOf(r)
	m.Request = request("one", "body")
	k.want(k.resend(m), countersign.OutcomeOK)
	again := k.want(k.resend(m), countersign.OutcomeOK)
	if !again.Replayed || again.Record.Sends != 2 {
		k.Errorf("the repeated resend gives %+v", again.Record)
	}
	if left := k.lookup(r.ID).Phone.SendsLeft; left != 1 {
		k.Errorf("a repeated resend was counted: %d left", left)
	}
	m.Request = request("one", "other")
	k.want(k.resend(m), countersign.OutcomeMismatch)
}

func memoryCancel(k *kit) {
	r := k.begin(NewPhone())
	m := &countersign.Cancel{App: testApp, ID: r.ID, Status: countersign.StatusCanceled, Request: request("one", "body")}
	o, err := k.store.Cancel(k.ctx, m)
	first := k.want(must(k, o, err), countersign.OutcomeOK)
	o, err = k.store.Cancel(k.ctx, m)
	again := k.want(must(k, o, err), countersign.OutcomeOK)
	if !again.Replayed || again.Record.Seq != first.Record.Seq {
		k.Errorf("the repeated cancel gives %+v", again.Record)
	}
}

func memoryRefusals(k *kit) {
	r := k.begin(NewPhone())
	shape := k.checkOf(r, "1234567")
	shape.Request = request("one", "shape")
	k.want(k.move(shape), countersign.OutcomeShape)
	right := k.checkOf(r, rightCode)
	right.Request = request("one", "right")
	k.want(k.move(right), countersign.OutcomeApproved)

	early := k.begin(NewPhone(), counted)
	k.sent(&countersign.Sent{ID: early.ID, Channel: early.Channel, Delivery: delivery("msg_1", countersign.DeliverySent)})
	m := resendOf(early)
	m.Request = request("two", "body")
	k.want(k.resend(m), countersign.OutcomeTooSoon)
	k.advance(30 * time.Second)
	if o := k.want(k.resend(m), countersign.OutcomeOK); o.Replayed {
		k.Errorf("a refused resend was remembered")
	}
}

func memoryEight(k *kit) {
	r := k.begin(NewPhone(), func(b *countersign.Begin) { b.Record.MaxChecks = 12 })
	move := func(i int) *countersign.Outcome {
		c := k.checkOf(r, wrongCode)
		c.Request = request(fmt.Sprint("key", i), "body")
		return k.want(k.move(c), countersign.OutcomeIncorrect)
	}
	for i := range 9 {
		move(i)
	}
	for i := 1; i < 9; i++ {
		if o := move(i); !o.Replayed {
			k.Errorf("request %d of nine was forgotten", i+1)
		}
	}
	if o := move(0); o.Replayed {
		k.Errorf("more than eight requests are remembered")
	}
}
