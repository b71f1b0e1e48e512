package countersign

import (
	"context"
	"errors"
)

// This file tells people what happened to their account. A notice carries no code and asks for nothing; it goes to an
// address that was proved before, at most as often as the event itself can happen.

// Notice is something that a person is told of (NIST SP 800-63B-4, 4.6).
type Notice string

// The notices.
const (
	NoticeNumberChanged Notice = "number_changed"
	NoticeFactorAdded   Notice = "factor_added"
	NoticeFactorRemoved Notice = "factor_removed"
	NoticeFactorLocked  Notice = "factor_locked" // wrong codes, several in a row
	NoticeRecoveryUsed  Notice = "recovery_code_used"
)

// Notices are all that there are.
func Notices() []Notice {
	return []Notice{NoticeNumberChanged, NoticeFactorAdded, NoticeFactorRemoved, NoticeFactorLocked, NoticeRecoveryUsed}
}

var factorNotices = map[EventName]Notice{
	EventFactorAdded: NoticeFactorAdded, EventFactorRemoved: NoticeFactorRemoved, EventRecoveryUsed: NoticeRecoveryUsed,
	EventFactorLocked: NoticeFactorLocked,
}

// Notify tells the holder of a number what happened to their account, in the language of the codes that they were sent. It
// returns at once; where no route carries a text of ours, it says so in the log.
func (v *Verifier) Notify(app *App, to Address, locale string, n Notice) {
	if app.Texts == nil {
		v.fault("sending a notice", nil, errors.New("the app has no texts"))
		return
	}
	text := app.Texts.Notice(n, locale)
	v.later(context.Background(), func(ctx context.Context) {
		if err := v.notify(ctx, app, to, text); err != nil {
			v.fault("sending a notice", nil, err)
		}
	})
}

func (v *Verifier) notify(ctx context.Context, app *App, to Address, text Rendered) error {
	ring := v.cfg.Keys()
	phone := ring.PhoneHash(to)
	path, err := v.cfg.Dispatcher.Plan(&Wish{App: app.ID, Channel: ChannelSMS, To: to, Purpose: PurposeStepUp, Phone: phone})
	if err != nil {
		return err
	}
	// A vendor that makes its own codes has no text of ours.
	path.Hosted, path.OwnCode = "", true
	if err := v.refuseOptedOut(ctx, ring, path.Sender, to, phone); errors.Is(err, ErrOptedOut) {
		return nil // their own wish
	} else if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, v.cfg.SendTimeout)
	defer cancel()
	d, err := v.cfg.Dispatcher.Dispatch(ctx, path, &Message{
		ID: newID(messagePrefix), App: app.ID, To: to, Channel: path.Channel, Purpose: PurposeStepUp, Text: text.Body, Locale: text.Locale, Attempt: 1,
	})
	v.cfg.Observer.Observe(Event{
		Name: EventSent, App: app.ID, Channel: path.Channel, Country: to.Country(), Purpose: PurposeStepUp,
		Provider: d.Delivery.Provider, Result: string(d.Delivery.Status), Err: err,
	})
	return nil
}
