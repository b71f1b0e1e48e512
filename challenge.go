package countersign

import (
	"net/netip"
	"slices"
	"time"
)

// This file is the engine's side of the proof of work: a limit may let a start or a send pass that has paid for itself
// with some computing (Limit.Challenge). The rules: a response is verified before the guard judges, is worth only what
// its own difficulty was, and is consumed in the same step in which everything else of the request is counted.

// The difficulties. Each is four times the work of the one before; the first takes a browser about a tenth of a second.
const (
	BaseDifficulty = 1
	MaxDifficulty  = 4
)

// Challenge is a proof of work to be done, in the terms of ALTCHA, version 1: find the number from 0 to MaxNumber for
// which SHA-256 of Salt followed by the number in decimal is Challenge.
type Challenge struct {
	Algorithm string // "SHA-256"
	Challenge string // lower-case hexadecimal
	MaxNumber int
	Salt      string
	Signature string
}

// ChallengeSubject is the request that a challenge is made for. Its response is worth nothing for another one.
type ChallengeSubject struct {
	App     string
	Action  Action
	Phone   Hash
	Purpose Purpose
	Network netip.Prefix                             // of the client; invalid where it is not known
	Hash    func(label string, parts ...string) Hash // keyed, for signatures and limit keys
}

// Solution is what a response is worth; the zero Solution is nothing.
type Solution struct {
	Difficulty int // 1 to MaxDifficulty
	// Once admits the response a single time. The store counts it with everything else.
	Once Limit
}

// Challenger makes challenges and verifies responses.
type Challenger interface {
	// Issue makes a challenge of a difficulty from 1 to MaxDifficulty, to be solved within a few minutes of now.
	Issue(s *ChallengeSubject, difficulty int, now time.Time) (*Challenge, error)
	// Verify reads a response. One that is not of a response's form fails with ErrInvalidRequest; one that is wrong,
	// forged, too old or for another request is worth nothing.
	Verify(s *ChallengeSubject, response string, now time.Time) (Solution, error)
}

// work is what one request has done for its admission.
type work struct {
	v        *Verifier
	subject  ChallengeSubject
	given    bool
	solution Solution
}

// worked verifies a request's response, if it has one.
func (v *Verifier) worked(s ChallengeSubject, response string) (*work, error) {
	w := &work{v: v, subject: s, given: response != ""}
	if !w.given || v.cfg.Challenger == nil {
		return w, nil
	}
	var err error
	w.solution, err = v.cfg.Challenger.Verify(&w.subject, response, v.Now())
	return w, err
}

func (w *work) solved() int { return w.solution.Difficulty }

// limits leaves out what the solution pays for, and adds what makes it work once.
func (w *work) limits(list []Limit) []Limit {
	if w.solved() == 0 {
		return list
	}
	paid := func(l Limit) bool { return l.Challenge > 0 && l.Challenge <= w.solution.Difficulty }
	return append(slices.DeleteFunc(slices.Clone(list), paid), w.solution.Once)
}

// refused is the answer to a limit that is used up. It names no limit: what a challenge is for is nobody's business.
func (w *work) refused(r *Rate) error {
	difficulty, wait := r.Limit.Challenge, max(r.RetryIn, time.Second)
	if w.solved() > 0 && r.Limit.Key == w.solution.Once.Key {
		difficulty, wait = w.solution.Difficulty, 0 // used before; to wait does not make it new
	}
	if difficulty <= 0 || w.v.cfg.Challenger == nil {
		return rateLimited(r)
	}
	c, err := w.v.cfg.Challenger.Issue(&w.subject, difficulty, w.v.Now())
	if err != nil {
		return err
	}
	detail := "Solve `challenge` and send the request again with `challenge_response`, or wait."
	if w.given {
		detail = "The challenge_response is too old, was used, or is for another request. Solve the new `challenge`."
	}
	return &Error{Kind: ErrChallengeRequired, Challenge: c, RetryAfter: wait, Detail: detail}
}

// network is a client's neighbourhood: wide enough for somebody whose address changes within a provider's block.
func network(a netip.Addr) netip.Prefix {
	bits := 48
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // fails for no address, which has no network
	return p
}
