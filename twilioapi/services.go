package twilioapi

import (
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"countersign"
)

// This file has an app's services. The first is the app itself: its name, code and texts are in the configuration and
// are not written here. Others, made through the API, are names of their own under the same app: they differ in friendly
// name and code length, and their verifications are kept apart.

const kindService = "service"

// service is one.
type service struct {
	SID          string    `json:"-"`
	FriendlyName string    `json:"n"`
	CodeLength   int       `json:"c,omitempty"` // 0 means the app's
	Created      time.Time `json:"-"`
	Updated      time.Time `json:"-"`
}

type serviceBody struct {
	SID               string            `json:"sid"`
	AccountSID        string            `json:"account_sid"`
	FriendlyName      string            `json:"friendly_name"`
	CodeLength        int               `json:"code_length"`
	LookupEnabled     bool              `json:"lookup_enabled"`
	PSD2Enabled       bool              `json:"psd2_enabled"`
	SkipSMSToLandline bool              `json:"skip_sms_to_landlines"`
	DTMFInputRequired bool              `json:"dtmf_input_required"`
	TTSName           *string           `json:"tts_name"`
	DoNotShareWarning bool              `json:"do_not_share_warning_enabled"`
	CustomCodeEnabled bool              `json:"custom_code_enabled"`
	DefaultTemplate   *string           `json:"default_template_sid"`
	Push              map[string]any    `json:"push"`
	TOTP              map[string]any    `json:"totp"`
	WhatsApp          map[string]any    `json:"whatsapp"`
	Passkeys          map[string]any    `json:"passkeys"`
	VerifyEvents      bool              `json:"verify_event_subscription_enabled"`
	Created           string            `json:"date_created"`
	Updated           string            `json:"date_updated"`
	URL               string            `json:"url"`
	Links             map[string]string `json:"links"`
}

func (c *call) describeService(s *service) serviceBody {
	self := c.f.cfg.BaseURL + "/v2/Services/" + s.SID
	length := s.CodeLength
	if length == 0 {
		length = c.App.App.Policy.CodeLength
	}
	return serviceBody{
		SID: s.SID, AccountSID: c.Account, FriendlyName: s.FriendlyName, CodeLength: length, PSD2Enabled: true,
		SkipSMSToLandline: true, DTMFInputRequired: true, DoNotShareWarning: true,
		Created: stamp(s.Created), Updated: stamp(s.Updated), URL: self,
		Links: map[string]string{
			"verifications": self + "/Verifications", "verification_checks": self + "/VerificationCheck", "rate_limits": self + "/RateLimits",
		},
	}
}

// own is the service that is the app itself. It has been there as long as anybody can tell.
func (c *call) own() *service {
	return &service{SID: c.Service, FriendlyName: c.App.App.Name, Created: time.Unix(0, 0), Updated: time.Unix(0, 0)}
}

// service finds the one in the path.
func (c *call) service() (*service, error) {
	sid := c.path[1]
	if sid == c.Service {
		return c.own(), nil
	}
	if !sidForm("VA", sid) {
		return nil, c.missing()
	}
	s := &service{}
	o, err := c.object(kindService, "", sid, s)
	if err != nil {
		return nil, err
	}
	s.SID, s.Created, s.Updated = o.SID, o.Created, o.Updated
	return s, nil
}

// object reads one of a kind and parent and opens its body.
func (c *call) object(kind, parent, sid string, into any) (*countersign.FaceObject, error) {
	o, err := c.f.cfg.Objects.Get(c.r.Context(), c.App.App.ID, sid)
	if err != nil {
		return nil, err
	}
	if o.Kind != kind || o.Parent != parent {
		return nil, c.missing()
	}
	return o, c.open(o, into)
}

func (c *call) open(o *countersign.FaceObject, into any) error {
	plain, err := c.f.cfg.Keys().Open(o.SID, o.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// put seals and writes an object.
func (c *call) put(o *countersign.FaceObject, body any) error {
	plain, err := json.Marshal(body)
	if err != nil {
		return err
	}
	o.App, o.Updated = c.App.App.ID, c.f.cfg.Now()
	if o.Created.IsZero() {
		o.Created = o.Updated
	}
	if o.Body, err = c.f.cfg.Keys().Seal(o.SID, plain); err != nil {
		return err
	}
	return c.f.cfg.Objects.Put(c.r.Context(), o)
}

// remove deletes an object that was found to be there.
func (c *call) remove(sid string) (int, any, error) {
	gone, err := c.f.cfg.Objects.Delete(c.r.Context(), c.App.App.ID, sid)
	if err == nil && !gone {
		err = c.missing()
	}
	return 204, nil, err
}

// room refuses one object too many.
func (c *call) room(kind, parent string, most int, code int, what string) error {
	have, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kind, parent)
	if err == nil && len(have) >= most {
		return vendorError{status: 400, code: code, message: "Too many " + what + ": at most " + strconv.Itoa(most)}
	}
	return err
}

// meta is a list's envelope.
type meta struct {
	Key      string  `json:"key"`
	Page     int     `json:"page"`
	PageSize int     `json:"page_size"`
	First    string  `json:"first_page_url"`
	Previous *string `json:"previous_page_url"`
	URL      string  `json:"url"`
	Next     *string `json:"next_page_url"`
}

func (c *call) meta(key string) meta {
	self := c.f.cfg.BaseURL + c.r.URL.Path
	return meta{Key: key, PageSize: 50, First: self, URL: self}
}

func (c *call) listServices() (int, any, error) {
	all := []serviceBody{c.describeService(c.own())}
	objects, err := c.f.cfg.Objects.List(c.r.Context(), c.App.App.ID, kindService, "")
	if err != nil {
		return 0, nil, err
	}
	for _, o := range objects {
		s := &service{}
		if err := c.open(o, s); err != nil {
			return 0, nil, err
		}
		s.SID, s.Created, s.Updated = o.SID, o.Created, o.Updated
		all = append(all, c.describeService(s))
	}
	return 200, map[string]any{"services": all, "meta": c.meta("services")}, nil
}

// maxServices bounds what an app can make.
const maxServices = 100

func (c *call) createService() (int, any, error) {
	s := &service{SID: newSID("VA")}
	if _, ok := c.form["FriendlyName"]; !ok {
		return 0, nil, invalid("FriendlyName", "it is missing")
	}
	if err := c.fill(s); err != nil {
		return 0, nil, err
	}
	if err := c.room(kindService, "", maxServices, 60200, "services"); err != nil {
		return 0, nil, err
	}
	o := &countersign.FaceObject{SID: s.SID, Kind: kindService, Name: s.SID}
	if err := c.put(o, s); err != nil {
		return 0, nil, err
	}
	s.Created, s.Updated = o.Created, o.Updated
	return 201, c.describeService(s), nil
}

// fill takes over the fields of a request. What would switch off a rule of the engine is refused, not ignored.
func (c *call) fill(s *service) error {
	if name, ok := c.form["FriendlyName"]; ok {
		digits := 0
		for _, r := range name {
			if r >= '0' && r <= '9' {
				digits++
			}
		}
		if name == "" || utf8.RuneCountInString(name) > 32 || digits >= 5 {
			return invalid("FriendlyName", "1 to 32 characters, of which fewer than five are digits")
		}
		s.FriendlyName = name
	}
	n, ok, err := c.form.integer("CodeLength", countersign.MinCodeLength, countersign.MaxCodeLength)
	if err != nil {
		return err
	}
	if ok {
		s.CodeLength = n
	}
	for _, field := range []string{"CustomCodeEnabled", "LookupEnabled"} {
		if v := c.form[field]; v == "true" || v == "True" {
			return vendorError{status: 400, code: 60204, message: "Service does not support this feature: " + field}
		}
	}
	return nil
}

func (c *call) fetchService() (int, any, error) {
	s, err := c.service()
	if err != nil {
		return 0, nil, err
	}
	return 200, c.describeService(s), nil
}

// inFile refuses to write what is in the configuration.
func (c *call) inFile(s *service) error {
	if s.SID == c.Service {
		return vendorError{status: 403, code: 60204, message: "Service does not support this feature: this service is the app itself, which is set in the configuration file"}
	}
	return nil
}

func (c *call) updateService() (int, any, error) {
	s, err := c.service()
	if err == nil {
		err = c.inFile(s)
	}
	if err == nil {
		err = c.fill(s)
	}
	if err != nil {
		return 0, nil, err
	}
	o := &countersign.FaceObject{SID: s.SID, Kind: kindService, Name: s.SID, Created: s.Created}
	if err := c.put(o, s); err != nil {
		return 0, nil, err
	}
	s.Updated = o.Updated
	return 200, c.describeService(s), nil
}

func (c *call) deleteService() (int, any, error) {
	s, err := c.service()
	if err == nil {
		err = c.inFile(s)
	}
	if err != nil {
		return 0, nil, err
	}
	return c.remove(s.SID)
}

// exists turns a name that is taken into the vendor's error.
func exists(err error, code int, message string) error {
	if errors.Is(err, countersign.ErrObjectExists) {
		return vendorError{status: 400, code: code, message: message}
	}
	return err
}
