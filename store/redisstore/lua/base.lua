-- What every script on a phone's slot starts with: the clock. Words in capitals are numbers that scripts.go puts in at
-- loading, so that the Go constants are the only place they are written down.
--
-- KEYS[1] is a key of the slot. Other keys of the same slot are named here, inside the script, because only the
-- record says which phone it belongs to. They share the hash tag, so a cluster serves them on the same node.
-- ARGV[1] is the clock's offset in ms, ARGV[2] the epoch.
--
-- The first write of every script is a SET: when Redis refuses writes (out of memory, read-only), it refuses that
-- one, and the script has changed nothing.

local call, pack, unpack_msg, sub, max, min = redis.call, cmsgpack.pack, cmsgpack.unpack, string.sub, math.max, math.min
local slot = sub(KEYS[1], 1, 9)
local epoch = tonumber(ARGV[2])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local clock = now -- a move on a record that is ahead of the clock goes by the record's last instant instead
