package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Channel is a way to reach somebody.
type Channel string

// The channels.
const (
	ChannelSMS       Channel = "sms"
	ChannelVoice     Channel = "voice"
	ChannelFlashCall Channel = "flashcall"
	ChannelWhatsApp  Channel = "whatsapp"
	ChannelEmail     Channel = "email"
	ChannelAuto      Channel = "auto" // the routes choose
)

// Purpose is what an approval is meant for. A proof of one is worth nothing for another.
type Purpose string

// The purposes.
const (
	PurposeSignup      Purpose = "signup"
	PurposeLogin       Purpose = "login"
	PurposeStepUp      Purpose = "stepup"
	PurposeTransaction Purpose = "transaction"
)

// Status is where a verification stands. All but StatusPending are final.
type Status string

// The statuses.
const (
	StatusPending       Status = "pending"
	StatusApproved      Status = "approved"
	StatusExpired       Status = "expired"
	StatusFailed        Status = "failed" // its guesses are used up
	StatusCanceled      Status = "canceled"
	StatusDenied        Status = "denied"
	StatusUndeliverable Status = "undeliverable"
)

// Verification is one question, whether somebody holds a phone, for one purpose.
type Verification struct {
	ID          string            `json:"id"`
	App         string            `json:"app"`
	Status      Status            `json:"status"`
	To          string            `json:"to"` // E.164, or the e-mail address
	Channel     Channel           `json:"channel"`
	Purpose     Purpose           `json:"purpose"`
	Reference   string            `json:"reference"`
	Metadata    map[string]string `json:"metadata"`
	Created     time.Time         `json:"created_at"`
	Expires     time.Time         `json:"expires_at"`
	ExpiresIn   Seconds           `json:"expires_in"`
	CodeLength  int               `json:"code_length"`
	ChecksLeft  int               `json:"checks_left"`
	Sends       int               `json:"sends"`
	SendsLeft   int               `json:"sends_left"`
	ResendIn    Seconds           `json:"resend_in"` // 0: now, or never
	Transaction *Transaction      `json:"transaction"`
	Deliveries  []Delivery        `json:"deliveries"`

	Proof       string `json:"proof"`        // in the answer to an approved check only
	DeviceToken string `json:"device_token"` // likewise: the owner's own way in, to be kept on the device

	Raw json.RawMessage `json:"-"` // the answer as it came; nil in lists
}

// Transaction is what somebody approves.
type Transaction struct {
	Payee    string `json:"payee"`
	Amount   string `json:"amount"`   // a decimal, shown exactly as given
	Currency string `json:"currency"` // ISO 4217
}

// Delivery is what became of one message.
type Delivery struct {
	ID       string    `json:"id"`
	Channel  Channel   `json:"channel"`
	Provider string    `json:"provider"`
	Status   string    `json:"status"` // queued, accepted, sent, delivered, undelivered or failed
	At       time.Time `json:"at"`
	Detail   string    `json:"detail"`
}

// Person is the client for whom a server acts. Limits of clients count its IP.
type Person struct {
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Device    string `json:"device,omitempty"` // your own id of the device
}

// StartRequest is a verification to start. Only To is needed; for a step-up User does in its place.
type StartRequest struct {
	To          string            `json:"to,omitempty"`
	User        string            `json:"user,omitempty"`    // of purpose stepup: whose number it goes to; "me" with Client.As
	Channel     Channel           `json:"channel,omitempty"` // sms by default
	Purpose     Purpose           `json:"purpose,omitempty"` // login by default
	Region      string            `json:"region,omitempty"`  // of a number without country code
	Locale      string            `json:"locale,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Nonce       string            `json:"nonce,omitempty"` // comes back in the proof
	Wait        *bool             `json:"wait,omitempty"`  // whether the answer waits for a provider; true by default
	Transaction *Transaction      `json:"transaction,omitempty"`
	Client      *Person           `json:"client,omitempty"`

	ChallengeResponse string `json:"challenge_response,omitempty"`
	DeviceToken       string `json:"device_token,omitempty"`

	IdempotencyKey string `json:"-"` // random by default
}

// CheckRequest is a guess.
type CheckRequest struct {
	Code        string  `json:"code"` // as the person typed it; spaces and hyphens do not count
	Client      *Person `json:"client,omitempty"`
	DeviceToken string  `json:"device_token,omitempty"`

	IdempotencyKey string `json:"-"` // random by default
}

// PhoneCheckRequest is a guess about whatever is pending for a phone. It binds no session: prefer Check.
type PhoneCheckRequest struct {
	To          string  `json:"to"`
	Code        string  `json:"code"`
	Purpose     Purpose `json:"purpose,omitempty"` // login by default; never transaction
	Region      string  `json:"region,omitempty"`
	Client      *Person `json:"client,omitempty"`
	DeviceToken string  `json:"device_token,omitempty"`

	IdempotencyKey string `json:"-"` // random by default
}

// SendRequest says how to send a code again.
type SendRequest struct {
	Channel Channel `json:"channel,omitempty"` // the one before by default
	Client  *Person `json:"client,omitempty"`

	ChallengeResponse string `json:"challenge_response,omitempty"`
	DeviceToken       string `json:"device_token,omitempty"`

	IdempotencyKey string `json:"-"` // random by default
}

// Start makes a code and sends it. Where every route refused, the error is ErrDeliveryFailed and names the verification.
func (c *Client) Start(ctx context.Context, q *StartRequest) (*Verification, error) {
	return c.verification(ctx, post("/v1/verifications", q, q.IdempotencyKey, repeatSafely))
}

// Get reads a verification.
func (c *Client) Get(ctx context.Context, id string) (*Verification, error) {
	path, err := pathOf(id, "")
	if err != nil {
		return nil, err
	}
	return c.verification(ctx, request{method: http.MethodGet, path: path, repeat: repeatSafely})
}

// Check submits a guess. Without an error the verification is approved and carries its proof.
func (c *Client) Check(ctx context.Context, id string, q *CheckRequest) (*Verification, error) {
	path, err := pathOf(id, "/checks")
	if err != nil {
		return nil, err
	}
	return approved(c.verification(ctx, post(path, q, q.IdempotencyKey, repeatUnreached)))
}

// CheckByPhone submits a guess about everything that is pending for a phone and purpose.
func (c *Client) CheckByPhone(ctx context.Context, q *PhoneCheckRequest) (*Verification, error) {
	return approved(c.verification(ctx, post("/v1/checks", q, q.IdempotencyKey, repeatUnreached)))
}

// Send sends the code again. A nil request uses the channel before.
func (c *Client) Send(ctx context.Context, id string, q *SendRequest) (*Verification, error) {
	path, err := pathOf(id, "/sends")
	if err != nil {
		return nil, err
	}
	if q == nil {
		q = &SendRequest{}
	}
	return c.verification(ctx, post(path, q, q.IdempotencyKey, repeatSafely))
}

// Cancel ends a pending verification.
func (c *Client) Cancel(ctx context.Context, id string) (*Verification, error) {
	path, err := pathOf(id, "/cancel")
	if err != nil {
		return nil, err
	}
	return c.verification(ctx, post(path, struct{}{}, "", repeatSafely))
}

// pathOf is the path of a verification.
func pathOf(id, rest string) (string, error) {
	path, err := under("/v1/verifications/", id)
	return path + rest, err
}

func (c *Client) verification(ctx context.Context, r request) (*Verification, error) {
	v := &Verification{}
	answer, err := c.call(ctx, r, v)
	if err != nil {
		return nil, err
	}
	if v.ID == "" || v.Status == "" {
		return nil, errors.New("the server's answer is not what was expected: it is no verification")
	}
	v.Raw = answer.body
	return v, nil
}

// approved holds the promise of a check: no error, no doubt.
func approved(v *Verification, err error) (*Verification, error) {
	if err == nil && v.Status != StatusApproved {
		return nil, errors.New("the server's answer is not what was expected: a check without error that is not approved")
	}
	return v, err
}

// ListQuery says which verifications to list. Empty members do not matter.
type ListQuery struct {
	To           string
	Status       Status
	Purpose      Purpose
	CreatedAfter time.Time
	Limit        int    // of one page
	Cursor       string // Page.Next of the page before
}

// Page is one page of a list, newest first.
type Page struct {
	Data []*Verification `json:"data"`
	Next string          `json:"next_cursor"` // "" on the last page
}

// List reads one page.
func (c *Client) List(ctx context.Context, q *ListQuery) (*Page, error) {
	p := &Page{}
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/verifications" + q.encode(), repeat: repeatSafely}, p)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// All lists every verification, page by page as they are asked for. After an error there is nothing more.
func (c *Client) All(ctx context.Context, q *ListQuery) iter.Seq2[*Verification, error] {
	return func(yield func(*Verification, error) bool) {
		at := *q
		for {
			page, err := c.List(ctx, &at)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, v := range page.Data {
				if !yield(v, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			at.Cursor = page.Next
		}
	}
}

func (q *ListQuery) encode() string {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("to", q.To)
	set("status", string(q.Status))
	set("purpose", string(q.Purpose))
	set("cursor", q.Cursor)
	if !q.CreatedAfter.IsZero() {
		set("created_after", q.CreatedAfter.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit != 0 {
		set("limit", strconv.Itoa(q.Limit))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
