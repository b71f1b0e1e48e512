package countersign

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// This file lists, adds and removes further factors. The rule for all of it: once a person has a factor, their factors
// change only in a session that has shown one within StepUpFresh. A text message is not enough, and neither is a session
// that somebody else got hold of (NIST SP 800-63B-4, 4.1.2.1 and 4.2.2). The first one takes a login of FreshLogin.

// factorSecret is what is sealed of a factor.
type factorSecret struct {
	Name    string          `json:"n,omitempty"`
	TOTP    []byte          `json:"t,omitempty"`
	Codes   *recoverySet    `json:"c,omitempty"`
	Passkey json.RawMessage `json:"p,omitempty"`
}

// factorOwner binds what is sealed to its user and its factor.
func factorOwner(r *FactorRecord) string { return r.User + " " + r.ID }

func (a *Accounts) openFactor(r *FactorRecord) (*factorSecret, error) {
	plain, err := a.cfg.Keys().Open(factorOwner(r), r.Sealed)
	if err != nil {
		return nil, err
	}
	s := new(factorSecret)
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, fmt.Errorf("reading a factor: %w", err)
	}
	return s, nil
}

// sealFactor puts what is secret into a record.
func (a *Accounts) sealFactor(r *FactorRecord, s *factorSecret) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing a factor: %w", err)
	}
	r.Sealed, err = a.cfg.Keys().Seal(factorOwner(r), plain)
	return err
}

// newFactor is the record of a factor that begins now and waits for its confirmation.
func (a *Accounts) newFactor(q *EnrolRequest, kind FactorType, s *factorSecret) (*FactorRecord, error) {
	s.Name = q.Name
	r := &FactorRecord{ID: NewFactorID(), App: q.App.ID, User: q.Session.User, Type: kind, Created: a.cfg.Now()}
	return r, a.sealFactor(r, s)
}

// addFactor keeps a new factor where the session may.
func (a *Accounts) addFactor(ctx context.Context, q *EnrolRequest, r *FactorRecord, renewal *Renewal) error {
	now := a.cfg.Now()
	result, err := a.cfg.Factors.AddFactor(ctx, &AddFactor{Factor: r, First: !q.Session.SteppedUp(now), Renewal: renewal, At: now})
	if err != nil {
		return err
	}
	return factorRefusal(result)
}

// mayEnrol says early what addFactor decides, and that a login is too old for a first factor.
func mayEnrol(u *User, s *Session, now time.Time) error {
	switch {
	case s.SteppedUp(now):
		return nil
	case u.Factors > 0:
		return stepUpRequired()
	case !now.Before(s.AuthTime.Add(FreshLogin)):
		return Fail(ErrStepUpRequired, "This login is too old to add a factor. Log in again, or send a proof of your number, of purpose stepup, to POST /v1/sessions/step-up, and try again.")
	}
	return nil
}

func stepUpRequired() error {
	return Fail(ErrStepUpRequired, "Show a further factor first: send a code of your authenticator app, a recovery code or a passkey to POST /v1/sessions/step-up, and try again within five minutes. A text message does not do here.")
}

// factorRefusal is what a person is told of a move.
func factorRefusal(r FactorResult) error {
	switch r {
	case FactorNone:
		return Fail(ErrNotFound, "There is no such factor of yours.")
	case FactorUsed:
		return Fail(ErrIncorrectCode, "This code was used before. Wait for the next one.")
	case FactorStepUpFirst:
		return stepUpRequired()
	case FactorTaken:
		return Fail(ErrFactorExists, "This passkey is registered already.")
	case FactorTooMany:
		return Fail(ErrFactorExists, "There are "+strconv.Itoa(MaxFactors)+" factors, which is the most. Remove one first.")
	case FactorSessionEnded:
		return revokedSession()
	case FactorRedeemed:
		return proofRedeemed()
	}
	return nil
}

func describeFactor(r *FactorRecord, name string) *Factor {
	return &Factor{ID: r.ID, Type: r.Type, Name: name, Created: r.Created, Confirmed: r.Confirmed, Used: r.Used, Left: r.left()}
}

// Factors lists the confirmed factors of a user, oldest first.
func (a *Accounts) Factors(ctx context.Context, app *App, user string) ([]*Factor, error) {
	records, err := a.cfg.Factors.Factors(ctx, app.ID, user)
	if err != nil {
		return nil, err
	}
	list := make([]*Factor, 0, len(records))
	for _, r := range records {
		if r.Confirmed.IsZero() {
			continue
		}
		s, err := a.openFactor(r)
		if err != nil {
			return nil, err
		}
		list = append(list, describeFactor(r, s.Name))
	}
	return list, nil
}

// RemoveFactor removes a factor of the person who is logged in, from a session that has shown one a moment ago. The session
// goes on with new tokens.
func (a *Accounts) RemoveFactor(ctx context.Context, app *App, s *Session, id string) (*Factor, *Login, error) {
	if !ValidFactorID(id) {
		return nil, nil, factorRefusal(FactorNone)
	}
	now := a.cfg.Now()
	if !s.SteppedUp(now) {
		return nil, nil, stepUpRequired()
	}
	next, token, err := a.continued(s, now)
	if err != nil {
		return nil, nil, err
	}
	r, result, err := a.cfg.Factors.RemoveFactor(ctx, &RemoveFactor{
		App: app.ID, User: s.User, ID: id, Renewal: &Renewal{Ends: s.ID, Session: next}, At: now,
	})
	if err == nil {
		err = factorRefusal(result)
	}
	if err != nil {
		return nil, nil, err
	}
	if !r.Confirmed.IsZero() {
		a.factorEvent(ctx, EventFactorRemoved, app, s.User, r.Type)
	}
	l, err := a.login(ctx, next, token)
	return describeFactor(r, ""), l, err
}

// ResetFactors removes all further factors of a user who has lost them, and ends all their sessions. It is for the
// operator, who has found out in another way who asks: the person chooses new factors themselves (ASVS 5.0, 6.4.6).
func (a *Accounts) ResetFactors(ctx context.Context, app *App, user string) error {
	if !ValidUserID(user) {
		return noSuchUser()
	}
	found, err := a.cfg.Factors.RemoveFactors(ctx, app.ID, user, a.cfg.Now())
	if err != nil {
		return err
	}
	if !found {
		return noSuchUser()
	}
	a.factorEvent(ctx, EventFactorRemoved, app, user, "all")
	return nil
}

// maxNotices is how many notices about factors a person gets a day: what they do themselves must not fill their phone, nor
// cost without end.
const maxNotices = 5

// factorEvent reports a change of factors, and tells the person by their number (NIST SP 800-63B-4, 4.6).
func (a *Accounts) factorEvent(ctx context.Context, name EventName, app *App, user string, kind FactorType) {
	a.observe(name, app.ID, string(kind))
	notice, tells := factorNotices[name]
	if !tells || a.cfg.Notify == nil {
		return
	}
	if err := a.tellOnce(context.WithoutCancel(ctx), app, user, notice); err != nil {
		// The change stands; that nobody was told is a fault.
		a.cfg.Observer.Observe(Event{Name: EventFault, App: app.ID, Result: "telling of a changed factor", Err: err})
	}
}

func (a *Accounts) tellOnce(ctx context.Context, app *App, user string, n Notice) error {
	u, err := a.User(ctx, app, user)
	if errors.Is(err, ErrNotFound) {
		return nil // nobody, or erased this moment
	}
	if err != nil || u.Phone.IsZero() {
		return err
	}
	fresh, err := a.oneOf(ctx, "notice", user, maxNotices)
	if fresh {
		a.notify(app, u, n)
	}
	return err
}

// oneOf takes one of the times that something may happen to a user in a day; false where there is none left. What is kept
// of it is a keyed hash, which names nobody and outlives an erasure by a day at most.
func (a *Accounts) oneOf(ctx context.Context, what, user string, most int) (bool, error) {
	day := a.cfg.Now().Truncate(24 * time.Hour)
	for i := range most {
		hash := a.cfg.Keys().LookupHash("once a day", what, user, strconv.FormatInt(day.Unix(), 10), strconv.Itoa(i))
		key := "day_" + hex.EncodeToString(hash[:])
		fresh, err := a.cfg.Factors.Once(ctx, key, day.Add(24*time.Hour))
		if err != nil || fresh {
			return fresh, err
		}
	}
	return false, nil
}
