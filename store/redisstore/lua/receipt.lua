-- Receipt: ARGV[3] the delivery's id, [4] ref, [5] status, [6] at, [7] detail.

local early = open('')
if early then return early end
local how = over(r)
if how then stop(r, tail, how) end

local list, found = load_deliveries(), nil
for _, d in ipairs(list) do
  if ARGV[3] ~= '' and d[D_ID] == ARGV[3] then found = d end
end
if not found and ARGV[4] ~= '' then
  for _, d in ipairs(list) do
    if d[D_REF] == ARGV[4] then found = d end
  end
end

local status, at, changed = tonumber(ARGV[5]), tonumber(ARGV[6]), how ~= nil
if at == 0 then at = now end
if found then
  changed = raise(found, status, at, ARGV[7]) or changed
elseif ARGV[3] ~= '' then
  -- Faster than the report of the send: Sent fills in the rest.
  list[#list + 1] = {ARGV[3], '', '', ARGV[4], status, at, ARGV[7]}
  changed = true
elseif not changed then
  return answer(RES_UNKNOWN)
end
if changed then
  save_deliveries(list)
  raw = write(r, tail, false)
  if how then save_phone() end
end
return answer((found or ARGV[3] ~= '') and RES_OK or RES_UNKNOWN)
