package aws

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"countersign"

	"countersign/provider/hidden"
	"countersign/provider/outbound"
)

// Bounds of a send's deadline.
const (
	DefaultTimeout = 3 * time.Second
	MaxTimeout     = 10 * time.Second
)

// Config is one account and region.
type Config struct {
	Name             string // the route's
	Region           string // AWS_REGION or AWS_DEFAULT_REGION when empty
	Origination      string // a number, sender id or pool: its id, ARN or number; empty lets AWS choose
	ConfigurationSet string // events, and with them receipts, belong to one
	TopicARN         string // of the SNS topic of the receipts; empty: none are taken

	KeyID     string // static credentials; the chain when empty
	KeySecret hidden.Text
	Profile   string // of the shared files; AWS_PROFILE or "default" when empty

	BaseURL   string // another address of the API, for tests
	Timeout   time.Duration
	Transport http.RoundTripper // for everything; http.Transport when nil
	Roots     *x509.CertPool    // whom the certificates of receipts lead to; the system's when nil
	Getenv    func(string) string
	Home      string // where .aws is; "" for no shared files but those that variables name
	Now       func() time.Time
}

var (
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,2}-\d{1,2}$`)
	topicForm  = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$`)
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9_:/+-]{1,256}$`)
)

// Validate reports every mistake, joined; each is a *countersign.Mistake.
func (c *Config) Validate() error {
	var mistakes []error
	wrong := func(path, problem string) {
		mistakes = append(mistakes, &countersign.Mistake{Path: path, Problem: problem})
	}
	if c.Name == "" {
		wrong("name", "is missing")
	}
	if !regionForm.MatchString(c.region()) {
		wrong("region", "must be an AWS region such as eu-west-1, here or in AWS_REGION")
	}
	if c.Origination != "" && !nameForm.MatchString(c.Origination) {
		wrong("sender", "must be a number, a sender id or a pool: its id, ARN or number")
	}
	if c.ConfigurationSet != "" && !nameForm.MatchString(c.ConfigurationSet) {
		wrong("configuration_set", "must be a configuration set's name or ARN")
	}
	if c.TopicARN != "" {
		switch m := topicForm.FindStringSubmatch(c.TopicARN); {
		case m == nil:
			wrong("topic_arn", "must be the ARN of an SNS topic, arn:aws:sns:eu-west-1:123456789012:receipts")
		case c.ConfigurationSet == "":
			wrong("topic_arn", "needs configuration_set: events belong to one")
		}
	}
	if (c.KeyID == "") != (c.KeySecret == "") {
		wrong("key_id", "and key_secret belong together")
	}
	if outbound.CheckAddress("base_url", c.BaseURL) != nil {
		wrong("base_url", "must begin with https:// (http:// is for loopback addresses)")
	}
	if c.Timeout < 0 || c.Timeout > MaxTimeout {
		wrong("timeout", fmt.Sprintf("must be more than 0 and at most %s", MaxTimeout))
	}
	return errors.Join(mistakes...)
}

func (c *Config) env(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

func (c *Config) region() string {
	for _, r := range []string{c.Region, c.env("AWS_REGION"), c.env("AWS_DEFAULT_REGION")} {
		if r != "" {
			return r
		}
	}
	return ""
}

// domain is where a region's services are.
func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
