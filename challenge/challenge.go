// Package challenge makes and verifies proofs of work in the wire format of ALTCHA, version 1, with SHA-256.
//
// A challenge says: find the number from 0 to maxnumber for which SHA-256 of the salt followed by the number is this
// hash. Nothing of it is kept. The signature is a keyed hash over the challenge and the request that it was made for, so
// a response is good for this request only; what is needed to judge it (when it expires, how hard it was) stands in the
// salt and is signed with it. That it is good once is for the store to say: Verify names the limit.
package challenge

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign"
)

const (
	// Lifetime is how long a challenge may be answered.
	Lifetime = 5 * time.Minute
	// Base is how many numbers there are to try at difficulty 1, half of them on average.
	Base = 100_000
	// MaxResponse is the length of the longest text that is looked at.
	MaxResponse = 1024

	algorithm = "SHA-256"
	saltBytes = 8 // with the parameters and the number a salt fills one block of SHA-256, which halves the solver's work
)

// Challenger implements countersign.Challenger. It keeps nothing.
type Challenger struct {
	Base int // numbers to try at difficulty 1; zero means the constant
}

var _ countersign.Challenger = Challenger{}

// Issue implements countersign.Challenger.
func (c Challenger) Issue(s *countersign.ChallengeSubject, difficulty int, now time.Time) (*countersign.Challenge, error) {
	var b [saltBytes + 8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("drawing a challenge: %w", err)
	}
	difficulty = min(max(difficulty, countersign.BaseDifficulty), countersign.MaxDifficulty)
	most := c.most(difficulty)
	number := binary.BigEndian.Uint64(b[saltBytes:]) % (most + 1)
	// The last "&" parts the salt from the number: without it, digits could move from one to the other.
	salt := fmt.Sprintf("%x?expires=%d&level=%d&", b[:saltBytes], now.Add(Lifetime).Unix(), difficulty)
	sum := hash(salt, number)
	return &countersign.Challenge{Algorithm: algorithm, Challenge: sum, MaxNumber: int(most), Salt: salt, Signature: sign(s, sum, salt)}, nil
}

// response is what a solver sends, as base64 of JSON. Members that some solvers add, such as "took", do not matter.
type response struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	Number    uint64 `json:"number"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// Verify implements countersign.Challenger.
func (c Challenger) Verify(s *countersign.ChallengeSubject, text string, now time.Time) (countersign.Solution, error) {
	r, ok := parse(text)
	if !ok {
		return countersign.Solution{}, &countersign.Error{
			Kind: countersign.ErrInvalidRequest, Pointer: "/challenge_response",
			Detail: "A challenge_response is base64 of a JSON object with algorithm, challenge, number, salt and signature.",
		}
	}
	if r.Algorithm != algorithm || subtle.ConstantTimeCompare([]byte(r.Signature), []byte(sign(s, r.Challenge, r.Salt))) != 1 {
		return countersign.Solution{}, nil
	}
	// From here on the salt is ours.
	expires, difficulty, ok := parameters(r.Salt)
	if !ok || !now.Before(expires) || r.Number > c.most(difficulty) || hash(r.Salt, r.Number) != r.Challenge {
		return countersign.Solution{}, nil
	}
	return countersign.Solution{
		Difficulty: difficulty,
		Once:       countersign.Limit{Name: "challenge", Key: s.Hash("challenge spent", r.Challenge), Burst: 1, Period: Lifetime},
	}, nil
}

func parse(text string) (response, bool) {
	var r response
	if len(text) > MaxResponse {
		return r, false
	}
	plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return r, false
	}
	return r, json.Unmarshal(plain, &r) == nil
}

// sign binds a challenge to its request.
func sign(s *countersign.ChallengeSubject, challenge, salt string) string {
	return s.Hash("challenge", challenge, salt, s.App, strconv.Itoa(int(s.Action)), s.Phone.Hex(), string(s.Purpose), s.Network.String()).Hex()
}

// most is the largest number of a difficulty: each has four times the work of the one before.
func (c Challenger) most(difficulty int) uint64 {
	return uint64(cmp.Or(c.Base, Base)) << (2 * (difficulty - 1))
}

// parameters reads what Issue wrote into a salt.
func parameters(salt string) (expires time.Time, difficulty int, ok bool) {
	_, rest, found := strings.Cut(salt, "?expires=")
	at, rest, foundLevel := strings.Cut(rest, "&level=")
	level, rest, foundEnd := strings.Cut(rest, "&")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !found || !foundLevel || !foundEnd || rest != "" {
		return time.Time{}, 0, false
	}
	difficulty, err = strconv.Atoi(level)
	return time.Unix(unix, 0), difficulty, err == nil && difficulty >= countersign.BaseDifficulty && difficulty <= countersign.MaxDifficulty
}

func hash(salt string, number uint64) string {
	sum := sha256.Sum256(strconv.AppendUint([]byte(salt), number, 10))
	return hex.EncodeToString(sum[:])
}
