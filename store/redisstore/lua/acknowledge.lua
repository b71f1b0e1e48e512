-- Acknowledge: KEYS the records, on one node; ARGV[3] and on: for each the number of the change that the log has. It
-- returns for each when its shard's oldest entry was made (0: none).

local answer = {RES_OK, now}
for i, key in ipairs(KEYS) do
  local box, tail = sub(key, 1, 9) .. 'out', sub(key, 19)
  local raw = call('GET', key)
  local r = raw and unpack_msg(raw)
  if not r then
    call('ZREM', box, tail)
  elseif r[R_OUT] <= tonumber(ARGV[i + 2]) and call('ZREM', box, tail) == 1 and r[R_STATUS] ~= PENDING then
    call('PEXPIRE', key, max(1, r[R_ENDED] + ENDED_KEPT - now))
  end
  local oldest = call('ZRANGE', box, 0, 0, 'WITHSCORES')
  answer[i + 2] = tonumber(oldest[2] or 0)
end
return answer
