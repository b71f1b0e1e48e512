package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"countersign"
)

// Guard explains what the guard decides, and knows what it blocks.
type Guard interface {
	// Explain says whether a start would be sent now, and changes nothing.
	Explain(ctx context.Context, q *countersign.StartRequest) (*countersign.Explanation, error)
	// Blocks lists what is blocked for an app, the latest first.
	Blocks(ctx context.Context, app string) ([]countersign.Block, error)
	// Lift ends a block. false when there is none of this id for the app.
	Lift(ctx context.Context, app, id string) (bool, error)
}

func guardRoutes() []route {
	return []route{
		{"POST", "/v1/guard/explain", secretKey, "", explainStart, explainDoc()},
		{"GET", "/v1/guard/blocks", secretKey, "", listBlocks, blocksDoc()},
		{"DELETE", "/v1/guard/blocks/{id}", secretKey, "", liftBlock, liftDoc()},
	}
}

type explanation struct {
	_ struct{} `additionalProperties:"true"`

	Decision string      `json:"decision" enum:"allow,challenge,deny" doc:"What a start would meet now."`
	Rules    []ruleState `json:"rules" doc:"Every rule that was asked."`
}

type ruleState struct {
	_ struct{} `additionalProperties:"true"`

	Rule     string `json:"rule" example:"budget_prefix4"`
	Meaning  string `json:"meaning" doc:"The same in words."`
	Limit    int    `json:"limit" doc:"How much there is of it; 0 for rules that count nothing."`
	Used     int    `json:"used" doc:"How much of that is used."`
	ResetsIn int    `json:"resets_in" doc:"Seconds until nothing of it is used."`
	Would    string `json:"would" enum:"allow,challenge,deny" doc:"What this rule alone would do."`
	Shadow   bool   `json:"shadow,omitempty" doc:"The rule only records: it does not count for the decision."`
}

// explainStart serves POST /v1/guard/explain.
func explainStart(c *call) error {
	in, err := decode[startBody](c)
	if err != nil {
		return err
	}
	q, err := c.startRequest(in)
	if err != nil {
		return err
	}
	e, err := c.s.cfg.Guard.Explain(c.r.Context(), q)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, explanation{Decision: e.Decision, Rules: describeAll(e.Rules, describeRule)})
}

func describeRule(r countersign.RuleState) ruleState {
	return ruleState{
		Rule: r.Rule, Meaning: r.Meaning, Limit: r.Limit, Used: r.Used, ResetsIn: wholeSeconds(r.ResetsIn), Would: r.Would, Shadow: r.Shadow,
	}
}

func explainDoc() *operation {
	return &operation{
		id: "explainStart", tag: tagOperations, summary: "Why a start would be sent, or not",
		description: "Takes the body of a start and says what every rule of the guard would do with it now. It sends nothing, counts nothing and changes nothing.",
		in:          reflect.TypeFor[startBody](), needed: true, status: http.StatusOK, out: reflect.TypeFor[explanation](), answer: "The explanation.",
		fails: []countersign.Kind{countersign.ErrInvalidRequest, countersign.ErrInvalidPhoneNumber, countersign.ErrInvalidEmail},
	}
}

type blockList struct {
	_ struct{} `additionalProperties:"true"`

	Data []block `json:"data" doc:"What is blocked now, the latest first."`
}

type block struct {
	_ struct{} `additionalProperties:"true"`

	ID      string     `json:"id" example:"blk_5f1d7a84db00d2fce00b31a7fc73224f"`
	Rule    string     `json:"rule" example:"prefix_blocked"`
	Subject string     `json:"subject" doc:"What is blocked: a range of numbers, or the cut hash of a network or phone."`
	Reason  string     `json:"reason"`
	Since   *time.Time `json:"since" doc:"Null where it is not known."`
	Until   *time.Time `json:"until" doc:"When it ends by itself."`
	Level   int        `json:"level" doc:"How often it was blocked before, lately. Each time doubles the length."`
}

// listBlocks serves GET /v1/guard/blocks.
func listBlocks(c *call) error {
	list, err := c.s.cfg.Guard.Blocks(c.r.Context(), c.app.ID)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, blockList{Data: describeAll(list, describeBlock)})
}

func describeBlock(b countersign.Block) block {
	return block{ID: b.ID, Rule: b.Rule, Subject: b.Subject, Reason: b.Reason, Since: instantOrNil(b.Since), Until: instantOrNil(b.Until), Level: b.Level}
}

func instantOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func blocksDoc() *operation {
	return &operation{
		id: "listBlocks", tag: tagOperations, summary: "What is blocked now",
		description: "Ranges of numbers and networks that the guard blocked, and phones that a hundred wrong codes in a row have stopped.",
		status:      http.StatusOK, out: reflect.TypeFor[blockList](), answer: "The blocks.",
	}
}

// liftBlock serves DELETE /v1/guard/blocks/{id}.
func liftBlock(c *call) error {
	id := c.r.PathValue("id")
	if !strings.HasPrefix(id, "blk_") || len(id) != len("blk_")+2*countersign.HashSize {
		return countersign.Fail(countersign.ErrNotFound, "There is no such block.")
	}
	lifted, err := c.s.cfg.Guard.Lift(c.r.Context(), c.app.ID, id)
	if err != nil {
		return err
	}
	if !lifted {
		return countersign.Fail(countersign.ErrNotFound, "There is no such block, or it has ended.")
	}
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func liftDoc() *operation {
	return &operation{
		id: "liftBlock", tag: tagOperations, summary: "Lift a block", description: "It ends now, on every node within a few seconds.",
		status: http.StatusNoContent, answer: "It is lifted.", fails: []countersign.Kind{countersign.ErrNotFound},
	}
}
