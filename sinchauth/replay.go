package sinchauth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Memory remembers the signatures of the last minutes, so that each is good once. It is one process's: behind
// several nodes a signature is good once a node, unless the front sends an application to one node.
//
// Entries are kept by the minute of their own timestamp, which the signature covers. So a look-up needs one bucket,
// and a bucket that freshness refuses anyway is dropped as a whole.
type Memory struct {
	max int

	mu      sync.Mutex
	size    int
	buckets map[int64]map[fingerprint]struct{}
}

// fingerprint is half of SHA-256 over key and signature: 128 bits are enough to tell signatures apart.
type fingerprint [sha256.Size / 2]byte

// DefaultMemory is how many signatures a Memory holds when not told otherwise: at most about 200 MiB, at 7,000
// signed requests a second over ten minutes. Only true signatures get in.
const DefaultMemory = 1 << 22

// NewMemory makes a memory for at most limit signatures; 0 means DefaultMemory.
func NewMemory(limit int) *Memory {
	if limit <= 0 {
		limit = DefaultMemory
	}
	return &Memory{max: limit, buckets: make(map[int64]map[fingerprint]struct{})}
}

// Add remembers a signature that is fresh at now. It says false when it was there before, and fails with ErrFull
// rather than forget one that could still be replayed.
func (m *Memory) Add(key string, signature [sha256.Size]byte, at, now time.Time) (bool, error) {
	f, minute := fingerprintOf(key, signature), at.Unix()/60
	oldest := now.Add(-Window).Unix() / 60

	m.mu.Lock()
	defer m.mu.Unlock()
	for k, b := range m.buckets {
		if k < oldest {
			m.size -= len(b)
			delete(m.buckets, k)
		}
	}
	bucket := m.buckets[minute]
	if _, seen := bucket[f]; seen {
		return false, nil
	}
	if m.size >= m.max {
		return false, ErrFull
	}
	if bucket == nil {
		bucket = make(map[fingerprint]struct{})
		m.buckets[minute] = bucket
	}
	bucket[f] = struct{}{}
	m.size++
	return true, nil
}

// Forget makes a signature good again: for a receiver that could not act on the request and asked for it once more.
func (m *Memory) Forget(key string, signature [sha256.Size]byte, at time.Time) {
	f, minute := fingerprintOf(key, signature), at.Unix()/60
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.buckets[minute][f]; ok {
		delete(m.buckets[minute], f)
		m.size--
	}
}

func fingerprintOf(key string, signature [sha256.Size]byte) fingerprint {
	whole := sha256.Sum256(append([]byte(key+":"), signature[:]...))
	return fingerprint(whole[:len(fingerprint{})])
}
