package sqlitestore

import (
	"time"

	"countersign"
)

// Bounds of the request memory.
const (
	memoryLife = 60 * time.Second
	memorySize = 8
)

// remembered is one answered request.
type remembered struct {
	key, body  countersign.Hash
	result     countersign.Result
	checksLeft int
	at         instant
	id         string // the record that the answer was about; only in a phone's memory
}

// memory makes moves idempotent: the last few requests of a record or of a phone, oldest first.
type memory []remembered

func (m memory) copy() memory { return append(memory(nil), m...) }

// find gives the request's answer, if it is still remembered.
func (m memory) find(q countersign.Request, now instant) *remembered {
	if q.Key.IsZero() {
		return nil
	}
	for i := range m {
		if m[i].key == q.Key && now < m[i].at.add(memoryLife) {
			return &m[i]
		}
	}
	return nil
}

// forget drops a request's answer.
func (m memory) forget(key countersign.Hash) memory {
	kept := m[:0]
	for _, r := range m {
		if r.key != key {
			kept = append(kept, r)
		}
	}
	return kept
}

// keep remembers an answer in the place of an earlier one of the same key, and drops what is too old or too much.
func (m memory) keep(q countersign.Request, r remembered, now instant) memory {
	if q.Key.IsZero() {
		return m
	}
	kept := m[:0]
	for _, old := range m {
		if old.key != q.Key && now < old.at.add(memoryLife) {
			kept = append(kept, old)
		}
	}
	if len(kept) >= memorySize {
		kept = append(kept[:0], kept[len(kept)-memorySize+1:]...)
	}
	r.key, r.body, r.at = q.Key, q.Body, now
	return append(kept, r)
}

// memoryItemSize is the least that a packed item takes.
const memoryItemSize = 2*countersign.HashSize + 4

func (p *packer) memory(m memory) {
	p.int(int64(len(m)))
	for i := range m {
		r := &m[i]
		p.hash(r.key)
		p.hash(r.body)
		p.byte(byte(r.result))
		p.int(int64(r.checksLeft))
		p.instant(r.at)
		p.text(r.id)
	}
}

func (u *unpacker) memory() memory {
	var m memory
	for range u.count(memoryItemSize) {
		m = append(m, remembered{
			key: u.hash(), body: u.hash(), result: countersign.Result(u.byte()), checksLeft: int(u.int()), at: u.instant(), id: u.text(),
		})
	}
	return m
}
