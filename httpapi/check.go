package httpapi

import (
	"net/http"
	"net/netip"

	"countersign"
)

// clientBody is the person for whom a server acts.
type clientBody struct {
	IP        string `json:"ip,omitempty" example:"203.0.113.7" doc:"The person's address."`
	UserAgent string `json:"user_agent,omitempty" maxLength:"512"`
	Device    string `json:"device,omitempty" maxLength:"128" doc:"Your own id of the person's device."`
}

// clientOf is who asked: the connection's client with a publishable key; with a secret key whom the server names, and
// nobody where it names nobody, because the connection is the server's own.
func (c *call) clientOf(in *clientBody) (countersign.Client, error) {
	if !c.key.Secret {
		if in != nil {
			return countersign.Client{}, invalid("/client", "The client of a publishable key is the connection's own.")
		}
		return countersign.Client{Addr: c.client, UserAgent: cut(c.r.UserAgent(), 512)}, nil
	}
	if in == nil {
		return countersign.Client{}, nil
	}
	if len(in.UserAgent) > 512 {
		return countersign.Client{}, invalid("/client/user_agent", "At most 512 bytes.")
	}
	if len(in.Device) > 128 {
		return countersign.Client{}, invalid("/client/device", "At most 128 bytes.")
	}
	who := countersign.Client{UserAgent: in.UserAgent, Device: in.Device}
	if in.IP != "" {
		addr, err := netip.ParseAddr(in.IP)
		if err != nil || addr.Zone() != "" {
			return countersign.Client{}, invalid("/client/ip", "This is not an IPv4 or IPv6 address, without a port or a zone.")
		}
		if addr.Unmap().IsUnspecified() || addr.Unmap().IsMulticast() {
			return countersign.Client{}, invalid("/client/ip", "No person has this address. Send the one that the person's request came from, or leave it out.")
		}
		who.Addr = plainAddr(addr)
	}
	return who, nil
}

func cut(s string, most int) string { return s[:min(len(s), most)] }

// checkBody is what POST /v1/verifications/{id}/checks takes.
type checkBody struct {
	Code   *string     `json:"code" required:"true" nullable:"false" maxLength:"16" example:"123456" doc:"As the person typed it; spaces and hyphens do not count."`
	Client *clientBody `json:"client,omitempty" doc:"For whom a server asks. Secret keys only."`

	DeviceToken string `json:"device_token,omitempty" maxLength:"128" doc:"As on a start."`
}

// checkVerification serves POST /v1/verifications/{id}/checks.
func checkVerification(c *call) error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	in, err := decode[checkBody](c)
	if err != nil {
		return err
	}
	if in.Code == nil {
		return invalid("/code", "Say which code the person typed.")
	}
	client, err := c.clientOf(in.Client)
	if err != nil {
		return err
	}
	once, err := c.idempotency("POST /v1/verifications/" + id + "/checks")
	if err != nil {
		return err
	}
	return c.check(&countersign.CheckRequest{ID: id, Code: *in.Code, Client: client, DeviceToken: in.DeviceToken, Idempotency: once})
}

// checkByPhoneBody is what POST /v1/checks takes.
type checkByPhoneBody struct {
	To      *string     `json:"to" required:"true" nullable:"false" example:"+46701740615" doc:"The phone number, or the e-mail address, that the code went to."`
	Code    *string     `json:"code" required:"true" nullable:"false" maxLength:"16" example:"123456"`
	Purpose string      `json:"purpose,omitempty" enum:"signup,login,stepup" default:"login"`
	Region  string      `json:"region,omitempty" example:"US" doc:"The country of a number without country code."`
	Client  *clientBody `json:"client,omitempty" doc:"For whom the server asks."`

	DeviceToken string `json:"device_token,omitempty" maxLength:"128" doc:"As on a start."`
}

// checkByPhone serves POST /v1/checks.
func checkByPhone(c *call) error {
	in, err := decode[checkByPhoneBody](c)
	if err != nil {
		return err
	}
	if in.Code == nil {
		return invalid("/code", "Say which code the person typed.")
	}
	purpose, ok := countersign.ParsePurpose(in.Purpose)
	if !ok || purpose == countersign.PurposeTransaction {
		return invalid("/purpose", "A purpose is signup, login or stepup here. A transaction is checked by its verification's id.")
	}
	client, err := c.clientOf(in.Client)
	if err != nil {
		return err
	}
	to, err := c.parseTo(in.To, in.Region, in.To != nil && isMail(*in.To))
	if err != nil {
		return err
	}
	once, err := c.idempotency("POST /v1/checks")
	if err != nil {
		return err
	}
	return c.check(&countersign.CheckRequest{To: to, Purpose: purpose, Code: *in.Code, Client: client, DeviceToken: in.DeviceToken, Idempotency: once})
}

// check asks the engine and answers.
func (c *call) check(q *countersign.CheckRequest) error {
	q.App, q.Face, q.Caller = c.app.App, countersign.FaceREST, c.key.ID
	v, err := c.s.cfg.Engine.Check(c.r.Context(), q)
	if err != nil {
		return err
	}
	c.verification = v.ID
	c.checksLeft(v)
	c.replayed(v)
	return c.answer(http.StatusOK, c.describe(v))
}
