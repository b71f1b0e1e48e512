package guard

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"countersign"
)

// This file remembers, in this process and within fixed bounds, how ranges of numbers and networks have converted, and
// draws two conclusions.
//
// A range or network is blocked by Page's CUSUM test of "at most one start in ten is confirmed" against "at least one in
// two": an unconfirmed start adds ln(0.9/0.5) = 0.59, a confirmed one ln(0.1/0.5) = −1.61, never below zero, and 13.8 =
// ln 10⁶ blocks. Lorden's bound says that a range whose true conversion is one half or more is then blocked, on average,
// at most once in 10⁶ starts; 24 starts without a confirmation block at once. A start counts as unconfirmed four minutes
// after it; a later confirmation takes that back.
//
// A range or network is familiar when it has converted before and goes on doing so. What is familiar may use the part of a
// wide budget that strangers may not, so an attack on ranges that nobody uses does not shut out those that are used.
//
// Each process judges by what it sees itself; blocks are shared (see Blocks). The budgets, which hold the bound, are in
// the store and need none of this.

const (
	lossStep   = 0.5877866649021191 // ln(0.9/0.5)
	winStep    = -1.6094379124341003
	blockAt    = 13.815510557964274 // ln 1e6
	matures    = 4                  // minutes
	halfLife   = 3 * 24 * time.Hour
	keptTracks = 1 << 16
	shardCount = 64
	suspectAt  = 3 * lossStep // three starts in a row without a confirmation
)

// Bounds of a block: it doubles when the same thing is blocked again within a week.
const (
	firstBlock  = time.Hour
	longBlock   = 24 * time.Hour
	remembers   = 7 * 24 * time.Hour
	liftingWins = 2 // confirmations among what is let through that lift it
)

// Memory is what guards have seen. It outlives the policies that it serves.
type Memory struct {
	shards [shardCount]shard

	mu     sync.RWMutex
	blocks map[countersign.Hash]*blocked
	warned map[countersign.Hash]warned // by the key of a cap
}

type blocked struct {
	countersign.Block
	wins int
}

type shard struct {
	mu     sync.Mutex
	tracks map[countersign.Hash]*track
}

// track is how one range or network does.
type track struct {
	score     float64
	won, lost float64 // of the last days, decaying
	decayed   int64   // minute
	at        int64   // minute up to which pending is ripe
	pending   [matures]uint32
	waiting   uint32

	numbers [sequenceSpan]uint32 // last ones asked for, for ranges
	filled  uint8
	next    uint8
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	m := &Memory{blocks: map[countersign.Hash]*blocked{}, warned: map[countersign.Hash]warned{}}
	for i := range m.shards {
		m.shards[i].tracks = map[countersign.Hash]*track{}
	}
	return m
}

// Forget empties it.
func (m *Memory) Forget() {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		clear(s.tracks)
		s.mu.Unlock()
	}
	m.mu.Lock()
	clear(m.blocks)
	clear(m.warned)
	m.mu.Unlock()
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// with runs a step on a track, which it makes if it is new and make says so.
func (m *Memory) with(key countersign.Hash, now int64, create bool, step func(*track)) {
	s := &m.shards[key[0]%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[key]
	if t == nil {
		if !create {
			return
		}
		if len(s.tracks) >= keptTracks/shardCount {
			s.evict()
		}
		t = &track{at: now, decayed: now}
		s.tracks[key] = t
	}
	t.ripen(now)
	step(t)
}

// evict forgets the least telling of a few tracks: a flood of new ranges must not push out what is known to convert, or
// not to.
func (s *shard) evict() {
	var victim countersign.Hash
	worth, n := math.Inf(1), 0
	for key, t := range s.tracks {
		if w := t.score + 4*t.won; w < worth {
			victim, worth = key, w
		}
		if n++; n == 8 {
			break
		}
	}
	delete(s.tracks, victim)
}

// ripen counts what has waited long enough as unconfirmed.
func (t *track) ripen(now int64) {
	for ; t.at < now && t.waiting > 0; t.at++ {
		slot := &t.pending[(t.at+1)%matures] // the minute that is matures-1 before the new one
		t.lose(*slot)
		t.waiting -= *slot
		*slot = 0
	}
	t.at = max(t.at, now)
	if d := now - t.decayed; d >= 60 {
		f := math.Exp2(-float64(d) / halfLife.Minutes())
		t.won, t.lost, t.decayed = t.won*f, t.lost*f, now
	}
}

func (t *track) lose(n uint32) {
	t.score = math.Min(t.score+float64(n)*lossStep, 2*blockAt)
	t.lost += float64(n)
}

func (t *track) start(minute int64) {
	t.pending[minute%matures]++
	t.waiting++
}

func (t *track) win(created, now int64) {
	if p := &t.pending[created%matures]; now-created < matures && *p > 0 {
		*p--
		t.waiting--
	} else {
		t.score -= lossStep // it was counted as unconfirmed
		t.lost = math.Max(0, t.lost-1)
	}
	t.score = math.Max(0, t.score+winStep)
	t.won++
}

// familiar says whether it has converted some and mostly does.
func (t *track) familiar(least float64) bool {
	return t.won >= least && t.won >= t.lost/2 && t.score < blockAt/2
}

// Sequence: of the last eight different numbers of a six-digit range, seven neighbours of six at most three apart. Eight
// random numbers of a range of 10,000 lie so with a chance below 10⁻¹².
const (
	sequenceSpan  = 8
	sequenceGap   = 3
	sequenceGaps  = 6
	sequenceTrust = 4 // confirmations that excuse it: a company enrols its people in order
)

func (t *track) ask(n uint32) {
	for i := range t.filled {
		if t.numbers[i] == n {
			return // somebody tries again
		}
	}
	t.numbers[t.next] = n
	t.next = (t.next + 1) % sequenceSpan
	t.filled = min(t.filled+1, sequenceSpan)
}

func (t *track) sequential() bool {
	if t.filled < sequenceSpan || t.won >= sequenceTrust && t.won >= t.lost/2 {
		return false
	}
	sorted := t.numbers
	slices.Sort(sorted[:])
	near := 0
	for i := 1; i < sequenceSpan; i++ {
		if sorted[i]-sorted[i-1] <= sequenceGap {
			near++
		}
	}
	return near >= sequenceGaps
}

// tail is what a number has behind its first six digits.
func (t *target) tail() uint32 {
	if t.replayed {
		return 0
	}
	digits := t.number.E164()[1:]
	n, _ := strconv.ParseUint(digits[min(6, len(digits)):], 10, 32)
	return uint32(n)
}

// beginning names a range of numbers.
func (t *target) beginning(digits int) string {
	if t.replayed {
		return "a range of " + strconv.Itoa(digits) + " digits"
	}
	return t.number.E164()[:1+digits] + "…"
}

// sight is what the memory knows about one attempt.
type sight struct {
	sequence        bool
	prefixBlocked   bool
	blockedBy       scope
	networkBlocked  bool
	prefixFamiliar  bool // six digits
	prefixSuspect   bool // likewise: the last ones were not confirmed
	rangeFamiliar   bool // these, or four
	rangeKnown      bool // likewise, and it need not go on converting: somebody attacks it
	networkFamiliar bool
}

// Confirmations that make something familiar.
const (
	familiarPrefix  = 3
	familiarRange   = 10 // of four digits
	familiarNetwork = 5
)

// look gathers what is known about an attempt. Unless it is a look only, a range or network that has come to the bound is
// blocked, and the number is remembered for sequences.
func (m *Memory) look(k *keys, to *target, a *countersign.Attempt, g *Guard, only bool) (s sight) {
	now := minuteOf(a.Now)
	crossed := [3]bool{}
	if k.has[ofPrefix6] {
		tail := to.tail()
		m.with(k.list[ofPrefix6], now, !only, func(t *track) {
			if !only && !to.replayed && a.Action == countersign.ActionStart {
				t.ask(tail)
			}
			s.sequence, s.prefixFamiliar = to.sequence || t.sequential(), t.familiar(familiarPrefix)
			s.rangeKnown, s.prefixSuspect = t.won >= familiarPrefix, t.score >= suspectAt
			crossed[0] = t.cross(only)
		})
		m.with(k.list[ofPrefix4], now, false, func(t *track) {
			s.rangeFamiliar, crossed[1] = t.familiar(familiarRange), t.cross(only)
			s.rangeKnown = s.rangeKnown || t.won >= familiarRange
		})
		// A part of a range that is attacked is not what the rest of it was confirmed for.
		s.rangeFamiliar = s.rangeFamiliar && !s.prefixSuspect || s.prefixFamiliar
	}
	if k.has[ofNetwork] {
		m.with(k.list[ofNetwork], now, false, func(t *track) {
			s.networkFamiliar, crossed[2] = t.familiar(familiarNetwork), t.cross(only)
		})
	}
	for i, of := range [...]scope{ofPrefix6, ofPrefix4, ofNetwork} {
		if !k.has[of] {
			continue
		}
		if crossed[i] && !only {
			m.block(k.list[of], of, to, a, g)
		}
		if !crossed[i] && !m.isBlocked(k.list[of], a.Now) {
			continue
		}
		switch {
		case of == ofNetwork:
			s.networkBlocked = true
		case of == ofPrefix4 && (s.prefixFamiliar || !s.prefixSuspect), s.networkFamiliar, a.Proved:
			// The wider range is attacked, and nothing speaks against this part of it, or against who asks. The budgets hold all the
			// same, and of a range's budget the attacked parts may use less.
		case !s.prefixBlocked:
			s.prefixBlocked, s.blockedBy = true, of
		}
	}
	return s
}

// cross says whether the bound is reached. Then the test starts anew: the block is the consequence.
func (t *track) cross(only bool) bool {
	if t.score < blockAt {
		return false
	}
	if !only {
		t.score = 0
	}
	return true
}

func (m *Memory) started(k *keys, now time.Time) {
	minute := minuteOf(now)
	for _, of := range [...]scope{ofPrefix6, ofPrefix4, ofNetwork} {
		if k.has[of] {
			m.with(k.list[of], minute, true, func(t *track) { t.start(minute) })
		}
	}
}

func (m *Memory) won(k *keys, c *countersign.Conversion, g *Guard) {
	created, now := minuteOf(c.Created), minuteOf(c.Now)
	for _, of := range [...]scope{ofPrefix6, ofPrefix4, ofNetwork} {
		if !k.has[of] {
			continue
		}
		m.with(k.list[of], now, true, func(t *track) { t.win(created, now) })
		if id := m.probeWon(k.list[of], c.Now); id != "" && g.cfg.Lifted != nil {
			g.cfg.Lifted(id)
		}
	}
}

func (m *Memory) isBlocked(key countersign.Hash, now time.Time) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if len(m.blocks) == 0 {
		return false
	}
	b := m.blocks[key]
	return b != nil && now.Before(b.Until)
}

// block makes a block, or a longer one of what was blocked before.
func (m *Memory) block(key countersign.Hash, of scope, to *target, a *countersign.Attempt, g *Guard) {
	b := countersign.Block{ID: "blk_" + key.Hex(), Key: key, App: a.App.ID, Rule: RulePrefixBlock, Since: a.Now}
	switch of {
	case ofNetwork:
		b.App, b.Rule, b.Subject = "", RuleNetworkBlock, "network "+key.Hex()[:8]
	case ofPrefix6:
		b.Subject = to.beginning(6)
	default:
		b.Subject = to.beginning(4)
	}
	b.Reason = "Of what was sent, too little was confirmed: 24 messages in a row without a confirmation, or as unlikely."
	m.mu.Lock()
	old := m.blocks[key]
	if old != nil && a.Now.Before(old.Until) {
		m.mu.Unlock()
		return // another start came first
	}
	if old != nil && a.Now.Sub(old.Until) < remembers {
		b.Level = old.Level + 1
	}
	b.Until = a.Now.Add(min(longBlock, firstBlock<<min(b.Level, 5)))
	m.blocks[key] = &blocked{Block: b}
	if len(m.blocks) > keptBlocks {
		m.forgetOldest()
	}
	m.mu.Unlock()
	if g.cfg.Blocked != nil {
		g.cfg.Blocked(b)
	}
}

// keptBlocks bounds the list. What falls out of it is still held by its budget.
const keptBlocks = 10_000

// forgetOldest makes room: what ended first goes first.
func (m *Memory) forgetOldest() {
	list := make([]*blocked, 0, len(m.blocks))
	for _, b := range m.blocks {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *blocked) int { return a.Until.Compare(b.Until) })
	for _, b := range list[:len(list)/10] {
		delete(m.blocks, b.Key)
	}
}

// probeWon counts a confirmation against a block and says which block that lifted.
func (m *Memory) probeWon(key countersign.Hash, now time.Time) string {
	if !m.isBlocked(key, now) {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.blocks[key]
	if b == nil || !now.Before(b.Until) {
		return ""
	}
	if b.wins++; b.wins < liftingWins {
		return ""
	}
	b.Until = now
	return b.ID
}

// Blocks lists what is blocked, of one app and what is blocked for all, the latest first.
func (m *Memory) Blocks(app string, now time.Time) []countersign.Block {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := []countersign.Block{}
	for _, b := range m.blocks {
		if now.Before(b.Until) && (b.App == app || b.App == "" || app == "") {
			list = append(list, b.Block)
		}
	}
	slices.SortFunc(list, func(a, b countersign.Block) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Learn takes over what is blocked elsewhere: all of it, so that what was lifted there is lifted here. Blocks made here
// since are kept.
func (m *Memory) Learn(all []countersign.Block, since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there := make(map[countersign.Hash]bool, len(all))
	for _, b := range all {
		there[b.Key] = true
		if have := m.blocks[b.Key]; have == nil || have.Since.Before(b.Since) || have.Until.After(b.Until) && !have.Since.After(since) {
			m.blocks[b.Key] = &blocked{Block: b}
		}
	}
	for key, b := range m.blocks {
		if !there[key] && !b.Since.After(since) {
			delete(m.blocks, key)
		}
	}
}

// Lift ends a block of an app, or of all, now.
func (m *Memory) Lift(app, id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.blocks {
		if b.ID == id && (b.App == app || b.App == "") && now.Before(b.Until) {
			b.Until = now
			return true
		}
	}
	return false
}
