package twilio

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign"
	"countersign/provider/callback"
	"countersign/provider/outbound"
)

// Messaging is a plain countersign.Provider over the vendor's Programmable Messaging API.
type Messaging struct {
	prices
	cfg      MessagingConfig
	client   *outbound.Client
	account  string // address of the account
	messages string // address of its messages
	replies  callback.Memory
}

var (
	_ countersign.Provider = (*Messaging)(nil)
	_ countersign.Finder   = (*Messaging)(nil)
)

// NewMessaging makes a provider, or reports everything that is wrong with its configuration.
func NewMessaging(cfg MessagingConfig) (*Messaging, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.BaseURL = strings.TrimRight(cmp.Or(cfg.BaseURL, MessagingURL), "/")
	account := cfg.BaseURL + "/2010-04-01/Accounts/" + url.PathEscape(cfg.Account.SID)
	p := &Messaging{cfg: cfg, client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport), account: account, messages: account + "/Messages.json"}
	p.ask = p.price
	return p, nil
}

// CloseIdleConnections ends connections that are not in use.
func (p *Messaging) CloseIdleConnections() { p.client.CloseIdleConnections() }

// message is what is read of the vendor's.
type message struct {
	SID       string `json:"sid"`
	Status    string `json:"status"`
	ErrorCode int    `json:"error_code"`
	To        string `json:"to"`
	Body      string `json:"body"`
	Created   string `json:"date_created"` // RFC 2822
}

// messageSID is what the vendor names messages with text only, and with media.
var messageSID = regexp.MustCompile(`^(SM|MM)[0-9a-fA-F]{32}$`)

// Bounds of how long the vendor may try, in seconds.
const (
	leastValidity = 1
	mostValidity  = 36_000
)

// Send implements countersign.Provider.
func (p *Messaging) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	form, f := p.form(m)
	if f != nil {
		return countersign.Handed{}, f
	}
	if m.Attempt > 1 {
		// The vendor has no idempotency keys: a message whose answer was lost is looked for before it is sent again.
		if h, found, err := p.Find(ctx, m); err != nil || found {
			return h, err
		}
	}
	got, f := post(ctx, p.client, &p.cfg.Account, p.messages, form)
	if f != nil {
		return countersign.Handed{}, f
	}
	if got.Status != http.StatusCreated && got.Status != http.StatusOK {
		return countersign.Handed{}, failure(p.client, got)
	}
	var made message
	if err := got.Into(&made); err != nil || !messageSID.MatchString(made.SID) {
		return countersign.Handed{}, p.client.Fail(countersign.FailUnknown, "the answer has no message", nil)
	}
	if made.Status == "failed" || made.Status == "undelivered" {
		class, known := classes[made.ErrorCode]
		if !known {
			class = countersign.FailTemporary
		}
		return countersign.Handed{}, p.client.Fail(class, made.Status+", "+strconv.Itoa(made.ErrorCode), nil)
	}
	p.add(m, made.SID)
	return countersign.Handed{Ref: made.SID, Status: countersign.DeliveryAccepted}, nil
}

// Probe reads one line of the account's messages: the door opens to this account and its credentials.
func (p *Messaging) Probe(ctx context.Context) error {
	_, f := get(ctx, p.client, &p.cfg.Account, p.messages+"?PageSize=1")
	return asError(f)
}

// price asks what a message did cost.
func (p *Messaging) price(ctx context.Context, sid string) (countersign.Money, bool) {
	got, f := get(ctx, p.client, &p.cfg.Account, p.account+"/Messages/"+url.PathEscape(sid)+".json")
	var sent struct {
		SID   string `json:"sid"`
		Price string `json:"price"` // "-0.00750"; null until the vendor knows it
		Unit  string `json:"price_unit"`
	}
	if f != nil || got.Into(&sent) != nil || sent.SID != sid {
		return countersign.Money{}, false
	}
	cost, err := countersign.ParseMoney(sent.Price, sent.Unit)
	return cost, err == nil
}

func (p *Messaging) form(m *countersign.Message) (url.Values, *countersign.Failure) {
	form := url.Values{}
	address := func(text string) string { return text }
	switch m.Channel {
	case countersign.ChannelSMS:
		form.Set("Body", m.Text)
	case countersign.ChannelWhatsApp:
		template := cmp.Or(m.Template, p.cfg.Template)
		if template == "" {
			return nil, p.client.Fail(countersign.FailOperator, "no template for whatsapp", nil)
		}
		variables, err := json.Marshal(map[string]string{"1": m.Code.Reveal()})
		if err != nil {
			return nil, p.client.Fail(countersign.FailOperator, "the request cannot be encoded", nil)
		}
		form.Set("ContentSid", template)
		form.Set("ContentVariables", string(variables))
		address = func(text string) string { return "whatsapp:" + text }
	default:
		return nil, p.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	form.Set("To", address(m.To.Dial()))
	switch sender := cmp.Or(m.Sender, p.cfg.From); {
	case sender == "" || poolSID.MatchString(sender):
		form.Set("MessagingServiceSid", cmp.Or(sender, p.cfg.Pool))
	default:
		form.Set("From", address(sender))
	}
	if s := int(m.Lifetime / time.Second); s > 0 {
		form.Set("ValidityPeriod", strconv.Itoa(min(max(s, leastValidity), mostValidity)))
	}
	if p.cfg.CallbackURL != "" {
		form.Set("StatusCallback", p.cfg.CallbackURL+"/"+m.Verification+"."+m.ID)
	}
	return form, nil
}

// Find implements countersign.Finder. The vendor keeps no reference of ours, so a message is known by whom it went to,
// and by its text, which holds the code.
func (p *Messaging) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	form, f := p.form(m)
	if f != nil {
		return countersign.Handed{}, false, f
	}
	got, f := get(ctx, p.client, &p.cfg.Account, p.messages+"?"+url.Values{"To": {form.Get("To")}, "PageSize": {"20"}}.Encode())
	var list struct {
		Messages []message `json:"messages"`
	}
	if f == nil && (got.Into(&list) != nil || list.Messages == nil) {
		f = p.client.Fail(countersign.FailUnknown, "the answer has no messages", nil)
	}
	if f != nil {
		f.Class = countersign.FailUnknown // whether it was sent stays open
		return countersign.Handed{}, false, f
	}
	at, err := http.ParseTime(got.Header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	i := slices.IndexFunc(list.Messages, func(sent message) bool { return p.same(&sent, form, m, at) })
	if i < 0 {
		return countersign.Handed{}, false, nil
	}
	p.add(m, list.Messages[i].SID)
	return countersign.Handed{Ref: list.Messages[i].SID, Status: countersign.DeliveryAccepted}, true, nil
}

// same says whether the vendor's message is this one: to the same number, within the time of a lost answer, and with the
// same text. A template's text is the vendor's: it must hold the code.
func (p *Messaging) same(sent *message, form url.Values, m *countersign.Message, now time.Time) bool {
	created, err := time.Parse(time.RFC1123Z, sent.Created)
	if err != nil || !messageSID.MatchString(sent.SID) || sent.To != form.Get("To") || sent.Status == "failed" {
		return false
	}
	if age := now.Sub(created); age < -recent || age > recent {
		return false
	}
	if m.Channel == countersign.ChannelSMS {
		return sent.Body == m.Text
	}
	return strings.Contains(sent.Body, m.Code.Reveal())
}
