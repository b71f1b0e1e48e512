package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/provider/outbound"

	"countersign"
)

// Bounds of a send's deadline.
const (
	DefaultTimeout = 3 * time.Second
	MaxTimeout     = 10 * time.Second
)

// Config attaches one vendor.
type Config struct {
	Name   string // the route's; failures carry it
	URL    string // where messages are POSTed: https, or http to a loopback address
	Sender string // {{sender}} in templates

	// Secrets sign requests: "whsec_" and 24 to 64 bytes in base64. A second one signs too, for a change of secrets.
	Secrets []string
	// AllowHTTP lets messages, and the codes in them, go over the network in clear text to a host that is not a
	// loopback address. Only for a network that is nobody else's.
	AllowHTTP bool

	Timeout     time.Duration     // of one send; DefaultTimeout when zero, at most MaxTimeout
	ContentType string            // "application/json" when empty
	Body        string            // template; the body of docs/providers/webhook.md when empty
	Headers     map[string]string // templates

	Answer   Answer
	Receipts *Receipts     // nil: this vendor sends none
	Hosted   *HostedConfig // nil: the code is ours; else the vendor makes and checks it (NewHosted)
}

// Answer says how to read the vendor's answer. Paths are dotted: "messages.0.id".
type Answer struct {
	// RefPath is where the vendor's id of the message is. An accepting answer without it counts as lost.
	RefPath string
	// AcceptedPath is where a 2xx answer says whether the message was taken; Accepted are the values that say so. For
	// vendors that answer 200 to everything.
	AcceptedPath string
	Accepted     []string
	// ErrorPath is where a refusal has the vendor's error code, for the delivery's detail and for ErrorClasses.
	ErrorPath string
	// ErrorClasses maps the vendor's error codes, and StatusClasses HTTP statuses ("404"), to a class: accepted,
	// temporary, unknown, destination, denied or operator. They go before the package's own table.
	ErrorClasses  map[string]string
	StatusClasses map[string]string
}

// Receipts says how to read the vendor's callbacks.
type Receipts struct {
	// Secrets verify callbacks. None may be one that signs requests.
	Secrets []string
	// Where a callback has our verification's id and our message's id, the vendor's id, the status and a reason.
	// Empty means "data.verification", "data.id", "data.ref", "data.status" and "data.detail".
	VerificationPath, IDPath, RefPath, StatusPath, DetailPath string
	// Where it has what the message did cost, a decimal, and the currency. Empty means "data.cost" and "data.currency".
	CostPath, CurrencyPath string
	// Currency (ISO 4217) is that of all costs, for vendors whose callbacks do not name it.
	Currency string
	// Statuses maps the vendor's words to ours. Words that are not in it are ignored. When empty, our own words
	// (sent, delivered, undelivered, failed) are understood. Of a hosted vendor "denied" and "undeliverable" are
	// understood too: they end the verification.
	Statuses map[string]string
}

// Validate reports every mistake, joined; each is a *countersign.Mistake.
func (c *Config) Validate() error {
	_, err := compile(c)
	return err
}

// compiled is a Config, ready for use.
type compiled struct {
	name, url, contentType, sender string
	timeout                        time.Duration
	secrets                        []Secret
	body                           *template // nil: the default body
	headers                        []header
	answer                         answer
	receipts                       *receipts
	hosted                         *hosted

	mistakes []error
}

type header struct {
	name  string
	value *template
}

func compile(cfg *Config) (*compiled, error) {
	c := &compiled{name: cfg.Name, url: cfg.URL, contentType: cfg.ContentType, sender: cfg.Sender, timeout: cfg.Timeout}
	if c.name == "" {
		c.wrong("name", "is missing")
	}
	if err := checkURL(cfg.URL, cfg.AllowHTTP); err != nil {
		c.wrong("url", err.Error())
	}
	c.secrets = c.parseSecrets("secrets", cfg.Secrets)
	if c.timeout < 0 || c.timeout > MaxTimeout {
		c.wrong("timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.contentType == "" {
		c.contentType = "application/json"
	}
	c.compileBody(cfg.Body, cfg.Hosted != nil)
	c.compileHeaders(cfg.Headers)
	c.compileAnswer(&cfg.Answer)
	if cfg.Receipts != nil {
		c.compileReceipts(cfg.Receipts, cfg.Secrets, cfg.Hosted != nil)
	}
	if cfg.Hosted != nil {
		c.compileHosted(cfg)
	}
	return c, errors.Join(c.mistakes...)
}

func (c *compiled) wrong(path, problem string) {
	c.mistakes = append(c.mistakes, &countersign.Mistake{Path: path, Problem: problem})
}

func checkURL(text string, allowHTTP bool) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("is missing")
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("must be an absolute address, as in https://sms.example.com/send")
	case u.User != nil:
		return errors.New("must hold no user and password; use a header with a secret")
	case u.Fragment != "":
		return errors.New("must have no #fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (allowHTTP || outbound.Loopback(u.Hostname())):
		return nil
	}
	return errors.New("must begin with https:// (http:// is for loopback addresses, or with dangerously_allow_http)")
}

func (c *compiled) parseSecrets(at string, texts []string) []Secret {
	if len(texts) == 0 {
		c.wrong(at, "at least one is needed: whsec_ and 24 to 64 random bytes in base64")
	}
	var list []Secret
	for i, text := range texts {
		s, err := ParseSecret(text)
		if err != nil {
			c.wrong(at+"."+strconv.Itoa(i), err.Error())
			continue
		}
		list = append(list, s)
	}
	return list
}

func (c *compiled) compileBody(text string, hosted bool) {
	if text == "" {
		if mediaType(c.contentType) != "application/json" {
			c.wrong("body", "is missing: the built-in one is JSON")
		}
		return
	}
	t, err := parseTemplate(text)
	if err != nil {
		c.wrong("body", err.Error())
		return
	}
	switch {
	case t.uses("ref", "guess"):
		c.wrong("body", "must not have {{ref}} or {{guess}}: there is none yet")
	case hosted && t.uses("text", "code"):
		c.wrong("body", "must have neither {{text}} nor {{code}}: the code is the vendor's, and ours would never be accepted")
	case hosted && !t.uses("to"):
		c.wrong("body", "must have {{to}}")
	case !hosted && !t.uses("text", "code"):
		c.wrong("body", "must have {{text}} or {{code}}: nothing else carries the code")
	}
	if err := checkBody(c.contentType, t); err != nil {
		c.wrong("body", err.Error())
	}
	c.body = t
}

// ownHeaders are set by the package or by HTTP itself.
func ownHeaders() []string {
	return []string{
		HeaderID, HeaderTimestamp, HeaderSignature, "Content-Type", "Content-Length", "Transfer-Encoding", "Host",
		"Connection", "Upgrade", "Trailer", "Te", "Expect",
	}
}

func (c *compiled) compileHeaders(headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		at := "headers." + name
		if !token(name) {
			c.wrong(at, "is no name of a header")
			continue
		}
		if slices.Contains(ownHeaders(), http.CanonicalHeaderKey(name)) {
			c.wrong(at, "is set by Countersign itself")
			continue
		}
		t, err := parseTemplate(headers[name])
		if err != nil {
			c.wrong(at, err.Error())
			continue
		}
		if err := checkHeader(t); err != nil {
			c.wrong(at, err.Error())
		}
		c.headers = append(c.headers, header{http.CanonicalHeaderKey(name), t})
	}
}

// token says whether a text is a field name of RFC 9110, 5.1.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

func (c *compiled) compilePath(at, text string) path {
	p, err := parsePath(text)
	if err != nil {
		c.wrong(at, err.Error())
	}
	return p
}

func (c *compiled) compileReceipts(cfg *Receipts, sending []string, hosted bool) {
	for i, s := range cfg.Secrets {
		if slices.Contains(sending, s) {
			c.wrong(fmt.Sprintf("receipts.secrets.%d", i), "must not be one that signs requests: a recorded request could be played back as a receipt")
		}
	}
	or := func(text, standard string) string {
		if text == "" {
			return standard
		}
		return text
	}
	r := &receipts{
		secrets:      c.parseSecrets("receipts.secrets", cfg.Secrets),
		verification: c.compilePath("receipts.verification_path", or(cfg.VerificationPath, "data.verification")),
		id:           c.compilePath("receipts.id_path", or(cfg.IDPath, "data.id")),
		ref:          c.compilePath("receipts.ref_path", or(cfg.RefPath, "data.ref")),
		status:       c.compilePath("receipts.status_path", or(cfg.StatusPath, "data.status")),
		detail:       c.compilePath("receipts.detail_path", or(cfg.DetailPath, "data.detail")),
		cost:         c.compilePath("receipts.cost_path", or(cfg.CostPath, "data.cost")),
		currency:     c.compilePath("receipts.currency_path", or(cfg.CurrencyPath, "data.currency")),
		always:       cfg.Currency,
		statuses:     make(map[string]countersign.DeliveryStatus, len(cfg.Statuses)),
		outcomes:     make(map[string]countersign.Status),
	}
	if _, err := countersign.ParseMoney("1", cfg.Currency); cfg.Currency != "" && err != nil {
		c.wrong("receipts.currency", "must be a currency's three letters (ISO 4217)")
	}
	ours := []countersign.DeliveryStatus{
		countersign.DeliveryAccepted, countersign.DeliverySent, countersign.DeliveryDelivered,
		countersign.DeliveryUndelivered, countersign.DeliveryFailed,
	}
	for theirs, word := range cfg.Statuses {
		if end := countersign.Status(word); hosted && (end == countersign.StatusDenied || end == countersign.StatusUndeliverable) {
			r.outcomes[theirs] = end
			continue
		}
		if !slices.Contains(ours, countersign.DeliveryStatus(word)) {
			c.wrong("receipts.statuses."+theirs, "must be accepted, sent, delivered, undelivered or failed")
		}
		r.statuses[theirs] = countersign.DeliveryStatus(word)
	}
	if len(cfg.Statuses) == 0 {
		for _, s := range ours {
			r.statuses[string(s)] = s
		}
		if hosted {
			r.outcomes["denied"], r.outcomes["undeliverable"] = countersign.StatusDenied, countersign.StatusUndeliverable
		}
	}
	c.receipts = r
}
