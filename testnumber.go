package countersign

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file is about numbers with a fixed code: for the reviewers of an app store, who have no phone of ours, and for tests.
// Such a number is exempt from what limits messages, because it gets none; guesses are counted as everywhere.

// TestNumber is a number whose code is known.
type TestNumber struct {
	Code  Code
	Until time.Time // from then on it is a number like any other
}

// testProvider is whom a test number's deliveries name. No route can have this name, for it has a space.
const testProvider = "test number"

// ParseTestCode reads a fixed code.
func ParseTestCode(text string) (Code, error) {
	g, err := ParseGuess(text)
	if err != nil || g.Len() < MinCodeLength || g.Len() > MaxCodeLength || g.Shape() == ShapeCaller {
		return Code{}, fmt.Errorf("a fixed code has %d to %d digits or letters", MinCodeLength, MaxCodeLength)
	}
	for _, a := range []Alphabet{Digits, Letters, Alphanumeric} {
		if strings.Trim(g.Reveal(), a.Characters()) == "" {
			return NewCode(g.Reveal()), nil
		}
	}
	return Code{}, errors.New("a fixed code has digits alone, or letters and digits without 0, 1, I, L and O")
}

// alphabetOf is the narrowest alphabet that a fixed code is of.
func alphabetOf(c Code) Alphabet {
	for _, a := range []Alphabet{Digits, Letters} {
		if strings.Trim(c.Reveal(), a.Characters()) == "" {
			return a
		}
	}
	return Alphanumeric
}

// testNumber finds an address among an app's test numbers, while it is one.
func (a *App) testNumber(to Address, now time.Time) (TestNumber, bool) {
	if len(a.TestNumbers) == 0 {
		return TestNumber{}, false
	}
	n, ok := a.TestNumbers[to.Dial()]
	return n, ok && now.Before(n.Until)
}

// fix gives a record a test number's code instead of its own.
func (s *starting) fix(r *Record) {
	r.Test, r.Hosted = true, ""
	r.Length, r.Alphabet = len(s.fixed.Code.Reveal()), alphabetOf(s.fixed.Code)
}

// sentNowhere is what becomes of a test number's message.
func (v *Verifier) sentNowhere(r *Record, m *Message) Dispatched {
	return Dispatched{Delivery: Delivery{ID: m.ID, Channel: r.Channel, Provider: testProvider, Status: DeliveryDelivered, At: v.Now()}}
}
