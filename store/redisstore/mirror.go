package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// Mirror keeps the counts of attacked phones in SQL. Both methods may be called at any time, from many processes.
type Mirror interface {
	// SaveLocks writes locks, one for each phone; the latest stays. One with a zero Until was lifted and is forgotten.
	SaveLocks(ctx context.Context, locks []PhoneLock) error
	// Locks reads all whose Until is still to come.
	Locks(ctx context.Context) ([]PhoneLock, error)
}

// PhoneLock is what must survive the loss of a Redis server: the counts of a phone that has over ten guesses in a
// day, or over ten wrong ones in a row. The hard stop is one of them.
type PhoneLock struct {
	Phone   countersign.Hash
	Streak  int         // wrong guesses in a row
	Guesses []time.Time // of the last 24 h
	// Until is when this stops to matter: StreakLifetime after the last wrong guess, or without a streak PhoneWindow
	// after the last guess. Zero: it was lifted.
	Until time.Time
}

const mirrorTimeout = 10 * time.Second

// giveBack writes all mirrored counts that belong to a server into it, over a connection of its own.
func (s *Store) giveBack(addr string) error {
	if s.options.Mirror == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, mirrorTimeout)
	defer cancel()
	locks, err := s.options.Mirror.Locks(ctx)
	if err != nil {
		return fmt.Errorf("reading mirrored counts: %w", err)
	}
	if len(locks) == 0 {
		return nil
	}
	conn, err := s.target.connect(ctx, addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	defer func() { _ = conn.Close() }() // a failure to close loses nothing: every command was answered
	w := newWire(conn)
	if err := w.greet(s.target); err != nil {
		return err
	}
	if _, err := w.do("SCRIPT", "LOAD", s.scripts.restore.text); err != nil {
		return err
	}
	for _, l := range locks {
		var moved refusal
		_, err := w.do(s.restoreCommand(l)...)
		if errors.As(err, &moved) && (strings.HasPrefix(string(moved), "MOVED") || strings.HasPrefix(string(moved), "ASK")) {
			continue // another node's
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) restoreCommand(l PhoneLock) []string {
	wrong := int64(0)
	if l.Streak > 0 {
		wrong = l.Until.Add(-countersign.StreakLifetime).UnixMilli()
	}
	set := s.clock.set.Load()
	command := []string{
		"EVALSHA", s.scripts.restore.sha, "1", phoneKey(l.Phone), set.offsetText, set.epochText,
		strconv.Itoa(l.Streak), strconv.FormatInt(wrong, 10),
	}
	for _, at := range l.Guesses {
		command = append(command, strconv.FormatInt(at.UnixMilli(), 10))
	}
	return command
}

// noteOf is a phone that a script noted, and when.
type noteOf struct {
	phone countersign.Hash
	at    int64
}

const notesAtOnce = 256

// mirror carries what the scripts noted to the mirror: of the shards that this process touched, and of a slice of
// all, for processes that died. A note stays until it is saved.
func (s *Store) mirror(ctx context.Context) error {
	if s.options.Mirror == nil {
		return nil
	}
	list, err := s.look(ctx, &s.index.notes, "l", math.MaxInt64, slice)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(list, slice) {
		notes, err := s.noted(ctx, part)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(notes, notesAtOnce) {
			if err := s.mirrorSome(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// noted reads what the scripts noted in some shards.
func (s *Store) noted(ctx context.Context, list []int) ([]noteOf, error) {
	answers, err := s.read(ctx, func(c rueidis.Client) []rueidis.Completed {
		commands := make([]rueidis.Completed, len(list))
		for i, shard := range list {
			commands[i] = c.B().Zrange().Key(shardKey(shard, "l")).Min("0").Max(strconv.Itoa(notesAtOnce - 1)).Withscores().Build()
		}
		return commands
	})
	if err != nil {
		return nil, err
	}
	var notes []noteOf
	for i, answer := range answers {
		entries, err := answer.AsZScores()
		if err != nil {
			return nil, fmt.Errorf("reading noted phones: %w", err)
		}
		if len(entries) > 0 {
			s.index.notes.lower(list[i], 1) // until it is empty
		}
		for _, e := range entries {
			phone, ok := parsePhone(e.Member)
			if !ok {
				return nil, fmt.Errorf("reading noted phones: %w", errPacked)
			}
			notes = append(notes, noteOf{phone, int64(e.Score)})
		}
	}
	return notes, nil
}

func (s *Store) mirrorSome(ctx context.Context, notes []noteOf) error {
	jobs := make([]job, len(notes))
	set := s.clock.set.Load()
	for i, n := range notes {
		jobs[i] = job{s.scripts.lock, []string{phoneKey(n.phone)}, []string{set.offsetText, set.epochText}}
	}
	lists, err := s.flush(ctx, jobs)
	if err != nil {
		return err
	}
	locks := make([]PhoneLock, len(notes))
	for i, list := range lists {
		if len(list) < 5 {
			return fmt.Errorf("reading a phone's counts: %w", errPacked)
		}
		locks[i] = lockOf(notes[i].phone, list)
	}
	saving, cancel := context.WithTimeout(ctx, mirrorTimeout)
	defer cancel()
	if err := s.options.Mirror.SaveLocks(saving, locks); err != nil {
		return fmt.Errorf("mirroring counts: %w", err)
	}
	for i, n := range notes {
		jobs[i] = job{s.scripts.mirrored, []string{phoneKey(n.phone)}, []string{set.offsetText, set.epochText, strconv.FormatInt(n.at, 10)}}
	}
	_, err = s.flush(ctx, jobs)
	return err
}

func lockOf(phone countersign.Hash, list []rueidis.RedisMessage) PhoneLock {
	l := PhoneLock{Phone: phone, Streak: int(number(list[3]))}
	for _, m := range list[5:] {
		l.Guesses = append(l.Guesses, instant(number(m)))
	}
	switch n := len(l.Guesses); {
	case l.Streak > 0:
		l.Until = instant(number(list[4])).Add(countersign.StreakLifetime)
	case n > 0:
		l.Until = l.Guesses[n-1].Add(countersign.PhoneWindow)
	}
	return l
}
