package client

// This file makes the calls. Its one decision is which of them may be made again: what has an Idempotency-Key or
// changes nothing, after an answer that says "later" or no answer at all; what may have been counted never is.

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Bounds of a call.
const (
	maxAnswer    = 1 << 20
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second // a server that asks for more is answered by giving up
)

// repeat says when a call may be made again.
type repeat uint8

const (
	repeatUnreached repeat = iota // only where the request cannot have reached the server
	repeatSafely                  // wherever it got no answer, or one that says that nothing was done
)

// request is one call.
type request struct {
	method, path string
	body         any    // nil: none
	key          string // Idempotency-Key; "" where there is none
	repeat       repeat
	as           string // an access token in place of the client's key, or nobody
	own          bool   // made as a page of the instance's own site makes it
}

// reply is an answer as it came.
type reply struct {
	body    []byte
	cookies []*http.Cookie // that it sets
}

// nobody makes a call without key or token; by cookie where the client has them.
const nobody = "-"

// call makes a request and decodes its answer into out, which may be nil. It gives the answer as it came.
func (c *Client) call(ctx context.Context, r request, out any) (*reply, error) {
	var text []byte
	if r.body != nil {
		var err error
		if text, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
	}
	for attempt := 1; ; attempt++ {
		answer, err := c.once(ctx, r, text)
		if err == nil {
			if err := decode(answer.body, out); err != nil {
				return nil, err
			}
			return answer, nil
		}
		pause, again := r.again(err, attempt)
		if !again || attempt >= c.attempts || !sleep(ctx, pause) {
			return nil, err
		}
	}
}

// once makes one try.
func (c *Client) once(ctx context.Context, r request, text []byte) (*reply, error) {
	req, err := c.request(ctx, r, text)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", c.base, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", c.base, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, readProblem(res, answer)
	}
	return &reply{body: answer, cookies: sessionCookies(res.Cookies())}, nil
}

// request is a call as it goes out.
func (c *Client) request(ctx context.Context, r request, text []byte) (*http.Request, error) {
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("building a request: %w", err)
	}
	credential := cmp.Or(r.as, c.key)
	switch {
	case len(c.cookies) > 0 && (credential == "" || r.as == nobody):
		for _, one := range c.cookies {
			req.AddCookie(one)
		}
		req.Header.Set("Origin", c.origin)
	case credential != nobody && credential != "":
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	if r.own {
		req.Header.Set("Origin", c.origin)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if text != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return req, nil
}

func decode(answer []byte, out any) error {
	if len(answer) > maxAnswer {
		return fmt.Errorf("the server's answer is longer than %d bytes", maxAnswer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the server's answer is not what was expected: %w", err)
	}
	return nil
}

// again says whether a failed try may be followed by another, and after how long.
func (r request) again(err error, attempt int) (time.Duration, bool) {
	var p *Problem
	if !errors.As(err, &p) {
		return backoff(attempt), r.repeat == repeatSafely || unreached(err)
	}
	later := p.Code == ErrUnavailable || p.Code == ErrIdempotencyInProgress ||
		p.Code == "" && (p.Status == http.StatusBadGateway || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout)
	if !later || r.repeat != repeatSafely {
		return 0, false
	}
	pause := max(p.RetryAfter.Duration(), backoff(attempt))
	return pause, pause <= longestPause
}

// unreached says whether a request failed before anything of it was sent.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// backoff doubles, and is spread so that clients which failed together do not come back together.
func backoff(attempt int) time.Duration {
	pause := firstPause << min(attempt-1, 4)
	spread, err := rand.Int(rand.Reader, big.NewInt(int64(pause/2)))
	if err != nil {
		return pause // crypto/rand does not fail
	}
	return pause/2 + time.Duration(spread.Int64())
}

// sleep waits, and is false where the caller's time ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// post is a call with the caller's Idempotency-Key, or a random one.
func post(path string, body any, key string, again repeat) request {
	return request{method: http.MethodPost, path: path, body: body, key: cmp.Or(key, rand.Text()), repeat: again}
}

// under is the path of a thing. An id that would lead to another path is refused.
func under(prefix, id string) (string, error) {
	if id == "" || id == "." || id == ".." {
		return "", errors.New("client: an id is needed")
	}
	return prefix + url.PathEscape(id), nil
}
