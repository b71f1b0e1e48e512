-- Pending: KEYS[1] the phone's key, ARGV[3] app, [4] purpose or ''. It returns the records, newest first.

load_phone(sub(KEYS[1], 12))
local out = {RES_OK, now}
for i = #p[P_PENDING], 1, -1 do
  local l = p[P_PENDING][i]
  if l[L_APP] == ARGV[3] and (ARGV[4] == '' or l[L_PURPOSE] == ARGV[4]) and l[L_EXPIRES] > now then
    local raw = call('GET', key_of(l[L_ID]))
    if raw and not over(unpack_msg(raw)) then out[#out + 1] = raw end
  end
end
return out
