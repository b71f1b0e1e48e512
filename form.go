package countersign

import (
	"crypto/subtle"
	"strconv"
	"strings"
	"time"
)

// This file tells how long a form of ours was open before it was sent. A person needs a moment to type a number; a program
// that posts forms does not take it. The form brings back when it was handed out, under a keyed hash over that and over whom
// it was handed to, so nothing is kept of it and nobody can make it older. A program may wait, or use one form often: then the
// wait is what it costs, and everything else is counted all the same.

// Form is what a form brings back about itself.
type Form struct {
	Token   string // of FormToken
	Browser string // whom it was handed to, as then
}

// formLife is how long a form may be open. An older one is somebody's forgotten tab, or one that a program has kept.
const formLife = 12 * time.Hour

// FormToken says when a form was handed out and to which browser, for the form to bring back.
func (v *Verifier) FormToken(app *App, browser string) string {
	at := strconv.FormatInt(v.Now().UnixMilli(), 36)
	return at + "." + v.cfg.Keys().LookupHash("form", app.ID, browser, at).Hex()
}

// filledIn is how long the form of a start was open: zero where it came by none, and negative where what the form says cannot
// be believed.
func (v *Verifier) filledIn(ring *Keyring, q *StartRequest, now time.Time) time.Duration {
	if q.Form == nil {
		return 0
	}
	at, mac, _ := strings.Cut(q.Form.Token, ".")
	handed, err := strconv.ParseInt(at, 36, 64)
	want := ring.LookupHash("form", q.App.ID, q.Form.Browser, at).Hex()
	if err != nil || subtle.ConstantTimeCompare([]byte(mac), []byte(want)) != 1 {
		return -1
	}
	open := now.Sub(time.UnixMilli(handed))
	if open <= 0 || open > formLife {
		return -1
	}
	return open
}
