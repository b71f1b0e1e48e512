-- Clock: KEYS[1] the clock's hash. ARGV[2] ms to add to the offset, ARGV[3] the epoch that there must be at
-- least. It returns the time by the new offset, the offset and the epoch. With nothing to change it only renews the TTL.

local set = redis.call('HMGET', KEYS[1], 'offset', 'epoch')
local offset, epoch = tonumber(set[1] or 0) + ARGV[2], math.max(tonumber(set[2] or 0), tonumber(ARGV[3]))
if offset ~= 0 or epoch ~= 0 then
  redis.call('HSET', KEYS[1], 'offset', offset, 'epoch', epoch)
  redis.call('PEXPIRE', KEYS[1], CLOCK_KEPT)
end
return {now + offset, offset, epoch}
