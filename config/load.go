package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"countersign/phone"
)

// Source is where settings come from. Later ones beat earlier ones: default, File, DotEnv, Environ, Flags.
type Source struct {
	Name    string // the file's name, for messages
	File    []byte // YAML; nil without a file
	DotEnv  map[string]string
	Environ []string          // as os.Environ
	Flags   map[string]string // by path
}

// value is one setting as it was written.
type value struct {
	list   []string
	source string
}

func (v value) text() string { return strings.Join(v.list, ",") }

// Load reads, merges and checks. The error lists every mistake, one a line.
func Load(src Source) (*Config, error) {
	l := &loader{table: Settings(), values: map[string]value{}}
	l.environ(src)
	var mistakes []error
	if src.File != nil {
		mistakes = append(mistakes, l.file(src.Name, src.File)...)
	}
	mistakes = append(mistakes, l.aliases(src.DotEnv, ".env")...)
	mistakes = append(mistakes, l.aliases(l.env, "environment")...)
	mistakes = append(mistakes, l.variables(src.DotEnv, ".env")...)
	mistakes = append(mistakes, l.variables(l.env, "environment")...)
	for path, text := range src.Flags {
		l.values[path] = value{[]string{text}, "flag"}
	}
	for _, s := range l.table {
		if _, given := l.values[s.Path]; s.Default != "" && !given {
			l.values[s.Path] = value{[]string{s.Default}, sourceDefault}
		}
	}
	c := &Config{sources: map[string]string{}}
	mistakes = append(mistakes, l.apply(c)...)
	c.chooseMode(src.File != nil)
	if c.IsSandbox() && l.values["drain_delay"].source == sourceDefault {
		c.noDrain()
	}
	if len(mistakes) == 0 {
		mistakes = c.check()
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return c, nil
}

type loader struct {
	table  []Setting
	env    map[string]string
	dotEnv map[string]string
	values map[string]value
}

func (l *loader) environ(src Source) {
	l.env, l.dotEnv = map[string]string{}, src.DotEnv
	for _, kv := range src.Environ {
		if name, text, ok := strings.Cut(kv, "="); ok {
			l.env[name] = text
		}
	}
}

// lookup reads a variable for env:NAME: the environment beats .env.
func (l *loader) lookup(name string) (string, bool) {
	if v, ok := l.env[name]; ok {
		return v, true
	}
	v, ok := l.dotEnv[name]
	return v, ok
}

func (l *loader) find(path string) (Setting, []string, bool) {
	for _, s := range l.table {
		if names, ok := match(s.Path, path); ok {
			return s, names, true
		}
	}
	return Setting{}, nil, false
}

// match compares a path with a row's; * takes one name. A row with one more name than the path's parts never matches.
func match(pattern, path string) ([]string, bool) {
	want, have := strings.Split(pattern, "."), strings.Split(path, ".")
	if len(want) != len(have) {
		return nil, false
	}
	var names []string
	for i := range want {
		switch {
		case want[i] == "*":
			names = append(names, have[i])
		case want[i] != have[i]:
			return nil, false
		}
	}
	return names, true
}

// own names are variables that the command line reads itself.
var ownVariables = []string{"COUNTERSIGN_ENV", "COUNTERSIGN_SERVER", "COUNTERSIGN_KEY", "COUNTERSIGN_SOAK"}

// aliases takes the names that people have already. A setting's own name beats them.
func (l *loader) aliases(env map[string]string, source string) []error {
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		text := env[name]
		if text == "" {
			continue
		}
		source := source + " " + name
		switch name {
		case "SINCH_APP_KEY", "SINCH_APP_SECRET":
			setting := map[string]string{"SINCH_APP_KEY": "application_key", "SINCH_APP_SECRET": "application_secret"}[name]
			l.values["providers.sinch."+setting] = value{[]string{text}, source}
			if _, typed := l.values["providers.sinch.type"]; !typed {
				l.values["providers.sinch.type"] = value{[]string{"sinch"}, source}
			}
		case "PORT":
			if _, err := strconv.ParseUint(text, 10, 16); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: expected the number of a port, such as 8080 (it goes into listen)", source))
				continue
			}
			host := "127.0.0.1"
			if v, ok := l.values["listen"]; ok {
				if h, _, err := net.SplitHostPort(v.text()); err == nil {
					host = h
				}
			}
			l.values["listen"] = value{[]string{net.JoinHostPort(host, text)}, source}
		default:
			if path, ok := l.alias(name); ok {
				l.values[path] = value{[]string{text}, source}
			}
		}
	}
	return mistakes
}

// variables takes what an environment sets. A COUNTERSIGN_ name that no row has is a mistake: a typo must not be
// ignored.
func (l *loader) variables(env map[string]string, source string) []error {
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, "COUNTERSIGN_") || slices.Contains(ownVariables, name) || l.referred(name) {
			continue
		}
		path, ok := l.pathOf(name)
		if !ok {
			mistakes = append(mistakes, fmt.Errorf("%s: %s is not a setting%s", source, name, l.nearest(name, Setting.Env)))
			continue
		}
		list := []string{env[name]}
		if s, _, _ := l.find(path); s.List {
			list, _ = anyList(env[name])
		}
		l.values[path] = value{list, source + " " + name}
	}
	return mistakes
}

// referred says whether the file asks for a variable by env:NAME.
func (l *loader) referred(name string) bool {
	for _, v := range l.values {
		if slices.Contains(v.list, "env:"+name) {
			return true
		}
	}
	return false
}

func (l *loader) alias(name string) (string, bool) {
	for _, s := range l.table {
		if slices.Contains(s.Aliases, name) {
			return s.Path, true
		}
	}
	return "", false
}

// pathOf finds the path that a variable sets. The names that stand for * come out in lower case, or as the file
// has them.
// Where several rows could be meant, the one that leaves the shortest name for * is.
func (l *loader) pathOf(name string) (string, bool) {
	best, shortest := "", len(name)+1
	for _, s := range l.table {
		env := s.Env()
		if env == name {
			return s.Path, true
		}
		before, after, ok := strings.Cut(env, "*")
		if !ok || !strings.HasPrefix(name, before) {
			continue
		}
		id, second, ok := name[len(before):], "", false
		if head, tail, two := strings.Cut(after, "*"); two { // apps.*.routes.*
			id, second, ok = strings.Cut(id, head)
			ok = ok && strings.HasSuffix(second, tail)
			second = strings.ToLower(strings.TrimSuffix(second, tail))
		} else {
			id, ok = strings.CutSuffix(id, after)
		}
		if ok && id != "" && len(id) < shortest {
			best, shortest = fill(s.Path, l.spelled(s.Path, id), second), len(id)
		}
	}
	return best, best != ""
}

// spelled is the id that the file uses for a name in upper case, where it has one.
func (l *loader) spelled(pattern, id string) string {
	kind, _, _ := strings.Cut(pattern, ".")
	for path := range l.values {
		parts := strings.Split(path, ".")
		if parts[0] == kind && len(parts) > 1 && strings.TrimPrefix(envName(parts[1]), "COUNTERSIGN_") == id {
			return parts[1]
		}
	}
	return strings.ToLower(id)
}

func fill(pattern string, names ...string) string {
	for _, n := range names {
		pattern = strings.Replace(pattern, "*", n, 1)
	}
	return pattern
}

// apply hands every value to its row.
func (l *loader) apply(c *Config) []error {
	var mistakes []error
	for _, path := range slices.Sorted(maps.Keys(l.values)) {
		s, names, ok := l.find(path)
		v := l.values[path]
		if !ok {
			mistakes = append(mistakes, fmt.Errorf("%s: %s is not a setting", v.source, path))
			continue
		}
		list, err := l.follow(v.list)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %s: %w", v.source, path, err))
			continue
		}
		v.list = list
		if err := s.set(c, names, v); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %s: %w", v.source, path, err))
			continue
		}
		c.sources[path] = v.source
		text := v.text()
		if s.Secret && text != s.Default {
			text = "(secret)"
		}
		c.resolved = append(c.resolved, Resolved{path, text, v.source})
	}
	return mistakes
}

// follow reads what stands behind env:NAME and file:PATH.
func (l *loader) follow(list []string) ([]string, error) {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = text
		if name, ok := strings.CutPrefix(text, "env:"); ok {
			if out[i], ok = l.lookup(name); !ok || out[i] == "" {
				return nil, fmt.Errorf("the variable %s is not set", name)
			}
		} else if path, ok := strings.CutPrefix(text, "file:"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("what file: names cannot be read: %w", err)
			}
			out[i] = strings.TrimRight(string(b), "\r\n")
		}
	}
	return out, nil
}

// chooseMode is the sandbox's rule: it was asked for, or there is nothing that looks like a real installation.
func (c *Config) chooseMode(haveFile bool) {
	if c.Mode != "" {
		return
	}
	c.Mode = Production
	if !haveFile && len(c.Providers) == 0 {
		c.Mode = Sandbox
	}
}

// noDrain makes a sandbox stop at once where nobody asked it to wait: no balancer looks at it.
func (c *Config) noDrain() {
	c.DrainDelay = 0
	for i := range c.resolved {
		if c.resolved[i].Path == "drain_delay" {
			c.resolved[i].Text = "0s"
		}
	}
}

// check looks at what settings mean together.
func (c *Config) check() []error {
	var mistakes []error
	bad := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		path, _, _ := strings.Cut(text, ":")
		mistakes = append(mistakes, errors.New(c.Place(path)+text))
	}
	if c.Mode == Production {
		if c.SecretKey == nil {
			bad("secret_key: required outside the sandbox; make one with: openssl rand -base64 32")
		}
		if c.PublicURL == "" {
			bad("public_url: required outside the sandbox, e.g. https://verify.example.com")
		}
		if len(c.Apps) == 0 {
			bad("apps: at least one is needed, e.g. apps: {shop: {region: US}}")
		}
		if len(c.Providers) == 0 {
			bad("providers: at least one is needed, or nothing can be sent")
		}
	}
	if u, err := url.Parse(c.PublicURL); err == nil && (u.Path != "" || u.RawQuery != "") {
		bad("public_url: expected a scheme and a host, with nothing after them, such as https://verify.example.com")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Apps)) {
		a := c.Apps[id]
		if a.Region != "" && !phone.ValidRegion(a.Region) {
			bad("apps.%s.region: %q is not an ISO 3166-1 alpha-2 country such as US", id, a.Region)
		}
		for _, t := range a.LineTypes {
			if _, ok := phone.ParseLineType(t); !ok {
				bad("apps.%s.line_types: there is no line type %q", id, t)
			}
		}
		a.checkFaces(id, c.Mode, bad)
	}
	c.checkRoutes(bad)
	c.checkTestNumbers(bad)
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		checkCountries("providers."+name, c.Providers[name].Countries, bad)
		if p := c.Providers[name]; p.Type == "" {
			bad("providers.%s.type: required: sinch, sinch-sms, twilio, twilio-verify, vonage, vonage-verify, webhook, smtp, smpp, aws, infobip or sandbox", name)
		} else if p.Type == "sandbox" && c.Mode == Production {
			bad("providers.%s.type: the sandbox provider works in the sandbox only", name)
		}
	}
	return mistakes
}

func checkCountries(of string, list []string, bad func(format string, args ...any)) {
	for _, country := range list {
		if !phone.ValidRegion(country) {
			bad("%s.countries: %q is not an ISO 3166-1 alpha-2 country in capitals, such as US", of, country)
		}
	}
}

// sourceDefault is the source of what nobody set.
const sourceDefault = "default"

// Place is where a setting was made, as in "countersign.yaml:12: ", for messages about it; "" when it was not made. A path
// that names a group is where the first of the group was made.
func (c *Config) Place(path string) string {
	if source, ok := c.sources[path]; ok && source != sourceDefault {
		return source + ": "
	}
	for _, p := range slices.Sorted(maps.Keys(c.sources)) {
		if strings.HasPrefix(p, path+".") && c.sources[p] != sourceDefault {
			return c.sources[p] + ": "
		}
	}
	return ""
}
