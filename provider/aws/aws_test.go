package aws_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"countersign"
	"countersign/provider/aws"
	"countersign/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topicARN = "arn:aws:sns:us-east-1:123456789012:receipts"
	snsHost  = "sns.us-east-1.amazonaws.com"
)

// cloud is SNS on a real socket: its certificates and its subscriptions, where the vendor's names lead in these tests.
type cloud struct {
	server *httptest.Server
	key    *rsa.PrivateKey
	other  *rsa.PrivateKey // whose certificate SNS does not serve
	roots  *x509.CertPool
	ca     authority // between the root and SNS

	mu     sync.Mutex
	leaf   []byte // what SNS serves: PEM
	above  []byte // what the authority's own address serves: DER
	asked  []string
	fail   bool
	direct *http.Transport

	failing string // ends of paths that alone answer 503
}

const issuerHost = "crt.r2m02.amazontrust.com"

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// sign makes a certificate as change says; without an authority it signs itself.
func (a *authority) sign(t testing.TB, key *rsa.PrivateKey, change func(*x509.Certificate)) (der []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IssuingCertificateURL: []string{"http://" + issuerHost + "/r2m02.cer"},
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// below makes an authority under another, or a root.
func (a *authority) below(t testing.TB, name string) (authority, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := a.sign(t, key, func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.IsCA, c.BasicConstraintsValid = pkix.Name{CommonName: name}, nil, true, true
		c.KeyUsage = x509.KeyUsageCertSign
		if a == nil {
			c.IssuingCertificateURL = nil
		}
	})
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}, der
}

func pemOf(list ...[]byte) (file []byte) {
	for _, der := range list {
		file = append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return file
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	c := &cloud{direct: &http.Transport{MaxIdleConnsPerHost: 64}}
	var err error
	if c.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if c.other, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	root, _ := (*authority)(nil).below(t, "Root")
	c.ca, c.above = root.below(t, "Between")
	c.roots = x509.NewCertPool()
	c.roots.AddCert(root.cert)
	c.leaf = pemOf(c.ca.sign(t, c.key, nil))
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.asked = append(c.asked, r.URL.RequestURI())
		fail, leaf, above := c.fail || c.failing != "" && strings.HasSuffix(r.URL.Path, c.failing), c.leaf, c.above
		c.mu.Unlock()
		switch {
		case fail:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, ".pem"):
			_, _ = w.Write(leaf)
		case strings.HasSuffix(r.URL.Path, ".cer"):
			_, _ = w.Write(above)
		}
	}))
	t.Cleanup(func() {
		c.direct.CloseIdleConnections()
		c.server.Close()
	})
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" && r.URL.Host == snsHost || r.URL.Scheme == "http" && r.URL.Host == issuerHost {
		r = r.Clone(r.Context())
		at, err := url.Parse(c.server.URL)
		if err != nil {
			return nil, err
		}
		r.URL.Scheme, r.URL.Host = at.Scheme, at.Host
	}
	return c.direct.RoundTrip(r)
}

func (c *cloud) config(base string) aws.Config {
	return aws.Config{
		Name: "aws", Region: "us-east-1", Origination: "+12065550152", ConfigurationSet: "codes", TopicARN: topicARN, BaseURL: base,
		KeyID: "AKIDEXAMPLE", KeySecret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Transport: c, Roots: c.roots,
	}
}

// notification is a signed message of SNS, as the SNS documentation composes it.
func (c *cloud) notification(t testing.TB, key *rsa.PrivateKey, id string, change func(map[string]string)) *http.Request {
	t.Helper()
	n := map[string]string{
		"Type": "Notification", "MessageId": id, "TopicArn": topicARN, "Message": "{}", "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"SignatureVersion": "2", "SigningCertURL": "https://" + snsHost + "/SimpleNotificationService-0123456789abcdef.pem",
	}
	if change != nil {
		change(n)
	}
	if _, given := n["Signature"]; !given {
		var text strings.Builder
		names := []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
		for _, name := range names {
			if v, ok := n[name]; ok {
				text.WriteString(name + "\n" + v + "\n")
			}
		}
		sum := sha256.Sum256([]byte(text.String()))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		n["Signature"] = base64.StdEncoding.EncodeToString(signature)
	}
	body, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/hooks/aws/status", bytes.NewReader(body))
	r.Header.Set("X-Amz-Sns-Message-Id", n["MessageId"])
	r.Header.Set("X-Amz-Sns-Message-Type", n["Type"])
	r.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	return r
}

func event(m *countersign.Message, ref, kind string) string {
	b, _ := json.Marshal(map[string]any{
		"eventType": kind, "eventVersion": "1.0", "eventTimestamp": 1686975103470, "isFinal": true, "destinationPhoneNumber": m.To.Dial(),
		"messageId": ref, "messageStatus": "x", "context": map[string]string{"verification": m.Verification, "delivery": m.ID},
	})
	return string(b)
}

func answer(status int, body string) providertest.Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestConformance(t *testing.T) {
	c := newCloud(t)
	var refs, ids atomic.Int64
	providertest.Run(t, providertest.Subject{
		New: func(base string) (countersign.Provider, error) { return aws.New(c.config(base)) },
		Accept: func(w http.ResponseWriter, r *http.Request, body []byte) string {
			ref := "m-" + strconv.FormatInt(refs.Add(1), 10)
			var sent map[string]any
			if err := json.Unmarshal(body, &sent); err != nil && len(body) > 0 {
				t.Error(err)
			}
			if len(body) > 0 && (r.Header.Get("X-Amz-Target") != "PinpointSMSVoiceV2.SendTextMessage" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" ||
				!strings.Contains(r.Header.Get("Authorization"), "/us-east-1/sms-voice/aws4_request") || sent["MessageType"] != "TRANSACTIONAL" ||
				sent["TimeToLive"] != 300. || sent["ConfigurationSetName"] != "codes" || sent["OriginationIdentity"] != "+12065550152") {
				t.Errorf("asked with %v and %v", r.Header, sent)
			}
			fmt.Fprintf(w, `{"MessageId":%q}`, ref)
			return ref
		},
		Refusals: []providertest.Refusal{
			{Name: "throttled", Class: countersign.FailTemporary, Answer: answer(400, `{"__type":"com.amazonaws.smsvoice#ThrottlingException","Message":"slow"}`)},
			{Name: "internal", Class: countersign.FailTemporary, Answer: answer(500, `{"__type":"InternalServerException","Message":"+14155550102 741854"}`)},
			{Name: "denied", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"AccessDeniedException","Reason":"ACCOUNT_DISABLED"}`)},
			{Name: "opted out", Class: countersign.FailDestination, Answer: answer(400, `{"__type":"ConflictException","Reason":"DESTINATION_PHONE_NUMBER_OPTED_OUT"}`)},
			{Name: "account in the vendor's sandbox", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"ConflictException","Reason":"DESTINATION_PHONE_NUMBER_NOT_VERIFIED"}`)},
			{Name: "no sender", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"ConflictException","Reason":"NO_ORIGINATION_IDENTITIES_FOUND"}`)},
			{Name: "spent", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"ServiceQuotaExceededException","Reason":"MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"}`)},
			{Name: "the number", Class: countersign.FailDestination, Answer: answer(400, `{"__type":"ValidationException","Reason":"FIELD_VALIDATION_FAILED","Fields":[{"Name":"DestinationPhoneNumber","Message":"+14155550102"}]}`)},
			{Name: "the text", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"ValidationException","Reason":"FIELD_VALIDATION_FAILED","Fields":[{"Name":"MessageBody"}]}`)},
			{Name: "wrong key", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"UnrecognizedClientException"}`)},
			{Name: "wrong secret", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"InvalidSignatureException"}`)},
			{Name: "ended token", Class: countersign.FailTemporary, Answer: answer(400, `{"__type":"ExpiredTokenException"}`)},
			{Name: "200 with an error body", Class: countersign.FailUnknown, Answer: answer(200, `{"__type":"ThrottlingException"}`)},
			{Name: "unknown error", Class: countersign.FailOperator, Answer: answer(400, `{"__type":"+14155550102"}`)},
			{Name: "gateway timeout", Class: countersign.FailUnknown, Answer: answer(504, ``)},
		},
		Probe: answer(200, `{}`),
		Receipts: &providertest.Receipts{
			Handler: func(p countersign.Provider, sink countersign.ReceiptSink) http.Handler {
				return p.(*aws.Provider).Callback(sink)
			},
			Request: func(m *countersign.Message, ref string, s countersign.DeliveryStatus) *http.Request {
				kind := map[countersign.DeliveryStatus]string{
					countersign.DeliverySent: "TEXT_SUCCESSFUL", countersign.DeliveryDelivered: "TEXT_DELIVERED", countersign.DeliveryUndelivered: "TEXT_UNREACHABLE",
				}[s]
				return c.notification(t, c.key, fmt.Sprintf("n-%d", ids.Add(1)), func(n map[string]string) { n["Message"] = event(m, ref, kind) })
			},
		},
	})
}

// TestForgedNotifications: what is not the topic's, of the right key and fresh, reaches nobody, and no address that a forger
// names is asked.
func TestForgedNotifications(t *testing.T) {
	c := newCloud(t)
	m := providertest.NewMessage(1)
	good := func(n map[string]string) { n["Message"] = event(m, "r", "TEXT_DELIVERED") }
	for _, f := range []struct {
		name   string
		key    *rsa.PrivateKey
		change func(map[string]string)
		status int
		asks   int
	}{
		{"the control", c.key, good, 200, 2},
		{"another key", c.other, good, 401, 2},
		{"another topic", c.key, func(n map[string]string) { good(n); n["TopicArn"] += "2" }, 401, 0},
		{"old", c.key, func(n map[string]string) {
			good(n)
			n["Timestamp"] = time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
		}, 401, 0},
		{"version 1", c.key, func(n map[string]string) { good(n); n["SignatureVersion"] = "1" }, 401, 0},
		{"no signature", c.key, func(n map[string]string) { good(n); n["Signature"] = "" }, 401, 2},
		{"another type", c.key, func(n map[string]string) { good(n); n["Type"] = "Other" }, 401, 0},
		{"evil host", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://evil.example/SimpleNotificationService-0123456789abcdef.pem"
		}, 401, 0},
		{"a bucket", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-01.pem"
		}, 401, 0},
		{"another region", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem"
		}, 401, 0},
		{"user information", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://" + snsHost + "@evil.example/SimpleNotificationService-01.pem"
		}, 401, 0},
		{"a port", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://" + snsHost + ":444/SimpleNotificationService-01.pem"
		}, 401, 0},
		{"a query", c.key, func(n map[string]string) { good(n); n["SigningCertURL"] += "?x=1" }, 401, 0},
		{"a topic's own page", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "https://" + snsHost + "/?Action=GetTopic&x=.pem"
		}, 401, 0},
		{"clear text", c.key, func(n map[string]string) {
			good(n)
			n["SigningCertURL"] = "http://" + snsHost + "/SimpleNotificationService-01.pem"
		}, 401, 0},
	} {
		t.Run(f.name, func(t *testing.T) {
			p, err := aws.New(c.config("http://127.0.0.1:1"))
			if err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			c.asked = nil
			c.mu.Unlock()
			sink := &providertest.Sink{}
			w := httptest.NewRecorder()
			p.Callback(sink).ServeHTTP(w, c.notification(t, f.key, "n-1", f.change))
			if w.Code != f.status || (len(sink.Receipts()) == 1) != (f.status == 200) || len(c.asked) != f.asks {
				t.Errorf("answer %d, %d receipts, asked %v", w.Code, len(sink.Receipts()), c.asked)
			}
		})
	}
}

// TestCertificates: what SNS serves must be in SNS' name and lead to a root that is trusted, by the authorities that come with
// it or that its issuer's address serves.
func TestCertificates(t *testing.T) {
	c := newCloud(t)
	intermediate := c.above
	stranger, strange := (*authority)(nil).below(t, "Stranger")
	second, secondDER := c.ca.below(t, "Second")
	leaf := func(by *authority, change func(*x509.Certificate)) []byte { return by.sign(t, c.key, change) }
	named := func(names ...string) func(*x509.Certificate) { return func(x *x509.Certificate) { x.DNSNames = names } }
	from := func(address string) func(*x509.Certificate) {
		return func(x *x509.Certificate) { x.IssuingCertificateURL = []string{address} }
	}
	old := func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Minute) }
	for _, tt := range []struct {
		name        string
		leaf, above []byte
		fail        string // the path's end that answers 503
		status      int
	}{
		{"the leaf alone", pemOf(leaf(&c.ca, nil)), intermediate, "", 200},
		{"with its authority", pemOf(leaf(&c.ca, from("http://127.0.0.1:1/x.cer")), intermediate), nil, "", 200},
		{"two authorities", pemOf(leaf(&second, from("http://127.0.0.1:1/x.cer")), secondDER), intermediate, "", 200},
		{"the region's name", pemOf(leaf(&c.ca, named(snsHost))), intermediate, "", 200},
		{"the authority as PEM", pemOf(leaf(&c.ca, nil)), pemOf(intermediate), "", 200},
		{"another name", pemOf(leaf(&c.ca, named("sqs.amazonaws.com"))), intermediate, "", 401},
		{"another region's name", pemOf(leaf(&c.ca, named("sns.eu-west-1.amazonaws.com"))), intermediate, "", 401},
		{"a look-alike", pemOf(leaf(&c.ca, named("sns.amazonaws.com.evil.example"))), intermediate, "", 401},
		{"signs itself", pemOf(leaf(nil, nil)), intermediate, "", 401},
		{"of a stranger", pemOf(leaf(&stranger, nil)), strange, "", 401},
		{"of a stranger, with him", pemOf(leaf(&stranger, nil), strange), intermediate, "", 401},
		{"over", pemOf(leaf(&c.ca, old)), intermediate, "", 401},
		{"the issuer is elsewhere", pemOf(leaf(&c.ca, from("http://127.0.0.1:1/x.cer"))), intermediate, "", 401},
		{"the issuer is a look-alike", pemOf(leaf(&c.ca, from("http://evilamazontrust.com/x.cer"))), intermediate, "", 401},
		{"the issuer serves nonsense", pemOf(leaf(&c.ca, nil)), []byte("x"), "", 401},
		{"the issuer serves no authority", pemOf(leaf(&c.ca, nil)), leaf(&c.ca, nil), "", 401},
		{"the issuer is away", pemOf(leaf(&c.ca, nil)), intermediate, ".cer", 503},
		{"SNS is away", pemOf(leaf(&c.ca, nil)), intermediate, ".pem", 503},
		{"no certificate", []byte("-----BEGIN CERTIFICATE-----\n"), intermediate, "", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.mu.Lock()
			c.leaf, c.above, c.failing = tt.leaf, tt.above, tt.fail
			c.mu.Unlock()
			p, err := aws.New(c.config("http://127.0.0.1:1"))
			if err != nil {
				t.Fatal(err)
			}
			sink := &providertest.Sink{}
			w := httptest.NewRecorder()
			p.Callback(sink).ServeHTTP(w, c.notification(t, c.key, "n-1", func(n map[string]string) {
				n["Message"] = event(providertest.NewMessage(1), "r", "TEXT_DELIVERED")
			}))
			if w.Code != tt.status || (len(sink.Receipts()) == 1) != (tt.status == 200) {
				t.Errorf("answer %d, want %d; %d receipts", w.Code, tt.status, len(sink.Receipts()))
			}
		})
	}
}

// TestSubscription: a signed confirmation of our topic is confirmed by opening SNS' own address, and no other.
func TestSubscription(t *testing.T) {
	c := newCloud(t)
	p, err := aws.New(c.config("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	confirm := "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + url.QueryEscape(topicARN) + "&Token=2336"
	post := func(id, address string) int {
		w := httptest.NewRecorder()
		p.Callback(&providertest.Sink{}).ServeHTTP(w, c.notification(t, c.key, id, func(n map[string]string) {
			n["Type"], n["Token"], n["SubscribeURL"], n["Message"] = "SubscriptionConfirmation", "2336", address, "You have chosen to subscribe"
		}))
		return w.Code
	}
	opened := func() (n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, a := range c.asked {
			if strings.Contains(a, "ConfirmSubscription") {
				n++
			}
		}
		return n
	}
	for i, address := range []string{
		"https://evil.example/?Action=ConfirmSubscription&TopicArn=" + url.QueryEscape(topicARN), strings.Replace(confirm, "https", "http", 1),
		strings.Replace(confirm, "receipts", "others", 1), strings.Replace(confirm, "ConfirmSubscription", "DeleteTopic", 1), "::",
	} {
		if code := post(fmt.Sprintf("e-%d", i), address); code != 200 || opened() != 0 {
			t.Errorf("%s: %d, %d opened", address, code, opened())
		}
	}
	if code := post("c-1", confirm); code != 200 || opened() != 1 {
		t.Errorf("the topic's own: %d, %d opened", code, opened())
	}
	if code := post("c-1", confirm); code != 200 || opened() != 1 {
		t.Errorf("a second time: %d, %d opened", code, opened())
	}
	c.mu.Lock()
	c.fail = true
	c.mu.Unlock()
	if code := post("c-2", confirm); code != 503 {
		t.Errorf("while SNS is away: %d", code)
	}
}

// credentialsUsed sends once and gives the key id and token of the request's signature.
func credentialsUsed(t *testing.T, cfg aws.Config) (id, token string, err error) {
	t.Helper()
	carrier := providertest.NewCarrier(answer(200, `{"MessageId":"m"}`))
	defer carrier.Close()
	cfg.BaseURL, cfg.KeyID, cfg.KeySecret = carrier.URL(), "", ""
	p, err := aws.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	if _, err = p.Send(t.Context(), providertest.NewMessage(1)); err != nil {
		return "", "", err
	}
	h := carrier.Requests()[0].Header
	_, rest, _ := strings.Cut(h.Get("Authorization"), "Credential=")
	id, _, _ = strings.Cut(rest, "/")
	return id, h.Get("X-Amz-Security-Token"), nil
}

// agent stands for STS, the container's agent and the instance's metadata.
func agent(t *testing.T) *httptest.Server {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys := func(id string) {
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":"s","Token":"t-%s","Expiration":%q}`, id, id, until)
		}
		switch {
		case r.URL.Path == "/sts/" && strings.Contains(string(body), "WebIdentityToken=jwt") && strings.Contains(string(body), "RoleArn=arn"):
			fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t-WEB</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, until)
		case r.URL.Path == "/container" && r.Header.Get("Authorization") == "pod":
			keys("POD")
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") != "":
			fmt.Fprint(w, "imds2")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds2":
			w.WriteHeader(http.StatusUnauthorized) // version 1 is off
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "role")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/role":
			keys("EC2")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestCredentialChain: each place is found, in its order, and one that should have and does not give ends the search.
func TestCredentialChain(t *testing.T) {
	s := agent(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", "jwt\n")
	shared := write("credentials", "[default]\naws_access_key_id = FILE\naws_secret_access_key=s\n[other]\naws_access_key_id=OTHER\naws_secret_access_key=s\naws_session_token=t-OTHER\n[empty]\nrole_arn=x\n")
	conf := write("config", "[profile fromconfig]\naws_access_key_id=CONF\naws_secret_access_key=s\n")
	pod := write("pod", "pod\n")
	env := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	ec2 := []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT", s.URL}
	container := append([]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", s.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod}, ec2...)
	web := append([]string{"AWS_WEB_IDENTITY_TOKEN_FILE", token, "AWS_ROLE_ARN", "arn:aws:iam::1:role/x", "AWS_ENDPOINT_URL_STS", s.URL + "/sts/"}, container...)
	files := append([]string{"AWS_SHARED_CREDENTIALS_FILE", shared, "AWS_CONFIG_FILE", conf}, web...)
	keys := append([]string{"AWS_ACCESS_KEY_ID", "ENV", "AWS_SECRET_ACCESS_KEY", "s", "AWS_SESSION_TOKEN", "t-ENV"}, files...)
	for _, c := range []struct {
		name, profile string
		env           map[string]string
		id, token     string
		class         countersign.FailureClass
	}{
		{"environment", "", env(keys...), "ENV", "t-ENV", 0},
		{"shared file", "", env(files...), "FILE", "", 0},
		{"a profile of it", "other", env(files...), "OTHER", "t-OTHER", 0},
		{"a profile by variable", "", env(append(files, "AWS_PROFILE", "fromconfig")...), "CONF", "", 0},
		{"a profile without keys", "empty", env(files...), "WEB", "t-WEB", 0},
		{"web identity", "", env(web...), "WEB", "t-WEB", 0},
		{"container", "", env(container...), "POD", "t-POD", 0},
		{"instance", "", env(ec2...), "EC2", "t-EC2", 0},
		{"none", "", env("AWS_EC2_METADATA_DISABLED", "true"), "", "", countersign.FailOperator},
		{"container that refuses", "", env("AWS_CONTAINER_CREDENTIALS_FULL_URI", s.URL+"/nothing"), "", "", countersign.FailTemporary},
		{"a token over the network", "", env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/x"), "", "", countersign.FailTemporary},
		{"no token file", "", env("AWS_WEB_IDENTITY_TOKEN_FILE", dir+"/nothing", "AWS_ROLE_ARN", "x"), "", "", countersign.FailTemporary},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := aws.Config{Name: "aws", Region: "us-east-1", Profile: c.profile, Getenv: func(name string) string { return c.env[name] }}
			id, token, err := credentialsUsed(t, cfg)
			var f *countersign.Failure
			if c.id == "" && (!errors.As(err, &f) || f.Class != c.class) {
				t.Errorf("%v", err)
			}
			if id != c.id || token != c.token {
				t.Errorf("signed with %q and %q, %v", id, token, err)
			}
		})
	}
}

// TestCredentialsAreRenewed: five minutes before their end, once, and again when the vendor says that they have ended.
func TestCredentialsAreRenewed(t *testing.T) {
	var fetched atomic.Int64
	now := time.Unix(1_800_000_000, 0)
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"K%d","SecretAccessKey":"s","Token":"t","Expiration":%q}`, fetched.Add(1), now.Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer agent.Close()
	var reply atomic.Value
	reply.Store(`{"MessageId":"m"}`)
	carrier := providertest.NewCarrier(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		text := reply.Load().(string)
		if strings.Contains(text, "Exception") {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, text)
	})
	defer carrier.Close()
	p, err := aws.New(aws.Config{
		Name: "aws", Region: "us-east-1", BaseURL: carrier.URL(), Now: func() time.Time { return now },
		Getenv: func(name string) string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := p.Send(context.Background(), providertest.NewMessage(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times for eight sends", n)
	}
	now = now.Add(56 * time.Minute)
	_, _ = p.Send(t.Context(), providertest.NewMessage(1))
	if n := fetched.Load(); n != 2 {
		t.Errorf("fetched %d times, five minutes before the end", n)
	}
	reply.Store(`{"__type":"ExpiredTokenException"}`)
	_, _ = p.Send(t.Context(), providertest.NewMessage(1))
	reply.Store(`{"MessageId":"m"}`)
	_, _ = p.Send(t.Context(), providertest.NewMessage(1))
	if n := fetched.Load(); n != 3 {
		t.Errorf("fetched %d times after the vendor refused them", n)
	}
}

func TestMistakes(t *testing.T) {
	err := (&aws.Config{Region: "somewhere", Origination: "a b", ConfigurationSet: "ü", TopicARN: "arn:x", KeyID: "x", BaseURL: "http://10.0.0.1", Timeout: time.Minute}).Validate()
	for _, at := range []string{"name", "region", "sender", "configuration_set", "topic_arn", "key_id", "base_url", "timeout"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+at+": ") {
			t.Errorf("no mistake at %s in %v", at, err)
		}
	}
}

func FuzzSend(f *testing.F) {
	c := newCloud(f)
	providertest.Fuzz(f, func(base string) (countersign.Provider, error) { return aws.New(c.config(base)) },
		`{"MessageId":"m-1"}`, `{"__type":"ConflictException","Reason":"DESTINATION_PHONE_NUMBER_OPTED_OUT"}`, `{"__type":"#ExpiredTokenException"}`)
}

// FuzzNotification: no body that was not signed by the topic's key reaches the sink.
func FuzzNotification(f *testing.F) {
	c := newCloud(f)
	p, err := aws.New(c.config("http://127.0.0.1:1"))
	if err != nil {
		f.Fatal(err)
	}
	r := c.notification(f, c.other, "n-1", nil)
	body, _ := io.ReadAll(r.Body)
	f.Add(string(body))
	f.Add(`{"Type":"Notification"}`)
	f.Add(`[]`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		sink := &providertest.Sink{}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		var n struct{ MessageID, Type string }
		_ = json.Unmarshal([]byte(text), &n)
		r.Header.Set("X-Amz-Sns-Message-Id", "n-1")
		r.Header.Set("X-Amz-Sns-Message-Type", "Notification")
		p.Callback(sink).ServeHTTP(w, r)
		if len(sink.Receipts()) > 0 || w.Code/100 == 2 || w.Code/100 == 5 {
			t.Errorf("%q was answered with %d", text, w.Code)
		}
	})
}
