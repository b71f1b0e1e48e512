package sinchapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"countersign"
	"countersign/sinchauth"
)

// This file speaks to an app's callback URL: the one question that a start waits for, and the posting of events.

// Names of the events.
const (
	eventRequest   = "VerificationRequestEvent"
	eventResult    = "VerificationResultEvent"
	eventDelivered = "VerificationSmsDeliveredEvent"
)

// event is one callback on the wire.
type event struct {
	ID        string   `json:"id"`
	Event     string   `json:"event"`
	Method    string   `json:"method"`
	Identity  identity `json:"identity"`
	Status    string   `json:"status,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	SMSResult string   `json:"smsResult,omitempty"`
	Reference string   `json:"reference,omitempty"`
	Source    string   `json:"source,omitempty"`
	Custom    string   `json:"custom,omitempty"`
	Languages []string `json:"acceptLanguage,omitempty"`
}

func eventOf(name string, v *countersign.Verification) *event {
	return &event{
		ID: v.ID, Event: name, Method: methodOf(v.Channel), Reference: v.Reference, Custom: v.Custom,
		Identity: identity{Type: "number", Endpoint: v.To.Dial()},
	}
}

func resultOf(v *countersign.Verification) *event {
	e := eventOf(eventResult, v)
	e.Status, e.Reason = vendorStatus(v)
	if v.Status == countersign.StatusApproved && v.Channel != countersign.ChannelSeamless {
		e.Source = "manual"
	}
	return e
}

// reply is what an app answers to a VerificationRequestEvent.
type reply struct {
	Action  string `json:"action"`
	SMS     code   `json:"sms"`
	Callout struct {
		Code string `json:"code"`
		PIN  string `json:"pin"`
	} `json:"callout"`
	FlashCall cli `json:"flashCall"`
}

// errCallback is a start's failure because the app's callback gave no usable answer.
func errCallback(v *countersign.Verification, why string, cause error) error {
	return &countersign.Error{
		Kind: countersign.ErrForbidden, VerificationID: v.ID, Err: errors.Join(vendorError{code: 42202, message: "Invalid callback response: " + why}, cause),
	}
}

// ask posts the request event and waits for the app's word. Without a clear "allow" nothing is sent.
func (e *events) ask(ctx context.Context, t *tenant, v *countersign.Verification) (bool, error) {
	status, body, err := e.post(ctx, t, eventOf(eventRequest, v))
	if err != nil {
		return false, errCallback(v, "the callback could not be reached.", err)
	}
	if status != http.StatusOK {
		return false, errCallback(v, fmt.Sprintf("the callback answered with status %d.", status), nil)
	}
	var r reply
	if err := json.Unmarshal(body, &r, json.MatchCaseInsensitiveNames(true)); err != nil {
		return false, errCallback(v, "the callback's answer is not JSON of the expected shape.", nil)
	}
	switch {
	case r.Action == "deny":
		return false, nil
	case r.Action != "allow":
		return false, errCallback(v, "the action must be allow or deny.", nil)
	case r.SMS.Code != "" || r.Callout.Code != "" || r.Callout.PIN != "" || r.FlashCall.CLI != "":
		// Our codes are derived, bound and counted. To send ours where the app expects its own would lock people out.
		return false, errCallback(v, "a code of the app's own is not supported here; leave it out.", nil)
	}
	return true, nil
}

// maxReply bounds what is read of an app's answer.
const maxReply = 64 << 10

// post sends one signed callback.
func (e *events) post(ctx context.Context, t *tenant, ev *event) (int, []byte, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return 0, nil, fmt.Errorf("encoding a callback: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CallbackTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.CallbackURL, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("building a callback: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	sinchauth.SignCallback(r, body, t.Credentials, e.cfg.Now())
	answer, err := e.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("posting a callback: %w", withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return 0, nil, fmt.Errorf("reading a callback's answer: %w", err)
	}
	return answer.StatusCode, got, nil
}

// withoutURL drops the address from a client's error: an app may keep a token in it.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

func callbackClient(cfg Config) (*http.Client, func()) {
	client := &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if cfg.Transport != nil {
		return client, func() {}
	}
	own := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
		TLSHandshakeTimeout: cfg.CallbackTimeout, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: maxReply,
	}
	client.Transport = own
	return client, own.CloseIdleConnections
}
