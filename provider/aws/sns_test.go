package aws_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/provider/aws"
	"countersign/provider/providertest"
)

// This file is the receipts: SNS, its certificates, and who believes what.

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
