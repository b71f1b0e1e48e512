package countersign

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"countersign/phone"
)

// AccountsConfig is what Accounts works with. Every field is required unless it says otherwise.
type AccountsConfig struct {
	Users    UserStore
	Sessions SessionStore
	Factors  FactorStore
	Keys     func() *Keyring
	WebAuthn WebAuthn // optional: without it there are no passkeys
	// CountCheck counts what a client tries, and refuses one that tries too often. Optional.
	CountCheck func(ctx context.Context, app *App, client Client) error
	Signer     Signer
	Reader     TokenReader
	Observer   Observer
	Issuer     string // of proofs and tokens: the instance's public address
	App        func(id string) (*App, bool)
	Now        func() time.Time // the clock that everything else is decided by
	// RecoveryMemory is what argon2id takes for one recovery code, in KiB; default RecoveryMemory.
	RecoveryMemory uint32
	// Notify tells the holder of a number what happened to their account, in a language of theirs ("": the app's). It must
	// not wait. Optional.
	Notify func(app *App, to Address, locale string, n Notice)
	// ForgetDevices makes the devices that proved a number until now strangers, when it has another holder. Optional.
	ForgetDevices func(ctx context.Context, app *App, to Address) error
}

// Accounts is the engine of users and sessions. A verified phone is not a login: Accounts makes one of it, once, when
// the proof is redeemed.
type Accounts struct {
	cfg     AccountsConfig
	hashing chan struct{} // has a place for each hash of a recovery code that is made now
}

// NewAccounts makes an Accounts.
func NewAccounts(cfg AccountsConfig) (*Accounts, error) {
	switch {
	case cfg.Users == nil, cfg.Sessions == nil, cfg.Factors == nil, cfg.Keys == nil, cfg.Signer == nil, cfg.Reader == nil, cfg.Observer == nil,
		cfg.App == nil, cfg.Now == nil, cfg.Issuer == "":
		return nil, errors.New("building the accounts: a required part is missing")
	}
	if cfg.RecoveryMemory == 0 {
		cfg.RecoveryMemory = RecoveryMemory
	}
	return &Accounts{cfg: cfg, hashing: make(chan struct{}, hashingPlaces())}, nil
}

// Now is the clock that everything is decided by.
func (a *Accounts) Now() time.Time { return a.cfg.Now() }

// RedeemRequest asks for a session in exchange for a proof.
type RedeemRequest struct {
	App    *App
	Proof  string
	Nonce  string // the one that the verification was started with
	Kind   SessionKind
	Client Client
	// Factor is a further factor that the person shows beside the phone; nil for none. NoFactor says that they have none:
	// a number that was not proved for long then goes to a new user, whatever its user has.
	Factor   *FactorCode
	Passkey  *PasskeyAnswer // the same, by passkey
	NoFactor bool
	// Renews is the session that this browser had before; it ends. Nobody else's session id gets here: the caller
	// read it from a valid token.
	Renews *Session
}

// Login is a user with a session that has just begun, or gone on.
type Login struct {
	User    *User
	Session *Session
	Tokens  Tokens
	Created bool // the user is new
}

// Redeem makes a session of a proof, once. The proof must be of this app and of a phone, for signup or login; its
// nonce must be the caller's, else a planted proof logs a victim in as the attacker.
func (a *Accounts) Redeem(ctx context.Context, q *RedeemRequest) (*Login, error) {
	c, ok := a.proofClaims(q.App, q.Proof)
	if !ok {
		return nil, badProof("/proof", "This is not a proof that this instance made for this app within the last 10 minutes.")
	}
	to, err := a.loginNumber(q, c)
	if err != nil {
		return nil, err
	}
	move, token, err := a.redemption(q, c, to)
	if err != nil {
		return nil, err
	}
	if q.Factor != nil || q.Passkey != nil {
		if err := a.withFactor(ctx, q, move, to); err != nil {
			return nil, err
		}
	}
	r, err := a.cfg.Users.Redeem(ctx, move)
	if err != nil {
		return nil, err
	}
	if err := redeemRefusal(r.Result); err != nil {
		return nil, err
	}
	a.redeemed(ctx, q, move, r, to)
	u := &User{
		ID: r.User.ID, App: r.User.App, Phone: to, Created: r.User.Created, Proved: r.User.Proved, Moved: r.User.Moved,
		Factors: r.User.Factors, Locale: r.User.Locale,
	}
	l, err := a.tokens(r.Session, token)
	if err != nil {
		return nil, err
	}
	l.User, l.Created = u, r.Created
	return l, nil
}

func redeemRefusal(r RedeemResult) error {
	switch r {
	case RedeemRedeemed:
		return proofRedeemed()
	case RedeemFactorFirst:
		return Fail(ErrFactorRequired, "This number was not proved for 90 days and may have another holder by now. Its user has a further factor: send the same proof again with `factor`, or with `{\"none\":true}` in it, which makes a new user.")
	case RedeemFactorUsed:
		return factorRefusal(FactorUsed)
	}
	return nil
}

// withFactor checks the further factor that comes with a proof, and lets the store consume it with the proof.
func (a *Accounts) withFactor(ctx context.Context, q *RedeemRequest, move *Redeem, to Address) error {
	holder, found, err := a.userByPhone(ctx, q.App, to)
	if err != nil {
		return err
	}
	who := a.nobody(q.App, move.User) // who has no factor, and is told so in the same words as somebody who has (INV-10)
	if found {
		who = holder.ID
	}
	use, means := (*UseFactor)(nil), typedMeans()
	if q.Passkey != nil {
		use, means, err = a.checkPasskey(ctx, q.App, bindLogin(q.App, ""), who, q.Passkey)
	} else {
		use, err = a.checkCode(ctx, q.App, who, q.Factor)
	}
	if err != nil {
		return err
	}
	move.Use, move.Holder = use, who
	move.Session.AMR = withMeans(withMeans(move.Session.AMR, means...), amrMFA)
	move.Session.FactorTime = move.Session.AuthTime
	return nil
}

// nobody is whose guesses are counted where a number has no user of an app: the number's own, in that app.
func (a *Accounts) nobody(app *App, u *UserRecord) string {
	hash := a.cfg.Keys().LookupHash("nobody", app.ID, string(u.Phone[:]))
	return "num_" + hex.EncodeToString(hash[:])
}

// redeemed tells what a redemption has changed.
func (a *Accounts) redeemed(ctx context.Context, q *RedeemRequest, move *Redeem, r *Redeemed, to Address) {
	if r.Created {
		a.observe(EventUserCreated, q.App.ID, "")
	}
	if r.Lost {
		a.observe(EventNumberLost, q.App.ID, "")
		a.forgetDevices(ctx, q.App, to)
	}
	a.observe(EventSessionStarted, q.App.ID, string(q.Kind))
	if move.Use != nil {
		a.observe(EventFactorUsed, q.App.ID, string(move.Use.Type))
	}
	if move.Use != nil && move.Use.Type == FactorRecovery {
		a.factorEvent(ctx, EventRecoveryUsed, q.App, r.User.ID, FactorRecovery)
	}
}

// forgetDevices makes strangers of the devices of a number's holder until now: they are not the new one's.
func (a *Accounts) forgetDevices(ctx context.Context, app *App, to Address) {
	if a.cfg.ForgetDevices == nil {
		return
	}
	if err := a.cfg.ForgetDevices(context.WithoutCancel(ctx), app, to); err != nil {
		a.cfg.Observer.Observe(Event{Name: EventFault, App: app.ID, Result: "forgetting the devices of a number's last holder", Err: err})
	}
}

func proofRedeemed() error {
	return Fail(ErrProofRedeemed, "This proof was redeemed before. Verify the phone again.")
}

func badProof(pointer, detail string) error {
	return &Error{Kind: ErrInvalidRequest, Pointer: pointer, Detail: detail}
}

// loginNumber is the number that a proof logs in.
func (a *Accounts) loginNumber(q *RedeemRequest, c *ProofClaims) (Address, error) {
	switch {
	case c.Purpose != PurposeLogin && c.Purpose != PurposeSignup:
		return Address{}, Fail(ErrProofNotForLogin, "Only a proof of purpose signup or login makes a session.")
	case c.PhoneNumber == "":
		return Address{}, Fail(ErrProofNotForLogin, "Only a proof of a phone number makes a session; a mailbox is no authenticator.")
	}
	needed := c.Nonce != "" || q.Kind != SessionBearer
	if needed && (c.Nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(q.Nonce)) != 1) || !needed && q.Nonce != "" {
		return Address{}, badProof("/nonce", "Send the nonce that the verification was started with. With cookie it must have had one.")
	}
	return a.provedNumber(q.App, c)
}

// provedNumber is the number of a proof.
func (a *Accounts) provedNumber(app *App, c *ProofClaims) (Address, error) {
	if c.Test && !app.Sessions.TestLogins {
		return Address{}, Fail(ErrProofNotForLogin, "This is a proof of a test number, which makes a session only where the app has `test_logins: true`.")
	}
	if c.PhoneNumber == "" {
		return Address{}, Fail(ErrProofNotForLogin, "This is not a proof of a phone number.")
	}
	n, err := phone.FromE164(c.PhoneNumber)
	if err != nil {
		return Address{}, err // we signed it
	}
	return PhoneAddress(n), nil
}

// redemption is the store's move and the session's first refresh token.
func (a *Accounts) redemption(q *RedeemRequest, c *ProofClaims, to Address) (*Redeem, refreshToken, error) {
	now, ring := a.cfg.Now(), a.cfg.Keys()
	token := newRefreshToken()
	user := &UserRecord{ID: newID(userPrefix), App: q.App.ID, Phone: ring.PhoneHash(to), Created: now, Proved: now, Locale: c.Locale}
	session := &SessionRecord{
		ID: token.session(), App: q.App.ID, Kind: q.Kind, AMR: c.AMR, AuthTime: now, Created: now, Seen: now,
		Expires: now.Add(q.App.Sessions.WithDefaults().Lifetime), Family: token.familyHash(), Current: token.hash(),
	}
	client, err := json.Marshal(sessionClient(q.Client))
	if err != nil {
		return nil, token, err
	}
	if session.Sealed, err = ring.Seal(session.ID, client); err != nil {
		return nil, token, err
	}
	if user.Sealed, err = ring.Seal(user.ID, []byte(to.encode())); err != nil {
		return nil, token, err
	}
	move := &Redeem{
		JTI: c.ID, JTIExpires: time.Unix(c.Expires, 0), User: user, Session: session, StaleSince: now.Add(-NumberStale), Forfeit: q.NoFactor,
		Rekeys: ring.rekeys(to), Rotating: ring.Rotating(),
	}
	if c.KnownAt > 0 {
		move.KnownAt = time.Unix(c.KnownAt, 0)
	}
	if q.Renews != nil && q.Renews.App == q.App.ID {
		move.Renews = q.Renews.ID
	}
	return move, token, nil
}

// login is the answer for a session whose user must still be read.
func (a *Accounts) login(ctx context.Context, r *SessionRecord, token refreshToken) (*Login, error) {
	l, err := a.tokens(r, token)
	if err != nil {
		return nil, err
	}
	u, found, err := a.cfg.Users.User(ctx, r.App, r.User)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, revokedSession() // erased this moment
	}
	l.User, err = a.describeUser(u)
	return l, err
}

func (a *Accounts) tokens(r *SessionRecord, token refreshToken) (*Login, error) {
	access, expires, err := a.accessToken(r)
	if err != nil {
		return nil, err
	}
	s, err := a.describeSession(r)
	if err != nil {
		return nil, err
	}
	return &Login{Session: s, Tokens: Tokens{Access: access, Refresh: token.text(), Expires: expires}}, nil
}

func (a *Accounts) observe(name EventName, app, result string) {
	a.cfg.Observer.Observe(Event{Name: name, App: app, Result: result})
}

// notify tells a user what happened, at the number that they have in hand.
func (a *Accounts) notify(app *App, u *User, n Notice) {
	if a.cfg.Notify != nil {
		a.cfg.Notify(app, u.Phone, u.Locale, n)
	}
}
