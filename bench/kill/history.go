package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"time"
)

// This file is the history of a run, and the judge of it. The judge knows nothing but the history: a file that was written
// elsewhere is judged the same.

// event is one line of a history.
type event struct {
	At     int64  `json:"at"` // ns since the run began
	What   string `json:"what"`
	ID     string `json:"id,omitempty"`     // the verification
	Code   string `json:"code,omitempty"`   // of a message, or of a guess: codes of made-up numbers, long expired when this is read
	Result string `json:"result,omitempty"` // of a check, or a status that was read
	By     string `json:"by,omitempty"`     // the vendor
}

// What happens.
const (
	whatUp       = "up"       // the program answers
	whatKill     = "kill"     // it was killed
	whatAccepted = "accepted" // a start was answered with 201
	whatMessage  = "message"  // a vendor took a message
	whatChecked  = "checked"  // a check was answered
	whatRead     = "read"     // a status was read
)

// Results of checks that the judge knows.
const (
	resultApproved  = "approved"
	resultIncorrect = "incorrect_code"
)

// history collects events, in the order in which they were noted.
type history struct {
	began time.Time
	mu    sync.Mutex
	list  []event
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.At = int64(time.Since(h.began))
	h.list = append(h.list, e)
}

func (h *history) events() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]event(nil), h.list...)
}

func (h *history) save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, e := range h.events() {
		if err := enc.Encode(e); err != nil {
			f.Close()
			return err
		}
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func readHistory(r io.Reader) ([]event, error) {
	var list []event
	dec := json.NewDecoder(r)
	for {
		var e event
		if err := dec.Decode(&e); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
}

// verdict is what the judge found.
type verdict struct {
	Kills    int `json:"kills"`
	Accepted int `json:"accepted"`
	Messages int `json:"messages"`
	Approved int `json:"approved"`
	// Lost starts were accepted, and then neither was a message sent nor did they end.
	Lost int `json:"lost"`
	// WrongCode counts verifications of which two codes went out, or whose own code was called wrong.
	WrongCode int `json:"wrong_code"`
	// Twice counts verifications that were approved twice.
	Twice int `json:"approved_twice"`
	// Repeated messages had been sent before, with the same code; more of them than kills is a violation.
	Repeated     int           `json:"repeated"`
	TooOften     int           `json:"repeated_too_often"`
	SlowTakeover time.Duration `json:"slowest_takeover"` // from the program's coming up to a message of a start before its death

	Violations []string `json:"violations"`
}

// takeoverWithin is how soon after a restart what was in flight must be sent.
const takeoverWithin = 5 * time.Second

// story is one verification.
type story struct {
	accepted int64
	messages []event
	checks   []event
	final    bool
}

// judge looks for what must never be.
func judge(list []event) *verdict {
	v := &verdict{}
	stories, order, kills, ups := tell(v, list)
	for _, id := range order {
		v.one(id, stories[id], kills, ups)
	}
	return v
}

// tell sorts events by verification.
func tell(v *verdict, list []event) (stories map[string]*story, order []string, kills, ups []int64) {
	stories = map[string]*story{}
	of := func(id string) *story {
		if stories[id] == nil {
			stories[id] = &story{accepted: -1}
			order = append(order, id)
		}
		return stories[id]
	}
	for _, e := range list {
		switch e.What {
		case whatKill:
			v.Kills++
			kills = append(kills, e.At)
		case whatUp:
			ups = append(ups, e.At)
		case whatAccepted:
			v.Accepted++
			of(e.ID).accepted = e.At
		case whatMessage:
			v.Messages++
			s := of(e.ID)
			s.messages = append(s.messages, e)
		case whatChecked:
			s := of(e.ID)
			s.checks = append(s.checks, e)
		case whatRead:
			of(e.ID).final = of(e.ID).final || (e.Result != "pending" && e.Result != "")
		}
	}
	return stories, order, kills, ups
}

func (v *verdict) violation(format string, args ...any) {
	if len(v.Violations) < 20 {
		v.Violations = append(v.Violations, fmt.Sprintf(format, args...))
	}
}

// one judges one verification.
func (v *verdict) one(id string, s *story, kills, ups []int64) {
	if s.accepted >= 0 && len(s.messages) == 0 && !s.final {
		v.Lost++
		v.violation("%s was accepted and never sent, and has not ended", id)
	}
	code, wrong := "", false
	for i, m := range s.messages {
		if i == 0 {
			code = m.Code
			continue
		}
		v.Repeated++
		wrong = wrong || m.Code != code
	}
	if extra := len(s.messages) - 1; extra > 0 && extra > between(kills, s.messages[0].At, s.messages[extra].At)+1 {
		v.TooOften++
		v.violation("%s was sent %d times", id, len(s.messages))
	}
	v.takeover(id, s, kills, ups)
	approvals := 0
	for _, c := range s.checks {
		switch {
		case c.Result == resultApproved && c.Code != code:
			wrong = true
			v.violation("%s was approved by a code that was not sent", id)
		case c.Result == resultApproved:
			approvals++
		case c.Result == resultIncorrect && c.Code == code:
			wrong = true
			v.violation("the code of %s was called wrong", id)
		}
	}
	if wrong {
		v.WrongCode++
		v.violation("of %s two codes are about", id)
	}
	v.Approved += min(approvals, 1)
	if approvals > 1 {
		v.Twice++
		v.violation("%s was approved %d times", id, approvals)
	}
}

// takeover measures how long after a restart a start that had been accepted before the kill was sent.
func (v *verdict) takeover(id string, s *story, kills, ups []int64) {
	if s.accepted < 0 || len(s.messages) == 0 {
		return
	}
	first := s.messages[0].At
	i := sort.Search(len(kills), func(i int) bool { return kills[i] > s.accepted })
	if i == len(kills) || kills[i] > first {
		return // sent before the next kill
	}
	u := sort.Search(len(ups), func(n int) bool { return ups[n] > kills[i] })
	if u == len(ups) || ups[u] > first {
		return // sent before anybody noticed that it is up
	}
	// A program that is killed again before its time is up has another chance from the next start on.
	for u+1 < len(ups) && ups[u+1] < first {
		u++
	}
	took := time.Duration(first - ups[u])
	v.SlowTakeover = max(v.SlowTakeover, took)
	if took > takeoverWithin {
		v.violation("%s was taken over only after %s", id, took)
	}
}

func between(list []int64, from, to int64) int {
	n := 0
	for _, at := range list {
		if at >= from && at <= to {
			n++
		}
	}
	return n
}
