-- Settle: ARGV[3] app, [4] key, [5] body, [6] approved, [7] the status to end with or '', [8] jti, [9] caller.

local early = open(ARGV[3])
if early then return early end
local m = recall(r[R_MEM], ARGV[4])
if m then
  if m[M_BODY] ~= ARGV[5] then return answer(RES_MISMATCH) end
  if m[M_RESULT] ~= RES_RESERVED then return answer(m[M_RESULT], 0, m[M_LEFT], 1) end
end

-- A guess that was reserved was in time, whatever the clock says now.
if r[R_CHECK_LEASE] == 0 or r[R_EPOCH] < epoch then return closed() or answer(RES_BUSY) end

local before, result = p[P_STREAK], RES_INCORRECT
if ARGV[6] == '1' then
  approve(ARGV[8], ARGV[9])
  result = RES_APPROVED
elseif ARGV[7] ~= '' then
  stop(r, tail, tonumber(ARGV[7]))
else
  r[R_CHECK_LEASE] = 0
  if r[R_CHECKS] >= r[R_MAX_CHECKS] then stop(r, tail, FAILED) end
end
r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], result, left_of(r))
raw = write(r, tail, true)
save_phone()
note(before)
return answer(result)
