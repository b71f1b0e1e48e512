package sandbox

import (
	"strings"

	"countersign"
)

// fate is what the sandbox does with a message.
type fate uint8

// The fates, in the order of their numbers: …0500 is the first failing one.
const (
	fateDelivered fate = iota
	fateServerError
	fateTimeout
	fateUndelivered
	fateSlow
	fateReceiptTwice
	fateRefused
	fateNoReceipt
	fateReceiptFirst
	fateSecondRoute
	fateOptedOut

	// Those that only rules ask for.
	fateAnswerLost
	fateRejected
	fateLost
	fateLate
	fateDuplicate
	fateReceiptLate
	fateReceiptsReversed
)

// failingPrefix begins the last four digits of a number that fails; the fourth says how.
const failingPrefix = "050"

// fateOf reads a number's last four digits. Mailboxes never fail.
func fateOf(to countersign.Address) fate {
	n, ok := to.Phone()
	if !ok {
		return fateDelivered
	}
	e164 := n.E164()
	if len(e164) < 4 {
		return fateDelivered
	}
	last, found := strings.CutPrefix(e164[len(e164)-4:], failingPrefix)
	if !found {
		return fateDelivered
	}
	return fateServerError + fate(last[0]-'0')
}

// OptedOut says whether the sandbox takes the person at this address for one who answered STOP: numbers that end in
// 0509. The engine's opt-out question should ask it too.
func OptedOut(to countersign.Address) bool { return fateOf(to) == fateOptedOut }
