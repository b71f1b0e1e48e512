package webhook

import (
	"strconv"
	"testing"
	"time"
)

// TestReplayMemory: it knows an id for as long as it could be played back, and never more than its bound.
func TestReplayMemory(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := memory{ids: make(map[string]time.Time)}
	if !m.add("a", now) || m.add("a", now) || m.add("a", now.Add(2*Tolerance)) {
		t.Error("an id is new once")
	}
	if m.remove("a"); !m.add("a", now) {
		t.Error("a removed id is new again")
	}
	if !m.add("a", now.Add(2*Tolerance+time.Second)) {
		t.Error("an id that cannot be played back any more is still held")
	}
	for i := range maxRemembered + 1000 {
		m.add(strconv.Itoa(i), now)
	}
	if len(m.ids) > maxRemembered || len(m.order) > maxRemembered+1 {
		t.Errorf("%d ids and %d places", len(m.ids), len(m.order))
	}
	if m.add(strconv.Itoa(maxRemembered+999), now) || !m.add("0", now) {
		t.Error("the newest must be known and the oldest forgotten")
	}
}
