-- Acknowledge: KEYS[1] the record, ARGV[3] the number of the change that the log has. It returns when the shard's
-- oldest entry was made (0: none).

local tail = sub(KEYS[1], 19)
local raw = call('GET', KEYS[1])
local r = raw and unpack_msg(raw)
if not r then
  call('ZREM', slot .. 'out', tail)
elseif r[R_OUT] <= tonumber(ARGV[3]) and call('ZREM', slot .. 'out', tail) == 1 and r[R_STATUS] ~= PENDING then
  call('PEXPIRE', KEYS[1], max(1, r[R_ENDED] + ENDED_KEPT - now))
end
local oldest = call('ZRANGE', slot .. 'out', 0, 0, 'WITHSCORES')
return {RES_OK, now, tonumber(oldest[2] or 0)}
