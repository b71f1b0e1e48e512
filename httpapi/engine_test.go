package httpapi_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"countersign"
	"countersign/guard"
)

// engine is a small stand-in for the real one: one map, the real guard, the real parsing of codes. It remembers what it
// was asked, so that tests see what the face made of a request.
type engine struct {
	mu     sync.Mutex
	guard  *guard.Guard
	byID   map[string]*countersign.Verification
	order  []string
	code   string
	starts []*countersign.StartRequest
	checks []*countersign.CheckRequest
	sends  []*countersign.SendRequest
	lists  []*countersign.ListRequest
	cancel []*countersign.CancelRequest
	fail   error // what every call answers, when set
	panics bool
	now    time.Time
}

func newEngine() *engine {
	g, err := guard.New(guard.Config{Apps: map[string]guard.Policy{
		"demo":  {Countries: []string{"US", "GB", "IE", "DE", "AU", "FR", "IN", "AR", "MX", "BR", "CI", "IT"}},
		"other": {Countries: []string{"US"}},
	}})
	if err != nil {
		panic(err)
	}
	return &engine{guard: g, byID: map[string]*countersign.Verification{}, code: "123456", now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// forget empties everything.
func (e *engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byID, e.order, e.starts, e.checks = map[string]*countersign.Verification{}, nil, nil, nil
}

func (e *engine) broken() error {
	if e.panics {
		panic("the engine fell over")
	}
	return e.fail
}

func hash(label string, parts ...string) countersign.Hash { return countersign.Hash{1} }

func (e *engine) Start(_ context.Context, q *countersign.StartRequest) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.starts = append(e.starts, q)
	if err := e.broken(); err != nil {
		return nil, err
	}
	_, err := e.guard.Judge(&countersign.Attempt{Action: countersign.ActionStart, App: q.App, To: q.To, Channel: q.Channel, Client: q.Client, Hash: hash})
	if err != nil {
		return nil, err
	}
	v := &countersign.Verification{
		ID: fmt.Sprintf("ver_0a3%026s", word(len(e.order))), App: q.App.ID, Status: countersign.StatusPending, To: q.To, Channel: q.Channel,
		Purpose: q.Purpose, Face: q.Face, Reference: q.Reference, Metadata: q.Metadata, Transaction: q.Transaction, Created: e.now,
		Expires: e.now.Add(300 * time.Second), CodeLength: 6, Alphabet: countersign.Digits, ChecksLeft: 5, Sends: 1, SendsLeft: 2,
		NextSend: e.now.Add(30 * time.Second), Now: e.now,
		Phone:      countersign.PhoneState{ChecksLeft: 20, SendsLeft: 2, SendsReset: 10 * time.Minute},
		Deliveries: []countersign.Delivery{{ID: "msg_one", Channel: q.Channel, Provider: "main", Status: countersign.DeliveryAccepted, At: e.now}},
	}
	e.byID[v.ID] = v
	e.order = append(e.order, v.ID)
	return v, nil
}

func (e *engine) FormToken(app *countersign.App, browser string) string {
	return "form of " + app.ID + " for " + browser
}

// word writes a number in letters of an id.
func word(n int) string {
	b := []byte("aaaaaaaaaaaaaaaaaaaaaaaaaa")
	for i := len(b) - 1; n > 0; i-- {
		b[i], n = byte('a'+n%26), n/26
	}
	return string(b)
}

func (e *engine) find(app *countersign.App, id string) (*countersign.Verification, error) {
	v, ok := e.byID[id]
	if !ok || v.App != app.ID {
		return nil, countersign.Fail(countersign.ErrNotFound, "There is no such verification for this app.")
	}
	copied := *v
	return &copied, nil
}

func (e *engine) Get(_ context.Context, app *countersign.App, id string) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.broken(); err != nil {
		return nil, err
	}
	return e.find(app, id)
}

func (e *engine) Send(_ context.Context, q *countersign.SendRequest) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sends = append(e.sends, q)
	if err := e.broken(); err != nil {
		return nil, err
	}
	return e.find(q.App, q.ID)
}

func (e *engine) Check(_ context.Context, q *countersign.CheckRequest) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checks = append(e.checks, q)
	if err := e.broken(); err != nil {
		return nil, err
	}
	guess, err := countersign.ParseGuess(q.Code)
	if err != nil {
		return nil, err
	}
	if q.ID == "" && len(e.order) > 0 {
		q.ID = e.order[len(e.order)-1]
	}
	v, err := e.find(q.App, q.ID)
	if err != nil {
		return nil, err
	}
	if !guess.Fits(v.Alphabet, v.CodeLength) {
		return nil, &countersign.Error{Kind: countersign.ErrInvalidCode, Pointer: "/code", Detail: "Not of a code's shape."}
	}
	if v.Status != countersign.StatusPending {
		return nil, countersign.Fail(countersign.ErrVerificationClosed, "This verification has ended.")
	}
	stored := e.byID[q.ID]
	if guess.Reveal() != e.code {
		stored.ChecksLeft--
		left, phone := stored.ChecksLeft, 15+stored.ChecksLeft
		if left == 0 {
			stored.Status = countersign.StatusFailed
		}
		return nil, &countersign.Error{Kind: countersign.ErrIncorrectCode, ChecksLeft: &left, PhoneLeft: &phone, Detail: "The code is not right."}
	}
	stored.Status = countersign.StatusApproved
	v.Status, v.Proof, v.DeviceToken = countersign.StatusApproved, "header.claims.signature", deviceToken
	return v, nil
}

func (e *engine) Cancel(_ context.Context, q *countersign.CancelRequest) (*countersign.Verification, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel = append(e.cancel, q)
	v, err := e.find(q.App, q.ID)
	if err != nil {
		return nil, err
	}
	e.byID[q.ID].Status = countersign.StatusCanceled
	v.Status = countersign.StatusCanceled
	return v, nil
}

func (e *engine) List(_ context.Context, q *countersign.ListRequest) ([]*countersign.Verification, countersign.Cursor, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lists = append(e.lists, q)
	var list []*countersign.Verification
	for i := len(e.order) - 1; i >= 0; i-- {
		if q.Before.ID != "" && e.order[i] >= q.Before.ID {
			continue
		}
		if len(list) == q.Limit {
			last := list[len(list)-1]
			return list, countersign.Cursor{Created: last.Created, ID: last.ID}, nil
		}
		list = append(list, e.byID[e.order[i]])
	}
	return list, countersign.Cursor{}, nil
}

// lastClient is the address that the last request was counted on.
func (e *engine) lastClient() netip.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.starts[len(e.starts)-1].Client.Addr
}

func (e *engine) started() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.starts)
}
