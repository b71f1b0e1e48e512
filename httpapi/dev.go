package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"countersign"
	"countersign/phone"
	"countersign/web"
)

// Sandbox is what exists in sandbox mode only.
type Sandbox struct {
	Inbox        Inbox
	Home         web.HomeView // of GET /; BaseURL is filled in when empty
	Advance      func(ctx context.Context, d time.Duration) error
	ForgetLimits func(ctx context.Context) error
	Now          func() time.Time

	// DangerouslyAnyHost takes requests under any Host: for a sandbox that was exposed on purpose. Otherwise only
	// loopback names are answered, so that no web page can reach the inbox by DNS rebinding.
	DangerouslyAnyHost bool

	// Seamless completes the data verification whose target address was fetched, and says whether there is one.
	// Optional.
	Seamless func(id string) bool

	// Carrier is what happens to messages. Optional.
	Carrier Carrier
}

// Inbox is where the sandbox delivers messages. It is memory only.
type Inbox interface {
	// Messages lists what was delivered to an address in E.164, or to all with "", newest first.
	Messages(to string) []InboxMessage
	// Subscribe waits for messages to an address in E.164, or to all with "": next gives those that arrive after
	// Subscribe returned, one a call, and false once ctx has ended. stop ends the subscription.
	Subscribe(to string) (next func(ctx context.Context) (InboxMessage, bool), stop func())
	// Clear forgets all messages.
	Clear()
}

// InboxMessage is a message as a phone would show it.
type InboxMessage struct {
	ID, To, Channel, Provider, Text, Code string
	At                                    time.Time
}

func sandboxRoutes(sb *Sandbox) []route {
	list := []route{
		{"GET", "/{$}", public, "", showHome, nil},
		{"GET", "/dev/inbox", public, "", showInbox, nil},
		{"GET", "/dev/inbox.json", public, "", readInbox, inboxDoc()},
		{"GET", "/dev/inbox/events", public, "", streamInbox, streamInboxDoc()},
		{"DELETE", "/dev/inbox.json", public, "", clearInbox, clearInboxDoc()},
		{"DELETE", "/dev/limits", secretKey, "", forgetLimits, forgetLimitsDoc()},
		{"POST", "/dev/clock", public, "", advanceClock, clockDoc()},
	}
	if sb.Seamless != nil {
		list = append(list, route{"GET", "/dev/seamless/{id}", public, "", completeSeamless, nil})
	}
	if sb.Carrier != nil {
		list = append(
			list, route{"GET", "/dev/carrier", public, "", showCarrier, showCarrierDoc()},
			route{"PUT", "/dev/carrier", public, "", setCarrier, setCarrierDoc()},
			route{"DELETE", "/dev/carrier", public, "", clearCarrier, clearCarrierDoc()},
		)
	}
	return list
}

func showHome(c *call) error {
	v := c.s.cfg.Sandbox.Home
	if v.BaseURL == "" {
		v.BaseURL = c.s.cfg.PublicURL
	}
	return c.page(http.StatusOK, "", func(b *bytes.Buffer) error { return c.s.cfg.Pages.Home(b, v) })
}

// inboxTo is the number that an inbox is asked for, in any form.
func (c *call) inboxTo() string {
	text := c.r.URL.Query().Get("to")
	if strings.HasPrefix(text, " ") {
		text = "+" + text[1:] // a plus that nobody escaped
	}
	if n, err := phone.Parse(text, "US"); err == nil {
		return n.E164()
	}
	return text
}

// inboxQuery refuses what no program means: a test that asks for the messages of nobody would wait for ever. An empty number
// is none: everybody's messages.
func (c *call) inboxQuery() error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return invalid("", "The query is not well-formed.")
	}
	for name, values := range query {
		switch {
		case name != "to":
			return invalid(queryPointer(name), "There is no such parameter here.")
		case len(values) != 1:
			return invalid("/to", "This parameter is there twice.")
		}
		if to := c.inboxTo(); to != "" && !isMail(to) && !strings.HasPrefix(to, "+") {
			return &countersign.Error{
				Kind: countersign.ErrInvalidPhoneNumber, Pointer: "/to",
				Detail: "This is neither a phone number nor an e-mail address. Send a number with its country code, as in %2B14155550123, or leave `to` out for all messages.",
			}
		}
	}
	return nil
}

func showInbox(c *call) error {
	v := web.InboxView{To: c.inboxTo()}
	for _, m := range c.s.cfg.Sandbox.Inbox.Messages(v.To) {
		v.Messages = append(v.Messages, web.InboxMessage(m))
	}
	return c.page(http.StatusOK, "", func(b *bytes.Buffer) error { return c.s.cfg.Pages.Inbox(b, v) })
}

// inbox is the sandbox's messages for programs.
type inbox struct {
	_ struct{} `additionalProperties:"true"`

	Messages []inboxMessage `json:"messages" doc:"Newest first."`
}

type inboxMessage struct {
	_ struct{} `additionalProperties:"true"`

	ID       string `json:"id"`
	To       string `json:"to" example:"+46701740615"`
	Channel  string `json:"channel" example:"sms"`
	Provider string `json:"provider" example:"sandbox"`
	Text     string `json:"text"`
	Code     string `json:"code" example:"123456"`
	At       string `json:"at" format:"date-time"`
}

func readInbox(c *call) error {
	if err := c.inboxQuery(); err != nil {
		return err
	}
	return c.answer(http.StatusOK, inbox{Messages: describeAll(c.s.cfg.Sandbox.Inbox.Messages(c.inboxTo()), describeMessage)})
}

func describeMessage(m InboxMessage) inboxMessage {
	return inboxMessage{
		ID: m.ID, To: m.To, Channel: m.Channel, Provider: m.Provider, Text: m.Text, Code: m.Code, At: m.At.UTC().Format(time.RFC3339Nano),
	}
}

func clearInbox(c *call) error {
	if err := c.sameSite(); err != nil {
		return err
	}
	c.s.cfg.Sandbox.Inbox.Clear()
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func forgetLimits(c *call) error {
	if err := c.s.cfg.Sandbox.ForgetLimits(c.r.Context()); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// maxAdvance is the longest step of time travel: past everything that the store remembers.
const maxAdvance = 400 * 24 * time.Hour

type clockBody struct {
	Advance *string `json:"advance" required:"true" nullable:"false" example:"90s" doc:"How far forward: a number with a unit, s, m or h. There is no way back."`
}

type clockAnswer struct {
	_ struct{} `additionalProperties:"true"`

	Now string `json:"now" format:"date-time" doc:"The clock that everything is decided by."`
}

func advanceClock(c *call) error {
	if err := c.sameSite(); err != nil {
		return err
	}
	in, err := decode[clockBody](c)
	if err != nil {
		return err
	}
	if in.Advance == nil {
		return invalid("/advance", "Say how far, as in 90s.")
	}
	d, err := time.ParseDuration(*in.Advance)
	if err != nil || d <= 0 || d > maxAdvance {
		return invalid("/advance", "Time goes forward by a duration such as 90s, 10m or 24h; at most 9600h at once.")
	}
	if err := c.s.cfg.Sandbox.Advance(c.r.Context(), d); err != nil {
		return err
	}
	return c.answer(http.StatusOK, clockAnswer{Now: instant(c.s.cfg.Sandbox.Now())})
}

// completeSeamless stands in for the carrier: fetching the address from the phone is what verifies it.
func completeSeamless(c *call) error {
	if !c.s.cfg.Sandbox.Seamless(c.r.PathValue("id")) {
		return noSuchPath()
	}
	return c.answer(http.StatusOK, health{Status: "ok"})
}
