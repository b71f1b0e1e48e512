package aws

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"countersign"
	"countersign/provider/callback"
	"countersign/provider/outbound"
)

// This file takes receipts from an SNS topic. A message is believed when it names our topic, is fresh, and is signed
// (version 2: SHA-256) with the key of a certificate that SNS itself serves in the topic's region, and that an authority
// which this machine trusts gave to SNS. The address of the certificate comes from the message, so it is not fetched unless
// it is exactly of that form: anything else would let a forger name his own.

const (
	maxCallback  = 256 << 10 // SNS' own bound of a message
	maxAge       = time.Hour // SNS gives up on an endpoint sooner
	maxKeys      = 8
	callbackTime = 4 * time.Second
)

// topic is one SNS topic.
type topic struct {
	cfg    *Config
	region string
	host   string
	client *outbound.Client

	mu   sync.Mutex
	keys map[string]signer // by the certificate's address
	seen callback.Memory
}

type signer struct {
	key         *rsa.PublicKey
	from, until time.Time
}

func newTopic(cfg *Config) *topic {
	region := topicForm.FindStringSubmatch(cfg.TopicARN)[2]
	return &topic{
		cfg: cfg, region: region, host: "sns." + region + "." + domain(region), client: outbound.New(cfg.Name, 3*time.Second, cfg.Transport),
		keys: map[string]signer{},
	}
}

// TakesReceipts says whether a topic is configured.
func (p *Provider) TakesReceipts() bool { return p.sns != nil }

// Callback is the handler of the topic's messages. It answers 200 when one was taken, was known or says nothing to us, 400
// when it cannot be read, 401 when it is not the topic's, and 503 when it could not be kept and should come again.
func (p *Provider) Callback(sink countersign.ReceiptSink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.sns == nil {
			callback.Respond(w, http.StatusNotFound, nil)
			return
		}
		p.sns.serve(w, r, sink)
	})
}

// notification is a message of SNS.
type notification struct {
	Type             string
	MessageID        string `json:"MessageId"`
	TopicARN         string `json:"TopicArn"`
	Message          string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	Subject          *string
	Token            string
	SubscribeURL     string
}

var (
	errForged = errors.New("not the topic's")
	errKey    = errors.New("the certificate cannot be had now")
)

func (t *topic) serve(w http.ResponseWriter, r *http.Request, sink countersign.ReceiptSink) {
	body, ok := callback.ReadUpTo(w, r, maxCallback)
	if !ok {
		return
	}
	var n notification
	if err := json.Unmarshal(body, &n); err != nil || body[len(body)-1] != '}' {
		callback.Respond(w, http.StatusBadRequest, nil)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callbackTime)
	defer cancel()
	// The signature is over the fields. That the headers say the same is only what SNS does, and cheap to ask for.
	if r.Header.Get("X-Amz-Sns-Message-Id") != n.MessageID || r.Header.Get("X-Amz-Sns-Message-Type") != n.Type {
		n.Type = ""
	}
	switch err := t.verify(ctx, &n); {
	case errors.Is(err, errKey):
		callback.Acknowledge(w, err)
	case err != nil:
		callback.Respond(w, http.StatusUnauthorized, nil)
	case !t.seen.Add(n.MessageID):
		callback.Acknowledge(w, nil)
	default:
		err := t.take(ctx, sink, &n)
		if err != nil {
			t.seen.Forget(n.MessageID)
		}
		callback.Acknowledge(w, err)
	}
}

// verify says whether a message is the topic's.
func (t *topic) verify(ctx context.Context, n *notification) error {
	at, err := time.Parse(time.RFC3339, n.Timestamp)
	if err != nil || t.cfg.Now().Sub(at).Abs() > maxAge || n.TopicARN != t.cfg.TopicARN || n.SignatureVersion != "2" || n.MessageID == "" {
		return errForged
	}
	signature, err := base64.StdEncoding.DecodeString(n.Signature)
	text := n.signed()
	if err != nil || text == "" || !t.certificateURL(n.SigningCertURL) {
		return errForged
	}
	key, err := t.key(ctx, n.SigningCertURL)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return errForged
	}
	return nil
}

// signed is what the signature is over; "" for a type that is not known.
func (n *notification) signed() string {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	add("Message", n.Message)
	add("MessageId", n.MessageID)
	switch n.Type {
	case "Notification":
		if n.Subject != nil {
			add("Subject", *n.Subject)
		}
		add("Timestamp", n.Timestamp)
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		add("SubscribeURL", n.SubscribeURL)
		add("Timestamp", n.Timestamp)
		add("Token", n.Token)
	default:
		return ""
	}
	add("TopicArn", n.TopicARN)
	add("Type", n.Type)
	return b.String()
}

var certificatePath = regexp.MustCompile(`^/SimpleNotificationService-[0-9a-f]{1,64}\.pem$`)

// certificateURL says whether an address is one of SNS' own certificates in the topic's region.
func (t *topic) certificateURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && text == "https://"+t.host+u.Path && certificatePath.MatchString(u.Path)
}

// key gives a certificate's key. A few are kept; they change about once a year.
func (t *topic) key(ctx context.Context, address string) (*rsa.PublicKey, error) {
	now := t.cfg.Now()
	t.mu.Lock()
	s, ok := t.keys[address]
	t.mu.Unlock()
	if !ok {
		got, f := t.client.Do(ctx, &outbound.Question{Method: http.MethodGet, URL: address})
		if f != nil || got.Status >= 500 {
			return nil, errKey
		}
		if !got.OK() {
			return nil, errForged
		}
		made, err := t.trusted(ctx, got.Body, now)
		if err != nil {
			return nil, err
		}
		s = *made
	}
	if now.Before(s.from) || now.After(s.until) {
		return nil, errForged
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.keys) >= maxKeys {
		clear(t.keys)
	}
	t.keys[address] = s
	return s.key, nil
}

func (t *topic) take(ctx context.Context, sink countersign.ReceiptSink, n *notification) error {
	switch n.Type {
	case "SubscriptionConfirmation":
		return t.confirm(ctx, n)
	case "Notification":
		r, ok := parseEvent(n.Message)
		if !ok {
			return nil
		}
		return sink.TakeReceipt(ctx, r)
	}
	return nil
}

// confirm opens the address that makes the topic's subscription of us valid. It is the topic's own in its region, or none.
func (t *topic) confirm(ctx context.Context, n *notification) error {
	u, err := url.Parse(n.SubscribeURL)
	if err != nil || u.Scheme != "https" || u.Host != t.host || u.User != nil || (u.Path != "/" && u.Path != "") ||
		u.Query().Get("Action") != "ConfirmSubscription" || u.Query().Get("TopicArn") != t.cfg.TopicARN {
		return nil
	}
	got, f := t.client.Do(ctx, &outbound.Question{Method: http.MethodGet, URL: n.SubscribeURL})
	if f != nil {
		return f
	}
	if got.Status >= 500 {
		return errKey
	}
	return nil
}

// parseEvent reads an event of End User Messaging; false for what is no receipt of ours.
func parseEvent(text string) (countersign.Receipt, bool) {
	var e struct {
		Type    string            `json:"eventType"`
		At      int64             `json:"eventTimestamp"`
		ID      string            `json:"messageId"`
		Context map[string]string `json:"context"`
		Price   json.Number       `json:"totalMessagePrice"` // of all parts
		Fee     json.Number       `json:"totalCarrierFee"`
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return countersign.Receipt{}, false
	}
	r := countersign.Receipt{ID: e.Context[contextVerification], DeliveryID: e.Context[contextDelivery], Ref: e.ID}
	var known bool
	r.Status, known = statusOf(e.Type)
	if !known || r.ID == "" || len(r.ID) > 128 || len(r.DeliveryID) > 128 || len(r.Ref) > 128 {
		return countersign.Receipt{}, false
	}
	if e.At > 0 {
		r.At = time.UnixMilli(e.At)
	}
	if r.Status == countersign.DeliveryUndelivered || r.Status == countersign.DeliveryFailed {
		r.Detail = e.Type
	}
	r.Cost = costOf(e.Price, e.Fee)
	return r, true
}

// costOf adds what AWS takes for a message to what the carrier takes for it. Events are in US dollars, whatever the account is
// billed in.
func costOf(price, fee json.Number) countersign.Money {
	cost, err := countersign.MoneyOf(price, "USD")
	if err != nil {
		return countersign.Money{}
	}
	if more, err := countersign.MoneyOf(fee, "USD"); err == nil {
		cost = cost.Plus(more)
	}
	return cost
}

func statusOf(event string) (countersign.DeliveryStatus, bool) {
	switch event {
	case "TEXT_QUEUED", "TEXT_PENDING":
		return countersign.DeliveryAccepted, true
	case "TEXT_SENT", "TEXT_SUCCESSFUL": // accepted by the recipient's carrier
		return countersign.DeliverySent, true
	case "TEXT_DELIVERED":
		return countersign.DeliveryDelivered, true
	case "TEXT_INVALID", "TEXT_INVALID_MESSAGE", "TEXT_UNREACHABLE", "TEXT_CARRIER_UNREACHABLE", "TEXT_BLOCKED",
		"TEXT_CARRIER_BLOCKED", "TEXT_SPAM", "TEXT_UNKNOWN", "TEXT_TTL_EXPIRED":
		return countersign.DeliveryUndelivered, true
	case "TEXT_PROTECT_BLOCKED":
		return countersign.DeliveryFailed, true
	}
	return "", false
}
