package redisstore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"countersign"
)

// stored is a record with what only the store knows of it.
type stored struct {
	countersign.Record
	checkLease int64
	epoch      int64
	out        int // the change that the outbox holds
}

// due is the earliest time, in ms, at which a sweep may have to look at the record.
func (s *stored) due() int64 {
	at := max(millis(s.Expires), s.checkLease)
	if !s.Lease.IsZero() {
		at = min(at, millis(s.Lease)+countersign.ClaimAfter.Milliseconds())
	}
	return at
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// packRecord writes a new record. The script that saves it sets the times, the counts and the status.
func packRecord(r *countersign.Record) string {
	b := make([]byte, 0, 384+len(r.Sealed))
	b = appendArray(b, recFields)
	b = appendString(b, packBlob(r))
	b = appendString(b, r.App)
	b = appendString(b, r.Purpose)
	b = appendString(b, r.Channel)
	b = appendString(b, r.Face)
	b = appendInt(b, 0) // status
	b = appendString(b, hex.AppendEncode(make([]byte, 0, 2*countersign.HashSize), r.Phone[:]))
	b = append(b, 0, 0, 0) // created, expires, ended
	b = appendInt(b, int64(r.Alphabet))
	b = appendInt(b, int64(r.Length))
	b = appendString(b, packCode(r.CodeKey, r.Nonce))
	b = appendInt(b, int64(r.Tag.Key))
	b = appendString(b, r.Tag.Sum[:])
	b = appendString(b, r.Hosted)
	b = appendString(b, r.HostedRef)
	b = appendString(b, packHash(r.HostedScope))
	b = appendInt(b, int64(r.Checks))
	b = appendInt(b, int64(r.MaxChecks))
	b = appendInt(b, int64(r.Sends))
	b = appendInt(b, int64(r.MaxSends))
	b = append(b, 0, 0)             // lease, check lease
	b = append(b, 0xa0, 0xa0, 0xa0) // jti, caller, deliveries
	b = append(b, 0, 0, 0, 0, 0xa0) // seq, out, last, epoch, memory
	return string(b)
}

// packBlob writes what no script looks at.
func packBlob(r *countersign.Record) []byte {
	b := make([]byte, 0, 128+len(r.Sealed))
	b = appendArray(b, 6)
	b = appendString(b, tailOf(r.ID))
	b = appendString(b, r.Country)
	b = appendString(b, r.TxnHash)
	b = appendString(b, r.Sealed)
	b = appendString(b, packHash(r.RefHash))
	if r.Test {
		return append(b, 1)
	}
	return append(b, 0)
}

// packCode is what makes the code again: which key, and the nonce.
func packCode(key uint16, nonce []byte) string {
	return string(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(nonce)), key), nonce...))
}

// packHash is a hash as 16 bytes, and the zero one as nothing.
func packHash(h countersign.Hash) string {
	if h.IsZero() {
		return ""
	}
	return string(h[:])
}

func (u *unpacker) hash() (h countersign.Hash) {
	s := u.text()
	if s != "" && copy(h[:], s) != len(s) {
		u.err = errPacked
	}
	return h
}

// unpackRecord reads a record stored in a shard.
func unpackRecord(shard int, raw string) (*stored, error) {
	u := &unpacker{rest: raw}
	if n := u.array(); n != recFields {
		return nil, fmt.Errorf("reading a record: %w", errPacked)
	}
	s := &stored{}
	r := &s.Record
	blob := u.text()
	r.App = u.text()
	r.Purpose = countersign.Purpose(u.text())
	r.Channel = countersign.Channel(u.text())
	r.Face = countersign.Face(u.text())
	r.Status = u.status()
	if n, err := hex.Decode(r.Phone[:], []byte(u.phone())); err != nil || n != countersign.HashSize {
		u.err = errPacked
	}
	r.Created, r.Expires, r.Ended = instant(u.number()), instant(u.number()), instant(u.number())
	r.Alphabet, r.Length = countersign.Alphabet(u.number()), int(u.number())
	r.CodeKey, r.Nonce = u.code()
	r.Tag.Key = uint16(u.number())
	if tag := u.text(); copy(r.Tag.Sum[:], tag) != len(tag) {
		u.err = errPacked
	}
	r.Hosted, r.HostedRef, r.HostedScope = u.text(), u.text(), u.hash()
	r.Checks, r.MaxChecks = int(u.number()), int(u.number())
	r.Sends, r.MaxSends = int(u.number()), int(u.number())
	r.Lease, s.checkLease = instant(u.number()), u.number()
	r.JTI, r.ApprovedBy = u.text(), u.hash()
	if r.JTI != "" {
		r.IssuedAt = r.Ended
	}
	deliveries := u.text()
	r.Seq, s.out = int(u.number()), int(u.number())
	_, s.epoch = u.number(), u.number()
	u.text() // the requests' memory
	if err := u.finish(); err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	return s, s.unpackRest(shard, blob, deliveries)
}

func (u *unpacker) status() countersign.Status {
	if code, known := u.number(), statuses(); code >= 0 && code < int64(len(known)) {
		return known[code]
	}
	u.err = errPacked
	return ""
}

// phone reads a hash in hexadecimal.
func (u *unpacker) phone() string {
	if s := u.text(); len(s) == 2*countersign.HashSize {
		return s
	}
	u.err = errPacked
	return ""
}

func (u *unpacker) code() (key uint16, nonce []byte) {
	s := u.text()
	if len(s) < 2 {
		u.err = errPacked
		return 0, nil
	}
	return uint16(s[0])<<8 | uint16(s[1]), []byte(s[2:])
}

func (s *stored) unpackRest(shard int, blob, deliveries string) error {
	r, u := &s.Record, &unpacker{rest: blob}
	if n := u.array(); n != 6 {
		u.err = errPacked
	}
	r.ID, r.Country = idOf(shard, u.text()), u.text()
	if txn := u.text(); txn != "" {
		r.TxnHash = []byte(txn)
	}
	if sealed := u.text(); sealed != "" {
		r.Sealed = []byte(sealed)
	}
	r.RefHash, r.Test = u.hash(), u.number() == 1
	if err := u.finish(); err != nil {
		return fmt.Errorf("reading a record: %w", err)
	}
	if deliveries == "" {
		return nil
	}
	return s.unpackDeliveries(&unpacker{rest: deliveries})
}

func (s *stored) unpackDeliveries(u *unpacker) error {
	r, n := &s.Record, u.array()
	r.Deliveries = make([]countersign.Delivery, 0, min(n, maxDeliveries))
	for range n {
		if u.array() != 7 {
			u.err = errPacked
			break
		}
		d := countersign.Delivery{ID: u.text(), Channel: countersign.Channel(u.text()), Provider: u.text(), Ref: u.text()}
		if code, known := u.number(), deliveryStatuses(); code >= 0 && code < int64(len(known)) {
			d.Status = known[code]
		} else {
			u.err = errPacked
		}
		d.At, d.Detail = instant(u.number()), u.text()
		r.Deliveries = append(r.Deliveries, d)
	}
	if err := u.finish(); err != nil {
		return fmt.Errorf("reading a record's deliveries: %w", err)
	}
	return nil
}

// Names of keys. A verification's id must be valid here.

func recordKey(id string) string {
	b := make([]byte, 0, 11+len(id))
	b = append(b, "cs:{"...)
	b = append(b, countersign.ShardOf(id)...)
	b = append(b, "}:v:"...)
	return string(append(b, id...))
}

func phoneKey(h countersign.Hash) string {
	return "cs:{" + h.Shard() + "}:p:" + h.Hex()
}

func shardKey(shard int, name string) string {
	b := make([]byte, 0, 16)
	b = append(b, "cs:{"...)
	b = append(b, hexDigits[shard>>8&15], hexDigits[shard>>4&15], hexDigits[shard&15])
	b = append(b, "}:"...)
	return string(append(b, name...))
}

const hexDigits = "0123456789abcdef"

const shards = 4096

func shardName(shard int) string {
	return string([]byte{hexDigits[shard>>8&15], hexDigits[shard>>4&15], hexDigits[shard&15]})
}

// shardNumber is the number in a valid id.
func shardNumber(id string) int {
	n, err := strconv.ParseUint(countersign.ShardOf(id), 16, 12)
	if err != nil {
		return 0
	}
	return int(n)
}

// tailSize is the length of an id's random part.
const tailSize = 26

// tailOf is an id without its prefix and shard, as the indexes hold it; idOf makes it whole again.
func tailOf(id string) string { return id[7:] }

func idOf(shard int, tail string) string { return "ver_" + shardName(shard) + tail }
