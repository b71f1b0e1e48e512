package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// This file finds values in a vendor's JSON by dotted paths: "messages.0.id" is the id of the first message. A member
// whose name holds a dot cannot be named.

const maxPathSteps = 10

// path is a parsed dotted path; empty when none was configured.
type path []string

func parsePath(text string) (path, error) {
	if text == "" {
		return nil, nil
	}
	steps := strings.Split(text, ".")
	if len(steps) > maxPathSteps {
		return nil, errors.New("has more than 10 steps")
	}
	for _, s := range steps {
		if s == "" || len(s) > 100 {
			return nil, errors.New("must be names or positions with single dots between them, as in messages.0.id")
		}
	}
	return steps, nil
}

// parseJSON reads exactly one JSON value.
func parseJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// find returns the text, number or boolean at the path.
func (p path) find(v any) (string, bool) {
	for _, step := range p {
		switch at := v.(type) {
		case map[string]any:
			inner, ok := at[step]
			if !ok {
				return "", false
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			v = at[i]
		default:
			return "", false
		}
	}
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}
