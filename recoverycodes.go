package countersign

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// This file makes and reads recovery codes: ten on paper, each good once, for a person whose other factors are gone. A
// code has 80 random bits, more than anybody can guess here (NIST SP 800-63B-4, 4.2.1.1: at least 64); argon2id is for
// whoever has the database and its keys, and still wants a code.

const (
	recoveryBytes = 10 // of a code
	recoveryChars = 16 // the same in base32
	recoveryGroup = 4  // characters between hyphens, as a person copies them
	maxRecovery   = 64 // bytes of what a person types
)

// argon is how codes are hashed. It is kept beside the hashes, so that it can change.
type argon struct {
	Time   uint32 `json:"t"`
	Memory uint32 `json:"m"` // KiB
}

// RecoveryMemory is the memory of one hash in KiB: 46 MiB, once, is the least that OWASP asks for (ASVS 5.0, appendix C).
const RecoveryMemory = 46 << 10

// hashingPlaces is how many hashes are made at one time: each takes a processor and RecoveryMemory, and logins must not
// wait for them.
func hashingPlaces() int { return min(max(1, runtime.GOMAXPROCS(0)/2), 4) }

// maxRecoverySets is how many sets a person gets a day: a set is half a second of a processor.
const maxRecoverySets = 10

// recoverySet is a set of codes as it is sealed. One salt serves the set, so that a guess is hashed once and not ten
// times; no two sets have the same.
type recoverySet struct {
	Argon  argon    `json:"a"`
	Salt   []byte   `json:"s"`
	Hashes [][]byte `json:"h"`
}

func (p argon) hash(code string, salt []byte) []byte {
	return argon2.IDKey([]byte(code), salt, p.Time, p.Memory, 1, 32)
}

// RecoverySet is a person's new recovery codes, shown once. It prints without them.
type RecoverySet struct {
	Factor *Factor
	Codes  []string
}

// String hides the codes.
func (s RecoverySet) String() string { return "(recovery codes)" }

// GoString hides the codes from %#v.
func (s RecoverySet) GoString() string { return s.String() }

// LogValue hides the codes from slog.
func (s RecoverySet) LogValue() slog.Value { return slog.StringValue(s.String()) }

// recoveryGuess is a typed recovery code in canonical form. It prints hidden.
type recoveryGuess string

// String hides the guess.
func (recoveryGuess) String() string { return "(guess)" }

// GoString hides the guess from %#v.
func (recoveryGuess) GoString() string { return "(guess)" }

// LogValue hides the guess from slog.
func (recoveryGuess) LogValue() slog.Value { return slog.StringValue("(guess)") }

// parseRecovery reads a typed code, in either case, with hyphens and blanks wherever they are. What is not of its shape
// is neither compared nor counted.
func parseRecovery(text, pointer string) (recoveryGuess, error) {
	bad := &Error{Kind: ErrInvalidCode, Pointer: pointer, Detail: "A recovery code has 16 letters and digits from 2 to 7, in groups of four."}
	if len(text) > maxRecovery {
		return "", bad
	}
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '-':
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
		case 'a' <= c && c <= 'z' || '2' <= c && c <= '7':
			b.WriteByte(c)
		default:
			return "", bad
		}
	}
	if b.Len() != recoveryChars {
		return "", bad
	}
	return recoveryGuess(b.String()), nil
}

// newRecoveryCodes draws a set. The texts are for the person, the set is for the store.
func (a *Accounts) newRecoveryCodes(ctx context.Context) ([]string, *recoverySet, error) {
	set := &recoverySet{Argon: argon{Time: 1, Memory: a.cfg.RecoveryMemory}, Salt: randomNonce()}
	texts := make([]string, RecoveryCodes)
	for i := range texts {
		var b [recoveryBytes]byte
		rand.Read(b[:]) // never fails (crypto/rand, since Go 1.24)
		code := base32Lower.EncodeToString(b[:])
		hash, err := a.hashRecovery(ctx, set.Argon, code, set.Salt)
		if err != nil {
			return nil, nil, err
		}
		set.Hashes = append(set.Hashes, hash)
		groups := make([]string, 0, recoveryChars/recoveryGroup)
		for at := 0; at < len(code); at += recoveryGroup {
			groups = append(groups, code[at:at+recoveryGroup])
		}
		texts[i] = strings.Join(groups, "-")
	}
	return texts, set, nil
}

// hashRecovery waits for its turn, so that many requests do not take the memory of all at once.
func (a *Accounts) hashRecovery(ctx context.Context, p argon, code string, salt []byte) ([]byte, error) {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-ctx.Done():
		return nil, Unavailable(ctx.Err())
	}
	return p.hash(code, salt), nil
}

// matchRecovery finds the bit of the code that a guess is; zero where it is none. All are compared, whichever fits.
func (a *Accounts) matchRecovery(ctx context.Context, set *recoverySet, g recoveryGuess) (bit int64, err error) {
	hash, err := a.hashRecovery(ctx, set.Argon, string(g), set.Salt)
	if err != nil {
		return 0, err
	}
	for i, one := range set.Hashes {
		bit |= int64(subtle.ConstantTimeCompare(one, hash)) << i
	}
	return bit, nil
}

// NewRecoveryCodes gives the person who is logged in ten codes, in the place of those that they had. Where they have a
// factor already, the session must have shown one a moment ago. It goes on with new tokens.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, q *EnrolRequest) (*RecoverySet, *Login, error) {
	u, err := a.User(ctx, q.App, q.Session.User)
	if err != nil {
		return nil, nil, err
	}
	if err := mayEnrol(u, q.Session, a.cfg.Now()); err != nil {
		return nil, nil, err
	}
	switch fresh, err := a.oneOf(ctx, "recovery set", u.ID, maxRecoverySets); {
	case err != nil:
		return nil, nil, err
	case !fresh:
		return nil, nil, &Error{Kind: ErrRateLimited, Limit: "recovery_codes", RetryAfter: 24 * time.Hour, Detail: "There were many new sets of recovery codes today. Use the last one, or wait a day."}
	}
	texts, set, err := a.newRecoveryCodes(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := a.newFactor(q, FactorRecovery, &factorSecret{Codes: set})
	if err != nil {
		return nil, nil, err
	}
	r.Confirmed = r.Created
	next, token, err := a.continued(q.Session, r.Created)
	if err != nil {
		return nil, nil, err
	}
	if err := a.addFactor(ctx, q, r, &Renewal{Ends: q.Session.ID, Session: next}); err != nil {
		return nil, nil, err
	}
	a.factorEvent(ctx, EventFactorAdded, q.App, q.Session.User, FactorRecovery)
	l, err := a.login(ctx, next, token)
	return &RecoverySet{Factor: describeFactor(r, q.Name), Codes: texts}, l, err
}
