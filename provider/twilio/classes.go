package twilio

import (
	"net/http"
	"strconv"

	"countersign"
	"countersign/provider/outbound"
)

// This file says what the vendor's errors mean for the next step.

// classes are the error codes whose meaning is not their status'.
var classes = map[int]countersign.FailureClass{
	20003: countersign.FailOperator,    // bad credentials
	20005: countersign.FailOperator,    // account not active
	20404: countersign.FailOperator,    // no such service or account
	20429: countersign.FailTemporary,   // too many requests
	14107: countersign.FailTemporary,   // rate of this sender
	21211: countersign.FailDestination, // not a number
	21212: countersign.FailOperator,    // not a sender
	21214: countersign.FailDestination, // cannot be reached
	21217: countersign.FailDestination, // not a number
	21408: countersign.FailOperator,    // country not switched on
	21601: countersign.FailDestination, // no SMS to this number
	21602: countersign.FailOperator,    // no body
	21603: countersign.FailOperator,    // no sender
	21606: countersign.FailOperator,    // not a sender of ours
	21610: countersign.FailDestination, // the person answered STOP
	21611: countersign.FailTemporary,   // queue of this sender is full
	21612: countersign.FailTemporary,   // this sender cannot reach that number; another vendor's may
	21614: countersign.FailDestination, // not a mobile number
	21617: countersign.FailOperator,    // text too long
	21635: countersign.FailDestination, // a landline
	21703: countersign.FailOperator,    // no sender in the pool
	21704: countersign.FailOperator,    // no sender in the pool
	60200: countersign.FailDestination, // the one parameter whose form we do not choose is the number
	60203: countersign.FailTemporary,   // sends of this number are used up here
	60204: countersign.FailOperator,    // not a feature of this service
	60205: countersign.FailDestination, // a landline
	60207: countersign.FailOperator,    // too many rate limits
	60212: countersign.FailTemporary,   // several at one time for this number
	60217: countersign.FailOperator,    // service not configured
	60220: countersign.FailOperator,    // use case not vetted for China
	60223: countersign.FailOperator,    // channel switched off
	60238: countersign.FailDenied,      // the vendor blocked it
	60410: countersign.FailDenied,      // fraud guard
	60413: countersign.FailDenied,      // device intelligence
	60605: countersign.FailOperator,    // country not switched on
}

// refusal is an error's body.
type refusal struct {
	Code int `json:"code"`
}

func refusalOf(a *outbound.Answer) refusal {
	var r refusal
	if a.Into(&r) != nil {
		return refusal{}
	}
	return r
}

// failure classifies an answer that is no success. A code on a 5xx is not believed: a gateway may have made it up.
func failure(c *outbound.Client, a *outbound.Answer) *countersign.Failure {
	r := refusalOf(a)
	if class, ok := classes[r.Code]; ok && a.Status < http.StatusInternalServerError {
		return c.Fail(class, strconv.Itoa(r.Code), nil)
	}
	detail := "HTTP " + strconv.Itoa(a.Status)
	if r.Code > 0 {
		detail += ", " + strconv.Itoa(r.Code)
	}
	return c.Fail(a.Class(), detail, nil)
}
