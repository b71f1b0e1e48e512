-- Count: KEYS[1] the phone's key, ARGV[3] what, [4] app, [5] exempt, [6] streak, [7] at, [8] the device, [9] its phone, [10]
-- when it was issued. It changes what is counted of a phone, without a record.

load_phone(sub(KEYS[1], 12))
ask(ARGV[8], ARGV[9], ARGV[10], ARGV[4])
local what, at, before = tonumber(ARGV[3]), tonumber(ARGV[7]), p[P_STREAK]

if what == COUNT_GUESS or what == COUNT_SEND then
  local lock, till = locked()
  if lock > 0 then return reply(RES_LOCKED, lock == 1 and wait_until(till) or 0, 0, 0) end
end
if what == COUNT_SEND and ARGV[5] == '0' then
  local refusal, wait = refuse_send()
  if refusal then return reply(refusal, wait, 0, 0) end
end

-- drop takes an instant out of the device's list or, where it is not in there, out of the phone's.
local function drop(list, own_list)
  for _, l in ipairs({own_list, list}) do
    for i = #l, 1, -1 do
      if l[i] == at then
        table.remove(l, i)
        return true
      end
    end
  end
  return false
end

if what == COUNT_GUESS then
  count()
elseif what == COUNT_SEND then
  if ARGV[5] == '0' then count_send() end
elseif what == COUNT_GUESS_BACK then
  if drop(p[P_GUESSES], own and own[O_GUESSES] or {}) then p[P_STREAK] = max(0, p[P_STREAK] - 1) end
elseif what == COUNT_SEND_BACK then
  drop(p[P_SENDS], own and own[O_SENDS] or {})
elseif what == COUNT_APPROVED then
  p[P_STREAK] = 0
elseif tonumber(ARGV[6]) > p[P_STREAK] and now < at + STREAK_LIFE then
  p[P_STREAK], p[P_WRONG] = tonumber(ARGV[6]), max(at, p[P_WRONG])
end
save_phone()
note(before)
return reply(RES_OK, 0, 0, 0)
