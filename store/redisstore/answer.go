package redisstore

import (
	"time"

	"github.com/redis/rueidis"

	"countersign"
)

// The places in a script's answer, see reply in lib.lua.
const (
	ansResult = iota
	ansNow
	ansRetry
	ansLeft
	ansFlags
	ansRecord
	ansChecks
	ansSends
	ansNextSend
	ansLock
	ansLockedUntil
	ansSendsReset
	ansEnded
)

const (
	flagReplayed = 1
	flagNoted    = 2
	flagAhead    = 4  // the instant is the record's last one, ahead of the server's clock
	flagBegun    = 8  // a new record is there; see begun
	flagOwnCode  = 16 // and the code is ours, as the vendor's account had no room
)

func notFound() error {
	return countersign.Fail(countersign.ErrNotFound, "There is no such verification.")
}

// outcome reads a script's answer.
func (s *Store) outcome(shard int, list []rueidis.RedisMessage) (*countersign.Outcome, error) {
	result := number(list[ansResult])
	if result == resultMissing {
		return nil, notFound()
	}
	if len(list) < ansEnded {
		return nil, errPacked
	}
	flags := number(list[ansFlags])
	now := number(list[ansNow])
	o := &countersign.Outcome{
		Result: countersign.Result(result), Now: instant(now), RetryAfter: milliseconds(list[ansRetry]),
		ChecksLeft: int(number(list[ansLeft])), Replayed: flags&flagReplayed != 0, Phone: phoneState(list),
	}
	if flags&flagNoted != 0 {
		s.index.notes.lower(shard, 1)
	}
	var err error
	if o.Record, err = s.record(shard, list[ansRecord], now); err != nil {
		return nil, err
	}
	for i := ansEnded; i < len(list); i++ {
		r, err := s.record(shard, list[i], now)
		if err != nil {
			return nil, err
		}
		if r != nil {
			o.Ended = append(o.Ended, r)
		}
	}
	return o, nil
}

// begun reads begin's answer: a record that is new need not be sent back to who has just made it.
func (s *Store) begun(o *countersign.Outcome, b *countersign.Begin, flags int64) *countersign.Outcome {
	if flags&flagBegun == 0 {
		return o
	}
	r := &stored{Record: *b.Record, out: 1}
	now := o.Now.UnixMilli()
	r.Status, r.Sends, r.Seq = countersign.StatusPending, 1, 1
	r.Created, r.Expires, r.Lease = o.Now, instant(now+b.Lifetime.Milliseconds()), time.Time{}
	if lease := b.Lease.Milliseconds(); lease > 0 {
		r.Lease = instant(now + lease)
	}
	if flags&flagOwnCode != 0 {
		r.Hosted, r.HostedScope = "", countersign.Hash{}
	}
	s.note(shardNumber(r.ID), r, now)
	o.Record = &r.Record
	return o
}

func milliseconds(m rueidis.RedisMessage) time.Duration {
	return time.Duration(number(m)) * time.Millisecond
}

func phoneState(list []rueidis.RedisMessage) countersign.PhoneState {
	lock := number(list[ansLock])
	return countersign.PhoneState{
		ChecksLeft: int(number(list[ansChecks])), SendsLeft: int(number(list[ansSends])),
		NextSend: instant(number(list[ansNextSend])), Locked: lock > 0, Hard: lock == 2,
		LockedUntil: instant(number(list[ansLockedUntil])), SendsReset: milliseconds(list[ansSendsReset]),
	}
}

// record reads a record in an answer and notes when its shard must be looked at. Nothing there is nil.
func (s *Store) record(shard int, m rueidis.RedisMessage, now int64) (*countersign.Record, error) {
	raw, err := m.ToString()
	if err != nil || raw == "" {
		return nil, err
	}
	r, err := s.unpack(shard, raw, now)
	if err != nil {
		return nil, err
	}
	return &r.Record, nil
}

func (s *Store) unpack(shard int, raw string, now int64) (*stored, error) {
	r, err := unpackRecord(shard, raw)
	if err != nil {
		return nil, err
	}
	s.note(shard, r, now)
	return r, nil
}

// note notes when a record's shard must be looked at.
func (s *Store) note(shard int, r *stored, now int64) {
	if r.Status == countersign.StatusPending {
		s.index.due.lower(shard, r.due())
	}
	if r.out == r.Seq {
		s.index.out.lower(shard, now)
	}
}
