package httpapi

import (
	"strconv"
	"time"

	"countersign"
)

// The limit fields follow the IETF draft "RateLimit header fields for HTTP" (version 10): a policy names a quota q in
// a window w of seconds, and the field says what remains (r) and after how many seconds it is whole again (t). What
// they describe belongs to the phone, over all apps.
const (
	sendPolicy  = `"sends";q=3;w=600, "sends_day";q=10;w=86400`
	checkPolicy = `"checks";q=20;w=86400`
)

// sendsLeft tells a client how many more messages its phone may get. What remains is of the tighter window; once the
// day's window has sends in it, its reset would be a day away and says nothing about the short one, so it is left out.
func (c *call) sendsLeft(v *countersign.Verification) {
	reset := v.Phone.SendsReset
	if reset > countersign.SendsBurst {
		reset = 0
	}
	c.rate("sends", v.Phone.SendsLeft, reset)
}

// checksLeft tells a client how many more guesses its phone has.
func (c *call) checksLeft(v *countersign.Verification) {
	c.rate("checks", v.Phone.ChecksLeft, 0)
}

// limitRefused tells the same where a limit refused. A publishable key is not told which.
func (c *call) limitRefused(e *countersign.Error) {
	switch e.Kind {
	case countersign.ErrIncorrectCode:
		if e.PhoneLeft != nil {
			c.rate("checks", *e.PhoneLeft, 0)
		}
	case countersign.ErrTooManyChecks:
		c.rate("checks", 0, e.RetryAfter)
	case countersign.ErrResendTooSoon, countersign.ErrTooManySends:
		c.rate("sends", 0, e.RetryAfter)
	case countersign.ErrRateLimited:
		name := "default"
		if c.key.Secret && e.Limit != "" {
			name = e.Limit
		}
		c.rate(name, 0, e.RetryAfter)
	}
}

// rate writes the field RateLimit. A reset of zero is not known and left out.
func (c *call) rate(name string, remaining int, reset time.Duration) {
	b := make([]byte, 0, 48)
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `";r=`...)
	b = strconv.AppendInt(b, int64(max(0, remaining)), 10)
	if t := wholeSeconds(reset); t > 0 {
		b = append(b, ";t="...)
		b = strconv.AppendInt(b, int64(t), 10)
	}
	c.Header()["Ratelimit"] = []string{string(b)}
}
