package config

import "time"

// Server is a vendor that is spoken to over a protocol of its own instead of HTTP.
type Server struct {
	Host     string
	Port     int
	Security string // "starttls", "tls" or "none"
	Username string
	Password string

	ReplyTo string // smtp
	Hello   string // smtp

	SystemType string        // smpp
	SourceTON  int           // smpp; 0 by the sender's form, else the value and 1
	SourceNPI  int           // smpp; likewise
	Window     int           // smpp
	Enquire    time.Duration // smpp
	Alphabet   string        // smpp: "gsm" or "latin1"
}

func ofServer[T any](field func(*Server) *T, parse func(string) (T, error)) func(*Config, []string, value) error {
	return ofProvider(func(p *Provider) *T { return field(&p.Server) }, parse)
}

func serverSettings() []Setting {
	return []Setting{
		{Path: "providers.*.host", Doc: "smtp: the relay's name; smpp: the SMSC's.", set: ofServer(func(s *Server) *string { return &s.Host }, anyText)},
		{Path: "providers.*.port", Doc: "smtp: by default 587, and 465 with `security: tls`; smpp: by default 3550, and 2775 with `security: none`.", set: ofServer(func(s *Server) *int { return &s.Port }, number(1, 65535))},
		{Path: "providers.*.security", Doc: "smtp: `starttls` (default), `tls` from the first byte, or `none`: to loopback only, or with `dangerously_allow_http`; smpp: `tls` (default) or `none`.", set: ofServer(func(s *Server) *string { return &s.Security }, oneOf[string]("starttls", "tls", "none"))},
		{Path: "providers.*.username", Doc: "smtp: who logs in. Without it nobody does; smpp: the system_id.", set: ofServer(func(s *Server) *string { return &s.Username }, anyText)},
		{Path: "providers.*.password", Secret: true, Doc: "smtp, smpp: the password.", set: ofServer(func(s *Server) *string { return &s.Password }, anyText)},
		{Path: "providers.*.reply_to", Doc: "smtp: where answers of people go; by default to `sender`.", set: ofServer(func(s *Server) *string { return &s.ReplyTo }, anyText)},
		{Path: "providers.*.hello", Doc: "smtp: the name said in EHLO; by default the sender's domain.", set: ofServer(func(s *Server) *string { return &s.Hello }, anyText)},
		{Path: "providers.*.system_type", Doc: "smpp: the system_type of the bind, where the SMSC wants one.", set: ofServer(func(s *Server) *string { return &s.SystemType }, anyText)},
		{Path: "providers.*.source_ton", Doc: "smpp: type of number of `sender`, 0 to 6; by default by its form.", set: ofServer(func(s *Server) *int { return &s.SourceTON }, oneMore(0, 6))},
		{Path: "providers.*.source_npi", Doc: "smpp: numbering plan of `sender`, 0 to 18; goes with source_ton.", set: ofServer(func(s *Server) *int { return &s.SourceNPI }, oneMore(0, 18))},
		{Path: "providers.*.window", Doc: "smpp: submits without an answer, 1 to 1000. By default 10.", set: ofServer(func(s *Server) *int { return &s.Window }, number(1, 1000))},
		{Path: "providers.*.enquire_link", Doc: "smpp: how long a session may be silent before it is asked after. By default 30s.", set: ofServer(func(s *Server) *time.Duration { return &s.Enquire }, between(time.Second, 5*time.Minute))},
		{Path: "providers.*.alphabet", Doc: "smpp: the SMSC's default alphabet: `gsm` (default) or `latin1`.", set: ofServer(func(s *Server) *string { return &s.Alphabet }, oneOf[string]("gsm", "latin1"))},
	}
}

// oneMore reads a number and gives the one above it, so that 0 says that nothing was set.
func oneMore(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := number(low, high)(s)
		return n + 1, err
	}
}
