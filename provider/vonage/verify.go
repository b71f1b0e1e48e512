package vonage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"countersign"
	"countersign/provider/outbound"
)

// Verify is the vendor's Verify API (v2) as a hosted provider.
type Verify struct{ api *api }

var _ countersign.HostedProvider = (*Verify)(nil)

// NewVerify makes a provider, or reports everything that is wrong with its configuration.
func NewVerify(cfg Config) (*Verify, error) {
	errs := cfg.validate()
	if cfg.Brand == "" || len(cfg.Brand) > 16 {
		errs = append(errs, errors.New("brand: expected are 1 to 16 characters, the name in the vendor's texts"))
	}
	a, err := newAPI(cfg, errs)
	if err != nil {
		return nil, err
	}
	return &Verify{a}, nil
}

// CloseIdleConnections ends connections that are not in use.
func (v *Verify) CloseIdleConnections() { v.api.client.CloseIdleConnections() }

var channels = map[countersign.Channel]string{
	countersign.ChannelSMS: "sms", countersign.ChannelVoice: "voice", countersign.ChannelWhatsApp: "whatsapp",
}

// Probe reads one of the account's applications, the least that the vendor tells to none but an account's own.
func (v *Verify) Probe(ctx context.Context) error { return v.api.probe(ctx) }

type start struct {
	Brand          string `json:"brand"`
	Locale         string `json:"locale,omitempty"`
	CodeLength     int    `json:"code_length"`
	ChannelTimeout int    `json:"channel_timeout"`
	Workflow       []step `json:"workflow"`
}

type step struct {
	Channel string `json:"channel"`
	To      string `json:"to"`
	From    string `json:"from,omitempty"`
}

// requestForm is the form of what must be ours to put into a path.
var requestForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// The bounds of channel_timeout, and the length of codes: the vendor's own default has 4 digits.
const (
	minTimeout = 60
	maxTimeout = 900
	codeLength = 6
)

// Send implements countersign.Provider: it starts a verification. The vendor refuses a second open one for a number, and
// names the first. It is ours if the answer to this very message was lost; else it is an older one, which ends.
func (v *Verify) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	channel, ok := channels[m.Channel]
	if !ok {
		return countersign.Handed{}, v.api.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	s := start{
		Brand: v.api.cfg.Brand, Locale: verifyLocale(m.Locale), CodeLength: codeLength, ChannelTimeout: min(max(int(m.Lifetime/time.Second), minTimeout), maxTimeout),
		Workflow: []step{{Channel: channel, To: strings.TrimPrefix(m.To.Dial(), "+")}},
	}
	if channel != "voice" {
		s.Workflow[0].From = strings.TrimPrefix(cmp.Or(m.Sender, v.api.cfg.From), "+")
	}
	ref, f := v.begin(ctx, m, &s)
	if f != nil {
		if f.Class == countersign.FailUnknown {
			v.api.lost.Add(m.ID)
		}
		return countersign.Handed{}, f
	}
	v.api.lost.Forget(m.ID)
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
}

func (v *Verify) begin(ctx context.Context, m *countersign.Message, s *start) (string, *countersign.Failure) {
	for again := false; ; again = true {
		got, f := v.api.client.Do(ctx, v.api.ask(http.MethodPost, "/v2/verify", s))
		if f != nil {
			return "", f
		}
		if got.OK() {
			return v.begun(got)
		}
		open := problemOf(got).RequestID
		if got.Status != http.StatusConflict || !requestForm.MatchString(open) || again {
			if got.Status == http.StatusConflict && !v.api.lost.Has(m.ID) {
				return "", v.api.client.Fail(countersign.FailTemporary, "HTTP 409 another is open", nil)
			}
			return "", v.api.failure(got)
		}
		if v.api.lost.Has(m.ID) {
			return open, nil
		}
		if f := v.cancel(ctx, open); f != nil {
			return "", f
		}
	}
}

func (v *Verify) begun(got *outbound.Answer) (string, *countersign.Failure) {
	var made struct {
		RequestID string `json:"request_id"`
	}
	if err := got.Into(&made); err != nil || !requestForm.MatchString(made.RequestID) {
		return "", v.api.client.Fail(countersign.FailUnknown, "the answer has no request_id", nil)
	}
	return made.RequestID, nil
}

// cancel ends an older verification of the number. Nothing was started yet, so a failure is none that sent anything.
func (v *Verify) cancel(ctx context.Context, ref string) *countersign.Failure {
	got, f := v.api.client.Do(ctx, v.api.ask(http.MethodDelete, "/v2/verify/"+url.PathEscape(ref), nil))
	if f == nil && !got.OK() && got.Status != http.StatusNotFound {
		f = v.api.failure(got)
	}
	if f != nil && f.Class == countersign.FailUnknown {
		f.Class = countersign.FailTemporary
	}
	return f
}

// Report implements countersign.HostedProvider. Only a 200 that calls this very request completed is a pass.
func (v *Verify) Report(ctx context.Context, q countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	if q.Ref == "" {
		// The vendor finds nothing by number; a resend adopts or replaces what it has.
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "not started"}, nil
	}
	got, f := v.api.client.Do(ctx, v.api.ask(http.MethodPost, "/v2/verify/"+url.PathEscape(q.Ref), map[string]string{"code": g.Reveal()}))
	if f != nil {
		return countersign.HostedAnswer{}, f
	}
	if got.OK() {
		var checked struct {
			RequestID string `json:"request_id"`
			Status    string `json:"status"`
		}
		if err := got.Into(&checked); err != nil || got.Status != http.StatusOK || checked.RequestID != q.Ref || checked.Status != "completed" {
			return countersign.HostedAnswer{}, v.api.client.Fail(countersign.FailUnknown, "the answer is no verdict on this guess", nil)
		}
		return countersign.HostedAnswer{Status: countersign.StatusApproved, Detail: "completed"}, nil
	}
	p := problemOf(got)
	switch {
	case got.Status == http.StatusBadRequest && p.Title == "Invalid Code":
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "400 Invalid Code"}, nil
	case got.Status == http.StatusNotFound && p.Title != "":
		// Expired, or verified by another guess. Whose success that was cannot be told, so it is nobody's.
		return countersign.HostedAnswer{Status: countersign.StatusExpired, Detail: "404 Not Found"}, nil
	case got.Status == http.StatusGone && p.Title != "":
		return countersign.HostedAnswer{Status: countersign.StatusFailed, Detail: "410 too many wrong codes"}, nil
	}
	return countersign.HostedAnswer{}, v.api.failure(got)
}

// Status implements countersign.HostedProvider. The API has no way to read a verification, so what became of a guess whose
// answer was lost stays unknown: it counts, and approves nothing.
func (v *Verify) Status(context.Context, countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	return countersign.HostedAnswer{}, v.api.client.Fail(countersign.FailUnknown, "the vendor shows no verification", nil)
}

// locales are those that the vendor's texts exist in; the first of a language is the one for its other regions. One that is
// not among them might refuse the whole start, so it is left out, and the vendor goes by its own default.
var locales = []string{
	"en-us", "en-gb", "es-es", "es-mx", "es-us", "it-it", "fr-fr", "de-de", "ru-ru", "hi-in", "pt-br", "pt-pt", "id-id",
}

// verifyLocale is the vendor's name of a BCP 47 tag, or of its language.
func verifyLocale(tag string) string {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	if tag == "" || slices.Contains(locales, tag) {
		return tag
	}
	language, _, _ := strings.Cut(tag, "-")
	for _, l := range locales {
		if strings.HasPrefix(l, language+"-") {
			return l
		}
	}
	return ""
}
