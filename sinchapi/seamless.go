package sinchapi

import (
	"context"
	"errors"
	"time"

	"countersign"
)

// This file settles data verifications. Nobody types a code for one: the handset opens an address of the carrier's,
// and then the vendor knows. So whoever reads the status of a pending one lets the vendor be asked. Only what the
// vendor answers to that question counts, and it goes through the engine's one check like any guess.

// settleTimeout bounds the question to the vendor; the status is answered as it was when that takes longer.
const settleTimeout = 2 * time.Second

// noGuess stands where the engine wants a guess: a data verification has none, and its vendor does not look at it.
const noGuess = "000000"

// settle returns the verification as it is after the vendor was asked.
func (e *events) settle(ctx context.Context, t *tenant, v *countersign.Verification) *countersign.Verification {
	if v.Channel != countersign.ChannelSeamless || v.Status != countersign.StatusPending || e.cfg.Hosted == nil {
		return v
	}
	vendor, ok := e.cfg.Hosted(v.Hosted.Route)
	if !ok {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	// Reading costs nothing; a check counts a guess, so it is made only when it will be the last.
	a, err := vendor.Status(ctx, countersign.HostedQuestion{Verification: v.ID, Ref: v.Hosted.Ref, To: v.To, Channel: v.Channel})
	if err != nil || a.Status != countersign.StatusApproved {
		return v
	}
	done, err := e.cfg.Engine.Check(ctx, &countersign.CheckRequest{
		App: t.App.App, ID: v.ID, Purpose: v.Purpose, Code: noGuess, Face: countersign.FaceSinch,
	})
	if err == nil {
		return done
	}
	return e.settled(ctx, t, v, errors.Is(err, countersign.ErrIdempotencyInProgress))
}

// settled reads a verification that another reader settles at this moment, or has settled.
func (e *events) settled(ctx context.Context, t *tenant, v *countersign.Verification, busy bool) *countersign.Verification {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := e.cfg.Engine.Get(ctx, t.App.App, v.ID)
		switch {
		case err != nil:
			return v
		case now.Status.Final() || !busy:
			return now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return now
		}
	}
}
