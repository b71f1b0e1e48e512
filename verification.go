package countersign

import (
	"net/netip"
	"time"
)

// Status is where a verification stands. All but StatusPending are final.
type Status string

// The statuses.
const (
	StatusPending       Status = "pending"
	StatusApproved      Status = "approved"
	StatusExpired       Status = "expired"
	StatusFailed        Status = "failed"   // its guesses are used up
	StatusCanceled      Status = "canceled" // by the app, or by a newer one that took its place
	StatusDenied        Status = "denied"   // refused after the start, by a hosted provider or the app's callback
	StatusUndeliverable Status = "undeliverable"
)

// Final says whether nothing moves any more.
func (s Status) Final() bool { return s != StatusPending }

// ParseStatus accepts the names above.
func ParseStatus(s string) (Status, bool) {
	switch st := Status(s); st {
	case StatusPending, StatusApproved, StatusExpired, StatusFailed, StatusCanceled, StatusDenied, StatusUndeliverable:
		return st, true
	}
	return "", false
}

// Verification is one question, whether somebody holds a phone, for one purpose, as the app that asked sees it.
type Verification struct {
	ID         string
	App        string
	Status     Status
	To         Address
	Channel    Channel
	Purpose    Purpose
	Face       Face
	Reference  string
	Metadata   map[string]string
	Created    time.Time
	Expires    time.Time
	Ended      time.Time // zero while pending
	CodeLength int
	Alphabet   Alphabet
	Custom     string // Sinch face: echoed in callbacks

	ChecksLeft int // guesses the verification and its phone both still have
	Sends      int
	SendsLeft  int
	NextSend   time.Time // when the phone's limits let the next send through; zero where there is none

	Deliveries  []Delivery
	Transaction *Transaction

	Proof string // the signed statement; only in the answer to an approved check
	// DeviceToken is what the device that proved the phone may keep, beside the proof: see Device.
	DeviceToken string
	Test        bool // made for a test number

	Now   time.Time  // the store's clock when this was read
	Phone PhoneState // what the phone has left, for the limit headers

	Replayed bool   // answered from an earlier request with the same Idempotency-Key
	Hosted   Hosted // who owns the code, where that is not us
}

// Hosted names the vendor's own verification behind ours.
type Hosted struct {
	Route  string // which configured provider
	Ref    string // the vendor's id
	Scheme string // what the vendor tells the client to expect: a flash call's number filter, a target URI
}

// Transaction is what somebody approves: the message shows it and the proof binds it (PSD2 RTS, article 5).
type Transaction struct {
	Payee    string `json:"payee"`
	Amount   string `json:"amount"`   // decimal text, exactly as the app gave it
	Currency string `json:"currency"` // ISO 4217
}

// DeliveryStatus is what became of one message.
type DeliveryStatus string

// The delivery statuses, in their order: a later receipt may raise a delivery's status and never lowers it.
const (
	DeliveryQueued      DeliveryStatus = "queued"
	DeliveryAccepted    DeliveryStatus = "accepted" // the provider took it
	DeliverySent        DeliveryStatus = "sent"     // handed to the carrier
	DeliveryDelivered   DeliveryStatus = "delivered"
	DeliveryUndelivered DeliveryStatus = "undelivered"
	DeliveryFailed      DeliveryStatus = "failed" // the provider refused it
)

// Rank orders the statuses. Of the three final ones the first that arrives stays.
func (s DeliveryStatus) Rank() int {
	switch s {
	case DeliveryQueued:
		return 0
	case DeliveryAccepted:
		return 1
	case DeliverySent:
		return 2
	case DeliveryDelivered, DeliveryUndelivered, DeliveryFailed:
		return 3
	}
	return -1
}

// Delivery is what became of one send.
type Delivery struct {
	ID       string         `json:"id"` // msg_…, ours
	Channel  Channel        `json:"ch"`
	Provider string         `json:"p"` // the route's name
	Ref      string         `json:"r,omitempty"`
	Status   DeliveryStatus `json:"s"`
	At       time.Time      `json:"at"`
	Detail   string         `json:"d,omitempty"` // the vendor's reason, cut to 64 bytes; never the text of a message
}

// Client is who asked, as far as per-client limits and the guard are concerned.
type Client struct {
	Addr      netip.Addr // zero: not known, and not counted
	UserAgent string
	Device    string
}

// PhoneState is what a phone has left over all apps. Zero times mean "now".
type PhoneState struct {
	ChecksLeft  int           // compared guesses left in the 24 h window, and before the hard stop
	SendsLeft   int           // sends left in the tighter of both windows
	NextSend    time.Time     // when the cooldown, or the full window, lets the next send through
	Locked      bool          // no guess is compared now
	Hard        bool          // a hundred in a row: until lifted
	LockedUntil time.Time     // when the lock-out ends by itself
	SendsReset  time.Duration // until the sends window is empty again
}
