package main

import (
	"strings"
	"testing"
	"time"

	"countersign"
)

func TestReceiptsOfTheLog(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	row := func(age time.Duration, list ...countersign.Delivery) *countersign.Record {
		return &countersign.Record{Created: now.Add(-age), Deliveries: list}
	}
	d := func(provider string, status countersign.DeliveryStatus) countersign.Delivery {
		return countersign.Delivery{Provider: provider, Status: status}
	}
	seen := map[string]reported{}
	receiptsOf([]*countersign.Record{
		row(time.Hour, d("mute", countersign.DeliveryAccepted), d("tells", countersign.DeliveryDelivered)),
		row(time.Hour, d("mute", countersign.DeliveryAccepted), d("tells", countersign.DeliveryAccepted)),
		row(time.Hour, d("mute", countersign.DeliveryFailed), d("tells", countersign.DeliverySent), d("mute", countersign.DeliveryQueued)),
		row(time.Second, d("mute", countersign.DeliveryAccepted)),
	}, now, seen)
	if seen["mute"].heard != 0 || seen["mute"].taken < 2 || seen["tells"] != (reported{3, 2}) {
		t.Errorf("%+v", seen)
	}
}

// The doctor tells of a vendor whose receipts do not come, and of a test number at its end.
func TestTheDoctorLooksAtReceiptsAndTestNumbers(t *testing.T) {
	day := time.Now().Add(48 * time.Hour).Format(time.DateOnly)
	p := newPlace(t, "mode: sandbox\napps: {demo: {test_numbers: {\"+14155550111\": {code: \"246802\", expires: \""+day+"\"}}}}\n")
	i := p.node(t)
	i.stop()
	_, out, errs := p.command(t, "doctor")
	if !contains(out, "test numbers demo", "0 expired, 1 expire within a week") {
		t.Errorf("%s%s", out, errs)
	}
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// The doctor says of a Redis that is not there where it was looked for and what to do, and nothing that is for callers.
func TestDoctorBesideNoRedis(t *testing.T) {
	t.Parallel() // it waits for Redis
	p := newPlace(t, quiet, "REDIS_URL=redis://:hush@127.0.0.1:1/0")
	code, out, errs := p.command(t, "doctor")
	for _, want := range []string{"nothing listens at 127.0.0.1:1: start Redis there, or correct redis_url", "the sandbox's own keys"} {
		if !strings.Contains(out, want) {
			t.Errorf("the doctor does not say %q", want)
		}
	}
	if code != exitFailed || strings.Contains(out+errs, "Idempotency-Key") || strings.Contains(out+errs, "hush") {
		t.Errorf("%d:\n%s%s", code, out, errs)
	}
}
