package simulate

import (
	"slices"
	"time"

	"countersign"
)

// phone is what a store keeps of one number, by the same bounds: sends and guesses belong to the phone, over everything.
// A device that has proved the number has an allowance of its own beside them (decisions, "The owner's own way in").
type phone struct {
	sends   []time.Time // of the last 24 h, oldest first
	guesses []time.Time
	streak  int // wrong guesses in a row since the last approval
	owner   allowance
}

type allowance struct{ sends, guesses []time.Time }

// What the holder of a device has a day.
const (
	ownerSends   = 2
	ownerGuesses = 5
)

func recent(list []time.Time, now time.Time, window time.Duration) []time.Time {
	first := slices.IndexFunc(list, func(t time.Time) bool { return now.Sub(t) < window })
	if first < 0 {
		return list[:0]
	}
	return list[first:]
}

// maySend counts a message on the phone, or says which bound refuses it.
func (p *phone) maySend(now time.Time, device bool) countersign.Result {
	if device {
		if p.owner.sends = recent(p.owner.sends, now, countersign.PhoneWindow); len(p.owner.sends) < ownerSends {
			p.owner.sends = append(p.owner.sends, now)
			return countersign.OutcomeOK
		}
	}
	p.sends = recent(p.sends, now, countersign.PhoneWindow)
	p.guesses = recent(p.guesses, now, countersign.PhoneWindow)
	n := len(p.sends)
	switch {
	case len(p.guesses) >= countersign.MaxPhoneChecks || p.streak >= countersign.MaxPhoneStreak:
		return countersign.OutcomeLocked
	case n >= countersign.MaxSendsDay || len(recent(p.sends, now, countersign.SendsBurst)) >= countersign.MaxSendsBurst:
		return countersign.OutcomeTooManySends
	case n > 0 && now.Sub(p.sends[n-1]) < countersign.Cooldown(n):
		return countersign.OutcomeTooSoon
	}
	p.sends = append(p.sends, now)
	return countersign.OutcomeOK
}

// mayGuess counts a guess before it is compared; false when none is left.
func (p *phone) mayGuess(now time.Time, device bool) bool {
	if p.streak >= countersign.MaxPhoneStreak {
		return false
	}
	if device {
		if p.owner.guesses = recent(p.owner.guesses, now, countersign.PhoneWindow); len(p.owner.guesses) < ownerGuesses {
			p.owner.guesses = append(p.owner.guesses, now)
			p.streak++
			return true
		}
	}
	if p.guesses = recent(p.guesses, now, countersign.PhoneWindow); len(p.guesses) >= countersign.MaxPhoneChecks {
		return false
	}
	p.guesses = append(p.guesses, now)
	p.streak++
	return true
}
