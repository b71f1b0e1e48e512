package redisstore

import (
	"encoding/binary"
	"errors"
	"time"
)

// This file speaks as much MessagePack as Redis' cmsgpack does with records: arrays, strings and whole numbers.

func appendArray(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x90|byte(n))
	}
	return binary.BigEndian.AppendUint16(append(b, 0xdc), uint16(n))
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v < 0:
		return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
	case v < 1<<7:
		return append(b, byte(v))
	case v < 1<<8:
		return append(b, 0xcc, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(v))
}

func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

// errPacked says that a stored value is not what this package writes.
var errPacked = errors.New("a stored value is damaged")

// unpacker reads one value after another. After the first fault it gives zero values, and err says so.
type unpacker struct {
	rest string
	err  error
}

func (u *unpacker) take(n int) string {
	if u.err != nil || n < 0 || n > len(u.rest) {
		u.err = errPacked
		return ""
	}
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) tag() byte {
	if s := u.take(1); s != "" {
		return s[0]
	}
	return 0xc1 // never used by the format
}

// size reads a big-endian length of n bytes.
func (u *unpacker) size(n int) uint64 {
	var v uint64
	for _, c := range []byte(u.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

// array reads the start of an array: how many values follow.
func (u *unpacker) array() int {
	switch t := u.tag(); {
	case t&0xf0 == 0x90:
		return int(t & 0x0f)
	case t == 0xdc:
		return int(u.size(2))
	case t == 0xdd:
		return u.count(u.size(4))
	}
	u.err = errPacked
	return 0
}

// count keeps a damaged length from reserving memory: every value takes at least a byte.
func (u *unpacker) count(n uint64) int {
	if n > uint64(len(u.rest)) {
		u.err = errPacked
		return 0
	}
	return int(n)
}

func (u *unpacker) text() string {
	switch t := u.tag(); {
	case t&0xe0 == 0xa0:
		return u.take(int(t & 0x1f))
	case t == 0xd9 || t == 0xc4:
		return u.take(int(u.size(1)))
	case t == 0xda || t == 0xc5:
		return u.take(int(u.size(2)))
	case t == 0xdb || t == 0xc6:
		return u.take(u.count(u.size(4)))
	}
	u.err = errPacked
	return ""
}

func (u *unpacker) number() int64 {
	switch t := u.tag(); {
	case t < 0x80:
		return int64(t)
	case t >= 0xe0:
		return int64(int8(t))
	case t == 0xcc:
		return int64(u.size(1))
	case t == 0xcd:
		return int64(u.size(2))
	case t == 0xce:
		return int64(u.size(4))
	case t == 0xcf || t == 0xd3:
		return int64(u.size(8))
	case t == 0xd0:
		return int64(int8(u.size(1)))
	case t == 0xd1:
		return int64(int16(u.size(2)))
	case t == 0xd2:
		return int64(int32(u.size(4)))
	}
	u.err = errPacked
	return 0
}

func (u *unpacker) milliseconds() time.Duration { return time.Duration(u.number()) * time.Millisecond }

// finish reports a fault, or that something was left over.
func (u *unpacker) finish() error {
	if u.err == nil && u.rest != "" {
		return errPacked
	}
	return u.err
}
