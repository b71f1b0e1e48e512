package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	stdmail "net/mail"
	"net/textproto"
	"os"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"

	"countersign"
)

// Provider sends e-mail through one relay. It is safe for concurrent use.
type Provider struct {
	cfg           Config
	from, replyTo *stdmail.Address
	domain        string // of From: the right half of message ids
}

var _ countersign.Provider = (*Provider)(nil)

// New makes a provider, or reports every mistake in the configuration at once.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Security == "" {
		cfg.Security = StartTLS
	}
	if cfg.Port == 0 {
		cfg.Port = 587
		if cfg.Security == TLS {
			cfg.Port = 465
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Provider{cfg: cfg}
	var err error
	if p.from, err = mailbox(cfg.From); err != nil {
		return nil, err
	}
	if cfg.ReplyTo != "" {
		if p.replyTo, err = mailbox(cfg.ReplyTo); err != nil {
			return nil, err
		}
	}
	p.domain = p.from.Address[strings.LastIndexByte(p.from.Address, '@')+1:]
	if p.cfg.Hello == "" {
		p.cfg.Hello = p.domain
	}
	return p, nil
}

// Send implements countersign.Provider: one transaction. The reference is the message's Message-ID, the same for every
// attempt at one message.
func (p *Provider) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	letter, ref, err := p.letter(m)
	if err != nil {
		return countersign.Handed{}, p.fail(countersign.FailOperator, err.Error(), nil)
	}
	s := &session{p: p}
	defer s.close()
	if f := s.open(ctx); f != nil {
		return countersign.Handed{}, f
	}
	if f := s.send(letter); f != nil {
		return countersign.Handed{}, f
	}
	return countersign.Handed{Ref: ref, Status: countersign.DeliveryAccepted}, nil
}

// Probe logs in and says goodbye, for the doctor.
func (p *Provider) Probe(ctx context.Context) error {
	s := &session{p: p}
	defer s.close()
	if f := s.open(ctx); f != nil {
		return f
	}
	return nil
}

func (p *Provider) fail(class countersign.FailureClass, detail string, err error) *countersign.Failure {
	return &countersign.Failure{Provider: p.cfg.Name, Class: class, Detail: detail, Err: cause(err)}
}

// letter writes the message: plain text only, so that there is nothing to click and nothing that a filter distrusts.
func (p *Provider) letter(m *countersign.Message) (*mail.Msg, string, error) {
	to, ok := m.To.Email()
	if !ok || m.Channel != countersign.ChannelEmail {
		return nil, "", errors.New("this route sends e-mail only")
	}
	l := mail.NewMsg(mail.WithCharset(mail.CharsetUTF8), mail.WithEncoding(mail.EncodingQP))
	l.FromMailAddress(p.from)
	l.ToMailAddress(&stdmail.Address{Address: to})
	if p.replyTo != nil {
		l.ReplyToMailAddress(p.replyTo)
	}
	subject := oneLine(m.Subject)
	if subject == "" {
		return nil, "", errors.New("the message has no subject")
	}
	l.Subject(subject)
	ref := m.ID + "@" + p.domain
	l.SetMessageIDWithValue(ref)
	l.SetDateWithValue(p.cfg.Now())
	// RFC 3834: no out-of-office answers to codes.
	l.SetGenHeader("Auto-Submitted", "auto-generated")
	l.SetGenHeader("X-Auto-Response-Suppress", "All")
	l.SetUserAgent("Countersign")
	l.SetBodyString(mail.TypeTextPlain, strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\r", "\n"))
	return l, ref, nil
}

// session is one connection.
type session struct {
	p      *Provider
	conn   *watched
	client *mail.Client
	smtp   interface{ Quit() error }
	send   func(*mail.Msg) *countersign.Failure
}

func (s *session) close() {
	if s.conn == nil {
		return
	}
	if s.smtp != nil {
		s.conn.hasty(100 * time.Millisecond)
		_ = s.smtp.Quit()
	}
	_ = s.conn.Close()
}

// open connects and logs in. Whatever fails here, nothing was sent.
func (s *session) open(ctx context.Context) *countersign.Failure {
	cfg := &s.p.cfg
	var err error
	if s.client, err = mail.NewClient(cfg.Host, s.options(ctx)...); err != nil {
		return s.p.fail(countersign.FailOperator, "the relay's settings cannot be used", nil)
	}
	client, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.notOpen(err)
	}
	s.smtp = client
	s.send = func(letter *mail.Msg) *countersign.Failure {
		return s.judge(s.client.SendWithSMTPClient(client, letter))
	}
	return nil
}

// options never let go-mail end or extend the time: the connection ends with the send's own context.
func (s *session) options(sending context.Context) []mail.Option {
	cfg := &s.p.cfg
	tlsConfig := &tls.Config{}
	if cfg.RootCAs != nil {
		tlsConfig = cfg.RootCAs.Clone()
	}
	tlsConfig.ServerName, tlsConfig.MinVersion = cfg.Host, tls.VersionTLS12
	options := []mail.Option{
		mail.WithPort(cfg.Port), mail.WithHELO(cfg.Hello), mail.WithTimeout(cfg.Timeout), mail.WithTLSConfig(tlsConfig),
		mail.WithoutNoop(), mail.WithoutRset(), mail.WithoutSMTPUTF8(), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			s.conn = watch(sending, c)
			if cfg.Security == TLS {
				return tls.Client(s.conn, tlsConfig), nil
			}
			return s.conn, nil
		}),
	}
	switch cfg.Security {
	case TLS:
		options = append(options, mail.WithSSL())
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if cfg.Username != "" {
		auth := mail.SMTPAuthAutoDiscover
		if cfg.Security == Plain {
			auth = mail.SMTPAuthPlainNoEnc
		}
		options = append(options, mail.WithUsername(cfg.Username), mail.WithPassword(string(cfg.Password)), mail.WithSMTPAuth(auth))
	}
	return options
}

// notOpen says why a connection could not be used.
func (s *session) notOpen(err error) *countersign.Failure {
	var said *textproto.Error
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	text := err.Error()
	switch {
	case s.conn == nil:
		return s.p.fail(countersign.FailTemporary, "not connected", err)
	case errors.As(err, &certificate), errors.As(err, &unknown), errors.As(err, &name):
		return s.p.fail(countersign.FailOperator, "certificate not trusted", err)
	case strings.HasPrefix(text, "STARTTLS mode set"):
		return s.p.fail(countersign.FailOperator, "the relay offers no STARTTLS", nil)
	case errors.As(err, &said):
		at := stageBegin
		if strings.HasPrefix(text, "SMTP AUTH failed") || said.Code == 530 || said.Code == 534 || said.Code == 535 {
			at = stageLogin
		}
		enhanced := enhancedIn(said.Msg)
		return s.p.fail(classOf(at, said.Code, enhanced), detail(said.Code, enhanced), nil)
	case strings.Contains(text, "SMTP AUTH"), strings.Contains(text, "supported"):
		return s.p.fail(countersign.FailOperator, "no way to log in", nil)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return s.p.fail(countersign.FailTemporary, "no answer before the message", err)
	}
	return s.p.fail(countersign.FailTemporary, "connection lost before the message", err)
}

// judge says what became of a message.
func (s *session) judge(err error) *countersign.Failure {
	var said *mail.SendError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &said):
		return s.p.fail(countersign.FailUnknown, "no clear answer", err)
	case said.Reason == mail.ErrSMTPReset: // after the 250
		return nil
	case said.Reason == mail.ErrSMTPDataClose && said.ErrorCode() == 0:
		return s.p.fail(countersign.FailUnknown, "no answer after the message", err)
	case said.ErrorCode() == 0:
		return s.p.fail(countersign.FailTemporary, "connection lost before the message's end", err)
	}
	code, enhanced := said.ErrorCode(), said.EnhancedStatusCode()
	if enhanced == "" { // servers give codes without announcing them
		if _, text, ok := strings.Cut(said.Error(), fmt.Sprintf(" %d \"", code)); ok {
			enhanced = enhancedIn(text)
		}
	}
	return s.p.fail(classOf(stageOf(said.Reason), code, enhanced), detail(code, enhanced), nil)
}

// enhancedIn finds an enhanced status code (RFC 2034) at the beginning of an answer's text.
func enhancedIn(text string) string {
	var class, subject, number int
	if n, err := fmt.Sscanf(text, "%d.%d.%d", &class, &subject, &number); n != 3 || err != nil {
		return ""
	}
	if class != 4 && class != 5 || subject < 0 || subject > 999 || number < 0 || number > 999 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", class, subject, number)
}

// cause keeps of an error what cannot quote an address: relays' texts do.
func cause(err error) error {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return certificate
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, errLong} {
		if errors.Is(err, known) {
			return known
		}
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return dial
	}
	return nil
}
