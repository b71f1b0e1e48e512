package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// This file is for those who run an app: what the guard decides and blocks, how messages go, and whether the instance is up.

// Explanation is what a start would meet now.
type Explanation struct {
	Decision string       `json:"decision"` // allow, challenge or deny
	Rules    []*RuleState `json:"rules"`    // every rule that was asked
}

// RuleState is how a rule of the guard stands for a start.
type RuleState struct {
	Rule     string  `json:"rule"`
	Meaning  string  `json:"meaning"` // the same in words
	Limit    int     `json:"limit"`   // 0 for rules that count nothing
	Used     int     `json:"used"`
	ResetsIn Seconds `json:"resets_in"`
	Would    string  `json:"would"`  // what this rule alone would do
	Shadow   bool    `json:"shadow"` // it only records
}

// Block is something that the guard lets nothing through to.
type Block struct {
	ID      string    `json:"id"`
	Rule    string    `json:"rule"`
	Subject string    `json:"subject"` // a range of numbers, or the cut hash of a network or phone
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"` // zero where it is not known
	Until   time.Time `json:"until"`
	Level   int       `json:"level"` // how often it was blocked before, lately
}

// Routes is how messages of the app go, and how the routes fare.
type Routes struct {
	Rules  []*RouteRule  `json:"rules"` // of those of a channel the first that holds the number decides
	Routes []*RouteState `json:"routes"`
}

// RouteRule says which routes serve a channel.
type RouteRule struct {
	Channel   Channel  `json:"channel"`
	Countries []string `json:"countries"` // nil: every one
	Prefixes  []string `json:"prefixes"`  // nil: every number
	Routes    []struct {
		Route  string `json:"route"`
		Weight int    `json:"weight"`
	} `json:"routes"` // in the order in which they are tried
}

// RouteState is how a route stands.
type RouteState struct {
	Name      string            `json:"name"`
	Channels  []Channel         `json:"channels"`
	Countries []string          `json:"countries"` // nil: every one
	Hosted    bool              `json:"hosted"`    // its vendor makes and checks the code
	Sender    string            `json:"sender"`
	Senders   map[string]string `json:"senders"` // by country
	Breaker   string            `json:"breaker"` // closed, open or half_open
	InFlight  int               `json:"in_flight"`
	Receipts  string            `json:"receipts"` // none, waiting, coming or silent
	Health    []*RouteHealth    `json:"health"`
}

// RouteHealth is how a route fares in one country. A rate is nil where there is nothing to count.
type RouteHealth struct {
	Country       string   `json:"country"` // "" for e-mail
	Channel       Channel  `json:"channel"`
	Breaker       string   `json:"breaker"`
	TriedLast     bool     `json:"tried_last"` // what it carries here does not arrive
	Tried         int      `json:"tried"`
	AcceptRate    *float64 `json:"accept_rate"`
	ReceiptRate   *float64 `json:"receipt_rate"`
	DeliveryRate  *float64 `json:"delivery_rate"`
	VerifiedRate  *float64 `json:"verified_rate"`
	VerifySeconds *float64 `json:"verify_seconds"`
}

// Explain says whether a start would be sent now, and why not. It sends nothing and counts nothing.
func (c *Client) Explain(ctx context.Context, q *StartRequest) (*Explanation, error) {
	e := &Explanation{}
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/guard/explain", body: q, repeat: repeatSafely}, e)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Blocks lists what the guard blocks for the app, the latest first.
func (c *Client) Blocks(ctx context.Context) ([]*Block, error) {
	var list struct{ Data []*Block }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/guard/blocks", repeat: repeatSafely}, &list)
	return list.Data, err
}

// LiftBlock ends a block now.
func (c *Client) LiftBlock(ctx context.Context, id string) error {
	path, err := under("/v1/guard/blocks/", id)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, request{method: http.MethodDelete, path: path, repeat: repeatSafely}, nil)
	return err
}

// Routes says how messages of the app go, and how the routes fare.
func (c *Client) Routes(ctx context.Context) (*Routes, error) {
	r := &Routes{}
	if _, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/routes", repeat: repeatSafely}, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Keys is the instance's public keys (RFC 7517). Package client/proof fetches them by itself.
func (c *Client) Keys(ctx context.Context) (json.RawMessage, error) {
	answer, err := c.call(ctx, request{method: http.MethodGet, path: "/.well-known/jwks.json", as: nobody, repeat: repeatSafely}, nil)
	if err != nil {
		return nil, err
	}
	return answer.body, nil
}

// Healthy is without error where the instance's process is up.
func (c *Client) Healthy(ctx context.Context) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/healthz", as: nobody}, nil)
	return err
}

// Ready is without error where the instance takes work. Else the error is a *Problem whose Parts fail.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/readyz", as: nobody}, nil)
	return err
}
