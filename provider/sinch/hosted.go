package sinch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"countersign"
	"countersign/provider/outbound"
)

// This file reports guesses and reads where the vendor's verifications stand.

// Report implements countersign.HostedProvider. A guess goes out at most once. Data verification takes none: what
// counts is that the handset opened its address, so the vendor is asked where it stands.
func (v *Verification) Report(ctx context.Context, q countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	if q.Channel == countersign.ChannelSeamless {
		return v.api.status(ctx, q)
	}
	return v.api.report(ctx, q, g.Reveal())
}

// Status implements countersign.HostedProvider.
func (v *Verification) Status(ctx context.Context, q countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	return v.api.status(ctx, q)
}

// standing is where a vendor's verification stands.
type standing struct {
	ID     string `json:"id"`
	Method string `json:"method"`
	Status string `json:"status"`
	Reason string `json:"reason"`
	Begun  string `json:"verificationTimestamp"`
	bearer

	asked time.Time // the vendor's clock when it answered; zero when it did not say
}

// age is how long ago it was begun, by the vendor's own clock; zero when that cannot be known.
func (s *standing) age() time.Duration {
	begun, err := time.Parse(time.RFC3339Nano, strings.TrimSuffix(s.Begun, "Z")+"Z") // the vendor leaves the zone away
	if err != nil || s.asked.IsZero() {
		return 0
	}
	return s.asked.Sub(begun)
}

// knownReasons are the vendor's words; others are not passed on.
var knownReasons = []string{
	"Fraud", "Not enough credit", "Blocked", "Denied by callback", "Invalid callback", "Destination denied", "Internal error",
	"Network error or number unreachable", "SMS delivery failure", "Invalid CLI", "Invalid code", "Expired",
	"Hung up without entering valid code", "Failed pending",
}

func knownReason(s string) string {
	if slices.Contains(knownReasons, s) {
		return s
	}
	return ""
}

// answer translates a standing. ok is false for a status that is not known: then nothing is known.
func (s *standing) answer() (countersign.HostedAnswer, bool) {
	a := countersign.HostedAnswer{Detail: strings.TrimSpace(s.Status + " " + knownReason(s.Reason))}
	switch s.Status {
	case "SUCCESSFUL":
		a.Status = countersign.StatusApproved
	case "PENDING":
		a.Status = countersign.StatusPending
	case "ABORTED":
		a.Status = countersign.StatusCanceled
	case "DENIED":
		a.Status = countersign.StatusDenied
	case "ERROR":
		a.Status = countersign.StatusUndeliverable
	case "FAIL":
		a.Status = countersign.StatusFailed
		if s.Reason == "Expired" {
			a.Status = countersign.StatusExpired
		}
	default:
		return countersign.HostedAnswer{}, false
	}
	return a, true
}

// lookup reads one verification of an address; false when the vendor does not know it, or it is of another address.
func (a *api) lookup(ctx context.Context, path string, to countersign.Address) (*standing, bool, *countersign.Failure) {
	got, f := a.client.Do(ctx, a.question(http.MethodGet, path, nil))
	switch {
	case f != nil:
		return nil, false, f
	case got.Status == http.StatusNotFound && refusalOf(got).Code == 40400:
		return nil, false, nil
	case !got.OK():
		return nil, false, verificationFailure(a.client, got)
	}
	var s standing
	if err := got.Into(&s); err != nil || s.ID == "" {
		return nil, false, a.client.Fail(countersign.FailUnknown, "the answer has no id", nil)
	}
	switch {
	case s.Identity.Endpoint == "":
		return nil, false, a.client.Fail(countersign.FailUnknown, "the answer does not say whose it is", nil)
	case !s.of(to):
		return nil, false, nil
	}
	if at, err := http.ParseTime(got.Header.Get("Date")); err == nil {
		s.asked = at
	}
	return &s, true, nil
}

func (a *api) status(ctx context.Context, q countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	path := "/id/" + url.PathEscape(q.Ref)
	if q.Ref == "" {
		path = "/reference/" + url.PathEscape(q.Verification)
	}
	s, found, f := a.lookup(ctx, path, q.To)
	if f != nil {
		return countersign.HostedAnswer{}, f
	}
	if !found {
		return missing(q), nil
	}
	answer, ok := s.answer()
	if !ok {
		return countersign.HostedAnswer{}, a.client.Fail(countersign.FailUnknown, "a status that is not known", nil)
	}
	return answer, nil
}

// missing is what it means that the vendor does not know a verification: it forgot one that it once named, or never
// got the start of one that it did not.
func missing(q countersign.HostedQuestion) countersign.HostedAnswer {
	if q.Ref == "" {
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "not started"}
	}
	return countersign.HostedAnswer{Status: countersign.StatusExpired, Detail: "40400 ResourceNotFound"}
}

// report sends one guess. An error means that nobody knows what became of it.
func (a *api) report(ctx context.Context, q countersign.HostedQuestion, guess string) (countersign.HostedAnswer, error) {
	body, err := reportBody(q.Channel, guess)
	if err != nil {
		return countersign.HostedAnswer{}, a.client.Fail(countersign.FailOperator, "this channel has nothing to report", nil)
	}
	if q.Ref == "" {
		// By reference, not by number: a number's newest verification may be somebody else's.
		s, found, f := a.lookup(ctx, "/reference/"+url.PathEscape(q.Verification), q.To)
		if f != nil {
			return countersign.HostedAnswer{}, f
		}
		if !found {
			return missing(q), nil
		}
		q.Ref = s.ID
	}
	got, f := a.client.Do(ctx, a.question(http.MethodPut, "/id/"+url.PathEscape(q.Ref), body))
	if f != nil {
		return countersign.HostedAnswer{}, f
	}
	if got.OK() {
		return a.reported(ctx, q, got)
	}
	switch r := refusalOf(got); {
	case got.Status < 500 && r.wrongCode():
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "wrong code"}, nil
	case r.Code == 40400:
		return missing(q), nil
	case r.Code == 40900:
		// It has ended already. To read its status now could find the success of another guess.
		return countersign.HostedAnswer{Status: countersign.StatusFailed, Detail: "40900 RequestConflict"}, nil
	}
	return countersign.HostedAnswer{}, verificationFailure(a.client, got)
}

// reported reads the answer to a report. Only the word SUCCESSFUL is a pass; an HTTP 200 alone is not.
func (a *api) reported(ctx context.Context, q countersign.HostedQuestion, got *outbound.Answer) (countersign.HostedAnswer, error) {
	var s standing
	if err := got.Into(&s); err != nil {
		return countersign.HostedAnswer{}, a.client.Fail(countersign.FailUnknown, "the answer is not JSON of the expected shape", nil)
	}
	if s.ID != "" && s.ID != q.Ref {
		return countersign.HostedAnswer{}, a.client.Fail(countersign.FailUnknown, "the answer is about another verification", nil)
	}
	answer, ok := s.answer()
	if !ok {
		return countersign.HostedAnswer{}, a.client.Fail(countersign.FailUnknown, "a status that is not known", nil)
	}
	if answer.Status != countersign.StatusFailed || s.Reason != "Invalid code" && s.Reason != "Invalid CLI" {
		return answer, nil
	}
	// A wrong guess; the vendor's pages do not say whether it was the last. Only a pending status means more: a
	// success found now would be another guess's.
	wrong := countersign.HostedAnswer{Status: countersign.StatusPending, Detail: answer.Detail}
	if now, err := a.status(ctx, q); err == nil && now.Status != countersign.StatusPending {
		wrong.Status = countersign.StatusFailed
	}
	return wrong, nil
}

// reportBody puts a guess into the object of the channel's name.
func reportBody(ch countersign.Channel, guess string) ([]byte, error) {
	name, ok := hostedMethods[ch]
	if !ok || ch == countersign.ChannelSeamless {
		return nil, fmt.Errorf("nothing to report on the channel %s", ch)
	}
	object, field := name, "code"
	if ch == countersign.ChannelFlashCall {
		object, field = "flashCall", "cli"
	}
	return json.Marshal(map[string]any{"method": name, object: map[string]string{field: guess}})
}
