package smtp

import (
	"fmt"
	"strings"

	mail "github.com/wneessen/go-mail"

	"countersign"
)

// This file says what a relay's answers mean for the next step. A detail is made of codes only: a relay's text quotes
// the address.

// stage is how far a transaction got.
type stage uint8

const (
	stageBegin stage = iota // greeting, EHLO, STARTTLS
	stageLogin
	stageSender    // MAIL FROM
	stageRecipient // RCPT TO
	stageContent   // DATA, and the answer to the final dot
)

// classOf is the table. code is the answer's (RFC 5321, 4.2), enhanced the one of RFC 3463 or "".
func classOf(s stage, code int, enhanced string) countersign.FailureClass {
	subject := strings.TrimPrefix(strings.TrimPrefix(enhanced, "5."), "4.")
	switch {
	case code >= 400 && code <= 499:
		if s == stageLogin && code != 454 && code != 421 {
			return countersign.FailOperator // 432: a password transition is needed; 435 and the like
		}
		return countersign.FailTemporary
	case code < 500 || code > 599:
		return countersign.FailTemporary // not an answer that the standard knows here: nothing was sent
	case s != stageRecipient && s != stageContent:
		return countersign.FailOperator // the relay does not know us, our password or our sender
	}
	switch subject {
	case "1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "2.2", "4.4", "4.6":
		// No such mailbox, no such domain, moved, null MX; disabled, full; no route, a loop.
		return countersign.FailDestination
	case "1.0", "2.0", "0.0", "":
		return withoutSubject(s, code)
	}
	return countersign.FailOperator // 5.7.x: policy, relaying denied; 5.3.x, 5.5.x, 5.6.x: our message or our protocol
}

// withoutSubject is for answers whose enhanced code says nothing.
func withoutSubject(s stage, code int) countersign.FailureClass {
	if s == stageRecipient {
		switch code {
		case 550, 551, 552, 553, 556: // mailbox unavailable, not local, full, not allowed; domain takes no mail
			return countersign.FailDestination
		}
	}
	return countersign.FailOperator
}

func detail(code int, enhanced string) string {
	if code == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, enhanced))
}

// stageOf places a go-mail error.
func stageOf(reason mail.SendErrReason) stage {
	switch reason {
	case mail.ErrSMTPMailFrom:
		return stageSender
	case mail.ErrSMTPRcptTo:
		return stageRecipient
	case mail.ErrSMTPData, mail.ErrWriteContent, mail.ErrSMTPDataClose:
		return stageContent
	}
	return stageBegin
}
