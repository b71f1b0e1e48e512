package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
