package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is a row of the table.
type Setting struct {
	Path    string // dots between names; * stands for a name the operator chooses
	Default string // as it would be written; "" for none
	Doc     string // one sentence or two: what it does, its unit
	Secret  bool   // masked when printed
	List    bool   // several values, in the environment with commas between them
	Aliases []string
	NoEnv   bool // has no variable: its names may hold any character

	set func(c *Config, names []string, v value) error
}

// Env is the variable that sets it: the path in upper case, with _ for every other character.
func (s Setting) Env() string {
	if s.NoEnv {
		return ""
	}
	return envName(s.Path)
}

func envName(path string) string {
	return "COUNTERSIGN_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case '0' <= r && r <= '9', r == '*':
			return r
		}
		return '_'
	}, path)
}

// Settings is the table. Its order is the order of the documentation.
func Settings() []Setting {
	return slices.Concat(
		instanceSettings(), appSettings(), sessionSettings(), passkeySettings(), riskSettings(), oidcSettings(), providerSettings(), routeSettings(), testNumberSettings(), hostedSettings(),
		serverSettings(), awsSettings(), twilioSettings(), twilioFaceSettings(), vonageSettings(), guardSettings(),
	)
}

func instanceSettings() []Setting {
	return []Setting{
		{
			Path: "mode", Doc: "`sandbox` or `production`. Without a file, a mode and vendor credentials it is the sandbox.",
			set: into(func(c *Config) *Mode { return &c.Mode }, oneOf[Mode]("sandbox", "production")),
		},
		{
			Path: "listen", Default: "127.0.0.1:8080", Doc: "Address of the API and the pages. `PORT` sets its port. Put a proxy that speaks TLS in front.", Aliases: []string{"PORT"},
			set: into(func(c *Config) *string { return &c.Listen }, listenAddress),
		},
		{
			Path: "public_url", Doc: "The address under which the world reaches this instance, and the issuer of its proofs. Required outside the sandbox.",
			set: into(func(c *Config) *string { return &c.PublicURL }, baseURL),
		},
		{
			Path: "secret_key", Secret: true, Doc: "32 random bytes in base64 (`openssl rand -base64 32`). It wraps every other key in the database. Required outside the sandbox, where a file beside the database holds one.",
			set: into(func(c *Config) *[]byte { return &c.SecretKey }, key32),
		},
		{
			Path: "database_url", Default: "./countersign.db", Secret: true, Aliases: []string{"DATABASE_URL"}, Doc: "A file (SQLite) or a `postgres://` address: keys, the log and, without Redis, what is in flight.",
			set: into(func(c *Config) *string { return &c.DatabaseURL }, databaseURL),
		},
		{
			Path: "redis_url", Secret: true, Aliases: []string{"REDIS_URL"}, Doc: "Redis or Valkey for what is in flight: `redis://`, `rediss://`, `unix://`, `redis+sentinel://host,host/master/0`, `redis+cluster://host,host`. Without it the database file serves, for one process.",
			set: into(func(c *Config) *string { return &c.RedisURL }, redisURL),
		},
		{
			Path: "redis.dangerously_allow_eviction", Default: "false", Doc: "Start although Redis may evict keys. Guess counts can then be pushed out by load.",
			set: into(func(c *Config) *bool { return &c.AllowEviction }, yesOrNo),
		},
		{
			Path: "after_failover", Default: "keep", Doc: "`keep` or `cancel` what was pending when another Redis took over.",
			set: into(func(c *Config) *string { return &c.AfterFailover }, oneOf[string]("keep", "cancel")),
		},
		{
			Path: "store_timeout", Default: "250ms", Doc: "How long a silent store may take before the answer is 503.",
			set: into(func(c *Config) *time.Duration { return &c.StoreTimeout }, between(10*time.Millisecond, 10*time.Second)),
		},
		{
			Path: "trusted_proxies", Doc: "Networks (CIDR) whose X-Forwarded-For is believed. Without any, a client is who connects.",
			set: into(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }, prefixes),
		},
		{
			Path: "operations.listen", Default: "127.0.0.1:9090", Doc: "Address of /metrics, /healthz and /readyz outside the sandbox.",
			set: into(func(c *Config) *string { return &c.Operations }, listenAddress),
		},
		{
			Path: "drain_delay", Default: "5s", Doc: "How long /readyz says 503 before the listener closes on SIGTERM. By default 0 in the sandbox.",
			set: into(func(c *Config) *time.Duration { return &c.DrainDelay }, between(0, 5*time.Minute)),
		},
		{
			Path: "shutdown_grace", Default: "20s", Doc: "How long requests in flight may still take after that.",
			set: into(func(c *Config) *time.Duration { return &c.ShutdownGrace }, between(time.Second, 5*time.Minute)),
		},
		{
			Path: "send_timeout", Default: "5s", Doc: "How long a start that waits may wait for a provider, failover included.",
			set: into(func(c *Config) *time.Duration { return &c.SendTimeout }, between(time.Second, 30*time.Second)),
		},
		{
			Path: "retention.log", Default: "720h", Doc: "How long the log of verifications is kept, 24h to 720h (30 days). What else is kept, and how long: docs/sessions.md.",
			set: into(func(c *Config) *time.Duration { return &c.Retention.Log }, between(24*time.Hour, 30*24*time.Hour)),
		},
		{
			Path: "retention.sessions", Default: "168h", Doc: "How long an ended session is kept for whoever looks into an incident, 1h to 720h.",
			set: into(func(c *Config) *time.Duration { return &c.Retention.Sessions }, between(time.Hour, 30*24*time.Hour)),
		},
		{
			Path: "log.format", Doc: "`json` or `text`. By default text on a terminal.",
			set: into(func(c *Config) *string { return &c.LogFormat }, oneOf[string]("json", "text")),
		},
		{
			Path: "log.level", Default: "info", Doc: "`debug`, `info`, `warn` or `error`.",
			set: into(func(c *Config) *string { return &c.LogLevel }, oneOf[string]("debug", "info", "warn", "error")),
		},
	}
}

func appSettings() []Setting {
	return []Setting{
		{Path: "apps.*.name", Doc: "The name in messages. By default the app's id.", set: ofApp(func(a *App) *string { return &a.Name }, anyText)},
		{Path: "apps.*.region", Doc: "Region of numbers typed without a country code, e.g. `US`.", set: ofApp(func(a *App) *string { return &a.Region }, anyText)},
		{List: true, Path: "apps.*.countries", Doc: "Countries that may be sent to, e.g. `[US, GB]`, by the number and not its dialling prefix. `*` allows all. By default the app's region.", set: ofApp(func(a *App) *[]string { return &a.Countries }, anyList)},
		{List: true, Path: "apps.*.line_types", Doc: "Line types allowed beyond mobile: `fixed line`, `toll-free`, `premium`, `shared cost`, `voip`, `personal`, `pager`, `uan`, `voicemail`.", set: ofApp(func(a *App) *[]string { return &a.LineTypes }, anyList)},
		{Path: "apps.*.locale", Doc: "Language of messages when the request names none, e.g. `sv`. By default English.", set: ofApp(func(a *App) *string { return &a.Locale }, anyText)},
		{Path: "apps.*.code_length", Doc: "6 to 10 characters. By default 6.", set: ofApp(func(a *App) *int { return &a.CodeLength }, number(6, 10))},
		{Path: "apps.*.code_alphabet", Doc: "`digits` (default), `letters` or `alphanumeric`.", set: ofApp(func(a *App) *string { return &a.Alphabet }, oneOf[string]("digits", "letters", "alphanumeric"))},
		{Path: "apps.*.lifetime", Doc: "How long a code lives: 30s to 600s. By default 300s.", set: ofApp(func(a *App) *time.Duration { return &a.Lifetime }, between(30*time.Second, 600*time.Second))},
		{Path: "apps.*.max_sends", Doc: "Messages of one verification: 1 to 10. By default 3.", set: ofApp(func(a *App) *int { return &a.MaxSends }, number(1, 10))},
		{Path: "apps.*.resend", Doc: "`same_code` (default) or `new_code`.", set: ofApp(func(a *App) *string { return &a.Resend }, oneOf[string]("same_code", "new_code"))},
		{Path: "apps.*.approvals", Doc: "`store` (default), or `sql`: an approval is in the database before it is answered, so that a Redis that forgets cannot approve twice.", set: ofApp(func(a *App) *string { return &a.Approvals }, oneOf[string]("store", "sql"))},
		{List: true, Path: "apps.*.origins", Doc: "Exact origins (`https://www.example.com`) from which the publishable key may be used.", set: ofApp(func(a *App) *[]string { return &a.Origins }, origins)},
		{Path: "apps.*.native", Doc: "Accept the publishable key without an Origin, for phone apps.", set: ofApp(func(a *App) *bool { return &a.Native }, yesOrNo)},
		{Path: "apps.*.hosted_page", Doc: "Serve /verify for this app. It needs no key, so anybody can start a verification there: off by default outside the sandbox.", set: ofApp(func(a *App) *bool { return &a.HostedPage }, yesOrNo)},
		{List: true, Path: "apps.*.return_urls", Doc: "Where the hosted page may post a proof; compared exactly.", set: ofApp(func(a *App) *[]string { return &a.ReturnURLs }, webURLs)},
		{Path: "apps.*.limits.client_starts", Doc: "Starts and resends a minute from one client address. By default 10.", set: ofApp(func(a *App) *int { return &a.ClientStarts }, number(1, 10000))},
		{Path: "apps.*.limits.client_checks", Doc: "Checks a minute from one client address. By default 60.", set: ofApp(func(a *App) *int { return &a.ClientChecks }, number(1, 10000))},
		{Path: "apps.*.texts.*.*.*", NoEnv: true, Doc: "A message's text by channel, purpose (`*` for all) and language: `sms.login.en: \"{{code}} is your {{app}} code.\"`.", set: setText},
		{Path: "apps.*.subjects.*.*.*", NoEnv: true, Doc: "An e-mail's subject, by the same names.", set: setSubject},
		{Path: "apps.*.messages.allow_segments", Doc: "SMS segments that a text may take. By default 1; longer texts stop the start.", set: ofApp(func(a *App) *int { return &a.AllowSegments }, number(1, 4))},
		{Path: "apps.*.messages.origin", Doc: "Host for the origin-bound last line, e.g. `login.example.com`: browsers then offer the code on that site only.", set: ofApp(func(a *App) *string { return &a.OriginBound }, anyText)},
		{Path: "apps.*.messages.android_hash", Doc: "The 11 characters by which Android's SMS Retriever knows your app.", set: ofApp(func(a *App) *string { return &a.AndroidHash }, anyText)},
		{Path: "apps.*.faces.sinch.key", Doc: "Opens the Sinch face: the application key (a UUID) that clients use.", set: ofApp(func(a *App) *string { return &a.SinchKey }, anyText)},
		{Path: "apps.*.faces.sinch.secret", Secret: true, Doc: "Its secret, base64 of at least 16 bytes.", set: ofApp(func(a *App) *string { return &a.SinchSecret }, anyText)},
		{Path: "apps.*.faces.sinch.callback_url", Doc: "Where Sinch callbacks are sent.", set: ofApp(func(a *App) *string { return &a.SinchCallback }, webURL)},
		{Path: "apps.*.faces.sinch.minimum_auth", Doc: "The least a caller must prove: `application` (signed), `basic` (default) or `public`.", set: ofApp(func(a *App) *string { return &a.SinchAuth }, oneOf[string]("application", "basic", "public"))},
	}
}

func providerSettings() []Setting {
	return []Setting{
		{Path: "providers.*.type", Doc: "`sinch` (Verification API), `sinch-sms` (SMS API), `twilio` (Messaging API), `twilio-verify`, `vonage` (Messages API), `vonage-verify`, `webhook`, `smtp`, `smpp`, `aws`, `infobip`, or `sandbox`.", set: ofProvider(func(p *Provider) *string { return &p.Type }, oneOf[string]("sinch", "sinch-sms", "webhook", "twilio", "twilio-verify", "vonage", "vonage-verify", "smtp", "smpp", "aws", "infobip", "sandbox"))},
		{List: true, Path: "providers.*.channels", Doc: "Channels it serves: `sms`, `voice`, `flashcall`, `whatsapp`, `email`, `seamless`.", set: ofProvider(func(p *Provider) *[]string { return &p.Channels }, anyList)},
		{List: true, Path: "providers.*.countries", Doc: "Countries it serves. By default all.", set: ofProvider(func(p *Provider) *[]string { return &p.Countries }, anyList)},
		{Path: "providers.*.sender", Doc: "Sender number or name; smtp: the sender's mailbox, with a name or without.", set: ofProvider(func(p *Provider) *string { return &p.Sender }, anyText)},
		{Path: "providers.*.base_url", Doc: "Another address of the vendor's API, for regions and tests.", set: ofProvider(func(p *Provider) *string { return &p.BaseURL }, baseURL)},
		{Path: "providers.*.application_key", Doc: "sinch: the application key.", set: ofProvider(func(p *Provider) *string { return &p.ApplicationKey }, anyText)},
		{Path: "providers.*.application_secret", Secret: true, Doc: "sinch: the application secret, as shown by the vendor. `SINCH_APP_KEY` and `SINCH_APP_SECRET` make a provider `sinch` by themselves.", set: ofProvider(func(p *Provider) *string { return &p.ApplicationSecret }, anyText)},
		{Path: "providers.*.code_owner", Doc: "sinch: `sinch` (default) lets the vendor make the code, `countersign` gives it ours through its callback.", set: ofProvider(func(p *Provider) *string { return &p.CodeOwner }, oneOf[string]("sinch", "countersign"))},
		{Path: "providers.*.service_plan_id", Doc: "sinch-sms: the service plan.", set: ofProvider(func(p *Provider) *string { return &p.ServicePlan }, anyText)},
		{Path: "providers.*.api_token", Secret: true, Doc: "sinch-sms: the API token; infobip: the API key.", set: ofProvider(func(p *Provider) *string { return &p.Token }, anyText)},
		{Path: "providers.*.project_id", Doc: "sinch-sms: the project, instead of a service plan.", set: ofProvider(func(p *Provider) *string { return &p.Project }, anyText)},
		{Path: "providers.*.key_id", Doc: "sinch-sms: the project's key; twilio, twilio-verify: an API key, SK…; aws: an access key, without which the usual places are asked.", set: ofProvider(func(p *Provider) *string { return &p.KeyID }, anyText)},
		{Path: "providers.*.key_secret", Secret: true, Doc: "sinch-sms, aws: the key's secret.", set: ofProvider(func(p *Provider) *string { return &p.KeySecret }, anyText)},
		{Path: "providers.*.region", Doc: "sinch-sms: `us` (default), `eu`, `br`, `ca` or `au`; aws: the region, by default `AWS_REGION`.", set: ofProvider(func(p *Provider) *string { return &p.Region }, anyText)},
		{Path: "providers.*.callback_token", Secret: true, Doc: "sinch-sms, infobip: the secret last segment of the callback's path, 22 characters or more: /hooks/NAME/sms/TOKEN.", set: ofProvider(func(p *Provider) *string { return &p.CallbackToken }, anyText)},
		{Path: "providers.*.callback_secret", Secret: true, Doc: "sinch-sms: verifies signed callbacks, where the vendor was asked to sign them.", set: ofProvider(func(p *Provider) *string { return &p.CallbackSecret }, anyText)},
		{Path: "providers.*.url", Doc: "webhook: where messages are posted.", set: ofProvider(func(p *Provider) *string { return &p.URL }, anyText)},
		{List: true, Path: "providers.*.secrets", Secret: true, Doc: "webhook: signs what is posted, `whsec_` and base64 of 24 to 64 bytes. Two sign both, for a change of secrets.", set: ofProvider(func(p *Provider) *[]string { return &p.Secrets }, anyList)},
		{Path: "providers.*.content_type", Doc: "webhook: of the body. By default `application/json`.", set: ofProvider(func(p *Provider) *string { return &p.ContentType }, anyText)},
		{Path: "providers.*.body", NoEnv: true, Doc: "webhook: template of the body (docs/providers/webhook.md).", set: ofProvider(func(p *Provider) *string { return &p.Body }, anyText)},
		{Path: "providers.*.headers.*", NoEnv: true, Secret: true, Doc: "webhook: templates of headers.", set: ofProviderMap(func(p *Provider) *map[string]string { return &p.Headers })},
		{Path: "providers.*.dangerously_allow_http", Doc: "webhook: post without TLS beyond loopback.", set: ofProvider(func(p *Provider) *bool { return &p.AllowHTTP }, yesOrNo)},
		{Path: "providers.*.answer.ref_path", Doc: "webhook: where the vendor's id stands in its JSON answer, e.g. `messages.0.id`.", set: ofProvider(func(p *Provider) *string { return &p.RefPath }, anyText)},
		{Path: "providers.*.answer.accepted_path", Doc: "webhook: where a 2xx answer says whether the message was taken, for vendors that answer 200 to everything.", set: ofProvider(func(p *Provider) *string { return &p.AcceptedPath }, anyText)},
		{List: true, Path: "providers.*.answer.accepted", Doc: "webhook: the values there that say so.", set: ofProvider(func(p *Provider) *[]string { return &p.Accepted }, anyList)},
		{Path: "providers.*.answer.error_path", Doc: "webhook: where a refusal has the vendor's error code.", set: ofProvider(func(p *Provider) *string { return &p.ErrorPath }, anyText)},
		{Path: "providers.*.answer.error_classes.*", NoEnv: true, Doc: "webhook, smpp: what a vendor's error code (smpp: command status, e.g. `0x0410`) means: `accepted`, `temporary`, `unknown`, `destination`, `denied` or `operator`.", set: ofProviderMap(func(p *Provider) *map[string]string { return &p.ErrorClasses })},
		{Path: "providers.*.answer.status_classes.*", NoEnv: true, Doc: "webhook: the same for an HTTP status.", set: ofProviderMap(func(p *Provider) *map[string]string { return &p.StatusClasses })},
		{List: true, Path: "providers.*.receipts.secrets", Secret: true, Doc: "webhook: verifies the receipts that come to /hooks/NAME/status. Without it none are taken.", set: ofProvider(func(p *Provider) *[]string { return &p.ReceiptSecrets }, anyList)},
		{Path: "providers.*.receipts.verification_path", Doc: "webhook: where a receipt has our verification's id.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Verification }, anyText)},
		{Path: "providers.*.receipts.id_path", Doc: "webhook: where it has our message's id.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.ID }, anyText)},
		{Path: "providers.*.receipts.ref_path", Doc: "webhook: where it has the vendor's id.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Ref }, anyText)},
		{Path: "providers.*.receipts.status_path", Doc: "webhook: where it has the status.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Status }, anyText)},
		{Path: "providers.*.receipts.detail_path", Doc: "webhook: where it has a reason.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Detail }, anyText)},
		{Path: "providers.*.receipts.cost_path", Doc: "webhook: where it has what the message did cost.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Cost }, anyText)},
		{Path: "providers.*.receipts.currency_path", Doc: "webhook: where it has that cost's currency.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.CurrencyPath }, anyText)},
		{Path: "providers.*.receipts.currency", Doc: "webhook: the currency of all costs (ISO 4217), where receipts do not name it.", set: ofProvider(func(p *Provider) *string { return &p.ReceiptPaths.Currency }, anyText)},
		{Path: "providers.*.receipts.statuses.*", NoEnv: true, Doc: "webhook: what a vendor's status means: `sent`, `delivered`, `undelivered` or `failed`; where the code is the vendor's, `denied` and `undeliverable` too.", set: ofProviderMap(func(p *Provider) *map[string]string { return &p.ReceiptStatuses })},
	}
}

// into makes a setter of a plain field.
func into[T any](field func(*Config) *T, parse func(string) (T, error)) func(*Config, []string, value) error {
	return func(c *Config, _ []string, v value) error {
		t, err := parse(v.text())
		if err != nil {
			return err
		}
		*field(c) = t
		return nil
	}
}

func ofApp[T any](field func(*App) *T, parse func(string) (T, error)) func(*Config, []string, value) error {
	return func(c *Config, names []string, v value) error {
		a, err := c.app(names[0])
		if err != nil {
			return err
		}
		t, err := parse(v.text())
		if err != nil {
			return err
		}
		*field(a) = t
		return nil
	}
}

func ofProvider[T any](field func(*Provider) *T, parse func(string) (T, error)) func(*Config, []string, value) error {
	return func(c *Config, names []string, v value) error {
		p, err := c.provider(names[0])
		if err != nil {
			return err
		}
		t, err := parse(v.text())
		if err != nil {
			return err
		}
		*field(p) = t
		return nil
	}
}

func setText(c *Config, names []string, v value) error {
	a, err := c.app(names[0])
	if err != nil {
		return err
	}
	if a.Texts == nil {
		a.Texts = map[TextKey]string{}
	}
	a.Texts[TextKey{Channel: names[1], Purpose: names[2], Locale: names[3]}] = v.text()
	return nil
}

func setSubject(c *Config, names []string, v value) error {
	a, err := c.app(names[0])
	if err != nil {
		return err
	}
	if a.Subjects == nil {
		a.Subjects = map[TextKey]string{}
	}
	a.Subjects[TextKey{Channel: names[1], Purpose: names[2], Locale: names[3]}] = v.text()
	return nil
}

// ofProviderMap makes a setter of one entry of a map; the entry's name is the operator's.
func ofProviderMap(field func(*Provider) *map[string]string) func(*Config, []string, value) error {
	return func(c *Config, names []string, v value) error {
		p, err := c.provider(names[0])
		if err != nil {
			return err
		}
		m := field(p)
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[names[1]] = v.text()
		return nil
	}
}

func (c *Config) app(id string) (*App, error) {
	if !validName(id) {
		return nil, fmt.Errorf("an app's id has 1 to 32 of a-z, 0-9, - and _")
	}
	if c.Apps == nil {
		c.Apps = map[string]*App{}
	}
	if c.Apps[id] == nil {
		c.Apps[id] = &App{}
	}
	return c.Apps[id], nil
}

func (c *Config) provider(name string) (*Provider, error) {
	if !validName(name) {
		return nil, fmt.Errorf("a provider's name has 1 to 32 of a-z, 0-9, - and _")
	}
	if c.Providers == nil {
		c.Providers = map[string]*Provider{}
	}
	if c.Providers[name] == nil {
		c.Providers[name] = &Provider{}
	}
	return c.Providers[name], nil
}

func validName(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && (c == '-' || c == '_')) {
			return false
		}
	}
	return true
}

func anyText(s string) (string, error) { return s, nil }

func anyList(s string) ([]string, error) {
	var list []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list, nil
}

func oneOf[T ~string](choices ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		if !slices.Contains(choices, T(s)) {
			names := make([]string, len(choices))
			for i, c := range choices {
				names[i] = string(c)
			}
			return "", fmt.Errorf("expected one of %s", strings.Join(names, ", "))
		}
		return T(s), nil
	}
}

func number(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("expected a whole number from %d to %d", low, high)
		}
		return n, nil
	}
}

func yesOrNo(s string) (bool, error) {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("expected true or false")
	}
	return on, nil
}

func between(low, high time.Duration) func(string) (time.Duration, error) {
	example := min(max(5*time.Second, low), high)
	return func(s string) (time.Duration, error) {
		if s == "0" {
			s = "0s"
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < low || d > high {
			return 0, fmt.Errorf("expected a duration from %s to %s, such as %s", low, high, example)
		}
		return d, nil
	}
}

func listenAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return net.JoinHostPort(host, port), nil
		}
	}
	return "", fmt.Errorf("expected host:port, such as 127.0.0.1:8080")
}

// databaseURL and redisURL look at the scheme only: the stores read the rest. What is wrong is not repeated, for an address
// may hold a password.
func databaseURL(s string) (string, error) {
	scheme, _, isURL := strings.Cut(s, "://")
	if isURL && scheme != "postgres" && scheme != "postgresql" {
		return "", fmt.Errorf("expected a path, sqlite:PATH or a postgres:// address")
	}
	return s, nil
}

func redisURL(s string) (string, error) {
	scheme, _, isURL := strings.Cut(s, "://")
	known := []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}
	if s != "" && (!isURL || !slices.Contains(known, scheme)) {
		return "", fmt.Errorf("expected redis://, rediss:// or unix://, or the first two with +sentinel or +cluster, such as redis://127.0.0.1:6379/0")
	}
	return s, nil
}

func webURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("expected an address such as https://verify.example.com")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return "", fmt.Errorf("expected https: without TLS only localhost and loopback addresses are taken")
	}
	return s, nil
}

// baseURL is an address that paths are put behind. Any other is asked as it is written: a slash at its end may matter there.
func baseURL(s string) (string, error) {
	s, err := webURL(s)
	return strings.TrimSuffix(s, "/"), err
}

func webURLs(s string) ([]string, error) {
	list, _ := anyList(s)
	for _, u := range list {
		if _, err := webURL(u); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func origins(s string) ([]string, error) {
	list, _ := anyList(s)
	for _, o := range list {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || o != u.Scheme+"://"+strings.ToLower(u.Host) || u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
			return nil, fmt.Errorf("expected origins as browsers write them, such as https://www.example.com: scheme and host in lower case, a port only where it is not the scheme's own, nothing after them")
		}
	}
	return list, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func prefixes(s string) ([]netip.Prefix, error) {
	list, _ := anyList(s)
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("expected networks such as 10.0.0.0/8")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() { // clients' addresses are compared in their plain form
			if p.Bits() < 96 {
				return nil, fmt.Errorf("expected networks such as 10.0.0.0/8, and IPv4 in its own form")
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func key32(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("expected base64 of 32 bytes; make one with: openssl rand -base64 32")
	}
	return b, nil
}
