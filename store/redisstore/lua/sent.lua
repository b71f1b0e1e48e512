-- Sent: ARGV[3..9] the delivery (id, channel, provider, ref, status, at, detail), [10] channel, [11] hosted,
-- [12] its ref, [13] the status to end with or '', [14] keep the lease, [15] how long from now on or 0.

local early = open('')
if early then return early end
local how = over(r)
if how then stop(r, tail, how) end

local list, found = load_deliveries(), nil
local status, at = tonumber(ARGV[7]), tonumber(ARGV[8])
if at == 0 then at = now end
for _, d in ipairs(list) do
  if d[D_ID] == ARGV[3] then found = d end
end
if found then
  -- A receipt was faster than this report.
  if ARGV[4] ~= '' then found[D_CHANNEL] = ARGV[4] end
  if ARGV[5] ~= '' then found[D_PROVIDER] = ARGV[5] end
  if ARGV[6] ~= '' then found[D_REF] = ARGV[6] end
  if not raise(found, status, at, ARGV[9]) and found[D_DETAIL] == '' then found[D_DETAIL] = ARGV[9] end
else
  list[#list + 1] = {ARGV[3], ARGV[4], ARGV[5], ARGV[6], status, at, ARGV[9]}
end
save_deliveries(list)

if r[R_STATUS] == PENDING then
  if ARGV[10] ~= '' then r[R_CHANNEL] = ARGV[10] end
  own(ARGV[11], ARGV[12])
  if ARGV[13] ~= '' then
    stop(r, tail, tonumber(ARGV[13]))
  elseif ARGV[14] == '0' then
    r[R_LEASE] = 0
  elseif ARGV[15] ~= '0' and r[R_LEASE] > 0 then
    r[R_LEASE] = now + ARGV[15]
  end
end
raw = write(r, tail, true)
if r[R_STATUS] ~= PENDING then save_phone() end -- a delivery alone changes nothing of the phone's
return answer(RES_OK)
