-- Sweep: KEYS[1] the shard's index of what is due, ARGV[3] lease, [4] how many at most. It returns the next time
-- something is due (0: nothing), then the records that were ended or claimed.

local out, stale = {RES_OK, now, 0}, nil
local tails = call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[4])
for _, tail in ipairs(tails) do
  local raw = call('GET', key_of(tail))
  local r = raw and unpack_msg(raw)
  if not r or r[R_STATUS] ~= PENDING then
    call('ZREM', KEYS[1], tail)
  elseif behind(r) then
    stale = r[R_EPOCH]
  else
    load_phone(r[R_PHONE])
    local how = over(r)
    if how then
      stop(r, tail, how)
      out[#out + 1] = write(r, tail, false)
      save_phone()
    elseif now < r[R_EXPIRES] and r[R_LEASE] > 0 and now >= r[R_LEASE] + CLAIM_AFTER then
      r[R_LEASE] = now + ARGV[3]
      out[#out + 1] = write(r, tail, true)
    else
      call('ZADD', KEYS[1], due(r), tail)
    end
  end
end
if stale and #out == 3 then return {BEHIND, now, stale} end
local nearest = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
out[3] = tonumber(nearest[2] or 0)
return out
