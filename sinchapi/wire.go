package sinchapi

import (
	"errors"
	"mime"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign"
	"countersign/phone"
)

// The shapes on the wire, as the vendor has them.

type identity struct {
	Type     string `json:"type"`
	Endpoint string `json:"endpoint"`
}

type startBody struct {
	Identity         identity       `json:"identity"`
	Method           string         `json:"method"`
	Reference        string         `json:"reference"`
	Custom           string         `json:"custom"`
	SMSOptions       smsOptions     `json:"smsOptions"`
	FlashCallOptions flashOptions   `json:"flashCallOptions"`
	CalloutOptions   calloutOptions `json:"calloutOptions"`
	WhatsAppOptions  smsOptions     `json:"whatsappOptions"`
}

type smsOptions struct {
	CodeType string `json:"codeType"`
	Expiry   string `json:"expiry"`
}

type flashOptions struct {
	DialTimeout         *int `json:"dialTimeout"`
	InterceptionTimeout *int `json:"interceptionTimeout"`
}

type calloutOptions struct {
	Speech struct {
		Locale string `json:"locale"`
	} `json:"speech"`
}

type reportBody struct {
	Method    string `json:"method"`
	SMS       code   `json:"sms"`
	FlashCall cli    `json:"flashCall"`
	Callout   code   `json:"callout"`
	WhatsApp  code   `json:"whatsapp"`
}

type code struct {
	Code string `json:"code"`
}

type cli struct {
	CLI string `json:"cli"`
}

type startAnswer struct {
	ID        string          `json:"id"`
	Method    string          `json:"method"`
	SMS       *smsAnswer      `json:"sms,omitempty"`
	FlashCall *flashAnswer    `json:"flashCall,omitempty"`
	WhatsApp  *whatsAppAnswer `json:"whatsapp,omitempty"`
	Seamless  *seamlessAnswer `json:"seamless,omitempty"`
	Links     []link          `json:"_links"`
}

type smsAnswer struct {
	Template            string `json:"template,omitempty"`
	InterceptionTimeout int    `json:"interceptionTimeout"`
	CodeType            string `json:"codeType"`
}

type flashAnswer struct {
	CLIFilter           string `json:"cliFilter,omitempty"`
	InterceptionTimeout int    `json:"interceptionTimeout"`
	ReportTimeout       int    `json:"reportTimeout"`
	DenyCallAfter       int    `json:"denyCallAfter"`
}

type whatsAppAnswer struct {
	CodeType string `json:"codeType"`
}

type seamlessAnswer struct {
	TargetURI string `json:"targetUri"`
}

type link struct {
	Rel    string `json:"rel"`
	Href   string `json:"href"`
	Method string `json:"method"`
}

type reportAnswer struct {
	ID           string `json:"id"`
	Method       string `json:"method"`
	Status       string `json:"status"`
	Reason       string `json:"reason,omitempty"`
	Reference    string `json:"reference,omitempty"`
	CallComplete *bool  `json:"callComplete,omitempty"`
}

type statusAnswer struct {
	reportAnswer `json:",inline"`

	Identity              identity `json:"identity"`
	CountryID             string   `json:"countryId,omitempty"`
	VerificationTimestamp string   `json:"verificationTimestamp"`
	Source                string   `json:"source,omitempty"`
	CallResult            string   `json:"callResult,omitempty"`
}

// decode reads a request's body. Members of other names are ignored, as the service does: its libraries pass them
// through. Names match whatever their case, as older clients write "flashcall". Doubled members, broken UTF-8,
// wrong types and anything after the value are refused.
func decode(c *call, into any) error {
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return vendorError{code: 40001, message: "The Content-Type must be application/json."}
	}
	if err := json.Unmarshal(c.body, into, json.MatchCaseInsensitiveNames(true)); err != nil {
		return vendorError{code: 40001, message: "The body is not JSON of the expected shape" + where(err) + "."}
	}
	return nil
}

// where names the place of a mistake by its member names, which are ours, and never by a value.
func where(err error) string {
	var pointer jsontext.Pointer
	if e := (*json.SemanticError)(nil); errors.As(err, &e) {
		pointer = e.JSONPointer
	}
	if p := string(pointer); p != "" && len(p) <= 64 && strings.Trim(p, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return " at " + p
	}
	return ""
}

// method pairs the vendor's name with our channel.
type method struct {
	name    string
	channel countersign.Channel
}

var methods = []method{
	{"sms", countersign.ChannelSMS},
	{"flashcall", countersign.ChannelFlashCall},
	{"callout", countersign.ChannelVoice},
	{"whatsapp", countersign.ChannelWhatsApp},
	{"seamless", countersign.ChannelSeamless},
}

// parseMethod reads the vendor's name in any case: old clients send "flashCall".
func parseMethod(name string) (method, error) {
	for _, m := range methods {
		if strings.EqualFold(m.name, name) {
			return m, nil
		}
	}
	if name == "" {
		return method{}, vendorError{code: 40001, message: "The method is missing: sms, flashcall, callout, seamless or whatsapp."}
	}
	return method{}, vendorError{code: 40001, message: "The method must be sms, flashcall, callout, seamless or whatsapp."}
}

// methodOf is the vendor's name of a channel.
func methodOf(ch countersign.Channel) string {
	for _, m := range methods {
		if m.channel == ch {
			return m.name
		}
	}
	return string(ch)
}

// parseEndpoint reads a number in E.164 with its plus sign, nothing else.
func parseEndpoint(text string) (countersign.Address, error) {
	if !strings.HasPrefix(text, "+") {
		return countersign.Address{}, errNoPlus
	}
	if len(text) > 16 || strings.Trim(text[1:], "0123456789") != "" {
		return countersign.Address{}, errNumber
	}
	n, err := phone.Parse(text, "")
	if err != nil {
		return countersign.Address{}, errNumber
	}
	return countersign.PhoneAddress(n), nil
}

// parseCodeType reads the alphabet asked for; zero means the app's own.
func parseCodeType(name string) (countersign.Alphabet, error) {
	for _, t := range codeTypes {
		if strings.EqualFold(t.name, name) {
			return t.alphabet, nil
		}
	}
	if name == "" {
		return 0, nil
	}
	return 0, vendorError{code: 40001, message: "The codeType must be Numeric, Alpha or Alphanumeric."}
}

var codeTypes = []struct {
	name     string
	alphabet countersign.Alphabet
}{{"Numeric", countersign.Digits}, {"Alpha", countersign.Letters}, {"Alphanumeric", countersign.Alphanumeric}}

func codeTypeOf(a countersign.Alphabet) string {
	for _, t := range codeTypes {
		if t.alphabet == a {
			return t.name
		}
	}
	return "Numeric"
}

// parseExpiry reads a lifetime of the form HH:MM:SS; zero means the app's own.
func parseExpiry(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	bad := vendorError{code: 40001, message: "The expiry must be a time of the form HH:MM:SS, at least 00:00:30."}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return 0, bad
	}
	var d time.Duration
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || len(p) != 2 || n < 0 || n > 59 || i == 0 && n > 23 {
			return 0, bad
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	if d < countersign.MinLifetime {
		return 0, bad
	}
	return d, nil
}

// languageOf takes the first language of an Accept-Language header; "" for none that could be one.
func languageOf(header string) string {
	tag, _, _ := strings.Cut(header, ",")
	tag, _, _ = strings.Cut(tag, ";")
	tag = strings.TrimSpace(tag)
	if len(tag) > 35 || strings.Trim(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return ""
	}
	return tag
}
