-- Take: KEYS the limits, then the idempotency key where ARGV[2] is '1'. ARGV[3] body, [4] id, [5] lease ('': only look),
-- [6] how long the key is remembered, [7] the limits (see limits.lua). It returns, packed, now, what the key says, the
-- first's id, the number of the limit that refused (0: none), and for each limit remaining, reset, retry and whether it
-- had no room.

local n = #KEYS - ARGV[2]
local seen, seen_id, entry = SEEN_NEVER, '', nil
if ARGV[2] == '1' then
  local raw = have[#KEYS]
  entry = raw and cmsgpack.unpack(raw)
  if entry and now >= entry[I_FIRST] + ARGV[6] then entry = nil end
  if entry then
    seen_id = entry[I_ID]
    seen = entry[I_BODY] ~= ARGV[3] and SEEN_MISMATCH or entry[I_LEASE] == 0 and SEEN_DONE or
      now < entry[I_LEASE] and SEEN_RUNNING or SEEN_ABANDONED
  end
end

local out = {now, seen, seen_id, 0}
local counts = seen == SEEN_NEVER or seen == SEEN_ABANDONED
local all = {}
for i = 1, n do
  local l = read_limit(i)
  if not l.fits and not l.shadow and out[4] == 0 and counts then out[4] = i end
  all[i] = l
end
local admitted = counts and out[4] == 0 and ARGV[5] ~= ''
for i = 1, n do
  local l = all[i]
  if admitted and l.fits then
    l.used = l.used + l.cost
    save_limit(KEYS[i], l)
  end
  out[#out + 1] = math.max(0, math.floor((l.span - l.used) / l.one + slack))
  if l.ends then
    out[#out + 1] = l.used > 0 and l.ends - now or 0
    out[#out + 1] = l.used + l.cost > l.span and l.ends - now or 0
  else
    out[#out + 1] = math.ceil(l.used - slack)
    out[#out + 1] = math.max(0, math.ceil(l.used + l.cost - l.span - slack))
  end
  out[#out + 1] = l.fits and 0 or 1
end
if admitted and ARGV[2] == '1' then
  local first = entry and entry[I_FIRST] or now
  entry = {ARGV[3], entry and entry[I_ID] or ARGV[4], now + ARGV[5], first}
  call('SET', KEYS[#KEYS], cmsgpack.pack(entry), 'PX', first + ARGV[6] - now)
end
return {cmsgpack.pack(out)}, admitted and seen == SEEN_NEVER -- the second is for start.lua; Redis takes the first
