-- Finish: KEYS[1] the idempotency key. Its first request is done.

local raw = call('GET', KEYS[1])
if raw then
  local entry = cmsgpack.unpack(raw)
  entry[I_LEASE] = 0
  call('SET', KEYS[1], cmsgpack.pack(entry), 'KEEPTTL')
end
return {now}
