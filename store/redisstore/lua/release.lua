-- Release: KEYS and ARGV as in Take. It gives back each limit's cost (below zero: it takes more) and frees the idempotency key if it still runs
-- with this id. ARGV[3] '1' only lets the key's lease run out: another request's id stays known.

local n = #KEYS - ARGV[2]
for i = 1, n do
  local l = read_limit(i)
  if l.used > 0 or l.cost < 0 then
    l.used = math.max(0, l.used - l.cost)
    save_limit(KEYS[i], l)
  end
end
if ARGV[2] == '1' then
  local raw = have[#KEYS]
  local entry = raw and cmsgpack.unpack(raw)
  if entry and entry[I_ID] == ARGV[4] and entry[I_LEASE] > 0 then
    if ARGV[3] == '1' then
      entry[I_LEASE] = now
      call('SET', KEYS[#KEYS], cmsgpack.pack(entry), 'KEEPTTL')
    else
      call('DEL', KEYS[#KEYS])
    end
  end
end
return {now}
