-- Mirrored drops a note: KEYS[1] the phone's key, ARGV[3] when it was noted. A later note stays.

local hex = sub(KEYS[1], 12)
if tonumber(call('ZSCORE', slot .. 'l', hex) or 0) == tonumber(ARGV[3]) then call('ZREM', slot .. 'l', hex) end
return {RES_OK, now}
