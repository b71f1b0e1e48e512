-- Lock reads what must be mirrored of a phone: KEYS[1] the phone's key. It returns when it was noted, the streak,
-- the last wrong guess, and the instants of the guesses.

local hex = sub(KEYS[1], 12)
load_phone(hex)
local out = {RES_OK, now, tonumber(call('ZSCORE', slot .. 'l', hex) or 0), p[P_STREAK], p[P_WRONG]}
for _, at in ipairs(p[P_GUESSES]) do out[#out + 1] = at end
return out
