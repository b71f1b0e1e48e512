package sqlitestore

import (
	"countersign"
)

// batch is one transaction: the rows that its moves have read, as the moves left them, and those to be written.
type batch struct {
	t     *tables
	clock *clock
	meta  meta
	dirty bool // the meta row is to be written although no other row is

	records map[string]*entry
	phones  map[countersign.Hash]*phone
	rates   map[rateKey]count
	keys    map[countersign.Hash]*idemKey // nil: there is none
	// What is to be written, in the order of the first change. A move may put a row here twice.
	writeRecords []string
	writePhones  []countersign.Hash
	writeRates   []rateKey
	writeKeys    []countersign.Hash
}

func newBatch(t *tables, c *clock) *batch {
	return &batch{
		t: t, clock: c, records: map[string]*entry{}, phones: map[countersign.Hash]*phone{},
		rates: map[rateKey]count{}, keys: map[countersign.Hash]*idemKey{},
	}
}

// begin takes the write lock and reads the clock's row.
func (b *batch) begin() (err error) {
	if err = b.t.begin.run(); err != nil {
		return err
	}
	if b.meta, err = b.t.meta(); err != nil {
		return err
	}
	b.clock.follow(b.meta)
	return nil
}

// flush writes what the moves changed and forgets what they read, so that SQL sees every change.
func (b *batch) flush() error {
	now := b.clock.now()
	changed := b.dirty || len(b.writeRecords)+len(b.writePhones)+len(b.writeRates)+len(b.writeKeys) > 0
	for _, id := range b.writeRecords {
		if e := b.records[id]; e.unwritten {
			if err := b.t.writeRecord(e); err != nil {
				return err
			}
			e.unwritten = false
		}
	}
	for _, hash := range b.writePhones {
		if p := b.phones[hash]; p.unwritten {
			if err := b.t.writePhone(p, now); err != nil {
				return err
			}
			p.unwritten = false
		}
	}
	if err := b.flushLimits(now); err != nil {
		return err
	}
	b.forget()
	if !changed {
		return nil
	}
	b.meta.last = max(b.meta.last, now)
	b.meta.wall = instantOf(b.clock.wall())
	return b.t.writeMeta(b.meta)
}

func (b *batch) forget() {
	clear(b.records)
	clear(b.phones)
	clear(b.rates)
	clear(b.keys)
	b.writeRecords, b.writePhones, b.writeRates, b.writeKeys = b.writeRecords[:0], b.writePhones[:0], b.writeRates[:0], b.writeKeys[:0]
	b.dirty = false
}

// record gives the record as the moves so far left it; nil when there is none.
func (b *batch) record(id string) (*entry, error) {
	if e, ok := b.records[id]; ok {
		return e, nil
	}
	e, err := b.t.record(id)
	if err == nil && e != nil {
		b.records[id] = e
	}
	return e, err
}

// read gets a record and its phone into memory, where neither is there yet.
func (b *batch) read(id string) error {
	if _, ok := b.records[id]; ok {
		return nil
	}
	e, p, err := b.t.both(id)
	if err != nil || e == nil {
		return err
	}
	b.records[id] = e
	if _, ok := b.phones[p.hash]; !ok {
		b.phones[p.hash] = p
	}
	return nil
}

func (b *batch) phone(hash countersign.Hash) (*phone, error) {
	if p, ok := b.phones[hash]; ok {
		return p, nil
	}
	p, err := b.t.phone(hash)
	if err == nil {
		b.phones[hash] = p
	}
	return p, err
}
