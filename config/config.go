// Package config turns a file, the environment and flags into one checked configuration.
//
// Every setting is a row of one table (settings.go): its path, default, meaning and how it is read. The table drives
// the parsing, the names in the environment, --print-config and docs/configuration.md. A value that is unknown or
// wrong stops the start, with its path, where it came from and what is expected, and all mistakes are told at once.
package config

import (
	"net/netip"
	"time"
)

// Mode says how strict a start is.
type Mode string

// The modes.
const (
	Sandbox    Mode = "sandbox"    // an inbox instead of phones, keys that everybody knows, loopback only
	Production Mode = "production" // nothing secret has a default
)

// Config is a whole configuration. Its fields are documented by the table of settings.
type Config struct {
	Mode      Mode
	Listen    string
	PublicURL string
	SecretKey []byte // 32 bytes; nil in the sandbox unless set

	DatabaseURL   string
	RedisURL      string
	AllowEviction bool
	AfterFailover string // "keep" or "cancel"
	StoreTimeout  time.Duration

	TrustedProxies []netip.Prefix
	Operations     string // the operations listener
	DrainDelay     time.Duration
	ShutdownGrace  time.Duration
	SendTimeout    time.Duration
	Retention      Retention
	LogFormat      string // "json", "text" or "" for what the output is
	LogLevel       string

	Routing Routing // for apps that have none of their own
	Guard   Guard

	Apps      map[string]*App
	Providers map[string]*Provider

	OIDCClients map[string]*OIDCClient

	ExposeSandbox bool

	resolved []Resolved
	sources  map[string]string // where each path was set
}

// Retention is how long what is over is kept.
type Retention struct {
	Log      time.Duration // of verifications
	Sessions time.Duration // that have ended
}

// App is what the file says of one tenant.
type App struct {
	Name       string
	Region     string
	Countries  []string
	LineTypes  []string
	CodeLength int
	Alphabet   string
	Lifetime   time.Duration
	MaxSends   int
	Resend     string // "same_code" or "new_code"
	Approvals  string // "store" or "sql"

	Origins    []string
	ReturnURLs []string
	Native     bool
	HostedPage bool

	ClientStarts int
	ClientChecks int

	Routing     Routing
	TestNumbers map[string]*TestNumber // by number, as written

	Texts         map[TextKey]string
	Subjects      map[TextKey]string
	AllowSegments int
	OriginBound   string // host of the last line
	AndroidHash   string
	Locale        string

	Sessions Sessions
	Passkeys Passkeys
	Risk     RiskCheck

	SinchKey      string
	SinchSecret   string
	SinchCallback string
	SinchAuth     string // "application" or "basic" or "public": the least that is accepted

	Twilio TwilioFace
}

// TextKey names a message text.
type TextKey struct{ Channel, Purpose, Locale string }

// Provider is what the file says of one vendor account.
type Provider struct {
	Type      string // "sandbox", "webhook", "sinch" or "sinch-sms"
	Channels  []string
	Countries []string
	Sender    string
	Carriage  Carriage
	BaseURL   string

	// sinch
	ApplicationKey    string
	ApplicationSecret string
	CodeOwner         string // "sinch" or "countersign"

	// sinch-sms
	ServicePlan    string
	Token          string
	Project        string
	KeyID          string
	KeySecret      string
	Region         string
	CallbackToken  string
	CallbackSecret string

	// webhook
	URL             string
	Secrets         []string
	ContentType     string
	Body            string
	Headers         map[string]string
	AllowHTTP       bool
	RefPath         string
	AcceptedPath    string
	Accepted        []string
	ErrorPath       string
	ErrorClasses    map[string]string
	StatusClasses   map[string]string
	ReceiptSecrets  []string
	ReceiptPaths    ReceiptPaths
	ReceiptStatuses map[string]string
	Hosted          HostedWebhook

	Server Server // smtp, smpp
	AWS    AWS
	Twilio Twilio // twilio, twilio-verify
	Vonage Vonage // vonage, vonage-verify
}

// ReceiptPaths say where a webhook vendor's callback has what; "" means the default place.
type ReceiptPaths struct {
	Verification, ID, Ref, Status, Detail, Cost, CurrencyPath string
	Currency                                                  string // of all costs, where callbacks do not name it
}

// Resolved is one setting as it came out, for --print-config.
type Resolved struct {
	Path   string `json:"path"`
	Text   string `json:"value"`  // masked where it is secret
	Source string `json:"source"` // "default", the file and line, the variable or the flag
}

// Resolved lists every setting that has a value, by path.
func (c *Config) Resolved() []Resolved { return c.resolved }

// IsSandbox says whether this is the sandbox.
func (c *Config) IsSandbox() bool { return c.Mode == Sandbox }
