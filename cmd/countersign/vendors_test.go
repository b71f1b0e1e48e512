package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"

	"countersign/provider/providertest"
	"countersign/provider/twilio"
)

// This file takes each vendor from a configuration file to a code that was sent, typed in and, where the vendor reports,
// receipted. The vendors speak their protocol on loopback; the adapters' own tests go further.

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// taker is a vendor over HTTP that takes every message.
type taker struct {
	*providertest.Carrier
}

func newTaker(t *testing.T, status int, answer string) *taker {
	t.Helper()
	v := &taker{}
	v.Carrier = providertest.NewCarrier(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	})
	t.Cleanup(v.Close)
	return v
}

// message is the body of the one message that the vendor got.
func (v *taker) message(t *testing.T) string {
	t.Helper()
	var sent []string
	for _, r := range v.Requests() {
		if r.Method == http.MethodPost {
			sent = append(sent, string(r.Body))
		}
	}
	if len(sent) != 1 {
		t.Fatalf("%d messages: %q", len(sent), sent)
	}
	return sent[0]
}

// smscOfOne is an SMSC that takes messages and reports each as delivered.
type smscOfOne struct {
	l     net.Listener
	mu    sync.Mutex
	bound bool
	texts []string
	all   sync.WaitGroup
}

func newSMSC(t *testing.T) *smscOfOne {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smscOfOne{l: l}
	s.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.all.Wait()
	})
	return s
}

func (s *smscOfOne) serve(c net.Conn) {
	defer c.Close()
	send := func(p pdu.Body, seq uint32) {
		p.Header().Seq = seq
		_ = p.SerializeTo(c)
	}
	in := bufio.NewReader(c)
	for {
		p, err := pdu.Decode(in)
		if err != nil {
			return
		}
		seq, f := p.Header().Seq, p.Fields()
		switch p.Header().ID {
		case pdu.BindTransceiverID:
			if f[pdufield.SystemID].String() != "shop" || f[pdufield.Password].String() != "s3cret" {
				return
			}
			send(pdu.NewBindTransceiverResp(), seq)
			s.mu.Lock()
			s.bound = true
			s.mu.Unlock()
		case pdu.EnquireLinkID:
			send(pdu.NewEnquireLinkResp(), seq)
		case pdu.UnbindID:
			send(pdu.NewUnbindResp(), seq)
			return
		case pdu.SubmitSMID:
			s.mu.Lock()
			s.texts = append(s.texts, string(f[pdufield.ShortMessage].Bytes()))
			s.mu.Unlock()
			answer := pdu.NewSubmitSMResp()
			_ = answer.Fields().Set(pdufield.MessageID, "77")
			send(answer, seq)
			d := pdu.NewDeliverSM()
			d.Fields()[pdufield.UDHLength] = &pdufield.SM{}
			_ = d.Fields().Set(pdufield.SourceAddr, f[pdufield.DestinationAddr].String())
			_ = d.Fields().Set(pdufield.DestinationAddr, "Shop")
			_ = d.Fields().Set(pdufield.ESMClass, 4)
			_ = d.Fields().Set(pdufield.ShortMessage, "id:77 sub:001 dlvrd:001 stat:DELIVRD err:000 text:x")
			send(d, 900)
		}
	}
}

const everyVendor = quiet + `
providers:
  aws: {type: aws, base_url: %[1]s, region: eu-west-1, key_id: AKIDEXAMPLE, key_secret: wJalrXUtnFEMI, sender: "+46701234567", timeout: 9s}
  infobip: {type: infobip, base_url: %[2]s, api_token: key-1, sender: Shop, callback_token: c2VjcmV0LXNlY3JldC1zZWNyZXQ, timeout: 9s}
  vonage: {type: vonage, base_url: %[3]s, vonage_key: abcd1234, vonage_secret: dummy, signature_secret: signature-secret, sender: "12025550100", whatsapp_template: login_code/en_GB, timeout: 9s}
  twilio: {type: twilio, base_url: %[4]s, account_sid: ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, auth_token: 0123456789abcdef, sender: "+12025550100", timeout: 9s}
  carrier: {type: smpp, host: 127.0.0.1, port: %[5]d, security: none, username: shop, password: s3cret, sender: Shop, timeout: 9s}
  wave: {type: vonage, base_url: %[6]s, vonage_key: abcd1234, vonage_secret: dummy, signature_secret: signature-secret, sender: "12025550100", whatsapp_template: login_code/en_GB, channels: [whatsapp], timeout: 9s}
routes:
  sms/+14155550161: [aws]
  sms/+14155550162: [infobip]
  sms/+14155550163: [vonage]
  sms/+14155550164: [twilio]
  sms/+14155550165: [carrier]
  whatsapp: [wave]
send_timeout: 15s
`

// delivered waits until a verification's message is said to have arrived.
func (i *instanceUnderTest) delivered(id string) {
	i.t.Helper()
	eventually(i.t, 30*time.Second, "the message is delivered", func() bool {
		_, a := i.call("GET", "/v1/verifications/"+id, "")
		return strings.Contains(fmt.Sprint(a["deliveries"]), "status:delivered")
	})
}

// startBy begins a verification over a vendor and gives its id.
func (i *instanceUnderTest) startBy(vendor, to, channel string) string {
	i.t.Helper()
	status, started := i.call("POST", "/v1/verifications", fmt.Sprintf(`{"to":%q,"channel":%q}`, to, channel))
	if status != http.StatusCreated || !strings.Contains(fmt.Sprint(started["deliveries"]), "provider:"+vendor+" ") {
		i.t.Fatalf("start over %s: %d %v", vendor, status, started)
	}
	return fmt.Sprint(started["id"])
}

func (i *instanceUnderTest) approve(id, code string) {
	i.t.Helper()
	if status, a := i.call("POST", "/v1/verifications/"+id+"/checks", `{"code":"`+code+`"}`); status != http.StatusOK || a["proof"] == nil {
		i.t.Fatalf("the code %q: %d %v", code, status, a)
	}
}

// receipt posts a vendor's callback, which must be answered with a status.
func (i *instanceUnderTest) receipt(address, kind, body string, status int, headers map[string]string) {
	i.t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := i.client.Do(r)
	if err != nil {
		i.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != status {
		i.t.Errorf("%s was answered with %d, want %d", address, answer.StatusCode, status)
	}
}

// vonageToken signs a webhook as that vendor does.
func vonageToken(body string) string {
	sum := sha256.Sum256([]byte(body))
	enc := base64.RawURLEncoding.EncodeToString
	token := enc([]byte(`{"alg":"HS256"}`)) + "." + enc([]byte(fmt.Sprintf(`{"iat":%d,"api_key":"abcd1234","payload_hash":%q}`, time.Now().Unix(), hex.EncodeToString(sum[:]))))
	mac := hmac.New(sha256.New, []byte("signature-secret"))
	mac.Write([]byte(token))
	return "Bearer " + token + "." + enc(mac.Sum(nil))
}

// TestVendorsByConfiguration: a file names vendors; a code goes out over each, is reported as delivered where the vendor
// reports, and is good.
func TestVendorsByConfiguration(t *testing.T) {
	const sid = "SM00000000000000000000000000000001"
	aws := newTaker(t, 200, `{"MessageId":"aws-1"}`)
	infobip := newTaker(t, 200, `{"messages":[{"messageId":"ib-1","status":{"groupId":1,"name":"PENDING_ACCEPTED"}}]}`)
	vonage := newTaker(t, 202, `{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-000000000001"}`)
	twilioVendor := newTaker(t, 201, `{"sid":"`+sid+`","status":"queued"}`)
	wave := newTaker(t, 202, `{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-000000000002"}`)
	smsc := newSMSC(t)
	i := serve(t, fmt.Sprintf(everyVendor, aws.URL(), infobip.URL(), vonage.URL(), twilioVendor.URL(), smsc.l.Addr().(*net.TCPAddr).Port, wave.URL()))

	t.Run("aws", func(t *testing.T) {
		id := i.startBy("aws", "+14155550161", "sms")
		i.approve(id, sixDigits.FindString(aws.message(t)))
	})
	t.Run("infobip", func(t *testing.T) {
		id := i.startBy("infobip", "+14155550162", "sms")
		var sent struct {
			Messages []struct {
				Destinations []struct{ MessageID string }
				Content      struct{ Text string }
				Webhooks     struct{ Delivery struct{ URL string } }
			}
		}
		if err := json.Unmarshal([]byte(infobip.message(t)), &sent); err != nil {
			t.Fatal(err)
		}
		m := sent.Messages[0]
		body := fmt.Sprintf(`{"results":[{"messageId":%q,"callbackData":%q,"status":{"groupId":3,"name":"DELIVERED_TO_HANDSET"}}]}`, m.Destinations[0].MessageID, id)
		i.receipt(m.Webhooks.Delivery.URL+"x", "application/json", body, 401, nil)
		i.receipt(m.Webhooks.Delivery.URL, "application/json", body, 200, nil)
		i.delivered(id)
		i.approve(id, sixDigits.FindString(m.Content.Text))
	})
	t.Run("vonage", func(t *testing.T) {
		id := i.startBy("vonage", "+14155550163", "sms")
		var sent struct {
			Text, From string
			Ref        string `json:"client_ref"`
			URL        string `json:"webhook_url"`
		}
		if err := json.Unmarshal([]byte(vonage.message(t)), &sent); err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"message_uuid":"u","client_ref":%q,"status":"delivered"}`, sent.Ref)
		i.receipt(sent.URL, "application/json", body, 401, nil)
		i.receipt(sent.URL, "application/json", body, 200, map[string]string{"Authorization": vonageToken(body)})
		i.delivered(id)
		i.approve(id, sixDigits.FindString(sent.Text))
	})
	t.Run("vonage whatsapp", func(t *testing.T) {
		id := i.startBy("wave", "+14155550166", "whatsapp")
		text := wave.message(t)
		if !strings.Contains(text, `"name":"login_code","language":{"policy":"deterministic","code":"en_GB"}`) {
			t.Errorf("sent %s", text)
		}
		i.approve(id, sixDigits.FindString(text[strings.Index(text, `"components"`):]))
	})
	t.Run("twilio", func(t *testing.T) {
		id := i.startBy("twilio", "+14155550164", "sms")
		sent, err := url.ParseQuery(twilioVendor.message(t))
		if err != nil {
			t.Fatal(err)
		}
		address := sent.Get("StatusCallback")
		form := url.Values{"MessageSid": {sid}, "MessageStatus": {"delivered"}}
		i.receipt(address, "application/x-www-form-urlencoded", form.Encode(), 401, nil)
		i.receipt(address, "application/x-www-form-urlencoded", form.Encode(), 200, map[string]string{"X-Twilio-Signature": twilio.Signature("0123456789abcdef", address, form)})
		i.delivered(id)
		i.approve(id, sixDigits.FindString(sent.Get("Body")))
	})
	t.Run("smpp", func(t *testing.T) {
		eventually(t, 60*time.Second, "the session is bound", func() bool {
			smsc.mu.Lock()
			defer smsc.mu.Unlock()
			return smsc.bound
		})
		id := i.startBy("carrier", "+14155550165", "sms")
		i.delivered(id)
		smsc.mu.Lock()
		texts := smsc.texts
		smsc.mu.Unlock()
		if len(texts) != 1 {
			t.Fatalf("%d messages", len(texts))
		}
		i.approve(id, sixDigits.FindString(texts[0]))
	})
}

// TestTheDoctorTriesVendors: it says whose door opens, and whose credentials are not taken, and sends nothing.
func TestTheDoctorTriesVendors(t *testing.T) {
	aws := newTaker(t, 200, `{}`)
	infobip := newTaker(t, 403, `{"errorCode":"E403"}`)
	vonage := newTaker(t, 200, `{"page_size":1}`)
	twilioVendor := newTaker(t, 401, `{"code":20003,"status":401}`)
	wave := newTaker(t, 503, ``)
	smsc := newSMSC(t)
	p := newPlace(t, fmt.Sprintf(everyVendor, aws.URL(), infobip.URL(), vonage.URL(), twilioVendor.URL(), smsc.l.Addr().(*net.TCPAddr).Port, wave.URL()))
	code, out, errs := p.command(t, "doctor")
	if code != exitFailed {
		t.Errorf("the doctor ended with %d\n%s", code, errs)
	}
	for vendor, says := range map[string]string{
		"aws": "takes the credentials", "infobip": "HTTP 403 E403", "vonage": "takes the credentials", "twilio": "20003", "carrier": "takes the credentials", "wave": "HTTP 503",
	} {
		if !regexp.MustCompile(`provider ` + vendor + ` .*` + says).MatchString(out) {
			t.Errorf("of %s it does not say %q:\n%s", vendor, says, out)
		}
	}
	for _, v := range []*taker{infobip, vonage, twilioVendor, wave} {
		for _, r := range v.Requests() {
			if r.Method != http.MethodGet {
				t.Errorf("%s %s", r.Method, r.Path)
			}
		}
	}
	for _, r := range aws.Requests() {
		if !strings.Contains(string(r.Body), `"DryRun":true`) {
			t.Errorf("AWS was asked %s", r.Body)
		}
	}
	smsc.mu.Lock()
	defer smsc.mu.Unlock()
	if len(smsc.texts) > 0 {
		t.Errorf("%d messages were sent", len(smsc.texts))
	}
}
