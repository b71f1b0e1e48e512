-- CheckPhone: KEYS[1] the phone's key, ARGV[3] app, [4] key, [5] body, [6] shape, [7] length, [8] lease, [9] jti,
-- [10] purpose, [11] the device, [12] its phone, [13] when it was issued, then for each candidate tag the tail of its record's id, its key and the tag (both '' where a record
-- has none). One guess of the phone and of each record compared.

load_phone(sub(KEYS[1], 12))
ask(ARGV[11], ARGV[12], ARGV[13], ARGV[3])
local ended, chosen, raw = {}, nil, nil

local function answer(result, retry, left, replayed)
  local out = reply(result, retry or 0, left or 0, replayed or 0, raw)
  for i = 1, #ended do out[#out + 1] = ended[i] end
  return out
end

-- The memory of the phone names the record that was answered with.
local m = recall(p[P_MEM], ARGV[4])
if m then
  if m[M_BODY] ~= ARGV[5] then return answer(RES_MISMATCH) end
  local cut = string.find(m[M_RESULT], ':', 1, true)
  local result, other = tonumber(sub(m[M_RESULT], 1, cut - 1)), sub(m[M_RESULT], cut + 1)
  raw = call('GET', key_of(other))
  local r = raw and unpack_msg(raw)
  if result ~= RES_RESERVED then return answer(result, 0, m[M_LEFT], 1) end
  if r and now < r[R_CHECK_LEASE] then return answer(RES_BUSY) end
  -- The reservation is over: what Settle remembered in the record counts, else the guess starts anew.
  local settled = r and recall(r[R_MEM], ARGV[4])
  if settled and settled[M_BODY] == ARGV[5] and settled[M_RESULT] ~= RES_RESERVED then
    return answer(settled[M_RESULT], 0, settled[M_LEFT], 1)
  end
  raw = nil
end

local tags = {}
for i = 14, #ARGV, 3 do
  local of = tags[ARGV[i]] or {}
  of[#of + 1] = {ARGV[i + 1], ARGV[i + 2]}
  tags[ARGV[i]] = of
end

local function matches(r, tail)
  local key, right = tostring(r[R_TAG_KEY]), false
  for _, t in ipairs(tags[tail]) do
    if t[1] == key and t[2] == r[R_TAG] then right = true end
  end
  return right
end

-- Candidates, newest first. What is over by itself is ended on the way.
local all, dirty = {}, false
local list = {}
for i, l in ipairs(p[P_PENDING]) do list[i] = l end
for i = #list, 1, -1 do
  local l = list[i]
  if l[L_APP] == ARGV[3] and l[L_PURPOSE] == ARGV[10] and tags[l[L_ID]] then
    local text = call('GET', key_of(l[L_ID]))
    local r = text and unpack_msg(text)
    if r and behind(r) then return {BEHIND, now, r[R_EPOCH]} end
    if r then now = max(now, r[R_LAST]) end
    if r and r[R_STATUS] == PENDING then all[#all + 1] = {r, l[L_ID]} end
  end
end
local live = {}
for _, c in ipairs(all) do
  local how = over(c[1])
  if how then
    stop(c[1], c[2], how)
    ended[#ended + 1] = write(c[1], c[2], false)
    dirty = true
  else
    live[#live + 1] = c
  end
end

local function refuse(result, retry)
  if dirty then save_phone() end
  return answer(result, retry)
end
if #live == 0 then return refuse(RES_NONE) end

local shape, length, ours, theirs = tonumber(ARGV[6]), tonumber(ARGV[7]), {}, {}
for _, c in ipairs(live) do
  if fits(c[1], shape, length) then
    local kind = c[1][R_HOSTED] == '' and ours or theirs
    kind[#kind + 1] = c
  end
end
if #ours + #theirs == 0 then return refuse(RES_SHAPE) end
local lock, till = locked()
if lock > 0 then return refuse(RES_LOCKED, lock == 1 and wait_until(till) or 0) end

local before, result, left

-- keep remembers the answer under the request's key, with the record's name in it.
local function keep(tail)
  p[P_MEM] = remember(p[P_MEM], ARGV[4], ARGV[5], result .. ':' .. tail, left)
end

if #ours == 0 then
  for _, c in ipairs(theirs) do
    if not chosen and now >= c[1][R_CHECK_LEASE] then chosen = c end
  end
  if not chosen then return refuse(RES_BUSY) end
  before, result = count(), RES_RESERVED
  local r, tail = chosen[1], chosen[2]
  r[R_CHECKS], r[R_CHECK_LEASE] = r[R_CHECKS] + 1, now + ARGV[8]
  left = left_of(r)
  -- Settle goes by the record, so the record must know the key as well.
  r[R_MEM] = remember(r[R_MEM], ARGV[4], ARGV[5], RES_RESERVED, left)
  raw = write(r, tail, true)
else
  before, result = count(), RES_INCORRECT
  for _, c in ipairs(ours) do
    local r = c[1]
    r[R_CHECKS] = r[R_CHECKS] + 1
    if not chosen and matches(r, c[2]) then
      chosen, result = c, RES_APPROVED
      r[R_JTI], r[R_CALLER] = ARGV[9], ''
      p[P_STREAK] = 0
      stop(r, c[2], APPROVED)
    elseif r[R_CHECKS] >= r[R_MAX_CHECKS] then
      stop(r, c[2], FAILED)
    end
  end
  chosen, left = chosen or ours[1], 0
  for _, c in ipairs(ours) do
    local text = write(c[1], c[2], false)
    if result == RES_INCORRECT then left = max(left, left_of(c[1])) end
    if c == chosen then
      raw = text
    elseif c[1][R_STATUS] ~= PENDING then
      ended[#ended + 1] = text
    end
  end
end
keep(chosen[2])
save_phone()
note(before)
return answer(result, 0, left)
