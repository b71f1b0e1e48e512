-- Check: ARGV[3] app, [4] key, [5] body, [6] shape, [7] length, [8] lease, [9] jti, [10] caller,
-- [11] the device, [12] its phone, [13] when it was issued, then for each candidate tag its key and the tag. Count, then compare, then consume.

local early = open(ARGV[3])
if early then return early end
ask(ARGV[11], ARGV[12], ARGV[13], ARGV[3])
early = again(ARGV[4], ARGV[5])
if early then return early end

-- Of the candidates the one under the key of the record's own tag is compared, whole.
local tag_key, right = tostring(r[R_TAG_KEY]), false
for i = 14, #ARGV, 2 do
  if ARGV[i] == tag_key and ARGV[i + 1] == r[R_TAG] then right = true end
end

early = closed()
if early then
  -- A correct check may be repeated by the same caller for a while: a double click, or an answer that was lost.
  if r[R_STATUS] ~= APPROVED or ARGV[10] == '' or ARGV[10] ~= r[R_CALLER] or now - r[R_ENDED] > REPEAT_WINDOW or
    r[R_PURPOSE] == 'transaction' or not right then return early end
  if ARGV[4] ~= '' then
    r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], RES_REPEATED, 0)
    call('SET', KEYS[1], pack(r), 'KEEPTTL')
  end
  return answer(RES_REPEATED)
end

if not fits(r, tonumber(ARGV[6]), tonumber(ARGV[7])) then return answer(RES_SHAPE) end
local lock, till = locked()
if lock > 0 then return answer(RES_LOCKED, lock == 1 and wait_until(till) or 0) end
local hosted = r[R_HOSTED] ~= ''
if hosted and now < r[R_CHECK_LEASE] then return answer(RES_BUSY) end

local before, result = count(), RES_INCORRECT
r[R_CHECKS] = r[R_CHECKS] + 1
if hosted then
  r[R_CHECK_LEASE] = now + ARGV[8]
  result = RES_RESERVED
elseif right then
  approve(ARGV[9], ARGV[10])
  result = RES_APPROVED
elseif r[R_CHECKS] >= r[R_MAX_CHECKS] then
  stop(r, tail, FAILED)
end
r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], result, left_of(r))
raw = write(r, tail, hosted)
save_phone()
note(before)
return answer(result)
