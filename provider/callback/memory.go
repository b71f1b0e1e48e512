package callback

import (
	"slices"
	"sync"
)

// Memory keeps the newest ids of what a vendor sent, so that the same thing twice counts once. It is one process' memory and
// ends with it. The zero value is ready; it is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	ids   map[string]bool
	order []string
}

// maxRemembered bounds a Memory, in ids.
const maxRemembered = 20_000

// Add says whether the id is new, and keeps it.
func (m *Memory) Add(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids[id] {
		return false
	}
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	if len(m.order) >= maxRemembered {
		delete(m.ids, m.order[0])
		m.order = m.order[1:]
	}
	m.ids[id] = true
	m.order = append(m.order, id)
	return true
}

// Has says whether an id is kept.
func (m *Memory) Has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids[id]
}

// Forget lets an id come again, because what came with it could not be kept. Its place in the order runs out by itself.
func (m *Memory) Forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids[id] {
		delete(m.ids, id)
		m.order = slices.DeleteFunc(m.order, func(have string) bool { return have == id }) // or its old place would end the new one early
	}
}
