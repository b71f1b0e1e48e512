-- The one record that KEYS[1] names, for the moves on an existing record.

local tail = sub(KEYS[1], 19)
local r, raw

-- open reads record and phone. It returns an answer when there is nothing to go on with.
local function open(app)
  raw = call('GET', KEYS[1])
  if not raw then return {MISSING} end
  r = unpack_msg(raw)
  if app ~= '' and r[R_APP] ~= app then return {MISSING} end
  if behind(r) then return {BEHIND, now, r[R_EPOCH]} end
  now = max(now, r[R_LAST])
  if gone(r, tail) then return {MISSING} end
  load_phone(r[R_PHONE])
  return nil
end

local function answer(result, retry, left, replayed)
  return reply(result, retry or 0, left or left_of(r), replayed or 0, raw)
end

-- again answers from the memory of a request's key, or returns nil.
local function again(key, body)
  local m = recall(r[R_MEM], key)
  if not m then return nil end
  if m[M_BODY] ~= body then return answer(RES_MISMATCH) end
  if m[M_RESULT] ~= RES_RESERVED then return answer(m[M_RESULT], 0, m[M_LEFT], 1) end
  if now < r[R_CHECK_LEASE] then return answer(RES_BUSY) end
  return nil
end

-- closed answers for a record that is final, and first ends one that is over by itself.
local function closed()
  local how = over(r)
  if how then
    stop(r, tail, how)
    raw = write(r, tail, false)
    save_phone()
  end
  if r[R_STATUS] == PENDING then return nil end
  return answer(r[R_STATUS] == EXPIRED and RES_EXPIRED or RES_CLOSED)
end

-- approve consumes the record, once: nothing leads from a final status back to pending.
local function approve(jti, caller)
  r[R_JTI], r[R_CALLER] = jti, caller
  p[P_STREAK] = 0
  stop(r, tail, APPROVED)
end
