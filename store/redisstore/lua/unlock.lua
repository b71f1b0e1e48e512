-- Unlock: KEYS[1] the phone's key, ARGV[3] '1' to forget the sends too (ForgetLimits). It returns whether there was
-- a lock.

load_phone(sub(KEYS[1], 12))
local lock = locked()
local had = #p[P_GUESSES] > 0 or p[P_STREAK] > 0
if had or (ARGV[3] == '1' and #p[P_SENDS] + #p[P_DEVICES] > 0) then
  local before = max(p[P_STREAK], #p[P_GUESSES])
  p[P_GUESSES], p[P_STREAK], p[P_WRONG] = {}, 0, 0
  for _, d in ipairs(p[P_DEVICES]) do d[O_GUESSES] = {} end
  if ARGV[3] == '1' then p[P_SENDS], p[P_DEVICES] = {}, {} end
  save_phone()
  note(before)
end
return {RES_OK, now, lock > 0 and 1 or 0, noted}
