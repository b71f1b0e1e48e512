-- What the scripts on limits start with. KEYS are all on one node; ARGV[1] is the clock's offset. ARGV[7] is the
-- limits, packed, four whole numbers each: burst, period, cost, and 1 where it never refuses. A limit is a GCRA: one
-- instant, the theoretical arrival time, in whole µs, which Redis keeps without a string. A period below zero makes it
-- a sum that ends at that instant, of at most burst: its end and its whole number.
--
-- A start counts a dozen limits, and a dozen of anything costs: one argument, one read, one answer.

local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local slack = 0.001 -- rounding must not refuse the last one that fits

local given, have
if ARGV[7] then
  given, have = ARGV[7] ~= '' and {cmsgpack.unpack(ARGV[7])} or {}, call('MGET', unpack(KEYS))
end

-- read_limit gives what is used, what this request would use and what there is, in ms of a rate or units of a sum.
local function read_limit(i)
  local burst, period, cost = given[4 * i - 3], given[4 * i - 2], given[4 * i - 1]
  local l = {shadow = given[4 * i] == 1}
  if period < 0 then
    l.ends, l.one, l.span, l.cost, l.used = -period, 1, burst, cost, 0
    local ends, sum = string.match(have[i] or '', '^(%d+) (%d+)$')
    if tonumber(ends) == l.ends then l.used = tonumber(sum) end
  else
    l.one, l.span = period / burst, period
    l.cost, l.used = cost * l.one, math.max(0, tonumber(have[i] or 0) / 1000 - now)
  end
  l.fits = l.used + l.cost <= l.span + slack
  return l
end

local function save_limit(key, l)
  local ttl = l.ends and l.ends - now or math.ceil(l.used)
  if l.used <= 0 or ttl <= 0 then
    call('DEL', key)
  elseif l.ends then
    call('SET', key, string.format('%.0f %.0f', l.ends, l.used), 'PX', ttl)
  else
    call('SET', key, string.format('%.0f', (now + l.used) * 1000), 'PX', ttl)
  end
end
