package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/provider/providertest"
	"countersign/provider/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// letter is the i-th of different messages, to a mailbox of this name.
func letter(t testing.TB, i int, local string) *countersign.Message {
	t.Helper()
	m := providertest.NewMessage(i)
	to, err := countersign.ParseEmail(local + "@example.com")
	if err != nil {
		t.Fatal(err)
	}
	m.To, m.Channel, m.Subject = to, countersign.ChannelEmail, "Your Demo code"
	return m
}

func (e *exim) config() smtp.Config {
	return smtp.Config{
		Name: "post", Host: "127.0.0.1", Port: e.port, Username: "codes", Password: "s3cret", From: `"Shop ÅÄÖ" <codes@shop.example>`,
		ReplyTo: "help@shop.example", RootCAs: e.trust, Timeout: 10 * time.Second,
	}
}

func (s *script) config() smtp.Config {
	return smtp.Config{Name: "post", Host: "127.0.0.1", Port: s.addr.Port, Security: smtp.Plain, From: "codes@shop.example", Timeout: 5 * time.Second}
}

func made(t testing.TB, cfg smtp.Config) *smtp.Provider {
	t.Helper()
	p, err := smtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// failed says what is wrong with a failure.
func failed(t *testing.T, err error, m *countersign.Message, class countersign.FailureClass, detail string) {
	t.Helper()
	var f *countersign.Failure
	if !errors.As(err, &f) {
		t.Errorf("%v is no failure", err)
		return
	}
	if f.Class != class || f.Provider != "post" || (detail != "" && f.Detail != detail) || f.Detail == "" || len(f.Detail) > 64 {
		t.Errorf("class %d, %q; want class %d, %q", f.Class, f.Detail, class, detail)
	}
	for _, secret := range []string{m.Code.Reveal(), m.To.Dial(), "s3cret"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error names %s", secret)
		}
	}
}

// TestAgainstExim: a real mail server takes the message over STARTTLS, and its refusals are read right.
func TestAgainstExim(t *testing.T) {
	e := startExim(t)
	p := made(t, e.config())
	if err := p.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := letter(t, 1, "ann+tag")
	m.Subject = "Kod från Shop\r\nBcc: evil@example.com"
	m.Text = "Demo: 741853 är din kod.\n.\nBcc: evil@example.com\n" + strings.Repeat("å", 300)
	h, err := p.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if h.Ref != m.ID+"@shop.example" || h.Status != countersign.DeliveryAccepted {
		t.Errorf("handed %+v", h)
	}
	list := e.queued(t)
	if len(list) != 1 {
		t.Fatalf("%d messages in the queue", len(list))
	}
	for _, want := range []string{
		"\nann+tag@example.com\n", "Message-ID: <" + h.Ref + ">", "Auto-Submitted: auto-generated", "codes@shop.example>", "Reply-To: <help@shop.example>",
		"To: <ann+tag@example.com>", "741853", "Content-Type: text/plain; charset=UTF-8", "esmtpsa",
	} {
		if !strings.Contains(list[0], want) {
			t.Errorf("the queued message has no %q", want)
		}
	}
	if strings.Contains(list[0], "\nBcc:") && !strings.Contains(list[0], "--body--") || strings.Contains(list[0], "\nevil@example.com") || strings.Contains(strings.Split(list[0], "--body--")[0], "\nBcc:") {
		t.Error("a subject made a header or a recipient")
	}
	if t.Failed() {
		t.Log(list[0])
	}
	t.Run("refusals", func(t *testing.T) { eximRefusals(t, e) })
	t.Run("many at one time", func(t *testing.T) { eximMany(t, e) })
}

func eximRefusals(t *testing.T, e *exim) {
	for _, c := range []struct {
		name, to string
		change   func(*smtp.Config, *countersign.Message)
		class    countersign.FailureClass
		detail   string
	}{
		{"no mailbox", "nobody", nil, countersign.FailDestination, "550 5.1.1"},
		{"full", "full", nil, countersign.FailDestination, "550 5.2.2"},
		{"later", "later", nil, countersign.FailTemporary, "451 4.2.1"},
		{"content", "ann", func(_ *smtp.Config, m *countersign.Message) { m.Subject = "refuse this" }, countersign.FailOperator, "550 5.7.1"},
		{"wrong password", "ann", func(c *smtp.Config, _ *countersign.Message) { c.Password = "s3cret-not" }, countersign.FailOperator, "535"},
		{"not logged in", "ann", func(c *smtp.Config, _ *countersign.Message) { c.Username, c.Password = "", "" }, countersign.FailOperator, "550 5.7.1"},
		{"somebody's sender", "ann", func(c *smtp.Config, _ *countersign.Message) { c.From = "thief@shop.example" }, countersign.FailOperator, "550 5.7.1"},
		{"certificate", "ann", func(c *smtp.Config, _ *countersign.Message) { c.RootCAs = nil }, countersign.FailOperator, "certificate not trusted"},
		{"in clear text", "ann", func(c *smtp.Config, _ *countersign.Message) { c.Security, c.Username, c.Password = smtp.Plain, "", "" }, countersign.FailOperator, "550 5.7.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(e.queued(t))
			cfg, m := e.config(), letter(t, 2, c.to)
			if c.change != nil {
				c.change(&cfg, m)
			}
			_, err := made(t, cfg).Send(t.Context(), m)
			failed(t, err, m, c.class, c.detail)
			if n := len(e.queued(t)); n != before {
				t.Error("the message was taken all the same")
			}
		})
	}
}

func eximMany(t *testing.T, e *exim) {
	before := len(e.queued(t))
	p := made(t, e.config())
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if _, err := p.Send(t.Context(), letter(t, i, fmt.Sprintf("p%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(e.queued(t)) - before; n != 16 {
		t.Errorf("%d messages for 16 sends", n)
	}
}

// TestWhereATransactionEnds: before the final dot nothing was sent; after it, without an answer, nobody knows.
func TestWhereATransactionEnds(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, at, reply string
		class           countersign.FailureClass
		taken           bool
	}{
		{"busy greeting", "(greeting)", "421 4.3.2 busy", countersign.FailTemporary, false},
		{"no service", "(greeting)", "554 5.3.2 no SMTP service here", countersign.FailOperator, false},
		{"nonsense greeting", "(greeting)", "HTTP/1.1 400 Bad Request", countersign.FailTemporary, false},
		{"endless greeting", "(greeting)", "220-" + long + "\r\n220-" + long, countersign.FailTemporary, false},
		{"hangs up", "(greeting)", hangUp, countersign.FailTemporary, false},
		{"sender", "MAIL", "550 5.7.1 sender refused", countersign.FailOperator, false},
		{"sender, later", "MAIL", "451 4.7.1 later", countersign.FailTemporary, false},
		{"recipient without a code", "RCPT", "550 no such user ann@example.com", countersign.FailDestination, false},
		{"relaying denied", "RCPT", "554 5.7.1 <ann@example.com>: Relay access denied", countersign.FailOperator, false},
		{"null MX", "RCPT", "556 5.1.10 null MX", countersign.FailDestination, false},
		{"greylisted", "RCPT", "450 4.7.1 greylisted", countersign.FailTemporary, false},
		{"hangs up at RCPT", "RCPT", hangUp, countersign.FailTemporary, false},
		{"data refused", "DATA", "451 4.3.0 later", countersign.FailTemporary, false},
		{"hangs up at DATA", "DATA", hangUp, countersign.FailTemporary, false},
		{"content refused", "(end)", "554 5.7.1 spam", countersign.FailOperator, false},
		{"full in the end", "(end)", "552 5.2.2 over quota", countersign.FailDestination, false},
		{"later in the end", "(end)", "451 4.3.1 disk full", countersign.FailTemporary, false},
		{"hangs up after the dot", "(end)", hangUp, countersign.FailUnknown, false},
		{"nonsense after the dot", "(end)", "what?", countersign.FailUnknown, false},
		{"endless after the dot", "(end)", "250-" + long, countersign.FailUnknown, false},
		{"hangs up at QUIT", "QUIT", hangUp, 0, true},
		{"nonsense at QUIT", "QUIT", "???", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startScript(t, func(_ *script, _ net.Conn, line string) string {
				if strings.HasPrefix(line, c.at) {
					return c.reply
				}
				return ""
			})
			m := letter(t, 3, "ann")
			_, err := made(t, s.config()).Send(t.Context(), m)
			if c.taken {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failed(t, err, m, c.class, "")
		})
	}
}

// TestSilence: each step ends with the send's deadline, and says what that means.
func TestSilence(t *testing.T) {
	for at, class := range map[string]countersign.FailureClass{
		"(greeting)": countersign.FailTemporary, "EHLO": countersign.FailTemporary, "RCPT": countersign.FailTemporary, "(end)": countersign.FailUnknown,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := startScript(t, func(_ *script, _ net.Conn, line string) string {
				if strings.HasPrefix(line, at) {
					return silence
				}
				return ""
			})
			m := letter(t, 4, "ann")
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := made(t, s.config()).Send(ctx, m)
			if took := time.Since(began); took > 2500*time.Millisecond { // its own time would be 3 s
				t.Errorf("it took %s", took)
			}
			failed(t, err, m, class, "")
		})
	}
}

// TestStartTLSCannotBeStripped: a server, or somebody before it, that offers no STARTTLS gets neither code nor password.
// The control is a client without the demand.
func TestStartTLSCannotBeStripped(t *testing.T) {
	s := startScript(t, func(*script, net.Conn, string) string { return "" })
	cfg := s.config()
	cfg.Security, cfg.Username, cfg.Password = "", "codes", "s3cret"
	m := letter(t, 5, "ann")
	_, err := made(t, cfg).Send(t.Context(), m)
	failed(t, err, m, countersign.FailOperator, "the relay offers no STARTTLS")
	lines, letters := s.said()
	if len(letters) > 0 || strings.Contains(strings.Join(lines, "\n"), "AUTH") || strings.Contains(strings.Join(lines, "\n"), "MAIL") {
		t.Errorf("said in clear text: %q", lines)
	}
	if _, err := made(t, s.config()).Send(t.Context(), m); err != nil {
		t.Errorf("the control: %v", err)
	}
	if _, letters := s.said(); len(letters) != 1 || !strings.Contains(letters[0], "741857") {
		t.Error("the control would not be caught")
	}
}

func TestNotConnected(t *testing.T) {
	m := letter(t, 6, "ann")
	_, err := made(t, smtp.Config{Name: "post", Host: "127.0.0.1", Port: freePort(t), Security: smtp.Plain, From: "codes@shop.example"}).Send(t.Context(), m)
	failed(t, err, m, countersign.FailTemporary, "not connected")
	s := startScript(t, func(*script, net.Conn, string) string { return "" })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = made(t, s.config()).Send(ctx, m)
	failed(t, err, m, countersign.FailTemporary, "")
	if _, letters := s.said(); len(letters) > 0 {
		t.Error("sent after the context had ended")
	}
	sms := providertest.NewMessage(7)
	_, err = made(t, s.config()).Send(t.Context(), sms)
	failed(t, err, sms, countersign.FailOperator, "this route sends e-mail only")
}

func TestMistakes(t *testing.T) {
	err := (&smtp.Config{Host: "smtp.example.com:25", Port: 70000, Security: "ssl", From: "Shop", ReplyTo: "a@b", Hello: "a b", Username: "x", Timeout: time.Minute}).Validate()
	for _, at := range []string{"name", "host", "port", "security", "sender", "reply_to", "hello", "username", "timeout"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s in %v", at, err)
		}
	}
	for host, ok := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.0.0.1": false, "smtp.example.com": false} {
		cfg := smtp.Config{Name: "post", Host: host, Security: smtp.Plain, From: "codes@shop.example"}
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("clear text to %s: %v", host, err)
		}
	}
}

// FuzzRelay: whatever a server says after the message, a send ends, tells the truth and quotes nothing.
func FuzzRelay(f *testing.F) {
	for _, at := range []string{"(greeting)", "EHLO", "MAIL", "RCPT", "DATA", "(end)"} {
		f.Add(at, "550 5.1.1 741853 ann@example.com")
		f.Add(at, "250-\xff\r\n250 \x00")
		f.Add(at, "354")
	}
	type answer struct{ at, reply string }
	var now atomic.Pointer[answer] // a connection that was given up may still read it
	now.Store(&answer{})
	s := startScript(f, func(_ *script, _ net.Conn, line string) string {
		if a := now.Load(); a.at != "" && a.reply != "" && strings.HasPrefix(line, a.at) {
			return a.reply
		}
		return ""
	})
	cfg := s.config()
	cfg.Timeout = 200 * time.Millisecond
	p := made(f, cfg)
	f.Fuzz(func(t *testing.T, where, what string) {
		if strings.HasPrefix(what, "\x00") {
			return
		}
		now.Store(&answer{where, what})
		m := letter(t, 1, "ann")
		_, err := p.Send(t.Context(), m)
		var f *countersign.Failure
		if err != nil && (!errors.As(err, &f) || len(f.Detail) > 64 || strings.Contains(err.Error(), "ann@") || strings.Contains(err.Error(), "741853")) {
			t.Errorf("%v", err)
		}
	})
}
