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
		return c.notReady("", "draining")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), readinessTimeout)
	defer cancel()
	var failing []string
	why := ""
	for _, part := range c.s.cfg.Readiness(ctx) {
		if part.Err != nil {
			failing = append(failing, part.Name)
			c.err = errors.Join(c.err, fmt.Errorf("%s: %w", part.Name, part.Err))
			why += "\n" + part.Name + ": " + part.Err.Error()
		}
	}
	if len(failing) > 0 {
		return c.notReady(why, failing...)
	}
	return c.answer(http.StatusOK, health{Status: "ok"})
}

// toOperators marks what came in by a listener for operators.
type toOperators struct{}

// ForOperators serves what h serves, on a listener that only operators reach: readiness says there why it fails.
func ForOperators(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), toOperators{}, true)))
	})
}

// notReady names the parts. Why they fail is for operators and for the sandbox: the probe needs no key, and errors name
// hosts.
func (c *call) notReady(why string, parts ...string) error {
	if c.s.cfg.Sandbox == nil && c.r.Context().Value(toOperators{}) == nil {
		why = ""
	}
	row := kinds[countersign.ErrUnavailable]
	c.kind = countersign.ErrUnavailable
	c.writeProblem(&problem{
		Type: c.s.cfg.PublicURL + "/problems/unavailable", Title: row.title, Status: row.status, Code: string(countersign.ErrUnavailable),
		Detail: "Not ready: " + strings.Join(parts, ", ") + "." + why, RequestID: c.id, RetryAfter: 1, Parts: parts,
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
