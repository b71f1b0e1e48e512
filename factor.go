package countersign

import (
	"context"
	"math/bits"
	"time"
)

// This file has what a further factor of a user is, and what a store does with one. A text message is a restricted
// authenticator (NIST SP 800-63B-4, 3.1.3.3): whoever has a further factor is not let into what matters by a message
// alone.

// FactorType is a kind of further factor.
type FactorType string

// The kinds.
const (
	FactorTOTP     FactorType = "totp"           // an authenticator app (RFC 6238)
	FactorPasskey  FactorType = "passkey"        // a key pair (WebAuthn)
	FactorRecovery FactorType = "recovery_codes" // a set of codes on paper, each good once
)

// Rules of further factors.
const (
	// FactorPending is how long a factor waits for its confirmation.
	FactorPending = 10 * time.Minute
	// StepUpFresh is how long after a further factor was shown a session may change factors.
	StepUpFresh = 5 * time.Minute
	// FreshLogin is how old a login may be that adds somebody's first factor (ASVS 5.0, 7.5.1): a session that somebody else
	// got hold of later does not.
	FreshLogin = 15 * time.Minute
	// MaxFactors is how many a user has at most, pending ones too.
	MaxFactors = 20
	// RecoveryCodes is how many codes a set has.
	RecoveryCodes = 10
)

// Wrong guesses at a user's factors, in a row. After every fifth there is a wait, twice as long as the one before: a
// quarter of an hour, then half an hour (PCI DSS 4.0.1, 8.3.4 asks for that after ten), and so on up to a day. After a
// hundred no guess is taken (NIST SP 800-63B-4, 3.2.2) until the last one is thirty days old.
const (
	GuessesPerWait   = 5
	FirstGuessWait   = 15 * time.Minute
	LongestGuessWait = 24 * time.Hour
	MaxGuesses       = 100
	GuessesForgotten = 30 * 24 * time.Hour
)

// GuessWait is how long no guess is taken after a wrong one, given how many there were in a row with it.
func GuessWait(failed int) time.Duration {
	switch {
	case failed >= MaxGuesses:
		return GuessesForgotten
	case failed < GuessesPerWait || failed%GuessesPerWait != 0:
		return 0
	}
	return min(FirstGuessWait<<min(failed/GuessesPerWait-1, 10), LongestGuessWait)
}

// Factor is a further factor as its user may see it: what it is, and nothing of its secret.
type Factor struct {
	ID        string
	Type      FactorType
	Name      string // the person's own word for it
	Created   time.Time
	Confirmed time.Time // zero until it was shown to work
	Used      time.Time // zero before the first time
	Left      int       // of recovery codes: how many are not used
}

// FactorRecord is a factor as a store keeps it.
type FactorRecord struct {
	ID, App, User string
	Type          FactorType
	Sealed        []byte // name and secret, bound to user and factor
	Lookup        Hash   // keyed hash of a passkey's credential id; zero for the others
	// Counter says what was used: the last time step of an app, the signature counter of a passkey, one bit for each
	// recovery code.
	Counter   int64
	Created   time.Time
	Confirmed time.Time // zero until it was shown to work
	Used      time.Time
}

// left is how many recovery codes of a set are not used.
func (r *FactorRecord) left() int {
	if r.Type != FactorRecovery {
		return 0
	}
	return RecoveryCodes - bits.OnesCount64(uint64(r.Counter))
}

// FactorStore keeps factors. Each method is one indivisible step; a store that cannot answer fails with an error of kind
// ErrUnavailable. Whatever changes the number of a user's factors keeps UserRecord.Factors right in the same step: it
// counts those that are confirmed, a set of recovery codes as long as one is not used.
type FactorStore interface {
	// AddFactor keeps a new one. A new set of recovery codes takes the place of the one before.
	AddFactor(ctx context.Context, a *AddFactor) (FactorResult, error)
	// ConfirmFactor confirms one that is pending.
	ConfirmFactor(ctx context.Context, c *ConfirmFactor) (FactorResult, error)
	// Factors lists a user's, oldest first, pending ones too.
	Factors(ctx context.Context, app, user string) ([]*FactorRecord, error)
	// FactorByLookup finds a confirmed passkey; false where there is none.
	FactorByLookup(ctx context.Context, app string, lookup Hash) (*FactorRecord, bool, error)
	// RemoveFactor deletes one, which it gives where that was done.
	RemoveFactor(ctx context.Context, r *RemoveFactor) (*FactorRecord, FactorResult, error)
	// RemoveFactors deletes all of a user's, with what is counted of them, and ends all their sessions; false where there is
	// no such user.
	RemoveFactors(ctx context.Context, app, user string, at time.Time) (bool, error)
	// CountGuess counts a guess at a user's factors before it is compared. A guess that was right takes the count back
	// with what it is used for.
	CountGuess(ctx context.Context, user string, at time.Time) (*GuessCount, error)
	// Once takes a key out of use until a while after its time; false where it was already.
	Once(ctx context.Context, key string, expires time.Time) (bool, error)
	// ShowFactor consumes what was shown, and begins a session for it.
	ShowFactor(ctx context.Context, s *ShowFactor) (FactorResult, error)
}

// FactorResult is what a move of factors came to. All but FactorDone leave nothing behind.
type FactorResult uint8

// The results.
const (
	FactorDone         FactorResult = iota
	FactorNone                      // no such user, or no such factor of them
	FactorUsed                      // the code, or the counter's value, was used before
	FactorStepUpFirst               // the user has a factor already, which must be shown first
	FactorTaken                     // the passkey is registered already
	FactorTooMany                   // the user has MaxFactors
	FactorSessionEnded              // the session that is to be renewed has ended
	FactorRedeemed                  // the proof was used before
)

// Renewal gives a session new tokens: another one takes its place, so that nothing of before is good any more.
type Renewal struct {
	Ends    string         // the session until now; it must live and be of the same user
	Session *SessionRecord // the one from now on
}

// AddFactor asks for a new factor.
type AddFactor struct {
	Factor *FactorRecord
	// First allows it only where the user has none: nothing was shown.
	First bool
	// Renewal is of the session that adds it; nil while the factor waits for its confirmation.
	Renewal *Renewal
	At      time.Time
}

// ConfirmFactor confirms a pending factor.
type ConfirmFactor struct {
	App, User, ID string
	Counter       int64 // of the code that was shown
	First         bool  // as in AddFactor
	Renewal       *Renewal
	At            time.Time
}

// RemoveFactor deletes a factor.
type RemoveFactor struct {
	App, User, ID string
	Renewal       *Renewal
	At            time.Time
}

// UseFactor consumes a factor's code, or a passkey's signature: only where Counter was not used before.
type UseFactor struct {
	App, User, ID string
	Type          FactorType
	// Counter is the time step of the code, greater than the last one; the passkey's new signature counter, greater than
	// the last one unless both are zero; or the bit of the recovery code, which must not be set.
	Counter int64
	Sealed  []byte // what is kept from now on; nil: as it was
}

// ShowFactor asks for a session in exchange for a factor that was shown: a step-up, or a login by passkey.
type ShowFactor struct {
	Use *UseFactor // nil where a proof was shown
	// Of a proof: its id, and the number, which the user must have; zero without one.
	JTI        string
	JTIExpires time.Time
	Phone      Hash
	Rekeys     []Rekey // of Phone
	// Session begins; of it, the user and the app are those of the factor. It takes the place of Ends, a living session
	// of that user; "" for a login.
	Ends    string
	Session *SessionRecord
	At      time.Time
}

// GuessCount is what there is of guesses at a user's factors.
type GuessCount struct {
	Allowed bool      // whether this one may be compared
	Failed  int       // in a row, with this one where it is allowed
	Locked  time.Time // until when none is taken; zero while one is
}
