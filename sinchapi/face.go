package sinchapi

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"countersign"
	"countersign/sinchauth"
)

// Prefix is the path under which the face is mounted.
const Prefix = "/verification/v1/"

// maxBody bounds a request: `custom` alone may be 4096 characters, each escaped.
const maxBody = 32 << 10

// Face serves the protocol. It is an http.Handler for everything under Prefix; Run delivers events.
type Face struct {
	cfg    Config
	apps   map[string]*tenant // by key
	auth   *sinchauth.Verifier
	events *events
}

// tenant is an app on this face.
type tenant struct {
	App
	queue chan *event // nil without a callback
}

// New makes a Face. Run must be called for the events behind answers.
func New(cfg Config) (*Face, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	f := &Face{cfg: cfg, apps: make(map[string]*tenant, len(cfg.Apps))}
	for _, a := range cfg.Apps {
		if a.MinLevel == 0 {
			a.MinLevel = sinchauth.LevelBasic
		}
		t := &tenant{App: a}
		if a.CallbackURL != "" {
			t.queue = make(chan *event, cfg.CallbackQueue)
		}
		f.apps[a.Credentials.Key] = t
	}
	f.auth = &sinchauth.Verifier{Lookup: f.secret, Now: cfg.Now, Wall: cfg.Wall, Replays: sinchauth.NewMemory(0), Prefix: cfg.PathPrefix}
	f.events = newEvents(cfg, f.apps)
	return f, nil
}

func (f *Face) secret(key string) (sinchauth.Secret, bool) {
	t, ok := f.apps[key]
	if !ok {
		return sinchauth.Secret{}, false
	}
	return t.Credentials.Secret, true
}

// call is one request on its way: who sent it, and what.
type call struct {
	*tenant
	r     *http.Request
	body  []byte
	level sinchauth.Level
	arg   string // the path's variable part, decoded
	kind  string // the method in a status path
}

// signed says whether the caller proved that it holds the secret.
func (c *call) signed() bool { return c.level >= sinchauth.LevelBasic }

// client is who is counted: a public caller's address; nobody for a server, whose address is not its users'.
func (f *Face) client(c *call) countersign.Client {
	if c.signed() {
		return countersign.Client{}
	}
	return countersign.Client{Addr: f.cfg.ClientAddr(c.r), UserAgent: c.r.UserAgent()}
}

// handler serves one operation; what it returns becomes the body of a 200.
type handler func(f *Face, w http.ResponseWriter, c *call) (any, error)

// ServeHTTP implements http.Handler.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := f.serve(w, r)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, answer)
}

func (f *Face) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	c := &call{r: r}
	handle, err := route(c)
	if err != nil {
		return nil, err
	}
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, vendorError{code: 41300, message: "The request's body is too large."}
		}
		return nil, vendorError{code: 40001, message: "The request's body could not be read."}
	}
	id, err := f.auth.Verify(r, c.body)
	if err != nil {
		return nil, err
	}
	c.tenant, c.level = f.apps[id.Key], id.Level
	if c.level < c.MinLevel {
		return nil, errLevel
	}
	return handle(f, w, c)
}

// route finds the operation of a path, segment by segment, so that an escaped slash stays in its segment.
func route(c *call) (handler, error) {
	rest, ok := strings.CutPrefix(c.r.URL.EscapedPath(), Prefix+"verifications")
	if !ok {
		return nil, errNoResource
	}
	segments := strings.Split(rest, "/")
	if rest == "" {
		segments = nil
	} else if segments[0] != "" {
		return nil, errNoResource
	} else {
		segments = segments[1:]
	}
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil || plain == "" || !utf8.ValidString(plain) {
			return nil, errNoResource
		}
		segments[i] = plain
	}
	byMethod := operations(c, segments)
	if byMethod == nil {
		return nil, errNoResource
	}
	h, ok := byMethod[c.r.Method]
	if !ok {
		return nil, methodError(byMethod)
	}
	return h, nil
}

func operations(c *call, path []string) map[string]handler {
	switch {
	case len(path) == 0:
		return map[string]handler{http.MethodPost: (*Face).start}
	case len(path) == 2:
		c.arg = path[1]
		switch path[0] {
		case "id":
			return map[string]handler{http.MethodGet: (*Face).statusByID, http.MethodPut: (*Face).reportByID}
		case "number":
			return map[string]handler{http.MethodPut: (*Face).reportByNumber}
		case "reference":
			return map[string]handler{http.MethodGet: (*Face).statusByReference}
		}
	case len(path) == 3 && path[1] == "number":
		c.kind, c.arg = path[0], path[2]
		return map[string]handler{http.MethodGet: (*Face).statusByNumber}
	}
	return nil
}
