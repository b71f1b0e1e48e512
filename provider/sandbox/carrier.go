package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"countersign"
)

// This file is the carrier that a test sets up for itself: what happens to which messages, how often and when. It runs by
// the instance's clock, so that time travel brings what is late.

// Rule is what happens to some messages. Of several the first that matches decides.
type Rule struct {
	To      string              // a number in E.164, or its beginning; "" is every one
	Channel countersign.Channel // "" is every one
	Route   string              // FirstName, SecondName or HostedName; "" is every one
	Fate    string              // one of Fates
	Skip    int                 // leaves out the first so many messages
	Times   int                 // and ends after so many; 0 is without end
	Every   int                 // of them only each so-manieth; 0 is each
	After   time.Duration       // begins so long after the rule was made
	For     time.Duration       // and ends so long after that; 0 is without end
	Delay   time.Duration       // of what is late; DefaultDelay when zero

	Seen int // messages that matched, read only

	made time.Time
}

// DefaultDelay is how late a late message or receipt is.
const DefaultDelay = 30 * time.Second

// Bounds of rules.
const (
	MaxRules = 100
	MaxDelay = 24 * time.Hour
)

// fates are the names by which rules call them.
var fates = map[string]fate{
	"delivered": fateDelivered, "server_error": fateServerError, "timeout": fateTimeout, "answer_lost": fateAnswerLost,
	"undelivered": fateUndelivered, "slow": fateSlow, "rejected": fateRejected, "landline": fateRefused, "lost": fateLost,
	"late": fateLate, "duplicate": fateDuplicate, "receipt_twice": fateReceiptTwice, "receipt_never": fateNoReceipt,
	"receipt_first": fateReceiptFirst, "receipt_late": fateReceiptLate, "receipts_out_of_order": fateReceiptsReversed,
}

// Fates lists what a rule may ask for.
func Fates() []string { return slices.Sorted(maps.Keys(fates)) }

// carriage is the rules in force.
type carriage struct {
	mu    sync.Mutex
	rules []Rule
}

// SetRules replaces the rules. The error names the first that is wrong, by its place.
func (s *Sandbox) SetRules(rules []Rule) error {
	if len(rules) > MaxRules {
		return fmt.Errorf("at most %d rules", MaxRules)
	}
	now := s.cfg.Now()
	fresh := slices.Clone(rules)
	for i := range fresh {
		r := &fresh[i]
		if _, known := fates[r.Fate]; !known {
			return fmt.Errorf("rule %d: the fate must be one of %s", i, strings.Join(Fates(), ", "))
		}
		if r.Skip < 0 || r.Times < 0 || r.Every < 0 || r.After < 0 || r.For < 0 || r.Delay < 0 || r.Delay > MaxDelay {
			return fmt.Errorf("rule %d: counts and durations must not be negative, and a delay is at most %s", i, MaxDelay)
		}
		if r.Route != "" && r.Route != FirstName && r.Route != SecondName && r.Route != HostedName {
			return fmt.Errorf("rule %d: the route must be %s, %s or %s", i, FirstName, SecondName, HostedName)
		}
		r.Seen, r.made = 0, now
	}
	s.carriage.mu.Lock()
	defer s.carriage.mu.Unlock()
	s.carriage.rules = fresh
	return nil
}

// Rules lists the rules, with how many messages each has seen.
func (s *Sandbox) Rules() []Rule {
	s.carriage.mu.Lock()
	defer s.carriage.mu.Unlock()
	return slices.Clone(s.carriage.rules)
}

// decide finds a message's fate: a rule's, or its number's.
func (s *Sandbox) decide(m *countersign.Message, route string) (fate, time.Duration) {
	s.carriage.mu.Lock()
	defer s.carriage.mu.Unlock()
	if len(s.carriage.rules) > 0 {
		now, to := s.cfg.Now(), m.To.Dial()
		for i := range s.carriage.rules {
			if r := &s.carriage.rules[i]; r.holds(now, to, m.Channel, route) {
				return fates[r.Fate], r.delay()
			}
		}
	}
	return fateOf(m.To), DefaultDelay
}

// holds says whether a rule is about a message, and counts it.
func (r *Rule) holds(now time.Time, to string, ch countersign.Channel, route string) bool {
	since := now.Sub(r.made) - r.After
	switch {
	case !strings.HasPrefix(to, r.To), r.Channel != "" && r.Channel != ch, r.Route != "" && r.Route != route:
		return false
	case since < 0, r.For > 0 && since >= r.For:
		return false
	}
	r.Seen++
	n := r.Seen - r.Skip
	return n > 0 && (r.Times == 0 || n <= r.Times) && (r.Every < 2 || n%r.Every == 0)
}

func (r *Rule) delay() time.Duration {
	if r.Delay == 0 {
		return DefaultDelay
	}
	return r.Delay
}

// Find implements countersign.Finder: a message whose answer was lost is in the inbox, or it is nowhere.
func (c *carrier) Find(_ context.Context, m *countersign.Message) (countersign.Handed, bool, error) {
	return countersign.Handed{Ref: reference(m.ID), Status: countersign.DeliveryAccepted}, c.s.inbox.holds(m.ID), nil
}

// agenda is what happens later, by the instance's clock.
type agenda struct {
	mu   sync.Mutex
	list []appointment
}

type appointment struct {
	due time.Time
	do  func(ctx context.Context)
}

const (
	agendaSize  = 10_000
	agendaEvery = 50 * time.Millisecond
)

var errAgendaFull = errors.New("too much is late already")

func (a *agenda) add(due time.Time, do func(ctx context.Context)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) >= agendaSize {
		return errAgendaFull
	}
	a.list = append(a.list, appointment{due, do})
	return nil
}

// take removes what is due, in its order.
func (a *agenda) take(now time.Time) []appointment {
	a.mu.Lock()
	defer a.mu.Unlock()
	var due []appointment
	a.list = slices.DeleteFunc(a.list, func(one appointment) bool {
		if now.Before(one.due) {
			return false
		}
		due = append(due, one)
		return true
	})
	slices.SortStableFunc(due, func(x, y appointment) int { return x.due.Compare(y.due) })
	return due
}

// keep does what is due until ctx ends.
func (s *Sandbox) keep(ctx context.Context) {
	tick := time.NewTicker(agendaEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, one := range s.agenda.take(s.cfg.Now()) {
				one.do(ctx)
			}
		}
	}
}
