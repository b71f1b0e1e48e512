-- The deliveries of a record, and who owns its code.

local function rank(status)
  return min(status, RANK_FINAL)
end

-- own says which hosted route has the code now, here and in the phone's list.
local function own(hosted, ref)
  r[R_HOSTED], r[R_HOSTED_REF] = hosted, ref
  if hosted == '' then r[R_SCOPE] = '' end
  for _, l in ipairs(p[P_PENDING]) do
    if l[L_ID] == tail then l[L_HOSTED], l[L_SCOPE] = hosted, r[R_SCOPE] end
  end
end

local function load_deliveries()
  return r[R_DELIVERIES] ~= '' and unpack_msg(r[R_DELIVERIES]) or {}
end

local function save_deliveries(list)
  while #list > MAX_DELIVERIES do table.remove(list, 1) end
  r[R_DELIVERIES] = pack(list)
end

-- raise lifts a delivery's status and says whether it did. Of the final ones the first stays.
local function raise(d, status, at, detail)
  if rank(status) <= rank(d[D_STATUS]) then return false end
  d[D_STATUS], d[D_AT] = status, at
  if detail ~= '' then d[D_DETAIL] = detail end
  return true
end
