package webhook

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"countersign"
)

// This file describes vendors that make, send and check codes of their own: where a guess is reported, where the state
// is read, and what the words of their answers mean. A vendor's yes is one word that the configuration names, in an
// answer of status 2xx; everything that is not understood is no answer, and never a yes.

// HostedConfig says how a vendor checks codes.
type HostedConfig struct {
	// Report asks about a guess. Its body is a template with {{guess}}; the built-in one when empty.
	Report Question
	// Status reads where a verification stands, without changing it. Without its URL a lost report stays unknown: the
	// check is then answered with 503.
	Status Question
}

// Question is one request about a vendor's verification, and how to read its answer.
type Question struct {
	Method      string // Report: POST (default), PUT or PATCH. Status: GET (default) or those.
	URL         string // template: https, or http as for Config.URL. A value in its path needs |path, in its query |urlquery.
	ContentType string // "application/json" when empty
	Body        string // template

	// StatusPath is where the answer has the verification's status ("status" when empty), Statuses what the vendor's
	// words mean: pending (a wrong guess, and more are allowed), approved, failed, expired, denied, canceled or
	// undeliverable. When empty, those words themselves are understood.
	StatusPath string
	Statuses   map[string]string
	// HTTPStatuses are meanings of HTTP statuses ("404"), for answers without a word that is known. None may be
	// approved: an empty 200 is no yes.
	HTTPStatuses map[string]string
	// ToPath is where the answer names the number. When given, an answer about another number, or an approval that
	// names none, is no answer. For vendors at whom others can start a verification under our reference.
	ToPath string
	// RefPath is where the answer to Status has the vendor's id, for starts whose answer was lost.
	RefPath string
}

// hosted is a compiled HostedConfig.
type hosted struct{ report, status *question }

// question is a compiled Question.
type question struct {
	kind, method, contentType string
	url, body                 *template // body is nil for the built-in one, or for none
	status, to, ref           path
	words                     map[string]countersign.Status
	codes                     map[int]countersign.Status
}

func (c *compiled) compileHosted(cfg *Config) {
	h := cfg.Hosted
	c.hosted = &hosted{report: c.compileQuestion("hosted.report", "verification.report", &h.Report, cfg.AllowHTTP)}
	if h.Report.RefPath != "" {
		c.wrong("hosted.report.ref_path", "is read from the answers to hosted.status only")
	}
	if h.Status.URL != "" {
		c.hosted.status = c.compileQuestion("hosted.status", "verification.status", &h.Status, cfg.AllowHTTP)
	} else if h.Status.Body != "" || h.Status.StatusPath != "" || len(h.Status.Statuses) > 0 || len(h.Status.HTTPStatuses) > 0 {
		c.wrong("hosted.status.url", "is missing")
	}
	if cfg.Answer.RefPath == "" && c.hosted.usesRef() {
		c.wrong("answer.ref_path", "is missing: hosted questions ask with {{ref}}")
	}
}

func (h *hosted) usesRef() bool {
	return h.report.usesRef() || (h.status != nil && h.status.usesRef())
}

func (q *question) usesRef() bool {
	return (q.url != nil && q.url.uses("ref")) || (q.body != nil && q.body.uses("ref"))
}

func (c *compiled) compileQuestion(at, kind string, cfg *Question, allowHTTP bool) *question {
	q := &question{kind: kind, method: cfg.Method, contentType: cfg.ContentType}
	report := kind == "verification.report"
	methods := []string{http.MethodPost, http.MethodPut, http.MethodPatch}
	if !report {
		methods = append(methods, http.MethodGet)
	}
	if q.method == "" {
		q.method = methods[len(methods)-1]
		if report {
			q.method = http.MethodPost
		}
	}
	if !slices.Contains(methods, q.method) {
		c.wrong(at+".method", "must be one of "+strings.Join(methods, ", "))
	}
	if q.contentType == "" {
		q.contentType = "application/json"
	}
	q.url = c.compileURL(at+".url", cfg.URL, allowHTTP)
	q.body = c.compileQuestionBody(at+".body", q, cfg.Body, report)
	standard := cfg.StatusPath
	if standard == "" {
		standard = "status"
	}
	q.status = c.compilePath(at+".status_path", standard)
	q.to = c.compilePath(at+".to_path", cfg.ToPath)
	q.ref = c.compilePath(at+".ref_path", cfg.RefPath)
	c.compileWords(at, q, cfg)
	return q
}

// statuses are the meanings that a vendor's words can have.
func statuses() []countersign.Status {
	return []countersign.Status{
		countersign.StatusPending, countersign.StatusApproved, countersign.StatusFailed, countersign.StatusExpired,
		countersign.StatusDenied, countersign.StatusCanceled, countersign.StatusUndeliverable,
	}
}

func (c *compiled) compileWords(at string, q *question, cfg *Question) {
	const meanings = "must be pending, approved, failed, expired, denied, canceled or undeliverable"
	q.words = make(map[string]countersign.Status, len(cfg.Statuses))
	for word, meaning := range cfg.Statuses {
		if !slices.Contains(statuses(), countersign.Status(meaning)) {
			c.wrong(at+".statuses."+word, meanings)
		}
		q.words[word] = countersign.Status(meaning)
	}
	if len(cfg.Statuses) == 0 {
		for _, s := range statuses() {
			q.words[string(s)] = s
		}
	}
	q.codes = make(map[int]countersign.Status, len(cfg.HTTPStatuses))
	for code, meaning := range cfg.HTTPStatuses {
		n, err := strconv.Atoi(code)
		switch s := countersign.Status(meaning); {
		case err != nil || n < 200 || n > 599:
			c.wrong(at+".http_statuses."+code, "must be an HTTP status from 200 to 599")
		case s == countersign.StatusApproved:
			c.wrong(at+".http_statuses."+code, "must not be approved: only a word in the answer is a yes; use status_path and statuses")
		case !slices.Contains(statuses(), s):
			c.wrong(at+".http_statuses."+code, meanings)
		}
		q.codes[n] = countersign.Status(meaning)
	}
}

func (c *compiled) compileQuestionBody(at string, q *question, text string, report bool) *template {
	switch {
	case q.method == http.MethodGet && text != "":
		c.wrong(at, "goes with POST, PUT or PATCH only")
		return nil
	case text == "":
		if mediaType(q.contentType) != "application/json" {
			c.wrong(at, "is missing: the built-in one is JSON")
		}
		return nil
	}
	t, err := parseTemplate(text)
	if err != nil {
		c.wrong(at, err.Error())
		return nil
	}
	switch {
	case report && !t.uses("guess"):
		c.wrong(at, "must have {{guess}}: nothing else carries what was typed")
	case !report && t.uses("guess"):
		c.wrong(at, "must not have {{guess}}: reading the state tells no guess")
	}
	if err := c.known(t, "guess"); err != nil {
		c.wrong(at, err.Error())
	}
	if err := checkBody(q.contentType, t); err != nil {
		c.wrong(at, err.Error())
	}
	return t
}

// known says whether a question's template names only what a question knows.
func (c *compiled) known(t *template, more ...string) error {
	for _, p := range t.parts {
		if p.value != nil && !slices.Contains(append(more, "id", "verification", "ref", "to", "country", "channel", "sender", "timestamp"), p.field) {
			return errors.New("must not have {{" + p.field + "}}: a question knows verification, ref, to, country, channel, sender, id and timestamp, and a report's body guess")
		}
	}
	return nil
}

func (c *compiled) compileURL(at, text string, allowHTTP bool) *template {
	t, err := parseTemplate(text)
	if err == nil {
		err = c.known(t)
	}
	if err == nil {
		err = checkAddress(t, allowHTTP)
	}
	if err != nil {
		c.wrong(at, err.Error())
	}
	return t
}

// checkAddress says whether an address leads to one host and one path, whatever the vendor's id holds.
func checkAddress(t *template, allowHTTP bool) error {
	number, _, err := addresses()
	if err != nil {
		return err
	}
	plain, bad := string(t.render(nil, sample(number, "x"))), string(t.render(nil, sample(number, hostile)))
	if err := checkURL(plain, allowHTTP); err != nil {
		return err
	}
	const out = "lets a value break out of its place: use |path in the path and |urlquery in the query"
	p, errPlain := url.Parse(plain)
	b, errBad := url.Parse(bad)
	if errPlain != nil || errBad != nil {
		return errors.New(out)
	}
	same := p.Scheme == b.Scheme && p.Host == b.Host && b.User == nil && b.Fragment == "" &&
		strings.Count(p.EscapedPath(), "/") == strings.Count(b.EscapedPath(), "/") && sameForm([]byte(p.RawQuery), []byte(b.RawQuery))
	if !same || strings.Contains(t.host(), "{{") {
		return errors.New(out)
	}
	return nil
}

// host is a template's text up to the path, with {{ in it when a value stands there.
func (t *template) host() string {
	first := t.parts[0]
	_, rest, _ := strings.Cut(first.literal, "://")
	if !strings.ContainsAny(rest, "/?") && first.value != nil {
		return first.literal + "{{"
	}
	return first.literal
}

// address renders an address, or "" where a value would be a step up or down instead of a name.
func (q *question) address(f *fields) string {
	text := string(q.url.render(nil, f))
	path, _, _ := strings.Cut(text, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return ""
		}
	}
	return text
}
