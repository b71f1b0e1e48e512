package sqlitestore

import (
	"sync"
	"time"

	"countersign"
)

// clock is the store's time: the machine's clock plus what Advance added, but never behind what was stored or
// said before. Between two looks at the machine's clock it follows the monotonic one, so a step back of the
// machine's clock neither stops nor turns it; a step forward is followed.
type clock struct {
	wall func() time.Time

	mu      sync.Mutex
	anchor  time.Time // where base was taken, with the monotonic reading
	base    instant
	advance instant
	last    instant
}

// meta is the clock's row.
type meta struct {
	last    instant // the store's time of the last write
	wall    instant // the machine's time then
	advance instant
	cutoff  instant // pending records that began until then end
}

// newClock continues from the row. When the machine's clock stands more than MaxClockSetback before what it showed
// at the last write, nobody knows how long the store was away: setBack is true then.
func newClock(wall func() time.Time, m meta) (c *clock, setBack bool) {
	now := wall()
	at := instantOf(now)
	setBack = m.wall != 0 && at < m.wall.add(-countersign.MaxClockSetback)
	base := max(m.last+max(0, at-m.wall), at+m.advance)
	if m.last == 0 {
		base = at + m.advance
	}
	return &clock{wall: wall, anchor: time.Now(), base: base, advance: m.advance, last: base}, setBack
}

// now never goes back.
func (c *clock) now() instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, c.base.add(time.Since(c.anchor)), instantOf(c.wall())+c.advance)
	return c.last
}

// follow takes over what another process on the same file stored.
func (c *clock) follow(m meta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := m.advance - c.advance; d > 0 {
		c.base += d
		c.advance = m.advance
	}
	c.last = max(c.last, m.last)
}
