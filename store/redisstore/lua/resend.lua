-- Resend: ARGV[3] app, [4] key, [5] body, [6] channel, [7] hosted, [8] least life, [9] lease, [10] exempt,
-- [11] new code or '', [12] its tag's key, [13] its tag, [14] the device, [15] its phone, [16] when it was issued.

local early = open(ARGV[3])
if early then return early end
ask(ARGV[14], ARGV[15], ARGV[16], ARGV[3])
early = again(ARGV[4], ARGV[5]) or closed()
if early then return early end

local lock, till = locked()
if lock > 0 then return answer(RES_LOCKED, lock == 1 and wait_until(till) or 0) end
if r[R_SENDS] >= r[R_MAX_SENDS] then return answer(RES_TOO_MANY) end
if ARGV[11] == '' and r[R_EXPIRES] - now < tonumber(ARGV[8]) then return answer(RES_EXPIRED) end
if ARGV[10] == '0' then
  local refusal, wait = refuse_send()
  if refusal then return answer(refusal, wait) end
end
if now < r[R_LEASE] then return answer(RES_BUSY) end
if ARGV[10] == '0' then count_send() end

if ARGV[7] ~= r[R_HOSTED] then own(ARGV[7], '') end
if ARGV[6] ~= '' then r[R_CHANNEL] = ARGV[6] end
if ARGV[11] ~= '' then r[R_CODE], r[R_TAG_KEY], r[R_TAG] = ARGV[11], tonumber(ARGV[12]), ARGV[13] end
r[R_SENDS] = r[R_SENDS] + 1
r[R_LEASE] = tonumber(ARGV[9]) > 0 and now + ARGV[9] or 0
r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], RES_OK, left_of(r))
raw = write(r, tail, true)
save_phone()
return answer(RES_OK)
