package twilioapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"countersign"
)

// Prefixes are the paths under which the face is mounted.
var Prefixes = []string{"/v2/Services", "/v2/Services/", "/v2/Attempts", "/v2/Attempts/", "/v2/SafeList/"}

// Face serves the protocol.
type Face struct {
	cfg  Config
	apps map[string]*tenant // by account
}

// call is one request on its way: who sent it, and what.
type call struct {
	*tenant
	f    *Face
	r    *http.Request
	w    http.ResponseWriter
	path []string // behind /v2, decoded
	form form
	body []byte
}

func (c *call) idempotency() countersign.Idempotency {
	return countersign.Idempotency{
		Key: c.r.Header.Get("Idempotency-Key"), Scope: "twilio " + c.Account + " " + c.r.URL.Path, Body: c.body,
	}
}

// handler serves one operation; what it returns becomes the answer's body.
type handler func(c *call) (status int, answer any, err error)

// ServeHTTP implements http.Handler.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer, err := f.serve(w, r)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	write(w, status, answer)
}

func (f *Face) serve(w http.ResponseWriter, r *http.Request) (int, any, error) {
	c := &call{f: f, r: r, w: w}
	var err error
	if c.tenant, err = f.authenticate(r); err != nil {
		return 0, nil, err
	}
	handle, err := c.route()
	if err != nil {
		return 0, nil, err
	}
	if err := c.read(); err != nil {
		return 0, nil, err
	}
	if key := r.Header.Get("Idempotency-Key"); len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		return 0, nil, invalid("Idempotency-Key", "1 to 255 visible ASCII characters")
	}
	return handle(c)
}

// authenticate compares in a time that tells nothing. An unknown account is answered like a wrong token.
func (f *Face) authenticate(r *http.Request) (*tenant, error) {
	account, token, ok := r.BasicAuth()
	if !ok {
		return nil, errAuth
	}
	t, known := f.apps[account]
	if !known {
		t = &tenant{}
	}
	got := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(got[:], t.token[:]) != 1 || !known {
		return nil, errAuth
	}
	return t, nil
}

// read takes the fields of a form, or of the query where the method has no body.
func (c *call) read() (err error) {
	if c.r.Method != http.MethodPost {
		if len(c.r.URL.RawQuery) > maxBody {
			return vendorError{status: 413, code: 20413, message: "The query is too long"}
		}
		c.form, err = parseForm(c.r.URL.RawQuery)
		return err
	}
	if c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return vendorError{status: 413, code: 20413, message: "The request's body is too large"}
		}
		return invalid("", "the request's body could not be read")
	}
	if len(c.body) > 0 && !formMedia(c.r.Header.Get("Content-Type")) {
		return vendorError{status: 415, code: 20415, message: "The Content-Type must be application/x-www-form-urlencoded"}
	}
	c.form, err = parseForm(string(c.body))
	return err
}

// route finds the operation of a path, segment by segment, so that an escaped slash stays in its segment.
func (c *call) route() (handler, error) {
	none := missing(strings.TrimPrefix(c.r.URL.Path, "/v2"))
	rest, ok := strings.CutPrefix(c.r.URL.EscapedPath(), "/v2/")
	if !ok {
		return nil, none
	}
	for s := range strings.SplitSeq(rest, "/") {
		plain, err := url.PathUnescape(s)
		if err != nil || plain == "" || !utf8.ValidString(plain) || len(c.path) == 8 {
			return nil, none
		}
		c.path = append(c.path, plain)
	}
	methods := c.operations()
	if methods == nil {
		return nil, none
	}
	h, ok := methods[c.r.Method]
	if !ok {
		names := slices.Sorted(maps.Keys(methods))
		return nil, vendorError{status: 405, code: 20004, message: "Method not allowed", allow: strings.Join(names, ", ")}
	}
	return h, nil
}

func (c *call) operations() map[string]handler {
	type m = map[string]handler
	p, n := c.path, len(c.path)
	switch {
	case p[0] == "Services" && n == 1:
		return m{"GET": (*call).listServices, "POST": (*call).createService}
	case p[0] == "Services" && n == 2:
		return m{"GET": (*call).fetchService, "POST": (*call).updateService, "DELETE": (*call).deleteService}
	case p[0] == "Services" && n >= 3:
		return c.ofService(p[2], n)
	case p[0] == "Attempts" && n == 1:
		return m{"GET": (*call).listAttempts}
	case p[0] == "Attempts" && n == 2 && p[1] == "Summary":
		return m{"GET": (*call).summary}
	case p[0] == "Attempts" && n == 2:
		return m{"GET": (*call).fetchAttempt}
	case p[0] == "SafeList" && n == 2 && p[1] == "Numbers":
		return m{"POST": (*call).createSafe}
	case p[0] == "SafeList" && n == 3 && p[1] == "Numbers":
		return m{"GET": (*call).fetchSafe, "DELETE": (*call).deleteSafe}
	}
	return nil
}

func (c *call) ofService(what string, n int) map[string]handler {
	type m = map[string]handler
	switch {
	case what == "Verifications" && n == 3:
		return m{"POST": (*call).start}
	case what == "Verifications" && n == 4:
		return m{"GET": (*call).fetch, "POST": (*call).update}
	case what == "VerificationCheck" && n == 3:
		return m{"POST": (*call).check}
	case what == "RateLimits" && n == 3:
		return m{"GET": (*call).listRateLimits, "POST": (*call).createRateLimit}
	case what == "RateLimits" && n == 4:
		return m{"GET": (*call).fetchRateLimit, "POST": (*call).updateRateLimit, "DELETE": (*call).deleteRateLimit}
	case what == "RateLimits" && n == 5 && c.path[4] == "Buckets":
		return m{"GET": (*call).listBuckets, "POST": (*call).createBucket}
	case what == "RateLimits" && n == 6 && c.path[4] == "Buckets":
		return m{"GET": (*call).fetchBucket, "POST": (*call).updateBucket, "DELETE": (*call).deleteBucket}
	}
	return nil
}

// missing is the 404 of this call.
func (c *call) missing() error { return missing(strings.TrimPrefix(c.r.URL.Path, "/v2")) }
