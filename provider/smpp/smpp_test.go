package smpp_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"countersign"
	"countersign/phone"
	"countersign/provider/providertest"
	"countersign/provider/smpp"
)

// sink keeps receipts and replies.
type sink struct {
	providertest.Sink
	mu      sync.Mutex
	replies []string
}

func (s *sink) TakeReply(_ context.Context, sender string, from countersign.Address, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = append(s.replies, sender+"|"+from.Dial()+"|"+text)
	return nil
}

func (s *smsc) config() smpp.Config {
	return smpp.Config{
		Name: "smsc", Host: "127.0.0.1", Port: s.addr.Port, TLS: s.trust != nil, RootCAs: s.trust, SystemID: "shop", Password: "s3cret", From: "Shop",
		TON: -1, NPI: -1, Enquire: 200 * time.Millisecond, Timeout: 3 * time.Second,
	}
}

// run makes a provider and keeps its session until the test ends.
func run(t testing.TB, cfg smpp.Config) (*smpp.Provider, *sink) {
	t.Helper()
	s := &sink{}
	return runFor(t, cfg, s), s
}

// runFor is run with an engine of the test's own.
func runFor(t testing.TB, cfg smpp.Config, engine countersign.ReceiptSink) *smpp.Provider {
	t.Helper()
	p, err := smpp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Attach(engine)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

// to is a message to the number that ends with four digits.
func to(t testing.TB, last string) *countersign.Message {
	t.Helper()
	n, err := phone.FromE164("+1415555" + last)
	if err != nil {
		t.Fatal(err)
	}
	m := providertest.NewMessage(1)
	m.To = countersign.PhoneAddress(n)
	return m
}

func failed(t *testing.T, err error, m *countersign.Message, class countersign.FailureClass, detail string) {
	t.Helper()
	var f *countersign.Failure
	if !errors.As(err, &f) {
		t.Errorf("%v is no failure", err)
		return
	}
	if f.Class != class || f.Provider != "smsc" || f.Detail != detail {
		t.Errorf("class %d, %q; want class %d, %q", f.Class, f.Detail, class, detail)
	}
	for _, secret := range []string{m.Code.Reveal(), strings.TrimPrefix(m.To.Dial(), "+"), "s3cret"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error names %s", secret)
		}
	}
}

// eventually waits for what another process does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAgainstTheSMSC(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secured), func(t *testing.T) {
			smsc := startSMSC(t, "127.0.0.1:0", secured)
			p, sink := run(t, smsc.config())
			m := to(t, "0101")
			h, err := p.Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the SMSC tells of it", func() bool { return len(smsc.submits(m.To.Dial())) > 0 })
			got := smsc.submits(m.To.Dial())
			if len(got) != 1 || h.Ref != "1001" {
				t.Fatalf("%+v, ref %q", got, h.Ref)
			}
			text, _ := hex.DecodeString(got[0].Text)
			want := received{To: "14155550101", From: "Shop", Text: got[0].Text, Validity: "000000000500000R", Registered: 1, TON: 5}
			if got[0] != want || string(text) != m.Text {
				t.Errorf("submitted %+v, %q", got[0], text)
			}
			eventually(t, "a receipt", func() bool { return len(sink.Receipts()) == 1 })
			if r := sink.Receipts()[0]; r.ID != m.Verification || r.DeliveryID != m.ID || r.Ref != h.Ref || r.Status != countersign.DeliveryDelivered {
				t.Errorf("the receipt is %+v", r)
			}
			eventually(t, "the receipt is answered", func() bool { return smsc.count(func(r received) int { return r.Replied }) == 1 })
		})
	}
}

func TestRefusals(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	cfg := smsc.config()
	cfg.Timeout, cfg.Classes = 500*time.Millisecond, map[string]string{"0x410": "denied"}
	for _, c := range []struct {
		last, name string
		class      countersign.FailureClass
		detail     string
	}{
		{"0201", "number", countersign.FailDestination, "0x0b RINVDSTADR"},
		{"0202", "throttled", countersign.FailTemporary, "0x58 RTHROTTLED"},
		{"0203", "no answer", countersign.FailUnknown, "no answer in time"},
		{"0204", "hangs up", countersign.FailUnknown, "answer lost"},
		{"0207", "not SMPP", countersign.FailUnknown, "answer lost"},
		{"0208", "the vendor's own", countersign.FailDenied, "0x410"},
		{"0209", "a request with the same number is no answer", countersign.FailDestination, "0x0b RINVDSTADR"},
		{"0215", "no id", countersign.FailUnknown, "no id in the answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := run(t, cfg)
			m := to(t, c.last)
			_, err := p.Send(t.Context(), m)
			failed(t, err, m, c.class, c.detail)
			eventually(t, "the SMSC tells of it", func() bool { return len(smsc.submits(m.To.Dial())) == 1 })
		})
	}
}

func TestNotBound(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", true)
	plain := startSMSC(t, "127.0.0.1:0", false)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	for name, c := range map[string]struct {
		change func(*smpp.Config)
		class  countersign.FailureClass
		detail string
	}{
		"password":        {func(c *smpp.Config) { c.Password = "wrong" }, countersign.FailOperator, "not bound: 0x0e RINVPASWD"},
		"barred":          {func(c *smpp.Config) { c.SystemID = "barred" }, countersign.FailOperator, "not bound: 0x0d RBINDFAIL"},
		"certificate":     {func(c *smpp.Config) { c.RootCAs = nil }, countersign.FailOperator, "certificate not trusted"},
		"nobody there":    {func(c *smpp.Config) { c.Port = port }, countersign.FailTemporary, "not bound"},
		"TLS to no TLS":   {func(c *smpp.Config) { c.Port = plain.addr.Port }, countersign.FailTemporary, "not bound"},
		"no TLS to a TLS": {func(c *smpp.Config) { c.TLS = false }, countersign.FailTemporary, "not bound"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := smsc.config()
			c.change(&cfg)
			p, _ := run(t, cfg)
			m := to(t, "0101")
			var err error
			eventually(t, "the reason is known", func() bool { // the first bind may still be on its way
				_, err = p.Send(t.Context(), m)
				var f *countersign.Failure
				return errors.As(err, &f) && f.Detail == c.detail
			})
			failed(t, err, m, c.class, c.detail)
			if err := p.Probe(t.Context()); err == nil {
				t.Error("the probe is content")
			}
		})
	}
	if p, _ := run(t, smsc.config()); p.Probe(t.Context()) != nil {
		t.Error("the probe is not content with a good account")
	}
}

// TestRebind: the SMSC dies and comes back, and messages go on.
func TestRebind(t *testing.T) {
	first := startSMSC(t, "127.0.0.1:0", false)
	p, _ := run(t, first.config())
	if _, err := p.Send(t.Context(), to(t, "0101")); err != nil {
		t.Fatal(err)
	}
	first.kill()
	m := to(t, "0102")
	_, err := p.Send(t.Context(), m)
	var f *countersign.Failure
	if !errors.As(err, &f) || f.Class != countersign.FailTemporary && f.Class != countersign.FailUnknown {
		t.Errorf("while it is dead: %v", err)
	}
	second := startSMSC(t, first.addr.String(), false)
	out := 0 // attempts that may have reached it
	eventually(t, "bound again", func() bool {
		_, err := p.Send(t.Context(), to(t, "0103"))
		var f *countersign.Failure
		if err == nil || errors.As(err, &f) && f.Class == countersign.FailUnknown {
			out++
		}
		return err == nil
	})
	// What the SMSC tells of itself comes over a pipe, which its answer may overtake.
	eventually(t, "the SMSC tells of the message", func() bool { return len(second.submits("+14155550103")) > 0 })
	if n := second.count(func(r received) int { return r.Bound }); n != 1 {
		t.Errorf("%d binds", n)
	}
	if n := len(second.submits("+14155550103")); n > out {
		t.Errorf("the message went out %d times by %d attempts", n, out)
	}
}

// TestUnbind: who stops says goodbye, with an answer.
func TestUnbind(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	p, err := smpp.New(smsc.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if _, err := p.Send(t.Context(), to(t, "0101")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	eventually(t, "unbound", func() bool { return smsc.count(func(r received) int { return r.Unbound }) == 1 })
}

// TestWindow: no more submits than the window are without an answer, and those that wait go out in their turn. The control is
// a window as wide as the rush.
func TestWindow(t *testing.T) {
	const sends = 12
	for _, window := range []int{3, sends} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			smsc := startSMSC(t, "127.0.0.1:0", false)
			cfg := smsc.config()
			cfg.Window = window
			p, _ := run(t, cfg)
			var all sync.WaitGroup
			for range sends {
				all.Go(func() {
					if _, err := p.Send(t.Context(), to(t, "0216")); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			most := 0
			for _, r := range smsc.submits("+14155550216") {
				most = max(most, r.Waiting+1)
			}
			if n := len(smsc.submits("+14155550216")); n != sends || (window < sends && most > window) || (window == sends && most <= 3) {
				t.Errorf("%d submits, %d at one time", n, most)
			}
		})
	}
}

func TestReceipts(t *testing.T) {
	for _, c := range []struct {
		last, name string
		want       []countersign.DeliveryStatus
		detail     string
	}{
		{"0205", "before the answer", []countersign.DeliveryStatus{countersign.DeliveryDelivered}, ""},
		{"0206", "not delivered", []countersign.DeliveryStatus{countersign.DeliveryUndelivered}, "UNDELIV 045"},
		{"0210", "hexadecimal and decimal", []countersign.DeliveryStatus{countersign.DeliveryDelivered}, ""},
		{"0212", "another number", nil, ""},
		{"0213", "optional parameters", []countersign.DeliveryStatus{countersign.DeliveryDelivered}, ""},
		{"0214", "twice and out of order", []countersign.DeliveryStatus{countersign.DeliveryDelivered, countersign.DeliveryDelivered, countersign.DeliverySent}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			smsc := startSMSC(t, "127.0.0.1:0", false)
			p, sink := run(t, smsc.config())
			m := to(t, c.last)
			h, err := p.Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			deliveries := max(1, len(c.want))
			eventually(t, "all receipts are answered", func() bool { return smsc.count(func(r received) int { return r.Replied }) == deliveries })
			eventually(t, "all receipts are kept", func() bool { return len(sink.Receipts()) == len(c.want) })
			for i, r := range sink.Receipts() {
				if r.Status != c.want[i] || r.Detail != c.detail || r.ID != m.Verification || r.DeliveryID != m.ID || r.Ref != h.Ref {
					t.Errorf("receipt %d is %+v", i, r)
				}
			}
		})
	}
}

// logged is an engine whose log has one message, sent by a process that is no more.
type logged struct {
	sink
	route string
	fail  error
	one   countersign.Sending
}

func (l *logged) SendingsTo(_ context.Context, route string, to countersign.Address) ([]countersign.Sending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fail; err != nil {
		l.fail = nil
		return nil, err
	}
	if route != l.route || to.Dial() != "+14155550217" {
		return nil, nil
	}
	return []countersign.Sending{{Verification: "ver_other", Delivery: countersign.Delivery{ID: "msg_other", Ref: "77"}}, l.one}, nil
}

// TestReceiptAfterARestart: the process that sent a message is gone when its receipt comes. The log knows the message.
func TestReceiptAfterARestart(t *testing.T) {
	for _, c := range []struct {
		name, route string
		fail        error
		receipts    int
	}{{"the route's", "smsc", nil, 1}, {"the log is away once", "smsc", errors.New("no store"), 1}, {"another route's", "other", nil, 0}} {
		t.Run(c.name, func(t *testing.T) {
			smsc := startSMSC(t, "127.0.0.1:0", false)
			m := to(t, "0217")
			var h countersign.Handed
			t.Run("before", func(t *testing.T) {
				p, sink := run(t, smsc.config())
				var err error
				if h, err = p.Send(t.Context(), m); err != nil || len(sink.Receipts()) != 0 {
					t.Fatalf("%v, %d receipts", err, len(sink.Receipts()))
				}
			})
			engine := &logged{route: c.route, fail: c.fail, one: countersign.Sending{Verification: m.Verification, Delivery: countersign.Delivery{ID: m.ID, Ref: h.Ref}}}
			runFor(t, smsc.config(), engine)
			eventually(t, "the receipt is answered", func() bool {
				return smsc.count(func(r received) int {
					if r.DeliverStatus == 0 {
						return r.Replied
					}
					return 0
				}) == 1
			})
			got := engine.Receipts()
			if len(got) != c.receipts {
				t.Fatalf("%d receipts, want %d", len(got), c.receipts)
			}
			for _, r := range got {
				if r.ID != m.Verification || r.DeliveryID != m.ID || r.Status != countersign.DeliveryDelivered {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestSenders: a country's sender goes out by its own form.
func TestSenders(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	p, _ := run(t, smsc.config())
	for i, c := range []struct {
		sender, from string
		ton, npi     int
	}{{"", "Shop", 5, 0}, {"+46701234567", "46701234567", 1, 1}, {"72404", "72404", 3, 0}, {"Butik", "Butik", 5, 0}} {
		m := to(t, "0101")
		m.Sender = c.sender
		if _, err := p.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var last received
		eventually(t, "the submit is told", func() bool {
			n := 0
			smsc.count(func(r received) int {
				if r.To != "" {
					n, last = n+1, r
				}
				return 0
			})
			return n == i+1
		})
		if last.From != c.from || last.TON != c.ton || last.NPI != c.npi {
			t.Errorf("sender %q: from %q, %d/%d", c.sender, last.From, last.TON, last.NPI)
		}
	}
	m := to(t, "0101")
	m.Sender = "a name that is too long"
	_, err := p.Send(t.Context(), m)
	failed(t, err, m, countersign.FailOperator, "the country's sender cannot be one")
}

// TestReceiptThatCannotBeKept: it is refused, comes again, and counts then.
func TestReceiptThatCannotBeKept(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	p, sink := run(t, smsc.config())
	sink.Fail(errors.New("no store"))
	if _, err := p.Send(t.Context(), to(t, "0101")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the receipt is refused", func() bool { return smsc.count(func(r received) int { return r.DeliverStatus }) >= 0x64 })
	sink.Fail(nil)
	eventually(t, "it comes again", func() bool { return len(sink.Receipts()) == 1 })
}

func TestReply(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	p, sink := run(t, smsc.config())
	if _, err := p.Send(t.Context(), to(t, "0211")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reply", func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return len(sink.replies) == 1 && sink.replies[0] == "Shop|+14155550211|Stop"
	})
}

// TestTexts: alphabets and parts, as the SMSC reads them.
func TestTexts(t *testing.T) {
	smsc := startSMSC(t, "127.0.0.1:0", false)
	cfg := smsc.config()
	cfg.From = "+46701234567"
	p, _ := run(t, cfg)
	latin := cfg
	latin.Latin1 = true
	q, _ := run(t, latin)
	for i, c := range []struct {
		by     *smpp.Provider
		text   string
		coding int
		parts  int
	}{
		{p, "Kod: {741853} für Ægir @ 5€", 0, 1},
		{p, strings.Repeat("a", 160), 0, 1},
		{p, strings.Repeat("a", 161), 0, 2},
		{p, strings.Repeat("€", 80), 0, 1},
		{p, strings.Repeat("a", 152) + "€" + strings.Repeat("b", 100), 0, 2},
		{p, "код 741853", 8, 1},
		{p, strings.Repeat("ж", 70), 8, 1},
		{p, strings.Repeat("ж", 71), 8, 2},
		{p, strings.Repeat("ж", 66) + "😀" + strings.Repeat("ж", 10), 8, 2},
		{q, "Kod: {741853} für Ægir", 3, 1},
		{q, strings.Repeat("é", 141), 3, 2},
		{q, "5€", 8, 1},
	} {
		m := to(t, fmt.Sprintf("%04d", 300+i))
		m.Text = c.text
		if _, err := c.by.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the SMSC tells of it", func() bool { return len(smsc.submits(m.To.Dial())) >= c.parts })
		got := smsc.submits(m.To.Dial())
		if len(got) != c.parts {
			t.Errorf("%q: %d parts, want %d", c.text, len(got), c.parts)
			continue
		}
		var whole strings.Builder
		for n, part := range got {
			b, _ := hex.DecodeString(part.Text)
			if part.Coding != c.coding || part.TON != 1 || part.NPI != 1 || (part.Registered == 1) != (n == c.parts-1) || (part.Class&0x40 != 0) != (c.parts > 1) {
				t.Errorf("%q: %+v", c.text, part)
			}
			if c.parts > 1 {
				if len(b) < 6 || b[0] != 5 || b[1] != 0 || b[2] != 3 || int(b[4]) != c.parts || int(b[5]) != n+1 {
					t.Errorf("%q: the header of part %d is %x", c.text, n+1, b[:min(6, len(b))])
					continue
				}
				b = b[6:]
			}
			whole.WriteString(read(b, c.coding))
		}
		if whole.String() != c.text {
			t.Errorf("sent %q, arrived %q", c.text, whole.String())
		}
	}
	m := to(t, "0399")
	m.Text = strings.Repeat("ж", 600)
	_, err := p.Send(t.Context(), m)
	failed(t, err, m, countersign.FailOperator, "the text takes more than 8 parts")
}

// read decodes by tables of its own: of GSM 03.38 just what the texts above use.
func read(b []byte, coding int) string {
	switch coding {
	case 8:
		var units []uint16
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(units))
	case 3:
		runes := make([]rune, len(b))
		for i := range b {
			runes[i] = rune(b[i])
		}
		return string(runes)
	}
	var s strings.Builder
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case 0x00:
			s.WriteString("@")
		case 0x1c:
			s.WriteString("Æ")
		case 0x7e:
			s.WriteString("ü")
		case 0x1b:
			i++
			s.WriteString(map[byte]string{0x28: "{", 0x29: "}", 0x65: "€"}[b[i]])
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}

func TestMistakes(t *testing.T) {
	cfg := smpp.Config{
		Host: "smsc.example.com", Port: 70000, SystemID: strings.Repeat("x", 16), SystemType: "ÅÄÖ", From: "a very long name", TON: 9, Window: -1,
		Timeout: time.Minute, Classes: map[string]string{"x": "temporary", "1": "fatal"},
	}
	err := cfg.Validate()
	for _, at := range []string{
		"name", "port", "security", "username", "password", "system_type", "sender", "source_ton", "window", "timeout", "answer.error_classes.x", "answer.error_classes.1",
	} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s in %v", at, err)
		}
	}
}
