package countersign_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"countersign"
	"countersign/guard"
	"countersign/phone"
	"countersign/signing"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
)

// bench is an engine on real stores, with a carrier that remembers what it was given.
type bench struct {
	*countersign.Verifier
	store   countersign.Store
	db      *sqlstore.DB
	carrier *carrier
	app     *countersign.App
	ring    *signing.Ring
	events  *events
	stop    func()
}

// option changes a bench before it is built.
type option func(*countersign.Config, *countersign.App)

func newBench(t testing.TB, options ...option) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.db")
	store, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return newBenchOn(t, store, path, options...)
}

// newBenchOn builds an engine on a store; another engine may use the same.
func newBenchOn(t testing.TB, store countersign.Store, path string, options ...option) *bench {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), path, sqlstore.Options{Now: store.Now, Timeout: 20 * time.Second, AnswerTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.EnsureRing(t.Context(), make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey(time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing([]signing.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{store: store, db: db, carrier: &carrier{}, ring: ring, events: &events{}}
	b.app = &countersign.App{ID: "demo", Name: "Demo", Region: "US", Policy: countersign.Policy{}.WithDefaults(), Texts: plainTexts{}}
	wide, shared := guard.WideBudgets() // these tests are about the engine's own bounds
	policy, err := guard.New(guard.Config{
		Apps: map[string]guard.Policy{"demo": {Countries: []string{"*"}, Budgets: wide, Shadow: []string{guard.RuleSequence}}, "other": {}}, Instance: guard.Instance{Budgets: shared},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := countersign.Config{
		Store: store, Log: db, Keys: db.Ring, Dispatcher: b.carrier, Guard: policy, Signer: signing.Signer{Ring: ring, Now: store.Now},
		Observer: b.events, Issuer: "https://verify.example.com",
		App: func(id string) (*countersign.App, bool) { return b.app, id == b.app.ID },
	}
	for _, o := range options {
		o(&cfg, b.app)
	}
	if b.Verifier, err = countersign.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bench) advance(t testing.TB, d time.Duration) {
	t.Helper()
	if err := b.store.Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// written waits until a verification's send is written down.
func (b *bench) written(t testing.TB, id string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if o, ok, err := b.store.Lookup(t.Context(), id); err == nil && ok && len(o.Record.Deliveries) > 0 {
			return
		}
	}
	t.Fatal("a send was never written down")
}

// start begins a verification for a number and waits for its message.
func (b *bench) start(t testing.TB, number string, change ...func(*countersign.StartRequest)) (*countersign.Verification, error) {
	t.Helper()
	q := &countersign.StartRequest{
		App: b.app, To: address(t, number), Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Face: countersign.FaceREST, Wait: true,
	}
	for _, c := range change {
		c(q)
	}
	return b.Start(t.Context(), q)
}

func (b *bench) mustStart(t testing.TB, number string, change ...func(*countersign.StartRequest)) *countersign.Verification {
	t.Helper()
	v, err := b.start(t, number, change...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *bench) check(t testing.TB, id, code string, change ...func(*countersign.CheckRequest)) (*countersign.Verification, error) {
	t.Helper()
	q := &countersign.CheckRequest{App: b.app, ID: id, Code: code, Face: countersign.FaceREST, Caller: "key"}
	for _, c := range change {
		c(q)
	}
	return b.Check(t.Context(), q)
}

func address(t testing.TB, number string) countersign.Address {
	t.Helper()
	n, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	return countersign.PhoneAddress(n)
}

// other is a code that is not this one.
func other(code string) string {
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}

func wantKind(t testing.TB, err error, want countersign.Kind) *countersign.Error {
	t.Helper()
	var e *countersign.Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	return e
}

// plainTexts writes the code and, for a transaction, what it is about.
type plainTexts struct{}

func (plainTexts) Notice(n countersign.Notice, locale string) countersign.Rendered {
	return countersign.Rendered{Body: string(n), Locale: locale}
}

func (plainTexts) Render(in countersign.Text) (countersign.Rendered, error) {
	body := in.Code + " is your code."
	if tx := in.Transaction; tx != nil {
		body = fmt.Sprintf("%s approves %s %s to %s.", in.Code, tx.Amount, tx.Currency, tx.Payee)
	}
	return countersign.Rendered{Body: body, Locale: "en"}, nil
}

// carrier takes every message, unless told what to answer.
type carrier struct {
	mu       sync.Mutex
	messages []countersign.Message
	answer   func(m *countersign.Message) error
	hosted   countersign.HostedProvider
	sent     chan struct{}
}

func (c *carrier) Plan(w *countersign.Wish) (countersign.Path, error) {
	ch := w.Channel
	switch ch {
	case countersign.ChannelAuto:
		ch = countersign.ChannelSMS
	case "":
		ch = w.Last
	}
	p := countersign.Path{Channel: ch, OwnCode: c.hosted == nil}
	if c.hosted != nil {
		p.Hosted = "vendor"
	}
	return p, nil
}

func (c *carrier) Dispatch(_ context.Context, p countersign.Path, m *countersign.Message) (countersign.Dispatched, error) {
	c.mu.Lock()
	c.messages = append(c.messages, *m)
	answer, sent := c.answer, c.sent
	c.mu.Unlock()
	d := countersign.Dispatched{Delivery: countersign.Delivery{ID: m.ID, Channel: m.Channel, Provider: "vendor", Ref: "ref-" + m.ID, Status: countersign.DeliveryAccepted}}
	var err error
	if answer != nil {
		err = answer(m)
	}
	if err != nil {
		d.Delivery.Status, d.Delivery.Ref = countersign.DeliveryFailed, ""
		var f *countersign.Failure
		if errors.As(err, &f) && f.Class == countersign.FailUnknown {
			d.Delivery.Status = countersign.DeliveryQueued
		}
	} else if p.Hosted != "" {
		d.HostedRoute, d.HostedRef = p.Hosted, "ref-"+m.ID
	}
	if sent != nil {
		sent <- struct{}{}
	}
	return d, err
}

func (c *carrier) Hosted(string) (countersign.HostedProvider, bool) { return c.hosted, c.hosted != nil }

func (c *carrier) Completer(string) (countersign.Completer, bool) { return nil, false }

func (c *carrier) answers(f func(m *countersign.Message) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

func (c *carrier) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.messages)
}

func (c *carrier) last(t testing.TB) countersign.Message {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) == 0 {
		t.Fatal("no message was sent")
	}
	return c.messages[len(c.messages)-1]
}

// code is the code of the newest message.
func (c *carrier) code(t testing.TB) string {
	t.Helper()
	return c.last(t).Code.Reveal()
}

// events remembers what was observed.
type events struct {
	mu   sync.Mutex
	list []countersign.Event
}

func (e *events) Observe(ev countersign.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

// count is how often an event was observed.
func (e *events) count(name countersign.EventName) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.list {
		if e.list[i].Name == name {
			n++
		}
	}
	return n
}
