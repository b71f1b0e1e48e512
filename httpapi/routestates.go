package httpapi

import (
	"net/http"
	"reflect"
)

// This file shows an operator how messages go and how their routes fare.

// RouteList is the answer of GET /v1/routes.
type RouteList struct {
	_ struct{} `additionalProperties:"true"`

	Rules  []RouteRule  `json:"rules" doc:"Of the rules of a channel the first that holds the number decides."`
	Routes []RouteState `json:"routes" doc:"The routes that these rules name, and how they fare in the last half hour, as this process saw it."`
}

// RouteRule says which routes serve a channel.
type RouteRule struct {
	_ struct{} `additionalProperties:"true"`

	Channel   string        `json:"channel" example:"sms"`
	Countries []string      `json:"countries,omitempty" doc:"ISO 3166-1 alpha-2. Absent: every country."`
	Prefixes  []string      `json:"prefixes,omitempty" doc:"First digits of numbers in E.164. Absent: every number."`
	Routes    []RouteChoice `json:"routes" doc:"In the order in which they are tried; those with weights share out who is first."`
}

// RouteChoice is a route in a rule.
type RouteChoice struct {
	_ struct{} `additionalProperties:"true"`

	Route  string `json:"route" example:"sinch"`
	Weight int    `json:"weight,omitempty"`
}

// RouteState is how a route stands.
type RouteState struct {
	_ struct{} `additionalProperties:"true"`

	Name      string            `json:"name" example:"sinch"`
	Channels  []string          `json:"channels"`
	Countries []string          `json:"countries,omitempty" doc:"Those that it serves. Absent: every country."`
	Hosted    bool              `json:"hosted" doc:"Its vendor makes and checks the code."`
	Sender    string            `json:"sender,omitempty"`
	Senders   map[string]string `json:"senders,omitempty" doc:"By country."`
	Breaker   string            `json:"breaker" enum:"closed,open,half_open" doc:"open: its vendor failed too often, and it is left out for ten seconds; half_open: one message finds out."`
	InFlight  int               `json:"in_flight" doc:"Messages that its vendor has not answered yet."`
	Receipts  string            `json:"receipts" enum:"none,waiting,coming,silent" doc:"silent: its vendor's receipts have stopped, or never came."`
	Health    []RouteHealth     `json:"health"`
}

// RouteHealth is how a route fares in one country.
type RouteHealth struct {
	_ struct{} `additionalProperties:"true"`

	Country       string   `json:"country" example:"SE" doc:"Empty for e-mail."`
	Channel       string   `json:"channel" example:"sms"`
	Breaker       string   `json:"breaker" enum:"closed,open,half_open"`
	TriedLast     bool     `json:"tried_last" doc:"What it carries here does not arrive: other routes are tried before it."`
	Tried         int      `json:"tried" doc:"Messages that its vendor was asked to carry."`
	AcceptRate    *float64 `json:"accept_rate" doc:"Share of these that it took. Null without any."`
	ReceiptRate   *float64 `json:"receipt_rate" doc:"Share of the taken ones of which a receipt says how they ended."`
	DeliveryRate  *float64 `json:"delivery_rate" doc:"Share of these receipts that say delivered."`
	VerifiedRate  *float64 `json:"verified_rate" doc:"Share of ended verifications whose code came back."`
	VerifySeconds *float64 `json:"verify_seconds" doc:"Mean time from the start to the right code."`
}

// listRoutes serves GET /v1/routes.
func listRoutes(c *call) error {
	list := c.s.cfg.Routes(c.app.App.ID)
	for i := range list.Routes {
		if list.Routes[i].Health == nil {
			list.Routes[i].Health = []RouteHealth{}
		}
	}
	return c.answer(http.StatusOK, list)
}

func listRoutesDoc() *operation {
	return &operation{
		id: "listRoutes", tag: tagOperations, summary: "How messages go, and how the routes fare",
		description: "The app's rules, and the health of the routes that they name, by country and channel.",
		status:      http.StatusOK, out: reflect.TypeFor[RouteList](), answer: "Rules and routes.",
	}
}
