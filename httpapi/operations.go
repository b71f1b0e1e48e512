package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"countersign"
)

// readinessTimeout bounds the probes of all parts together. Balancers ask every few seconds.
const readinessTimeout = 2 * time.Second

// health is the answer of the probes.
type health struct {
	_ struct{} `additionalProperties:"true"`

	Status string `json:"status" example:"ok"`
}

// healthy serves GET /healthz: the process is up and serves. Nothing else may make it fail, or a store's outage would
// restart every node.
func healthy(c *call) error { return c.answer(http.StatusOK, health{Status: "ok"}) }

// ready serves GET /readyz.
func ready(c *call) error {
	if c.draining() {
		return c.notReady("draining")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), readinessTimeout)
	defer cancel()
	var failing []string
	for _, part := range c.s.cfg.Readiness(ctx) {
		if part.Err != nil {
			failing = append(failing, part.Name)
			c.err = errors.Join(c.err, fmt.Errorf("%s: %w", part.Name, part.Err))
		}
	}
	if len(failing) > 0 {
		return c.notReady(failing...)
	}
	return c.answer(http.StatusOK, health{Status: "ok"})
}

// notReady names the parts and not their errors: the probe needs no key, and the log has them.
func (c *call) notReady(parts ...string) error {
	row := kinds[countersign.ErrUnavailable]
	c.kind = countersign.ErrUnavailable
	c.writeProblem(&problem{
		Type: c.s.cfg.PublicURL + "/problems/unavailable", Title: row.title, Status: row.status, Code: string(countersign.ErrUnavailable),
		Detail: "Not ready: " + strings.Join(parts, ", ") + ".", RequestID: c.id, RetryAfter: 1, Parts: parts,
	})
	return nil
}

// keySetAge is how long a verifier may keep the key set. New keys are published longer than that before they sign.
const keySetAge = "public, max-age=300"

// serveJWKS serves the public keys of proofs. Any page may read them.
func serveJWKS(c *call) error {
	h := c.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", keySetAge)
	h.Set("Access-Control-Allow-Origin", "*")
	_, err := c.Write(c.s.cfg.JWKS())
	return err
}

func serveOpenAPI(c *call) error {
	h := c.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Access-Control-Allow-Origin", "*")
	_, err := c.Write(c.s.openapi)
	return err
}

func serveDocs(c *call) error {
	c.pageHeaders("")
	_, err := c.Write(c.s.docs)
	return err
}

func serveMetrics(c *call) error {
	c.s.cfg.Metrics.ServeHTTP(c, c.r)
	return nil
}

// serveStatic serves the pages' assets. The handler of the pages says in plain text that a file is not there; here
// that becomes a problem like every other.
func serveStatic(c *call) error {
	w := &quietRefusal{call: c}
	c.s.cfg.Pages.Static().ServeHTTP(w, c.r)
	if w.refused {
		h := c.Header()
		h.Del("X-Content-Type-Options")
		c.commonHeaders()
		return noSuchPath()
	}
	return nil
}

// quietRefusal swallows an answer of 404.
type quietRefusal struct {
	*call
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (q *quietRefusal) WriteHeader(status int) {
	if q.refused = status == http.StatusNotFound; !q.refused {
		q.call.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (q *quietRefusal) Write(b []byte) (int, error) {
	if q.refused {
		return len(b), nil
	}
	return q.call.Write(b)
}
