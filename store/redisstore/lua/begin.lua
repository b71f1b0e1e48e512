-- Begin: ARGV[3] the packed record, [4] lifetime, [5] lease, [6] supersede, [7] exempt, [8] own code allowed,
-- [9] the device, [10] its phone, [11] when it was issued. Of a new record the answer holds what the caller does not know: a
-- flag that it is there, and one that its code is not the vendor's after all.

local tail = sub(KEYS[1], 19)
local b = unpack_msg(ARGV[3])
local lease, hosted = tonumber(ARGV[5]), b[R_HOSTED]
local ended = {}

local function answer(result, retry, left, flags)
  local out = reply(result, retry, left or 0, flags or 0)
  for i = 1, #ended do out[#out + 1] = ended[i] end
  return out
end

-- The same start again: its first answer was lost, or another process takes it over.
local raw = call('GET', KEYS[1])
if raw then
  local r = unpack_msg(raw)
  if r[R_APP] ~= b[R_APP] or r[R_PHONE] ~= b[R_PHONE] then return {MISSING} end
  if behind(r) then return {BEHIND, now, r[R_EPOCH]} end
  now = max(now, r[R_LAST])
  load_phone(r[R_PHONE])
  ask(ARGV[9], ARGV[10], ARGV[11], b[R_APP])
  if lease > 0 and r[R_STATUS] == PENDING and r[R_DELIVERIES] == '' and now >= r[R_LEASE] and now < r[R_EXPIRES] then
    r[R_LEASE] = now + lease
    raw = write(r, tail, true)
  end
  return reply(RES_OK, 0, left_of(r), 1, raw)
end

load_phone(b[R_PHONE])
ask(ARGV[9], ARGV[10], ARGV[11], b[R_APP])
local lock, till = locked()
if lock > 0 then return answer(RES_LOCKED, lock == 1 and wait_until(till) or 0) end

if ARGV[7] == '0' then
  local refusal, wait = refuse_send()
  if refusal then return answer(refusal, wait) end
end

-- What is pending for this phone: what counts, what is in the way, and what must make room.
local pending, earliest, taken, room, superseded = 0, nil, 0, {}, {}
for _, l in ipairs(p[P_PENDING]) do
  if l[L_EXPIRES] > now then
    local same = ARGV[6] == '1' and l[L_APP] == b[R_APP] and l[L_FACE] == b[R_FACE]
    if same then superseded[#superseded + 1] = l[L_ID] end
    if l[L_APP] == b[R_APP] and not same then
      pending = pending + 1
      earliest = min(earliest or l[L_EXPIRES], l[L_EXPIRES])
    end
    if b[R_HOSTED] ~= '' and l[L_HOSTED] == b[R_HOSTED] then
      if l[L_SCOPE] == b[R_SCOPE] then room[#room + 1] = l[L_ID] else taken = max(taken, l[L_EXPIRES]) end
    end
  end
end
if pending >= MAX_PENDING then return answer(RES_PENDING, wait_until(earliest)) end
if taken > 0 then
  if ARGV[8] == '0' then return answer(RES_HOSTED_TAKEN, wait_until(taken)) end
  b[R_HOSTED], b[R_SCOPE], room = '', '', {}
end

-- Nothing refuses. From here on it is written: first the new record, then those that make room.
b[R_STATUS], b[R_CREATED], b[R_EXPIRES], b[R_SENDS], b[R_EPOCH] = PENDING, now, now + ARGV[4], 1, epoch
b[R_LEASE] = lease > 0 and now + lease or 0
write(b, tail, true)

local function make_room(other)
  local text = call('GET', key_of(other))
  if not text then return unlist(other) end
  local r = unpack_msg(text)
  if r[R_STATUS] == PENDING then
    stop(r, other, CANCELED)
    ended[#ended + 1] = write(r, other, false)
  end
end
for _, other in ipairs(room) do make_room(other) end
for _, other in ipairs(superseded) do make_room(other) end

-- Entries whose record nobody swept up are dropped here, long after their time.
for i = #p[P_PENDING], 1, -1 do
  if p[P_PENDING][i][L_EXPIRES] + FINAL_KEPT <= now then table.remove(p[P_PENDING], i) end
end
table.insert(p[P_PENDING], {tail, b[R_APP], b[R_FACE], b[R_PURPOSE], b[R_HOSTED], b[R_SCOPE], b[R_EXPIRES]})
if ARGV[7] == '0' then count_send() end
save_phone()
return answer(RES_OK, 0, left_of(b), FLAG_BEGUN + (b[R_HOSTED] == hosted and 0 or FLAG_OWN_CODE))
