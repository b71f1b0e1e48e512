-- Refund: KEYS and ARGV as in Take, without an idempotency key; each limit's cost is what it gets back. Where ARGV[2] is
-- '1', the first limit is counted instead, and when it has no room no other gets back more than one.

local first, most = 1, math.huge
if ARGV[2] == '1' then
  local once = read_limit(1)
  if once.fits then
    once.used = once.used + once.cost
    save_limit(KEYS[1], once)
  else
    most = 1
  end
  first = 2
end
for i = first, #KEYS do
  local l = read_limit(i)
  if l.used > 0 or l.cost < 0 then
    l.used = math.max(0, l.used - math.min(l.cost, most * l.one))
    save_limit(KEYS[i], l)
  end
end
return {now}
