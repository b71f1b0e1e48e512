package smpp

import (
	"math/big"
	"strings"
	"sync"
	"time"

	"countersign"
)

// This file reads receipts and knows which message each is about. The SMSC names a message by its own id only, so what
// was sent is remembered for a while, by this process; the engine's log has the rest. Some SMSCs write the id in hexadecimal in one place and in
// decimal in the other; the recipient's number must be the same in any case.

const (
	maxRemembered = 100_000
	rememberFor   = time.Hour
	maxEarly      = 1000
)

// report is what a receipt says.
type report struct {
	id     string // the SMSC's
	status countersign.DeliveryStatus
	detail string
}

// parseReport reads a receipt: its optional parameters, else the text of SMPP 3.4, Appendix B.
func parseReport(d *delivery, text string) (r report, ok bool) {
	r.id = d.receiptedID
	if r.id == "" {
		r.id = field(text, "id:")
	}
	word := strings.ToUpper(field(text, "stat:"))
	if word == "" {
		word = stateWord(d.state)
	}
	r.status, ok = statusOf(word)
	if !ok || r.id == "" || len(r.id) > 65 {
		return report{}, false
	}
	if r.status.Rank() == countersign.DeliveryDelivered.Rank() && r.status != countersign.DeliveryDelivered {
		r.detail = word
		if code := field(text, "err:"); shortCode(code) {
			r.detail += " " + code
		}
	}
	return r, true
}

// field finds the word after a name. The last field is the message's own text, which may hold any of the names: what
// stands behind it is not looked at.
func field(text, name string) string {
	lower := lowerASCII(text)
	if i := strings.Index(lower, " text:"); i >= 0 {
		lower = lower[:i]
	}
	i := strings.Index(" "+lower, " "+name)
	if i < 0 {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimLeft(text[i+len(name):len(lower)], " "), " ")
	return word
}

// lowerASCII keeps every byte at its place.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func shortCode(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func statusOf(word string) (countersign.DeliveryStatus, bool) {
	switch word {
	case "DELIVRD":
		return countersign.DeliveryDelivered, true
	case "ACCEPTD", "ENROUTE", "UNKNOWN": // on its way, and nothing more is known
		return countersign.DeliverySent, true
	case "EXPIRED", "UNDELIV", "DELETED":
		return countersign.DeliveryUndelivered, true
	case "REJECTD":
		return countersign.DeliveryFailed, true
	}
	return "", false
}

// stateWord is a message_state (SMPP 3.4, 5.2.28).
func stateWord(state byte) string {
	words := []string{"", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"}
	if int(state) < len(words) {
		return words[state]
	}
	return ""
}

// sent is a message that was taken.
type sent struct {
	verification, delivery, ref, to string
	at                              time.Time
}

// memory knows what was sent, by the recipient's number, and keeps reports that came before the answer that names their
// message.
type memory struct {
	mu    sync.Mutex
	byTo  map[string][]sent // oldest first
	order []string          // the numbers of all that is remembered, oldest first
	early map[string][]report
	kept  int // of early
}

func newMemory() *memory { return &memory{byTo: map[string][]sent{}, early: map[string][]report{}} }

// add remembers a message, and gives the reports about it that were there already.
func (m *memory) add(s sent) (there []report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.order) > 0 {
		oldest := m.order[0]
		list := m.byTo[oldest]
		if len(m.order) < maxRemembered && s.at.Sub(list[0].at) <= rememberFor {
			break
		}
		if m.byTo[oldest] = list[1:]; len(list) == 1 {
			delete(m.byTo, oldest)
		}
		m.order = m.order[1:]
	}
	m.byTo[s.to], m.order = append(m.byTo[s.to], s), append(m.order, s.to)
	waiting := m.early[s.to][:0]
	for _, r := range m.early[s.to] {
		if sameID(r.id, s.ref) {
			there = append(there, r)
			m.kept--
		} else {
			waiting = append(waiting, r)
		}
	}
	if m.early[s.to] = waiting; len(waiting) == 0 {
		delete(m.early, s.to)
	}
	return there
}

// find says which message a report is about; the number is the recipient's, as the SMSC wrote it. A report about a
// message that is not known yet is kept when there are submits without an answer.
func (m *memory) find(r report, number string, waiting bool) (sent, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	number = digits(number)
	list := m.byTo[number]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].ref == r.id {
			return list[i], true
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		if sameID(r.id, list[i].ref) {
			return list[i], true
		}
	}
	if waiting && m.kept < maxEarly {
		m.early[number] = append(m.early[number], r)
		m.kept++
	}
	return sent{}, false
}

// idle forgets reports whose message nobody waits for any more.
func (m *memory) idle() {
	m.mu.Lock()
	clear(m.early)
	m.kept = 0
	m.mu.Unlock()
}

// sameID says whether two ids are the same, as texts or as numbers in decimal or hexadecimal.
func sameID(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > 32 || len(b) > 32 {
		return false
	}
	for _, bases := range [][2]int{{10, 16}, {16, 10}, {10, 10}, {16, 16}} {
		x, okX := new(big.Int).SetString(a, bases[0])
		y, okY := new(big.Int).SetString(b, bases[1])
		if okX && okY && x.Cmp(y) == 0 {
			return true
		}
	}
	return false
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}
