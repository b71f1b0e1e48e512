package httpapi

// This file is the one way in and out for JSON. A body is one value, at most 4 KiB, in valid UTF-8 without lone
// surrogates; member names are exact, none is doubled, none unknown, none null. encoding/json is laxer in each of
// these, and two parsers that read one text differently are how checks get bypassed.

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"countersign"
)

// maxBody is the most that any request may send, in bytes.
const maxBody = 4096

// decode reads the body into a fresh T. A request without a body gives the zero T.
func decode[T any](c *call) (*T, error) {
	body, err := readBody(c.r)
	if err != nil {
		return nil, err
	}
	c.body = body
	into := new(T)
	if len(body) == 0 {
		return into, nil
	}
	if err := decodeJSON(body, into); err != nil {
		return nil, err
	}
	return into, nil
}

// decodeJSON reads one JSON object strictly.
func decodeJSON(body []byte, into any) error {
	if bytes.Contains(body, []byte("null")) || bytes.Contains(body, []byte(`""`)) {
		if err := refuseNothing(body); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true)); err != nil {
		return jsonProblem(err)
	}
	return nil
}

// readBody takes a JSON body of at most maxBody bytes, and refuses a larger one before reading it where that is known.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return nil, countersign.Fail(countersign.ErrInvalidRequest, "The body could not be read to its end.")
	}
	if b.Len() > maxBody {
		return nil, tooLarge()
	}
	return b.Bytes(), nil
}

func tooLarge() error {
	return countersign.Fail(countersign.ErrPayloadTooLarge, "A body has at most 4096 bytes.")
}

func checkMediaType(h http.Header) error {
	types := h["Content-Type"]
	if len(types) == 1 && types[0] == "application/json" && h.Get("Content-Encoding") == "" {
		return nil
	}
	if len(types) == 1 && h.Get("Content-Encoding") == "" {
		kind, params, err := mime.ParseMediaType(types[0])
		charset, given := params["charset"]
		if err == nil && kind == "application/json" && (!given || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return countersign.Fail(countersign.ErrUnsupportedMediaType, "Send the body as application/json, in UTF-8 and not compressed.")
}

// neverEmpty are the members that say one of a few things, where "" is none of them. A server that sends an empty address
// for its client has a mistake, and would go uncounted if it were taken for one that sends none.
var neverEmpty = []jsontext.Pointer{"/channel", "/purpose", "/region", "/locale", "/client/ip", "/transaction/currency"}

// refuseNothing finds a null, and a "" where it is no value. No member of any request may be null: leave out what you do
// not want to say.
func refuseNothing(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return jsonProblem(err)
		case t.Kind() == 'n' && !inCredential(d.StackPointer()),
			t.Kind() == '"' && t.String() == "" && slices.Contains(neverEmpty, d.StackPointer()):
			return invalid(pointer(d.StackPointer()), "There must be a value here. Leave out the member that has none.")
		}
	}
}

// inCredential says whether a place lies in a browser's own JSON, which has its own rules.
func inCredential(p jsontext.Pointer) bool {
	for segment := range p.Tokens() {
		if segment == "credential" {
			return p.LastToken() != "credential"
		}
	}
	return false
}

func invalid(pointer, detail string) error {
	return &countersign.Error{Kind: countersign.ErrInvalidRequest, Pointer: pointer, Detail: detail}
}

// jsonProblem says what is wrong with a body, by place and not by value.
func jsonProblem(err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return invalid(pointer(semantic.JSONPointer), "There is no such member here. Names are exact, in lower case.")
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return invalid(pointer(syntactic.JSONPointer), "This member is there twice.")
	case errors.As(err, &syntactic):
		return invalid(pointer(syntactic.JSONPointer), "The body is not valid JSON in UTF-8, with one value and nothing after it.")
	case errors.As(err, &semantic):
		return invalid(pointer(semantic.JSONPointer), "This has the wrong type.")
	}
	return invalid("", "The body is not valid JSON.")
}

// pointer makes a pointer safe to write back: a segment that is not a plain name ends it, for names in a body are the
// caller's text. The empty pointer is the whole body.
func pointer(p jsontext.Pointer) string {
	var b strings.Builder
	for segment := range p.Tokens() {
		if !plainName(segment) {
			break
		}
		b.WriteByte('/')
		b.WriteString(segment)
	}
	return b.String()
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 32
}

// writeJSON encodes first and writes after, so that no half answer is sent.
func (c *call) writeJSON(status int, contentType string, v any) {
	b, err := encode(v)
	if err != nil {
		c.kind, c.err = countersign.ErrInternal, err
		c.status = http.StatusInternalServerError
		c.ResponseWriter.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.Header()["Content-Type"] = []string{contentType}
	c.WriteHeader(status)
	_, _ = c.Write(b) // a client that is gone cannot be told
}

func encode(v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		if b, ok := a.appendJSON(); ok {
			return b, nil
		}
	}
	return json.Marshal(v)
}

// describeAll is a list of ours as the API shows it: [] and never null.
func describeAll[T, D any](list []T, describe func(T) D) []D {
	out := make([]D, len(list))
	for i := range list {
		out[i] = describe(list[i])
	}
	return out
}

// answer writes a successful JSON answer.
func (c *call) answer(status int, v any) error {
	c.writeJSON(status, "application/json", v)
	return nil
}
