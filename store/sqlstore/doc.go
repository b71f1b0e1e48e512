// Package sqlstore keeps what must outlive everything else, in SQL: the log of verifications, approvals, opt-outs,
// API keys, the wrapped key ring and signing keys, and a mirror of locked phones. The same statements and the same
// migrations run on SQLite, for one machine, and on Postgres, for many.
//
// Rules that it keeps:
//
//   - Nothing is in clear that names a person or opens a door. Phones are keyed hashes, records are sealed by the
//     engine, secrets are wrapped with a master key that is not in the database, API keys are SHA-256 hashes.
//   - What requests need all the time (API keys, opt-outs, the ring, signing keys) is answered from memory. Run asks
//     three times a second whether one of four counters moved, and reloads what did: a revoked key is dead on every node
//     within a second.
//   - A write is one transaction. One that lost a race with another (serialization, deadlock, a busy file) is run
//     again; every one of them may be.
//   - Whatever keeps the database from answering is an error of kind [countersign.ErrUnavailable]. A start on a
//     database that is newer than the program, damaged or read-only fails and says so.
//
// In an SQLite file, tables whose names begin with hot_ belong to the store of what is in flight and are left alone.
package sqlstore
