package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Sandbox is what an instance in sandbox mode has for tests: an inbox in place of phones, a clock, and a carrier that
// does as it is told. No other instance answers these calls (ErrNotFound).
type Sandbox struct{ c *Client }

// Sandbox is the instance's.
func (c *Client) Sandbox() *Sandbox { return &Sandbox{c} }

// InboxMessage is a message as a phone would show it.
type InboxMessage struct {
	ID       string    `json:"id"`
	To       string    `json:"to"`
	Channel  Channel   `json:"channel"`
	Provider string    `json:"provider"`
	Text     string    `json:"text"`
	Code     string    `json:"code"`
	At       time.Time `json:"at"`
}

// CarrierRule says what becomes of messages. Empty members do not matter; spans are written as in 90s.
type CarrierRule struct {
	To      string `json:"to,omitempty"` // E.164, or its beginning
	Channel string `json:"channel,omitempty"`
	Route   string `json:"route,omitempty"` // sandbox, sandbox-2 or sandbox-hosted
	Fate    string `json:"fate"`            // such as undelivered; the OpenAPI document has the list
	Skip    int    `json:"skip,omitempty"`  // leave out the first so many
	Times   int    `json:"times,omitempty"` // end after so many
	Every   int    `json:"every,omitempty"` // only each so-manieth
	After   string `json:"after,omitempty"` // begin so long after now
	For     string `json:"for,omitempty"`   // end so long after that
	Delay   string `json:"delay,omitempty"` // how late what is late is

	Seen int `json:"seen,omitempty"` // in answers only: messages that it was about
}

// carrier is a list of rules.
type carrier struct {
	Rules []*CarrierRule `json:"rules"`
}

// Inbox reads the messages to a number, newest first; "" is everyone's.
func (s *Sandbox) Inbox(ctx context.Context, to string) ([]*InboxMessage, error) {
	var box struct{ Messages []*InboxMessage }
	_, err := s.c.call(ctx, request{method: http.MethodGet, path: "/dev/inbox.json" + inboxOf(to), as: nobody, repeat: repeatSafely}, &box)
	return box.Messages, err
}

// Messages gives the messages to a number ("": everyone's) that come from now on, each as it comes, until the context
// ends. It listens already when it returns; iterate, or end the context. After an error there is nothing more; that the
// stream ended is one.
func (s *Sandbox) Messages(ctx context.Context, to string) (iter.Seq2[*InboxMessage, error], error) {
	res, err := s.stream(ctx, to)
	if err != nil {
		return nil, err
	}
	return func(yield func(*InboxMessage, error) bool) {
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, maxAnswer)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data:")
			if !ok {
				continue
			}
			m := &InboxMessage{}
			if err := json.Unmarshal([]byte(data), m); err != nil {
				yield(nil, fmt.Errorf("the server's answer is not what was expected: %w", err))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		yield(nil, fmt.Errorf("reading messages of %s: %w", s.c.base, err))
	}, nil
}

// stream opens the inbox. It stays open, so the client's timeout of a try does not count.
func (s *Sandbox) stream(ctx context.Context, to string) (*http.Response, error) {
	req, err := s.c.request(ctx, request{method: http.MethodGet, path: "/dev/inbox/events" + inboxOf(to), as: nobody}, nil)
	if err != nil {
		return nil, err
	}
	open := *s.c.http
	open.Timeout = 0
	res, err := open.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", s.c.base, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", s.c.base, err)
	}
	return nil, readProblem(res, answer)
}

func inboxOf(to string) string {
	if to == "" {
		return ""
	}
	return "?" + url.Values{"to": {to}}.Encode()
}

// EmptyInbox forgets all messages.
func (s *Sandbox) EmptyInbox(ctx context.Context) error {
	_, err := s.c.call(ctx, request{method: http.MethodDelete, path: "/dev/inbox.json", as: nobody, repeat: repeatSafely}, nil)
	return err
}

// ForgetLimits forgets everything that counts: cooldowns, rates, budgets, guesses and locks.
func (s *Sandbox) ForgetLimits(ctx context.Context) error {
	_, err := s.c.call(ctx, request{method: http.MethodDelete, path: "/dev/limits", repeat: repeatSafely}, nil)
	return err
}

// Advance puts the clock forward and says how late it is then. It is not repeated where no answer came.
func (s *Sandbox) Advance(ctx context.Context, by time.Duration) (time.Time, error) {
	var answer struct{ Now time.Time }
	body := map[string]string{"advance": by.String()}
	_, err := s.c.call(ctx, request{method: http.MethodPost, path: "/dev/clock", body: body, as: nobody}, &answer)
	return answer.Now, err
}

// Carrier reads the carrier's rules, and how many messages each has seen.
func (s *Sandbox) Carrier(ctx context.Context) ([]*CarrierRule, error) {
	return s.carrier(ctx, request{method: http.MethodGet, path: "/dev/carrier", as: nobody, repeat: repeatSafely})
}

// SetCarrier puts rules in the place of all that there were. Of several the first that matches decides.
func (s *Sandbox) SetCarrier(ctx context.Context, rules ...*CarrierRule) ([]*CarrierRule, error) {
	if rules == nil {
		rules = []*CarrierRule{}
	}
	return s.carrier(ctx, request{method: http.MethodPut, path: "/dev/carrier", body: carrier{rules}, as: nobody, repeat: repeatSafely})
}

// ClearCarrier forgets the carrier's rules: numbers decide again.
func (s *Sandbox) ClearCarrier(ctx context.Context) error {
	_, err := s.c.call(ctx, request{method: http.MethodDelete, path: "/dev/carrier", as: nobody, repeat: repeatSafely}, nil)
	return err
}

func (s *Sandbox) carrier(ctx context.Context, r request) ([]*CarrierRule, error) {
	var answer carrier
	_, err := s.c.call(ctx, r, &answer)
	return answer.Rules, err
}
