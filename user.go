package countersign

import (
	"context"
	"time"
)

// Rules of a user's number.
const (
	// NumberStale is how long after its last proof a number may belong to somebody else by now: carriers give numbers
	// out again after some months. Whoever proves it then is a new user.
	NumberStale = 90 * 24 * time.Hour
	// NumberCooloff is how long after a change of number there is no second one, so that whoever took an account over
	// for a moment cannot lead it further away from its owner.
	NumberCooloff = 72 * time.Hour
)

// User is a person as one app knows them: whoever holds a phone number. Users of two apps have nothing in common.
type User struct {
	ID      string
	App     string
	Phone   Address   // zero once somebody else has proved the number
	Created time.Time // the first proof
	Proved  time.Time // the last one
	Moved   time.Time // the last change of number; zero without one
	Factors int       // further factors: passkeys, TOTP
	Locale  string    // of the codes that they were sent last; "" where none was asked for
}

// UserRecord is a user as a store keeps it.
type UserRecord struct {
	ID, App string
	Phone   Hash   // zero without a number
	Sealed  []byte // the number, bound to ID; nil without one
	Created time.Time
	Proved  time.Time
	Moved   time.Time
	Factors int
	Locale  string
}

// UserStore keeps users. Each method is one indivisible step; a store that cannot answer fails with an error of kind
// ErrUnavailable.
type UserStore interface {
	// Redeem consumes a proof, finds or makes the user of its number and begins their session.
	Redeem(ctx context.Context, r *Redeem) (*Redeemed, error)
	// User reads one; false where there is none.
	User(ctx context.Context, app, id string) (*UserRecord, bool, error)
	// UserByPhone reads the user who holds a number; former is the same number under other phone keys.
	UserByPhone(ctx context.Context, app string, phone Hash, former ...Hash) (*UserRecord, bool, error)
	// MoveNumber consumes two proofs and gives a user another number.
	MoveNumber(ctx context.Context, m *MoveNumber) (MoveResult, error)
	// Erase deletes a user, their sessions and all that the log has of their numbers in this app; phones is their number,
	// under every phone key. False where there is no such user.
	Erase(ctx context.Context, app, id string, phones []Hash, at time.Time) (bool, error)
}

// Rekey is a number under a former phone key and under the one in use. A move first takes its user from the one to the
// other, so that a user is found, and found once, whatever key they came under.
type Rekey struct{ From, To Hash }

// Redeem asks for a session in exchange for a proof.
type Redeem struct {
	JTI        string
	JTIExpires time.Time
	User       *UserRecord    // as it is made where nobody has the number
	Session    *SessionRecord // User is set by the store
	StaleSince time.Time      // a number last proved before then goes to a new user
	// Use is a further factor of Holder that was checked, to be consumed: the number is theirs, however long ago they
	// proved it. Nil without one.
	Use    *UseFactor
	Holder string
	// Forfeit gives a stale number to a new user although its holder has a further factor: who proved it has none.
	Forfeit bool
	// KnownAt is when a device that took part in the proof had proved the number before: where that was in the time of its
	// holder, they have it still. Zero without one.
	KnownAt time.Time
	Renews  string // a session of this browser that the new one takes the place of; "" for none

	Rekeys []Rekey // of the number
	// Rotating says that nodes may disagree for a moment on which phone key is in use: no two may make a user at once.
	Rotating bool
}

// RedeemResult is what a redemption came to.
type RedeemResult uint8

// The results.
const (
	RedeemDone        RedeemResult = iota
	RedeemRedeemed                 // the proof was used before
	RedeemFactorFirst              // the number is stale and its user has a further factor; the proof is not consumed
	RedeemFactorUsed               // the factor's code was used before, or is another user's; the proof is not consumed
)

// Redeemed is the answer to Redeem.
type Redeemed struct {
	Result  RedeemResult
	User    *UserRecord
	Session *SessionRecord
	Created bool // the user is new
	Lost    bool // somebody else had the number until now
}

// MoveNumber asks for another number of a user.
type MoveNumber struct {
	App, User  string
	Renewal    *Renewal  // of the session that asks; the others end
	From, To   Hash      // the number now, and the one after
	Sealed     []byte    // the new number, bound to User
	JTIs       [2]string // of both proofs; "" for none
	JTIExpires time.Time
	At         time.Time
	MovedSince time.Time // refused where the last change was after this
	StaleSince time.Time // as in Redeem, for whoever holds the new number
	Rekeys     []Rekey   // of both numbers
}

// MoveResult is what a change of number came to.
type MoveResult uint8

// The results.
const (
	MoveDone         MoveResult = iota
	MoveRedeemed                // a proof was used before
	MoveTaken                   // another user holds the number, and proved it not long ago
	MoveTooSoon                 // the last change is too recent
	MoveGone                    // no such user with the number that it is changed from
	MoveSessionEnded            // the session that asks has ended
)

// User finds a user of an app.
func (a *Accounts) User(ctx context.Context, app *App, id string) (*User, error) {
	if !ValidUserID(id) {
		return nil, noSuchUser()
	}
	r, found, err := a.cfg.Users.User(ctx, app.ID, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noSuchUser()
	}
	return a.describeUser(r)
}

// UserByPhone finds the user of an app who holds a number; false where nobody does.
func (a *Accounts) UserByPhone(ctx context.Context, app *App, to Address) (*User, bool, error) {
	r, found, err := a.userByPhone(ctx, app, to)
	if err != nil || !found {
		return nil, false, err
	}
	u, err := a.describeUser(r)
	return u, err == nil, err
}

func (a *Accounts) userByPhone(ctx context.Context, app *App, to Address) (*UserRecord, bool, error) {
	ring := a.cfg.Keys()
	return a.cfg.Users.UserByPhone(ctx, app.ID, ring.PhoneHash(to), ring.FormerHashes(to)...)
}

func noSuchUser() error { return Fail(ErrNotFound, "There is no such user of this app.") }

func (a *Accounts) describeUser(r *UserRecord) (*User, error) {
	u := &User{ID: r.ID, App: r.App, Created: r.Created, Proved: r.Proved, Moved: r.Moved, Factors: r.Factors, Locale: r.Locale}
	if r.Phone.IsZero() {
		return u, nil
	}
	plain, err := a.cfg.Keys().Open(r.ID, r.Sealed)
	if err != nil {
		return nil, err
	}
	u.Phone, err = decodeAddress(string(plain))
	return u, err
}

// Erase deletes a person: the user, their sessions, and what the log has of their numbers in this app. Counters that
// are kept under a keyed hash run out by themselves, and an opt-out stays: it is the person's own wish.
func (a *Accounts) Erase(ctx context.Context, app *App, id string) error {
	if !ValidUserID(id) {
		return noSuchUser()
	}
	u, err := a.User(ctx, app, id)
	if err != nil {
		return err
	}
	var phones []Hash
	if ring := a.cfg.Keys(); !u.Phone.IsZero() {
		phones = append(ring.FormerHashes(u.Phone), ring.PhoneHash(u.Phone))
	}
	found, err := a.cfg.Users.Erase(ctx, app.ID, id, phones, a.cfg.Now())
	if err != nil {
		return err
	}
	if !found {
		return noSuchUser()
	}
	a.observe(EventUserErased, app.ID, "")
	return nil
}

// ChangeNumberRequest asks for another number of the person who is logged in.
type ChangeNumberRequest struct {
	App     *App
	Session *Session
	Proof   string // of the new number
	Current string // of the number now, purpose stepup; "" where the session has shown a further factor
}

// ChangeNumber gives a user another number. It takes a proof of the new one and a current factor, as a new
// authenticator is bound with (NIST SP 800-63B-4, 3.1.3.3 and 4.1.2.1): a further one that the session has shown a moment
// ago, or, for a user without, a proof of the number now. The session goes on with new tokens; all
// others of the user end.
func (a *Accounts) ChangeNumber(ctx context.Context, q *ChangeNumberRequest) (*Login, error) {
	u, err := a.User(ctx, q.App, q.Session.User)
	if err != nil {
		return nil, err
	}
	fresh, ok := a.proofClaims(q.App, q.Proof)
	if !ok || fresh.Purpose != PurposeStepUp || fresh.User != "" && fresh.User != u.ID {
		return nil, badProof("/proof", "Send a proof of the new number, of purpose stepup, made for this app within the last 10 minutes.")
	}
	to, err := a.provedNumber(q.App, fresh)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	ring := a.cfg.Keys()
	m := &MoveNumber{
		App: q.App.ID, User: u.ID, To: ring.PhoneHash(to), JTIExpires: now.Add(ProofLifetime), At: now,
		MovedSince: now.Add(-NumberCooloff), StaleSince: now.Add(-NumberStale),
	}
	m.JTIs[0], m.Rekeys = fresh.ID, ring.rekeys(to)
	if !u.Phone.IsZero() {
		m.From, m.Rekeys = ring.PhoneHash(u.Phone), append(m.Rekeys, ring.rekeys(u.Phone)...)
	}
	if !q.Session.SteppedUp(now) {
		if m.JTIs[1], err = a.currentFactor(q, u); err != nil {
			return nil, err
		}
	}
	if m.Sealed, err = ring.Seal(u.ID, []byte(to.encode())); err != nil {
		return nil, err
	}
	next, token, err := a.continued(q.Session, now)
	if err != nil {
		return nil, err
	}
	m.Renewal = &Renewal{Ends: q.Session.ID, Session: next}
	result, err := a.cfg.Users.MoveNumber(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := moveRefusal(result, u.Moved.Add(NumberCooloff).Sub(now)); err != nil {
		return nil, err
	}
	a.observe(EventNumberChanged, q.App.ID, "")
	a.forgetDevices(ctx, q.App, to)
	if !u.Phone.IsZero() {
		a.forgetDevices(ctx, q.App, u.Phone)
		a.notify(q.App, u, NoticeNumberChanged)
	}
	return a.login(ctx, next, token)
}

// moveRefusal is what a person is told of a change of number; left is what remains of the last one's cool-off.
func moveRefusal(r MoveResult, left time.Duration) error {
	switch r {
	case MoveRedeemed:
		return proofRedeemed()
	case MoveTaken:
		return Fail(ErrNumberTaken, "This number belongs to another user of this app. Log in with it instead; two users are never made one.")
	case MoveTooSoon:
		return &Error{
			Kind: ErrRateLimited, Limit: "number_change", RetryAfter: max(left, time.Second),
			Detail: "The number was changed a short while ago. Wait three days between two changes.",
		}
	case MoveGone:
		return noSuchUser()
	case MoveSessionEnded:
		return revokedSession()
	}
	return nil
}

// currentFactor reads the proof of the number that the user has now.
func (a *Accounts) currentFactor(q *ChangeNumberRequest, u *User) (jti string, err error) {
	if u.Factors > 0 {
		return "", stepUpRequired()
	}
	c, ok := a.proofClaims(q.App, q.Current)
	if !ok || c.Purpose != PurposeStepUp || c.User != "" && c.User != u.ID || u.Phone.IsZero() || c.PhoneNumber != u.Phone.Dial() {
		return "", badProof("/current_proof", "Send a proof of the present number too, of purpose stepup, made for this app within the last 10 minutes.")
	}
	return c.ID, nil
}
