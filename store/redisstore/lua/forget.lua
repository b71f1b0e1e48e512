-- Forget makes the devices of an app that were issued up to now count for nothing: KEYS[1] the phone's key, ARGV[3] app.

load_phone(sub(KEYS[1], 12))
for i = #p[P_FORGOT], 1, -1 do
  if p[P_FORGOT][i][F_APP] == ARGV[3] then table.remove(p[P_FORGOT], i) end
end
table.insert(p[P_FORGOT], {ARGV[3], now})
save_phone()
return {RES_OK, now}
