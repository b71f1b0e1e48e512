-- The names of keys, the phone's state, and how a record is read, changed, ended and written.

-- The phone's state, and the phone it is of.
local p, phone

-- prune drops what is older than a list's window.
local function prune(list, window)
  while list[1] and list[1] <= now - window do table.remove(list, 1) end
end

local function prune_devices()
  for i = #p[P_DEVICES], 1, -1 do
    local d = p[P_DEVICES][i]
    prune(d[O_SENDS], WINDOW)
    prune(d[O_GUESSES], WINDOW)
    if #d[O_SENDS] + #d[O_GUESSES] == 0 and d[O_LAST] + COOLDOWN_1 <= now then table.remove(p[P_DEVICES], i) end
  end
  for i = #p[P_FORGOT], 1, -1 do
    if p[P_FORGOT][i][F_AT] + DEVICE_LIFE <= now then table.remove(p[P_FORGOT], i) end
  end
end

local function load_phone(hex)
  phone = hex
  local raw = call('GET', slot .. 'p:' .. hex)
  if not raw then
    p = {{}, {}, 0, 0, {}, '', {}, {}}
    return
  end
  p = unpack_msg(raw)
  p[P_DEVICES], p[P_FORGOT] = p[P_DEVICES] or {}, p[P_FORGOT] or {} -- an earlier release wrote none
  prune(p[P_SENDS], WINDOW)
  prune(p[P_GUESSES], WINDOW)
  prune_devices()
  if p[P_STREAK] > 0 and now >= p[P_WRONG] + STREAK_LIFE then p[P_STREAK] = 0 end
end

local function save_phone()
  if #p[P_SENDS] + #p[P_GUESSES] + #p[P_PENDING] + p[P_STREAK] + #p[P_DEVICES] + #p[P_FORGOT] == 0 and p[P_MEM] == '' then
    call('DEL', slot .. 'p:' .. phone)
    return
  end
  local ttl = WINDOW
  if p[P_STREAK] > 0 then ttl = max(ttl, p[P_WRONG] + STREAK_LIFE - now) end
  for _, f in ipairs(p[P_FORGOT]) do ttl = max(ttl, f[F_AT] + DEVICE_LIFE - now) end
  call('SET', slot .. 'p:' .. phone, pack(p), 'PX', ttl)
end

-- push appends an instant and keeps the list in order, even when the clock went back a little.
local function push(list, at)
  local n = #list
  list[n + 1] = max(at, list[n] or 0)
end

local function cooldown(n)
  return n == 0 and 0 or n == 1 and COOLDOWN_1 or n == 2 and COOLDOWN_2 or n == 3 and COOLDOWN_3 or COOLDOWN_4
end

-- The device that makes the move, if it is one that has proved this phone: it has guesses and sends of its own.
local own

local function ask(id, of, issued, app)
  own = nil
  if id == '' or of ~= phone then return end
  for _, f in ipairs(p[P_FORGOT]) do
    if f[F_APP] == app and tonumber(issued) <= f[F_AT] then return end
  end
  for _, d in ipairs(p[P_DEVICES]) do
    if d[O_ID] == id then
      own = d
      return
    end
  end
  if #p[P_DEVICES] < MAX_DEVICES then own = {id, {}, {}, 0} end
end

-- keep lists the device once it has counted something.
local function keep()
  for _, d in ipairs(p[P_DEVICES]) do
    if d == own then return end
  end
  table.insert(p[P_DEVICES], own)
end

local function own_guesses_left() return own and max(0, OWN_GUESSES - #own[O_GUESSES]) or 0 end
local function own_sends_left() return own and max(0, OWN_SENDS - #own[O_SENDS]) or 0 end

-- next_of_all is when the cooldown and both windows let anybody's next send through; not after now: at once.
local function next_of_all()
  local sends = p[P_SENDS]
  local n = #sends
  if n == 0 then return 0 end
  local at, burst = sends[n] + cooldown(n), 0
  for i = n, 1, -1 do
    if sends[i] <= now - BURST_WINDOW then break end
    burst = burst + 1
  end
  if burst >= BURST_SENDS then at = max(at, sends[n - BURST_SENDS + 1] + BURST_WINDOW) end
  if n >= DAY_SENDS then at = max(at, sends[n - DAY_SENDS + 1] + WINDOW) end
  return at, burst
end

-- next_send is the same for who makes the move: a device may have a send of its own.
local function next_send()
  local at, burst = next_of_all()
  if own and at > now then
    local n, mine = #own[O_SENDS], own[O_LAST] > 0 and own[O_LAST] + COOLDOWN_1 or 0
    if n >= OWN_SENDS then mine = max(mine, own[O_SENDS][n - OWN_SENDS + 1] + WINDOW) end
    at = min(at, mine)
  end
  return at, burst
end

-- refuse_send says how the limits refuse another message, and for how long; or nothing.
local function refuse_send()
  local at, sends = next_send(), p[P_SENDS]
  if at <= now then return nil end
  local soon = now < sends[#sends] + cooldown(#sends) or own_sends_left() > 0
  return soon and RES_TOO_SOON or RES_TOO_MANY, at - now
end

-- count_send counts a message, on the phone or, where that is full, on the device.
local function count_send()
  if next_of_all() <= now then push(p[P_SENDS], now) else push(own[O_SENDS], now) end
  if own then
    own[O_LAST] = now
    keep()
  end
end

local function phone_left()
  return max(0, min(PHONE_GUESSES - #p[P_GUESSES] + own_guesses_left(), PHONE_STREAK - p[P_STREAK]))
end

-- locked says whether no guess is compared now: 0, or 1 and until when, or 2 for the hard stop.
local function locked()
  if p[P_STREAK] >= PHONE_STREAK then return 2, p[P_WRONG] + STREAK_LIFE end
  local n = #p[P_GUESSES]
  if n >= PHONE_GUESSES and own_guesses_left() == 0 then
    local till = p[P_GUESSES][n - PHONE_GUESSES + 1] + WINDOW
    if own then till = min(till, own[O_GUESSES][#own[O_GUESSES] - OWN_GUESSES + 1] + WINDOW) end
    return 1, till
  end
  return 0, 0
end

-- standing is what a phone has left, in the order that answer.go reads.
local function standing()
  local sends = p[P_SENDS]
  local n = #sends
  local at, burst = next_send()
  local lock, till = locked()
  return phone_left(), max(0, min(BURST_SENDS - (burst or 0), DAY_SENDS - n)) + own_sends_left(), at > now and at or 0, lock, till,
    n > 0 and sends[n] + WINDOW - now or 0
end

-- noted marks a phone whose counts must survive the loss of this server; Run mirrors them.
local noted = 0
local function note(streak_before)
  if #p[P_GUESSES] > NOTE_ABOVE or p[P_STREAK] > NOTE_ABOVE or streak_before > NOTE_ABOVE then
    call('ZADD', slot .. 'l', now, phone)
    call('PEXPIRE', slot .. 'l', STREAK_LIFE)
    noted = 2
  end
end

-- A record's id in zsets and in the phone's list is its random part alone: the shard is in the key's name.
local function key_of(tail)
  return slot .. 'v:ver_' .. sub(slot, 5, 7) .. tail
end

local function unlist(tail)
  local list = p[P_PENDING]
  for i = 1, #list do
    if list[i][L_ID] == tail then
      table.remove(list, i)
      return
    end
  end
end

-- stop ends a record; write makes it last.
local function stop(r, tail, status)
  r[R_STATUS], r[R_ENDED], r[R_LEASE], r[R_CHECK_LEASE] = status, now, 0, 0
  unlist(tail)
end

-- over says how a pending record ends by itself now, or nil.
local function over(r)
  if r[R_STATUS] ~= PENDING then return nil end
  if r[R_EPOCH] < epoch then return CANCELED end
  if now >= r[R_EXPIRES] and now >= r[R_CHECK_LEASE] then return EXPIRED end
  return nil
end

-- due is when a sweep must look at a pending record: at its end, or before that to take over a send.
local function due(r)
  local at = max(r[R_EXPIRES], r[R_CHECK_LEASE])
  if r[R_LEASE] > 0 and now < r[R_EXPIRES] then at = min(at, r[R_LEASE] + CLAIM_AFTER) end
  return at
end

-- write saves a changed record, and puts a final or new one into the outbox. It returns what it wrote.
local function write(r, tail, redue)
  r[R_SEQ], r[R_LAST] = r[R_SEQ] + 1, max(now, r[R_LAST])
  local final = r[R_STATUS] ~= PENDING
  local out = final or r[R_SEQ] == 1
  if out then r[R_OUT] = r[R_SEQ] end
  local raw = pack(r)
  if final then
    call('SET', key_of(tail), raw, 'PX', FINAL_KEPT)
    call('ZREM', slot .. 'due', tail)
  else
    if out then
      call('SET', key_of(tail), raw, 'PX', r[R_EXPIRES] - now + FINAL_KEPT)
    else
      call('SET', key_of(tail), raw, 'KEEPTTL')
    end
    if redue then
      call('ZADD', slot .. 'due', due(r), tail)
      call('PEXPIRE', slot .. 'due', INDEX_KEPT)
    end
  end
  if out then
    call('ZADD', slot .. 'out', now, tail)
    call('PEXPIRE', slot .. 'out', INDEX_KEPT)
  end
  return raw
end

-- gone says whether an ended record is to be forgotten by the script's clock, which may be ahead of the key's TTL.
local function gone(r, tail)
  if r[R_STATUS] == PENDING or now < r[R_ENDED] + ENDED_KEPT then return false end
  return now >= r[R_ENDED] + FINAL_KEPT or not call('ZSCORE', slot .. 'out', tail)
end

-- behind says whether the caller's clock or epoch is too old for this record: nothing may be decided with it.
local function behind(r)
  return r[R_EPOCH] > epoch or (r[R_EPOCH] == epoch and now < r[R_LAST] - SETBACK)
end

-- recall finds what a request's key was answered with.
local function recall(mem, key)
  if key == '' or mem == '' then return nil end
  local list = unpack_msg(mem)
  for i = 1, #list do
    if list[i][M_KEY] == key and now - list[i][M_AT] < MEMORY then return list[i] end
  end
  return nil
end

-- remember returns the memory with one more answer in it.
local function remember(mem, key, body, result, left)
  if key == '' then return mem end
  local kept = {}
  for _, m in ipairs(mem ~= '' and unpack_msg(mem) or {}) do
    if m[M_KEY] ~= key and now - m[M_AT] < MEMORY then kept[#kept + 1] = m end
  end
  if #kept >= MEMORY_SIZE then table.remove(kept, 1) end
  kept[#kept + 1] = {key, body, result, left, now}
  return pack(kept)
end

-- left_of is how many guesses a record and its phone both still have.
local function left_of(r)
  if r[R_STATUS] ~= PENDING then return 0 end
  return max(0, min(r[R_MAX_CHECKS] - r[R_CHECKS], phone_left()))
end

-- reply is an answer in the order that answer.go reads; records that the move ended follow it.
local function reply(result, retry, left, flags, raw)
  return {result, now, retry, left, flags + noted + (now > clock and 4 or 0), raw or '', standing()}
end

local function wait_until(at)
  return max(0, at - now)
end
