package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"countersign"
)

// This file is about what vendors report afterwards. Order and repetition are the engine's to judge (a status never
// goes down); who may report, and what is meant, are the provider's.

// sent makes a provider that has sent one message, and the handler of its callbacks.
func (s *Subject) sent(sink countersign.ReceiptSink) (m *countersign.Message, ref string, callbacks http.Handler, end func(), err error) {
	var refs sync.Map
	_, p, end, err := s.meet(s.accepting(&refs))
	if err != nil {
		return nil, "", nil, nil, err
	}
	m = s.Message(8)
	h, _, err := send(p, m, sendTime)
	if err != nil {
		end()
		return nil, "", nil, nil, err
	}
	return m, h.Ref, s.Receipts.Handler(p, sink), end, nil
}

func post(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// names says whether a receipt is about the message.
func (s *Subject) names(r countersign.Receipt, m *countersign.Message, ref string) bool {
	if r.ID != m.Verification {
		return false
	}
	if s.Receipts.ByRef {
		return r.Ref == ref
	}
	return r.DeliveryID == m.ID
}

func (s *Subject) receiptsAnyhow() error {
	sink := &Sink{}
	m, ref, callbacks, end, err := s.sent(sink)
	if err != nil {
		return err
	}
	defer end()
	order := []countersign.DeliveryStatus{
		countersign.DeliveryDelivered, countersign.DeliverySent, countersign.DeliveryDelivered, countersign.DeliveryUndelivered,
	}
	for _, status := range order {
		if code := post(callbacks, s.Receipts.Request(m, ref, status)); code/100 != 2 {
			return fmt.Errorf("a receipt %q was answered with %d", status, code)
		}
	}
	got := sink.Receipts()
	if len(got) != len(order) {
		return fmt.Errorf("the sink heard %d receipts of %d", len(got), len(order))
	}
	for i, r := range got {
		if r.Status != order[i] || !s.names(r, m, ref) {
			return fmt.Errorf("receipt %d says %q of %q/%q/%q", i, r.Status, r.ID, r.DeliveryID, r.Ref)
		}
	}
	return s.replayed(sink, callbacks, m, ref)
}

// replayed posts the very same bytes twice: both are fine for the vendor, and nothing but the status may come of it.
func (s *Subject) replayed(sink *Sink, callbacks http.Handler, m *countersign.Message, ref string) error {
	r := s.Receipts.Request(m, ref, countersign.DeliveryDelivered)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	for range 2 {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		if code := post(callbacks, again); code/100 != 2 {
			return fmt.Errorf("a repeated receipt was answered with %d", code)
		}
	}
	for _, r := range sink.Receipts() {
		if !s.names(r, m, ref) {
			return errors.New("a repeated receipt is about another message")
		}
	}
	return nil
}

func (s *Subject) receiptsForged() error {
	sink := &Sink{}
	m, ref, callbacks, end, err := s.sent(sink)
	if err != nil {
		return err
	}
	defer end()
	forgeries := map[string]func(r *http.Request, body []byte) []byte{
		"a changed body": func(_ *http.Request, body []byte) []byte { return append(body, ' ') },
		"no body":        func(*http.Request, []byte) []byte { return nil },
		"no headers": func(r *http.Request, body []byte) []byte {
			r.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
			r.URL.RawQuery = ""
			return body
		},
		"another method": func(r *http.Request, body []byte) []byte { r.Method = http.MethodPut; return body },
		"a great body":   func(_ *http.Request, _ []byte) []byte { return bytes.Repeat([]byte("x"), 1<<20) },
	}
	for name, forge := range forgeries {
		r := s.Receipts.Request(m, ref, countersign.DeliveryDelivered)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = forge(r, body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if code := post(callbacks, r); code/100 != 4 {
			return fmt.Errorf("%s was answered with %d", name, code)
		}
		if len(sink.Receipts()) > 0 {
			return fmt.Errorf("%s reached the sink", name)
		}
	}
	return nil
}

func (s *Subject) receiptRepeated() error {
	sink := &Sink{}
	m, ref, callbacks, end, err := s.sent(sink)
	if err != nil {
		return err
	}
	defer end()
	r := s.Receipts.Request(m, ref, countersign.DeliveryDelivered)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	attempt := func() int {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return post(callbacks, again)
	}
	sink.Fail(countersign.Unavailable(errors.New("no store")))
	if code := attempt(); code/100 != 5 {
		return fmt.Errorf("the receipt could not be kept and was answered with %d", code)
	}
	sink.Fail(nil)
	if code := attempt(); code/100 != 2 {
		return fmt.Errorf("the same receipt, sent again by the vendor, was answered with %d", code)
	}
	if len(sink.Receipts()) != 1 {
		return fmt.Errorf("the sink heard %d receipts", len(sink.Receipts()))
	}
	return nil
}
