package smpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"countersign"
	"countersign/phone"
)

// Provider sends text messages through one SMSC account. It is safe for concurrent use. Nothing is sent before Run.
type Provider struct {
	cfg      Config
	ton, npi byte
	from     string
	classes  map[uint32]countersign.FailureClass
	memory   *memory
	window   chan struct{}
	long     atomic.Uint32 // numbers long messages

	mu      sync.Mutex
	now     *session
	changed chan struct{} // closed when a session begins
	why     error         // why there is none
	sink    countersign.ReceiptSink
	log     sendings // nil when the sink is none
}

// sendings is what the engine is besides a sink: it knows what was sent before this process began, and by others. Receipts
// name a message by the SMSC's id alone.
type sendings interface {
	SendingsTo(ctx context.Context, route string, to countersign.Address) ([]countersign.Sending, error)
}

var _ countersign.Provider = (*Provider)(nil)

// New makes a provider, or reports every mistake in the configuration at once.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Port == 0 {
		cfg.Port = 2775
		if cfg.TLS {
			cfg.Port = 3550
		}
	}
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.Enquire <= 0 {
		cfg.Enquire = DefaultEnquire
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Provider{
		cfg: cfg, classes: compileClasses(cfg.Classes), memory: newMemory(), window: make(chan struct{}, cfg.Window), changed: make(chan struct{}),
	}
	p.ton, p.npi, p.from, _ = source(cfg.From)
	if cfg.TON >= 0 && cfg.NPI >= 0 && (cfg.TON > 0 || cfg.NPI > 0) {
		p.ton, p.npi = byte(cfg.TON), byte(cfg.NPI)
	}
	p.long.Store(rand.Uint32())
	return p, nil
}

// Attach says who takes receipts and replies. It is called before Run.
func (p *Provider) Attach(sink countersign.ReceiptSink) {
	p.mu.Lock()
	p.sink = sink
	p.log, _ = sink.(sendings)
	p.mu.Unlock()
}

// Pauses between binds.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
)

// Run keeps a session until the context ends.
func (p *Provider) Run(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		s, err := p.connect(ctx)
		if err == nil {
			p.begin(s)
			began := time.Now()
			err = s.serve(ctx)
			p.finish(s, err)
			if time.Since(began) > pause {
				pause = firstPause
			}
		} else {
			p.finish(nil, err)
		}
		if ctx.Err() != nil {
			break
		}
		wait := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, maxPause)
	}
	return ctx.Err()
}

func (p *Provider) begin(s *session) {
	p.mu.Lock()
	p.now, p.why = s, nil
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
}

func (p *Provider) finish(s *session, why error) {
	p.memory.idle()
	p.mu.Lock()
	if p.now == s {
		p.now = nil
	}
	p.why = why
	p.mu.Unlock()
}

// Probe binds and says goodbye, for the doctor.
func (p *Provider) Probe(ctx context.Context) error {
	s, err := p.connect(ctx)
	if err != nil {
		return p.notBound(err)
	}
	_ = s.write(&pdu{id: unbind, seq: s.seq.Add(1)})
	s.close()
	return nil
}

// bindTime is how long a send waits for a session that is not there.
const bindTime = 500 * time.Millisecond

func (p *Provider) session(ctx context.Context) (*session, error) {
	wait := time.NewTimer(bindTime)
	defer wait.Stop()
	for {
		p.mu.Lock()
		s, changed := p.now, p.changed
		p.mu.Unlock()
		if s != nil {
			select {
			case <-s.over:
			default:
				return s, nil
			}
		}
		select {
		case <-changed:
			continue
		case <-wait.C:
		case <-ctx.Done():
		}
		return nil, p.notBound(p.reason())
	}
}

func (p *Provider) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *Provider) fail(class countersign.FailureClass, detail string, err error) *countersign.Failure {
	return &countersign.Failure{Provider: p.cfg.Name, Class: class, Detail: detail, Err: cause(err)}
}

// notBound says what it means that there is no session: nothing was sent.
func (p *Provider) notBound(why error) *countersign.Failure {
	var status statusError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(why, &status):
		class, name := p.meaningOf(uint32(status))
		return p.fail(class, "not bound: "+name, nil)
	case errors.As(why, &certificate):
		return p.fail(countersign.FailOperator, "certificate not trusted", why)
	}
	return p.fail(countersign.FailTemporary, "not bound", why)
}

// Send implements countersign.Provider: one submit a part. The reference is the SMSC's id of the last part, and the
// receipt is about that one.
func (p *Provider) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	number, ok := m.To.Phone()
	if !ok || m.Channel != countersign.ChannelSMS {
		return countersign.Handed{}, p.fail(countersign.FailOperator, "this route sends text messages only", nil)
	}
	coding, list, err := parts(m.Text, p.cfg.Latin1, byte(p.long.Add(1)))
	if err != nil {
		return countersign.Handed{}, p.fail(countersign.FailOperator, err.Error(), nil)
	}
	ton, npi, from, err := p.source(m.Sender)
	if err != nil {
		return countersign.Handed{}, p.fail(countersign.FailOperator, "the country's sender cannot be one", nil)
	}
	to := digits(number.E164())
	ref := ""
	for i, text := range list {
		last := i == len(list)-1
		about := sent{to: to}
		if last {
			about = sent{verification: m.Verification, delivery: m.ID, to: to, at: p.cfg.Now()}
		}
		var f *countersign.Failure
		ref, f = p.submit(ctx, &submission{
			ton: ton, npi: npi, from: from, to: to, coding: coding, validity: validity(m.Lifetime), receipt: last, text: text,
			userDataHeader: len(list) > 1,
		}, &about)
		if f != nil {
			return countersign.Handed{}, f
		}
	}
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
}

// source is who a message comes from: the country's sender, by its form, or the configured one.
func (p *Provider) source(country string) (ton, npi byte, address string, err error) {
	if country == "" || country == p.cfg.From {
		return p.ton, p.npi, p.from, nil
	}
	return source(country)
}

// submit sends one part within the window.
func (p *Provider) submit(ctx context.Context, what *submission, about *sent) (ref string, f *countersign.Failure) {
	select {
	case p.window <- struct{}{}:
		defer func() { <-p.window }()
	case <-ctx.Done():
		return "", p.fail(countersign.FailTemporary, "the window is full", ctx.Err())
	}
	s, err := p.session(ctx)
	if err != nil {
		errors.As(err, &f)
		return "", f
	}
	answer, written, err := s.ask(ctx, submitSM, what.body(), about)
	switch {
	case err != nil && !written:
		return "", p.fail(countersign.FailTemporary, "not sent", err)
	case errors.Is(err, context.DeadlineExceeded):
		return "", p.fail(countersign.FailUnknown, "no answer in time", err)
	case err != nil:
		return "", p.fail(countersign.FailUnknown, "answer lost", err)
	case answer.status != statusOK:
		class, name := p.meaningOf(answer.status)
		if answer.status == 0x04 {
			s.close() // it does not know us any more: bind again
		}
		return "", p.fail(class, name, nil)
	case answer.id != submitSMResp:
		return "", p.fail(countersign.FailUnknown, "the answer is of another kind", nil)
	}
	ref, ok := messageID(answer.body)
	if !ok {
		return "", p.fail(countersign.FailUnknown, "no id in the answer", nil)
	}
	return ref, nil
}

// validity is a lifetime in the relative form of SMPP 3.4, 7.1.1.2, rounded up; "" for none.
func validity(d time.Duration) string {
	s := int((d + time.Second - 1) / time.Second)
	if s <= 0 || s >= 24*3600 {
		return ""
	}
	return fmt.Sprintf("000000%02d%02d%02d000R", s/3600, s/60%60, s%60)
}

// handleTime bounds what one delivery may take.
const handleTime = 2 * time.Second

// remember enters a taken message, and applies what was reported of it already.
func (p *Provider) remember(about sent) {
	for _, r := range p.memory.add(about) {
		// Who reads the session must not wait for a store. A report that cannot be kept is one that is missing.
		go func() { _ = p.report(about, r) }()
	}
}

func (p *Provider) report(about sent, r report) error {
	p.mu.Lock()
	sink := p.sink
	p.mu.Unlock()
	if sink == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handleTime)
	defer cancel()
	return sink.TakeReceipt(ctx, countersign.Receipt{
		ID: about.verification, DeliveryID: about.delivery, Ref: about.ref, Status: r.status, Detail: r.detail,
	})
}

// handle takes a deliver_sm. An error means that it was not kept and should come again; what cannot be read or is about
// nothing of ours would not be better the second time.
func (p *Provider) handle(body []byte, waiting bool) error {
	d, ok := parseDelivery(body)
	if !ok {
		return nil
	}
	text := decode(d, p.cfg.Latin1)
	if d.receipt() {
		r, ok := parseReport(d, text)
		if !ok {
			return nil
		}
		about, known := p.memory.find(r, d.from, waiting)
		if !known {
			var err error
			if about, known, err = p.recall(r, d.from); err != nil || !known {
				return err
			}
		}
		return p.report(about, r)
	}
	return p.reply(d, text)
}

// recall looks for a message that this process did not send: it was restarted since, or another one holds the session that it
// went over.
func (p *Provider) recall(r report, number string) (sent, bool, error) {
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	to, err := phone.FromE164("+" + digits(number))
	if log == nil || err != nil {
		return sent{}, false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handleTime)
	defer cancel()
	list, err := log.SendingsTo(ctx, p.cfg.Name, countersign.PhoneAddress(to))
	if err != nil {
		return sent{}, false, err
	}
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, sameID} {
		for _, s := range list {
			if same(r.id, s.Delivery.Ref) {
				return sent{verification: s.Verification, delivery: s.Delivery.ID, ref: s.Delivery.Ref, to: digits(number)}, true, nil
			}
		}
	}
	return sent{}, false, nil
}

// reply hands on what a person sent back: the engine knows the words of consent.
func (p *Provider) reply(d *delivery, text string) error {
	p.mu.Lock()
	sink := p.sink
	p.mu.Unlock()
	from, err := phone.FromE164("+" + digits(d.from))
	if sink == nil || err != nil || strings.TrimSpace(text) == "" {
		return nil // a short code or a name wrote
	}
	sender := d.to
	if digits(d.to) == digits(p.cfg.From) {
		sender = p.cfg.From // the opt-out list knows it in the configured spelling
	}
	ctx, cancel := context.WithTimeout(context.Background(), handleTime)
	defer cancel()
	return sink.TakeReply(ctx, sender, countersign.PhoneAddress(from), text)
}

// cause keeps of an error what a log may hold.
func cause(err error) error {
	var status statusError
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &status):
		return status
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &dial) && dial.Op == "dial":
		return dial
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, errOver, errUnbind, errDumb, errPDU} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}
