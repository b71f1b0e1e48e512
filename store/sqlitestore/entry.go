package sqlitestore

import (
	"time"

	"countersign"
)

// entry is a verification's row: the record, and what only the store knows of it.
type entry struct {
	countersign.Record
	checkLease instant // a vendor is being asked about a guess; zero when nobody is
	memory     memory

	// The outbox is two columns, so that an acknowledgment need not pack the row again.
	outSeq int     // the highest Seq that the log has not acknowledged; zero for none
	outAt  instant // when that entry was made

	place    int64   // of the row; zero when it is not written yet
	due      instant // when Sweep next has work with it
	savedDue instant // as the row has it
	savedOut int     // as the row has it

	unwritten bool
}

// schedule sets when Sweep next has work with the record: to end it, to claim its send, or to remove it.
func (e *entry) schedule() {
	if e.Status.Final() {
		e.due = instantOf(e.Ended).add(countersign.EndedRetention)
		return
	}
	e.due = max(instantOf(e.Expires), e.checkLease)
	if !e.Lease.IsZero() {
		e.due = min(e.due, e.claimable())
	}
}

// claimable is when a send whose lease ran out may be taken over.
func (e *entry) claimable() instant { return instantOf(e.Lease).add(countersign.ClaimAfter) }

// unacknowledgedRetention is how long an ended record waits for the log, at most. Few do: what the log has is not told when it
// is to be removed, which would rewrite an index for each, but what it lacks is kept when its time comes.
const unacknowledgedRetention = 24 * time.Hour

// answer is a copy of the record for the outside. Its lists have no spare room, so that a caller who appends
// copies.
func (e *entry) answer() *countersign.Record {
	r := e.Record
	r.Deliveries = r.Deliveries[:len(r.Deliveries):len(r.Deliveries)]
	return &r
}

// copy is what a move works on: if it fails, the original is as it was.
func (e *entry) copy() *entry {
	c := *e
	c.Deliveries = append([]countersign.Delivery(nil), e.Deliveries...)
	c.memory = e.memory.copy()
	return &c
}

func (e *entry) pack(buffer []byte) []byte {
	p := packer{append(buffer, entryVersion)}
	r := &e.Record
	p.text(string(r.Purpose))
	p.text(string(r.Channel))
	p.text(string(r.Face))
	p.text(r.Country)
	p.time(r.Created)
	p.time(r.Ended)
	p.int(int64(r.Alphabet))
	p.int(int64(r.Length))
	p.int(int64(r.CodeKey))
	p.bytes(r.Nonce)
	p.int(int64(r.Tag.Key))
	p.fixed(r.Tag.Sum[:])
	p.bytes(r.TxnHash)
	p.bytes(r.Sealed)
	p.hash(r.RefHash)
	p.text(r.Hosted)
	p.text(r.HostedRef)
	p.hash(r.HostedScope)
	p.bool(r.Test)
	p.int(int64(r.Checks))
	p.int(int64(r.MaxChecks))
	p.int(int64(r.Sends))
	p.int(int64(r.MaxSends))
	p.time(r.Lease)
	p.text(r.JTI)
	p.hash(r.ApprovedBy)
	p.time(r.IssuedAt)
	p.int(int64(r.Seq))
	p.instant(e.checkLease)
	p.int(int64(len(r.Deliveries)))
	for i := range r.Deliveries {
		p.delivery(&r.Deliveries[i])
	}
	p.memory(e.memory)
	return p.b
}

// unpack fills what pack packed; the columns are the caller's.
func (e *entry) unpack(b []byte) error {
	u := unpacker{b: b}
	if u.byte() != entryVersion {
		return errPacked
	}
	r := &e.Record
	r.Purpose = countersign.Purpose(u.text())
	r.Channel = countersign.Channel(u.text())
	r.Face = countersign.Face(u.text())
	r.Country = u.text()
	r.Created = u.time()
	r.Ended = u.time()
	r.Alphabet = countersign.Alphabet(u.int())
	r.Length = int(u.int())
	r.CodeKey = uint16(u.int())
	r.Nonce = u.bytes()
	r.Tag.Key = uint16(u.int())
	copy(r.Tag.Sum[:], u.take(countersign.TagSize))
	r.TxnHash = u.bytes()
	r.Sealed = u.bytes()
	r.RefHash = u.hash()
	r.Hosted = u.text()
	r.HostedRef = u.text()
	r.HostedScope = u.hash()
	r.Test = u.bool()
	r.Checks = int(u.int())
	r.MaxChecks = int(u.int())
	r.Sends = int(u.int())
	r.MaxSends = int(u.int())
	r.Lease = u.time()
	r.JTI = u.text()
	r.ApprovedBy = u.hash()
	r.IssuedAt = u.time()
	r.Seq = int(u.int())
	e.checkLease = u.instant()
	for range u.count(deliverySize) {
		r.Deliveries = append(r.Deliveries, u.delivery())
	}
	e.memory = u.memory()
	return u.err()
}

// deliverySize is the least that a packed delivery takes.
const deliverySize = 7

func (p *packer) delivery(d *countersign.Delivery) {
	p.text(d.ID)
	p.text(string(d.Channel))
	p.text(d.Provider)
	p.text(d.Ref)
	p.text(string(d.Status))
	p.time(d.At)
	p.text(d.Detail)
}

func (u *unpacker) delivery() countersign.Delivery {
	return countersign.Delivery{
		ID: u.text(), Channel: countersign.Channel(u.text()), Provider: u.text(), Ref: u.text(),
		Status: countersign.DeliveryStatus(u.text()), At: u.time(), Detail: u.text(),
	}
}
