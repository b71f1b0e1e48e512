package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"countersign"
)

// Hosted is a vendor that makes, sends and checks codes of its own, described by configuration.
type Hosted struct{ *Provider }

var _ countersign.HostedProvider = (*Hosted)(nil)

// NewHosted makes a hosted provider, or reports every mistake in the configuration at once. Send starts the vendor's
// verification: cfg.Body must name the number and must not name our code.
func NewHosted(cfg Config, options ...Option) (*Hosted, error) {
	if cfg.Hosted == nil {
		return nil, &countersign.Mistake{Path: "hosted.report.url", Problem: "is missing: a vendor that makes the code must check it"}
	}
	p, err := newProvider(&cfg, options)
	if err != nil {
		return nil, err
	}
	return &Hosted{p}, nil
}

// Report implements countersign.HostedProvider. A guess goes out at most once.
func (h *Hosted) Report(ctx context.Context, q countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	if q.Ref == "" && h.c.hosted.report.usesRef() {
		ref, err := h.lostRef(ctx, q)
		if err != nil {
			return countersign.HostedAnswer{}, err
		}
		q.Ref = ref
	}
	a, _, err := h.ask(ctx, h.c.hosted.report, q, g.Reveal())
	return a, err
}

// Status implements countersign.HostedProvider.
func (h *Hosted) Status(ctx context.Context, q countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	if h.c.hosted.status == nil {
		return countersign.HostedAnswer{}, h.failure(countersign.FailUnknown, "no hosted.status is configured", nil)
	}
	a, _, err := h.ask(ctx, h.c.hosted.status, q, "")
	return a, err
}

// lostRef finds the vendor's id of a start whose answer was lost, where the state can be read by our own id.
func (h *Hosted) lostRef(ctx context.Context, q countersign.HostedQuestion) (string, error) {
	status := h.c.hosted.status
	if status == nil || status.ref == nil || status.usesRef() {
		return "", h.failure(countersign.FailUnknown, "the answer to the start was lost", nil)
	}
	_, ref, err := h.ask(ctx, status, q, "")
	if err == nil && ref == "" {
		err = h.failure(countersign.FailUnknown, "the vendor names no id", nil)
	}
	return ref, err
}

// ask puts one question.
func (h *Hosted) ask(ctx context.Context, q *question, about countersign.HostedQuestion, guess string) (a countersign.HostedAnswer, ref string, err error) {
	if about.Ref == "" && q.usesRef() {
		return a, "", h.failure(countersign.FailUnknown, "the answer to the start was lost", nil)
	}
	f := &fields{
		sender: h.c.sender, at: h.now(), ref: about.Ref, guess: guess,
		m: &countersign.Message{ID: "ask_" + rand.Text(), Verification: about.Verification, To: about.To, Channel: about.Channel},
	}
	r, err := h.exchange(ctx, true, func(ctx context.Context) (*http.Request, error) { return h.question(ctx, q, f) })
	if err != nil {
		return a, "", err
	}
	return h.judge(q, r, about.To)
}

func (h *Hosted) question(ctx context.Context, q *question, f *fields) (*http.Request, error) {
	address := q.address(f)
	if address == "" {
		return nil, errors.New("the vendor's id cannot stand in an address")
	}
	var body []byte
	switch {
	case q.body != nil:
		body = q.body.render(make([]byte, 0, 256), f)
	case q.method != http.MethodGet:
		var err error
		if body, err = builtIn(q.kind, f); err != nil {
			return nil, err
		}
	}
	return h.signed(ctx, f, q.method, address, q.contentType, body)
}

// judge reads an answer. Only a known word in a whole answer of status 2xx approves.
func (h *Hosted) judge(q *question, r *reading, to countersign.Address) (a countersign.HostedAnswer, ref string, err error) {
	detail := fmt.Sprintf("HTTP %d", r.status)
	unclear := func(why string) (countersign.HostedAnswer, string, error) {
		class := countersign.FailUnknown
		if v := verdictOf(r.status); !v.accepted {
			class = v.class
		}
		return countersign.HostedAnswer{}, "", h.failure(class, detail+why, cause(r.err))
	}
	var parsed any
	whole := r.err == nil
	if whole {
		parsed, err = parseJSON(r.body)
		whole = err == nil
	}
	word, known := "", false
	if whole {
		word, _ = q.status.find(parsed)
		a.Status, known = q.words[word]
	}
	success := r.status >= 200 && r.status <= 299
	switch {
	case known && a.Status == countersign.StatusApproved && !success:
		return unclear(", approved all the same")
	case known && printable(word):
		detail += " " + word
	case known:
	case !whole && success:
		return unclear(", unreadable answer")
	default:
		// A refusal is one, whatever its text.
		if a.Status, known = q.codes[r.status]; !known {
			return unclear(", unexpected answer")
		}
	}
	if !q.isAbout(parsed, to, a.Status == countersign.StatusApproved) {
		return unclear(", about another number")
	}
	a.Detail = detail
	if q.ref != nil {
		ref = (&answer{ref: q.ref}).refOf(parsed)
	}
	return a, ref, nil
}

// isAbout says whether an answer is about our number, as far as it was configured to say.
func (q *question) isAbout(parsed any, to countersign.Address, must bool) bool {
	if q.to == nil {
		return true
	}
	named, ok := q.to.find(parsed)
	if !ok {
		return !must
	}
	if _, isPhone := to.Phone(); isPhone {
		return digits(named) == digits(to.Dial())
	}
	return strings.EqualFold(named, to.Dial())
}

// HostedEvent is the built-in body of a hosted vendor's requests.
type HostedEvent struct {
	Type      string          `json:"type"` // "verification.start", "verification.report" or "verification.status"
	Timestamp time.Time       `json:"timestamp"`
	Data      HostedEventData `json:"data"`
}

// HostedEventData is the verification in a HostedEvent.
type HostedEventData struct {
	ID           string `json:"id,omitempty"`  // start: the same for every attempt at one message
	Verification string `json:"verification"`  // ours; to be given back in receipts
	Ref          string `json:"ref,omitempty"` // report, status: the vendor's
	App          string `json:"app,omitempty"`
	To           string `json:"to"` // E.164, or a mailbox on the channel email
	Channel      string `json:"channel"`
	Purpose      string `json:"purpose,omitempty"`
	Sender       string `json:"sender,omitempty"`
	Locale       string `json:"locale,omitempty"`
	Custom       string `json:"custom,omitempty"`
	ExpiresIn    int    `json:"expires_in,omitempty"` // seconds
	Attempt      int    `json:"attempt,omitempty"`
	Guess        string `json:"guess,omitempty"` // report only
}

func builtIn(kind string, f *fields) ([]byte, error) {
	m := f.m
	d := HostedEventData{
		ID: m.ID, Verification: m.Verification, Ref: f.ref, App: m.App, To: m.To.Dial(), Channel: string(m.Channel),
		Purpose: string(m.Purpose), Sender: f.sender, Locale: m.Locale, Custom: m.Custom,
		ExpiresIn: int(m.Lifetime / time.Second), Attempt: m.Attempt, Guess: f.guess,
	}
	return json.Marshal(&HostedEvent{Type: kind, Timestamp: f.at.UTC(), Data: d})
}
