package aws

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// This file finds credentials: given ones, the environment's, the shared files', a web identity (EKS), the container's (ECS,
// EKS Pod Identity) and the instance's (IMDSv2), the first that there are. Those that end are fetched anew five minutes
// before; while that fails the old ones serve until their end.

// credentials are what a request is signed with.
type credentials struct {
	id            string
	secret, token hidden.Text
	until         time.Time // zero: they do not end
}

func (c *credentials) complete() bool { return c.id != "" && c.secret != "" }

const early = 5 * time.Minute

var (
	errNoCredentials = errors.New("no credentials in the settings, the environment, the shared files, a web identity, the container or the instance")
	errAnswer        = errors.New("the answer to a request for credentials cannot be used")
	errAddress       = errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to a loopback or link-local address of AWS")
)

// chain is the places, in their order. found is false where a place has nothing; an error, where it should have and does
// not give it.
type chain struct {
	cfg    *Config
	region string
	client *outbound.Client

	mu     sync.Mutex
	cached credentials
}

func newChain(cfg *Config, region string) *chain {
	return &chain{cfg: cfg, region: region, client: outbound.New(cfg.Name, min(cfg.Timeout, 2*time.Second), cfg.Transport)}
}

// get gives credentials that are good now. Those who come while they are fetched wait.
func (c *chain) get(ctx context.Context) (credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	if c.cached.complete() && (c.cached.until.IsZero() || now.Before(c.cached.until.Add(-early))) {
		return c.cached, nil
	}
	fresh, err := c.find(ctx)
	if err == nil {
		c.cached = fresh
		return fresh, nil
	}
	if c.cached.complete() && now.Before(c.cached.until) {
		return c.cached, nil
	}
	return credentials{}, err
}

func (c *chain) forget() {
	c.mu.Lock()
	c.cached = credentials{}
	c.mu.Unlock()
}

func (c *chain) find(ctx context.Context) (credentials, error) {
	for _, place := range []func(context.Context) (credentials, bool, error){
		c.given, c.environment, c.shared, c.webIdentity, c.container, c.instance,
	} {
		found, ok, err := place(ctx)
		if err != nil || ok {
			return found, err
		}
	}
	return credentials{}, errNoCredentials
}

func (c *chain) given(context.Context) (credentials, bool, error) {
	k := credentials{id: c.cfg.KeyID, secret: c.cfg.KeySecret}
	return k, k.complete(), nil
}

func (c *chain) environment(context.Context) (credentials, bool, error) {
	k := credentials{
		id: c.cfg.env("AWS_ACCESS_KEY_ID"), secret: hidden.Text(c.cfg.env("AWS_SECRET_ACCESS_KEY")), token: hidden.Text(c.cfg.env("AWS_SESSION_TOKEN")),
	}
	return k, k.complete(), nil
}

// shared reads a profile of the shared files. Profiles that assume a role or log in are for AWS' own tools: they have no
// keys, and the next place is asked.
func (c *chain) shared(context.Context) (credentials, bool, error) {
	profile := c.cfg.Profile
	for _, p := range []string{c.cfg.env("AWS_PROFILE"), "default"} {
		if profile == "" {
			profile = p
		}
	}
	for _, place := range []struct{ variable, name, section string }{
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials", profile},
		{"AWS_CONFIG_FILE", "config", "profile " + profile},
	} {
		file := c.cfg.env(place.variable)
		if file == "" && c.cfg.Home != "" {
			file = filepath.Join(c.cfg.Home, ".aws", place.name)
		}
		if file == "" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		values := section(string(b), place.section)
		if profile == "default" && place.name == "config" {
			values = section(string(b), "default")
		}
		k := credentials{id: values["aws_access_key_id"], secret: hidden.Text(values["aws_secret_access_key"]), token: hidden.Text(values["aws_session_token"])}
		if k.complete() {
			return k, true, nil
		}
	}
	return credentials{}, false, nil
}

// section reads one section of an INI file.
func section(text, name string) map[string]string {
	values, inside := map[string]string{}, false
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			inside = strings.Join(strings.Fields(line[1:len(line)-1]), " ") == name
		case inside:
			if key, value, ok := strings.Cut(line, "="); ok {
				values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return values
}

// webIdentity trades a token that the orchestrator wrote for credentials of a role. The request is not signed: the token is
// what it proves.
func (c *chain) webIdentity(ctx context.Context) (credentials, bool, error) {
	file, role := c.cfg.env("AWS_WEB_IDENTITY_TOKEN_FILE"), c.cfg.env("AWS_ROLE_ARN")
	if file == "" || role == "" {
		return credentials{}, false, nil
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return credentials{}, false, err
	}
	name := c.cfg.env("AWS_ROLE_SESSION_NAME")
	if name == "" {
		name = "countersign"
	}
	address := c.cfg.env("AWS_ENDPOINT_URL_STS")
	if address == "" {
		address = "https://sts." + c.region + "." + domain(c.region) + "/"
	} else if outbound.CheckAddress("AWS_ENDPOINT_URL_STS", address) != nil {
		return credentials{}, false, errAddress
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {name},
		"WebIdentityToken": {strings.TrimSpace(string(token))},
	}
	body, err := c.ask(ctx, http.MethodPost, address, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return credentials{}, false, err
	}
	var a struct {
		Keys struct {
			AccessKeyID     string    `xml:"AccessKeyId"`
			SecretAccessKey string    `xml:"SecretAccessKey"`
			SessionToken    string    `xml:"SessionToken"`
			Expiration      time.Time `xml:"Expiration"`
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(body, &a); err != nil {
		return credentials{}, false, errAnswer
	}
	return usable(credentials{a.Keys.AccessKeyID, hidden.Text(a.Keys.SecretAccessKey), hidden.Text(a.Keys.SessionToken), a.Keys.Expiration})
}

func usable(k credentials) (credentials, bool, error) {
	if !k.complete() || k.until.IsZero() {
		return credentials{}, false, errAnswer
	}
	return k, true, nil
}

const containerHost = "http://169.254.170.2"

// container asks the agent of ECS or EKS.
func (c *chain) container(ctx context.Context) (credentials, bool, error) {
	address := c.cfg.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := c.cfg.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		address = containerHost + relative
	}
	if address == "" {
		return credentials{}, false, nil
	}
	if !agentURL(address) {
		return credentials{}, false, errAddress
	}
	header := http.Header{}
	token := c.cfg.env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := c.cfg.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return credentials{}, false, err
		}
		token = strings.TrimSpace(string(b))
	}
	if strings.ContainsAny(token, "\r\n") {
		return credentials{}, false, errAnswer
	}
	if token != "" {
		header["Authorization"] = []string{token}
	}
	return c.json(ctx, address, header)
}

// agentURL says whether a token may be sent there: over TLS, or to an address that no network carries.
func agentURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	if u.Scheme != "http" {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return u.Hostname() == "localhost"
	}
	return a.IsLoopback() || a == netip.MustParseAddr("169.254.170.2") || a == netip.MustParseAddr("169.254.170.23") || a == netip.MustParseAddr("fd00:ec2::23")
}

// instance asks the instance's metadata service, version 2 only: without a token nothing is asked.
func (c *chain) instance(ctx context.Context) (credentials, bool, error) {
	if strings.EqualFold(c.cfg.env("AWS_EC2_METADATA_DISABLED"), "true") {
		return credentials{}, false, nil
	}
	base := c.cfg.env("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	if base == "" {
		base = "http://169.254.169.254"
	}
	base = strings.TrimRight(base, "/")
	token, err := c.ask(ctx, http.MethodPut, base+"/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"300"}}, nil)
	if err != nil || len(token) == 0 || strings.ContainsAny(string(token), "\r\n") {
		return credentials{}, false, nil // this is no instance
	}
	header := http.Header{"X-Aws-Ec2-Metadata-Token": {string(token)}}
	const path = "/latest/meta-data/iam/security-credentials/"
	roles, err := c.ask(ctx, http.MethodGet, base+path, header, nil)
	role, _, _ := strings.Cut(strings.TrimSpace(string(roles)), "\n")
	if err != nil || role == "" {
		return credentials{}, false, nil // it has no role
	}
	return c.json(ctx, base+path+url.PathEscape(role), header)
}

// json reads what the agents of containers and instances answer.
func (c *chain) json(ctx context.Context, address string, header http.Header) (credentials, bool, error) {
	body, err := c.ask(ctx, http.MethodGet, address, header, nil)
	if err != nil {
		return credentials{}, false, err
	}
	var a struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return credentials{}, false, errAnswer
	}
	return usable(credentials{a.AccessKeyID, hidden.Text(a.SecretAccessKey), hidden.Text(a.Token), a.Expiration})
}

func (c *chain) ask(ctx context.Context, method, address string, header http.Header, body []byte) ([]byte, error) {
	got, f := c.client.Do(ctx, &outbound.Question{Method: method, URL: address, Header: header, Body: body})
	switch {
	case f != nil:
		return nil, f
	case !got.OK():
		return nil, errAnswer
	}
	return got.Body, nil
}
