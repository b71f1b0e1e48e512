-- Restore gives a phone's counts back after this server lost some: KEYS[1] the phone's key, ARGV[3] streak, [4] the
-- last wrong guess, then the instants of the guesses. Of what is here and what is given the larger stays.

load_phone(sub(KEYS[1], 12))
local guesses = {}
for i = 5, #ARGV do guesses[#guesses + 1] = tonumber(ARGV[i]) end
prune(guesses, WINDOW)
local streak, wrong = tonumber(ARGV[3]), tonumber(ARGV[4])
local changed = false
if streak > p[P_STREAK] and now < wrong + STREAK_LIFE then
  p[P_STREAK], p[P_WRONG] = streak, max(wrong, p[P_WRONG])
  changed = true
end
if #guesses > #p[P_GUESSES] then
  p[P_GUESSES] = guesses
  changed = true
end
if changed then save_phone() end
return {RES_OK, now}
