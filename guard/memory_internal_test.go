package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"countersign"
)

// A flood of ranges that nobody has seen before takes no more room than there is, and does not push out what is known to
// convert; a map without a bound, the control, grows with it.
func TestAFloodOfRangesIsBounded(t *testing.T) {
	m, naive := NewMemory(), map[countersign.Hash]bool{}
	key := func(n int) countersign.Hash {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
		return countersign.Hash(sum[:countersign.HashSize])
	}
	const known, flood = 100, 2 * keptTracks
	for n := range known {
		m.with(key(-1-n), 0, true, func(t *track) { t.won = 20 })
	}
	for n := range flood {
		m.with(key(n), 1, true, func(t *track) { t.start(1) })
		naive[key(n)] = true
	}
	kept, survived := 0, 0
	for i := range m.shards {
		kept += len(m.shards[i].tracks)
	}
	for n := range known {
		m.with(key(-1-n), 1, false, func(*track) { survived++ })
	}
	if kept > keptTracks || survived < known*9/10 {
		t.Errorf("%d tracks are kept, at most %d may be; %d of %d known ones survived", kept, keptTracks, survived, known)
	}
	if len(naive) <= keptTracks {
		t.Errorf("control: the flood has only %d ranges", len(naive))
	}
}
