package sqlitestore

import (
	"context"
	"slices"

	"countersign"
)

// Count implements countersign.Moves.
func (s *Store) Count(ctx context.Context, c *countersign.Count) (*countersign.Outcome, error) {
	return s.move(ctx, func(m *move) (*countersign.Outcome, error) { return m.countAlone(c) })
}

func (m *move) countAlone(c *countersign.Count) (*countersign.Outcome, error) {
	p, err := m.phone(c.Phone)
	if err != nil {
		return nil, err
	}
	p.ask(c.Device, c.App)
	asks := c.What == countersign.CountGuess || c.What == countersign.CountSend
	if asks && p.locked() {
		return m.later(countersign.OutcomeLocked, nil, p, p.lockedFor(m.now)), nil
	}
	if c.What == countersign.CountSend && !c.Exempt {
		if r, wait := p.refuseSend(m.now); r != countersign.OutcomeOK {
			return m.later(r, nil, p, wait), nil
		}
	}
	p.count(c, m.now)
	p.unwritten = true
	return m.outcome(countersign.OutcomeOK, nil, p), nil
}

// count makes the change, which nothing refuses any more.
func (p *phone) count(c *countersign.Count, now instant) {
	at := instantOf(c.At)
	switch c.What {
	case countersign.CountGuess:
		p.guess(now)
	case countersign.CountSend:
		if !c.Exempt {
			p.send(now)
		}
	case countersign.CountGuessBack:
		if p.asking != nil && drop(&p.asking.guesses, at) || drop(&p.guesses, at) {
			p.streak = max(0, p.streak-1)
		}
	case countersign.CountSendBack:
		if p.asking == nil || !drop(&p.asking.sends, at) {
			drop(&p.sends, at)
		}
	case countersign.CountApproved:
		p.streak = 0
	case countersign.CountStreak:
		if c.Streak > p.streak && now < at.add(countersign.StreakLifetime) {
			p.streak, p.streakAt = c.Streak, max(at, p.streakAt)
		}
	}
}

// drop takes an instant out of a list and says whether it was there.
func drop(list *[]instant, at instant) bool {
	i := slices.Index(*list, at)
	if i < 0 {
		return false
	}
	*list = slices.Delete(*list, i, i+1)
	return true
}
