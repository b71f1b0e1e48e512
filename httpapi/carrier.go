package httpapi

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"countersign"
)

// This file lets an integrator say what the sandbox's carrier does with messages.

// Carrier is the sandbox's.
type Carrier interface {
	// SetCarrier replaces all rules. The error says what is wrong with which.
	SetCarrier(rules []CarrierRule) error
	// Carrier lists them.
	Carrier() []CarrierRule
}

// CarrierRule is what happens to some messages.
type CarrierRule struct {
	To, Channel, Route, Fate string
	Skip, Times, Every, Seen int
	After, For, Delay        time.Duration
}

type carrierBody struct {
	Rules *[]carrierRule `json:"rules" required:"true" nullable:"false" doc:"Of several the first that matches decides. They take the place of all that were there."`
}

type carrierRule struct {
	To      *string `json:"to,omitempty" nullable:"false" example:"+1415" doc:"A number in E.164, or its beginning. Absent: every one."`
	Channel *string `json:"channel,omitempty" nullable:"false" example:"sms" doc:"Absent: every one."`
	Route   *string `json:"route,omitempty" nullable:"false" enum:"sandbox,sandbox-2,sandbox-hosted" doc:"Absent: every one."`
	Fate    *string `json:"fate" required:"true" nullable:"false" example:"undelivered" doc:"delivered, server_error, timeout, answer_lost, undelivered, slow, rejected, landline, lost, late, duplicate, receipt_twice, receipt_never, receipt_first, receipt_late or receipts_out_of_order."`
	Skip    *int    `json:"skip,omitempty" nullable:"false" doc:"Leave out the first so many messages."`
	Times   *int    `json:"times,omitempty" nullable:"false" doc:"End after so many."`
	Every   *int    `json:"every,omitempty" nullable:"false" doc:"Only each so-manieth."`
	After   *string `json:"after,omitempty" nullable:"false" example:"10s" doc:"Begin so long after now, by the sandbox's clock."`
	For     *string `json:"for,omitempty" nullable:"false" example:"60s" doc:"End so long after that."`
	Delay   *string `json:"delay,omitempty" nullable:"false" example:"90s" doc:"How late what is late is, by the sandbox's clock. 30s by default."`
	Seen    *int    `json:"seen,omitempty" readOnly:"true" nullable:"false" doc:"Messages that it was about."`
}

func (r *carrierRule) read(at string) (CarrierRule, error) {
	if r.Fate == nil {
		return CarrierRule{}, invalid(at+"/fate", "Say what happens, e.g. undelivered.")
	}
	out := CarrierRule{
		To: optional(r.To), Channel: optional(r.Channel), Route: optional(r.Route), Fate: *r.Fate,
		Skip: optional(r.Skip), Times: optional(r.Times), Every: optional(r.Every),
	}
	if _, ok := countersign.ParseChannel(out.Channel); !ok && out.Channel != string(countersign.ChannelSeamless) {
		return out, invalid(at+"/channel", "There is no such channel.")
	}
	for _, d := range []struct {
		name string
		text *string
		into *time.Duration
	}{{"after", r.After, &out.After}, {"for", r.For, &out.For}, {"delay", r.Delay, &out.Delay}} {
		if d.text == nil {
			continue
		}
		v, err := time.ParseDuration(*d.text)
		if err != nil || v < 0 || v > maxAdvance {
			return out, invalid(at+"/"+d.name, "A duration is written as in 90s, 10m or 24h.")
		}
		*d.into = v
	}
	return out, nil
}

func optional[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// given is absent where there is nothing to say.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func setCarrier(c *call) error {
	if err := c.sameSite(); err != nil {
		return err
	}
	in, err := decode[carrierBody](c)
	if err != nil {
		return err
	}
	if in.Rules == nil {
		return invalid("/rules", "Give the rules, [] for none.")
	}
	rules := make([]CarrierRule, len(*in.Rules))
	for i := range *in.Rules {
		one := &(*in.Rules)[i]
		if one.To != nil {
			bare := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "").Replace(*one.To)
			one.To = &bare
		}
		if rules[i], err = one.read("/rules/" + strconv.Itoa(i)); err != nil {
			return err
		}
	}
	if err := c.s.cfg.Sandbox.Carrier.SetCarrier(rules); err != nil {
		return invalid("/rules", "This carrier is not possible: "+err.Error()+".")
	}
	return showCarrier(c)
}

func showCarrier(c *call) error {
	list := []carrierRule{}
	for _, r := range c.s.cfg.Sandbox.Carrier.Carrier() {
		seen := r.Seen
		one := carrierRule{
			To: given(r.To), Channel: given(r.Channel), Route: given(r.Route), Fate: &r.Fate, Skip: given(r.Skip), Times: given(r.Times),
			Every: given(r.Every), Seen: &seen,
		}
		for _, d := range []struct {
			of   time.Duration
			into **string
		}{{r.After, &one.After}, {r.For, &one.For}, {r.Delay, &one.Delay}} {
			if d.of > 0 {
				*d.into = given(d.of.String())
			}
		}
		list = append(list, one)
	}
	return c.answer(http.StatusOK, carrierBody{Rules: &list})
}

func clearCarrier(c *call) error {
	if err := c.sameSite(); err != nil {
		return err
	}
	if err := c.s.cfg.Sandbox.Carrier.SetCarrier(nil); err != nil {
		return err
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func setCarrierDoc() *operation {
	return &operation{
		id: "setCarrier", tag: tagSandbox, summary: "Say what the carrier does with messages", in: reflect.TypeFor[carrierBody](), needed: true,
		status: http.StatusOK, out: reflect.TypeFor[carrierBody](), answer: "The rules in force.", fails: []countersign.Kind{countersign.ErrForbidden},
	}
}

func showCarrierDoc() *operation {
	return &operation{
		id: "getCarrier", tag: tagSandbox, summary: "Read the carrier's rules", status: http.StatusOK,
		out: reflect.TypeFor[carrierBody](), answer: "The rules in force, and how many messages each has seen.",
	}
}

func clearCarrierDoc() *operation {
	return &operation{
		id: "clearCarrier", tag: tagSandbox, summary: "Forget the carrier's rules", status: http.StatusNoContent, answer: "Numbers decide again.",
		fails: []countersign.Kind{countersign.ErrForbidden},
	}
}
