package httpapi

// This file turns errors into responses. Rules: nothing else writes a status of 400 or more for the API; the text of
// an error without a kind never leaves the process; every kind has a row in kinds.go (a test checks); nothing that the
// caller sent is written back.

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"countersign"
)

// problem is a problem document (RFC 9457).
type problem struct {
	_ struct{} `additionalProperties:"true"`

	Type           string         `json:"type" format:"uri" doc:"Names the kind of problem, and leads to its description."`
	Title          string         `json:"title" doc:"The kind of problem in words; the same for every problem of this kind."`
	Status         int            `json:"status" doc:"The HTTP status."`
	Code           string         `json:"code" doc:"The kind of problem for programs. The same failure always has the same code." example:"incorrect_code"`
	Detail         string         `json:"detail" doc:"What was wrong here, and what to do about it."`
	RequestID      string         `json:"request_id" doc:"The value of X-Request-Id, to quote when asking for help."`
	Errors         []problemError `json:"errors,omitempty" doc:"Which members of the request were wrong."`
	RetryAfter     int            `json:"retry_after,omitzero" doc:"Seconds after which trying again can help; as in the header Retry-After."`
	ChecksLeft     *int           `json:"checks_left,omitempty" doc:"Guesses that remain."`
	Limit          string         `json:"limit,omitempty" doc:"Which limit refused; never told to a publishable key."`
	Challenge      *challengeBody `json:"challenge,omitempty" doc:"The proof of work to do, with challenge_required."`
	VerificationID string         `json:"verification_id,omitempty" doc:"The verification that was made and could not be delivered."`
	Parts          []string       `json:"parts,omitempty" doc:"On readiness: the parts that do not work."`
}

type problemError struct {
	Pointer string `json:"pointer" doc:"A JSON pointer (RFC 6901) to the member of the body, or to the parameter of the query." example:"/to"`
	Detail  string `json:"detail"`
}

// challengeBody is a proof of work to do, as ALTCHA (version 1) writes it.
type challengeBody struct {
	_ struct{} `additionalProperties:"true"`

	Algorithm string `json:"algorithm" enum:"SHA-256"`
	Challenge string `json:"challenge" doc:"The hash to find, in lower-case hexadecimal: that of salt followed by the number in decimal."`
	MaxNumber int    `json:"maxnumber" example:"100000" doc:"The number is from 0 to this."`
	Salt      string `json:"salt"`
	Signature string `json:"signature" doc:"Give it back unchanged."`
}

func describeChallenge(c *countersign.Challenge) *challengeBody {
	if c == nil {
		return nil
	}
	return &challengeBody{Algorithm: c.Algorithm, Challenge: c.Challenge, MaxNumber: c.MaxNumber, Salt: c.Salt, Signature: c.Signature}
}

// statusClientGone is what the log says of a request whose client hung up before the answer (nginx's convention).
const statusClientGone = 499

// fail writes the answer to an error and keeps the cause for the log.
func (c *call) fail(err error) {
	if c.status != 0 {
		c.kind, c.err = countersign.ErrInternal, err // too late to answer
		return
	}
	e, row := c.classify(err)
	c.kind, c.err = e.Kind, err
	p := problem{
		Type: c.s.cfg.PublicURL + "/problems/" + string(e.Kind), Title: row.title, Status: row.status, Code: string(e.Kind),
		Detail: e.Detail, RequestID: c.id, ChecksLeft: e.ChecksLeft, RetryAfter: wholeSeconds(e.RetryAfter),
		Challenge: describeChallenge(e.Challenge),
	}
	if e.Pointer != "" || e.Kind == countersign.ErrInvalidRequest {
		// The empty pointer is the whole body.
		p.Errors = []problemError{{Pointer: e.Pointer, Detail: e.Detail}}
	}
	if c.key.Secret {
		p.Limit = e.Limit
	}
	if e.VerificationID != "" {
		c.verification = e.VerificationID
	}
	if e.Kind == countersign.ErrDeliveryFailed {
		p.VerificationID = e.VerificationID
	}
	c.limitRefused(e)
	c.writeProblem(&p)
}

// classify finds what may be told about an error. What has no kind is a fault of ours, except that a client who hung
// up has made its own request fail.
func (c *call) classify(err error) (*countersign.Error, kindRow) {
	var e *countersign.Error
	if !errors.As(err, &e) {
		e = &countersign.Error{Kind: countersign.KindOf(err)}
	}
	if e.Kind == countersign.ErrInternal && c.r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		e = countersign.Unavailable(err)
		c.status = statusClientGone
	}
	row, ok := kinds[e.Kind]
	if !ok || e.Kind == countersign.ErrInternal {
		return &countersign.Error{Kind: countersign.ErrInternal, Detail: "A fault of ours, not of your request. Quote the request id to the operator."}, kinds[countersign.ErrInternal]
	}
	if e.Detail == "" {
		clone := *e
		clone.Detail = row.meaning
		e = &clone
	}
	return e, row
}

func (c *call) writeProblem(p *problem) {
	h := c.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="countersign"`)
	}
	if p.Status == http.StatusRequestEntityTooLarge {
		// What is left of the body is not read, so the connection cannot be used again.
		h.Set("Connection", "close")
	}
	c.writeJSON(p.Status, "application/problem+json", p)
}

// wholeSeconds rounds up: nobody may come back too early.
func wholeSeconds(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int((d + time.Second - 1) / time.Second)
}

// explainProblem serves what a problem's type leads to.
func explainProblem(c *call) error {
	row, ok := kinds[countersign.Kind(c.r.PathValue("code"))]
	if !ok {
		return noSuchPath()
	}
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := c.Write([]byte(strconv.Itoa(row.status) + " " + row.title + "\n\n" + row.meaning + "\n"))
	return err
}
