package countersign

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// This file lets people log in with passkeys (WebAuthn Level 3). A passkey is both things that AAL2 asks for at once: the
// device has the key, and gives a signature only to whoever unlocked it. It is also the one factor here that a false page
// cannot ask for (NIST SP 800-63B-4, 2.2.2 and 3.2.5).

// RelyingParty is for whom an app's passkeys are made. Without an ID the app has none.
type RelyingParty struct {
	ID      string   // a domain: browsers use a passkey on its pages only
	Name    string   // shown when one is made
	Origins []string // exact origins of the pages that may make and use them
}

// Passkey is a key pair as it is known here. All of it comes from the person's device.
type Passkey struct {
	ID        []byte   `json:"i"`
	PublicKey []byte   `json:"k"` // COSE
	Handle    []byte   `json:"h"` // what the device gives back to name the user: random, the same for all of a user's
	Transport []string `json:"t,omitempty"`
	Synced    bool     `json:"s,omitempty"` // it may be copied to the person's other devices; this never changes
	BackedUp  bool     `json:"b,omitempty"` // and it was, when it was used last

	Counter uint32 `json:"-"` // of signatures; always 0 from devices that do not count
}

// means is how a passkey shows who somebody is (RFC 8176). A device gives no signature without having asked for its PIN,
// a finger or a face, which is required here, so it is two factors at once.
func (p *Passkey) means() []string {
	if p.Synced {
		return []string{"swk", "user"}
	}
	return []string{"hwk", "user"}
}

// NewPasskey is what a person's device is asked to make.
type NewPasskey struct {
	Challenge []byte
	Handle    []byte
	Name      string     // of the account, in the device's list
	Exclude   []*Passkey // a device that has one of these makes no other
}

// WebAuthn writes what browsers are asked and reads what they answer; package passkey does. Its errors are of kind
// ErrInvalidRequest or ErrPasskeyRefused.
type WebAuthn interface {
	// CreationOptions and RequestOptions are JSON as WebAuthn's parseCreationOptionsFromJSON and
	// parseRequestOptionsFromJSON take it. Without passkeys to choose from the device offers those that it has.
	CreationOptions(rp *RelyingParty, n *NewPasskey) ([]byte, error)
	RequestOptions(rp *RelyingParty, challenge []byte, from []*Passkey) ([]byte, error)
	// Created verifies a registration.
	Created(rp *RelyingParty, challenge, answer []byte) (*Passkey, error)
	// Names reads which passkey and which user an assertion is of. Nothing of it is verified.
	Names(answer []byte) (id, handle []byte, err error)
	// Used verifies an assertion by a passkey and gives it as it is now, with the new counter.
	Used(rp *RelyingParty, challenge []byte, p *Passkey, answer []byte) (*Passkey, error)
}

// Ceremony is what a browser is asked for. Its token comes back with the answer.
type Ceremony struct {
	Token   string
	Options []byte // JSON
}

// PasskeyAnswer is a browser's answer: the token of the ceremony, and the credential as its toJSON gives it.
type PasskeyAnswer struct {
	Ceremony   string
	Credential []byte
}

// CeremonyLifetime is how long a browser has for its answer.
const CeremonyLifetime = 5 * time.Minute

const (
	ceremonyPrefix = "cer_"
	challengeSize  = 32
	handleSize     = 32 // random: a device shows it to whoever holds it, and it must say nothing
	maxCeremony    = 256
)

// ceremony is what its token carries, sealed. Nothing is stored when one begins, so anybody may begin as many as they
// like; what is stored is that one was used. The seal binds it to what it is for: one of another app, session or user does
// not open.
type ceremony struct {
	expires   time.Time
	challenge []byte
	handle    []byte // of a registration
}

// Bindings. No part of one has a space.
func bindLogin(app *App, to string) string { return "passkey login " + app.ID + " " + to }

func bindNew(s *Session) string { return "passkey new " + s.App + " " + s.User + " " + s.ID }

func bindStepUp(s *Session) string { return "passkey step-up " + s.App + " " + s.User + " " + s.ID }

func (a *Accounts) newCeremony(binding string, handle []byte) (token string, challenge []byte, err error) {
	challenge = make([]byte, challengeSize)
	rand.Read(challenge) // never fails (crypto/rand, since Go 1.24)
	plain := binary.BigEndian.AppendUint64(nil, uint64(a.cfg.Now().Add(CeremonyLifetime).UnixMilli()))
	plain = append(append(plain, challenge...), handle...)
	sealed, err := a.cfg.Keys().Seal(binding, plain)
	if err != nil {
		return "", nil, err
	}
	return ceremonyPrefix + base64.RawURLEncoding.EncodeToString(sealed), challenge, nil
}

// readCeremony opens a token that was made for this and is not too old. Whether it was used is asked last.
func (a *Accounts) readCeremony(binding, token string) (*ceremony, error) {
	text, ok := strings.CutPrefix(token, ceremonyPrefix)
	if !ok || len(text) > maxCeremony {
		return nil, ceremonyOver()
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ceremonyOver()
	}
	plain, err := a.cfg.Keys().Open(binding, sealed)
	if err != nil || len(plain) < 8+challengeSize {
		return nil, ceremonyOver()
	}
	c := &ceremony{
		expires: time.UnixMilli(int64(binary.BigEndian.Uint64(plain))), challenge: plain[8 : 8+challengeSize], handle: plain[8+challengeSize:],
	}
	if !a.cfg.Now().Before(c.expires) {
		return nil, ceremonyOver()
	}
	return c, nil
}

// finish takes a ceremony out of use. Of two that bring it, on whichever nodes, one is the first.
func (a *Accounts) finish(ctx context.Context, c *ceremony) error {
	fresh, err := a.cfg.Factors.Once(ctx, ceremonyPrefix+base64.RawURLEncoding.EncodeToString(c.challenge), c.expires)
	if err == nil && !fresh {
		err = ceremonyOver()
	}
	return err
}

func ceremonyOver() error {
	return Fail(ErrCeremonyOver, "The ceremony was used before, took longer than five minutes, or was begun for something else. Ask for options again.")
}

func noPasskeys() error {
	return Fail(ErrNotFound, "This app has no passkeys: they need a domain. The operator sets apps.*.passkeys.rp_id, or a public_url with a name in it.")
}

func (a *Accounts) havePasskeys(app *App) error {
	if app.Passkeys.ID == "" || a.cfg.WebAuthn == nil {
		return noPasskeys()
	}
	return nil
}

// passkeysOf are the passkeys of a user.
func (a *Accounts) passkeysOf(ctx context.Context, app *App, user string) ([]*Passkey, error) {
	records, err := a.cfg.Factors.Factors(ctx, app.ID, user)
	if err != nil {
		return nil, err
	}
	var list []*Passkey
	for _, r := range records {
		if r.Type != FactorPasskey || r.Confirmed.IsZero() {
			continue
		}
		_, p, err := a.openPasskey(r)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func (a *Accounts) openPasskey(r *FactorRecord) (*factorSecret, *Passkey, error) {
	s, err := a.openFactor(r)
	if err != nil {
		return nil, nil, err
	}
	p := new(Passkey)
	if err := json.Unmarshal(s.Passkey, p); err != nil {
		return nil, nil, fmt.Errorf("reading a passkey: %w", err)
	}
	p.Counter = uint32(r.Counter)
	return s, p, nil
}

func (a *Accounts) passkeyLookup(app *App, id []byte) Hash {
	return a.cfg.Keys().LookupHash("passkey", app.ID, string(id))
}

// NewPasskey begins the making of a passkey for the person who is logged in.
func (a *Accounts) NewPasskey(ctx context.Context, app *App, s *Session) (*Ceremony, error) {
	if err := a.havePasskeys(app); err != nil {
		return nil, err
	}
	u, err := a.User(ctx, app, s.User)
	if err != nil {
		return nil, err
	}
	if err := mayEnrol(u, s, a.cfg.Now()); err != nil {
		return nil, err
	}
	have, err := a.passkeysOf(ctx, app, s.User)
	if err != nil {
		return nil, err
	}
	n := &NewPasskey{Name: u.Phone.Dial(), Exclude: have}
	if n.Name == "" {
		n.Name = app.Passkeys.Name
	}
	if len(have) > 0 {
		n.Handle = have[0].Handle
	} else {
		n.Handle = make([]byte, handleSize)
		rand.Read(n.Handle) // never fails
	}
	c := new(Ceremony)
	if c.Token, n.Challenge, err = a.newCeremony(bindNew(s), n.Handle); err != nil {
		return nil, err
	}
	c.Options, err = a.cfg.WebAuthn.CreationOptions(&app.Passkeys, n)
	return c, err
}

// AddPasskey keeps a passkey that a person's device has made, and gives their session new tokens: factors changed.
func (a *Accounts) AddPasskey(ctx context.Context, q *EnrolRequest, answer *PasskeyAnswer) (*Factor, *Login, error) {
	if err := a.havePasskeys(q.App); err != nil {
		return nil, nil, err
	}
	c, err := a.readCeremony(bindNew(q.Session), answer.Ceremony)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.cfg.WebAuthn.Created(&q.App.Passkeys, c.challenge, answer.Credential)
	if err != nil {
		return nil, nil, err
	}
	p.Handle = c.handle
	if err := a.finish(ctx, c); err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, nil, fmt.Errorf("writing a passkey: %w", err)
	}
	r, err := a.newFactor(q, FactorPasskey, &factorSecret{Passkey: text})
	if err != nil {
		return nil, nil, err
	}
	r.Lookup, r.Counter, r.Confirmed = a.passkeyLookup(q.App, p.ID), int64(p.Counter), r.Created
	renewed, token, err := a.renewed(q.Session, p.means(), r.Created)
	if err != nil {
		return nil, nil, err
	}
	if err := a.addFactor(ctx, q, r, &Renewal{Ends: q.Session.ID, Session: renewed}); err != nil {
		return nil, nil, err
	}
	a.factorEvent(ctx, EventFactorAdded, q.App, r.User, r.Type)
	l, err := a.login(ctx, renewed, token)
	return describeFactor(r, q.Name), l, err
}

// AskPasskey begins a login by passkey: nobody has said yet who they are. What it is bound to, if anything, must come
// back with the answer, so that no other browser's answer fits.
func (a *Accounts) AskPasskey(ctx context.Context, app *App, client Client, to string) (*Ceremony, error) {
	if err := a.countCheck(ctx, app, client); err != nil {
		return nil, err
	}
	return a.ask(app, bindLogin(app, to), nil)
}

func (a *Accounts) countCheck(ctx context.Context, app *App, client Client) error {
	if a.cfg.CountCheck == nil {
		return nil
	}
	return a.cfg.CountCheck(ctx, app, client)
}

// AskPasskeyAgain begins a step-up by one of the user's passkeys.
func (a *Accounts) AskPasskeyAgain(ctx context.Context, app *App, s *Session) (*Ceremony, error) {
	have, err := a.passkeysOf(ctx, app, s.User)
	if err != nil {
		return nil, err
	}
	if len(have) == 0 {
		return nil, Fail(ErrNotFound, "There is no passkey of yours. Show another factor.")
	}
	return a.ask(app, bindStepUp(s), have)
}

func (a *Accounts) ask(app *App, binding string, from []*Passkey) (*Ceremony, error) {
	if err := a.havePasskeys(app); err != nil {
		return nil, err
	}
	token, challenge, err := a.newCeremony(binding, nil)
	if err != nil {
		return nil, err
	}
	options, err := a.cfg.WebAuthn.RequestOptions(&app.Passkeys, challenge, from)
	return &Ceremony{Token: token, Options: options}, err
}

// PasskeyLogin asks for a session in exchange for a passkey that was used.
type PasskeyLogin struct {
	App    *App
	Answer PasskeyAnswer
	To     string // what the ceremony was bound to
	Kind   SessionKind
	Client Client
	// Renews is the session that this browser had before, as in RedeemRequest.
	Renews *Session
}

// LoginByPasskey makes a session of a passkey that was used, once. The passkey says who its user is.
func (a *Accounts) LoginByPasskey(ctx context.Context, q *PasskeyLogin) (*Login, error) {
	if err := a.countCheck(ctx, q.App, q.Client); err != nil {
		return nil, err
	}
	use, means, err := a.checkPasskey(ctx, q.App, bindLogin(q.App, q.To), "", &q.Answer)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	begun := &Session{
		App: q.App.ID, User: use.User, Kind: q.Kind, Created: now,
		Expires: now.Add(q.App.Sessions.WithDefaults().Lifetime), Client: sessionClient(q.Client),
	}
	record, token, err := a.renewed(begun, means, now)
	if err != nil {
		return nil, err
	}
	move := &ShowFactor{Use: use, Session: record, At: now}
	if q.Renews != nil && q.Renews.App == q.App.ID && q.Renews.User == use.User {
		move.Ends = q.Renews.ID
	}
	result, err := a.cfg.Factors.ShowFactor(ctx, move)
	if err == nil && result == FactorSessionEnded {
		move.Ends = "" // it ended meanwhile: there is nothing left to renew
		result, err = a.cfg.Factors.ShowFactor(ctx, move)
	}
	if err == nil {
		err = a.passkeyRefusal(q.App, result)
	}
	if err != nil {
		return nil, err
	}
	if q.Renews != nil && q.Renews.User != use.User {
		// Another person's on this browser: a token of before a login is worth nothing after it.
		if _, err := a.cfg.Sessions.EndSession(ctx, q.Renews.App, q.Renews.User, q.Renews.ID, EndedByRenewal, now); err != nil {
			return nil, err
		}
	}
	a.observe(EventFactorUsed, q.App.ID, string(use.Type))
	a.observe(EventSessionStarted, q.App.ID, string(q.Kind))
	return a.login(ctx, record, token)
}

// StepUpByPasskey takes a passkey of the person who is logged in and gives their session new tokens.
func (a *Accounts) StepUpByPasskey(ctx context.Context, app *App, s *Session, answer *PasskeyAnswer) (*Login, error) {
	use, means, err := a.checkPasskey(ctx, app, bindStepUp(s), s.User, answer)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	renewed, token, err := a.renewed(s, means, now)
	if err != nil {
		return nil, err
	}
	result, err := a.cfg.Factors.ShowFactor(ctx, &ShowFactor{Use: use, Ends: s.ID, Session: renewed, At: now})
	if err == nil {
		err = a.passkeyRefusal(app, result)
	}
	if err != nil {
		return nil, err
	}
	a.observe(EventFactorUsed, app.ID, string(use.Type))
	a.observe(EventSteppedUp, app.ID, string(use.Type))
	return a.login(ctx, renewed, token)
}

// checkPasskey verifies an assertion and gives what the store is to consume. The signature is checked first: an answer
// that is none costs no write.
func (a *Accounts) checkPasskey(ctx context.Context, app *App, binding, user string, answer *PasskeyAnswer) (*UseFactor, []string, error) {
	if err := a.havePasskeys(app); err != nil {
		return nil, nil, err
	}
	c, err := a.readCeremony(binding, answer.Ceremony)
	if err != nil {
		return nil, nil, err
	}
	id, handle, err := a.cfg.WebAuthn.Names(answer.Credential)
	if err != nil {
		return nil, nil, err
	}
	r, found, err := a.cfg.Factors.FactorByLookup(ctx, app.ID, a.passkeyLookup(app, id))
	if err != nil {
		return nil, nil, err
	}
	if !found || user != "" && r.User != user {
		a.observe(EventFactorRefused, app.ID, string(FactorPasskey))
		return nil, nil, passkeyUnknown()
	}
	s, p, err := a.openPasskey(r)
	if err != nil {
		return nil, nil, err
	}
	now, err := a.cfg.WebAuthn.Used(&app.Passkeys, c.challenge, p, answer.Credential)
	// A device that was not told which passkey must say whose it is (WebAuthn Level 3, 7.2, step 6).
	if err == nil && !bytes.Equal(handle, p.Handle) && (user == "" || len(handle) > 0) {
		err = Fail(ErrPasskeyRefused, "The passkey names another user than the one that it was made for.")
	}
	if err != nil {
		a.observe(EventFactorRefused, app.ID, string(FactorPasskey))
		return nil, nil, err
	}
	use := &UseFactor{App: app.ID, User: r.User, ID: r.ID, Type: FactorPasskey, Counter: int64(now.Counter)}
	if now.BackedUp != p.BackedUp {
		if use.Sealed, err = a.sealPasskey(r, s, now); err != nil {
			return nil, nil, err
		}
	}
	return use, now.means(), a.finish(ctx, c)
}

func (a *Accounts) sealPasskey(r *FactorRecord, s *factorSecret, p *Passkey) ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing a passkey: %w", err)
	}
	s.Passkey = text
	changed := *r
	err = a.sealFactor(&changed, s)
	return changed.Sealed, err
}

func passkeyUnknown() error {
	return Fail(ErrPasskeyUnknown, "There is no such passkey, or not any more. Remove it from the device, and log in another way.")
}

// passkeyRefusal is what a person is told of a move that used a passkey. A counter that does not grow is told: either
// there are two copies of a key that was made for one device, or the device is broken (WebAuthn Level 3, 6.1.1).
func (a *Accounts) passkeyRefusal(app *App, r FactorResult) error {
	switch r {
	case FactorUsed:
		a.observe(EventPasskeyCopied, app.ID, string(FactorPasskey))
		return Fail(ErrPasskeyRefused, "The passkey's counter went back: somebody may have a copy of it. Log in another way, and remove it.")
	case FactorNone:
		return passkeyUnknown()
	}
	return factorRefusal(r)
}
