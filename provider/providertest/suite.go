package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"countersign"
)

// Subject is a provider under test, and what its vendor's answers look like.
type Subject struct {
	// New makes the provider, whose vendor is at baseURL: http on a loopback address, without a trailing slash. The
	// provider must read the vendor's id of a message from the answer.
	New func(baseURL string) (countersign.Provider, error)
	// Accept answers as the vendor does when it takes a message, and returns the id that the provider must hand on.
	Accept func(w http.ResponseWriter, r *http.Request, body []byte) (ref string)
	// Refusals are the vendor's ways to say no beyond the status codes that mean the same everywhere.
	Refusals []Refusal
	// Message makes the i-th of different messages; NewMessage when nil.
	Message func(i int) *countersign.Message
	// Receipts is how the vendor reports on deliveries; nil when it does not.
	Receipts *Receipts
	// Probe answers the question by which the vendor's door is tried, where the provider can ask one (Prober) that sends
	// nothing; nil when it cannot.
	Probe Answer
}

// Prober is a provider that can try its vendor's door without sending anything.
type Prober interface {
	Probe(ctx context.Context) error
}

// Refusal is one way of a vendor to say no, and what that means.
type Refusal struct {
	Name   string
	Class  countersign.FailureClass
	Answer Answer
}

// Receipts is how a vendor reports on deliveries.
type Receipts struct {
	// Handler takes the vendor's callbacks for a provider and gives them to the sink.
	Handler func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler
	// Request is the vendor's callback: signed, and another one at each call. Of the statuses only sent, delivered
	// and undelivered are asked for.
	Request func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request
	// ByRef says that the vendor names a message by its own id instead of ours.
	ByRef bool
}

// Case is one demand on a provider. Check returns what is wrong.
type Case struct {
	Name  string
	Check func() error
}

// Run checks every case.
func Run(t *testing.T, s Subject) {
	for _, c := range Cases(s) {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Cases lists the demands on a provider.
func Cases(s Subject) []Case {
	if s.Message == nil {
		s.Message = NewMessage
	}
	list := []Case{
		{"takes a message", s.takes},
		{"many at one time", s.many},
		{"uses its connections again", s.reuses},
		{"vendor refuses connections", s.refusedConnection},
		{"context is over before the send", s.canceled},
		{"redirects are not followed", s.redirect},
		{"answer without end", s.endless},
	}
	for _, code := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable} {
		list = append(list, s.refusal(Refusal{fmt.Sprintf("status %d", code), countersign.FailTemporary, status(code, `{"error":"later"}`)}))
	}
	list = append(list, s.refusal(Refusal{"status 401", countersign.FailOperator, status(http.StatusUnauthorized, `{"error":"who"}`)}))
	for _, r := range s.Refusals {
		list = append(list, s.refusal(r))
	}
	for _, l := range lostAnswers() {
		list = append(list, Case{l.name, func() error { return s.lost(l) }})
	}
	if s.Probe != nil {
		list = append(list, Case{"probe", s.probes})
	}
	if s.Receipts != nil {
		list = append(
			list,
			Case{"receipts twice and out of order", s.receiptsAnyhow},
			Case{"forged receipts", s.receiptsForged},
			Case{"receipt while the sink fails", s.receiptRepeated},
		)
	}
	return list
}

// meet starts a carrier and a provider for it. The returned function ends both.
func (s *Subject) meet(answer Answer) (*Carrier, countersign.Provider, func(), error) {
	c := NewCarrier(answer)
	p, err := s.New(c.URL())
	if err != nil {
		c.Close()
		return nil, nil, nil, fmt.Errorf("making the provider: %w", err)
	}
	return c, p, func() {
		if idle, ok := p.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
		}
		c.Close()
	}, nil
}

// sendTime is the deadline of a send whose vendor behaves; lateness is what a provider may overrun a deadline by.
const (
	sendTime = 5 * time.Second
	lateness = 2 * time.Second
)

func send(p countersign.Provider, m *countersign.Message, limit time.Duration) (countersign.Handed, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	h, err := p.Send(ctx, m)
	return h, time.Since(began), err
}

// wants says what is wrong with a failure: its class, its words, or that there is none.
func wants(err error, m *countersign.Message, classes ...countersign.FailureClass) error {
	if err == nil {
		return errors.New("the provider says that the message was taken")
	}
	var f *countersign.Failure
	if !errors.As(err, &f) {
		return fmt.Errorf("the error is a %T and no *countersign.Failure: %v", err, err)
	}
	if f.Provider == "" || f.Detail == "" || len(f.Detail) > 64 {
		return fmt.Errorf("the failure must name the provider and a reason of at most 64 bytes: %q, %q", f.Provider, f.Detail)
	}
	if err := quiet(err, m); err != nil {
		return err
	}
	for _, c := range classes {
		if f.Class == c {
			return nil
		}
	}
	return fmt.Errorf("the class is %d, want one of %d (%v)", f.Class, classes, f)
}

// quiet says whether an error names the code or the number.
func quiet(err error, m *countersign.Message) error {
	text := err.Error()
	for _, secret := range []string{m.Code.Reveal(), m.To.Dial(), strings.TrimPrefix(m.To.Dial(), "+")} {
		if strings.Contains(text, secret) {
			return errors.New("the error names the code or the number")
		}
	}
	return nil
}
