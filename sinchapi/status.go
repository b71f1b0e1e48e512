package sinchapi

import (
	"net/http"

	"countersign"
)

// statusByID serves GET /verifications/id/{id}. Whoever holds the id may ask: it is a secret of 128 bits.
func (f *Face) statusByID(_ http.ResponseWriter, c *call) (any, error) {
	v, err := f.byID(c)
	if err != nil {
		return nil, err
	}
	return statusAnswerOf(f.events.settle(c.r.Context(), c.tenant, v)), nil
}

// byID finds a verification that was begun on this face.
func (f *Face) byID(c *call) (*countersign.Verification, error) {
	if !countersign.ValidVerificationID(c.arg) {
		return nil, errNoResource
	}
	v, err := f.cfg.Engine.Get(c.r.Context(), c.App.App, c.arg)
	if err != nil {
		return nil, err
	}
	if v.Face != countersign.FaceSinch {
		return nil, errNoResource
	}
	return v, nil
}

// statusByNumber serves GET /verifications/{method}/number/{endpoint}.
func (f *Face) statusByNumber(_ http.ResponseWriter, c *call) (any, error) {
	if !c.signed() {
		return nil, errLevel
	}
	m, err := parseMethod(c.kind)
	if err != nil {
		return nil, errNoResource
	}
	to, err := parseEndpoint(c.arg)
	if err != nil {
		return nil, err
	}
	v, err := f.cfg.Engine.Newest(c.r.Context(), c.App.App, to, countersign.FaceSinch, m.channel)
	if err != nil {
		return nil, err
	}
	return statusAnswerOf(f.events.settle(c.r.Context(), c.tenant, v)), nil
}

// statusByReference serves GET /verifications/reference/{reference}.
func (f *Face) statusByReference(_ http.ResponseWriter, c *call) (any, error) {
	if !c.signed() {
		return nil, errLevel
	}
	v, err := f.cfg.Engine.ByReference(c.r.Context(), c.App.App, c.arg, countersign.FaceSinch)
	if err != nil {
		return nil, err
	}
	return statusAnswerOf(f.events.settle(c.r.Context(), c.tenant, v)), nil
}

func statusAnswerOf(v *countersign.Verification) statusAnswer {
	a := statusAnswer{
		reportAnswer: reportAnswerOf(v),
		Identity:     identity{Type: "number", Endpoint: v.To.Dial()},
		CountryID:    v.To.Country(),
		// The service leaves the zone away.
		VerificationTimestamp: v.Created.UTC().Format("2006-01-02T15:04:05.0000000"),
	}
	if v.Status == countersign.StatusApproved && v.Channel != countersign.ChannelSeamless {
		a.Source = "manual"
	}
	if isCall(v) {
		a.CallResult = callResult(v)
	}
	return a
}

// vendorStatus is where a verification stands, in the vendor's words.
func vendorStatus(v *countersign.Verification) (status, reason string) {
	switch v.Status {
	case countersign.StatusApproved:
		return "SUCCESSFUL", ""
	case countersign.StatusExpired:
		return "FAIL", "Expired"
	case countersign.StatusFailed:
		if v.Channel == countersign.ChannelFlashCall {
			return "FAIL", "Invalid CLI"
		}
		return "FAIL", "Invalid code"
	case countersign.StatusCanceled:
		return "ABORTED", ""
	case countersign.StatusDenied:
		if len(v.Deliveries) > 0 {
			return "DENIED", "Destination denied"
		}
		return "DENIED", "Denied by callback"
	case countersign.StatusUndeliverable:
		if v.Channel == countersign.ChannelSMS {
			return "ERROR", "SMS delivery failure"
		}
		return "ERROR", "Network error or number unreachable"
	}
	return "PENDING", ""
}

// callResult is what became of a call, as far as a receipt told.
func callResult(v *countersign.Verification) string {
	if len(v.Deliveries) == 0 {
		return ""
	}
	switch v.Deliveries[len(v.Deliveries)-1].Status {
	case countersign.DeliveryDelivered:
		return "ANSWERED"
	case countersign.DeliveryUndelivered:
		return "NO_ANSWER"
	case countersign.DeliveryFailed:
		return "FAILED"
	}
	return ""
}
