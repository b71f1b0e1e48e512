package countersign

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// This file lets a person show a factor again, or another one, in a session that they have. A session that was stepped
// up goes on under another id and with other tokens: whoever had a copy of the old ones has nothing of what the new one
// may (security.md, INV-11).

// Levels of assurance, as acr names them. The second is two authenticators, of which one is no text message.
const (
	ACROne = "urn:countersign:aal1"
	ACRTwo = "urn:countersign:aal2"
)

// amrMFA is the means of authentication (RFC 8176) that a further factor adds, whichever it is.
const amrMFA = "mfa"

// typedMeans are those of a factor whose code is typed.
func typedMeans() []string { return []string{"otp"} }

// ACR is the level that means of authentication reach.
func ACR(amr []string) string {
	if slices.Contains(amr, amrMFA) {
		return ACRTwo
	}
	return ACROne
}

// ACR is the session's level of assurance.
func (s *Session) ACR() string { return ACR(s.AMR) }

// SteppedUp says whether a further factor was shown in the session a moment ago, so that it may change factors.
func (s *Session) SteppedUp(now time.Time) bool {
	return !s.FactorTime.IsZero() && now.Before(s.FactorTime.Add(StepUpFresh))
}

// means is how the person showed who they are, of what still counts: a further factor does for a day (NIST SP 800-63B-4,
// 2.2.3).
func (r *SessionRecord) means(now time.Time) []string { return MeansAt(r.AMR, r.FactorTime, now) }

// MeansAt is what still counts at now of means whose further factor was shown at a time: after a day it does not.
func MeansAt(amr []string, shown, now time.Time) []string {
	if !slices.Contains(amr, amrMFA) || now.Before(shown.Add(SessionLifetimeAAL2)) {
		return amr
	}
	return slices.DeleteFunc(slices.Clone(amr), func(m string) bool { return m == amrMFA })
}

// withMeans adds means to those that there were.
func withMeans(amr []string, more ...string) []string {
	out := slices.Clone(amr)
	for _, m := range more {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// FactorCode is what a person shows of a factor by typing it: one of the two.
type FactorCode struct {
	TOTP         string
	RecoveryCode string
	Pointer      string // where in a request the two are; "" for its top
}

// StepUpRequest shows a factor in a session: a code, or a proof of purpose stepup of the user's own number.
type StepUpRequest struct {
	App     *App
	Session *Session
	Code    FactorCode
	Proof   string
}

// StepUp takes what a person shows and gives their session new tokens; the old ones are dead on every node. A further
// factor raises the session's level. A proof of the number does not, nor does it allow to change factors: it says that
// the phone is still there.
func (a *Accounts) StepUp(ctx context.Context, q *StepUpRequest) (*Login, error) {
	if q.Proof != "" {
		return a.stepUpByProof(ctx, q)
	}
	use, err := a.checkCode(ctx, q.App, q.Session.User, &q.Code)
	if err != nil {
		return nil, err
	}
	l, err := a.showFactor(ctx, q.Session, use)
	if err != nil {
		return nil, err
	}
	if use.Type == FactorRecovery {
		a.factorEvent(ctx, EventRecoveryUsed, q.App, q.Session.User, use.Type)
	}
	return l, nil
}

// showFactor consumes a further factor that was checked, and renews the session that it was shown in.
func (a *Accounts) showFactor(ctx context.Context, s *Session, use *UseFactor) (*Login, error) {
	now := a.cfg.Now()
	renewed, token, err := a.renewed(s, typedMeans(), now)
	if err != nil {
		return nil, err
	}
	return a.show(ctx, &ShowFactor{Use: use, Ends: s.ID, Session: renewed, At: now}, token, string(use.Type))
}

func (a *Accounts) show(ctx context.Context, move *ShowFactor, token refreshToken, what string) (*Login, error) {
	result, err := a.cfg.Factors.ShowFactor(ctx, move)
	if err == nil {
		err = factorRefusal(result)
	}
	if err != nil {
		if result == FactorUsed {
			a.observe(EventFactorRefused, move.Session.App, what)
		}
		return nil, err
	}
	if move.Use != nil {
		a.observe(EventFactorUsed, move.Session.App, what)
	}
	a.observe(EventSteppedUp, move.Session.App, what)
	return a.login(ctx, move.Session, token)
}

func (a *Accounts) stepUpByProof(ctx context.Context, q *StepUpRequest) (*Login, error) {
	c, ok := a.proofClaims(q.App, q.Proof)
	if !ok || c.Purpose != PurposeStepUp || c.User != "" && c.User != q.Session.User {
		return nil, badProof("/proof", "Send a proof of your number, of purpose stepup, made for this app within the last 10 minutes.")
	}
	to, err := a.provedNumber(q.App, c)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	renewed, token, err := a.renewed(q.Session, c.AMR, now)
	if err != nil {
		return nil, err
	}
	// The phone is one authenticator, whenever it is shown: with a further factor of before it makes two, alone one.
	if renewed.FactorTime = q.Session.FactorTime; renewed.FactorTime.IsZero() {
		renewed.AMR = withMeans(q.Session.AMR, c.AMR...)
	}
	ring := a.cfg.Keys()
	move := &ShowFactor{
		JTI: c.ID, JTIExpires: time.Unix(c.Expires, 0), Phone: ring.PhoneHash(to), Rekeys: ring.rekeys(to), Ends: q.Session.ID, Session: renewed, At: now,
	}
	l, err := a.show(ctx, move, token, "phone")
	if errors.Is(err, ErrNotFound) {
		return nil, badProof("/proof", "This is a proof of another number than the one of this account.")
	}
	return l, err
}

// renewed is a session that takes the place of one in which a further factor was shown now.
func (a *Accounts) renewed(s *Session, means []string, now time.Time) (*SessionRecord, refreshToken, error) {
	r, token, err := a.continued(s, now)
	if err == nil {
		r.AMR, r.AuthTime, r.FactorTime = withMeans(s.AMR, append(slices.Clone(means), amrMFA)...), now, now
	}
	return r, token, err
}

// continued is a session that takes the place of one of the same person, and says of them what that one did. It does not
// live longer.
func (a *Accounts) continued(s *Session, now time.Time) (*SessionRecord, refreshToken, error) {
	token := newRefreshToken()
	r := &SessionRecord{
		ID: token.session(), App: s.App, User: s.User, Kind: s.Kind, AMR: s.AMR, AuthTime: s.AuthTime, Created: s.Created, Seen: now,
		Expires: s.Expires, FactorTime: s.FactorTime, Family: token.familyHash(), Current: token.hash(),
	}
	client, err := json.Marshal(s.Client)
	if err != nil {
		return nil, token, err
	}
	r.Sealed, err = a.cfg.Keys().Seal(r.ID, client)
	return r, token, err
}

// checkCode compares a typed code with the factors of a user, and gives what the store is to consume. It is counted
// before it is compared: nobody gets more guesses by asking many times at once.
func (a *Accounts) checkCode(ctx context.Context, app *App, user string, c *FactorCode) (*UseFactor, error) {
	kind, match, err := a.reader(c)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	count, err := a.cfg.Factors.CountGuess(ctx, user, now)
	if err != nil {
		return nil, err
	}
	if !count.Allowed {
		a.observe(EventFactorRefused, app.ID, string(kind))
		return nil, tooManyGuesses(count, now)
	}
	records, err := a.cfg.Factors.Factors(ctx, app.ID, user)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.Type != kind || r.Confirmed.IsZero() {
			continue
		}
		s, err := a.openFactor(r)
		if err != nil {
			return nil, err
		}
		counter, ok, err := match(ctx, s)
		if err != nil {
			return nil, err
		}
		if ok && unusedCounter(r, counter) {
			return &UseFactor{App: app.ID, User: user, ID: r.ID, Type: kind, Counter: counter}, nil
		}
	}
	a.observe(EventFactorRefused, app.ID, string(kind))
	if !count.Locked.IsZero() {
		a.factorEvent(ctx, EventFactorLocked, app, user, kind) // ASVS 5.0, 6.3.5
	}
	return nil, wrongGuess(count, now)
}

// unusedCounter says early what the store decides: whether a code is as good as new.
func unusedCounter(r *FactorRecord, counter int64) bool {
	if r.Type == FactorRecovery {
		return r.Counter&counter == 0
	}
	return counter > r.Counter
}

// reader reads what was typed: of which kind of factor it is, and how it is compared with one.
func (a *Accounts) reader(c *FactorCode) (FactorType, func(context.Context, *factorSecret) (int64, bool, error), error) {
	if c.TOTP != "" {
		g, err := parseTOTP(c.TOTP, c.Pointer+"/totp")
		return FactorTOTP, func(_ context.Context, s *factorSecret) (int64, bool, error) {
			return matchTOTP(s.TOTP, g, a.cfg.Now())
		}, err
	}
	g, err := parseRecovery(c.RecoveryCode, c.Pointer+"/recovery_code")
	return FactorRecovery, func(ctx context.Context, s *factorSecret) (int64, bool, error) {
		if s.Codes == nil {
			return 0, false, nil
		}
		bit, err := a.matchRecovery(ctx, s.Codes, g)
		return bit, bit != 0, err
	}, err
}

func wrongGuess(c *GuessCount, now time.Time) error {
	left := 0
	e := &Error{Kind: ErrIncorrectCode, ChecksLeft: &left, Detail: "The code is wrong, or was used before."}
	if c.Locked.IsZero() {
		left = GuessesPerWait - c.Failed%GuessesPerWait
	} else if c.Failed < MaxGuesses {
		e.RetryAfter = c.Locked.Sub(now)
	}
	return e
}

func tooManyGuesses(c *GuessCount, now time.Time) error {
	e := &Error{Kind: ErrTooManyChecks, Detail: "There were too many wrong codes in a row. Wait, or show another factor than a code."}
	if c.Failed < MaxGuesses {
		e.RetryAfter = c.Locked.Sub(now)
	}
	return e
}
