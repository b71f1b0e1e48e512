// Package redisstore keeps what is in flight in Redis or Valkey: one server, Sentinel or Cluster.
//
// Every move is one Lua script on the slot of one phone. Its keys share the hash tag {shard}, the three hexadecimal
// digits in a verification's id:
//
//	cs:{abc}:v:<id>     a record, packed
//	cs:{abc}:p:<hash>   a phone: sends, guesses, streak, what is pending
//	cs:{abc}:due        when a sweep must look at which record
//	cs:{abc}:out        what the log has not acknowledged
//	cs:{abc}:l          phones whose counts must be mirrored
//	cs:r:<hash>         a limit
//	cs:i:<hash>         an idempotency key
//	cs:clock            the clock's offset and the epoch
//
// A script names the phone's key and the indexes itself: only the record knows its phone. That is safe on a cluster,
// because what shares a hash tag is on one node. Every key has a TTL, set by the script that writes it.
//
// The epoch is a number that grows when what is pending must not be trusted any more: the server's clock was set
// back, or, with [Options.AfterFailoverCancel], the server lost data. A record of an earlier epoch is canceled by the
// next move that touches it.
package redisstore
