package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"countersign"
	"countersign/provider/outbound"
)

// Provider sends text messages from one account and region. It is safe for concurrent use.
type Provider struct {
	cfg         Config
	region, url string
	client      *outbound.Client
	credentials *chain
	signer      *v4.Signer
	sns         *topic // nil: no receipts
}

var _ countersign.Provider = (*Provider)(nil)

// New makes a provider, or reports every mistake in the configuration at once.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Provider{cfg: cfg, region: cfg.region(), signer: v4.NewSigner()}
	p.url = strings.TrimRight(cfg.BaseURL, "/") + "/"
	if cfg.BaseURL == "" {
		p.url = "https://sms-voice." + p.region + "." + domain(p.region) + "/"
	}
	p.client = outbound.New(cfg.Name, cfg.Timeout, cfg.Transport)
	p.credentials = newChain(&p.cfg, p.region)
	if cfg.TopicARN != "" {
		p.sns = newTopic(&p.cfg)
	}
	return p, nil
}

// CloseIdleConnections closes what waits for another request.
func (p *Provider) CloseIdleConnections() {
	p.client.CloseIdleConnections()
	p.credentials.client.CloseIdleConnections()
	if p.sns != nil {
		p.sns.client.CloseIdleConnections()
	}
}

// message is SendTextMessage's request.
type message struct {
	To               string            `json:"DestinationPhoneNumber"`
	From             string            `json:"OriginationIdentity,omitempty"`
	Body             string            `json:"MessageBody"`
	Type             string            `json:"MessageType"`
	ConfigurationSet string            `json:"ConfigurationSetName,omitempty"`
	Context          map[string]string `json:"Context"` // comes back in events
	TimeToLive       int               `json:"TimeToLive,omitempty"`
	DryRun           bool              `json:"DryRun,omitempty"`
	Country          map[string]string `json:"DestinationCountryParameters,omitempty"`
}

// Names in Context.
const (
	contextVerification = "verification"
	contextDelivery     = "delivery"
)

// Send implements countersign.Provider: one SendTextMessage.
func (p *Provider) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	number, ok := m.To.Phone()
	if !ok || m.Channel != countersign.ChannelSMS {
		return countersign.Handed{}, p.client.Fail(countersign.FailOperator, "this route sends text messages only", nil)
	}
	what := message{
		To: number.E164(), From: cmp.Or(m.Sender, p.cfg.Origination), Body: m.Text, Type: "TRANSACTIONAL", ConfigurationSet: p.cfg.ConfigurationSet,
		Context: map[string]string{contextVerification: m.Verification, contextDelivery: m.ID}, TimeToLive: timeToLive(m.Lifetime),
	}
	if m.Template != "" && m.To.Country() == "IN" {
		what.Country = map[string]string{"IN_TEMPLATE_ID": m.Template}
	}
	id, f := p.call(ctx, &what)
	if f != nil {
		return countersign.Handed{}, f
	}
	return countersign.Handed{Ref: id, Status: countersign.DeliveryAccepted}, nil
}

// Probe asks whether a message would be sent, and sends none, for the doctor. The number is one that is nobody's: AWS'
// simulator in the United States.
func (p *Provider) Probe(ctx context.Context) error {
	what := message{To: "+14254147755", From: p.cfg.Origination, Body: "probe", Type: "TRANSACTIONAL", ConfigurationSet: p.cfg.ConfigurationSet, DryRun: true}
	if _, f := p.call(ctx, &what); f != nil {
		return f
	}
	return nil
}

func timeToLive(d time.Duration) int {
	s := int(d / time.Second)
	if s <= 0 {
		return 0
	}
	return min(max(s, 5), 259200) // the API's bounds
}

// call makes one signed request.
func (p *Provider) call(ctx context.Context, what *message) (id string, f *countersign.Failure) {
	c, err := p.credentials.get(ctx)
	if err != nil {
		return "", p.noCredentials(err)
	}
	body, err := json.Marshal(what)
	if err != nil {
		return "", p.client.Fail(countersign.FailOperator, "the request cannot be encoded", nil)
	}
	var signing error
	got, f := p.client.Do(ctx, &outbound.Question{
		Method: http.MethodPost, URL: p.url, Body: body,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"PinpointSMSVoiceV2.SendTextMessage"}},
		Sign: func(r *http.Request, body []byte) {
			signing = sign(r, p.signer, c, body, "sms-voice", p.region, p.cfg.Now())
		},
	})
	switch {
	case signing != nil:
		return "", p.client.Fail(countersign.FailOperator, "the request cannot be signed", nil)
	case f != nil:
		return "", f
	case !got.OK():
		return "", p.refused(got)
	}
	var a struct {
		ID string `json:"MessageId"`
	}
	if err := got.Into(&a); err != nil || (a.ID == "" && !what.DryRun) || len(a.ID) > 128 {
		return "", p.client.Fail(countersign.FailUnknown, "the answer has no id", nil)
	}
	return a.ID, nil
}

// sign signs a request with Signature Version 4.
func sign(r *http.Request, signer *v4.Signer, c credentials, body []byte, service, region string, at time.Time) error {
	sum := sha256.Sum256(body)
	keys := sdk.Credentials{AccessKeyID: c.id, SecretAccessKey: string(c.secret), SessionToken: string(c.token)}
	return signer.SignHTTP(r.Context(), keys, r, hex.EncodeToString(sum[:]), service, region, at)
}

func (p *Provider) noCredentials(err error) *countersign.Failure {
	if errors.Is(err, errNoCredentials) {
		return p.client.Fail(countersign.FailOperator, "no credentials", err)
	}
	return p.client.Fail(countersign.FailTemporary, "no credentials now", err)
}

// refusal is an error's body.
type refusal struct {
	Type   string `json:"__type"`
	Reason string `json:"Reason"`
	Fields []struct {
		Name string `json:"Name"`
	} `json:"Fields"`
}

// classes are the errors of SendTextMessage and those that are common to all of AWS.
var classes = map[string]countersign.FailureClass{
	"AccessDeniedException":               countersign.FailOperator,
	"ConflictException":                   countersign.FailOperator,
	"InternalServerException":             countersign.FailTemporary,
	"ResourceNotFoundException":           countersign.FailOperator,
	"ServiceQuotaExceededException":       countersign.FailOperator, // the month's spend, a day's messages
	"ThrottlingException":                 countersign.FailTemporary,
	"ValidationException":                 countersign.FailOperator,
	"ExpiredTokenException":               countersign.FailTemporary, // the next send fetches credentials anew
	"RequestExpired":                      countersign.FailOperator,  // this machine's clock
	"UnrecognizedClientException":         countersign.FailOperator,
	"InvalidSignatureException":           countersign.FailOperator,
	"IncompleteSignatureException":        countersign.FailOperator,
	"InvalidClientTokenId":                countersign.FailOperator,
	"MissingAuthenticationTokenException": countersign.FailOperator,
	"NotAuthorized":                       countersign.FailOperator,
	"OptInRequired":                       countersign.FailOperator,
	"SerializationException":              countersign.FailOperator,
	"UnknownOperationException":           countersign.FailOperator,
	"ServiceUnavailable":                  countersign.FailTemporary,
	"InternalFailure":                     countersign.FailTemporary,
}

// refused classifies an answer that is no success. The detail is made of names that are known.
func (p *Provider) refused(got *outbound.Answer) *countersign.Failure {
	var r refusal
	_ = json.Unmarshal(got.Body, &r)
	name := r.Type
	if name == "" {
		name, _, _ = strings.Cut(got.Header.Get("X-Amzn-Errortype"), ":")
	}
	name = name[strings.LastIndexByte(name, '#')+1:]
	class, known := classes[name]
	if !known {
		return p.client.Fail(got.Class(), "HTTP "+strconv.Itoa(got.Status), nil)
	}
	detail := name
	switch {
	case name == "ExpiredTokenException":
		p.credentials.forget()
	case name == "ConflictException" && r.Reason == "DESTINATION_PHONE_NUMBER_OPTED_OUT":
		class = countersign.FailDestination
	case name == "ValidationException" && slices.ContainsFunc(r.Fields, func(f struct {
		Name string `json:"Name"`
	},
	) bool {
		return f.Name == "DestinationPhoneNumber"
	}):
		class = countersign.FailDestination
	}
	if reason(r.Reason) {
		detail += " " + r.Reason
	}
	if len(detail) > 64 {
		detail = detail[:64]
	}
	return p.client.Fail(class, detail, nil)
}

// reason says whether a text is one of the vendor's constants.
func reason(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}
