package twilio

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"countersign"
	"countersign/provider/outbound"
)

// Verify is a countersign.HostedProvider over the vendor's Verify v2.
type Verify struct {
	prices
	cfg     VerifyConfig
	client  *outbound.Client
	service string // address of the service
}

var (
	_ countersign.HostedProvider = (*Verify)(nil)
	_ countersign.Finder         = (*Verify)(nil)
)

// NewVerify makes a provider, or reports everything that is wrong with its configuration.
func NewVerify(cfg VerifyConfig) (*Verify, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.BaseURL = strings.TrimRight(cmp.Or(cfg.BaseURL, VerifyURL), "/")
	v := &Verify{
		cfg: cfg, client: outbound.New(cfg.Name, cfg.Timeout, cfg.Transport),
		service: cfg.BaseURL + "/v2/Services/" + url.PathEscape(cfg.Service),
	}
	v.ask = v.price
	return v, nil
}

// CloseIdleConnections ends connections that are not in use.
func (v *Verify) CloseIdleConnections() { v.client.CloseIdleConnections() }

// channels are the vendor's names of ours.
var channels = map[countersign.Channel]string{
	countersign.ChannelSMS: "sms", countersign.ChannelVoice: "call", countersign.ChannelWhatsApp: "whatsapp",
}

// verification is what is read of the vendor's.
type verification struct {
	SID      string `json:"sid"`
	To       string `json:"to"`
	Status   string `json:"status"`
	Valid    bool   `json:"valid"`
	Attempts []struct {
		Time time.Time `json:"time"`
		SID  string    `json:"attempt_sid"`
	} `json:"send_code_attempts"` // oldest first
}

// verificationSID is the form of what must be ours to put into a path.
var verificationSID = regexp.MustCompile(`^VE[0-9a-fA-F]{32}$`)

// attemptSID is the form of the vendor's id of one send.
var attemptSID = regexp.MustCompile(`^VL[0-9a-fA-F]{32}$`)

// Send implements countersign.Provider.
func (v *Verify) Send(ctx context.Context, m *countersign.Message) (countersign.Handed, error) {
	channel, ok := channels[m.Channel]
	if !ok {
		return countersign.Handed{}, v.client.Fail(countersign.FailOperator, "this route does not serve the channel", nil)
	}
	if m.Attempt > 1 {
		if h, found, err := v.Find(ctx, m); err != nil || found {
			return h, err
		}
	}
	form := url.Values{"To": {m.To.Dial()}, "Channel": {channel}}
	if locale := verifyLocale(m.Locale); locale != "" {
		form.Set("Locale", locale)
	}
	got, f := v.post(ctx, v.service+"/Verifications", form)
	if f != nil {
		return countersign.Handed{}, f
	}
	if got.Status != http.StatusCreated && got.Status != http.StatusOK {
		return countersign.Handed{}, failure(v.client, got)
	}
	var made verification
	if err := got.Into(&made); err != nil || !verificationSID.MatchString(made.SID) {
		return countersign.Handed{}, v.client.Fail(countersign.FailUnknown, "the answer has no verification", nil)
	}
	if n := len(made.Attempts); n > 0 && attemptSID.MatchString(made.Attempts[n-1].SID) {
		v.add(m, made.Attempts[n-1].SID)
	}
	return countersign.Handed{Ref: made.SID, Status: countersign.DeliveryAccepted}, nil
}

// Probe reads the service: it exists, and the door opens to this account.
func (v *Verify) Probe(ctx context.Context) error {
	_, f := get(ctx, v.client, &v.cfg.Account, v.service)
	return asError(f)
}

// price asks what an attempt did cost: the channel's part, which the vendor knows a while after it was sent.
func (v *Verify) price(ctx context.Context, sid string) (countersign.Money, bool) {
	got, f := get(ctx, v.client, &v.cfg.Account, v.cfg.BaseURL+"/v2/Attempts/"+url.PathEscape(sid))
	var sent struct {
		SID   string `json:"sid"`
		Price struct {
			Value    string `json:"value"`
			Currency string `json:"currency"`
		} `json:"price"`
	}
	if f != nil || got.Into(&sent) != nil || sent.SID != sid {
		return countersign.Money{}, false
	}
	cost, err := countersign.ParseMoney(sent.Price.Value, sent.Price.Currency)
	return cost, err == nil
}

// recent is how long after a start whose answer was lost the vendor's newest attempt may be that one's. A resend that is
// wanted comes later: the shortest cooldown is 30 s.
const recent = 20 * time.Second

// Find implements countersign.Finder. The vendor is asked by number: it takes no reference of ours, and holds one pending
// verification a number and service.
func (v *Verify) Find(ctx context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	found, at, ok, f := v.fetch(ctx, m.To.Dial())
	switch {
	case f != nil:
		f.Class = countersign.FailUnknown // whether it was started stays open, whatever kept us from asking
		return countersign.Handed{}, false, f
	case !ok || found.Status != "pending" || found.To != m.To.Dial() || !verificationSID.MatchString(found.SID) || len(found.Attempts) == 0:
		return countersign.Handed{}, false, nil
	}
	newest := found.Attempts[0].Time
	for _, a := range found.Attempts {
		if a.Time.After(newest) {
			newest = a.Time
		}
	}
	if age := at.Sub(newest); age < -recent || age > recent {
		return countersign.Handed{}, false, nil
	}
	return countersign.Handed{Ref: found.SID, Status: countersign.DeliveryAccepted}, true, nil
}

// fetch reads one verification by its id or number, and the vendor's clock. The vendor does not know (false) one that was
// approved, expired long ago, or never was.
func (v *Verify) fetch(ctx context.Context, which string) (*verification, time.Time, bool, *countersign.Failure) {
	got, f := v.get(ctx, v.service+"/Verifications/"+url.PathEscape(which))
	switch {
	case f != nil:
		return nil, time.Time{}, false, f
	case got.Status == http.StatusNotFound && refusalOf(got).Code == 20404:
		return nil, time.Time{}, false, nil
	case !got.OK():
		return nil, time.Time{}, false, failure(v.client, got)
	}
	var found verification
	if err := got.Into(&found); err != nil || found.SID == "" {
		return nil, time.Time{}, false, v.client.Fail(countersign.FailUnknown, "the answer has no verification", nil)
	}
	at, err := http.ParseTime(got.Header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	return &found, at, true, nil
}

// Report implements countersign.HostedProvider.
func (v *Verify) Report(ctx context.Context, q countersign.HostedQuestion, g countersign.Guess) (countersign.HostedAnswer, error) {
	form := url.Values{"Code": {g.Reveal()}}
	if q.Ref != "" {
		form.Set("VerificationSid", q.Ref)
	} else {
		form.Set("To", q.To.Dial())
	}
	got, f := v.post(ctx, v.service+"/VerificationCheck", form)
	if f != nil {
		return countersign.HostedAnswer{}, f
	}
	if !got.OK() {
		return v.notChecked(got)
	}
	var checked verification
	if err := got.Into(&checked); err != nil {
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "the answer is not JSON of the expected shape", nil)
	}
	if checked.To != q.To.Dial() || q.Ref != "" && checked.SID != q.Ref {
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "the answer is about another verification", nil)
	}
	if checked.Status == "approved" && !checked.Valid {
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "approved, but not by this code", nil)
	}
	return v.standing(checked.Status)
}

// notChecked reads a refused check. Only what the vendor says in so many words ends a verification.
func (v *Verify) notChecked(got *outbound.Answer) (countersign.HostedAnswer, error) {
	switch code := refusalOf(got).Code; {
	case got.Status == http.StatusNotFound && code == 20404:
		return countersign.HostedAnswer{Status: countersign.StatusExpired, Detail: "20404"}, nil
	case got.Status == http.StatusTooManyRequests && code == 60202:
		return countersign.HostedAnswer{Status: countersign.StatusFailed, Detail: "60202"}, nil
	case got.Status == http.StatusBadRequest && code == 60200:
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "60200"}, nil // not of its codes' shape
	}
	f := failure(v.client, got)
	f.Class = countersign.FailUnknown
	return countersign.HostedAnswer{}, f
}

// Status implements countersign.HostedProvider.
func (v *Verify) Status(ctx context.Context, q countersign.HostedQuestion) (countersign.HostedAnswer, error) {
	which := cmp.Or(q.Ref, q.To.Dial())
	found, _, ok, f := v.fetch(ctx, which)
	switch {
	case f != nil:
		return countersign.HostedAnswer{}, f
	case ok && (found.To != q.To.Dial() || q.Ref != "" && found.SID != q.Ref):
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "the answer is about another verification", nil)
	case ok:
		return v.standing(found.Status)
	case q.Ref == "":
		return countersign.HostedAnswer{Status: countersign.StatusPending, Detail: "not started"}, nil
	}
	return v.forgotten(ctx, q.Ref)
}

// standing is what a status of the vendor's means.
func (v *Verify) standing(status string) (countersign.HostedAnswer, error) {
	a := countersign.HostedAnswer{Detail: status}
	switch status {
	case "pending":
		a.Status = countersign.StatusPending
	case "approved":
		a.Status = countersign.StatusApproved
	case "canceled":
		a.Status = countersign.StatusCanceled
	case "max_attempts_reached", "failed":
		a.Status = countersign.StatusFailed
	case "expired", "deleted":
		a.Status = countersign.StatusExpired
	default:
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "a status that is not known", nil)
	}
	return a, nil
}

// forgotten finds out what became of a verification that the vendor no longer shows: its log of attempts says whether one
// of them was converted, which means that the right code was entered.
func (v *Verify) forgotten(ctx context.Context, sid string) (countersign.HostedAnswer, error) {
	got, f := v.get(ctx, v.cfg.BaseURL+"/v2/Attempts?"+url.Values{"VerificationSid": {sid}, "PageSize": {"20"}}.Encode())
	if f != nil {
		return countersign.HostedAnswer{}, f
	}
	if !got.OK() {
		return countersign.HostedAnswer{}, failure(v.client, got)
	}
	var list struct {
		Attempts []struct {
			VerificationSID string `json:"verification_sid"`
			Conversion      string `json:"conversion_status"`
		} `json:"attempts"`
	}
	if err := got.Into(&list); err != nil || list.Attempts == nil {
		return countersign.HostedAnswer{}, v.client.Fail(countersign.FailUnknown, "the answer has no attempts", nil)
	}
	for _, a := range list.Attempts {
		if a.VerificationSID == sid && strings.EqualFold(a.Conversion, "converted") {
			return countersign.HostedAnswer{Status: countersign.StatusApproved, Detail: "converted"}, nil
		}
	}
	return countersign.HostedAnswer{Status: countersign.StatusExpired, Detail: "20404"}, nil
}

func (v *Verify) get(ctx context.Context, address string) (*outbound.Answer, *countersign.Failure) {
	return v.client.Do(ctx, &outbound.Question{
		Method: http.MethodGet, URL: address, Header: http.Header{"Accept": {"application/json"}}, Sign: v.cfg.Account.sign,
	})
}

func (v *Verify) post(ctx context.Context, address string, form url.Values) (*outbound.Answer, *countersign.Failure) {
	return post(ctx, v.client, &v.cfg.Account, address, form)
}

// get asks for something that must be there.
func get(ctx context.Context, c *outbound.Client, a *Account, address string) (*outbound.Answer, *countersign.Failure) {
	got, f := c.Do(ctx, &outbound.Question{Method: http.MethodGet, URL: address, Header: http.Header{"Accept": {"application/json"}}, Sign: a.sign})
	if f == nil && !got.OK() {
		f = failure(c, got)
	}
	return got, f
}

// asError keeps a nil failure a nil error.
func asError(f *countersign.Failure) error {
	if f == nil {
		return nil
	}
	return f
}

func post(ctx context.Context, c *outbound.Client, a *Account, address string, form url.Values) (*outbound.Answer, *countersign.Failure) {
	return c.Do(ctx, &outbound.Question{
		Method: http.MethodPost, URL: address, Body: []byte(form.Encode()), Sign: a.sign,
		Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}},
	})
}

// locales are those that the vendor's texts exist in. Another would refuse the whole start (60200).
var locales = map[string]string{
	"af": "af", "ar": "ar", "ca": "ca", "cs": "cs", "da": "da", "de": "de", "el": "el", "en": "en", "en-gb": "en-GB", "es": "es",
	"fi": "fi", "fr": "fr", "he": "he", "hi": "hi", "hr": "hr", "hu": "hu", "id": "id", "it": "it", "ja": "ja", "ko": "ko", "ms": "ms",
	"nb": "nb", "nl": "nl", "pl": "pl", "pt": "pt", "pt-br": "pt-BR", "ro": "ro", "ru": "ru", "sv": "sv", "th": "th", "tl": "tl",
	"tr": "tr", "vi": "vi", "zh": "zh", "zh-cn": "zh-CN", "zh-hk": "zh-HK",
}

// verifyLocale is the vendor's name of a BCP 47 tag, or of its language; "" lets the vendor go by the number's country.
func verifyLocale(tag string) string {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	if l, ok := locales[tag]; ok {
		return l
	}
	language, _, _ := strings.Cut(tag, "-")
	return locales[language]
}
