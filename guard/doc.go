// Package guard says who may ask for what: which numbers an app serves, the rates at which one client may ask, and the
// budgets of messages that nobody confirms, which are what bounds the loss when somebody pumps messages for money.
//
// # Order
//
// Rules are asked in three steps. Static rules look at a request alone and need no store: lists, countries, line types,
// channels. Signals look at what this process has seen: sequences, networks and ranges that do not convert, blocks.
// Limits are named here and counted by the store, all or none, in the start's first round trip.
//
// The bounds of a phone (guesses, sends, cooldowns) are not here. They belong to the phone, hold over all apps and
// are part of the store's own steps.
//
// # Without a server
//
// A Guard needs no store, clock, network or goroutine of its own, so the same rules can be asked about traffic that is
// only simulated:
//
//	g, err := guard.New(guard.Config{Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}}}})
//	counts := guard.NewCounts()                    // in memory; or any countersign.Limits
//	a := &countersign.Attempt{Action: countersign.ActionStart, App: app, To: to, Channel: …, Client: …, Now: now, Hash: guard.PlainHash}
//	limits, err := g.Judge(a)                      // err: refused, or a *countersign.Demand for a challenge
//	taken := counts.TakeAt(now, limits)            // taken.Refused: a limit; its Challenge above 0 asks for a challenge
//	g.Decided(a, taken, err)                       // err nil: a message went out
//	…
//	refund := g.Approved(&countersign.Conversion{App: app, To: to, Marks: a.Marks, Created: began, Now: now, Hash: guard.PlainHash})
//	counts.RefundAt(now, refund)
//
// A client that solves the challenge asks again with Attempt.Solved at the difficulty that was asked for.
package guard
