package webhook

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"countersign"
)

// This file reads a vendor's answer: taken, refused (and what that means), or lost. The table below is what HTTP's
// statuses commonly mean; a configuration may say otherwise for each.

// verdict is what an answer says.
type verdict struct {
	accepted bool
	class    countersign.FailureClass
}

// answer is a compiled Answer.
type answer struct {
	ref, acceptedAt, errorAt path
	accepted                 []string
	errors                   map[string]verdict
	statuses                 map[int]verdict
}

// verdictOf is the table.
func verdictOf(status int) verdict {
	switch {
	case status >= 200 && status <= 299:
		return verdict{accepted: true}
	case status == http.StatusBadRequest, status == http.StatusNotFound, status == http.StatusUnprocessableEntity:
		// The request was understood and its address or text refused. Our own shape was tried out by whoever wrote it.
		return verdict{class: countersign.FailDestination}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return verdict{class: countersign.FailTemporary}
	}
	// 401, 402, 403, redirects and the rest: somebody must change a setting or pay a bill.
	return verdict{class: countersign.FailOperator}
}

func verdictNamed(name string) (verdict, bool) {
	switch name {
	case "accepted":
		return verdict{accepted: true}, true
	case "temporary":
		return verdict{class: countersign.FailTemporary}, true
	case "unknown":
		return verdict{class: countersign.FailUnknown}, true
	case "destination":
		return verdict{class: countersign.FailDestination}, true
	case "denied":
		return verdict{class: countersign.FailDenied}, true
	case "operator":
		return verdict{class: countersign.FailOperator}, true
	}
	return verdict{}, false
}

func (c *compiled) compileAnswer(cfg *Answer) {
	c.answer = answer{
		ref:        c.compilePath("answer.ref_path", cfg.RefPath),
		acceptedAt: c.compilePath("answer.accepted_path", cfg.AcceptedPath),
		errorAt:    c.compilePath("answer.error_path", cfg.ErrorPath),
		accepted:   cfg.Accepted,
		errors:     make(map[string]verdict, len(cfg.ErrorClasses)),
		statuses:   make(map[int]verdict, len(cfg.StatusClasses)),
	}
	if (cfg.AcceptedPath == "") != (len(cfg.Accepted) == 0) {
		c.wrong("answer.accepted", "goes with answer.accepted_path: both or neither")
	}
	if cfg.ErrorPath == "" && len(cfg.ErrorClasses) > 0 {
		c.wrong("answer.error_classes", "needs answer.error_path")
	}
	const classes = "must be accepted, temporary, unknown, destination, denied or operator"
	for code, name := range cfg.ErrorClasses {
		v, ok := verdictNamed(name)
		if !ok {
			c.wrong("answer.error_classes."+code, classes)
		}
		c.answer.errors[code] = v
	}
	for code, name := range cfg.StatusClasses {
		n, err := strconv.Atoi(code)
		if err != nil || n < 200 || n > 599 {
			c.wrong("answer.status_classes."+code, "must be an HTTP status from 200 to 599")
		}
		v, ok := verdictNamed(name)
		if !ok {
			c.wrong("answer.status_classes."+code, classes)
		}
		c.answer.statuses[n] = v
	}
}

// reading is an answer that was read: at most maxAnswer bytes of body, or none when it could not be had.
type reading struct {
	status int
	body   []byte
	err    error // why the body is not whole
}

// needsBody says whether anything of the body matters.
func (a *answer) needsBody() bool { return a.ref != nil || a.acceptedAt != nil || a.errorAt != nil }

// judge says what an answer means; detail is the reason of a refusal.
func (a *answer) judge(r *reading) (v verdict, ref, detail string) {
	detail = "HTTP " + strconv.Itoa(r.status)
	v, overridden := a.statuses[r.status]
	if !overridden {
		v = verdictOf(r.status)
	}
	if !a.needsBody() {
		return v, "", detail
	}
	var parsed any
	err := r.err
	if err == nil {
		parsed, err = parseJSON(r.body)
	}
	if err != nil {
		if v.accepted {
			return verdict{class: countersign.FailUnknown}, "", detail + ", unreadable answer"
		}
		return v, "", detail // a refusal is one, whatever its text
	}
	code, hasError := "", false
	if a.errorAt != nil {
		code, hasError = a.errorAt.find(parsed)
	}
	if hasError && printable(code) {
		detail += " " + code
	}
	if !v.accepted {
		if by, ok := a.errors[code]; hasError && ok {
			v = by
		}
		return v, a.refOf(parsed), detail
	}
	return a.accepting(parsed, code, hasError, detail)
}

// accepting looks twice at an answer whose status says yes.
func (a *answer) accepting(parsed any, code string, hasError bool, detail string) (verdict, string, string) {
	if a.acceptedAt != nil {
		word, ok := a.acceptedAt.find(parsed)
		switch by, known := a.errors[code]; {
		case ok && slices.Contains(a.accepted, word):
		case hasError && known:
			return by, a.refOf(parsed), detail
		case ok:
			// The vendor answered, and not with yes: it did not send, and another one may.
			return verdict{class: countersign.FailTemporary}, "", detail
		default:
			return verdict{class: countersign.FailUnknown}, "", detail + ", unexpected answer"
		}
	} else if by, known := a.errors[code]; hasError && known {
		return by, a.refOf(parsed), detail
	}
	if a.ref == nil {
		return verdict{accepted: true}, "", ""
	}
	if ref := a.refOf(parsed); ref != "" {
		return verdict{accepted: true}, ref, ""
	}
	return verdict{class: countersign.FailUnknown}, "", detail + ", no id in the answer"
}

// maxRef bounds the vendor's id of a message: it is kept with the verification.
const maxRef = 128

func (a *answer) refOf(parsed any) string {
	if a.ref == nil {
		return ""
	}
	ref, ok := a.ref.find(parsed)
	if !ok || ref == "" || len(ref) > maxRef {
		return ""
	}
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] > '~' {
			return ""
		}
	}
	return ref
}

// printable says whether a vendor's error code may be shown. Vendors put numbers and texts into errors; what has more
// than five digits in a row, or is no short word, may be one.
func printable(code string) bool {
	if code == "" || len(code) > 40 {
		return false
	}
	run := 0
	for i := range len(code) {
		c := code[i]
		digit := '0' <= c && c <= '9'
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !digit && !letter && !strings.ContainsRune("_-.", rune(c)) {
			return false
		}
		if !digit {
			run = 0
		} else if run++; run > 5 {
			return false
		}
	}
	return true
}
