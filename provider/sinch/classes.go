package sinch

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"countersign"
	"countersign/provider/outbound"
)

// This file says what the vendor's errors mean for the next step. Details are made of codes and the names below,
// never of the vendor's text.

// class is an error's meaning and the vendor's name for it.
type class struct {
	class countersign.FailureClass
	name  string
}

// classes are the Verification API's error codes.
var classes = map[int]class{
	40001: {countersign.FailDestination, "ParameterValidation"}, // "too short": no vendor would reach it
	40002: {countersign.FailOperator, "MissingParameter"},
	40003: {countersign.FailOperator, "InvalidRequest"},
	40004: {countersign.FailOperator, "InvalidAuthorizationKey"},
	40005: {countersign.FailDestination, "NumberMissingLeadingPlus"},
	40100: {countersign.FailOperator, "AuthorizationHeader"},
	40101: {countersign.FailOperator, "TimestampHeader"}, // this machine's clock, mostly
	40102: {countersign.FailOperator, "InvalidSignature"},
	40103: {countersign.FailOperator, "AlreadyAuthorized"},
	40104: {countersign.FailOperator, "AuthorizationRequired"},
	40105: {countersign.FailOperator, "Expired"},
	40106: {countersign.FailOperator, "UserBarred"},
	40107: {countersign.FailOperator, "InvalidAuthorization"},
	40108: {countersign.FailOperator, "InvalidCredentials"},
	40200: {countersign.FailOperator, "NotEnoughCredit"},
	40300: {countersign.FailDenied, "ForbiddenRequest"},
	40301: {countersign.FailOperator, "InvalidScheme"},
	40302: {countersign.FailOperator, "InsufficientPrivileges"},
	40303: {countersign.FailOperator, "RestrictedAction"},
	40400: {countersign.FailOperator, "ResourceNotFound"},
	40900: {countersign.FailUnknown, "RequestConflict"}, // the reference may be there already
	42200: {countersign.FailOperator, "ApplicationConfiguration"},
	42201: {countersign.FailTemporary, "Unavailable"},
	42202: {countersign.FailOperator, "InvalidCallbackResponse"},
	42900: {countersign.FailTemporary, "CapacityExceeded"},
	42901: {countersign.FailTemporary, "VelocityConstraint"},
	50000: {countersign.FailTemporary, "InternalError"},
	50100: {countersign.FailOperator, "MethodNotImplemented"},
	50101: {countersign.FailOperator, "StatusNotImplemented"},
	50300: {countersign.FailTemporary, "TemporaryDown"},
	50301: {countersign.FailOperator, "ConfigurationError"},
}

// smsClasses are the SMS API's error codes that mean something else than their status.
var smsClasses = map[string]countersign.FailureClass{
	"illegal_number_type":         countersign.FailDestination,
	"missing_callback_url":        countersign.FailOperator,
	"blocked_account":             countersign.FailOperator,
	"unknown_campaign":            countersign.FailOperator,
	"unknown_group":               countersign.FailOperator,
	"syntax_invalid_json":         countersign.FailOperator,
	"syntax_constraint_violation": countersign.FailOperator,
	// The one parameter whose form we do not choose is the number.
	"syntax_invalid_parameter_format": countersign.FailDestination,
}

// number reads an integer that some of the vendor's pages show as text.
type number int

// UnmarshalJSON accepts 402 and "402".
func (n *number) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	*n = number(i)
	return nil
}

// refusal is an error's body in the Verification API.
type refusal struct {
	Code    number `json:"errorCode"`
	Message string `json:"message"`
}

// wrongCode says whether an error is the vendor's word for a wrong guess.
func (r refusal) wrongCode() bool {
	return r.Code == 40003 || strings.EqualFold(strings.TrimSuffix(r.Message, "."), "Invalid identity or code")
}

func refusalOf(a *outbound.Answer) refusal {
	var r refusal
	if json.Unmarshal(a.Body, &r) != nil {
		return refusal{}
	}
	return r
}

// verificationFailure classifies an answer that is no success.
func verificationFailure(c *outbound.Client, a *outbound.Answer) *countersign.Failure {
	r := refusalOf(a)
	known, ok := classes[int(r.Code)]
	if !ok || int(r.Code)/100 != a.Status {
		return c.Fail(a.Class(), "HTTP "+strconv.Itoa(a.Status), nil)
	}
	if r.Code == 40300 && strings.Contains(r.Message, "not available for given destination") {
		known.class = countersign.FailDestination
	}
	return c.Fail(known.class, strconv.Itoa(int(r.Code))+" "+known.name, nil)
}

// smsFailure classifies an answer of the SMS API that is no success.
func smsFailure(c *outbound.Client, a *outbound.Answer) *countersign.Failure {
	var r struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(a.Body, &r) == nil {
		if known, ok := smsClasses[r.Code]; ok && a.Status < http.StatusInternalServerError {
			return c.Fail(known, r.Code, nil)
		}
	}
	return c.Fail(a.Class(), "HTTP "+strconv.Itoa(a.Status), nil)
}
