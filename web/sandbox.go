package web

import (
	"io"
	"time"
)

// HomeView is the sandbox's start page.
type HomeView struct {
	BaseURL   string // public address of the instance, without a trailing slash
	App       string
	SecretKey string
	SinchKey  string // credentials of the Sinch face; empty hides it
	SinchSec  string
}

// FailingNumber is a number that fails on purpose in the sandbox.
type FailingNumber struct{ Ending, Meaning string }

// failingNumbers is the sandbox's table, for people to read.
var failingNumbers = []FailingNumber{
	{"0500", "the vendor answers with a server error"},
	{"0501", "the vendor does not answer in time"},
	{"0502", "accepted, then not delivered"},
	{"0503", "slow: four seconds"},
	{"0504", "the receipt arrives twice"},
	{"0505", "refused: a landline"},
	{"0506", "no receipt, ever"},
	{"0507", "the receipt arrives before the answer"},
	{"0508", "the first route fails, the second takes it"},
	{"0509", "opted out of messages"},
}

// Home writes the sandbox's start page.
func (p *Pages) Home(w io.Writer, v HomeView) error {
	files, err := p.current()
	if err != nil {
		return err
	}
	return files.render(w, "home.html", struct {
		HomeView
		Failing []FailingNumber
	}{v, failingNumbers})
}

// InboxView is the sandbox's inbox, newest message first.
type InboxView struct {
	To       string // only this number's messages; empty means all
	Messages []InboxMessage
}

// InboxMessage is a message as the sandbox delivered it.
type InboxMessage struct {
	ID, To, Channel, Provider, Text, Code string
	At                                    time.Time
}

// Kind is the channel as people call it.
func (m InboxMessage) Kind() string {
	switch m.Channel {
	case "sms":
		return "SMS"
	case "voice":
		return "Voice call"
	case "flashcall":
		return "Missed call"
	case "whatsapp":
		return "WhatsApp"
	case "email":
		return "Email"
	}
	return m.Channel
}

// Call reports whether the message rings instead of being read.
func (m InboxMessage) Call() bool { return m.Channel == "voice" || m.Channel == "flashcall" }

// Clock is the time of day at which the message arrived.
func (m InboxMessage) Clock() string { return m.At.UTC().Format("15:04:05") }

// Stamp is the instant for machines (RFC 3339).
func (m InboxMessage) Stamp() string { return m.At.UTC().Format(time.RFC3339Nano) }

// Inbox writes the sandbox's inbox. With scripts on, the page listens to GET /dev/inbox/events (text/event-stream) and
// loads itself anew in place whenever an unnamed event comes, whatever it holds; where there is no such stream it does
// so every second. Its button calls DELETE /dev/inbox.json. Without scripts there is a link that loads it again.
func (p *Pages) Inbox(w io.Writer, v InboxView) error {
	files, err := p.current()
	if err != nil {
		return err
	}
	return files.render(w, "inbox.html", v)
}
