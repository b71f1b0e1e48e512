package sqlitestore

import (
	"encoding/binary"
	"errors"
	"time"

	"countersign"
)

// Rows keep in columns what is searched, and the rest in one packed value: a version byte, then the fields in a
// fixed order. Numbers are varints, texts and bytes carry their length in front. A new field means a new version;
// a reader knows all versions up to its own.
const (
	entryVersion = 1
	phoneVersion = 2 // 2: devices
)

var errPacked = errors.New("a packed row does not decode: the file was written by a newer release, or is damaged")

// packer appends fields.
type packer struct{ b []byte }

func (p *packer) byte(v byte)             { p.b = append(p.b, v) }
func (p *packer) int(v int64)             { p.b = binary.AppendVarint(p.b, v) }
func (p *packer) instant(v instant)       { p.int(int64(v)) }
func (p *packer) time(v time.Time)        { p.instant(instantOf(v)) }
func (p *packer) fixed(v []byte)          { p.b = append(p.b, v...) }
func (p *packer) hash(v countersign.Hash) { p.fixed(v[:]) }

func (p *packer) text(v string) {
	p.b = binary.AppendUvarint(p.b, uint64(len(v)))
	p.b = append(p.b, v...)
}

func (p *packer) bytes(v []byte) {
	p.b = binary.AppendUvarint(p.b, uint64(len(v)))
	p.b = append(p.b, v...)
}

func (p *packer) bool(v bool) {
	if v {
		p.byte(1)
	} else {
		p.byte(0)
	}
}

// unpacker reads fields. After the first failure every read gives a zero value; err tells in the end.
type unpacker struct {
	b      []byte
	failed bool
}

func (u *unpacker) take(n int) []byte {
	if u.failed || n < 0 || n > len(u.b) {
		u.failed = true
		return nil
	}
	v := u.b[:n]
	u.b = u.b[n:]
	return v
}

func (u *unpacker) byte() byte {
	if v := u.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.failed = true
		return 0
	}
	u.take(n)
	return v
}

func (u *unpacker) instant() instant { return instant(u.int()) }
func (u *unpacker) time() time.Time  { return u.instant().time() }
func (u *unpacker) text() string     { return string(u.sized()) }
func (u *unpacker) bool() bool       { return u.byte() == 1 }

func (u *unpacker) hash() (h countersign.Hash) {
	copy(h[:], u.take(len(h)))
	return h
}

func (u *unpacker) sized() []byte {
	n, used := binary.Uvarint(u.b)
	if used <= 0 || n > uint64(len(u.b)) {
		u.failed = true
		return nil
	}
	u.take(used)
	return u.take(int(n))
}

// bytes gives a copy, and nil for nothing.
func (u *unpacker) bytes() []byte {
	v := u.sized()
	if len(v) == 0 {
		return nil
	}
	return append([]byte(nil), v...)
}

// count reads the length of a list whose items take at least size bytes each, so that a damaged length cannot ask
// for more memory than the row has.
func (u *unpacker) count(size int) int {
	n := u.int()
	if n < 0 || n > int64(len(u.b)/size) {
		u.failed = true
		return 0
	}
	return int(n)
}

func (u *unpacker) err() error {
	if u.failed || len(u.b) != 0 {
		return errPacked
	}
	return nil
}

// instants pack as the first one and the distances.
func (p *packer) instants(list []instant) {
	p.int(int64(len(list)))
	last := instant(0)
	for _, i := range list {
		p.instant(i - last)
		last = i
	}
}

func (u *unpacker) instants() []instant {
	n := u.count(1)
	if n == 0 {
		return nil
	}
	list := make([]instant, n)
	last := instant(0)
	for i := range list {
		last += u.instant()
		list[i] = last
	}
	return list
}
