package vonage

import (
	"encoding/json"
	"strconv"
	"strings"

	"countersign"
	"countersign/provider/outbound"
)

// This file says what the vendor's errors mean for the next step. Details are made of codes and the names below, never of
// the vendor's text.

type class struct {
	class countersign.FailureClass
	name  string
}

// classes are the codes and names behind the # of a problem's type.
var classes = map[string]class{
	"1000": {countersign.FailTemporary, "throttled"},
	"1010": {countersign.FailOperator, "missing params"},
	"1020": {countersign.FailOperator, "invalid params"},
	"1030": {countersign.FailTemporary, "internal error"},
	"1040": {countersign.FailDestination, "invalid message"}, // as an unrecognised prefix
	"1050": {countersign.FailDestination, "number barred"},
	"1060": {countersign.FailOperator, "account barred"},
	"1070": {countersign.FailOperator, "quota exceeded"},
	"1080": {countersign.FailOperator, "not enabled for REST"},
	"1090": {countersign.FailOperator, "message too long"},
	"1100": {countersign.FailTemporary, "communication failed"},
	"1120": {countersign.FailOperator, "illegal sender"},
	"1130": {countersign.FailOperator, "invalid ttl"},
	"1140": {countersign.FailOperator, "facility not allowed"},
	"1160": {countersign.FailOperator, "destination not on the list"},

	"low-balance":       {countersign.FailOperator, "low balance"},
	"unauthorized":      {countersign.FailOperator, "unauthorized"},
	"forbidden":         {countersign.FailOperator, "forbidden"},
	"unprovisioned":     {countersign.FailOperator, "unprovisioned"},
	"account-suspended": {countersign.FailOperator, "account suspended"},
	"throttled":         {countersign.FailTemporary, "throttled"},
}

// problem is an error's body (RFC 7807).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	RequestID string `json:"request_id"`
	Invalid   []struct {
		Name string `json:"name"`
	} `json:"invalid_parameters"`
}

func problemOf(a *outbound.Answer) problem {
	var p problem
	if json.Unmarshal(a.Body, &p) != nil {
		return problem{}
	}
	return p
}

// failure classifies an answer that is no success. A server's fault has no code that counts.
func (a *api) failure(got *outbound.Answer) *countersign.Failure {
	p := problemOf(got)
	status := "HTTP " + strconv.Itoa(got.Status)
	if got.Status >= 400 && got.Status < 500 {
		for _, i := range p.Invalid {
			// The one parameter whose value is not ours.
			if i.Name == "to" || strings.HasSuffix(i.Name, ".to") || strings.HasSuffix(i.Name, "[0].to") {
				return a.client.Fail(countersign.FailDestination, status+" invalid to", nil)
			}
		}
		_, code, _ := strings.Cut(p.Type, "#")
		if known, ok := classes[code]; ok {
			return a.client.Fail(known.class, status+" "+known.name, nil)
		}
	}
	return a.client.Fail(got.Class(), status, nil)
}
