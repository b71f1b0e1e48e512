// Package risk asks a service of the operator's whether a message should go to a number: one that knows from a carrier or a
// vendor that the SIM was changed, or the number ported, a short while ago. One request, one answer; nothing is repeated,
// as somebody waits for their code.
package risk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"countersign"
	"countersign/provider/outbound"
	"countersign/provider/webhook"
)

// Config is what New needs.
type Config struct {
	URL     string
	Secret  webhook.Secret // signs the question (Standard Webhooks)
	Timeout time.Duration  // of the answer; default DefaultTimeout
}

// DefaultTimeout is how long a start waits for the answer.
const DefaultTimeout = time.Second

// Hook asks one service. It implements countersign.Risk, and is safe for concurrent use.
type Hook struct {
	cfg    Config
	client *outbound.Client
}

var _ countersign.Risk = (*Hook)(nil)

// New reports every mistake at once.
func New(cfg Config) (*Hook, error) {
	err := outbound.CheckAddress("url", cfg.URL)
	if cfg.URL == "" {
		err = errors.New("url: say whom to ask")
	}
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &Hook{cfg: cfg, client: outbound.New("risk", cfg.Timeout, nil)}, nil
}

// CloseIdleConnections closes what waits for another question.
func (h *Hook) CloseIdleConnections() { h.client.CloseIdleConnections() }

// Question is the body that is posted.
type Question struct {
	Type      string    `json:"type"` // "risk.assess"
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is what there is to know of a message that is about to go out.
type Data struct {
	Verification string  `json:"verification"`
	App          string  `json:"app"`
	To           string  `json:"to"` // E.164
	Country      string  `json:"country,omitempty"`
	Channel      string  `json:"channel"`
	Purpose      string  `json:"purpose"`
	User         string  `json:"user,omitempty"` // for whom a step-up was begun
	Client       *Client `json:"client,omitempty"`
}

// Client is whoever asked for the code, as far as that is known.
type Client struct {
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Device    string `json:"device,omitempty"`
}

// answer is what comes back.
type answer struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
}

// Assess implements countersign.Risk.
func (h *Hook) Assess(ctx context.Context, q *countersign.RiskQuestion) (*countersign.RiskVerdict, error) {
	now := time.Now() // the other side judges the signature by its own clock
	body, err := json.Marshal(&Question{Type: "risk.assess", Timestamp: now.UTC(), Data: dataOf(q)})
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	given, failure := h.client.Do(ctx, &outbound.Question{
		Method: http.MethodPost, URL: h.cfg.URL, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
		Sign: func(r *http.Request, body []byte) {
			webhook.Sign(r.Header, q.Verification, now, body, h.cfg.Secret)
		},
	})
	if failure != nil {
		return nil, failure
	}
	if !given.OK() {
		return nil, fmt.Errorf("the answer's status is %d", given.Status)
	}
	var a answer
	if err := given.Into(&a); err != nil {
		return nil, errors.New("the answer is not JSON of the documented shape")
	}
	switch a.Decision {
	case "allow", "deny":
		return &countersign.RiskVerdict{Deny: a.Decision == "deny", Reason: word(a.Reason)}, nil
	}
	return nil, errors.New("the answer's decision is neither allow nor deny")
}

func dataOf(q *countersign.RiskQuestion) Data {
	d := Data{
		Verification: q.Verification, App: q.App, To: q.To.Dial(), Country: q.To.Country(), Channel: string(q.Channel),
		Purpose: string(q.Purpose), User: q.User,
	}
	c := Client{UserAgent: q.Client.UserAgent, Device: q.Client.Device}
	if q.Client.Addr.IsValid() {
		c.IP = q.Client.Addr.String()
	}
	if c != (Client{}) {
		d.Client = &c
	}
	return d
}

// maxReason bounds a reason, in bytes.
const maxReason = 64

// word is a reason that may stand in a log: lower-case letters and underscores, so that nothing of a person gets there.
func word(s string) string {
	if len(s) > maxReason {
		return ""
	}
	for _, c := range s {
		if c != '_' && (c < 'a' || c > 'z') {
			return ""
		}
	}
	return s
}
