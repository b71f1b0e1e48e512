package sqlitestore

import (
	"database/sql/driver"

	"countersign"
)

// tables is the writer's prepared statements.
type tables struct {
	c *conn

	begin, commit                                       *stmt
	loadMeta, saveMeta                                  *stmt
	loadRecord, insertRecord, updateRecord, moveRecord  *stmt
	loadBoth                                            *stmt
	deleteRecord, dueRecords, outRecords                *stmt
	logged                                              *stmt
	loadPhone, savePhone, deletePhone, walkPhones       *stmt
	loadRate, saveRate, deleteRate, walkRates, noRates  *stmt
	loadKey, saveKey, deleteKey, walkKeys, dueAllRecord *stmt
}

func prepareTables(c *conn) (*tables, error) {
	t := &tables{c: c}
	for _, p := range []struct {
		stmt    **stmt
		columns int
		sql     string
	}{
		{&t.begin, 0, "BEGIN IMMEDIATE"},
		{&t.commit, 0, "COMMIT"},
		{&t.loadMeta, 4, "SELECT last, wall, advance, cutoff FROM hot_meta"},
		{&t.saveMeta, 0, "UPDATE hot_meta SET last = ?, wall = ?, advance = ?, cutoff = ?"},
		{&t.loadRecord, 10, "SELECT " + recordColumns + " FROM hot_records r WHERE r.id = ?"},
		{&t.loadBoth, 11, "SELECT " + recordColumns + ", p.packed FROM hot_records r LEFT JOIN hot_phones p ON p.phone = r.phone WHERE r.id = ?"},
		{&t.insertRecord, 0, "INSERT INTO hot_records (id, app, phone, status, expires, due, out_at, out_seq, packed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		// An update that names an indexed column rewrites the index, so the usual change does not name them.
		{&t.updateRecord, 0, "UPDATE hot_records SET status = ?, packed = ? WHERE place = ?"},
		{&t.moveRecord, 0, "UPDATE hot_records SET status = ?, packed = ?, due = ?, out_at = ?, out_seq = ? WHERE place = ?"},
		{&t.logged, 0, "UPDATE hot_records SET out_at = NULL, out_seq = 0 WHERE id = ? AND out_seq BETWEEN 1 AND ?"},
		{&t.deleteRecord, 0, "DELETE FROM hot_records WHERE place = ?"},
		{&t.dueRecords, 1, "SELECT id FROM hot_records WHERE due <= ? ORDER BY due LIMIT ?"},
		{&t.dueAllRecord, 0, "UPDATE hot_records SET due = 0 WHERE status = 'pending'"},
		{&t.outRecords, 1, "SELECT id FROM hot_records WHERE out_at IS NOT NULL AND out_at <= ? ORDER BY out_at, place LIMIT ?"},
		{&t.loadPhone, 1, "SELECT packed FROM hot_phones WHERE phone = ?"},
		{&t.savePhone, 0, "INSERT INTO hot_phones (phone, until, packed) VALUES (?, ?, ?) ON CONFLICT (phone) DO UPDATE SET until = excluded.until, packed = excluded.packed"},
		{&t.deletePhone, 0, "DELETE FROM hot_phones WHERE phone = ?"},
		{&t.walkPhones, 2, "SELECT phone, until FROM hot_phones WHERE phone > ? ORDER BY phone LIMIT ?"},
		{&t.loadRate, 2, "SELECT tat, sum FROM hot_rates WHERE key = ?"},
		{&t.saveRate, 0, "INSERT INTO hot_rates (key, tat, sum) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET tat = excluded.tat, sum = excluded.sum"},
		{&t.deleteRate, 0, "DELETE FROM hot_rates WHERE key = ?"},
		{&t.walkRates, 2, "SELECT key, tat FROM hot_rates WHERE key > ? ORDER BY key LIMIT ?"},
		{&t.noRates, 0, "DELETE FROM hot_rates"},
		{&t.loadKey, 5, "SELECT body, id, done, lease, until FROM hot_keys WHERE key = ?"},
		{&t.saveKey, 0, "INSERT INTO hot_keys (key, body, id, done, lease, until) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET " +
			"body = excluded.body, id = excluded.id, done = excluded.done, lease = excluded.lease, until = excluded.until"},
		{&t.deleteKey, 0, "DELETE FROM hot_keys WHERE key = ?"},
		{&t.walkKeys, 2, "SELECT key, until FROM hot_keys WHERE key > ? ORDER BY key LIMIT ?"},
	} {
		s, err := c.prepare(p.sql, p.columns)
		if err != nil {
			return nil, explain(err)
		}
		*p.stmt = s
	}
	return t, nil
}

// recordColumns are what scanRecord reads.
const recordColumns = "r.place, r.id, r.app, r.phone, r.status, r.expires, r.due, r.out_at, r.out_seq, r.packed"

// scanRecord reads a record's row.
func scanRecord(row []driver.Value) (*entry, error) {
	e := &entry{place: asInt(row[0]), due: instant(asInt(row[6])), outAt: instant(asInt(row[7])), outSeq: int(asInt(row[8]))}
	e.ID, e.App, e.Status = asText(row[1]), asText(row[2]), countersign.Status(asText(row[4]))
	copy(e.Phone[:], asBytes(row[3]))
	e.Expires = instant(asInt(row[5])).time()
	e.savedDue, e.savedOut = e.due, e.outSeq
	return e, e.unpack(asBytes(row[9]))
}

func (t *tables) meta() (m meta, err error) {
	_, err = t.loadMeta.one(func(row []driver.Value) error {
		m = meta{instant(asInt(row[0])), instant(asInt(row[1])), instant(asInt(row[2])), instant(asInt(row[3]))}
		return nil
	})
	return m, err
}

func (t *tables) writeMeta(m meta) error {
	return t.saveMeta.run(int64(m.last), int64(m.wall), int64(m.advance), int64(m.cutoff))
}

// record gives nil when there is none.
func (t *tables) record(id string) (e *entry, err error) {
	_, err = t.loadRecord.one(func(row []driver.Value) error {
		e, err = scanRecord(row)
		return err
	}, id)
	if err != nil {
		return nil, damaged(err)
	}
	return e, nil
}

// both gives a record and its phone, in one question; nil when there is no such record.
func (t *tables) both(id string) (e *entry, p *phone, err error) {
	_, err = t.loadBoth.one(func(row []driver.Value) error {
		if e, err = scanRecord(row); err != nil {
			return err
		}
		p = &phone{hash: e.Phone}
		if packed := asBytes(row[10]); packed != nil {
			return p.unpack(packed)
		}
		return nil
	}, id)
	if err != nil {
		return nil, nil, damaged(err)
	}
	return e, p, nil
}

func (t *tables) writeRecord(e *entry) error {
	var outAt driver.Value
	if e.outSeq != 0 {
		outAt = int64(e.outAt)
	}
	switch {
	case e.place == 0:
		return t.insertRecord.run(e.ID, e.App, e.Phone[:], string(e.Status), int64(instantOf(e.Expires)), int64(e.due), outAt, int64(e.outSeq), e.pack(nil))
	case e.due == e.savedDue && e.outSeq == e.savedOut:
		return t.updateRecord.run(string(e.Status), e.pack(nil), e.place)
	}
	return t.moveRecord.run(string(e.Status), e.pack(nil), int64(e.due), outAt, int64(e.outSeq), e.place)
}

// phone gives an empty one where none is kept.
func (t *tables) phone(hash countersign.Hash) (*phone, error) {
	p := &phone{hash: hash}
	_, err := t.loadPhone.one(func(row []driver.Value) error { return p.unpack(asBytes(row[0])) }, hash[:])
	return p, damaged(err)
}

func (t *tables) writePhone(p *phone, now instant) error {
	until := p.until()
	if until <= now {
		return t.deletePhone.run(p.hash[:])
	}
	return t.savePhone.run(p.hash[:], int64(until), p.pack(nil))
}
