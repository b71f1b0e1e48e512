package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"countersign"
	"countersign/config"
	"countersign/store/sqlstore"
)

// This file is the doctor's look at receipts and at test numbers.

const (
	receiptsRows  = 200             // of an app's log, the newest
	receiptsAfter = 2 * time.Minute // younger messages may still get theirs
	receiptsFew   = 20              // with fewer messages nothing is said
	testNumberEnd = 7 * 24 * time.Hour
)

// reported counts a provider's messages, and those of which a receipt came.
type reported struct{ taken, heard int }

// receiptsOf counts, by provider, the messages that are old enough to have a receipt.
func receiptsOf(rows []*countersign.Record, now time.Time, into map[string]reported) {
	for _, r := range rows {
		for _, d := range r.Deliveries {
			if d.Provider == "" || now.Sub(r.Created) < receiptsAfter || d.Status.Rank() < countersign.DeliveryAccepted.Rank() {
				continue
			}
			n := into[d.Provider]
			n.taken++
			if d.Status != countersign.DeliveryAccepted && d.Status != countersign.DeliveryFailed {
				n.heard++
			}
			into[d.Provider] = n
		}
	}
}

// receipts warns of vendors that report nothing: most often nobody told them the callback's address.
func (d *doctor) receipts(ctx context.Context, cfg *config.Config, db *sqlstore.DB) {
	now := time.Now()
	seen := map[string]reported{}
	for _, id := range slices.Sorted(maps.Keys(cfg.Apps)) {
		rows, err := db.List(ctx, countersign.ListQuery{App: id, CreatedAfter: now.Add(-24 * time.Hour), Limit: receiptsRows})
		if err != nil {
			d.say("receipts", stateProblem, err.Error(), "")
			return
		}
		receiptsOf(rows, now, seen)
		d.testNumbers(id, cfg.Apps[id], now)
	}
	vendors, err := newVendors(cfg, nil)
	if err != nil {
		return // said before
	}
	for _, r := range vendors.routes {
		switch n := seen[r.Name]; {
		case !r.Receipts || n.taken < receiptsFew:
		case n.heard == 0:
			d.say("receipts "+r.Name, stateWarning, fmt.Sprintf("none came for the newest %d messages", n.taken),
				"Give the vendor the callback's address, "+cfg.PublicURL+"/hooks/"+r.Name+"/…, and see that it gets through (docs/providers).")
		default:
			d.say("receipts "+r.Name, stateOK, fmt.Sprintf("%d of %d messages have one", n.heard, n.taken), "")
		}
	}
}

func (d *doctor) testNumbers(app string, a *config.App, now time.Time) {
	over, soon := 0, 0
	for _, t := range a.TestNumbers {
		switch left := t.Expires.Sub(now); {
		case left <= 0:
			over++
		case left < testNumberEnd:
			soon++
		}
	}
	if over+soon > 0 {
		d.say("test numbers "+app, stateWarning, fmt.Sprintf("%d expired, %d expire within a week", over, soon),
			"Move apps."+app+".test_numbers.*.expires while they are needed, else take them out.")
	}
}
